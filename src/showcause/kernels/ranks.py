"""Which ranks are certain? Simultaneous paired comparisons of all values."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit

Rows = np.ndarray[Any, np.dtype[Any]]

LEVEL = 0.05


def rank_bounds(values: Rows, pair_variance: Rows, rows: int, level: float = LEVEL) -> tuple[Rows, Rows]:
    """(rank_low, rank_high), each (p,): with 95 % confidence for all at once, each true rank lies between them.

    values (p,), the largest has rank 1; pair_variance (p, p) of their differences; `rows` they are means over.
    Two-sided t tests of all p (p - 1) / 2 differences, adjusted by Holm 1979; a value's best rank is one more than the
    number shown to be larger. Equal bounds: the rank is verified; overlapping ones: a tie. The idea is Goldwasser &
    Hooker, UAI 2025 ("statistical significance of feature importance rankings"); bounds as in Klein, Wright &
    Wieczorek 2020.
    """
    p = len(values)
    left, right = np.triu_indices(p, 1)
    difference = values[left] - values[right]
    error = np.sqrt(pair_variance[left, right])
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(difference == 0, 0.0, np.abs(difference) / error)
    chance = np.ones(len(t)) if rows < 2 else 2 * stdtr(rows - 1, -t)
    chance = np.where(np.isnan(chance), 1.0, chance)
    order = np.argsort(chance, kind="stable")
    adjusted = np.maximum.accumulate(chance[order] * (len(t) - np.arange(len(t)))) if len(t) else chance
    larger = np.zeros((p, p), dtype=bool)  # [j, l]: j is shown to be larger than l
    shown = order[adjusted <= level]
    up = shown[difference[shown] > 0]
    down = shown[difference[shown] < 0]
    larger[left[up], right[up]] = True
    larger[right[down], left[down]] = True
    return 1 + larger.sum(axis=0), p - larger.sum(axis=1)


def interval(value: Rows, error: Rows, rows: int | Rows) -> tuple[Rows, Rows]:
    """(low, high) of 95 %: Student's t with rows - 1 degrees of freedom; NaN under two rows. `rows` may be each
    value's own."""
    many = np.asarray(rows) > 1
    half = np.where(many, stdtrit(np.where(many, np.asarray(rows) - 1, 1), 0.975), np.nan) * error
    return value - half, value + half
