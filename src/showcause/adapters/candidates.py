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
from showcause.adapters.distance import cost, middles, units
from showcause.adapters.frame import Rows
from showcause.adapters.recourse import Allowed
from showcause.adapters.sufficient import inside

LISTED = 48  # values besides one a cell, of a feature that a linear constraint speaks of


@dataclass(frozen=True)
class Options:
    """What one feature may be set to; `own` is the candidate that leaves it.

    values   (candidates,) numbers or positions of levels, ascending (a missing own value last)
    sources  (candidates,) the pool row that has the value, -1 for a number of its own
    cells    (candidates,) in the player's cells; 0 where no tree looks at the feature
    costs    (candidates,) sparsity included; 0 at `own`
    """

    feature: str
    player: int  # -1 where no tree looks at it
    values: Rows
    sources: Rows
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
        rest = (self.values[keep], self.sources[keep], self.cells[keep], self.costs[keep])
        return Options(self.feature, self.player, *rest, own)


@dataclass(frozen=True)
class Table:
    """What stays the same for every row: the values seen in training, sorted, and where they lie."""

    view: CellView
    allowed: Allowed
    sparsity: float

    @cached_property
    def units(self) -> Rows:
        return units(self.view.pool, self.view.trained)

    @cached_property
    def middles(self) -> dict[str, float]:
        pool = self.view.pool
        return dict(zip(pool.names, middles(pool, self.view.trained).tolist(), strict=True))

    @cached_property
    def numbers(self) -> dict[str, Rows]:
        return numbers(self.view.pool)

    @cached_property
    def spoken_of(self) -> set[str]:
        return {name for rule in self.allowed.linear for name in rule.terms}

    @cached_property
    def _seen(self) -> dict[str, tuple[Rows, Rows, Rows]]:
        """Feature → (values seen in training, ascending; a row of each; its cell)."""
        found = {}
        for name, number in self._features:
            values = self.view.pool.column(name).values[: self.view.trained]
            distinct, rows = np.unique(values, return_index=True)
            rows, distinct = rows[~np.isnan(distinct)], distinct[~np.isnan(distinct)]
            cells = self.view.players[number].at[rows] if number >= 0 else np.zeros(len(rows), np.int64)
            found[name] = (distinct, rows, cells)
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
        values, sources, cells = np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64)
        if name not in self.allowed.frozen:
            known, rows, where = self._seen[name]
            fine = self._fine(name, own, known)
            if not column.is_number:
                keep = fine & (known != own)
                values, sources, cells = known[keep], rows[keep], where[keep]
            else:
                picked = self._picked(name, own, known, where, fine, at)
                values, sources, cells = known[picked], rows[picked], where[picked]
                if player is not None and player.cuts is not None and column.kind == "number":
                    values, sources, cells = self._between(player, name, own, at, values, sources, cells)
        return self._ordered(name, number, row, own, at, values, sources, cells)

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
        near = np.abs(known[places] - (self.middles[name] if np.isnan(own) else own))
        order = np.lexsort((near, where[places]))
        first = np.ones(len(order), np.bool_)
        first[1:] = where[places][order][1:] != where[places][order][:-1]
        picked = places[order[first]]
        if name in self.spoken_of:
            some = np.unique(np.linspace(0, len(places) - 1, min(LISTED, len(places))).round().astype(np.int64))
            more = np.union1d(picked, places[some])
            return more[known[more] != own]
        return np.sort(picked[where[picked] != at])

    def _between(
        self, player: Player, name: str, own: float, at: int, values: Rows, sources: Rows, cells: Rows
    ) -> tuple[Rows, Rows, Rows]:
        """Cells that no training row lies in, within the span of those that do: a number from inside."""
        known = self._seen[name][0]
        if not len(known) or player.cuts is None:
            return values, sources, cells
        whole = bool((known == np.floor(known)).all())
        made: list[tuple[float, int]] = []
        for cell in np.setdiff1d(np.arange(player.known), [*cells.tolist(), at]).tolist():
            value = _whole(player.cuts, cell) if whole else inside(player.cuts, cell, player.single)
            if value is not None and known[0] < value < known[-1] and self._fine(name, own, np.array([value]))[0]:
                made.append((value, cell))
        if not made:
            return values, sources, cells
        return (
            np.append(values, [value for value, _ in made]),
            np.append(sources, np.full(len(made), -1)),
            np.append(cells, [cell for _, cell in made]),
        )

    def _ordered(
        self, name: str, number: int, row: int, own: float, at: int, values: Rows, sources: Rows, cells: Rows
    ) -> Options:
        column = self.view.pool.column(name)
        unit = float(self.units[self.view.pool.names.index(name)])
        costs = cost(column, unit, self.middles[name], own, values) + self.sparsity
        values, sources, cells = np.append(values, own), np.append(sources, row), np.append(cells, at)
        costs = np.append(costs, 0.0)
        order = np.argsort(np.where(np.isnan(values), np.inf, values), kind="stable")
        place = int(np.flatnonzero(order == len(order) - 1)[0])
        return Options(name, number, values[order], sources[order], cells[order].astype(np.int64), costs[order], place)


def _whole(cuts: Rows, cell: int) -> float | None:
    """A whole number in (cuts[cell - 1], cuts[cell]]."""
    if cell == 0:
        return float(np.floor(cuts[0]))
    low = float(np.floor(cuts[cell - 1])) + 1.0
    return low if cell == len(cuts) or low <= cuts[cell] else None


def cells_of(view: CellView, row: int, options: Sequence[Options], picks: Rows) -> Rows:
    """(rows, players) cells of the row with candidates picks (rows, options)."""
    at = np.repeat(view.at[row][None, :], len(picks), axis=0)
    for number, option in enumerate(options):
        if option.player >= 0:
            at[:, option.player] = option.cells[picks[:, number]]
    return at
