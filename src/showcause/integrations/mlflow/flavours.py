"""Models of MLflow, read by flavour in their native formats, by code of ours.

    xgboost     model.ubj, .json          lightgbm   model.lgb (a Booster), else skops
    catboost    model.cb                  sklearn    model.skops

MLflow's own loaders take the class to build and the types to trust from the model's own files; here both come from
closed lists. A pickle (pickle, cloudpickle, joblib), and a type that skops does not know and we do not check, are read
only with consent, which is recorded. What decides is the flavour, never python_function, whose loader is any module.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from showcause.core import canonical
from showcause.core.errors import Corrupt, MissingExtra, ModelError, choices, spoken
from showcause.core.snapshot import Snapshot
from showcause.integrations.mlflow.artifacts import fetched, safe
from showcause.integrations.mlflow.binding import MLMODEL, description
from showcause.integrations.mlflow.refs import REPORT, SNAPSHOT, Located, resolve
from showcause.integrations.mlflow.trees import check

# What models hold and skops does not trust by itself. Two are trees, whose node indices are checked below before
# anything predicts; a Booster is bytes that its own library parses, as in its native file; the others are plain Python
# classes and functions of scikit-learn. Not here: what C code walks by stored indices that nobody checks (KDTree).
TREE = "sklearn.tree._tree.Tree"
PREDICTOR = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"
XGBOOST = {f"xgboost.sklearn.{name}" for name in ("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor")}
PLAIN = {
    "calibration": ("_CalibratedClassifier", "_SigmoidCalibration"),
    "feature_selection._univariate_selection": ("f_classif", "f_regression"),
    "metrics._classification": ("balanced_accuracy_score",),
    "metrics._scorer": ("_CurveScorer", "_PassthroughScorer", "_Scorer"),
    "model_selection._split": ("KFold", "StratifiedKFold"),
    "neural_network._stochastic_optimizers": ("AdamOptimizer", "SGDOptimizer"),
    "utils._bunch": ("Bunch",),
    "utils._metadata_requests": ("MetadataRequest", "MethodMetadataRequest"),
}
KNOWN = frozenset(
    {TREE, PREDICTOR, "collections.OrderedDict", "numpy.dtype", "xgboost.core.Booster", *XGBOOST}
    | {"lightgbm.basic.Booster", "lightgbm.sklearn.LGBMClassifier", "lightgbm.sklearn.LGBMRegressor"}
    | {"catboost.core.CatBoostClassifier", "catboost.core.CatBoostRegressor"}
    | {f"sklearn.{module}.{name}" for module, names in PLAIN.items() for name in names}
)
CATBOOST = {"CatBoost", "CatBoostClassifier", "CatBoostRegressor"}
CATBOOST_FORMATS = {"cbm", "json"}


@dataclass(frozen=True)
class Loaded:
    """A model, where it came from, and what had to be allowed for it."""

    native: Any
    source: str
    flavour: str
    consents: tuple[str, ...] = ()


def load(
    ref: str | Located, *, allow_pickle: bool = False, trusted: tuple[str, ...] = (), client: Any = None
) -> Loaded:
    """The model behind a REF of MLflow. Raises ModelError (no flavour that can be read; a pickle without consent),
    NotFound, Corrupt, MissingExtra."""
    located = ref if isinstance(ref, Located) else resolve(ref, client)
    if not located.model:
        raise ModelError(f"{located} is a run without a single logged model; say which: {located}/NAME")
    with fetched(located, without=(SNAPSHOT, REPORT)) as folder:
        found = read(folder, allow_pickle=allow_pickle, trusted=trusted)
    return Loaded(found.native, located.ref, found.flavour, found.consents)


def flavour(described: Mapping[str, Any]) -> str:
    """The flavour to read by; "python_function" where there is no native one, "" where there is none at all."""
    found = described.get("flavors")
    names = set(found) if isinstance(found, Mapping) else set()
    return next((name for name in (*READERS, "python_function") if name in names), next(iter(sorted(names)), ""))


def read(folder: Path, *, allow_pickle: bool = False, trusted: tuple[str, ...] = ()) -> Loaded:
    """The model in a local folder. Raises ModelError, Corrupt, MissingExtra."""
    if not (folder / MLMODEL).is_file():
        raise ModelError(f"there is no logged model here: no file {MLMODEL}")
    described = description(folder / MLMODEL)
    name = flavour(described)
    if name not in READERS:
        raise ModelError(
            f"a model of flavour {name!r} cannot be read without running its own code: {choices(name, READERS)}"
        )
    said = described["flavors"][name]
    if not isinstance(said, Mapping):
        raise Corrupt(f"{MLMODEL}: the flavour {name} says nothing")
    with _readable(f"the logged {name} model"):
        return READERS[name](folder, said, allow_pickle, trusted)


@contextlib.contextmanager
def _readable(what: str) -> Iterator[None]:
    """Whatever a framework raises on a damaged file becomes one clear error."""
    try:
        yield
    except ImportError as error:
        if isinstance(error, MissingExtra):
            raise
        raise MissingExtra(f"{what} needs the package {error.name!r}: pip install {error.name}") from error
    except (ModelError, Corrupt):
        raise
    except Exception as error:
        raise ModelError(f"{what} cannot be read: {spoken(error)}") from error


def _file(folder: Path, said: Mapping[str, Any], *keys: str) -> Path:
    """The file that holds the model; its name never leaves the folder."""
    name = next((said[key] for key in keys if isinstance(said.get(key), str)), "")
    path = folder / safe(name)
    if not path.is_file():
        raise Corrupt(f"{MLMODEL} names the file {name!r}, which is not there")
    return path


def _xgboost(folder: Path, said: Mapping[str, Any], allow_pickle: bool, trusted: tuple[str, ...]) -> Loaded:
    import xgboost

    name = said.get("model_class", "xgboost.core.Booster")
    if name != "xgboost.core.Booster" and name not in XGBOOST:
        raise ModelError(f"the class {name!r} is none that is built here: {choices(name, sorted(XGBOOST))}")
    model = xgboost.Booster() if name == "xgboost.core.Booster" else getattr(xgboost, name.rpartition(".")[2])()
    model.load_model(_file(folder, said, "data"))
    return Loaded(model, "", "xgboost")


def _lightgbm(folder: Path, said: Mapping[str, Any], allow_pickle: bool, trusted: tuple[str, ...]) -> Loaded:
    import lightgbm

    path = _file(folder, said, "data")
    if said.get("model_class", "lightgbm.basic.Booster") == "lightgbm.basic.Booster":
        return Loaded(lightgbm.Booster(model_file=path), "", "lightgbm")
    return _serialised(path, said.get("serialization_format", "cloudpickle"), "lightgbm", allow_pickle, trusted)


def _catboost(folder: Path, said: Mapping[str, Any], allow_pickle: bool, trusted: tuple[str, ...]) -> Loaded:
    import catboost

    name, form = said.get("model_type", "CatBoost"), said.get("save_format", "cbm")
    if name not in CATBOOST or form not in CATBOOST_FORMATS:
        raise ModelError(f"a CatBoost model of type {name!r} in format {form!r} is not read here")
    return Loaded(getattr(catboost, name)().load_model(str(_file(folder, said, "data")), form), "", "catboost")


def _sklearn(folder: Path, said: Mapping[str, Any], allow_pickle: bool, trusted: tuple[str, ...]) -> Loaded:
    path = _file(folder, said, "pickled_model", "data", "model")
    return _serialised(path, said.get("serialization_format", "pickle"), "sklearn", allow_pickle, trusted)


def _serialised(path: Path, form: Any, name: str, allow_pickle: bool, trusted: tuple[str, ...]) -> Loaded:
    if form == "skops":
        return _skops(path, name, allow_pickle, trusted)
    digest = canonical.digest(path.read_bytes())
    if not allow_pickle:
        raise ModelError(
            f"the logged {name} model is a pickle ({form}), and loading one runs whatever code it holds. Log it with "
            'serialization_format="skops"; or allow the pickle (allow_pickle=True, --allow-pickle) where you made the '
            "model yourself: the consent is recorded"
        )
    import joblib

    native = joblib.load(io.BytesIO(path.read_bytes()))
    return Loaded(native, "", name, (f"allow-pickle {path.name} sha256:{digest}",))


def _skops(path: Path, name: str, allow_pickle: bool, trusted: tuple[str, ...]) -> Loaded:
    import skops.io

    asked = sorted(skops.io.get_untrusted_types(file=path))
    strange = [one for one in asked if one not in KNOWN and one not in trusted]
    if strange and not allow_pickle:  # who allows a pickle allows any code, and so any type
        raise ModelError(
            f"the logged {name} model holds types that nobody vouches for: {', '.join(strange[:12])}. Where you know "
            "them, name them: trusted=(…,), or --allow-pickle; the consent is recorded"
        )
    native = skops.io.load(path, trusted=asked)
    check(native)
    return Loaded(native, "", name, tuple(f"skops-trusted {one}" for one in asked))


def trusted_types(model: Any) -> list[str]:
    """What `mlflow.sklearn.log_model(…, skops_trusted_types=…)` needs for this model, which refuses forests without.

    Only types that are checked here when the model is read again. Raises ModelError with every other one, which is for
    you to vouch for: `skops_trusted_types=[…]` there and `trusted=(…,)` here; MissingExtra.
    """
    try:
        import skops.io
    except ImportError:
        raise MissingExtra.of("skops", "mlflow") from None
    asked = sorted(skops.io.get_untrusted_types(data=skops.io.dumps(model)))
    strange = [one for one in asked if one not in KNOWN]
    if strange:
        raise ModelError(
            f"a {type(model).__name__} holds types that nobody vouches for: {', '.join(strange[:12])}. Where you know "
            f"them, log it with skops_trusted_types={asked} and read it with trusted={tuple(strange)}"
        )
    return asked


def another(snapshot: Snapshot, loaded: Loaded, data: Any = None, version: str | None = None) -> str:
    """Why a model that was read is not the one explained; "" where it is.

    `data`: the rows explained, by which alone a model without a fingerprint can be known; `version`: as for `explain`.
    """
    from showcause.policy.identity import belongs_elsewhere
    from showcause.verbs.facts import Given, model_and_data

    known, X = snapshot.manifest.model, data[0] if isinstance(data, tuple) else data
    facts, _ = model_and_data(snapshot, Given(loaded.native, X, known.get("task"), version, None), X, None)
    if facts is not None and facts.digest == known.get("digest"):
        return ""
    if known.get("opaque") and X is None:
        return "it has no fingerprint, and is known by what it predicts alone: give data=, the rows explained"
    why = "" if facts is None else belongs_elsewhere(snapshot, facts)
    return why or ("it predicts otherwise" if known.get("opaque") else "its fingerprint is another one")


Reader = Callable[[Path, Mapping[str, Any], bool, tuple[str, ...]], Loaded]
READERS: dict[str, Reader] = {"xgboost": _xgboost, "lightgbm": _lightgbm, "catboost": _catboost, "sklearn": _sklearn}
