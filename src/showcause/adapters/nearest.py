"""A counterfactual of any model: from the nearest rows decided as wanted, then as few and as small changes as do.

Every row asked about is made of cells of real rows. Law: what is returned the model decides as wanted, and nothing
changes that must not; the model is asked about no more rows than the budget.
Source: nearest unlike neighbours, Keane & Smyth 2020; Guidotti et al. 2019 on sparsifying.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from showcause.adapters.cells import numbers
from showcause.adapters.distance import cost, measures
from showcause.adapters.frame import Frame, Rows
from showcause.adapters.recourse import Allowed

DONORS = 5  # rows that the search begins from
EACH = 4  # rows asked about for each feature, below which fewer beginnings are followed
STEPS, PROBES = 3, 12  # times that a changed number is brought back towards its own, and places tried each time

Answer = tuple[Callable[[Rows], Rows], bool]
Right = Callable[[Rows], Rows]  # picks (rows, features: pool rows) → whether they are decided as wanted


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
    def numbers(self) -> Mapping[str, Rows]:
        """As linear constraints take them."""
        return numbers(self.rows)

    @cached_property
    def measures(self) -> tuple[Rows, Rows]:
        """(features,) each: units and medians."""
        return measures(self.rows, self.trained)

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
        units, middles = self.measures
        for j, name in enumerate(self.rows.names):
            own, after = float(self.values[row, j]), self.values[rows, j]
            away = cost(self.rows.column(name), float(units[j]), float(middles[j]), own, after)
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
    """Several beginnings of one row, each with a budget of its own, that ask the model together."""

    pool: Pool
    row: int
    right: Right
    left: Rows  # (beginnings,) rows that each may still ask about
    costs: Rows  # (rows of the pool, features), infinite where a cell may not be taken
    spent: int = 0

    def good(self, picks: Sequence[Rows]) -> list[Rows]:
        """For each beginning (rows,) whether its picks (rows, features: pool rows) are decided as wanted and keep every
        constraint; False for what its budget does not reach."""
        found = [np.zeros(len(part), np.bool_) for part in picks]
        asked = [part[: max(0, int(left))] for part, left in zip(picks, self.left, strict=True)]
        whole = np.concatenate(asked)
        if not len(whole):
            return found
        kept = np.ones(len(whole), np.bool_)
        for rule in self.pool.allowed.linear:
            places = {name: whole[:, self.pool.rows.names.index(name)] for name in rule.terms}
            kept &= rule.holds({name: self.pool.numbers[name][at] for name, at in places.items()})
        owner = np.repeat(np.arange(len(asked)), [len(part) for part in asked])
        self.left = self.left - np.bincount(owner[kept], minlength=len(asked))
        self.spent += int(kept.sum())
        if kept.any():
            kept[kept] = self.right(whole[kept])
        for number, part in enumerate(asked):
            found[number][: len(part)] = kept[owner == number]
        return found


def nearest(pool: Pool, row: int, donors: Rows, right: Right, alternatives: int, budget: int) -> tuple[list[Rows], int]:
    """(alternatives, each (features,) of pool rows whose cells are taken, the nearest first; rows asked about).

    donors  pool rows that are decided as wanted
    """
    every = pool.costs(row, np.arange(len(pool.rows)))
    costs = every[donors]
    able = np.where(np.isfinite(costs), donors[:, None], row)  # what may not change stays as it is
    total = np.where(np.isfinite(costs), costs, 0.0).sum(axis=1)
    order = np.argsort(total, kind="stable")[: max(DONORS, budget // 4)]
    first = _Search(pool, row, right, np.array([budget]), every)
    starts = _first(first, able[order])[: max(1, budget // (EACH * able.shape[1]))]
    if not len(starts):
        return [], first.spent
    share = np.full(len(starts), max(1, (budget - first.spent) // len(starts)))
    share[budget - first.spent :] = 0
    search = _Search(pool, row, right, share, every)
    ends = _smaller(search, _sparser(search, list(starts)))
    found = [(float(every[picks, np.arange(len(picks))].sum()), picks) for picks in ends]
    found.sort(key=lambda item: item[0])
    return _different(pool, row, [picks for _, picks in found], alternatives), first.spent + search.spent


def _first(search: _Search, able: Rows) -> Rows:
    """The first of `able` (rows, features) that are decided as wanted, at most DONORS; few are asked about first."""
    found, start, step = able[:0], 0, 4 * DONORS
    while start < len(able) and len(found) < DONORS:
        part = able[start : start + step]
        found = np.concatenate([found, part[search.good([part])[0]]])
        start, step = start + step, 4 * step
    return found[:DONORS]


def changed(pool: Pool, row: int, picks: Rows) -> list[int]:
    """Features whose value differs from the row's own."""
    before, after = pool.values[row], pool.values[picks, np.arange(len(picks))]
    return np.flatnonzero((before != after) & ~(np.isnan(before) & np.isnan(after))).tolist()


def _sparser(search: _Search, starts: list[Rows]) -> list[Rows]:
    """Features put back as long as the rest still does, of each beginning: of those that may be put back alone, the
    dearest together, as many as may."""
    pool, row, picks = search.pool, search.row, list(starts)
    open_ = set(range(len(picks)))
    while open_:
        able = [changed(pool, row, picks[n]) if n in open_ else [] for n in range(len(picks))]
        tried = []
        for of, features in zip(picks, able, strict=True):
            less = np.repeat(of[None, :], len(features) if len(features) > 1 else 0, axis=0)
            less[np.arange(len(less)), features[: len(less)]] = row
            tried.append(less)
        together = []
        for n, good in enumerate(search.good(tried)):
            alone = [able[n][i] for i in np.flatnonzero(good)]
            alone.sort(key=lambda j: -search.costs[picks[n][j], j])
            if not alone:
                open_.discard(n)
            more = np.repeat(picks[n][None, :], len(alone), axis=0)
            for k in range(len(alone)):
                more[k, alone[: k + 1]] = row
            together.append(more)
        for n, good in enumerate(search.good([more[1:] for more in together])):
            if len(together[n]):
                picks[n] = together[n][int(np.flatnonzero(good)[-1]) + 1 if good.any() else 0]
    return picks


@dataclass
class _Way:
    """Of one beginning and feature the pool rows between its own value and the changed one, the nearest to its own
    first. Those before `first` are known not to do, the one at `last` is known to."""

    between: Rows
    feature: int
    first: int
    last: int

    def probes(self) -> Rows:
        return np.unique(np.linspace(self.first, self.last - 1, min(PROBES, self.last - self.first)).astype(np.int64))


def _smaller(search: _Search, starts: list[Rows]) -> list[Rows]:
    """Each changed number brought back towards its own value along the values seen, as far as it still does."""
    pool, row, picks = search.pool, search.row, list(starts)
    features = [changed(pool, row, of) for of in picks]
    for turn in range(max((len(of) for of in features), default=0)):
        ways = [
            _way(search, of, able[turn]) if turn < len(able) else None for of, able in zip(picks, features, strict=True)
        ]
        for _ in range(STEPS):
            middles = [np.zeros(0, np.int64) if way is None or way.first >= way.last else way.probes() for way in ways]
            tried = []
            for of, way, middle in zip(picks, ways, middles, strict=True):
                each = np.repeat(of[None, :], len(middle), axis=0)
                if way is not None:
                    each[:, way.feature] = way.between[middle]
                tried.append(each)
            for n, good in enumerate(search.good(tried)):
                way, places = ways[n], np.flatnonzero(good)
                if way is None or not len(places):
                    ways[n] = None
                    continue
                place = int(places[0])
                picks[n] = tried[n][place]
                way.last = int(middles[n][place])
                way.first = int(middles[n][place - 1]) + 1 if place else way.first
    return picks


def _way(search: _Search, picks: Rows, j: int) -> _Way | None:
    pool = search.pool
    own, now = float(pool.values[search.row, j]), float(pool.values[picks[j], j])
    if not pool.rows.column(pool.rows.names[j]).is_number or np.isnan(own) or np.isnan(now):
        return None
    seen = pool.order[j]
    values = pool.values[seen, j]
    low, high = min(own, now), max(own, now)
    between = seen[(values > low) & (values < high)]
    between = between if own < now else between[::-1]
    between = between[np.isfinite(search.costs[between, j])]
    return _Way(between, j, 0, len(between))


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
