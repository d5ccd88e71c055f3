"""scikit-learn estimators, and everything that follows their conventions (classes_, predict_proba, get_params)."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from showcause.adapters.fingerprint import NotWalkable, fingerprint
from showcause.adapters.model import Model, Task, as_text, unfitted
from showcause.core.errors import ModelError


def adapt(native: Any, task: Task | None, digest: str | None = None) -> Model | None:
    """None where the object says neither that it classifies nor that it regresses, and no task is declared. `digest`:
    the model's identity, where its library knows a better one than the estimator's fingerprint."""
    name = type(native).__name__
    if hasattr(native, "get_params") and not _fitted(native):
        raise unfitted(name)
    classes = getattr(native, "classes_", None)
    kind = "classification" if classes is not None else _declared_kind(native) or task
    if kind is None:
        if not hasattr(native, "get_params"):
            return None
        raise ModelError(
            f"{name} is neither a classifier nor a regressor; if its predictions are numbers to be explained, as a "
            "ranker's scores are, give task='regression'"
        )
    features = feature_names(native)
    digest = identity(native) if digest is None else digest
    family = f"{type(native).__module__.split('.')[0]}.{name}"
    if kind == "regression":
        raw = _quietly(native.predict)
        return Model(native, family, "regression", "target", raw, features=features, digest=digest)
    if isinstance(classes, list):
        raise ModelError(f"{name} predicts {len(classes)} outputs at once; explain one output at a time")
    if classes is None:
        raise ModelError(f"{name} is a classifier without classes_; give a callable that returns probabilities")
    if len(classes) < 2:
        raise ModelError(f"{name} was trained on one class {as_text(classes)}; there is no decision to explain")
    function, space = _output(native, name)
    return Model(
        native,
        family,
        "classification",
        space,
        _quietly(function),
        classes=as_text(np.asarray(classes).tolist()),
        labels=tuple(np.asarray(classes).tolist()),
        features=features,
        digest=digest,
        threshold=threshold(native),
    )


def _output(native: Any, name: str) -> tuple[Any, Any]:
    if hasattr(native, "predict_proba"):
        return native.predict_proba, "probability"
    if hasattr(native, "decision_function"):
        return native.decision_function, "score"
    raise ModelError(f"{name} has neither predict_proba nor decision_function; wrap it in CalibratedClassifierCV")


def _fitted(native: Any) -> bool:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(native)
    except NotFittedError:
        return False
    except TypeError:  # not an estimator in scikit-learn's own sense: it is believed
        return True
    return True


def _declared_kind(native: Any) -> Task | None:
    from sklearn.base import is_classifier, is_regressor

    try:
        return "regression" if is_regressor(native) else "classification" if is_classifier(native) else None
    except (AttributeError, TypeError):  # an object with get_params but without scikit-learn's tags
        return None


def feature_names(native: Any) -> tuple[str, ...] | None:
    """The columns seen at fit: the estimator's own, or those of the first step or the estimator inside."""
    try:
        names = getattr(native, "feature_names_in_", None)
    except (AttributeError, ValueError):  # a Pipeline asks its first step, which may not know
        names = None
    if names is not None:
        return as_text(names)
    return None


def _quietly(function: Any) -> Any:
    """scikit-learn warns when names are given to a model trained without them, and the other way round. Columns are
    matched by `ordered`, by name where both have names and by position otherwise, so that warning says nothing new."""

    def call(rows: Any) -> Any:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="X (has|does not have) (valid )?feature names")
            return function(rows)

    return call


def threshold(native: Any) -> float | None:
    """Of TunedThresholdClassifierCV and FixedThresholdClassifier, as a cut on the probability of classes_[1]."""
    name = type(native).__name__
    if hasattr(native, "best_estimator_"):
        return threshold(native.best_estimator_)
    if hasattr(native, "steps"):
        return threshold(native.steps[-1][1])
    if name not in ("TunedThresholdClassifierCV", "FixedThresholdClassifier"):
        return None
    cut = native.best_threshold_ if name.startswith("Tuned") else native.threshold
    if cut == "auto":
        return 0.5
    if native.response_method == "decision_function":
        raise ModelError(f"{name} cuts the decision function; use response_method='predict_proba', which is explained")
    positive = native._curve_scorer._get_pos_label() if name.startswith("Tuned") else native.pos_label
    first = positive is not None and positive == native.classes_[0]
    return float(1 - cut) if first else float(cut)


def identity(native: Any) -> str:
    """The fingerprint of the estimator, or of what a search found; '' where it cannot be read."""
    while hasattr(native, "best_estimator_"):
        native = native.best_estimator_
    try:
        return fingerprint(native)
    except NotWalkable:
        return ""
