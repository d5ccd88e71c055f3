"""One face for every model: what it predicts, in which space, under which identity.

`adapt(native, X)` asks the adapters in turn (one file per framework, found by the class's module, imported lazily) and
falls back to a plain callable. Models are called on one thread, in batches of a fixed size, since other batch sizes and
thread orders change the last bits of many models.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from showcause.adapters.frame import Frame, Rows
from showcause.core import canonical
from showcause.core.errors import DataError, ModelError

Task = Literal["classification", "regression"]
Space = Literal["probability", "score", "target"]  # score: a decision function without probabilities

BATCH = 16_384
ROUNDING = 1e-6  # of probabilities in float32
PROBE_ROWS = 64


@dataclass(frozen=True)
class Model:
    """A fitted model.

    raw        native rows → numbers: (n,) or (n, classes) probabilities, scores or target values
    classes    class labels as text, () for regression; `labels` are the same as the model gave them
    features   the columns it was trained on, None where it does not say
    digest     its identity; `opaque` where that rests on behaviour at probe rows alone
    threshold  where the model itself carries one (a tuned or fixed threshold classifier)
    """

    native: Any
    family: str
    task: Task
    space: Space
    raw: Callable[[Any], Any]
    classes: tuple[str, ...] = ()
    labels: tuple[Any, ...] = ()
    features: tuple[str, ...] | None = None
    digest: str = ""
    opaque: bool = False
    threshold: float | None = None

    @property
    def targets(self) -> tuple[str, ...]:
        """The outputs explained: classes_[1] for binary, every class for more, none for regression."""
        return self.classes[1:] if len(self.classes) == 2 else self.classes

    @property
    def binary(self) -> bool:
        return len(self.classes) == 2

    def predict(self, frame: Frame) -> Rows:
        """float64 (rows, outputs): one output for binary (of classes_[1]) and regression, else one per class."""
        parts = []
        for start in range(0, len(frame), BATCH):
            whole = len(frame) <= BATCH
            batch = frame if whole else frame.take(np.arange(start, min(start + BATCH, len(frame))))
            parts.append(self._checked(self.raw(batch.native), len(batch)))
        return np.concatenate(parts) if parts else np.empty((0, max(1, len(self.targets))))

    def _checked(self, output: Any, rows: int) -> Rows:
        values = np.asarray(output, dtype=np.float64)
        values = values.reshape(rows, -1) if values.ndim != 2 and values.size % max(rows, 1) == 0 else values
        if self.binary and values.shape[1] == 2:
            values = values[:, 1:]
        wanted = max(1, len(self.targets))
        if self.task == "regression" and values.ndim == 2 and values.shape[1] > 1:
            raise ModelError(f"the model predicts {values.shape[1]} outputs at once; explain one output at a time")
        if values.shape != (rows, wanted):
            raise ModelError(f"the model returned shape {values.shape} for {rows} rows; {(rows, wanted)} is needed")
        if not np.isfinite(values).all():
            raise ModelError(f"the model predicted NaN or infinity for {int((~np.isfinite(values)).any(1).sum())} rows")
        low, high = (values.min(), values.max()) if values.size and self.space == "probability" else (0.0, 1.0)
        if low < -ROUNDING or high > 1 + ROUNDING:
            raise ModelError(
                f"the model gives {low:.6g} to {high:.6g} as probabilities; if it gives scores, as a "
                "LightGBM model with its own objective does, explain a callable that turns them into probabilities"
            )
        return values


def probabilities(outputs: Rows) -> Rows:
    """(rows, classes) from the outputs of `predict` in probability space: binary gets its first class back."""
    return np.column_stack([1 - outputs[:, 0], outputs[:, 0]]) if outputs.shape[1] == 1 else outputs


@lru_cache(maxsize=1)
def _pools(modules: int) -> Any:
    """The thread pools of this process: looked for again once more modules are imported, which may bring another."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


_openmp: ContextVar[int] = ContextVar("_openmp")  # the threads of OpenMP outside of `one_thread`


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Models inside run their BLAS, OpenMP and joblib work on one thread; LightGBM and CatBoost count their threads
    themselves, which changes no prediction of theirs. Kernels of ours use all cores."""
    pools = _pools(len(sys.modules))
    found = [pool.num_threads for pool in pools.lib_controllers if pool.user_api == "openmp"]
    with contextlib.ExitStack() as stack:
        if found and _openmp.get(None) is None:
            stack.callback(_openmp.reset, _openmp.set(max(found)))
        stack.enter_context(pools.limit(limits=1))
        if "sklearn" in sys.modules:
            import joblib

            stack.enter_context(joblib.parallel_config(backend="sequential"))
        yield


@contextlib.contextmanager
def own_threads() -> Iterator[None]:
    """Within `one_thread`, OpenMP as it was outside: for models whose predictions do not depend on their threads."""
    before = _openmp.get(None)
    if before is None:
        yield
    else:
        with _pools(len(sys.modules)).limit(limits=before, user_api="openmp"):
            yield


# Class module prefix → the adapter that knows it. Wrappers of other libraries that follow scikit-learn's conventions
# (classes_, predict_proba) are read by the scikit-learn adapter.
ADAPTERS = {"xgboost": "xgboost", "lightgbm": "lightgbm", "catboost": "catboost"}


def library(native: Any) -> str:
    """Of ADAPTERS, the library whose class this is, or extends; "" where there is none."""
    return next((name for cls in type(native).__mro__ if (name := cls.__module__.split(".")[0]) in ADAPTERS), "")


def adapt(
    native: Any,
    X: Frame,
    *,
    task: Task | None = None,
    version: str | None = None,
    y: Any = None,
) -> Model:
    """The Model of anything fitted. Raises ModelError where it is not fitted, has many outputs or no known task."""
    if isinstance(native, Model):
        return native
    if task not in (None, "classification", "regression"):
        raise ModelError(f"task must be 'classification' or 'regression', got {task!r}")
    if isinstance(native, type):
        raise ModelError(f"{native.__name__} is a class; give a fitted instance")
    package = library(native)
    model: Model | None = None
    if package:
        adapter = importlib.import_module(f"showcause.adapters.{ADAPTERS[package]}")
        model = adapter.adapt(native, task)
        if model is not None and model.features and hasattr(adapter, "spelled"):
            model = replace(model, features=adapter.spelled(model.features, X.names))
    if model is None and hasattr(native, "predict") and (hasattr(native, "get_params") or task is None):
        model = importlib.import_module("showcause.adapters.sklearn").adapt(native, task)
    if model is None:
        model = _callable(native, task, X, y)
    if task and model.task != task:
        raise ModelError(f"the model is a {model.task} model, the declared task is {task}")
    return _identified(model, version, X)


def _callable(native: Any, task: Task | None, X: Frame, y: Any) -> Model:
    function = native if callable(native) else getattr(native, "predict", None)
    if function is None:
        raise ModelError(f"a {type(native).__name__} can neither be called nor has it a predict method")
    if task is None:
        raise ModelError("a callable needs its task: give task='classification' (probabilities) or task='regression'")
    name = f"callable {getattr(function, '__qualname__', type(function).__name__)}"
    if task == "regression":
        return Model(native, name, "regression", "target", function)
    first = np.asarray(function(X.take(np.arange(min(2, len(X)))).native))
    given = [] if y is None else _labels(plain_labels(y).tolist())
    if first.dtype.kind not in "fc" and first.size == len(first):
        return _deciding(native, name, function, given or _labels(plain_labels(function(X.native)).tolist()))
    outputs = first.astype(np.float64)
    count = 2 if outputs.ndim == 1 or outputs.shape[1] == 1 else outputs.shape[1]
    if (outputs < -1e-9).any() or (outputs > 1 + 1e-9).any():
        raise ModelError(
            f"a classification callable returns probabilities, or labels that are no fractions; it returned "
            f"{outputs.ravel()[:4]}"
        )
    labels = given if len(given) == count else list(range(count))
    return Model(native, name, "classification", "probability", function, as_text(labels), tuple(labels))


def _labels(values: list[Any]) -> list[Any]:
    """What there is, in its natural order (10 after 9), without what is missing."""
    found = {value for value in values if _key(value) is not None}
    try:
        return sorted(found)
    except TypeError:
        return sorted(found, key=str)


def _deciding(native: Any, name: str, function: Callable[[Any], Any], labels: list[Any]) -> Model:
    """A callable that returns labels and no probabilities. Its scores: 1 for the label it returns, -1 (of two) or 0."""
    if len(labels) < 2:
        raise ModelError(f"{name} knows one label {as_text(labels)}; there is no decision to explain")
    where = {_key(label): position for position, label in enumerate(labels)}

    def raw(rows: Any) -> Rows:
        said = plain_labels(function(rows)).tolist()
        if unknown := sorted({str(label) for label in said if _key(label) not in where}):
            raise ModelError(f"{name} returned labels that y does not hold: {unknown[:8]}; y holds {labels[:8]}")
        chosen = np.array([where[_key(label)] for label in said], dtype=np.int64)
        return np.where(chosen == 1, 1.0, -1.0) if len(labels) == 2 else np.eye(len(labels))[chosen]

    return Model(native, name, "classification", "score", raw, as_text(labels), tuple(labels))


def _identified(model: Model, version: str | None, X: Frame) -> Model:
    if version is not None:
        return replace(model, digest=canonical.digest(f"version:{version}".encode()))
    if model.digest:
        return model
    rows = X.select(model.features) if model.features and set(model.features) <= set(X.names) else X
    probe = rows.take(np.arange(min(PROBE_ROWS, len(rows))))
    behaviour = model.predict(probe)
    columns = "".join(probe.digest(name) for name in probe.names)
    text = f"{model.family}:{columns}:{[f'{v:.9g}' for v in behaviour.ravel()]}"
    return replace(model, digest=canonical.digest(text.encode()), opaque=True)


def ordered(model: Model, X: Frame) -> Frame:
    """X in the model's own columns and order. Raises DataError for missing and for unknown columns."""
    if model.features is None:
        return X
    missing = [name for name in model.features if name not in X.names]
    extra = [name for name in X.names if name not in model.features]
    if missing or extra:
        parts = [f"lacks the model's columns {missing[:12]}"] if missing else []
        parts += [f"has columns the model was not trained on: {extra[:12]}"] if extra else []
        hint = "; give columns that only segments or protected attributes use as context=" if extra else ""
        raise DataError(f"X {' and '.join(parts)}{hint}")
    return X.select(model.features)


def encode_labels(model: Model, y: Any, *, what: str = "y") -> Rows:
    """Class positions (int64) or, for regression, float64. Raises DataError for missing and unknown labels."""
    values = plain_labels(y)
    if model.task == "regression":
        try:
            numbers = values.astype(np.float64)
        except (TypeError, ValueError):
            raise DataError(f"{what} must be numbers for a regression model, got {values[:3].tolist()}") from None
        if not np.isfinite(numbers).all():
            raise DataError(f"{what} has {int((~np.isfinite(numbers)).sum())} missing or infinite values")
        return numbers
    where = {_key(label): position for position, label in enumerate(model.labels)}
    if values.dtype == object:
        distinct, place = list(values), np.arange(len(values))
    else:  # of one type: each distinct label is looked at once
        found, place = np.unique(values, return_inverse=True)
        distinct = found.tolist()
    keys = [_key(value) for value in distinct]
    if lost := int(np.array([key is None for key in keys], dtype=bool)[place].sum()):
        raise DataError(f"{what} has {lost} missing labels; drop those rows or give labels for them")
    if unknown := sorted({str(value) for value, key in zip(distinct, keys, strict=True) if key not in where}):
        raise DataError(
            f"{what} holds labels that the model does not know: {unknown[:8]}; it knows {list(model.classes)}"
        )
    return np.array([where[key] for key in keys], dtype=np.int64)[place]


def plain_labels(y: Any) -> Rows:
    """(n,) labels as they are, from any container. Raises DataError for another shape."""
    if hasattr(y, "to_numpy") and not isinstance(y, np.ndarray):
        y = y.to_numpy()
    values = np.asarray(y)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise DataError(f"y has shape {values.shape}; give one label a row")
    return values


def _key(value: Any) -> Any:
    """1, 1.0, True and numpy's versions of them are one label; missing values are None."""
    if value is None or value != value:
        return None
    if isinstance(value, bool | int | float | np.number | np.bool_):
        return float(value)
    return str(value)


def unfitted(name: str) -> ModelError:
    return ModelError(f"this {name} is not fitted; call fit first and explain the fitted model")


def as_text(labels: Sequence[Any]) -> tuple[str, ...]:
    return tuple(str(label) for label in labels)
