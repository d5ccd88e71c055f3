"""Partial dependence, individual curves and replacements against brute force on ``Forest.predict``."""

import numpy as np
import pytest

from showcause.kernels.trees import (
    every_ice,
    every_level,
    every_partial_dependence,
    ice,
    joint_partial_dependence,
    partial_dependence,
    replaced,
)
from showcause.kernels.trees.masks import is_small
from tests.kernels.trees.games import random_forest, random_rows

SHAPES = {
    "plain": {"n_trees": 4},
    "deep": {"depth": 11, "n_features": 12, "chain": True, "thresholds": tuple(np.linspace(-1, 1, 9))},
    "one leaf": {"n_trees": 1, "depth": 0},
    "vector leaves": {"width": 2},
    "one tree per output": {"n_trees": 4, "n_outputs": 2},
}

# A tree of at most 64 leaves is replaced by masks, a larger one by walking: one of each, and all bits of a word.
SIZES = {
    "64 leaves": {"n_trees": 2, "depth": 63, "chain": True, "n_features": 12},
    "65 leaves": {"n_trees": 2, "depth": 64, "chain": True, "n_features": 12},
    "small and large": {"n_trees": 6, "depth": 8, "n_features": 7, "width": 2, "thresholds": (-0.5, -0.2, 0.0, 0.3)},
}


def case(shape, seed=3):
    forest = random_forest(seed, **{**SHAPES, **SIZES}[shape])
    players = np.arange(forest.n_features) // (1 + seed % 2)
    return forest, random_rows(seed, 30, forest.n_features), random_rows(seed + 1, 9, forest.n_features), players


def swapped(X, columns, values):
    X = X.copy()
    X[:, columns] = values
    return X


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", SHAPES)
def test_partial_dependence_by_brute_force(shape, seed):
    forest, X, at, players = case(shape, seed)
    weights = np.random.default_rng(seed).random(len(X))
    found = every_partial_dependence(forest, X, at, players=players, weights=weights)
    joint = joint_partial_dependence(forest, X, at, players=players, weights=weights)
    for row, values in enumerate(at):
        for i in range(players.max() + 1):
            for j in range(i + 1):
                columns = (players == i) | (players == j)
                expected = np.average(forest.predict(swapped(X, columns, values[columns])), axis=0, weights=weights)
                np.testing.assert_allclose(joint[row, i, j], expected, atol=1e-12)
                np.testing.assert_allclose(joint[row, j, i], expected, atol=1e-12)
            np.testing.assert_allclose(found[row, i], joint[row, i, i], atol=1e-13)


def test_partial_dependence_at_every_level_is_the_mean_of_individual_curves():
    forest = random_forest(2, n_trees=40, depth=7, thresholds=tuple(np.linspace(-2, 2, 180)))
    X, levels = random_rows(2, 300), every_level(forest)
    assert len(levels) > 2 * 64  # words
    expected = every_ice(forest, X, levels).mean(axis=2).swapaxes(0, 1)
    np.testing.assert_allclose(every_partial_dependence(forest, X, levels), expected, atol=1e-12)
    shuffled = np.random.default_rng(0).permutation(len(levels))
    found = every_partial_dependence(forest, X, levels[shuffled])
    assert found.tobytes() == every_partial_dependence(forest, X, levels)[shuffled].tobytes()


def test_small_trees_have_at_most_64_leaves():
    assert [bool(is_small(case(shape)[0]).all()) for shape in SIZES] == [True, False, False]
    assert set(is_small(case("small and large")[0])) == {True, False}


@pytest.mark.parametrize("shape", [*SHAPES, *SIZES])
def test_ice_and_its_mean(shape):
    forest, X, at, players = case(shape)
    together = every_ice(forest, X, at, players=players)
    for player in range(players.max() + 1):
        columns = players == player
        curves = ice(forest, X, player, at[:, columns], players=players)
        for g, values in enumerate(at):
            np.testing.assert_allclose(curves[:, g], forest.predict(swapped(X, columns, values[columns])), atol=1e-12)
        np.testing.assert_allclose(together[player], curves.swapaxes(0, 1), atol=1e-12)
        mean = partial_dependence(forest, X, player, at[:, columns], players=players)
        np.testing.assert_allclose(curves.mean(axis=0), mean, atol=1e-12)


@pytest.mark.parametrize("repeats", [1, 9])  # by the donors' own words, and by curves
@pytest.mark.parametrize("shape", [*SHAPES, *SIZES])
def test_replaced_by_brute_force(shape, repeats):
    forest, X, source, players = case(shape)
    donors = np.random.default_rng(0).integers(0, len(source), (repeats, len(X)))
    found = replaced(forest, X, donors, source=source, players=players)
    for player in range(players.max() + 1):
        for repeat in range(repeats):
            columns = players == player
            expected = forest.predict(swapped(X, columns, source[donors[repeat]][:, columns]))
            np.testing.assert_allclose(found[player, repeat], expected, atol=1e-12)


def test_rows_whose_leaves_stay_keep_their_prediction_to_the_last_bit():
    forest, X, _, _ = case("plain")
    X = np.repeat(X, 5, axis=0)
    copies = np.arange(len(X))[None] // 5 * 5
    assert (replaced(forest, X, copies) == forest.predict(X)).all()
    assert (replaced(forest, X, copies[:, ::-1]) != forest.predict(X)).any()


def test_a_leaf_that_is_not_finite_is_refused():
    forest, X, _, _ = case("plain")
    forest.value[forest.roots[1] - 1] = np.inf
    with pytest.raises(ValueError, match="not finite"):
        every_ice(forest, X, X[:2])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_level_runs_through_every_code(dtype):
    forest = random_forest(5, n_features=6, n_trees=5)
    object.__setattr__(forest, "dtype", dtype)
    codes = forest.encode(every_level(forest))
    for j, n in enumerate(forest.grid.n_codes):
        assert codes[:n, j].tolist() == list(range(n))
        assert (codes[n:, j] == n - 1).all()


def test_donors_beyond_the_source_are_refused():
    forest, X, _, _ = case("plain")
    with pytest.raises(ValueError, match="donor 30 is beyond"):
        replaced(forest, X, np.full((1, 30), 30))
    with pytest.raises(ValueError, match="row numbers"):
        replaced(forest, X, np.zeros((1, 4), int))
