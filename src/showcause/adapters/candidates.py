"""What recourse may set each feature of a row to: for every cell the nearest value that is allowed and was seen.

Law: a candidate is allowed (`Allowed`), lies among the values that the training rows have, and in its own cell whatever
the library rounds to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from showcause.adapters.cells import CellView, Player, numbers
from showcause.adapters.distance import cost, measures
from showcause.adapters.frame import Rows
from showcause.adapters.recourse import Allowed
from showcause.adapters.sufficient import inside

LISTED = 48  # values besides one a cell, of a feature that a linear constraint speaks of


@dataclass(frozen=True)
class Options:
    """What one feature may be set to; `own` is the candidate that leaves it.

    values   (candidates,) numbers or positions of levels, ascending (a missing own value last)
    cells    (candidates,) in the player's cells; 0 where no tree looks at the feature
    costs    (candidates,) sparsity included; 0 at `own`
    """

    feature: str
    player: int  # -1 where no tree looks at it
    values: Rows
    cells: Rows
    costs: Rows
    own: int

    def numbers(self, view: CellView) -> Rows:
        """(candidates,) what a linear constraint takes them for: "true" alone is 1, as beside "false"."""
        return self.values + 1.0 if view.pool.column(self.feature).levels == ("true",) else self.values

    def kept(self, keep: Rows) -> Options:
        """With some candidates alone, `own` among them."""
        keep = keep.copy()
        keep[self.own] = True
        own = int(np.flatnonzero(np.flatnonzero(keep) == self.own)[0])
        return Options(self.feature, self.player, self.values[keep], self.cells[keep], self.costs[keep], own)

    def source(self, view: CellView, pick: int) -> int | float:
        """Where a candidate is taken from: the first training row that has it, else a number of its own."""
        value = self.values[pick]
        seen = np.flatnonzero(view.pool.column(self.feature).values[: view.trained] == value)
        return int(seen[0]) if len(seen) else float(value)


@dataclass(frozen=True)
class Table:
    """What stays the same for every row: the values seen in training, sorted, and where they lie."""

    view: CellView
    allowed: Allowed
    sparsity: float

    @cached_property
    def measures(self) -> tuple[Rows, Rows]:
        """(features of the pool,) each: units and medians."""
        return measures(self.view.pool, self.view.trained)

    def _middle(self, name: str) -> float:
        return float(self.measures[1][self.view.pool.names.index(name)])

    @cached_property
    def numbers(self) -> dict[str, Rows]:
        return numbers(self.view.pool)

    @cached_property
    def spoken_of(self) -> set[str]:
        return {name for rule in self.allowed.linear for name in rule.terms}

    @cached_property
    def _seen(self) -> dict[str, tuple[Rows, Rows]]:
        """Feature → (values seen in training, ascending; the cell of each)."""
        found = {}
        for name, number in self._features:
            values = self.view.pool.column(name).values[: self.view.trained]
            ordered = np.sort(values[~np.isnan(values)])
            first = np.flatnonzero(np.diff(ordered, prepend=np.nan) != 0)
            cells = np.zeros(len(first), np.int64)
            if number >= 0:  # a player's cells are in the order of the values, the missing one behind them all
                below = np.cumsum(np.bincount(self.view.players[number].at[: self.view.trained]))
                cells = np.searchsorted(below, first, side="right").astype(np.int64)
            found[name] = (ordered[first], cells)
        return found

    @cached_property
    def _features(self) -> list[tuple[str, int]]:
        players = {player.feature: number for number, player in enumerate(self.view.players)}
        names = [name for name in self.view.pool.names if name in players or name in self.spoken_of]
        return [(name, players.get(name, -1)) for name in names]

    def options(self, row: int) -> list[Options]:
        """Of every feature that a tree or a linear constraint looks at, for one row of the pool."""
        return [self._of(row, name, number) for name, number in self._features]

    def _of(self, row: int, name: str, number: int) -> Options:
        column = self.view.pool.column(name)
        own = float(column.values[row])
        player = self.view.players[number] if number >= 0 else None
        at = int(player.at[row]) if player is not None else 0
        values, cells = np.empty(0), np.empty(0, np.int64)
        if name not in self.allowed.frozen:
            known, where = self._seen[name]
            fine = self._fine(name, own, known)
            if not column.is_number:
                keep = fine & (known != own)
                values, cells = known[keep], where[keep]
            else:
                picked = self._picked(name, own, known, where, fine, at)
                values, cells = known[picked], where[picked]
                if player is not None and player.cuts is not None and column.kind == "number":
                    values, cells = self._between(player, name, own, at, values, cells)
        return self._ordered(name, number, own, at, values, cells)

    def _fine(self, name: str, own: float, values: Rows) -> Rows:
        good = np.ones(len(values), np.bool_)
        least, most = self.allowed.ranges.get(name, (-np.inf, np.inf))
        good &= (values >= least) & (values <= most)
        way = self.allowed.direction.get(name, 0)
        if way and not np.isnan(own):
            good &= (values - own) * way > 0
        return good

    def _picked(self, name: str, own: float, known: Rows, where: Rows, fine: Rows, at: int) -> Rows:
        """Places among the values seen: in each other cell the nearest to `own`; more of what constraints speak of."""
        places = np.flatnonzero(fine)
        if not len(places):
            return places
        near = np.abs(known[places] - (self._middle(name) if np.isnan(own) else own))
        order = np.lexsort((near, where[places]))
        first = np.ones(len(order), np.bool_)
        first[1:] = where[places][order][1:] != where[places][order][:-1]
        picked = places[order[first]]
        if name in self.spoken_of:
            some = np.unique(np.linspace(0, len(places) - 1, min(LISTED, len(places))).round().astype(np.int64))
            more = np.union1d(picked, places[some])
            return more[known[more] != own]
        return np.sort(picked[where[picked] != at])

    def _between(self, player: Player, name: str, own: float, at: int, values: Rows, cells: Rows) -> tuple[Rows, Rows]:
        """Cells that no training row lies in, within the span of those that do: a number from inside."""
        known = self._seen[name][0]
        if not len(known) or player.cuts is None:
            return values, cells
        whole = bool((known == np.floor(known)).all())
        made: list[tuple[float, int]] = []
        for cell in np.setdiff1d(np.arange(player.known), [*cells.tolist(), at]).tolist():
            value = _whole(player.cuts, cell) if whole else inside(player.cuts, cell, player.single)
            if value is not None and known[0] < value < known[-1] and self._fine(name, own, np.array([value]))[0]:
                made.append((value, cell))
        if not made:
            return values, cells
        return np.append(values, [value for value, _ in made]), np.append(cells, [cell for _, cell in made])

    def _ordered(self, name: str, number: int, own: float, at: int, values: Rows, cells: Rows) -> Options:
        column = self.view.pool.column(name)
        unit = float(self.measures[0][self.view.pool.names.index(name)])
        costs = np.append(cost(column, unit, self._middle(name), own, values) + self.sparsity, 0.0)
        values, cells = np.append(values, own), np.append(cells, at)
        order = np.argsort(np.where(np.isnan(values), np.inf, values), kind="stable")
        place = int(np.flatnonzero(order == len(order) - 1)[0])
        return Options(name, number, values[order], cells[order].astype(np.int64), costs[order], place)


def _whole(cuts: Rows, cell: int) -> float | None:
    """A whole number in (cuts[cell - 1], cuts[cell]]."""
    if cell == 0:
        return float(np.floor(cuts[0]))
    low = float(np.floor(cuts[cell - 1])) + 1.0
    return low if cell == len(cuts) or low <= cuts[cell] else None


def cells_of(view: CellView, row: int, options: Sequence[Options], picks: Rows) -> Rows:
    """(rows, players) cells of the row with candidates picks (rows, options)."""
    at = np.repeat(view.of([row]), len(picks), axis=0)
    for number, option in enumerate(options):
        if option.player >= 0:
            at[:, option.player] = option.cells[picks[:, number]]
    return at
