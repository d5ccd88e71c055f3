"""Random forests of known make, and both games by definition: all 2^p coalitions, one row at a time."""

from collections.abc import Callable
from itertools import combinations
from math import factorial

import numpy as np

from showcause.kernels.trees import Forest, Tree, pack


def random_tree(rng, n_features, depth, *, categorical=(), thresholds=(-0.5, 0.0, 0.5), width=1, output=0, chain=False):
    """Splits drawn from few thresholds, so that they repeat; leaves may come early; covers are consistent."""
    feature, threshold, left, right, default, other, categories = [], [], [], [], [], [], {}

    def grow(level):
        node = len(feature)
        for column, empty in zip(
            (feature, threshold, left, right, default, other), (-1, 0.0, -1, -1, False, False), strict=True
        ):
            column.append(empty)
        if level < depth and (level == 0 or chain or rng.random() < 0.85):
            feature[node] = int(rng.integers(n_features))
            default[node], other[node] = bool(rng.integers(2)), bool(rng.integers(2))
            if feature[node] in categorical:
                categories[node] = rng.random(int(rng.integers(2, 6))) < 0.5
            else:
                threshold[node] = float(rng.choice(thresholds))
            left[node] = grow(depth if chain else level + 1)
            right[node] = grow(level + 1)
        return node

    grow(0)
    cover = np.zeros(len(feature))
    for node in reversed(range(len(feature))):
        cover[node] = rng.integers(1, 9) if left[node] < 0 else cover[left[node]] + cover[right[node]]
    value = rng.normal(size=(len(feature), width))
    arrays = (feature, threshold, left, right)
    return Tree(*map(np.array, arrays), cover, value, np.array(default), categories, np.array(other), output)


def random_forest(seed, *, n_features=4, n_trees=3, depth=4, categorical=(2,), width=1, n_outputs=None, **options):
    rng = np.random.default_rng(seed)
    n_outputs = n_outputs or width
    trees = [
        random_tree(
            rng,
            n_features,
            depth,
            categorical=categorical,
            width=width,
            output=0 if width > 1 else t % n_outputs,
            **options,
        )
        for t in range(n_trees)
    ]
    return pack(trees, base=rng.normal(size=n_outputs), n_features=n_features)


def random_rows(seed, n, n_features=4, categorical=(2,)):
    """Values that often equal thresholds, missing values, and categories that no split knows."""
    rng = np.random.default_rng(seed)
    X = rng.choice([-1.0, -0.5, -0.2, 0.0, 0.3, 0.5, 2.0], size=(n, n_features))
    for column in categorical:
        X[:, column] = rng.integers(0, 8, n)
    X[rng.random(X.shape) < 0.1] = np.nan
    return X


def shapley(game: Callable[[frozenset], np.ndarray], n_players: int) -> np.ndarray:
    """Shapley values (players, K) of a game by definition."""
    worth = {frozenset(s): game(frozenset(s)) for k in range(n_players + 1) for s in combinations(range(n_players), k)}
    phi = []
    for i in range(n_players):
        total = 0.0
        for s, v in worth.items():
            if i not in s:
                weight = factorial(len(s)) * factorial(n_players - len(s) - 1) / factorial(n_players)
                total = total + weight * (worth[s | {i}] - v)
        phi.append(total)
    return np.array(phi)


def interactions_by_definition(game, n_players):
    """Shapley interaction values (players, players, K), half on either side, the diagonal so that rows sum to phi."""
    worth = {frozenset(s): game(frozenset(s)) for k in range(n_players + 1) for s in combinations(range(n_players), k)}
    out = np.zeros((n_players, n_players, *np.shape(worth[frozenset()])))
    for i, j in combinations(range(n_players), 2):
        for s, v in worth.items():
            if i not in s and j not in s:
                weight = factorial(len(s)) * factorial(n_players - len(s) - 2) / factorial(n_players - 1) / 2
                out[i, j] += weight * (worth[s | {i, j}] - worth[s | {i}] - worth[s | {j}] + v)
        out[j, i] = out[i, j]
    phi = shapley(game, n_players)
    for i in range(n_players):
        out[i, i] = phi[i] - out[i].sum(axis=0)
    return out


def interventional_game(forest: Forest, x, background, players, weights=None):
    def game(present):
        rows = background.copy()
        columns = [j for j in range(forest.n_features) if players[j] in present]
        rows[:, columns] = x[columns]
        return np.average(forest.predict(rows), axis=0, weights=weights)

    return game


def path_dependent_game(forest: Forest, x, players):
    leaf_of = _walker(forest, x)

    def game(present):
        def mean(node):
            if forest.left[node] < 0:
                return forest.value[node]
            left, right = forest.left[node], forest.right[node]
            if players[forest.feature[node]] in present:
                return mean(left if leaf_of(node) else right)
            a, b = forest.cover[left], forest.cover[right]
            return (a * mean(left) + b * mean(right)) / (a + b) if a + b > 0 else (mean(left) + mean(right)) / 2

        total = forest.base.copy()
        for t in range(forest.n_trees):
            value, k = mean(forest.roots[t]), forest.tree_output[t]
            total[k : k + len(value)] += value
        return total

    return game


def _walker(forest: Forest, x):
    """Which way the row goes at a node, read off the floats rather than the codes."""

    def goes_left(node):
        value = x[forest.feature[node]]
        if np.isnan(value):
            return forest.default_left[node]
        s = forest.categories[node]
        if s < 0:
            return value <= forest.threshold[node]
        goes = forest.set_left[forest.set_start[s] : forest.set_start[s + 1]]
        return goes[int(value)] if -1 < value < len(goes) else forest.other_left[node]  # as LightGBM cuts

    return goes_left


def predict_by_hand(forest: Forest, X):
    return np.array([path_dependent_game(forest, x, range(forest.n_features))(set(range(9))) for x in X])
