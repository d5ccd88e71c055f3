"""Masks of leaves against walks from node to node: the same bits."""

from dataclasses import replace

import numpy as np
import pytest

from showcause.kernels.trees import masks, replaced
from showcause.kernels.trees.forest import Tree, _predict_block, pack
from showcause.kernels.trees.leaves import _leaf_table, leaf_table
from tests.kernels.trees.games import random_forest, random_rows
from tests.kernels.trees.test_dependence import SHAPES

WHOLE = {"n_trees": 7, "depth": 6, "n_features": 5, "width": 1}  # up to 64 leaves


def by_nodes(forest, codes):
    out = np.tile(forest.base, (len(codes), 1))
    _predict_block(forest.grid.nodes, forest.value, forest.roots, forest.tree_output, codes, out)
    return out


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shape", [*SHAPES.values(), WHOLE])
@pytest.mark.parametrize("rows", [8, 700])
def test_predictions_and_leaves_of_a_walk(shape, seed, rows):
    forest = random_forest(seed, **shape)
    codes = forest.encode(random_rows(seed, rows, forest.n_features))
    assert forest.masks is not None
    assert (forest.predict_codes(codes) == by_nodes(forest, codes)).all()
    expected = np.empty((forest.n_trees, rows), np.uint16)
    _leaf_table(forest.grid.nodes, forest.roots, codes, expected)
    assert (leaf_table(forest, codes) == expected).all()


def complete(depth):
    """Node i splits the one column at the middle of its range; leaves count from 0 on the left."""
    inner, nodes = 2**depth - 1, 2 ** (depth + 1) - 1
    level = np.floor(np.log2(np.arange(1, nodes + 1))).astype(int)
    place = np.arange(1, nodes + 1) - 2**level
    left = np.where(np.arange(nodes) < inner, 2 * np.arange(nodes) + 1, -1)
    threshold = (place + 0.5) * 2.0 ** (depth - level)
    return Tree(np.zeros(nodes, int), threshold, left, np.where(left < 0, -1, left + 1), np.ones(nodes), place * 1.0)


def test_a_tree_of_64_leaves_has_a_table_and_one_of_128_has_none():
    forests = [pack([complete(depth)], base=0.0, n_features=1) for depth in (0, 6, 7)]
    assert [forest.masks is None for forest in forests] == [False, False, True]
    X = np.arange(0.5, 128)[:, None]
    assert forests[0].predict(X)[:, 0].tolist() == [0.0] * 128
    assert forests[1].predict(X)[:64, 0].tolist() == list(range(64))
    assert forests[2].predict(X)[:, 0].tolist() == list(range(128))


def test_large_tables_come_in_parts(monkeypatch):
    forest = random_forest(1, **WHOLE)
    whole = list(masks.in_parts(forest, np.arange(forest.n_trees)))
    monkeypatch.setattr(masks, "WORDS", 40)
    anew = replace(forest)
    parts = list(masks.in_parts(anew, np.arange(anew.n_trees)))
    assert anew.masks is None
    assert len(whole) == 1 < len(parts)
    assert np.concatenate([part.tree for part in parts]).tolist() == whole[0].tree.tolist()
    assert np.concatenate([part.word for part in parts]).tolist() == whole[0].word.tolist()


def test_of_many_columns_only_those_tested_are_looked_at():
    forest = random_forest(2, **WHOLE)
    feature = np.where(forest.feature >= 0, 999 * forest.feature, -1).astype(np.int32)
    wide = replace(forest, feature=feature, n_features=5000)
    rows, spread = random_rows(2, 90, 5), np.zeros((90, 5000))
    spread[:, 999 * np.arange(5)] = rows
    assert wide.masks.used.tolist() == (999 * forest.masks.used).tolist()
    assert (wide.predict(spread) == forest.predict(rows)).all()
    donors = np.arange(90)[None, ::-1]
    found = replaced(wide, spread, donors, players=np.arange(5000) // 999)
    assert (found[:5] == replaced(forest, rows, donors)).all()
