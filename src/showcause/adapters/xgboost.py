"""XGBoost: the scikit-learn classes and the Booster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from showcause.adapters import sklearn
from showcause.adapters.matrices import numbers, plain_numbers
from showcause.adapters.model import Model, Space, as_text, own_threads, unfitted
from showcause.core import canonical
from showcause.core.errors import ModelError

PROBABILITY = ("binary:logistic", "multi:softprob", "multi:softmax")
SCORE = ("binary:logitraw", "binary:hinge")
REGRESSION = ("reg:", "count:", "survival:")


def adapt(native: Any) -> Model | None:
    if type(native).__name__ == "Booster":
        return _booster(native)
    if not hasattr(native, "get_booster"):
        return None
    try:
        booster = native.get_booster()
    except Exception as error:  # its own NotFittedError, which needs scikit-learn to be named
        raise unfitted(type(native).__name__) from error
    model = sklearn.adapt(native, None, identity(booster))
    if model is None:
        return None
    raw = _as_matrix(model.raw) if _numeric(native, booster) else model.raw
    return replace(model, family=f"xgboost.{type(native).__name__}", raw=_on_all_threads(raw))


def _numeric(native: Any, booster: Any) -> bool:
    """Whether one of XGBoost's own estimators was trained on numbers alone; linear boosters ask for columns' names."""
    own = type(native).__module__.startswith("xgboost.") and native.booster != "gblinear"
    return own and "c" not in (booster.feature_types or ())


def _as_matrix(raw: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Frames of numpy's own numbers as one array: XGBoost reads the same numbers, but a frame column by column."""

    def call(rows: Any) -> Any:
        return raw(numbers(rows) if plain_numbers(rows) else rows)

    return call


def _on_all_threads(raw: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """XGBoost shares rows among threads; a row's sum goes over the trees in their order, whatever their number."""

    def call(rows: Any) -> Any:
        with own_threads():
            return raw(rows)

    return call


def identity(booster: Any) -> str:
    """sha256 of the model document in UBJSON: trees, objective and names, no training parameters, no threads."""
    plain = booster.copy()
    plain.set_attr(**dict.fromkeys(plain.attributes()))
    return canonical.digest(bytes(plain.save_raw("ubj")))


def _booster(native: Any) -> Model:
    import json

    config = json.loads(native.save_config())["learner"]
    objective = config["objective"]["name"]
    count = max(1, int(config["learner_model_param"].get("num_class", "0") or 0))
    if int(config["learner_model_param"].get("num_target", "1")) > 1:
        raise ModelError("this Booster predicts several outputs at once; explain one output at a time")
    features = as_text(native.feature_names) if native.feature_names else None
    identified: dict[str, Any] = {"features": features, "digest": identity(native)}
    if objective.startswith(REGRESSION):
        return Model(native, f"xgboost.Booster {objective}", "regression", "target", _predict(native, 1), **identified)
    if objective not in PROBABILITY + SCORE:
        raise ModelError(f"objective {objective!r} is not explained; possible: {(*PROBABILITY, *SCORE, *REGRESSION)}")
    labels = tuple(range(max(2, count)))
    space: Space = "probability" if objective in PROBABILITY else "score"
    raw = _predict(native, count)
    return Model(
        native, f"xgboost.Booster {objective}", "classification", space, raw, as_text(labels), labels, **identified
    )


def _predict(booster: Any, classes: int) -> Callable[[Any], Any]:
    import xgboost

    def predict(rows: Any) -> Any:
        names = booster.feature_names if isinstance(rows, np.ndarray) else None
        matrix = xgboost.DMatrix(rows, feature_names=names, enable_categorical=True)
        if classes == 1:
            return booster.predict(matrix)
        margin = booster.predict(matrix, output_margin=True).astype(np.float64).reshape(matrix.num_row(), classes)
        weights = np.exp(margin - margin.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)

    return _on_all_threads(predict)
