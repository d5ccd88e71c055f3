"""Are the trees of a scikit-learn model, read from a file, safe to predict with?

scikit-learn walks a tree by the node indices stored in it, without bounds: a forged file can make it read memory that
is not its own, or walk for ever. Law: after `check(model)` every child index is greater than its parent's and inside
its tree, and every split is on a column that the model was trained with.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from showcause.core.errors import Corrupt

MAX_OBJECTS = 10_000_000


def check(model: Any) -> None:
    """Raises Corrupt."""
    for owner, tree in _trees(model):
        kind, columns = type(tree).__name__, getattr(owner, "n_features_in_", None)
        if columns is None:
            raise Corrupt(f"a {type(owner).__name__} holds a tree and does not say its number of features")
        if kind == "Tree":
            width = min(int(columns), int(tree.n_features))
            _walkable(tree.children_left, tree.children_right, tree.feature, tree.children_left == -1, width)
        else:
            nodes = tree.nodes
            leaf = nodes["is_leaf"].astype(bool)
            _walkable(nodes["left"], nodes["right"], nodes["feature_idx"], leaf, int(columns))
            sets = nodes["bitset_idx"][nodes["is_categorical"].astype(bool) & ~leaf]
            if len(sets) and int(sets.max()) >= len(tree.raw_left_cat_bitsets):
                raise Corrupt("a tree names a set of categories that it does not have")


def _walkable(left: Any, right: Any, feature: Any, leaf: Any, columns: int) -> None:
    size, inner = len(left), np.flatnonzero(~np.asarray(leaf))
    if size == 0:
        raise Corrupt("a tree has no nodes")
    for child in (np.asarray(left)[inner].astype(np.int64), np.asarray(right)[inner].astype(np.int64)):
        if len(child) and not ((child > inner) & (child < size)).all():
            raise Corrupt("a tree names a node outside of itself")
    split = np.asarray(feature)[inner].astype(np.int64)
    if len(split) and not ((split >= 0) & (split < columns)).all():
        raise Corrupt("a tree splits on a column that the model does not have")


def _trees(model: Any) -> Iterator[tuple[Any, Any]]:
    """(estimator, tree) of every tree inside; an ensemble's members must see as many columns as it was trained with."""
    seen: dict[int, Any] = {}
    todo: list[tuple[Any, Any]] = [(None, model)]
    while todo:
        owner, value = todo.pop()
        if isinstance(value, str | bytes | int | float | bool | type(None) | type) or id(value) in seen:
            continue
        seen[id(value)] = value
        if len(seen) > MAX_OBJECTS:
            raise Corrupt("the model holds more objects than can be looked at")
        name = type(value).__name__
        if name in ("Tree", "TreePredictor") and type(value).__module__.startswith("sklearn."):
            yield owner, value
        elif isinstance(value, np.ndarray):
            todo += [(owner, one) for one in value.ravel().tolist()] if value.dtype.kind == "O" else []
        elif isinstance(value, dict):
            todo += [(owner, one) for one in value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            todo += [(owner, one) for one in value]
        elif hasattr(value, "__dict__"):
            _of_one_width(value)
            todo += [(value if hasattr(value, "n_features_in_") else owner, one) for one in vars(value).values()]


def _of_one_width(ensemble: Any) -> None:
    """Forests and boosted trees check the columns once, for all their trees."""
    if type(ensemble).__module__ not in ("sklearn.ensemble._forest", "sklearn.ensemble._gb"):
        return
    for member in np.asarray(getattr(ensemble, "estimators_", []), dtype=object).ravel().tolist():
        if getattr(member, "n_features_in_", None) != getattr(ensemble, "n_features_in_", None):
            raise Corrupt("a tree of the ensemble was trained with another number of features")
