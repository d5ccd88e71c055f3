"""Distances between rows of mixed columns, each summed column by column in one order: equal rows have equal distances
to everything, on any number of threads."""

import numpy as np
from numpy.typing import NDArray

from .trees.compiled import parallel, prange

Floats = NDArray[np.float64]


def squared_distances(a: Floats, b: Floats, category: NDArray[np.bool_], scale: Floats) -> Floats:
    """(n, m) of rows a (n, p) and b (m, p); NaN is missing, categories are codes that both share.

    A column adds (scale · difference)², another category scale²; one of the two missing adds 1, both missing nothing.
    """
    out: Floats = np.empty((len(a), len(b)))
    _squared(np.ascontiguousarray(a), np.ascontiguousarray(b), category, scale, out)
    return out


@parallel
def _squared(a: Floats, b: Floats, category: NDArray[np.bool_], scale: Floats, out: Floats) -> None:
    n, p = a.shape
    for j in prange(len(b)):
        for i in range(n):
            total = 0.0
            for c in range(p):
                x, y = a[i, c], b[j, c]
                if np.isnan(x) or np.isnan(y):
                    if np.isnan(x) != np.isnan(y):
                        total += 1.0
                elif category[c]:
                    if x != y:
                        total += scale[c] * scale[c]
                else:
                    d = scale[c] * (x - y)
                    total += d * d
            out[i, j] = total
