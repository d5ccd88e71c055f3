"""LightGBM: the scikit-learn classes and the Booster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from showcause.adapters import sklearn
from showcause.adapters.model import Model, Task, as_text
from showcause.core import canonical
from showcause.core.errors import ModelError

REGRESSION = ("regression", "huber", "fair", "poisson", "quantile", "mape", "gamma", "tweedie")


def adapt(native: Any, task: Task | None = None) -> Model | None:
    if any(kind.__name__ == "Booster" for kind in type(native).__mro__):
        return _booster(native, task)
    model = sklearn.adapt(native, task, "")  # its identity is the booster's
    if model is None:
        return None
    names = getattr(native, "feature_name_", None)
    named = as_text(names) if names and not all(n == f"Column_{j}" for j, n in enumerate(names)) else None
    fields = {"family": f"lightgbm.{type(native).__name__}", "digest": identity(native.booster_), "features": named}
    return Model(**{**vars(model), **fields})


def spelled(trained: Sequence[str], given: Sequence[str]) -> tuple[str, ...]:
    """The model's names as the data spell them: LightGBM keeps a name with underscores for its spaces."""
    own = {name.replace(" ", "_"): name for name in given}
    return tuple(name if name in given else own.get(name, name) for name in trained)


def identity(booster: Any) -> str:
    """sha256 of the model text up to its parameter block, which holds threads and other circumstances."""
    text: str = booster.model_to_string(num_iteration=-1)
    trees, _, rest = text.partition("\nparameters:")
    categories = rest.partition("end of parameters")[2]
    return canonical.digest((trees + categories).encode())


def _booster(native: Any, task: Task | None) -> Model:
    objective = str(native.dump_model(num_iteration=0).get("objective", "")).split(" ")[0]
    names = native.feature_name()
    features = None if all(name == f"Column_{j}" for j, name in enumerate(names)) else as_text(names)
    known: dict[str, Any] = {"features": features, "digest": identity(native)}
    family = f"lightgbm.Booster {objective}"
    if objective.startswith(REGRESSION):
        return Model(native, family, "regression", "target", native.predict, **known)
    count = {"binary": 2, "cross_entropy": 2, "xentropy": 2}.get(objective)
    if objective in ("multiclass", "multiclassova"):
        count = native.num_model_per_iteration()
    if count is None and task == "regression":  # a ranker's scores
        return Model(native, family, "regression", "target", native.predict, **known)
    if count is None:
        raise ModelError(f"objective {objective!r}: give task='regression' to have its scores explained")
    labels = tuple(range(count))
    return Model(native, family, "classification", "probability", native.predict, as_text(labels), labels, **known)
