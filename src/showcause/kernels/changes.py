"""Did it change, or is it what training gives by chance? The decision between two panels of retrainings.

Notation: before (K1, n) and after (K2, n) hold n statistics (a feature's importance, a curve's value at a place, a
metric) of K1 and K2 refits; delta = mean(after) - mean(before); s² the variance of one refit, pooled over both panels
with d = K1 + K2 - 2 degrees of freedom.

The unit of replication is the training run, and the refits of one panel share their data: their mean does not close in
on the truth as K grows. So the error of delta is not s √(1/K1 + 1/K2) but

    error² = s² (1 + 1/K1) + s² (1 + 1/K2):

each side is off by one bootstrap standard deviation (its sample of training rows) and its mean by 1/√K of one more.
s² is moderated: shrunk towards the other statistics' as in limma (Smyth 2004, "Linear models and empirical Bayes
methods for assessing differential expression", section 6.2), with d0 further degrees of freedom, both estimated from
the variances. Benjamini & Hochberg 1995 over the n statistics; equivalence by two one-sided tests (Schuirmann 1987).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import digamma, polygamma, stdtr, zeta

Rows = np.ndarray[Any, np.dtype[Any]]

LEVEL = 0.05
CHANGED, UNCHANGED, INCONCLUSIVE = "changed", "unchanged", "inconclusive"


@dataclass(frozen=True)
class Changes:
    """All (n,): delta and its error in the statistics' own unit, p and its adjusted q, the verdict in a word."""

    delta: Rows
    error: Rows
    p: Rows
    q: Rows
    verdict: Rows


def changes(before: Rows, after: Rows, margin: Rows | float = 0.0, level: float = LEVEL) -> Changes:
    """Changes between the panels `before` (K1, n) and `after` (K2, n); a NaN is a refit that has no such statistic.

    margin (n,) or one for all: differences up to it do not matter in practice.

    "changed": q ≤ level and |delta| > margin. "unchanged": refit by refit the same values, or both one-sided tests show
    |delta| < margin at `level`. "inconclusive": neither; so is whatever has fewer than two values on a side (error, p
    and q are NaN: one run has no spread). A statistic without any spread is judged by the others' (the prior variance);
    where nothing varies at all, any difference is real.

    Raises ValueError where the panels are not (refits, n) with the same n, hold infinities, or where a margin is
    negative or `level` is not between 0 and 1.
    """
    before, after = _panel(before, "before"), _panel(after, "after")
    margin = np.broadcast_to(np.asarray(margin, dtype=np.float64), before.shape[1:])
    if before.shape[1] != after.shape[1]:
        raise ValueError(f"before has {before.shape[1]} statistics, after has {after.shape[1]}")
    if not (margin >= 0).all() or not 0 < level < 1:
        raise ValueError("a margin must be at least 0 and the level between 0 and 1")
    sizes = [np.isfinite(panel).sum(axis=0) for panel in (before, after)]
    judged = (sizes[0] > 1) & (sizes[1] > 1)
    means, squares = zip(*(_moments(panel, size) for panel, size in zip((before, after), sizes, strict=True)),
                         strict=True)  # fmt: skip
    delta = means[1] - means[0]
    freedom = np.where(judged, sizes[0] + sizes[1] - 2, 1)
    variance = np.where(judged, (squares[0] + squares[1]) / freedom, np.nan)
    variance, freedom = moderated(variance, freedom)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(variance * (2 + 1 / sizes[0] + 1 / sizes[1]))
        t = np.where(delta == 0, 0.0, np.abs(delta) / error)
        p = np.where(judged, 2 * stdtr(freedom, -t), np.nan)
        inside = stdtr(freedom, -np.where(margin > np.abs(delta), (margin - np.abs(delta)) / error, -np.inf))
    q = adjusted(p)
    verdict = np.full(delta.shape, INCONCLUSIVE, dtype=object)
    verdict[judged & (q <= level) & (np.abs(delta) > margin)] = CHANGED
    verdict[judged & ((inside <= level) | _same(before, after))] = UNCHANGED
    return Changes(delta, error, p, q, verdict)


def _panel(values: Rows, name: str) -> Rows:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or np.isinf(values).any():
        raise ValueError(f"{name} must be (refits, statistics) without infinities, got shape {values.shape}")
    return values


def _moments(panel: Rows, size: Rows) -> tuple[Rows, Rows]:
    """(mean, sum of squared distances from it) of the finite values; NaN and 0 where there are none. Equal values have
    exactly their value as mean and no distance, whatever rounding a sum would bring."""
    known = np.isfinite(panel)
    first = np.where(size > 0, panel[known.argmax(axis=0), np.arange(panel.shape[1])], 0.0) if len(panel) else np.nan
    apart = np.where(known, panel - first, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.where(size > 0, apart.sum(axis=0) / size, np.nan)
    squares = (np.where(known, apart - shift, 0.0) ** 2).sum(axis=0)
    return first + shift, squares


def _same(before: Rows, after: Rows) -> Rows:
    """(n,) whether both panels hold the same values, refit by refit, or one value that never varies."""
    still = (np.ptp(np.concatenate([before, after]), axis=0) == 0) if before.size and after.size else False
    same = (before == after).all(axis=0) if before.shape == after.shape else False
    return np.broadcast_to(np.asarray(still) | np.asarray(same), before.shape[1:])


def moderated(variance: Rows, freedom: Rows) -> tuple[Rows, Rows]:
    """(variances, degrees of freedom), each (n,), shrunk towards a common prior; NaN stays NaN.

    The prior's d0 and s0² are the moments of log variances (Smyth 2004, equations before 4); variances of zero take no
    part in it. Under three others there is nothing to learn from, and the variances are returned as they are. The
    estimator of limma's squeezeVar, without a trend.
    """
    seen = np.isfinite(variance) & (variance > 0)
    if seen.sum() < 3:
        return variance, freedom.astype(np.float64)
    half = freedom[seen] / 2
    e = np.log(variance[seen]) - digamma(half) + np.log(half)
    spread = e.var(ddof=1) - polygamma(1, half).mean()
    if spread <= 0:  # no more than sampling explains: one variance for all
        return np.where(np.isnan(variance), np.nan, np.exp(e.mean())), np.full(freedom.shape, np.inf)
    d0 = 2 * _trigamma_inverse(float(spread))
    s0 = np.exp(e.mean() + digamma(d0 / 2) - np.log(d0 / 2))
    return (d0 * s0 + freedom * variance) / (d0 + freedom), freedom + d0


def _trigamma_inverse(value: float) -> float:
    """x with trigamma(x) = value, by Newton on 1/trigamma, which is convex and nearly linear (Smyth 2004, appendix)."""
    if value > 1e7:
        return float(1 / np.sqrt(value))
    if value < 1e-6:
        return 1 / value
    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(zeta(2, x))
        step = trigamma * (1 - trigamma / value) / float(polygamma(2, x))
        x += step
        if -step / x < 1e-8:
            break
    return x


def adjusted(p: Rows) -> Rows:
    """q (n,): the smallest level at which Benjamini & Hochberg would report each; NaN takes no part."""
    q = np.full(p.shape, np.nan)
    seen = np.flatnonzero(np.isfinite(p))
    order = seen[np.argsort(-p[seen], kind="stable")]  # the largest first
    ranks = np.arange(len(order), 0, -1)
    q[order] = np.minimum(1.0, np.minimum.accumulate(p[order] * len(order) / ranks)) if len(order) else q[order]
    return q
