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
    whole = _moments(crossed.mean(axis=1), joint.mean(axis=1))
    floor = SMALL * float(np.var(joint))
    h2, strength = _both(*whole, floor)
    if m < 3:
        return h2, np.nan, strength, np.nan
    left = [
        _both(*_moments(np.delete(_without(crossed, r), r), np.delete(_without(joint, r), r)), floor) for r in range(m)
    ]
    errors = np.sqrt((m - 1) / m * ((np.array(left) - np.mean(left, axis=0)) ** 2).sum(axis=0))
    return h2, float(errors[0]), strength, float(errors[1])


def _without(table: Rows, row: int) -> Rows:
    """(m,) means over all rows but one."""
    return np.asarray((table.sum(axis=1) - table[:, row]) / (len(table) - 1))


def _moments(crossed: Rows, joint: Rows) -> tuple[float, float]:
    residue = (ROUNDING**2) * float(np.mean(joint**2))  # what sums of doubles leave of exact additivity is no strength
    strength = float(np.var(crossed))
    return strength if strength > residue else 0.0, float(np.var(joint))


def _both(crossed: float, joint: float, floor: float) -> tuple[float, float]:
    known = joint > floor
    return (crossed / joint if known else np.nan), float(np.sqrt(crossed))
