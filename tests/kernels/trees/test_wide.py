"""Leaves with more players than a key has bits: the same games, in another form."""

import numpy as np
import pytest

from showcause.kernels.trees import (
    against,
    interactions,
    interventional,
    joint_partial_dependence,
    pack,
    path_dependent,
    patterns,
    wide,
)
from tests.kernels.trees.games import random_forest, random_rows, random_tree


def everything(forest, X, B, players=None):
    return [
        path_dependent(forest, X, players=players)[0],
        interventional(forest, X, B, players=players, weights=np.arange(1.0, len(B) + 1))[0],
        interactions(forest, X[:9], players=players)[0],
        interactions(forest, X[:9], B, players=players)[0],
        joint_partial_dependence(forest, B, X[:9], players=players),
        against(forest, X[:9], [B[:5], B[5:]], players=players)[0],
    ]


@pytest.mark.parametrize("most", [0, 2, 4])
@pytest.mark.parametrize("width", [1, 3])
def test_both_forms_agree_on_the_same_leaves(most, width, monkeypatch):
    forest = random_forest(5, n_features=9, n_trees=4, depth=7, categorical=(2,), width=width)
    X, B = random_rows(6, 60, 9), random_rows(7, 25, 9)
    narrow = everything(forest, X, B)
    for module in (patterns, wide):
        monkeypatch.setattr(module, "MOST_BITS", most)
    for found, expected in zip(everything(forest, X, B), narrow, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)


def chain(columns):
    """One tree that tests each column in turn, and a forest of it."""
    tree = random_tree(np.random.default_rng(3), columns, columns, chain=True)
    tree.feature[tree.left >= 0] = np.arange((tree.left >= 0).sum())
    return pack([tree], base=0.5, n_features=columns)


@pytest.mark.parametrize("columns", [63, 64, 65, 130])
def test_a_chain_of_many_players_is_shared_out_completely(columns):
    forest = chain(columns)
    tests = int((~forest.is_leaf).sum())
    assert tests == columns
    X, B = random_rows(1, 40, columns, ()), random_rows(2, 30, columns, ())
    for phi, base in (path_dependent(forest, X), interventional(forest, X, B)):
        np.testing.assert_allclose(phi.sum(axis=1) + base, forest.predict(X), atol=1e-12)
    for phi, base in (interactions(forest, X[:3]), interactions(forest, X[:3], B)):
        np.testing.assert_allclose(phi.sum(axis=(1, 2)) + base, forest.predict(X[:3]), atol=1e-12)


def test_rows_are_the_same_bytes_in_blocks_of_any_size(monkeypatch):
    forest, X, B = chain(90), random_rows(1, 20, 90, ()), random_rows(2, 30, 90, ())
    expected = [array.tobytes() for array in everything(forest, X, B)]
    monkeypatch.setattr(wide, "MOST_ROWS", 3)
    assert [array.tobytes() for array in everything(forest, X, B)] == expected


@pytest.mark.parametrize("columns", [64, 130])
def test_columns_that_move_together_are_one_player_also_on_a_long_path(columns):
    """The sum over two halves of the columns is 2^2 enumeration."""
    forest, half = chain(columns), np.arange(columns) * 2 // columns
    X, B = random_rows(1, 5, columns, ()), random_rows(2, 30, columns, ())
    mixed = [forest.predict(np.where(half == p, X[:1], B)).mean() for p in (0, 1)]
    both, none = forest.predict(X[:1])[0, 0], forest.predict(B).mean()
    found = interventional(forest, X[:1], B, players=half)[0][0, :, 0]
    np.testing.assert_allclose(found[0], (mixed[0] - none + both - mixed[1]) / 2, atol=1e-13)
