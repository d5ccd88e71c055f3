"""From contributions to reasons: which few speak for a decision, in which order, and which of them tie.

The reference population is cut into folds, and each contribution is known against each fold. A contribution's value is
the mean over folds; what it would be against other such rows is known from their spread, and so is the difference of
two contributions, pair by pair. Ties are decided by that.

Notation: G folds, n rows, p features, m reasons at most; `toward` > 0 where a feature speaks for what is explained.

Laws: a row's reasons depend on that row's values alone; features that tie share the better place ("1, 2, 2, 4").
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtrit

Rows = np.ndarray[Any, np.dtype[Any]]

LEVEL = 0.05
MATERIAL = 0.05  # a contribution below this share of the row's largest is no principal reason
DIGITS = 10  # contributions that agree to so many digits of the row's largest are equal: rounding decides nothing


class Ranking(NamedTuple):
    """`order` (n, m): features by weight, -1 where there are fewer; `place` (n, m) from 1, equal where they tie;
    `more` (n,): one that was left out ties with the last of them; `error` (n, p): standard error of each value."""

    order: Rows
    place: Rows
    more: Rows
    error: Rows


def nearest(distance: Rows, most: int, folds: int) -> Rows:
    """Positions of up to `most` rows with the smallest distance >= 0, the nearest first, earlier ones among equals.

    Their number is a multiple of `folds` where there are twice as many, so that folds taken in turn are alike.
    """
    inside = np.flatnonzero(distance >= 0)
    found = inside[np.argsort(distance[inside], kind="stable")][:most]
    return np.asarray(found[: len(found) - len(found) % folds] if len(found) >= 2 * folds else found)


def folds_of(count: int, folds: int) -> list[Rows]:
    """Positions 0 … count - 1 dealt out in turn, equally many to each; every row alone where they are few."""
    size = folds if count >= 2 * folds else count
    return [np.arange(start, count, size) for start in range(size)]


def rank(toward: Rows, most: int) -> Ranking:
    """toward (G, n, p) → the reasons of each row.

    A reason is a value above zero whose interval (t over folds, 95 %) excludes zero, of at least `MATERIAL` of the
    row's largest. Where no interval excludes zero, the largest value above zero stands alone. Two tie where the
    interval of their difference includes zero; of a run of ties each is held to its first.
    """
    folds, n, p = toward.shape
    value = toward.mean(axis=0)
    error = _error(toward, value)
    t = float(stdtrit(folds - 1, 1 - LEVEL / 2)) if folds > 1 else 0.0
    top = value.max(axis=1, keepdims=True)
    scale = np.abs(value).max(axis=1, keepdims=True)
    kept = (value > t * error) & (value >= MATERIAL * top) & (value > 10.0**-DIGITS * scale)
    first = value.argmax(axis=1)
    lone = ~kept.any(axis=1) & (top[:, 0] > 0)
    kept[lone, first[lone]] = True
    with np.errstate(invalid="ignore", divide="ignore"):
        rounded = np.where(kept, np.round(value / scale, DIGITS), -np.inf)
    wide = min(most + 1, p)
    order = np.argsort(-rounded, axis=1, kind="stable")[:, :wide]
    there = np.take_along_axis(kept, order, axis=1)
    place = _places(toward, order, there, t, 10.0**-DIGITS * scale[:, 0])
    more = np.zeros(n, dtype=bool)
    if wide > most:
        more = there[:, most] & (place[:, most] == place[:, most - 1])
    order, place = np.where(there, order, -1)[:, :most], np.where(there, place, 0)[:, :most]
    short = most - order.shape[1]
    if short > 0:
        order = np.pad(order, ((0, 0), (0, short)), constant_values=-1)
        place = np.pad(place, ((0, 0), (0, short)))
    return Ranking(order, place, more, error)


def _error(toward: Rows, value: Rows) -> Rows:
    if len(toward) < 2:
        return np.zeros_like(value)
    return np.asarray(toward.std(axis=0, ddof=1) / np.sqrt(len(toward)))


def _places(toward: Rows, order: Rows, there: Rows, t: float, least: Rows) -> Rows:
    """(n, m) from 1; a feature that cannot be told from the first of the run before it shares its place."""
    every = np.arange(toward.shape[1])
    place = np.ones(order.shape, dtype=np.int64)
    head = order[:, 0]
    for j in range(1, order.shape[1]):
        gap = toward[:, every, head] - toward[:, every, order[:, j]]  # (G, n)
        mean = gap.mean(axis=0)
        error = _error(gap, mean)
        tied = there[:, j] & (np.abs(mean) <= np.maximum(t * error, least))
        place[:, j] = np.where(tied, place[:, j - 1], j + 1)
        head = np.where(tied, head, order[:, j])
    return place
