"""What each training row adds to a ridge or logistic regression: the fit without the row, in closed form.

Notation: n rows a_i (p columns), hessian weights v_i, residuals r_i (the gradient of row i's loss is −r_i a_i), penalty
λ on the slopes, an intercept without penalty or none. ā is the mean of the rows weighted by v.

Leaving out row i moves the output at x by −k(x, i) r_i / (1 − v_i k(i, i)) with
k(x, i) = 1 / Σv + (x − ā)ᵀ (Σ v (a − ā)(a − ā)ᵀ + λ)⁻¹ (a_i − ā): exactly for least squares with v = 1 (Cook 1977),
by one Newton step of the fit without the row for logistic regression (Pregibon 1981) with v = p (1 − p).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Rows = np.ndarray[Any, np.dtype[Any]]

RANK = 1e-10  # directions with less than this share of the largest curvature are not in the rows
CLEAN = 1e-7  # a gradient this small is rounding: the first penalty that reaches it is the one
ALONE = 1e-9  # a row with 1 − leverage below this holds a direction alone: there is no fit without it


@dataclass(frozen=True)
class Fit:
    """`weight` v (n,), `residual` r (n,), `intercept` whether there is one."""

    rows: Rows
    weight: Rows
    residual: Rows
    penalty: float
    intercept: bool


@dataclass(frozen=True)
class Solved:
    """`effects` of a fit: k(x, i) = constant + (x - centre) half · theirs[i]; share (n,) = r_i / (1 - v_i k(i, i))."""

    centre: Rows
    half: Rows
    constant: float
    theirs: Rows
    share: Rows

    def effects(self, at: Rows, unit: Rows) -> Rows:
        """(E, n): output minus the output without the row, of the functionals at · slopes + unit · intercept.

        at (E, p) rows and unit (E,) ones give outputs; weighted sums of them give sums of outputs. NaN where there is
        no fit without the row.
        """
        mine = (at - unit[:, None] * self.centre) @ self.half
        return np.asarray((self.constant * unit[:, None] + mine @ self.theirs.T) * self.share)

    @property
    def own(self) -> Rows:
        """(n,): each row's own output minus its output without the row."""
        return np.asarray((self.constant + (self.theirs**2).sum(axis=1)) * self.share)


def solve(fit: Fit) -> Solved:
    total = fit.weight.sum()
    centre = fit.weight @ fit.rows / total if fit.intercept else np.zeros(fit.rows.shape[1])
    centred = fit.rows - centre
    half = _inverse_root((centred * fit.weight[:, None]).T @ centred + fit.penalty * np.eye(len(centre)))
    theirs, constant = centred @ half, 1.0 / total if fit.intercept else 0.0
    left = 1.0 - fit.weight * (constant + (theirs**2).sum(axis=1))
    share = np.where(left > ALONE, fit.residual / np.where(left > ALONE, left, 1.0), np.nan)
    return Solved(centre, half, constant, theirs, share)


def _inverse_root(matrix: Rows) -> Rows:
    """B with B Bᵀ the (pseudo-)inverse of a symmetric matrix."""
    values, vectors = np.linalg.eigh(matrix)
    kept = values > RANK * max(values.max(initial=0.0), 1e-300)
    return np.asarray(vectors[:, kept] / np.sqrt(values[kept]))


def gradient_gap(fit: Fit, slopes: Rows, named: list[float]) -> tuple[float, float]:
    """(λ, gap): the penalty under which the slopes are nearest to an optimum on these rows, and how far from one.

    At the optimum Σ r_i (a_i − mean) = λ · slopes and Σ r_i = 0; `gap` is the largest violation, each relative to the
    sum of its absolute terms. Tried are the penalties that the estimator names, none, and the one that fits best.
    """
    centred = fit.rows - fit.rows.mean(axis=0) if fit.intercept else fit.rows
    pull = fit.residual @ centred
    size = np.abs(fit.residual) @ np.abs(centred)
    used = size > 1e-12 * max(float(size.max(initial=0.0)), 1e-300)
    pull, own, size = pull[used], slopes[used], size[used]
    norm = float(((own / size) ** 2).sum())
    implied = max(0.0, float((pull * own / size**2).sum()) / norm) if norm > 0 else 0.0
    bias = abs(float(fit.residual.sum())) / max(float(np.abs(fit.residual).sum()), 1e-300) if fit.intercept else 0.0
    tried = [(max(bias, float(np.abs((pull - p * own) / size).max(initial=0.0))), p) for p in [*named, 0.0, implied]]
    near = [pair for pair in tried if pair[0] <= CLEAN]
    gap, penalty = near[0] if near else min(tried, key=lambda pair: pair[0])
    return penalty, gap


def without(rows: Rows, y: Rows, weight: Rows, penalty: float, start: Rows, row: int, steps: int = 50) -> Rows:
    """(p + 1,) slopes and intercept of the logistic regression without one row, by Newton's method to convergence."""
    kept = np.arange(len(rows)) != row
    design = np.column_stack([rows[kept], np.ones(kept.sum())])
    ridge = np.diag([*np.full(rows.shape[1], penalty), 0.0])
    beta = start.copy()
    for _ in range(steps):
        p = 0.5 * (1.0 + np.tanh(0.5 * (design @ beta)))
        pull = design.T @ (weight[kept] * (y[kept] - p)) - ridge @ beta
        curve = (design * (weight[kept] * p * (1 - p))[:, None]).T @ design + ridge
        move = np.linalg.lstsq(curve, pull, rcond=None)[0]
        beta = beta + move
        if np.abs(move).max() <= 1e-12 * max(1.0, np.abs(beta).max()):
            break
    return np.asarray(beta)
