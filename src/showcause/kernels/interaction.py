"""Friedman & Popescu's H² for a pair of features (2008, equation 44), its strength, and their errors.

Notation: m rows; joint[a, i] is the prediction for row i with both features taken from row a; one[a, i] and other[a, i]
with one feature each. Their means over i are partial dependences at row a.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Rows = np.ndarray[Any, np.dtype[Any]]

ROUNDING = 1e-12
SMALL = 1e-10  # a partial dependence whose variance is below this share of the predictions' has no H²


def interaction(joint: Rows, one: Rows, other: Rows) -> tuple[float, float, float, float]:
    """(h2, its error, strength, its error) from three (m, m) tables.

    strength   the standard deviation over the rows of PD_jk - PD_j - PD_k, in the unit of the predictions
    h2         its square as a share of the variance of PD_jk; NaN where the two features move nothing
    Errors are the jackknife's over rows, each left out both as a place and as a row averaged over.
    """
    m = len(joint)
    crossed = joint - one - other
    floor = SMALL * float(np.var(joint))
    h2, strength = _both(crossed.mean(axis=1), joint.mean(axis=1), floor)
    if m < 3:
        return float(h2), np.nan, float(strength), np.nan
    left = np.stack(_both(_without_each(crossed), _without_each(joint), floor), axis=1)
    errors = np.sqrt((m - 1) / m * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    return float(h2), float(errors[0]), float(strength), float(errors[1])


def _without_each(table: Rows) -> Rows:
    """(m, m - 1) [r]: means at all rows but r over all rows but r."""
    m = len(table)
    means = (table.sum(axis=1) - table.T) / (m - 1)
    return np.asarray(means[~np.eye(m, dtype=np.bool_)].reshape(m, m - 1))


def _both(crossed: Rows, joint: Rows, floor: float) -> tuple[Rows, Rows]:
    """Partial dependences (…, places) → h2 and strength (…,)."""
    residue = ROUNDING**2 * np.mean(joint**2, axis=-1)  # what sums of doubles leave of exact additivity is no strength
    moved, whole = np.var(crossed, axis=-1), np.var(joint, axis=-1)
    moved, known = np.where(moved > residue, moved, 0.0), whole > floor
    return np.where(known, moved / np.where(known, whole, 1.0), np.nan), np.sqrt(moved)
