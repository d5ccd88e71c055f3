"""Predictions of rows in which some columns are taken from other rows: permuted columns, places on a grid, bin edges.

Every method that perturbs whole columns asks here. Where the model is a forest that was seen through and held to the
model's own predictions, the forest answers: a raw column's encoded columns depend on that column alone, so a replaced
cell is a replaced code, and neither frames nor pipelines are run again. Otherwise the model itself is asked.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from showcause.adapters.frame import Frame, Rows
from showcause.adapters.model import BATCH, Model
from showcause.adapters.trees import NotAForest, TreeView, tree_view
from showcause.core.errors import ModelError
from showcause.kernels.shuffle import circular_donors
from showcause.kernels.trees.walks import walk_over_grid, walk_with_donors

WALK_CELLS = 8_000_000  # predictions that one walk over the trees holds
FOREST_SPEED = 3  # changed rows that a walk answers in the time that a model takes for one
GRID_SPEED = 20  # the same where all rows take the same places


@dataclass(frozen=True)
class Change:
    """Rows `rows` (n,) of the frame, where column `name` takes its cells from rows `donors[name]` (n,)."""

    rows: Rows
    donors: Mapping[str, Rows] = field(default_factory=dict)


def replaced(model: Model, X: Frame, changes: Iterable[Change]) -> Iterator[Rows]:
    """For each change (n, outputs): what the model predicts. Outputs are in the space of `model.predict`.

    Whole changes are stacked into calls of up to 16,384 rows. Law: two runs over changes of the same lengths call the
    model with rows of the same shape at the same places, so what does not depend on a changed column has equal bits.
    """
    waiting: list[Change] = []
    size = 0
    for change in changes:
        if waiting and size + len(change.rows) > BATCH:
            yield from _together(model, X, waiting)
            waiting, size = [], 0
        waiting.append(change)
        size += len(change.rows)
    yield from _together(model, X, waiting)


def _together(model: Model, X: Frame, changes: list[Change]) -> Iterator[Rows]:
    if not changes:
        return
    sizes = [len(change.rows) for change in changes]
    rows = np.concatenate([change.rows for change in changes])
    moved = {name: rows.copy() for change in changes for name in change.donors}
    start = 0
    for change, size in zip(changes, sizes, strict=True):
        for name, donors in change.donors.items():
            moved[name][start : start + size] = donors
        start += size
    if not len(rows):
        outputs: Rows = np.empty((0, max(1, len(model.targets))))
    elif (view := forest_view(model, X)) is not None:
        outputs = _from_codes(view, X, rows, moved)
    else:
        outputs = model.predict(X.mix(rows, moved))
    yield from np.split(outputs, np.cumsum(sizes)[:-1])


def forest_view(model: Model, X: Frame) -> TreeView | None:
    """The view that answers for the model, or None where the model itself is asked."""
    try:
        return tree_view(model, X)
    except (NotAForest, ModelError):  # what a wrong forest is, attribution/tree_shap says
        return None


def budget(model: Model, X: Frame, predictions: int | None, speed: int = FOREST_SPEED) -> int | None:
    """Predicted rows that a budget for calls of the model allows; a forest answers `speed` times as many."""
    return predictions if predictions is None or forest_view(model, X) is None else speed * predictions


_CODES: dict[int, Rows] = {}


def _codes(view: TreeView, X: Frame) -> Rows:
    """The rows of X as the forest codes them; a view belongs to one X."""
    if id(view) not in _CODES:
        weakref.finalize(view, _CODES.pop, id(view), None)
        _CODES[id(view)] = view.forest.encode(view.matrix(X))
    return _CODES[id(view)]


def _from_codes(view: TreeView, X: Frame, rows: Rows, moved: Mapping[str, Rows]) -> Rows:
    codes = _codes(view, X)
    mixed = codes[rows]
    for name, donors in moved.items():
        columns = np.flatnonzero(view.players == X.names.index(name))
        mixed[:, columns] = codes[np.ix_(donors, columns)]
    return view.response(view.forest.predict_codes(mixed))


def gathered(model: Model, X: Frame, pool: Frame) -> tuple[Callable[[Rows], Rows], bool]:
    """What is predicted of picks (rows, columns of the pool: its rows whose cells are taken), and whether the model's
    own trees say it: where they were held to its predictions on X, a cell taken from another row is a code taken from
    there, and no frame is made."""
    view = forest_view(model, X)
    if view is None:
        return lambda picks: model.predict(pool.gather(picks)), False
    codes = view.forest.encode(view.matrix(pool))
    where = np.array([pool.names.index(name) for name in X.names])
    columns = where[np.maximum(view.players, 0)]  # of what no column of X decides, every row has the same
    return lambda picks: view.response(
        view.forest.predict_codes(codes[picks[:, columns], np.arange(len(columns))])
    ), True


def over_grid(model: Model, X: Frame, rows: Rows, grids: Sequence[Mapping[str, Rows]]) -> Iterator[Rows]:
    """For each grid (places, n, outputs): what the model predicts for `rows` (n,) of X where, at place g, each column
    `name` of the grid takes its cell from row grid[name][g]."""
    view = forest_view(model, X)
    if view is None:
        for moved in grids:
            count = len(next(iter(moved.values())))
            changes = [
                Change(rows, {name: np.full(len(rows), d[g]) for name, d in moved.items()}) for g in range(count)
            ]
            yield np.stack(list(replaced(model, X, changes)))
        return
    sets, sizes = [tuple(moved) for moved in grids], [len(next(iter(moved.values()))) for moved in grids]
    codes, outputs = _codes(view, X), max(1, len(model.targets))
    answers: dict[int, Rows] = {}
    done = 0
    for together in _rounds(sets, max(1, WALK_CELLS // max(1, len(rows) * outputs * max(sizes, default=1)))):
        owner = _owner(view, X, [sets[j] for j in together])
        places = np.zeros((max(sizes[j] for j in together), codes.shape[1]), dtype=codes.dtype)
        for name, donors in ((name, donors) for j in together for name, donors in grids[j].items()):
            columns = np.flatnonzero(view.players == X.names.index(name))
            places[:, columns] = codes[np.ix_(np.pad(donors, (0, len(places) - len(donors)), mode="edge"), columns)]
        walked = walk_over_grid(view.forest, codes[rows], places, owner, 0, len(together))
        answers |= {j: view.response(walked[number][: sizes[j]]) for number, j in enumerate(together)}
        while done in answers:
            yield answers.pop(done)
            done += 1


def over_moves(model: Model, X: Frame, rows: Rows, moves: Sequence[tuple[str, Rows]]) -> Iterator[Rows]:
    """For each (name, donors (k, n)), names distinct: (k, n, outputs): what the model predicts for `rows` (n,) of X
    where column `name` takes its cells from the rows donors[i]."""
    view = forest_view(model, X)
    if view is None:
        for name, donors in moves:
            each = [replaced(model, X, [Change(rows, {name: of})]) for of in donors]  # calls of one shape: see there
            yield np.stack([next(answer) for answer in each])
        return
    codes, most = _codes(view, X), max((len(donors) for _, donors in moves), default=0)
    step = max(1, WALK_CELLS // max(1, most * len(rows) * max(1, len(model.targets))))
    picks = np.arange(most * len(rows)).reshape(most, len(rows))
    for first in range(0, len(moves), step):
        together = moves[first : first + step]
        given = np.tile(codes[rows], (most, 1))  # (k · n, columns): every row's own donors, no two sets share a column
        for name, donors in together:
            columns = np.flatnonzero(view.players == X.names.index(name))
            given[: donors.size, columns] = codes[np.ix_(donors.ravel(), columns)]
        owner = _owner(view, X, [(name,) for name, _ in together])
        walked = walk_with_donors(view.forest, codes[rows], given, picks, owner, 0, len(together))
        for number, (_, donors) in enumerate(together):
            yield view.response(walked[number, : len(donors)])


def told_apart(model: Model, X: Frame, name: str) -> Rows | None:
    """(rows,) numbers, equal where the trees cannot tell two rows' cells of a column apart; None without trees."""
    view = forest_view(model, X)
    if view is None:
        return None
    codes = _codes(view, X)[:, np.flatnonzero(view.players == X.names.index(name))]
    return np.unique(codes, axis=0, return_inverse=True)[1].reshape(len(codes))


def against_unchanged(model: Model, X: Frame, changes: list[Change]) -> Iterator[tuple[Rows, Rows]]:
    """For each change, all over the same rows: (its predictions, those of the unchanged rows), each (n, outputs).

    Both come from calls of one shape, so that a column that the model ignores changes nothing, not even a last bit.
    """
    if not changes:
        return
    rows = changes[0].rows
    copies = min(len(changes), max(1, BATCH // max(1, len(rows))))
    calls = -(-len(changes) // copies)
    copies = -(-len(changes) // calls)  # evenly filled, the last one filled up with unchanged copies
    unchanged = [Change(rows)] * copies
    before = list(replaced(model, X, unchanged))
    for start in range(0, len(changes), copies):
        part = changes[start : start + copies]
        answers = replaced(model, X, [*part, *unchanged[len(part) :]])
        for position, _ in enumerate(part):
            yield next(answers), before[position]
        for _ in answers:  # the filling
            pass


def shuffled(
    model: Model,
    X: Frame,
    rows: Rows,
    sets: Sequence[Sequence[str]],
    circle: Rows,
    repeats: int,
    losses: Sequence[Callable[[Rows], Rows]],
    tick: Callable[[float], None] = lambda share: None,
) -> Iterator[tuple[Rows, list[Rows]]]:
    """For each repeat: (donors (n,), for each loss the (n, sets) increases where a set's columns move together).

    rows (n,) of X; circle (n,) an order of them, shared by all sets; a loss maps (n, outputs) to (n,).
    """
    donors = [circular_donors(circle, repeat) for repeat in range(repeats)]
    view = forest_view(model, X)
    if view is None:
        changes = [Change(rows, dict.fromkeys(names, rows[picks])) for picks in donors for names in sets]
        answers = against_unchanged(model, X, changes)
    else:
        answers = _walked(view, X, rows, sets, donors)
    for repeat, picks in enumerate(donors):
        found = [np.empty((len(rows), len(sets))) for _ in losses]
        for j in range(len(sets)):
            after, before = next(answers)
            for block, loss in zip(found, losses, strict=True):
                block[:, j] = loss(after) - loss(before)
            tick((repeat * len(sets) + j + 1) / (repeats * len(sets)))
        yield picks, found


def _walked(
    view: TreeView, X: Frame, rows: Rows, sets: Sequence[Sequence[str]], donors: Sequence[Rows]
) -> Iterator[tuple[Rows, Rows]]:
    """As `against_unchanged`, for every repeat and set: one walk over the trees answers for many sets at once. Donors
    (n,) are places in `rows`."""
    codes = _codes(view, X)[rows]
    before = view.response(view.forest.predict_codes(codes))
    answers: dict[int, Rows] = {}
    for together in _rounds(sets, max(1, WALK_CELLS // max(1, before.size * len(donors)))):
        owner = _owner(view, X, [sets[j] for j in together])
        walked = walk_with_donors(view.forest, codes, codes, np.stack(donors), owner, 0, len(together))
        answers |= {j: walked[number] for number, j in enumerate(together)}
    for repeat in range(len(donors)):
        for j in range(len(sets)):
            yield view.response(answers[j][repeat]), before


def _owner(view: TreeView, X: Frame, sets: Sequence[Sequence[str]]) -> Rows:
    """(encoded columns,) the number of the set whose columns they encode, len(sets) for those of none."""
    owner = np.full(len(view.players), len(sets), dtype=np.int32)
    for number, names in enumerate(sets):
        owner[np.isin(view.players, [X.names.index(name) for name in names])] = number
    return owner


def _rounds(sets: Sequence[Sequence[str]], most: int) -> Iterator[list[int]]:
    """The sets' numbers in rounds of at most `most` sets that share no column."""
    left = list(range(len(sets)))
    while left:
        taken: list[int] = []
        columns: set[str] = set()
        for j in left:
            if len(taken) < most and columns.isdisjoint(sets[j]):
                taken.append(j)
                columns.update(sets[j])
        left = [j for j in left if j not in taken]
        yield taken
