"""Distances between rows of mixed columns, each summed column by column in one order: equal rows have equal distances
to everything, on any number of threads."""

import numpy as np
from numpy.typing import NDArray

from .trees.compiled import Turn, compiled, parallel, spread

Floats = NDArray[np.float64]


def squared_distances(a: Floats, b: Floats, category: NDArray[np.bool_], scale: Floats) -> Floats:
    """(n, m) of rows a (n, p) and b (m, p); NaN is missing, categories are codes that both share.

    A column adds (scale · difference)², another category scale²; one of the two missing adds 1, both missing nothing.
    """
    out: Floats = np.zeros((len(a), len(b)))
    _squared(np.ascontiguousarray(a), np.ascontiguousarray(b.T), category, scale, out)
    return out


@parallel
def _squared(turn: Turn, a: Floats, b: Floats, category: NDArray[np.bool_], scale: Floats, out: Floats) -> None:
    """b (p, m): of a row of a, all rows of b are gone through column by column, side by side."""
    for i in spread(turn, len(a)):
        for c in range(len(b)):
            _add(a[i, c], b[c], category[c], scale[c], out[i])


@compiled
def _add(x: float, other: Floats, category: bool, scale: float, total: Floats) -> None:
    if np.isnan(x):
        for j in range(len(other)):
            total[j] += 0.0 if np.isnan(other[j]) else 1.0
    elif category:
        for j in range(len(other)):
            total[j] += 1.0 if np.isnan(other[j]) else (scale * scale if x != other[j] else 0.0)
    else:
        for j in range(len(other)):
            d = scale * (x - other[j])
            total[j] += 1.0 if np.isnan(other[j]) else d * d
