"""Models are read in their native formats, by our own loaders; nothing runs that nobody allowed."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import skops.io
import yaml
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier, XGBRFClassifier

import showcause as sc
from showcause.integrations.mlflow import flavours
from tests.mlflow.conftest import rows, snapshot_of

SKLEARN = {
    "logistic regression": LogisticRegression(),
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression()),
    "random forest": RandomForestClassifier(5, random_state=0),
    "extra trees": ExtraTreesClassifier(5, random_state=0),
    "gradient boosting": GradientBoostingClassifier(n_estimators=5, random_state=0),
    "histogram boosting": HistGradientBoostingClassifier(max_iter=5, random_state=0),
    "calibrated forest": CalibratedClassifierCV(RandomForestClassifier(5, random_state=0), cv=2),
    "pipeline of XGBoost": make_pipeline(StandardScaler(), XGBClassifier(n_estimators=3)),
    "pipeline of LightGBM": make_pipeline(StandardScaler(), LGBMClassifier(n_estimators=3, verbose=-1)),
    "pipeline of CatBoost": make_pipeline(
        StandardScaler(), CatBoostClassifier(iterations=3, verbose=0, allow_writing_files=False)
    ),
    "pipeline of a forest": make_pipeline(StandardScaler(), RandomForestClassifier(5, random_state=0)),
}


def saved(model: Any, path: Path, module: Any = mlflow.sklearn, **options: Any) -> Path:
    module.save_model(model, str(path), pip_requirements=[], **options)
    return path


@pytest.mark.parametrize("kind", SKLEARN)
def test_a_scikit_learn_model_comes_back_as_the_one_explained(kind: str, tmp_path: Path) -> None:
    data = rows()
    model = SKLEARN[kind].fit(data.X, data.y)
    folder = saved(model, tmp_path / "m", skops_trusted_types=sc.mlflow.trusted_types(model))
    loaded = flavours.read(folder)
    assert flavours.another(snapshot_of(model), loaded) == ""
    assert (loaded.native.predict_proba(data.X) == model.predict_proba(data.X)).all()
    assert loaded.flavour == "sklearn"


def boosted() -> list[Any]:
    small = {"n_estimators": 5, "random_state": 0, "n_jobs": 1}
    return [
        pytest.param(mlflow.xgboost, XGBClassifier(**small), id="XGBClassifier"),
        pytest.param(mlflow.xgboost, XGBRFClassifier(**small), id="XGBRFClassifier"),
        pytest.param(mlflow.lightgbm, LGBMClassifier(verbose=-1, **small), id="LGBMClassifier"),
        pytest.param(mlflow.catboost, CatBoostClassifier(iterations=5, verbose=0, allow_writing_files=False), id="Cat"),
    ]


@pytest.mark.parametrize(("module", "model"), boosted())
def test_a_boosted_model_comes_back_as_the_one_explained(module: Any, model: Any, tmp_path: Path) -> None:
    data = rows()
    model.fit(data.X, data.y)
    loaded = flavours.read(saved(model, tmp_path / "m", module))
    assert flavours.another(snapshot_of(model), loaded) == ""
    assert np.array_equal(loaded.native.predict_proba(data.X), model.predict_proba(data.X))


@pytest.mark.parametrize("module", [mlflow.xgboost, mlflow.lightgbm])
def test_a_bare_booster_comes_back_too(module: Any, tmp_path: Path) -> None:
    data = rows()
    model = XGBClassifier(n_estimators=3).fit(data.X, data.y).get_booster()
    if "lightgbm" in module.__name__:
        model = LGBMClassifier(n_estimators=3, verbose=-1).fit(data.X, data.y).booster_
    loaded = flavours.read(saved(model, tmp_path / "m", module))
    assert flavours.another(snapshot_of(model, task="classification"), loaded) == ""


def test_what_log_model_refuses_is_named_by_the_helper(tmp_path: Path) -> None:
    model = RandomForestClassifier(3).fit(*rows().__dict__.values())
    with pytest.raises(mlflow.MlflowException, match="untrusted types"):
        saved(model, tmp_path / "refused")
    assert sc.mlflow.trusted_types(model) == ["sklearn.tree._tree.Tree"]


class Own(LogisticRegression):
    """An estimator that nobody but its author knows."""


def test_a_type_of_ones_own_is_named_and_needs_consent(tmp_path: Path) -> None:
    model, name = Own().fit(*rows().__dict__.values()), f"{__name__}.Own"
    with pytest.raises(sc.ModelError, match=r"nobody vouches for: tests\.mlflow\.test_flavours\.Own"):
        sc.mlflow.trusted_types(model)
    folder = saved(model, tmp_path / "m", skops_trusted_types=[name])
    with pytest.raises(sc.ModelError, match="nobody vouches for"):
        flavours.read(folder)
    assert flavours.read(folder, trusted=(name,)).consents == (f"skops-trusted {name}",)


class Unwalkable(LogisticRegression):
    """It holds what no fingerprint can be taken of."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        self.handle_ = memoryview(b"")
        return super().fit(X, y, sample_weight)

    def __getstate__(self) -> Any:
        return {key: value for key, value in vars(self).items() if key != "handle_"}

    def __setstate__(self, state: Any) -> None:
        vars(self).update(state, handle_=memoryview(b""))


def test_a_model_without_a_fingerprint_is_known_by_what_it_predicts(tmp_path: Path) -> None:
    data = rows()
    model, other = Unwalkable().fit(data.X, data.y), Unwalkable(C=0.01).fit(data.X, data.y)
    snapshot = snapshot_of(model, data)
    assert snapshot.manifest.model["opaque"]
    for number, (one, wanted) in enumerate([(model, ""), (other, "it predicts otherwise")]):
        folder = saved(one, tmp_path / str(number), serialization_format="cloudpickle")
        loaded = flavours.read(folder, allow_pickle=True)
        assert "give data=" in flavours.another(snapshot, loaded)
        assert flavours.another(snapshot, loaded, data.X) == wanted


@pytest.mark.parametrize("form", ["pickle", "cloudpickle"])
def test_a_pickle_needs_consent_which_is_recorded(form: str, tmp_path: Path) -> None:
    model = LogisticRegression().fit(*rows().__dict__.values())
    folder = saved(model, tmp_path / "m", serialization_format=form)
    with pytest.raises(sc.ModelError, match="runs whatever code it holds"):
        flavours.read(folder)
    (consent,) = flavours.read(folder, allow_pickle=True).consents
    assert consent.startswith("allow-pickle model.pkl sha256:")


class Canary:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def described(folder: Path, change: Any) -> Path:
    text = yaml.safe_load((folder / "MLmodel").read_text())
    change(text["flavors"])
    (folder / "MLmodel").write_text(yaml.safe_dump(text))
    return folder


def test_no_file_makes_our_loaders_run_code(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    for form in ("pickle", "cloudpickle", "skops", "something else"):
        folder = saved(LogisticRegression().fit(*rows().__dict__.values()), tmp_path / form.replace(" ", "-"))
        described(folder, lambda f, form=form: f["sklearn"].update(serialization_format=form))
        (folder / "model.skops").write_bytes(pickle.dumps(Canary(canary)))
        with pytest.raises(sc.ModelError):
            flavours.read(folder)
    assert not canary.exists()


@pytest.mark.parametrize(
    ("flavour", "words"),
    [
        ("xgboost", {"model_class": "subprocess.Popen"}),
        ("catboost", {"model_type": "Popen"}),
        ("xgboost", {"data": "../../../etc/passwd"}),
        ("xgboost", {"data": "/etc/passwd"}),
        ("xgboost", {"data": None}),
        ("xgboost", {"data": ["model.ubj"]}),
    ],
)
def test_what_the_models_own_description_says_is_not_believed(flavour: str, words: Any, tmp_path: Path) -> None:
    module = getattr(mlflow, flavour)
    model = (
        XGBClassifier(n_estimators=2)
        if flavour == "xgboost"
        else CatBoostClassifier(iterations=2, verbose=0, allow_writing_files=False)
    )
    folder = saved(model.fit(*rows().__dict__.values()), tmp_path / "m", module)
    described(folder, lambda f: f[flavour].update(words))
    with pytest.raises((sc.ModelError, sc.Corrupt)):
        flavours.read(folder)


def test_a_model_of_python_code_is_not_loaded(tmp_path: Path) -> None:
    class Constant(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
            return [0] * len(model_input)

    mlflow.pyfunc.save_model(str(tmp_path / "m"), python_model=Constant(), pip_requirements=[])
    with pytest.raises(sc.ModelError, match="python_function"):
        flavours.read(tmp_path / "m")


FORGED = {
    "a node outside": ("left_child", 10**6, "names a node outside"),
    "a circle": ("left_child", 0, "names a node outside"),
    "a column outside": ("feature", 10**6, "a column that the model does not have"),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_tree_is_found_before_it_predicts(what: str, tmp_path: Path) -> None:
    field, value, message = FORGED[what]
    model = RandomForestClassifier(2, random_state=0).fit(*rows().__dict__.values())
    tree = model.estimators_[0].tree_
    state = tree.__getstate__()
    nodes = state["nodes"].copy()
    nodes[field][0] = value
    tree.__setstate__({**state, "nodes": nodes})
    skops.io.dump(model, tmp_path / "model.skops")
    with pytest.raises(sc.Corrupt, match=message):
        flavours.check(skops.io.load(tmp_path / "model.skops", trusted=list(flavours.KNOWN)))


def test_a_forged_tree_of_histogram_boosting_is_found_too() -> None:
    model = HistGradientBoostingClassifier(max_iter=2).fit(*rows().__dict__.values())
    flavours.check(model)
    model._predictors[0][0].nodes["feature_idx"][0] = 99
    with pytest.raises(sc.Corrupt, match="a column that the model does not have"):
        flavours.check(model)
