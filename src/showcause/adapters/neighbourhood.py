"""Neighbours of one row, drawn from the cells of other rows, and the line through what a model says of them (GLIME).

Laws: of a linear model the line is the model, whatever was drawn; a neighbour is evaluated once; the same generator
gives the same line, whatever other rows are explained.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np

from showcause.adapters.frame import Column, Frame, Rows
from showcause.kernels import local, network
from showcause.kernels.local import Line, Spread, StandIn

FEW = 5  # neighbours with a level: with fewer it stands together with the other rare ones
LEAST = 512  # neighbours that a stand-in is fitted to, and as many again that it is held against
TIMES, PARTS = 8, 8  # so many neighbours more that only the stand-in is asked about, in so many sequences of their own
TRIED = 64  # neighbours in which each doubtful column is changed alone
TOGETHER = 512  # and those that did nothing together
SURE = 2.576  # standard errors that the leading columns are apart from the others: 99 % of a pair
DOUBTFUL = 5.0  # a column whose values are within so many of zero may be idle
SAME = 1e-12  # relative: what batches of other sizes make of the same rows

Predict = Callable[[Rows], Rows]  # donors (n, p), positions in the pool, one a cell → outputs (n, K)


@dataclass(frozen=True)
class Pool:
    """Its first `size` rows are those explained, the others the background: what is known of that, whatever the row."""

    columns: Sequence[Column]
    size: int

    @cached_property
    def behind(self) -> list[Rows]:
        return [column.values[self.size :] for column in self.columns]

    @cached_property
    def order(self) -> Rows:
        """(background rows, p) by value."""
        return np.stack([np.argsort(values, kind="stable") for values in self.behind], axis=1)

    @cached_property
    def known(self) -> list[tuple[float, float]]:
        """Of each column the mean and the standard deviation of the values that there are; 0 of none, 1 where they do
        not vary."""
        found = []
        for values in self.behind:
            known = values[~np.isnan(values)]
            spread = float(known.std()) if len(known) else 0.0
            found.append((float(known.mean()) if len(known) else 0.0, spread if spread > 0 else 1.0))
        return found


@dataclass(frozen=True)
class Neighbourhood:
    """Of row `row` of a pool."""

    pool: Pool
    row: int
    width: float

    @cached_property
    def chances(self) -> Rows:
        """(background rows, p) by which each cell is drawn."""
        distance = np.stack([self._distance(j) for j in range(len(self.pool.columns))], axis=1)
        return local.nearby(distance, self.width)

    def _distance(self, j: int) -> Rows:
        column, others = self.pool.columns[j], self.pool.behind[j]
        own, gone = column.values[self.row], np.isnan(others)
        if np.isnan(own):
            return np.where(gone, 0.0, 1.0)
        if not column.is_number:
            return np.where(others == own, 0.0, 1.0)
        return np.where(gone, 1.0, np.abs(np.nan_to_num(others) - own) / self.pool.known[j][1])

    @cached_property
    def _edges(self) -> Rows:
        return np.cumsum(np.take_along_axis(self.chances, self.pool.order, axis=0), axis=0)

    def donors(self, drawn: Rows) -> Rows:
        """(n, p) from [0, 1) → positions in the pool, one a cell."""
        edges = self._edges[:-1].T
        places = [np.searchsorted(edge, numbers, side="right") for edge, numbers in zip(edges, drawn.T, strict=True)]
        return np.asarray(self.pool.size + np.take_along_axis(self.pool.order, np.stack(places, axis=1), axis=0))

    def design(self, samples: int) -> Design:
        return _design(self, samples)


@dataclass(frozen=True)
class Design:
    """What the line is fitted to. `parts`: (feature, what of it, of which level); reach (p, k): a feature's value is
    the sum of reach · slope; `slope` (p,) the regressor whose slope is that of a number, -1 for none, and `unit` (p,)
    its standard deviation."""

    of: Neighbourhood
    parts: tuple[tuple[int, Callable[[Rows], Rows]], ...]
    reach: Rows
    slope: Rows
    unit: Rows

    def made(self, donors: Rows) -> Rows:
        """(n, k) regressors of the neighbours."""
        return np.column_stack([part(self.of.pool.columns[j].values[donors[:, j]]) for j, part in self.parts])


def _design(of: Neighbourhood, samples: int) -> Design:
    parts: list[tuple[int, Callable[[Rows], Rows]]] = []
    reach: list[tuple[int, float]] = []  # (feature, by how much a slope enters its value)
    columns = of.pool.columns
    slope, unit = np.full(len(columns), -1), np.ones(len(columns))
    for j, (column, others) in enumerate(zip(columns, of.pool.behind, strict=True)):
        own = float(column.values[of.row])
        if not column.is_number:
            for group, share in _levels(own, others, of.chances[:, j] * samples):
                reach.append((j, -share))
                parts.append((j, partial(_one_of, group)))
            continue
        mean, unit[j] = of.pool.known[j]
        center = mean if np.isnan(own) else own
        slope[j] = len(parts)
        parts.append((j, partial(_away, mean, center, float(unit[j]))))
        reach.append((j, (center - mean) / unit[j]))
        if np.isnan(others).any():
            parts.append((j, partial(_gap, float(np.isnan(own)))))
            reach.append((j, float(np.isnan(own)) - float(np.isnan(others).mean())))
    matrix = np.zeros((len(columns), len(parts)))
    for place, (j, by) in enumerate(reach):
        matrix[j, place] = by
    return Design(of, tuple(parts), matrix, slope, unit)


def _away(mean: float, center: float, unit: float, drawn: Rows) -> Rows:
    return np.asarray((np.where(np.isnan(drawn), mean, drawn) - center) / unit)


def _gap(own: float, drawn: Rows) -> Rows:
    return np.isnan(drawn) * 1.0 - own


def _one_of(levels: list[float], drawn: Rows) -> Rows:
    return np.isin(np.nan_to_num(drawn, nan=-1.0), levels) * 1.0


def _levels(own: float, others: Rows, expected: Rows) -> list[tuple[list[float], float]]:
    """For each level but the row's own: (its code, its share of the background); the rare ones together. `expected`:
    how many neighbours take each background row's."""
    code, behind = np.nan_to_num(np.atleast_1d(own), nan=-1.0), np.nan_to_num(others, nan=-1.0)
    levels = [float(level) for level in np.unique(behind) if level != code[0]]
    frequent = [level for level in levels if expected[behind == level].sum() >= FEW]
    rare = [level for level in levels if level not in frequent]
    groups = [[level] for level in frequent] + ([rare] if rare else [])
    return [(group, float(np.isin(behind, group).mean())) for group in groups]


@dataclass
class Search:
    """One row's neighbours so far, and the line through them.

    idle  (p,) columns of which no change ever changed an output: exactly zero
    """

    design: Design
    predict: Predict
    rng: np.random.Generator
    spread: Spread
    drawn: Rows
    donors: Rows
    outputs: Rows
    idle: Rows
    stands_in: bool
    line: Line | None = None
    asked: int = 0
    _extra: list[Spread] = field(default_factory=list)

    @classmethod
    def begin(cls, design: Design, predict: Predict, rng: np.random.Generator, *, stands_in: bool) -> Search:
        p = len(design.of.pool.columns)
        nothing = np.empty((0, p))
        return cls(
            design, predict, rng, Spread(rng, p), nothing, nothing.astype(np.int64), np.empty((0, 0)),
            np.zeros(p, np.bool_), stands_in,
        )  # fmt: skip

    def grow(self, samples: int) -> None:
        """To `samples` neighbours in all, and the line through them."""
        drawn = self.spread.more(samples - len(self.drawn))
        donors = self.design.of.donors(drawn)
        outputs = self._ask(donors)
        self.outputs = np.concatenate([self.outputs.reshape(-1, outputs.shape[1]), outputs])
        self.drawn, self.donors = np.concatenate([self.drawn, drawn]), np.concatenate([self.donors, donors])
        self._fit()

    def _ask(self, donors: Rows) -> Rows:
        self.asked += len(donors)
        return self.predict(donors)

    def _fit(self) -> None:
        n, p = self.drawn.shape
        strata = (self.drawn * int(np.clip(n // (5 * p), 1, 20))).astype(np.int64)
        alive = ~self.idle[[j for j, _ in self.design.parts]]
        made = self.design.made(self.donors) * alive
        self.line = local.line(made, self.outputs, strata)
        known = self._stand_in(made, alive)
        if known is not None:
            other = local.line(made, self.outputs, strata, known)
            if self._total(other) < self._total(self.line):
                self.line = other

    def _total(self, line: Line) -> float:
        return float(self._variance(line).sum())

    def _variance(self, line: Line) -> Rows:
        """(K, p) of the values."""
        reach = self.design.reach
        return np.asarray(((reach @ line.covariance) * reach).sum(axis=2))

    def _stand_in(self, made: Rows, alive: Rows) -> StandIn | None:
        """Two networks, each fitted to half of the neighbours and held against the other half."""
        half = len(made) // 2
        left = local.curvature(made, self.outputs) if self.stands_in and half >= max(LEAST, 4 * made.shape[1]) else None
        if left is None:
            return None
        halves = (np.arange(half), np.arange(half, len(made)))
        networks = [network.fitted(made[rows], left[rows], self.rng) for rows in halves]
        told = np.empty_like(left)
        for rows, other in zip(halves, reversed(networks), strict=True):
            told[rows] = other.predict(made[rows])
        each = []
        for _ in range(PARTS):
            spread = Spread(self.rng, self.drawn.shape[1])
            more = self.design.made(self.design.of.donors(spread.more(TIMES * len(made) // PARTS))) * alive
            share = [half / len(made), 1 - half / len(made)]
            mixed = share[0] * networks[1].predict(more) + share[1] * networks[0].predict(more)
            each.append(local.through(more, mixed))
        lines = np.stack(each)  # (PARTS, k + 1, K)
        away = lines - lines.mean(axis=0)
        covariance = np.einsum("sak,sbk->kab", away, away) / (PARTS * (PARTS - 1))
        return StandIn(told, lines.mean(axis=0), covariance)

    @property
    def values(self) -> Rows:
        """(p, K)"""
        assert self.line is not None
        return np.asarray(self.design.reach @ self.line.slopes)

    @property
    def covariance(self) -> Rows:
        """(K, p, p) of the values."""
        assert self.line is not None
        return np.asarray(self.design.reach @ self.line.covariance @ self.design.reach.T)

    @property
    def error(self) -> Rows:
        """(p, K) standard errors of the values."""
        assert self.line is not None
        return np.asarray(np.sqrt(np.maximum(self._variance(self.line), 0.0)).T)

    def apart(self, leading: int) -> float:
        return local.apart(self.values, self.covariance, leading)

    def overlap(self, leading: int) -> float:
        return local.overlap(self.values, self.covariance, leading, self.rng)

    def find_idle(self, budget: int) -> None:
        """Columns that may be idle are changed in some neighbours, each alone; those that did nothing, in many
        neighbours together, and in halves where that changes an output. What then did nothing is idle."""
        error = self.error
        doubtful = np.flatnonzero((np.abs(self.values) <= DOUBTFUL * error).all(axis=1) & (error > 0).any(axis=1))
        some, left = min(TRIED, len(self.donors)), self.asked + budget
        if not len(doubtful) or len(doubtful) * some > budget:
            return
        tried = np.repeat(self.donors[None, :some], len(doubtful), axis=0)
        for place, j in enumerate(doubtful):
            tried[place, :, j] = self.donors[-some:, j]
        answers = self._ask(tried.reshape(-1, tried.shape[2])).reshape(len(doubtful), some, -1)
        still = doubtful[[_same(answer, self.outputs[:some]) for answer in answers]]
        groups = [still]
        while groups:
            group = groups.pop()
            together = self.donors[:TOGETHER].copy()
            if not len(group) or self.asked + len(together) > left:
                continue
            together[:, group] = self.donors[-len(together) :][:, group]
            if _same(self._ask(together), self.outputs[: len(together)]):
                self.idle[group] = True
            elif len(group) > 1:
                groups += np.array_split(group, 2)
        if self.idle.any():
            self._fit()


def _same(a: Rows, b: Rows) -> bool:
    return bool(np.abs(a - b).max(initial=0) <= SAME * np.abs(b).max(initial=0))


def settled(search: Search, samples: int, most: int, leading: int | None) -> bool:
    """Neighbours until the `leading` columns stand apart from the others, `samples` first and `most` evaluations at the
    most; whether they do."""
    search.grow(samples)
    if leading is None:
        return False
    found = search.apart(leading)
    if found < SURE:
        search.find_idle(most - search.asked)
        found = search.apart(leading)
    while found < SURE:
        n = len(search.drawn)
        wanted = int(2 ** np.ceil(np.log2(np.clip((SURE / max(found, 0.1)) ** 2, 2, 8)))) * n
        wanted = min(wanted, n + most - search.asked)  # the last time what is left, be it no power of two
        if wanted < 1.5 * n:
            return False
        search.grow(wanted)
        found = search.apart(leading)
    return True


def pooled(frame: Frame, size: int) -> Pool:
    return Pool([frame.column(name) for name in frame.names], size)
