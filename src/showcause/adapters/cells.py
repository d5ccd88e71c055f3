"""The cells of a forest in the user's own columns: what it can tell apart of each feature, and which values lie there.

A *player* is a raw column that some tree splits, through whatever encoding. Its cells are

- of a number that the trees split as it is: the intervals between thresholds, over the whole line;
- of a number behind a monotone encoding: the same, told by the values seen;
- of a category, and of anything else: the values seen, in runs that the forest cannot tell apart (a level each).

Missing values are a cell of their own where some row has them. Law: rows of equal cells have equal codes, so the forest
answers alike for them; and `codes(at)` of the rows seen are the forest's own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from showcause.adapters.frame import Frame, Rows
from showcause.adapters.trees import TreeView
from showcause.core.errors import DataError
from showcause.core.rules import Condition
from showcause.kernels.trees import boxes
from showcause.kernels.trees import reach as reaches


def lowered(cut: float) -> np.float32:
    """The largest float32 up to a cut, which in scikit-learn's trees lies between two of them."""
    near = np.float32(cut)
    return near if float(near) <= cut else np.nextafter(near, np.float32(-np.inf))


@dataclass(frozen=True)
class Player:
    """One raw column. Cells 0 … are in the order of the values; `missing` is the number of the last cell, or -1.

    codes        (cells, k) of its encoded `columns` (k,)
    counts       (cells,) rows of the pool in the cell
    nearest      (rows of the pool,) is `at`; `values` are the pool's own cells as numbers
    cuts         (cells - 1,) of a number split as it is: cell i lies in (cuts[i - 1], cuts[i]]; None otherwise
    """

    feature: str
    position: int
    columns: Rows
    codes: Rows
    at: Rows
    values: Rows
    missing: int
    levels: tuple[str, ...] = ()
    cuts: Rows | None = None
    single: bool = False  # values are rounded to float32 before they are held against the cuts
    numeric: bool = True

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def known(self) -> int:
        """How many cells hold values, the missing one left out."""
        return len(self.codes) - (self.missing >= 0)

    @cached_property
    def counts(self) -> Rows:
        return np.bincount(self.at, minlength=len(self.codes))

    @cached_property
    def domain(self) -> str:
        """What "any value" means of this feature, for the spec."""
        said = "any number" if self.cuts is not None else "the numbers seen" if self.numeric else "the levels seen"
        return said + (" or missing" if self.missing >= 0 else "")

    @cached_property
    def seen(self) -> tuple[Rows, Rows]:
        """(cells,) the least and the largest value of the pool in each cell, NaN where there is none."""
        low, high = np.full(len(self.codes), np.inf), np.full(len(self.codes), -np.inf)
        here = ~np.isnan(self.values)
        np.minimum.at(low, self.at[here], self.values[here])
        np.maximum.at(high, self.at[here], self.values[here])
        empty = low > high
        return np.where(empty, np.nan, low), np.where(empty, np.nan, high)

    def condition(self, mask: Rows) -> Condition | None:
        """That a value lies in the cells of `mask`, an interval of a number; None where all of them are in it."""
        if mask.all():
            return None
        missing = bool(self.missing >= 0 and mask[self.missing])
        inside = np.flatnonzero(mask[: self.known])
        if not self.numeric:
            return Condition(self.feature, levels=tuple(self.levels[i] for i in inside), missing=missing)
        if not len(inside) or len(inside) == self.known:
            return Condition(self.feature, missing=missing)
        first, last = int(inside[0]), int(inside[-1])
        bounds: dict[str, Any] = {}
        if self.cuts is None:
            low, high = self.seen
            if first > 0:
                bounds["at_least"] = float(np.nanmin(low[first : last + 1]))
            if last < self.known - 1:
                bounds["up_to"] = float(np.nanmax(high[first : last + 1]))
            return Condition(self.feature, **bounds, missing=missing)
        if first > 0:
            bounds |= self._edge(self.cuts[first - 1], "above", "at_least")
        if last < self.known - 1:
            bounds |= self._edge(self.cuts[last], "up_to", "below")
        return Condition(self.feature, **bounds, missing=missing)

    def _edge(self, cut: float, below: str, above: str) -> dict[str, float]:
        """The last value under the cut, or the first one over it, whichever is the shorter to say. The model rounds to
        float32: where a number in between, or a value of the pool, would be rounded over the edge, the edge stands
        where the rounding turns."""
        if not self.single:
            return {below: float(cut)}
        last = lowered(cut)
        first = np.nextafter(last, np.float32(np.inf))
        word, said = (above, first) if len(str(first)) < len(str(last)) else (below, last)
        if 0 in (last, first) or not np.isfinite(first):
            return {word: float(said)}
        holds = np.greater_equal if word == "at_least" else np.less_equal
        rounded = self.values.astype(np.float32).astype(np.float64)
        if word in ("at_least", "up_to") and (holds(self.values, said) == holds(rounded, said)).all():
            return {word: float(said)}
        turn = (float(last) + float(first)) / 2
        under = np.float32(turn) == last  # a tie goes to the even one
        if word in ("above", "up_to"):
            return {word: turn if under else float(np.nextafter(turn, -np.inf))}
        return {word: float(np.nextafter(turn, np.inf)) if under else turn}


@dataclass(frozen=True)
class CellView:
    """`pool`: the rows whose values are known, the training rows first (`trained` of them, all where none were given),
    then those explained from `offset` on."""

    view: TreeView
    pool: Frame
    players: tuple[Player, ...]
    offset: int
    trained: int

    def of(self, rows: Rows | Sequence[int]) -> Rows:
        """(rows, players) the cells of these rows of the pool."""
        return np.array([player.at[rows] for player in self.players], np.int64).reshape(-1, len(rows)).T.copy()

    @cached_property
    def kernel(self) -> boxes.Cells:
        return boxes.cells(
            self.view.forest,
            [p.columns.astype(np.int64) for p in self.players],
            [p.codes.astype(np.int64) for p in self.players],
        )

    @cached_property
    def reach(self) -> reaches.Reach | None:
        return reaches.reach(self.view.forest, self.kernel)

    def codes(self, at: Rows) -> Rows:
        """(rows, players) cells → what the forest walks by; columns that nobody splits are 0."""
        found = np.zeros((len(at), self.view.forest.n_features), self.view.forest.grid.code_dtype)
        alone, columns, start, flat = self._single
        found[:, columns] = flat[at[:, alone] + start]
        for number, player in enumerate(self.players):
            if len(player.columns) > 1:
                found[:, player.columns] = player.codes[at[:, number]]
        return found

    @cached_property
    def _single(self) -> tuple[Rows, Rows, Rows, Rows]:
        """Of the players with one column: their numbers, the columns, where each one's codes begin, the codes."""
        alone = [number for number, player in enumerate(self.players) if len(player.columns) == 1]
        codes = [self.players[number].codes[:, 0] for number in alone]
        start = np.cumsum([0, *map(len, codes)])[: len(alone)].astype(np.int64)
        columns = np.array([self.players[number].columns[0] for number in alone], np.int64)
        flat = np.concatenate([np.zeros(0, np.int64), *codes]).astype(self.view.forest.grid.code_dtype)
        return np.array(alone, np.int64), columns, start, flat

    def margins(self, at: Rows) -> Rows:
        """(rows, outputs) in the additive space."""
        return self.view.forest.predict_codes(self.codes(at))


def cell_view(view: TreeView, X: Frame, train: Frame | None) -> CellView:
    """The cells of every raw column that some tree splits, as seen in `train` and X."""
    pool, trained, offset = X, len(X), 0
    if train is not None:
        with contextlib.suppress(DataError):  # another container or other types: what X shows is what is known
            pool, trained, offset = train.stack(X), len(train), len(train)
    matrix = view.matrix(pool)
    codes = view.forest.encode(matrix)
    used = np.zeros(view.forest.n_features, np.bool_)
    used[view.forest.feature[~view.forest.is_leaf]] = True
    players = []
    for j, name in enumerate(pool.names):
        columns = np.flatnonzero((view.players == j) & used)
        if len(columns):
            players.append(_player(view, pool, name, j, columns, matrix[:, columns], codes[:, columns]))
    return CellView(view, pool, tuple(players), offset, trained)


def _player(view: TreeView, pool: Frame, name: str, j: int, columns: Rows, matrix: Rows, codes: Rows) -> Player:
    column = pool.column(name)
    gaps = np.isnan(column.values)
    forest = view.forest
    if not column.is_number:
        return _levels(name, j, columns, codes, column.values, column.levels)
    numeric = (forest.grid.n_categories[columns] < 0).all()
    zero = forest.zero_missing is not None and forest.zero_missing[columns].any()
    single = forest.dtype == "float32"
    if numeric and not zero and _same(matrix, column.values, single) and not gaps.all():
        return _split_as_it_is(view, name, j, columns, codes, column.values, single)
    if (
        numeric
        and not zero
        and len(columns) == 1
        and (player := _monotone(view, name, j, columns, codes, column.values))
    ):
        return player
    return _runs(name, j, columns, codes, column.values)


def _same(matrix: Rows, values: Rows, single: bool) -> bool:
    """Whether every encoded column holds the values, as far as the forest can tell."""
    same = matrix == values[:, None]
    if same.all() or (same | (np.isnan(matrix) & np.isnan(values)[:, None])).all():
        return True
    return single and _same(matrix.astype(np.float32), values.astype(np.float32), False)


def _split_as_it_is(view: TreeView, name: str, j: int, columns: Rows, seen: Rows, values: Rows, single: bool) -> Player:
    grid = view.forest.grid
    each = [grid.thresholds[grid.start[c] : grid.start[c + 1]] for c in columns]
    cuts = np.unique(np.concatenate(each))
    cuts = cuts[cuts < np.inf]  # LightGBM tells what is missing from all that is known so: nothing lies beyond
    ends = np.append(cuts, np.inf)
    codes = np.column_stack([1 + np.searchsorted(own, ends, side="left") for own in each])
    gaps = np.isnan(values)
    if len(columns) == 1:  # a code says how many of its cuts lie below
        at = seen[:, 0].astype(np.int64) - 1
    else:
        given = values.astype(np.float32) if single else values
        at = np.searchsorted(cuts, np.where(gaps, 0.0, given).astype(np.float64), side="left")
    if gaps.any():
        codes = np.concatenate([codes, np.zeros((1, len(columns)), codes.dtype)])
        at = np.where(gaps, len(codes) - 1, at)
    missing = len(codes) - 1 if gaps.any() else -1
    return Player(name, j, columns, codes, at, values, missing, cuts=cuts, single=single)


def _monotone(view: TreeView, name: str, j: int, columns: Rows, codes: Rows, values: Rows) -> Player | None:
    """All codes of one encoded column, in the order of the raw values; None where it does not run along with them."""
    gaps = np.isnan(values)
    order = np.argsort(values[~gaps], kind="stable")
    run = codes[~gaps, 0].astype(np.int64)[order]
    rising, falling = bool((np.diff(run) >= 0).all()), bool((np.diff(run) <= 0).all())
    if not (rising or falling) or not len(run) or (run == 0).any():
        return None
    every = np.arange(1, view.forest.grid.n_codes[columns[0]])
    every = every if rising else every[::-1]
    at = codes[:, 0].astype(np.int64) - 1 if rising else len(every) - codes[:, 0].astype(np.int64)
    if gaps.any():  # a gap may be filled by the encoding: its cell has the code that it gets
        if len(np.unique(codes[gaps, 0])) > 1:
            return None
        every = np.append(every, int(codes[gaps, 0][0]))
        at = np.where(gaps, len(every) - 1, at)
    missing = len(every) - 1 if gaps.any() else -1
    return Player(name, j, columns, every[:, None], at, values, missing)


def _levels(name: str, j: int, columns: Rows, codes: Rows, values: Rows, levels: Sequence[str]) -> Player:
    gaps = np.isnan(values)
    at = np.where(gaps, len(levels), values).astype(np.int64)
    _, first = np.unique(at, return_index=True)
    cells = codes[first].astype(np.int64)  # every level of a column is seen in it
    missing = len(levels) if gaps.any() else -1
    return Player(name, j, columns, cells, at, values, missing, levels=tuple(levels), numeric=False)


def _runs(name: str, j: int, columns: Rows, codes: Rows, values: Rows) -> Player:
    """Runs of values seen that have equal codes."""
    gaps = np.isnan(values)
    order = np.argsort(values[~gaps], kind="stable")
    sorted_values, sorted_codes = values[~gaps][order], codes[~gaps][order].astype(np.int64)
    fresh = np.ones(len(order), np.bool_)
    if len(order):
        fresh[1:] = (sorted_codes[1:] != sorted_codes[:-1]).any(axis=1)
    number = np.cumsum(fresh) - 1
    at = np.zeros(len(values), np.int64)
    at[np.flatnonzero(~gaps)[order]] = number
    cells = sorted_codes[fresh]
    if gaps.any():
        cells = np.concatenate([cells, codes[gaps][:1].astype(np.int64)])
        at[gaps] = len(cells) - 1
    assert len(sorted_values) == len(number)
    return Player(name, j, columns, cells, at, values, len(cells) - 1 if gaps.any() else -1)


def composed(pool: Frame, row: int, changes: Sequence[Mapping[str, int | float]]) -> Frame:
    """Copies of one row of the pool, each with some cells changed: an int names the pool row whose cell it takes, a
    float is a number of its own, which nobody had."""
    picks = np.full((len(changes), len(pool.names)), row, np.int64)
    own: dict[str, dict[int, float]] = {}
    for i, change in enumerate(changes):
        for name, source in change.items():
            if isinstance(source, float):
                own.setdefault(name, {})[i] = source
            else:
                picks[i, pool.names.index(name)] = source
    frame = pool.gather(picks)
    for name, values in own.items():
        frame = frame.placed(name, values)
    return frame


def numbers(frame: Frame) -> dict[str, Any]:
    """Every column as numbers, for linear constraints; levels "false" and "true" count as 0 and 1."""
    found = {}
    for name in frame.names:
        column = frame.column(name)
        values = column.values
        if not column.is_number and column.levels == ("true",):
            values = np.where(np.isnan(values), values, 1.0)
        found[name] = values
    return found
