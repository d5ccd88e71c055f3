"""Which changes of one or two features cost less than a limit.

Notation: F features, C candidates of all features, feature j's are start[j]:start[j + 1].
"""

import numpy as np
from numpy.typing import NDArray

from .trees.compiled import compiled

Array = NDArray[np.float64]
Longs = NDArray[np.int64]


@compiled
def below(costs: Array, start: Longs, barred: NDArray[np.bool_], limit: float, found: Longs, total: Array) -> int:
    """How many there are. Those that there is room for go into found (room, 2), their places among the candidates,
    a single one twice, and total (room,), their costs: by the features, then the candidates.

    costs (C,); barred (F, F), of j <= k: no change of both counts, on the diagonal of j alone.
    """
    count, n_features = 0, len(start) - 1
    floor = np.full(n_features, np.inf)
    for j in range(n_features):
        for a in range(start[j], start[j + 1]):
            floor[j] = min(floor[j], costs[a])
    for j in range(n_features):
        for k in range(j, n_features):
            if barred[j, k]:
                continue
            for a in range(start[j], start[j + 1]):
                if k > j and costs[a] + floor[k] >= limit:
                    continue
                first, last = (start[k], start[k + 1]) if k > j else (a, a + 1)
                for b in range(first, last):
                    cost = costs[a] + costs[b] if k > j else costs[a]
                    if cost < limit:
                        if count < len(found):
                            found[count, 0], found[count, 1], total[count] = a, b, cost
                        count += 1
    return count
