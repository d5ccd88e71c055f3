"""XGBoost: the scikit-learn classes and the Booster."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from showcause.adapters import sklearn
from showcause.adapters.matrices import numbers, plain_numbers
from showcause.adapters.model import Model, Space, Task, as_text, own_threads, unfitted
from showcause.core import canonical
from showcause.core.errors import ModelError

PROBABILITY = ("binary:logistic", "multi:softprob", "multi:softmax")
SCORE = ("binary:logitraw", "binary:hinge")
REGRESSION = ("reg:", "count:", "survival:")


def adapt(native: Any, task: Task | None = None) -> Model | None:
    if any(kind.__name__ == "Booster" for kind in type(native).__mro__):
        return _booster(native, task)
    if not hasattr(native, "get_booster"):
        return None
    try:
        booster = native.get_booster()
    except Exception as error:  # its own NotFittedError, which needs scikit-learn to be named
        raise unfitted(type(native).__name__) from error
    model = sklearn.adapt(native, task, identity(booster))
    if model is None:
        return None
    objective, targets, _ = _trained_for(booster)
    if targets > 1:
        raise ModelError(
            f"this {type(native).__name__} predicts {targets} outputs at once; explain one output at a time"
        )
    if model.classes and objective in SCORE:  # what it gives as probabilities are none
        model = replace(model, space="score", raw=partial(native.predict, output_margin=True))
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


def _trained_for(booster: Any) -> tuple[str, int, int]:
    """The objective's name, how many labels or numbers are predicted at once, and how many classes one label has."""
    learner = json.loads(booster.save_config())["learner"]
    param = learner["learner_model_param"]
    return learner["objective"]["name"], int(param.get("num_target", "1")), int(param.get("num_class", "0") or 0)


def _booster(native: Any, task: Task | None) -> Model:
    objective, targets, classes = _trained_for(native)
    if targets > 1:
        raise ModelError("this Booster predicts several outputs at once; explain one output at a time")
    features = as_text(native.feature_names) if native.feature_names else None
    identified: dict[str, Any] = {"features": features, "digest": identity(native)}
    known = objective in PROBABILITY + SCORE
    if objective.startswith(REGRESSION) or (not known and task == "regression"):  # a ranker's scores
        return Model(native, f"xgboost.Booster {objective}", "regression", "target", _predict(native, 1), **identified)
    if not known:
        raise ModelError(f"objective {objective!r}: give task='regression' to have its scores explained")
    labels = tuple(range(max(2, classes)))
    space: Space = "probability" if objective in PROBABILITY else "score"
    raw = _predict(native, max(1, classes), score=space == "score")
    return Model(
        native, f"xgboost.Booster {objective}", "classification", space, raw, as_text(labels), labels, **identified
    )


def _predict(booster: Any, classes: int, *, score: bool = False) -> Callable[[Any], Any]:
    import xgboost

    def predict(rows: Any) -> Any:
        names = booster.feature_names if isinstance(rows, np.ndarray) else None
        matrix = xgboost.DMatrix(rows, feature_names=names, enable_categorical=True)
        if classes == 1:
            return booster.predict(matrix, output_margin=score)
        margin = booster.predict(matrix, output_margin=True).astype(np.float64).reshape(matrix.num_row(), classes)
        weights = np.exp(margin - margin.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)

    return _on_all_threads(predict)
