"""Both Shapley games against their definition, on forests made by hand."""

import numpy as np
import pytest

from showcause.kernels.trees import Tree, against, interactions, interventional, pack, path_dependent
from tests.kernels.trees.games import (
    interactions_by_definition,
    interventional_game,
    path_dependent_game,
    random_forest,
    random_rows,
    shapley,
)

SHAPES = {
    "plain": {},
    "one tree, one leaf": {"n_trees": 1, "depth": 0},
    "shallow, unused columns": {"n_features": 6, "n_trees": 2, "depth": 2, "categorical": (1, 5)},
    "deep chain": {"n_trees": 2, "depth": 25, "chain": True, "n_features": 5},
    "deep": {"n_trees": 2, "depth": 9, "n_features": 6},
    "one tree per output": {"n_trees": 6, "n_outputs": 3},
    "vector leaves": {"width": 3},
}


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("shape", SHAPES)
def test_both_games_by_enumeration(shape, seed):
    forest = random_forest(seed, **SHAPES[shape])
    f = forest.n_features
    X, B = random_rows(seed + 100, 3, f), random_rows(seed + 200, 7, f)
    weights = np.random.default_rng(seed).random(7)
    players = [np.arange(f), np.arange(f) // 2][seed % 2]
    phi, base = interventional(forest, X, B, players=players, weights=weights)
    psi, mean = path_dependent(forest, X, players=players)
    for row, x in enumerate(X):
        game = interventional_game(forest, x, B, players, weights)
        np.testing.assert_allclose(phi[row], shapley(game, players.max() + 1), atol=1e-12)
        np.testing.assert_allclose(base, game(frozenset()), atol=1e-12)
        game = path_dependent_game(forest, x, players)
        np.testing.assert_allclose(psi[row], shapley(game, players.max() + 1), atol=1e-12)
        np.testing.assert_allclose(mean, game(frozenset()), atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n", [3, 300])
def test_several_backgrounds_are_each_alone(shape, n):
    """To the last bit; ten are more than lie side by side."""
    forest = random_forest(2, **SHAPES[shape])
    X, B = random_rows(5, n, forest.n_features), random_rows(6, 50, forest.n_features)
    parts = [B[start::10][: 1 + start] for start in range(10)]
    players = np.arange(forest.n_features) // 2
    phi, base = against(forest, X, parts, players=players)
    for k, part in enumerate(parts):
        alone, mean = interventional(forest, X, part, players=players)
        np.testing.assert_array_equal(phi[k], alone)
        np.testing.assert_array_equal(base[k], mean)


def test_several_backgrounds_where_many_players_are_on_one_path():
    forest = random_forest(1, n_features=13, n_trees=1, depth=30, chain=True)
    X, B = random_rows(2, 20, 13), random_rows(3, 60, 13)
    phi, _ = against(forest, X, [B[:40], B[40:]])
    for values, part in zip(phi, [B[:40], B[40:]], strict=True):
        np.testing.assert_array_equal(values, interventional(forest, X, part)[0])


def test_zero_cover_is_no_nan():
    tree = Tree(*(np.array(a) for a in ([0, 1, -1, -1, -1], [0.0] * 5, [1, 2, -1, -1, -1], [4, 3, -1, -1, -1])),
                np.array([3.0, 0, 0, 0, 3]), np.array([0.0, 0, 1, 2, 5]))  # fmt: skip
    forest = pack([tree], base=0.0, n_features=2)
    X = np.array([[-1.0, -1], [-1, 1], [1, 1]])
    phi, base = path_dependent(forest, X)
    np.testing.assert_allclose(base, 5)
    np.testing.assert_allclose(phi[:, :, 0].sum(axis=1), forest.predict(X)[:, 0] - 5, atol=1e-12)
    expected = [shapley(path_dependent_game(forest, x, [0, 1]), 2)[:, 0] for x in X]
    np.testing.assert_allclose(phi[:, :, 0], expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", SHAPES)
def test_interactions_by_enumeration(shape, seed):
    forest = random_forest(seed, **SHAPES[shape])
    f = forest.n_features
    X, B = random_rows(seed + 100, 2, f), random_rows(seed + 200, 7, f)
    weights = np.random.default_rng(seed).random(7)
    players = [np.arange(f), np.arange(f) // 2][seed % 2]
    inter, base = interactions(forest, X, B, players=players, weights=weights)
    path, mean = interactions(forest, X, players=players)
    for row, x in enumerate(X):
        game = interventional_game(forest, x, B, players, weights)
        np.testing.assert_allclose(inter[row], interactions_by_definition(game, players.max() + 1), atol=1e-12)
        np.testing.assert_allclose(base, game(frozenset()), atol=1e-12)
        game = path_dependent_game(forest, x, players)
        np.testing.assert_allclose(path[row], interactions_by_definition(game, players.max() + 1), atol=1e-12)
        np.testing.assert_allclose(mean, game(frozenset()), atol=1e-12)


def test_many_players_on_one_path_by_enumeration():
    """Thirteen players: more than the tables of dense groups and the sums over sets take."""
    forest = random_forest(1, n_features=13, n_trees=1, depth=30, chain=True)
    X, B = random_rows(2, 1, 13), random_rows(3, 6, 13)
    players = np.arange(13)
    for x, game, (values, _) in [
        (X[0], interventional_game(forest, X[0], B, players), interactions(forest, X, B)),
        (X[0], path_dependent_game(forest, X[0], players), interactions(forest, X)),
    ]:
        assert np.isfinite(x).any()
        np.testing.assert_allclose(values[0], interactions_by_definition(game, 13), atol=1e-12)
        np.testing.assert_allclose(values[0].sum(axis=0), shapley(game, 13), atol=1e-12)
