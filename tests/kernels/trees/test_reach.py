"""The bound at once against the first bound of the search, and against every combination."""

from itertools import product

import numpy as np
import pytest

from showcause.kernels.trees import boxes
from showcause.kernels.trees.reach import least, reach
from tests.kernels.trees.games import random_forest


def case(seed, **options):
    """Every code of a column is a cell; of two columns that belong together every pair."""
    forest = random_forest(seed, n_features=4, **options)
    codes = [np.arange(n) for n in forest.grid.n_codes]
    columns = [np.array([0]), np.array([1, 3]), np.array([2])]
    cells = [np.array(list(product(*(codes[c] for c in of)))) for of in columns]
    score = boxes.score(forest, np.random.default_rng(seed).normal(size=forest.n_outputs))
    return forest, boxes.cells(forest, columns, cells), score, columns, cells


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("options", [{}, {"width": 2}, {"n_trees": 4, "n_outputs": 2}, {"n_trees": 1, "depth": 0}])
def test_of_each_tree_the_least_that_some_cells_reach(seed, options):
    forest, kernel, score, columns, cells = case(seed, **options)
    rng = np.random.default_rng([seed, 1])
    box = rng.random(int(kernel.start[-1])) < 0.4
    for player in range(3):
        box[rng.integers(kernel.start[player], kernel.start[player + 1])] = True
    inside = [cell[box[kernel.start[p] : kernel.start[p + 1]]] for p, cell in enumerate(cells)]
    rows = np.zeros((0, 4), np.int64)
    for chosen in product(*inside):
        row = np.zeros(4, np.int64)
        for of, codes in zip(columns, chosen, strict=True):
            row[of] = codes
        rows = np.vstack([rows, row])
    walks = np.array([[walk(forest, score, tree, row) for tree in range(forest.n_trees)] for row in rows])
    found = least(reach(forest, kernel), score, kernel, box)
    assert found == pytest.approx(score.base + walks.min(axis=0).sum(), abs=1e-12)


def walk(forest, score, tree, codes):
    node, nodes = forest.roots[tree], forest.grid.nodes
    while nodes.feature[node] >= 0:
        code, table = codes[nodes.feature[node]], nodes.table[node]
        left = nodes.table_left[table + code] if table >= 0 else nodes.low[node] <= code <= nodes.high[node]
        node = nodes.left[node] if left else nodes.right[node]
    return score.value[node]


@pytest.mark.parametrize("seed", range(20))
def test_the_first_bound_of_the_search_is_no_better(seed):
    forest, kernel, score, *_ = case(seed, width=2)
    rng = np.random.default_rng(seed)
    box = np.zeros(int(kernel.start[-1]), bool)
    for p in range(3):
        low, high = np.sort(rng.integers(kernel.start[p], kernel.start[p + 1], 2))
        box[low : high + 1] = True
    found = least(reach(forest, kernel), score, kernel, box)
    assert boxes.search(score, kernel, box.astype(np.uint8), np.nextafter(found, np.inf), 1)[0] != boxes.PROVEN


def test_trees_with_more_leaves_have_none():
    forest = random_forest(0, depth=9, chain=False, n_trees=2, thresholds=tuple(np.linspace(-1, 1, 40)))
    assert forest.masks is None
    assert reach(forest, None) is None
