"""A line fitted near one row: plain arrays in, plain arrays out.

Notation
    n, k, K  sampled neighbours, regressors, outputs
    X, y     regressors (n, k), zero at the row explained; outputs (n, K)
    b        y ≈ b_0 + X b, by least squares with equal weights: the neighbours were drawn from the kernel
    V        covariance of b over draws, (X'X)^-1 X' diag(e²) X (X'X)^-1 (White 1980): what is left over, e, is the
             model's own curvature and need not vary alike everywhere. Draws that fill each feature evenly take the sums
             of curves of single features out of the error (Stein 1987): so they are taken out of e, by the means over
             `strata`, and the degrees of freedom with them. That they fill pairs of features evenly too is not
             reckoned with: the error said is no smaller than the real one
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

RANK = 1e-10  # of the largest singular value: below, regressors are not told apart
FLAT = 1e-12  # a sample whose outputs vary less, relative to their size, has no fit to speak of


@dataclass(frozen=True)
class Line:
    """at (K,) the line's value at the row; slopes (k, K); covariance (K, k, k) of slopes; fit (K,) R² over the
    neighbours, NaN where the outputs do not vary."""

    at: Array
    slopes: Array
    covariance: Array
    fit: Array


def line(X: Array, y: Array, strata: Array) -> Line:
    """Regressors (n, k), outputs (n, K), the stratum of each draw in each feature (n, p); n > k + 1. A regressor that
    does not vary gets a slope of zero."""
    n, k = X.shape
    whole = np.column_stack([np.ones(n), X])
    u, s, vt = np.linalg.svd(whole, full_matrices=False)
    kept = s > RANK * s[0]
    inverse = (vt[kept].T / s[kept]) @ u[:, kept].T  # (k + 1, n)
    start = y[0]  # so that what does not vary has slopes of exactly zero
    b = inverse @ (y - start)
    left = y - start - whole @ b
    total = ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    varies = total > (FLAT * np.abs(y).max(axis=0, initial=0)) ** 2 * n
    fit = np.where(varies, 1 - (left**2).sum(axis=0) / np.where(varies, total, 1.0), np.nan)
    free = n - k - 1 - (int(strata.max(initial=0)) * strata.shape[1])
    rest = _without_curves(left, strata) * np.sqrt(n / max(free, 1))
    covariance = np.stack([(inverse * rest[:, j] ** 2) @ inverse.T for j in range(y.shape[1])])
    return Line(b[0] + start, b[1:], covariance[:, 1:, 1:], fit)


def _without_curves(left: Array, strata: Array) -> Array:
    """(n, K) less the mean of each stratum of each feature, twice over since strata are not quite independent."""
    rest = left.copy()
    for _ in range(2):
        for stratum in strata.T:
            size = np.maximum(np.bincount(stratum), 1)
            mean = np.stack([np.bincount(stratum, column) / size for column in rest.T], axis=1)
            rest -= mean[stratum]
    return rest


def spread_out(rng: np.random.Generator, n: int, p: int) -> Array:
    """(n, p) numbers from [0, 1) that fill the cube evenly: a scrambled Sobol sequence (Owen 1995)."""
    from scipy.stats import qmc

    if p > qmc.Sobol.MAXDIM:
        return rng.random((n, p))
    return np.asarray(qmc.Sobol(p, rng=rng).random_base2(max(n - 1, 1).bit_length())[:n])


def nearby(distance: Array, width: float) -> Array:
    """(m, p) distances in each feature → (m, p) chances to be drawn, which sum to one in each: exp(-d² / 2 width²)."""
    weight = np.exp(-0.5 * (distance / width) ** 2)
    return weight / weight.sum(axis=0)
