"""The least answer over a box of cells is that of enumerating its combinations."""

from itertools import product

import numpy as np
import pytest

from showcause.kernels.trees import boxes
from tests.kernels.trees.games import random_forest

PLAYERS = {"a column each": [[0], [1], [2], [3]], "two columns move together": [[0, 3], [1], [2]]}


def case(seed, players):
    """(forest, score of output 0 less output 1, cells, a random box): cells are codes, of two columns pairs of them."""
    rng = np.random.default_rng(seed)
    forest = random_forest(seed, n_trees=4, n_outputs=2)
    sizes = forest.grid.n_codes
    codes = []
    for columns in players:
        every = np.array(list(product(*(range(sizes[c]) for c in columns))))
        codes.append(every[rng.permutation(len(every))[:6]].astype(np.int64))
    cells = boxes.cells(forest, [np.array(of, np.int64) for of in players], codes)
    box = rng.random(cells.start[-1]) < 0.7
    box[cells.start[:-1]] = True
    return forest, boxes.score(forest, np.array([1.0, -1.0])), cells, codes, box


def enumerated(forest, cells, codes, players, box):
    """Cells of every combination and their scores, by the forest's own prediction."""
    each = [np.flatnonzero(box[cells.start[p] : cells.start[p + 1]]) for p in range(len(players))]
    combined = np.array(list(product(*each)))
    rows = np.zeros((len(combined), forest.n_features), forest.grid.code_dtype)
    for p, columns in enumerate(players):
        rows[:, columns] = codes[p][combined[:, p]]
    out = forest.predict_codes(rows)
    return combined, out[:, 0] - out[:, 1]


@pytest.mark.parametrize("players", PLAYERS.values(), ids=PLAYERS)
@pytest.mark.parametrize("seed", range(30))
def test_the_search_answers_as_enumeration_does(seed, players):
    forest, score, cells, codes, box = case(seed, players)
    combined, values = enumerated(forest, cells, codes, players, box)
    least = values.min()
    proven = boxes.search(score, cells, box.astype(np.uint8), least - 1e-9, 10**6)
    assert proven[0] == boxes.PROVEN
    state, value, at, _ = boxes.search(score, cells, box.astype(np.uint8), least + 1e-9, 10**6)
    assert state == boxes.FOUND
    assert value == pytest.approx(least, abs=1e-9)
    assert values[(combined == at).all(axis=1)] == pytest.approx(least, abs=1e-9)


def test_without_budget_nothing_is_claimed():
    _, score, cells, _, box = case(1, PLAYERS["a column each"])
    assert boxes.search(score, cells, box.astype(np.uint8), 0.0, 0)[0] == boxes.OPEN
