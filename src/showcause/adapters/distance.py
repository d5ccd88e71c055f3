"""How far a changed row lies from the one it came from, in one unit for every feature.

A number's change counts in robust standard deviations (1.4826 times the median absolute deviation of the known values;
where that is 0 the interquartile range over 1.349, then the standard deviation, then 1). Another category, and a value
where one was missing or the reverse, counts 1; a number where none was known counts besides how far it is from the
median of those known, since a usual value is the least to ask of somebody. Each changed feature costs `sparsity` too.
Source: Wachter, Mittelstadt & Russell 2018 (L1 over median absolute deviations); Mothilal, Sharma & Tan 2020.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from showcause.adapters.frame import Column, Frame, Rows

NEIGHBOURS = 500  # rows that plausibility is held against
BLOCK = 64

MEANING = (
    "a number's change in robust standard deviations (1.4826 x the median absolute deviation), 1 for another category, "
    "1 for a value where there was none (of a number its distance from the median besides), and the sparsity for each "
    "changed feature"
)


def measure(values: Rows) -> tuple[float, float]:
    """(the unit, the median) of one numeric column, NaN left out."""
    known = values[~np.isnan(values)]
    if not len(known):
        return 1.0, 0.0
    middle = _median(known)
    unit = 1.4826 * _median(np.abs(known - middle))
    if unit <= 0:
        low, high = np.quantile(known, [0.25, 0.75])
        unit = float(high - low) / 1.349 or float(known.std()) or 1.0
    return unit, middle


def _median(values: Rows) -> float:
    """As numpy's, which selects where sorting is quicker."""
    ordered, half = np.sort(values), len(values) // 2
    return float(ordered[half]) if len(values) % 2 else float((ordered[half - 1] + ordered[half]) / 2)


def cost(column: Column, unit: float, middle: float, before: float, after: Rows) -> Rows:
    """Of changing a cell from `before` to each of `after`: numbers, or positions of levels; NaN is missing. `middle`:
    the median of the known numbers."""
    after = np.asarray(after, dtype=np.float64)
    if np.isnan(before):
        away = np.abs(after - middle) / unit if column.is_number else 0.0
        return np.where(np.isnan(after), 0.0, 1.0 + away)
    if not column.is_number:
        return np.where(after == before, 0.0, 1.0)
    return np.where(np.isnan(after), 1.0, np.abs(after - before) / unit)


@dataclass(frozen=True)
class Typical:
    """Rows decided as wanted, against which a counterfactual is held: how near is the nearest of them?

    values   (rows, features) numbers, and levels by their positions in the pool that the rows come from; NaN missing
    numbers  (features,) which of them are numbers
    """

    values: Rows
    numbers: Rows
    units: Rows

    def _apart(self, one: Rows, other: Rows) -> Rows:
        """(rows of one, rows of other) distances without sparsity, of (rows, features) values."""
        a, b = one[:, None, :], other[None, :, :]
        if self.numbers.all() and not (np.isnan(one).any() or np.isnan(other).any()):
            apart = a - b
            np.abs(apart, out=apart)
            apart /= self.units
            return np.asarray(apart.sum(axis=2))
        gaps = np.isnan(a) != np.isnan(b)
        both = np.isnan(a) & np.isnan(b)
        away = np.where(self.numbers, np.abs(a - b) / self.units, (a != b).astype(np.float64))
        return np.asarray(np.where(both, 0.0, np.where(gaps, 1.0, away)).sum(axis=2))

    @cached_property
    def _own(self) -> Rows:
        """(rows,) distance of each row to its nearest other; each pair is looked at once."""
        values, found = self.values, np.full(len(self.values), np.inf)
        for start in range(0, len(values), BLOCK):
            apart, rest = self._apart(values[start : start + BLOCK], values[start:]), found[start:]
            np.fill_diagonal(apart, np.inf)
            np.minimum(rest, apart.min(axis=0), out=rest)
            np.minimum(rest[: len(apart)], apart.min(axis=1), out=rest[: len(apart)])
        return found

    def of(self, values: Rows) -> tuple[Rows, Rows]:
        """(rows,) distance to the nearest, and the share of the rows whose own nearest is at least as far; of values
        (rows, features) as these are."""
        if not len(self.values):
            return np.full(len(values), np.nan), np.full(len(values), np.nan)
        nearest = self._apart(values, self.values).min(axis=1)
        share = (
            (self._own[None, :] >= nearest[:, None]).mean(axis=1)
            if len(self.values) > 1
            else np.full(len(values), np.nan)
        )
        return nearest, share


def measures(known: Frame, rows: int | None = None) -> tuple[Rows, Rows]:
    """(features,) each: the unit of each numeric column and the median of its known values, of the first rows; 1 and 0
    for others, and where none is known."""
    columns = [known.column(name) for name in known.names]
    found = [measure(column.values[:rows]) if column.is_number else (1.0, 0.0) for column in columns]
    return np.array([unit for unit, _ in found]), np.array([middle for _, middle in found])
