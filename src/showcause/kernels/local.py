"""A line fitted near one row: plain arrays in, plain arrays out.

Notation
    n, k, K  sampled neighbours, regressors, outputs
    X, y     regressors (n, k), zero at the row explained; outputs (n, K)
    b        y ≈ b_0 + X b, by least squares with equal weights: the neighbours were drawn from the kernel
    g, c     what a stand-in says of each neighbour, which it was not fitted to (n, K), and the line through the
             stand-in (k + 1, K), known from as many neighbours as one likes, since it costs no evaluation. Then
             b = c + the line through y - g: as unbiased as the line through y, and the steadier the less is left over
    V        covariance of b over draws, (X'X)^-1 X' diag(e²) X (X'X)^-1 (White 1980): what is left over, e, is the
             model's own curvature and need not vary alike everywhere. Draws that fill each feature evenly take the sums
             of curves of single features out of the error (Stein 1987): so they are taken out of e, by the means over
             `strata`, and the degrees of freedom with them. That they fill pairs of features evenly too is not
             reckoned with: of few features the error said is larger than the real one
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

RANK = 1e-10  # of the largest singular value: below, regressors are not told apart
FLAT = 1e-12  # a sample whose outputs vary less, relative to their size, has no fit to speak of
AGAIN = 400  # draws of what other neighbours would say
CURVED = 1e-18  # share of the squared outputs that a line leaves over; below, it is rounding


@dataclass(frozen=True)
class Line:
    """at (K,) the line's value at the row; slopes (k, K); covariance (K, k, k) of slopes; fit (K,) R² over the
    neighbours, NaN where the outputs do not vary."""

    at: Array
    slopes: Array
    covariance: Array
    fit: Array


@dataclass(frozen=True)
class StandIn:
    """told (n, K) of the neighbours; line (k + 1, K) and covariance (K, k + 1, k + 1) of the line through it."""

    told: Array
    line: Array
    covariance: Array


def line(X: Array, y: Array, strata: Array, known: StandIn | None = None) -> Line:
    """Regressors (n, k), outputs (n, K), the stratum of each draw in each feature (n, p); n > k + 1. A regressor that
    does not vary gets a slope of zero."""
    n, k = X.shape
    whole, inverse = _inverse(X)
    start = y[0]  # so that what does not vary has slopes of exactly zero
    told = 0.0 if known is None else known.told
    b = inverse @ (y - start - told)
    over = y - start - told - whole @ b
    if known is not None:
        b = b + known.line
    left = y - start - whole @ b
    total = ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    varies = total > (FLAT * np.abs(y).max(axis=0, initial=0)) ** 2 * n
    fit = np.where(varies, 1 - (left**2).sum(axis=0) / np.where(varies, total, 1.0), np.nan)
    free = n - k - 1 - (int(strata.max(initial=0)) * strata.shape[1])
    rest = _without_curves(over, strata) * np.sqrt(n / max(free, 1))
    covariance = np.stack([(inverse * rest[:, j] ** 2) @ inverse.T for j in range(y.shape[1])])
    if known is not None:
        covariance = covariance + known.covariance
    return Line(b[0] + start, b[1:], covariance[:, 1:, 1:], fit)


def curvature(X: Array, y: Array) -> Array | None:
    """(n, K) what a line through all neighbours leaves over; None where that is nothing but rounding."""
    whole, inverse = _inverse(X)
    left = y - y[0] - whole @ (inverse @ (y - y[0]))
    return left if (left**2).sum() > CURVED * (y**2).sum() else None


def through(X: Array, y: Array) -> Array:
    """(k + 1, K) the line, its value at the row first."""
    return np.asarray(_inverse(X)[1] @ y)


def _inverse(X: Array) -> tuple[Array, Array]:
    """(n, k + 1) with the offset's column first, and its pseudo-inverse."""
    whole = np.column_stack([np.ones(len(X)), X])
    u, s, vt = np.linalg.svd(whole, full_matrices=False)
    kept = s > RANK * s[0]
    inverse = (vt[kept].T / s[kept]) @ u[:, kept].T
    inverse[1:][~X.any(axis=0)] = 0.0  # exactly
    return whole, inverse


def _without_curves(left: Array, strata: Array) -> Array:
    """(n, K) less the mean of each stratum of each feature, twice over since strata are not quite independent."""
    rest = left.copy()
    for _ in range(2):
        for stratum in strata.T:
            size = np.maximum(np.bincount(stratum), 1)
            mean = np.stack([np.bincount(stratum, column) / size for column in rest.T], axis=1)
            rest -= mean[stratum]
    return rest


def apart(values: Array, covariance: Array, leading: int) -> float:
    """How many standard errors the `leading` largest |values| (p, K) are from the others at least, over all outputs.

    covariance (K, p, p). Infinite where there are no others, or no error.
    """
    least = np.inf
    for value, spread in zip(values.T, covariance, strict=True):
        order = np.argsort(-np.abs(value), kind="stable")
        first, others = order[:leading], order[leading:]
        signed = np.where(value < 0, -1.0, 1.0)
        gap = np.abs(value[first])[:, None] - np.abs(value[others])
        own = np.diag(spread)
        both = spread[np.ix_(first, others)] * np.outer(signed[first], signed[others])
        error = np.sqrt(np.maximum(own[first][:, None] + own[others] - 2 * both, 0.0))
        certain = error <= RANK * np.abs(value).max(initial=0)
        least = min(least, np.where(certain, np.inf, gap / np.where(certain, 1.0, error)).min(initial=np.inf))
    return float(least)


def overlap(values: Array, covariance: Array, leading: int, rng: np.random.Generator) -> float:
    """The mean Jaccard overlap of the `leading` largest |values| (p, K) with those that other draws of neighbours would
    give, least over outputs: both are the truth and an error, so another draw's values are these and √2 errors.

    covariance (K, p, p).
    """
    least = 1.0
    for value, spread in zip(values.T, covariance, strict=True):
        size, axes = np.linalg.eigh(spread)
        error = axes * np.sqrt(2 * np.maximum(size, 0.0))
        others = value + rng.standard_normal((AGAIN, len(value))) @ error.T
        mine = np.argsort(-np.abs(value), kind="stable")[:leading]
        theirs = np.argsort(-np.abs(others), axis=1, kind="stable")[:, :leading]
        both = np.isin(theirs, mine).sum(axis=1)
        least = min(least, float((both / (2 * len(mine) - both)).mean()))
    return least


class Spread:
    """Numbers from [0, 1) that fill the cube evenly, however many were had before: a scrambled Sobol sequence
    (Owen 1995); independent ones in more dimensions than it has."""

    def __init__(self, rng: np.random.Generator, p: int) -> None:
        from scipy.stats import qmc

        self.rng, self.p = rng, p
        self.sequence = qmc.Sobol(p, rng=rng) if p <= qmc.Sobol.MAXDIM else None

    def more(self, n: int) -> Array:
        """(n, p)"""
        if self.sequence is None:
            return self.rng.random((n, self.p))
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that n is no power of two
            return np.asarray(self.sequence.random(n))


def nearby(distance: Array, width: float) -> Array:
    """(m, p) distances in each feature → (m, p) chances to be drawn, which sum to one in each: exp(-d² / 2 width²)."""
    weight = np.exp(-0.5 * (distance / width) ** 2)
    return weight / weight.sum(axis=0)
