"""Why a row got its decision: what is compared with whom, by which engine, and what is usual among the others.

The score of a row is the output of the favourable class; of more than two classes, its lead over the class decided for
(over the runner-up where it was decided for); of a regression, the prediction. The reference population are rows just
beyond the cutoff, on the favourable side. Contributions are exact Shapley values of forests and of linear models, in
their additive output; of anything else by counting or sampling coalitions, in the model's own output. Each is known
against every fold of the reference, which is where errors and ties come from.

Law: a row's contributions, summed over columns, are its score less the mean score of the reference; they depend on the
row and the reference alone, not on the rows beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from showcause.adapters import readable
from showcause.adapters.dataset import PRIVATE_ROWS
from showcause.adapters.frame import Column, Frame, Rows
from showcause.adapters.games import exact_values, walked_values
from showcause.adapters.model import Model
from showcause.adapters.trees import NotAForest, TreeView, tree_view
from showcause.kernels import trees as kernels
from showcause.kernels.reasons import folds_of

FOLDS = 8
REFERENCE_ROWS = 96
EXACT_FEATURES = 10
PAIRS = 12

Tick = Callable[[float], None]


@dataclass(frozen=True)
class Contributions:
    """phi (folds, rows, features, outputs), base (folds, outputs), predictions (rows, outputs), in its space."""

    phi: Rows
    base: Rows
    predictions: Rows


Values = Callable[[Frame, Sequence[Frame], int, Tick], Contributions]


@dataclass(frozen=True)
class Engine:
    """`values(rows, folds of the reference, pairs, tick)`; `space` and `link` (to the model's own output) as in specs.

    leaves   of a forest, 0 for any other
    columns  that coalitions are made of, 0 where the model itself is not asked
    pairs    random orders and their reverses sampled for each fold at least; 0: all coalitions are counted
    """

    name: str
    space: str
    link: str
    values: Values
    leaves: int = 0
    columns: int = 0
    pairs: int = 0

    def cost(self, reference: int) -> int:
        """Evaluations of the model for one row; 0 where it is not asked."""
        if self.pairs:
            return 2 * self.columns * max(FOLDS * self.pairs, reference)
        return reference << self.columns if self.columns else 0


def engine_of(model: Model, X: Frame) -> Engine:
    """The exact engine that the model allows, held to its own predictions on rows of X; else coalitions."""
    try:
        view = tree_view(model, X)
        leaves = int(view.forest.is_leaf.sum())
        return Engine("trees", view.space, view.link, lambda rows, folds, *_: _by_trees(view, rows, folds), leaves)
    except NotAForest:
        pass
    try:
        linear = readable.linear(model, X)
        parents = linear.encoded.parents()
        if all(len(of) <= 1 for of in parents):
            owner = np.array([of[0] if of else -1 for of in parents], dtype=np.int64)
            space, link = SPACES[linear.space]
            return Engine("linear", space, link, lambda rows, folds, *_: _by_weights(linear, owner, rows, folds))
    except readable.NotReadable:
        pass
    p = len(X.names)
    exact = p <= EXACT_FEATURES

    def ask(rows: Frame, folds: Sequence[Frame], pairs: int, tick: Tick) -> Contributions:
        return _by_asking(model, rows, folds, pairs, tick)

    return Engine("coalitions" if exact else "orders", model.space, "identity", ask, 0, p, 0 if exact else PAIRS)


SPACES = {
    "target": ("target", "identity"),
    "log of the target": ("log-target", "exp"),
    "log-odds": ("log-odds", "logistic"),
    "log-odds up to a common term": ("softmax-margin", "softmax"),
    "score": ("score", "identity"),
}


def _by_trees(view: TreeView, rows: Frame, folds: Sequence[Frame]) -> Contributions:
    matrix = view.matrix(rows)
    behind = [view.matrix(fold) for fold in folds]
    phi, base = kernels.against(view.forest, matrix, behind, players=view.players)
    whole = np.zeros((len(folds), len(rows), view.columns, phi.shape[3]))
    whole[:, :, : phi.shape[2]] = phi
    return Contributions(whole, base, view.forest.predict(matrix))


def _by_weights(linear: readable.Linear, owner: Rows, rows: Frame, folds: Sequence[Frame]) -> Contributions:
    """Weight times value less the fold's mean value, summed over the encoded columns of a raw one."""

    def parts(frame: Frame) -> Rows:  # (rows, raw columns, outputs), added up in the order of the encoded columns
        encoded = linear.encoded.matrix(frame)
        found = np.zeros((len(frame), len(frame.names), len(linear.intercept)))
        for column in np.flatnonzero(owner >= 0):
            found[:, owner[column]] += encoded[:, column, None] * linear.coefficients[None, :, column]
        return found

    fixed = np.zeros(len(linear.intercept))
    if (owner < 0).any():  # encoded columns that no raw column moves
        fixed = linear.encoded.matrix(folds[0])[0, owner < 0] @ linear.coefficients[:, owner < 0].T
    mine = parts(rows)
    theirs = np.stack([parts(fold).mean(axis=0) for fold in folds])
    constant = linear.intercept + fixed
    return Contributions(mine[None] - theirs[:, None], theirs.sum(axis=1) + constant, mine.sum(axis=1) + constant)


def _by_asking(model: Model, rows: Frame, folds: Sequence[Frame], pairs: int, tick: Tick) -> Contributions:
    found = []
    for number, fold in enumerate(folds):

        def part(share: float, done: int = number) -> None:
            tick((done + share) / len(folds))

        if not pairs:
            values = exact_values(model, rows, fold, part)
        else:
            rngs = [np.random.default_rng([number, key]) for key in row_keys(rows)]
            values = walked_values(model, rows, fold, rngs, -(-pairs // len(fold)) * len(fold), part)
        found.append(values)
    phi = np.stack([values.phi for values in found])
    return Contributions(phi, np.stack([values.base for values in found]), found[0].predictions)


def row_keys(frame: Frame) -> list[int]:
    """A number for each row that depends on its cells alone: the seed of what is drawn for it."""
    columns = [frame.arrow(name).to_pylist() for name in frame.names]
    cells = zip(*columns, strict=True)
    texts = ("\x1f".join(_cell(value) for value in row) for row in cells)
    return [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") for text in texts]


def _cell(value: object) -> str:
    return repr(float(value)) if isinstance(value, int | float) else str(value)


def contrast(model: Model, outputs: Rows, decided: Rows | None, favourable: int | None) -> Rows:
    """(rows, outputs) weights that make the score of each row from its outputs.

    `outputs` are the model's own; `favourable` None: the class decided for (more classes), the prediction (regression).
    """
    n, k = outputs.shape
    if k == 1:
        return np.full((n, 1), -1.0 if model.binary and favourable == 0 else 1.0)
    assert decided is not None
    every = np.arange(n)
    wanted = decided if favourable is None else np.full(n, favourable)
    others = outputs.astype(np.float64).copy()
    others[every, wanted] = -np.inf
    rival = np.where(decided == wanted, others.argmax(axis=1), decided)
    weights = np.zeros((n, k))
    weights[every, wanted] = 1.0
    weights[every, rival] = -1.0
    return weights


def beyond(model: Model, outputs: Rows, decided: Rows, favourable: int, threshold: float | None) -> Rows:
    """(rows,) how far each row decided for the favourable class is from another decision; -1 for the others."""
    if outputs.shape[1] == 1:
        away = np.abs(outputs[:, 0] - (threshold or 0.0))
    else:
        weights = contrast(model, outputs, decided, favourable)
        away = np.maximum((weights * outputs).sum(axis=1), 0.0)
    return np.asarray(np.where(decided == favourable, away, -1.0))


def split(reference: Frame) -> list[Frame]:
    """The reference's rows dealt into folds."""
    return [reference.take(rows) for rows in folds_of(len(reference), FOLDS)]


@dataclass(frozen=True)
class Usual:
    """What is usual in a column of the reference: a number, or a level, or nothing that enough rows share. Numbers that
    are `coded` stand for categories: none is higher than another."""

    number: float | None = None
    level: str | None = None
    coded: bool = False

    def side(self, column: Column) -> list[str]:
        """Each row against it: "higher", "lower", "same", "other" (than a level, or than nothing usual), "missing"."""
        values = column.values
        if self.number is not None and column.is_number:
            above, below = ("other", "other") if self.coded else ("higher", "lower")
            found = np.where(values > self.number, above, np.where(values < self.number, below, "same"))
        elif self.level is not None and not column.is_number and self.level in column.levels:
            found = np.where(values == column.levels.index(self.level), "same", "other")
        else:
            found = np.full(len(values), "other")
        return list(np.where(np.isnan(values), "missing", found).tolist())


def usual(pool: Column, rows: Rows, *, coded: bool, least: int = PRIVATE_ROWS) -> Usual:
    """Of the reference rows `rows` of a column of the pool they are from.

    A category, a number with value labels and a number of two values: the commonest, which at least `least` rows of
    the reference have. Any other number: the median where at least `least` rows of the pool have it, else the mean of
    the middle third (at least `least` rows) in so few digits that not just one or a few rows of the pool have it.
    Times: that mean, to the month.
    """
    values = pool.values[rows]
    present = values[np.isfinite(values)]
    if len(present) < least:
        return Usual()
    found, counts = np.unique(present, return_counts=True)
    if not pool.is_number or coded or (pool.kind == "number" and len(found) <= 2):
        best = int(counts.argmax())
        if counts[best] < least:
            return Usual()
        return Usual(float(found[best])) if pool.is_number else Usual(None, pool.levels[int(found[best])])
    median = float(np.quantile(present, 0.5, method="inverted_cdf"))
    if pool.kind == "number" and _held(pool, median) >= least:
        return Usual(median)
    ordered = np.sort(present)
    size = max(least, len(ordered) // 3)
    start = (len(ordered) - size) // 2
    middle = float(ordered[start : start + size].mean())
    if pool.kind == "time":
        return Usual(_month(middle))
    for digits in (3, 2, 1):
        rounded = float(f"{middle:.{digits}g}")
        if not 0 < _held(pool, rounded) < least:
            return Usual(rounded)
    return Usual()


def _held(pool: Column, value: float) -> int:
    return int((pool.values == value).sum())


def _month(days: float) -> float:
    """The first day of the month, in days since 1970-01-01."""
    day = np.datetime64(int(np.floor(days)), "D")
    return float(day.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64))
