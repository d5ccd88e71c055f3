"""Permutation importance from row-level loss differences: donors, means and their covariance over rows and donors.

Notation: d(i, k) is the loss of row i with a column taken from row k, less its loss as it was. It splits into
v + A(i) + B(k) + C(i, k): what the row, the donor and their meeting add. n rows, R repeats, p features.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

Rows = np.ndarray[Any, np.dtype[Any]]

LEAST_ROWS = 100  # that a budget leaves
ERRORS = (
    "one standard error over rows, both as the rows predicted and as the rows that values are taken from, with the "
    "Monte Carlo noise of the shuffles in it; low and high are Student's t at 95 %"
)
SHUFFLE = (
    "one random circle of the rows, shared by all features; in repeat r each row takes the value of the row r places on"
)


def affordable(n: int, features: int, repeats: int, predictions: int | None) -> tuple[int | None, int]:
    """(rows or None for all, repeats) such that rows × features × repeats is about `predictions` at most.

    Repeats give way first, down to 2, since more rows tell more than more shuffles; then rows, down to 100. There are
    at most n - 1 repeats. n is at least 2.
    """
    times = min(repeats, n - 1)
    if predictions is None or n * features * times <= predictions:
        return None, times
    times = max(min(2, times), min(times, predictions // (n * features)))
    return max(LEAST_ROWS, predictions // (features * times)), times


def budget_notes(rows: int, of: int, times: int, repeats: int) -> list[str]:
    """What a reader must know of a budget that was felt."""
    notes = []
    if rows < of:
        notes.append(f"Columns were shuffled within {rows:,} of {of:,} rows to bound the cost.")
    if times < repeats:
        why = "to bound the cost" if times < of - 1 else "since there are no more other rows"
        notes.append(f"Each column was shuffled {times} times in place of {repeats}, {why}.")
    return notes


def circular_donors(order: Rows, repeat: int) -> Rows:
    """(n,) donors of repeat number `repeat` (from 0): the row standing repeat + 1 places further in the circle `order`.

    No row is its own donor, each row gives once a repeat, and no two of the first n - 1 repeats share a pair.
    """
    donors = np.empty_like(order)
    donors[order] = np.roll(order, -(repeat + 1))
    return donors


@dataclass(frozen=True)
class Tally:
    """`rows` (n, p): each row's mean over repeats; `value` (p,) their mean.

    `covariance` (p, p) of `value` over rows, as receivers and as donors, and over the choice of donors.
    `monte_carlo` (p, p): the part of it that more repeats would take away; zero where a single repeat cannot tell.
    """

    rows: Rows
    value: Rows
    covariance: Rows
    monte_carlo: Rows
    repeats: int

    @property
    def error(self) -> Rows:
        """(p,) standard errors."""
        return np.asarray(np.sqrt(np.maximum(np.diag(self.covariance), np.diag(self.monte_carlo))))

    @property
    def monte_carlo_error(self) -> Rows:
        return np.asarray(np.sqrt(np.diag(self.monte_carlo)))

    @property
    def pair_variance(self) -> Rows:
        """(p, p): the variance of value[j] - value[l]."""
        return np.maximum(of_differences(self.covariance), of_differences(self.monte_carlo))


def of_differences(covariance: Rows) -> Rows:
    """(p, p) variances of all differences of variables with this covariance (p, p); never negative."""
    own = np.diag(covariance)
    return np.asarray(np.maximum(own[:, None] + own[None, :] - 2 * covariance, 0.0))


def tally(repeats: Iterable[tuple[Rows, Rows]]) -> Tally:
    """Gather (donors (n,), differences (n, p)) of each repeat; every row gives once in each.

    Let phi(k) = mean over repeats of d(k, ·) + mean of d(·, k). With T the covariance of all n·R differences, the
    covariance of the mean is (cov(phi) - T / R) / n: phi alone counts the noise of donors twice. A mean over rows alone
    (std / sqrt(n)) leaves B out and is up to half too small. This is the Hajek projection of an incomplete U-statistic
    (Hoeffding 1948; Blom 1976). Under two rows nothing can be said: the errors are NaN.
    """
    shift: Rows = np.zeros(0)
    received: Rows = np.zeros((0, 0))
    given = crossed = total = received
    means: list[Rows] = []
    for donors, differences in repeats:
        if not means:
            shift = differences.mean(axis=0)
            received, given = np.zeros_like(differences), np.zeros_like(differences)
            crossed, total = np.zeros((len(shift), len(shift))), np.zeros_like(shift)
        received += differences
        given[donors] += differences
        apart = differences - shift
        crossed += apart.T @ apart
        total += apart.sum(axis=0)
        means.append(differences.mean(axis=0))
    count, n = len(means), len(received)
    if n < 2:
        unknown = np.full((received.shape[1],) * 2, np.nan)
        return Tally(received / count, means[0], unknown, unknown, count)
    value = np.mean(means, axis=0)
    phi = (received + given) / count - 2 * value
    pooled = crossed / (n * count) - np.outer(total, total) / (n * count) ** 2
    covariance = (phi.T @ phi / (n - 1) - pooled / count) / n
    spread = np.asarray(means) - value
    monte_carlo = spread.T @ spread / max(1, count - 1) / count
    return Tally(received / count, value, covariance, monte_carlo, count)
