"""Readers: the tree ensembles of each library as one ``Forest``, from the object that one is handed.

Law: ``check(read_forest(model), matrix, margin)`` passes for the library's own margin, or ``read_forest`` raises
``NotAForest`` and says why the model has no exact flat form.
"""

from importlib import import_module
from typing import Any

from showcause.kernels.trees.forest import Forest, NotAForest

__all__ = ["Forest", "NotAForest", "read_forest"]

LIBRARIES = ("sklearn", "xgboost", "lightgbm", "catboost")


def read_forest(model: Any) -> Forest:
    """A fitted model of scikit-learn, XGBoost, LightGBM or CatBoost, or a subclass of one → its forest."""
    for ancestor in type(model).__mro__:
        library = ancestor.__module__.partition(".")[0]
        if library in LIBRARIES:
            forest: Forest = import_module(f"{__name__}.{library}").read(model)
            return forest
    name = f"{type(model).__module__}.{type(model).__qualname__}"
    raise NotAForest(f"{name} is not a tree ensemble of {', '.join(LIBRARIES)}")
