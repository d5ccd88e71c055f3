"""95 % intervals over rows: proportions, differences, ratios, means, areas under the ROC curve, resampled tables.

Notation: x of n rows have the property, p = x / n; (l, u) bound p. All functions take and return plain floats or
arrays of them; where there is nothing to bound (no rows, no spread known) the bounds are NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special, stats

Rows = np.ndarray[Any, np.dtype[Any]]

Z = 1.959963984540054  # the normal distribution's 97.5 % point
RESAMPLES = 1_000
NAN = float("nan")


def wilson(x: Any, n: Any) -> tuple[Any, Any]:
    """(low, high) of the proportion x / n; scalars or arrays. NaN where n is 0.

    Source: Wilson 1927, without continuity correction (Newcombe 1998a, method 3).
    """
    x, n = np.asarray(x, dtype=np.float64), np.asarray(n, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = x + Z**2 / 2
        half = Z * np.sqrt(x * (n - x) / n + Z**2 / 4)
        low, high = (centre - half) / (n + Z**2), (centre + half) / (n + Z**2)
    low, high = np.where(x == 0, 0.0, low), np.where(x == n, 1.0, high)
    low, high = np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)
    return (low, high) if low.ndim else (float(low), float(high))


def mover(estimate: float, parts: Any, lows: Any, highs: Any, weights: Any) -> tuple[float, float]:
    """(low, high) of Σ weight · part from each independent part's own interval.

    Source: Zou & Donner 2008 (method of variance estimates recovery); for two proportions it is Newcombe's method 10.
    """
    parts, lows, highs, weights = (np.asarray(v, dtype=np.float64) for v in (parts, lows, highs, weights))
    down = np.where(weights >= 0, parts - lows, highs - parts) * weights
    up = np.where(weights >= 0, highs - parts, parts - lows) * weights
    return float(estimate - np.sqrt((down**2).sum())), float(estimate + np.sqrt((up**2).sum()))


def newcombe(x1: float, n1: float, x2: float, n2: float) -> tuple[float, float, float]:
    """(difference, low, high) of x1/n1 - x2/n2 for independent groups; NaN where a group is empty.

    Source: Newcombe 1998b, method 10: the score intervals squared and added.
    """
    if not n1 or not n2:
        return NAN, NAN, NAN
    p1, p2 = x1 / n1, x2 / n2
    (l1, u1), (l2, u2) = wilson(x1, n1), wilson(x2, n2)
    low, high = mover(p1 - p2, [p1, p2], [l1, l2], [u1, u2], [1.0, -1.0])
    return p1 - p2, low, high


def katz(x1: float, n1: float, x2: float, n2: float) -> tuple[float, float, float]:
    """(ratio, low, high) of (x1/n1) / (x2/n2) for independent groups.

    Source: Katz, Baptista, Azen & Pike 1978, on the logarithm. It does not exist where x1 is 0: one half is added to
    the four counts (Walter 1975) and the lower bound is 0. It has no width where both groups have all: there it is
    Donner & Zou 2012 on Wilson's intervals, which is (l1, 1 / l2). No ratio (NaN) where x2 is 0.
    """
    if not n1 or not n2 or not x2:
        return NAN, NAN, NAN
    ratio = (x1 / n1) / (x2 / n2)
    if x1 == n1 and x2 == n2:
        return 1.0, float(wilson(x1, n1)[0]), float(1 / wilson(x2, n2)[0])
    a, b, c, d = (x1, n1, x2, n2) if x1 else (0.5, n1 + 0.5, x2 + 0.5, n2 + 0.5)
    centre = np.log((a / b) / (c / d))
    half = Z * np.sqrt(1 / a - 1 / b + 1 / c - 1 / d)
    return ratio, float(np.exp(centre - half)) if x1 else 0.0, float(np.exp(centre + half))


def mean(values: Rows) -> tuple[float, float, float]:
    """(mean, low, high) by Student's t with n - 1 degrees of freedom; NaN bounds below two values."""
    count = len(values)
    if not count:
        return NAN, NAN, NAN
    centre = float(np.mean(values))
    if count < 2:
        return centre, NAN, NAN
    half = float(stats.t.ppf(0.975, count - 1) * np.std(values, ddof=1) / np.sqrt(count))
    return centre, centre - half, centre + half


def mean_difference(a: Rows, b: Rows) -> tuple[float, float, float]:
    """(mean(a) - mean(b), low, high) by Welch's t; NaN where a group has fewer than two values."""
    if len(a) < 2 or len(b) < 2:
        return NAN, NAN, NAN
    va, vb = np.var(a, ddof=1) / len(a), np.var(b, ddof=1) / len(b)
    difference = float(np.mean(a) - np.mean(b))
    if va + vb == 0:
        return difference, difference, difference
    degrees = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
    half = float(stats.t.ppf(0.975, degrees) * np.sqrt(va + vb))
    return difference, difference - half, difference + half


def median(values: Rows) -> tuple[float, float, float]:
    """(median, low, high) by order statistics, whatever the distribution; NaN bounds below six values.

    Source: Thompson 1936. Coverage is at least 95 %; five values or fewer cannot reach it.
    """
    ordered = np.sort(values)
    count = len(ordered)
    if not count:
        return NAN, NAN, NAN
    centre = float(np.median(ordered))
    rank = int(stats.binom.ppf(0.025, count, 0.5))  # P(X < rank) ≤ 2.5 %
    if rank < 1:
        return centre, NAN, NAN
    return centre, float(ordered[rank - 1]), float(ordered[count - rank])


def influence(estimate: float, parts: Rows) -> tuple[float, float]:
    """(low, high) of an estimate from each row's influence on it (Hampel 1974): the delta method over rows.

    `parts` (rows,) has mean 0; the standard error is its root mean square over the square root of the rows.
    """
    if len(parts) < 2:
        return NAN, NAN
    half = Z * float(np.sqrt((parts**2).sum()) / len(parts))
    return estimate - half, estimate + half


def delong(scores: Rows, positive: Rows) -> tuple[float, Rows]:
    """(area under the ROC curve, each row's influence on it); NaN where a class is absent.

    Ties count one half. The variance from `influence` is that of DeLong, DeLong & Clarke-Pearson 1988, with n instead
    of n - 1 undone: each class's components are scaled by √(m / (m - 1)). By midranks (Sun & Xu 2014).
    """
    ones, zeros = scores[positive], scores[~positive]
    m, n = len(ones), len(zeros)
    if not m or not n:
        return NAN, np.full(len(scores), np.nan)
    overall = stats.rankdata(scores)
    above = (overall[positive] - stats.rankdata(ones)) / n  # share of zeros below each one
    below = 1 - (overall[~positive] - stats.rankdata(zeros)) / m  # share of ones above each zero
    area = float(above.mean())
    parts = np.empty(len(scores))
    parts[positive] = (above - area) * len(scores) / m * np.sqrt(m / max(m - 1, 1))
    parts[~positive] = (below - area) * len(scores) / n * np.sqrt(n / max(n - 1, 1))
    return area, parts


def logit_interval(p: float, n: int) -> tuple[float, float]:
    """(low, high) of an average precision p with n positive rows, on the logit.

    Source: Boyd, Eng & Page 2013, whose simulations prefer it to the bootstrap. NaN where p is 0 or 1.
    """
    if not n or not 0 < p < 1:
        return NAN, NAN
    centre, half = np.log(p / (1 - p)), Z / np.sqrt(n * p * (1 - p))
    return float(special.expit(centre - half)), float(special.expit(centre + half))


def resampled_tables(table: Rows, rng: np.random.Generator) -> Rows:
    """(RESAMPLES, …) tables of counts as drawing the rows anew with replacement would give them: the bootstrap of
    anything that depends on the rows through this table alone, at a cost that does not grow with the rows."""
    total = int(table.sum())
    draws = rng.multinomial(total, (table / total).ravel(), size=RESAMPLES)
    return draws.reshape(RESAMPLES, *table.shape)


def percentiles(values: Rows) -> tuple[float, float]:
    """(low, high) of bootstrap replicates; NaN where there are none or they have no spread."""
    finite = values[np.isfinite(values)]
    if not len(finite) or finite.min() == finite.max():
        return NAN, NAN
    low, high = np.quantile(finite, [0.025, 0.975])
    return float(low), float(high)


def clopper_pearson(x: int, n: int) -> tuple[float, float]:
    """(low, high) of the proportion x / n that cover at 95 % or more whatever it is; (0, 1) where n is 0.

    Source: Clopper & Pearson 1934, by quantiles of the beta distribution.
    """
    low = float(special.betaincinv(x, n - x + 1, 0.025)) if x > 0 else 0.0
    high = float(special.betaincinv(x + 1, n - x, 0.975)) if x < n else 1.0
    return low, high
