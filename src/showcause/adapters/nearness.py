"""How near two rows are as the model sees them: in its leaves, in its coefficients, or else in its columns.

Law: every space is deterministic, and the same rows are as near in any order and on any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from showcause.adapters.frame import Frame, Rows
from showcause.adapters.model import Model
from showcause.adapters.points import points
from showcause.adapters.readable import Linear, NotReadable, linear
from showcause.adapters.trees import NotAForest, TreeView, leaf_table, tree_view
from showcause.core.errors import ModelError
from showcause.kernels.distance import squared_distances
from showcause.kernels.trees.leaves import shared, tree_weights

AVERAGED = ("RandomForest", "ExtraTrees", "DecisionTree", "ExtraTree")
CELLS = 20_000_000  # of an encoded matrix


@dataclass(frozen=True)
class Nearness:
    """`between(examples, rows)` is (examples, rows); `more` says whether a larger value is nearer.

    limit    how many rows may be compared at once, None where that does not matter
    visits   a row's cost: trees walked
    """

    space: str
    value: str
    more: bool
    between: Callable[[Frame, Frame], Rows]
    limit: int | None = None
    visits: int = 1
    more_facts: dict[str, Any] = field(default_factory=dict)

    @property
    def document(self) -> dict[str, Any]:
        return {"neighbourhood": {"space": self.space, **self.more_facts}, "value": self.value}


def nearness(model: Model, X: Frame, reference: Frame) -> Nearness:
    """The model's own space; scales are those of the reference rows."""
    try:
        return _leaves(tree_view(model, X))
    except (NotAForest, ModelError):
        pass
    try:
        return _coefficients(linear(model, X))
    except NotReadable:
        return columns(reference)


def columns(reference: Frame) -> Nearness:
    """Standardised raw columns."""
    scaled = points(reference)

    def between(examples: Frame, rows: Frame) -> Rows:
        a, b = scaled.of(examples), scaled.of(rows)
        return np.sqrt(squared_distances(a, b, scaled.category, scaled.scale))

    return Nearness(
        "standardised columns", "distance in standard deviations; another category counts one", False, between
    )


def _leaves(view: TreeView) -> Nearness:
    forest = view.forest
    equal = view.through[-1].startswith(AVERAGED)
    weight = np.full(forest.n_trees, 1 / forest.n_trees) if equal else tree_weights(forest)

    def between(examples: Frame, rows: Frame) -> Rows:
        return shared(leaf_table(view, examples), leaf_table(view, rows), weight)

    counted = "equally" if equal else "by its share of the variance of all trees' values"
    value = "share of trees in which both rows end in the same leaf"
    facts = {"trees": forest.n_trees, "each_tree_counts": counted}
    return Nearness("leaves", value if equal else f"weighted {value}", True, between, None, forest.n_trees, facts)


def _coefficients(found: Linear) -> Nearness:
    """Rows as what each column adds to the output; columns made of the same raw column are added up first."""
    seen = found.encoded
    weights = found.coefficients
    if found.space == "log-odds up to a common term":
        weights = weights - weights.mean(axis=0)
    parents = seen.parents()
    groups = list(dict.fromkeys(parents))
    place = np.array([groups.index(own) for own in parents], dtype=np.int64)

    def effects(frame: Frame) -> Rows:
        values = seen.matrix(frame)
        out = np.zeros((len(frame), len(groups), len(weights)))
        for e in np.flatnonzero(np.abs(weights).max(axis=0) > 0):
            out[:, place[e]] += values[:, e, None] * weights[:, e]
        return out.reshape(len(frame), -1)

    def between(examples: Frame, rows: Frame) -> Rows:
        a, b = effects(examples), effects(rows)
        numbers, ones = np.zeros(a.shape[1], np.bool_), np.ones(a.shape[1])
        return np.sqrt(squared_distances(a, b, numbers, ones))

    limit = max(1, CELLS // max(1, len(seen.names) + len(groups) * len(weights)))
    value = f"distance between what the columns add to the output ({found.space})"
    return Nearness("weighted coefficients", value, False, between, limit, 1, {"output": found.space})
