"""A counterfactual of any model: from the nearest rows decided as wanted, then as few and as small changes as do.

Every row asked about is made of cells of real rows. Law: what is returned the model decides as wanted, and nothing
changes that must not; the model is asked about no more rows than the budget.
Source: nearest unlike neighbours, Keane & Smyth 2020; Guidotti et al. 2019 on sparsifying.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from showcause.adapters.cells import numbers
from showcause.adapters.distance import cost, units
from showcause.adapters.frame import Frame, Rows
from showcause.adapters.recourse import Allowed

DONORS = 5  # rows that the search begins from
STEPS = 5  # times that a changed number is halved back towards its own

Right = Callable[[Frame], Rows]  # rows → whether the model decides as wanted


@dataclass(frozen=True)
class Pool:
    """Rows whose cells may be taken: the training rows (`trained` of them, first), then those explained."""

    rows: Frame
    trained: int
    allowed: Allowed
    sparsity: float

    @cached_property
    def values(self) -> Rows:
        """(rows, features) numbers, levels by their positions."""
        return self.rows.matrix()

    @cached_property
    def units(self) -> Rows:
        return units(self.rows.take(np.arange(self.trained)))

    @cached_property
    def order(self) -> list[Rows]:
        """For each feature the training rows by their value, one a value, missing ones left out."""
        found = []
        for j in range(len(self.rows.names)):
            distinct, first = np.unique(self.values[: self.trained, j], return_index=True)
            found.append(first[~np.isnan(distinct)])
        return found

    def costs(self, row: int, rows: Rows) -> Rows:
        """(rows, features) of taking each cell of `rows` instead of the row's own; infinite where it may not be."""
        found = np.empty((len(rows), len(self.rows.names)))
        for j, name in enumerate(self.rows.names):
            own, after = float(self.values[row, j]), self.values[rows, j]
            away = cost(self.rows.column(name), float(self.units[j]), own, after)
            away = np.where(away > 0, away + self.sparsity, 0.0)
            found[:, j] = np.where((away > 0) & ~self._may(name, own, after), np.inf, away)
        return found

    def _may(self, name: str, own: float, after: Rows) -> Rows:
        if name in self.allowed.frozen:
            return np.zeros(len(after), np.bool_)
        good = ~np.isnan(after)  # nothing known becomes missing
        least, most = self.allowed.ranges.get(name, (-np.inf, np.inf))
        way = self.allowed.direction.get(name, 0)
        with np.errstate(invalid="ignore"):
            good &= (after >= least) & (after <= most)
            if way and not np.isnan(own):
                good &= (after - own) * way > 0
        return good


@dataclass
class _Search:
    pool: Pool
    row: int
    right: Right
    budget: int
    costs: Rows  # (rows of the pool, features), infinite where a cell may not be taken
    spent: int = 0

    def good(self, picks: Rows) -> Rows:
        """(rows,) whether picks (rows, features: pool rows) are decided as wanted and keep every constraint; False for
        what the budget does not reach."""
        asked = picks[: max(0, self.budget - self.spent)]
        found = np.zeros(len(picks), np.bool_)
        if not len(asked):
            return found
        frame = self.pool.rows.gather(asked)
        kept = np.ones(len(asked), np.bool_)
        for rule in self.pool.allowed.linear:
            kept &= rule.holds(numbers(frame))
        if kept.any():
            left = np.flatnonzero(kept)
            self.spent += len(left)
            kept[left] = self.right(frame.take(left))
        found[: len(asked)] = kept
        return found


def nearest(pool: Pool, row: int, donors: Rows, right: Right, alternatives: int, budget: int) -> tuple[list[Rows], int]:
    """(alternatives, each (features,) of pool rows whose cells are taken, the nearest first; rows asked about).

    donors  pool rows that are decided as wanted
    """
    every = pool.costs(row, np.arange(len(pool.rows)))
    search = _Search(pool, row, right, budget, every)
    costs = every[donors]
    able = np.where(np.isfinite(costs), donors[:, None], row)  # what may not change stays as it is
    total = np.where(np.isfinite(costs), costs, 0.0).sum(axis=1)
    order = np.argsort(total, kind="stable")[: max(DONORS, budget // 4)]
    starts = able[order][search.good(able[order])][:DONORS]
    found: list[tuple[float, Rows]] = []
    for place, start in enumerate(starts):
        search.budget = search.spent + max(1, (budget - search.spent) // (len(starts) - place))
        picks = _smaller(search, _sparser(search, start))
        found.append((float(every[picks, np.arange(len(picks))].sum()), picks))
    found.sort(key=lambda item: item[0])
    return _different(pool, row, [picks for _, picks in found], alternatives), search.spent


def changed(pool: Pool, row: int, picks: Rows) -> list[int]:
    """Features whose value differs from the row's own."""
    before, after = pool.values[row], pool.values[picks, np.arange(len(picks))]
    return np.flatnonzero((before != after) & ~(np.isnan(before) & np.isnan(after))).tolist()


def _sparser(search: _Search, picks: Rows) -> Rows:
    """Features put back one by one, the dearest first, as long as the rest still does."""
    pool, row = search.pool, search.row
    while True:
        able = changed(pool, row, picks)
        if len(able) < 2:
            return picks
        tried = np.repeat(picks[None, :], len(able), axis=0)
        tried[np.arange(len(able)), able] = row
        good = np.flatnonzero(search.good(tried))
        if not len(good):
            return picks
        saved = [search.costs[picks[able[i]], able[i]] for i in good]
        picks = tried[good[int(np.argmax(saved))]]


def _smaller(search: _Search, picks: Rows) -> Rows:
    """Each changed number halved back towards its own value along the values seen, as far as it still does."""
    pool, row = search.pool, search.row
    for j in changed(pool, row, picks):
        column = pool.rows.column(pool.rows.names[j])
        own, now = float(pool.values[row, j]), float(pool.values[picks[j], j])
        if not column.is_number or np.isnan(own) or np.isnan(now):
            continue
        seen = pool.order[j]
        values = pool.values[seen, j]
        low, high = min(own, now), max(own, now)
        between = seen[(values > low) & (values < high)]
        between = between if own < now else between[::-1]  # the nearest to its own first
        between = between[np.isfinite(search.costs[between, j])]
        first, last = 0, len(between)  # the last of those known to do, beyond the end: now
        for _ in range(STEPS):
            if first >= last:
                break
            middle = np.unique(np.linspace(first, last - 1, min(4, last - first)).astype(np.int64))
            tried = np.repeat(picks[None, :], len(middle), axis=0)
            tried[:, j] = between[middle]
            good = np.flatnonzero(search.good(tried))
            if not len(good):
                break
            picks = tried[good[0]]
            last = int(middle[good[0]])
            first = int(middle[good[0] - 1]) + 1 if good[0] else first
    return picks


def _different(pool: Pool, row: int, found: Sequence[Rows], most: int) -> list[Rows]:
    """The first, and those after it that leave some feature of each earlier one as it is."""
    kept: list[Rows] = []
    sets: list[set[int]] = []
    for picks in found:
        mine = set(changed(pool, row, picks))
        if mine and len(kept) < most and all(not of <= mine for of in sets):
            kept.append(picks)
            sets.append(mine)
    return kept
