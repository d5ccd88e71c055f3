"""The cheapest changes of one or two features, by trying them all."""

from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest

from showcause.adapters.candidates import Options
from showcause.adapters.optimal import FIRST, _combined


def options(rng, name):
    size = int(rng.integers(1, 2 * FIRST))
    own = int(rng.integers(size))
    costs = rng.integers(1, 40, size) / 8  # ties are common
    costs[own] = 0.0
    return Options(name, 0, np.arange(size) * 1.0, np.arange(size), costs, own)


def every(search, before, limit):
    found = []
    for j, a in enumerate(search.options):
        found += [((j, j), (i, i), a.costs[i]) for i in range(len(a.costs)) if i != a.own]
        for k in range(j + 1, len(search.options)):
            b = search.options[k]
            able = product(range(len(a.costs)), range(len(b.costs)))
            found += [((j, k), (x, y), a.costs[x] + b.costs[y]) for x, y in able if x != a.own and y != b.own]
    return {one for one in found if one[2] < limit and not any(of <= set(one[0]) for of in before)}


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("most", [10, 700, 100_000])
def test_the_cheapest_are_there_and_whether_these_are_all(seed, most):
    rng = np.random.default_rng(seed)
    search = SimpleNamespace(options=[options(rng, f"x{j}") for j in range(5)])
    before = [frozenset({0, 1}), frozenset({2})][: seed % 3]
    limit = float(rng.choice([3.0, 9.0, np.inf]))
    numbers, candidates, costs = _combined(search, before, limit, most)
    found = set(zip(map(tuple, numbers.tolist()), map(tuple, candidates.tolist()), costs.tolist(), strict=True))
    whole = every(search, before, limit)
    assert len(found) == len(costs)
    assert found <= whole
    dearest = sorted(cost for *_, cost in whole)[: most + 1]
    assert (
        found >= {one for one in whole if one[2] <= dearest[min(most, len(dearest) - 1)]} if len(costs) else not whole
    )
    assert (len(costs) > most) == (len(whole) > most)
