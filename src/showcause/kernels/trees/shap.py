"""Exact Shapley values of a forest, in its additive output.

Two games. *Interventional*: absent players take a background row's values, averaged over the background.
*Path-dependent*: where an absent player is tested, both branches are followed in proportion to the training weight.
In both a leaf's part of the game is a product over its players, so values are sums over leaves.

The games at a leaf are in ``games``, how they become values of rows in ``patterns`` and ``tables``.

Laws: values of a row and the base add up to its prediction; a player whom no path tests has value 0 exactly; values
are the same bytes for any number of threads.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .folds import against_each
from .forest import Floats, Forest, players_of
from .games import INTERVENTIONAL, PATH_DEPENDENT
from .patterns import reach_of
from .tables import sweep


def interventional(
    forest: Forest,
    X: NDArray[Any],
    background: NDArray[Any],
    *,
    players: NDArray[Any] | None = None,
    weights: NDArray[Any] | None = None,
) -> tuple[Floats, Floats]:
    """Rows (n, f) and background rows (b, f) → values (n, players, K) and the mean prediction (K,) of the background.

    ``weights`` (b,) of the background's rows need not sum to one.
    """
    background_codes = forest.encode(background)
    share = shares_of(len(background), weights)
    base = weighted_mean(forest.predict_codes(background_codes), share)
    phi = sweep(forest, forest.encode(X), players_of(forest, players), INTERVENTIONAL, False, background_codes, share)
    return np.reshape(phi, (len(phi), -1, forest.n_outputs)), base


def against(
    forest: Forest, X: NDArray[Any], backgrounds: Sequence[NDArray[Any]], *, players: NDArray[Any] | None = None
) -> tuple[Floats, Floats]:
    """`interventional` of the same rows (n, f) against each background: values (backgrounds, n, players, K) and means
    (backgrounds, K). The rows are encoded once."""
    others = [forest.encode(background) for background in backgrounds]
    base = [weighted_mean(forest.predict_codes(other), shares_of(len(other), None)) for other in others]
    phi = against_each(forest, forest.encode(X), players_of(forest, players), others)
    return np.reshape(phi, (len(others), len(X), -1, forest.n_outputs)), np.stack(base)


def path_dependent(forest: Forest, X: NDArray[Any], *, players: NDArray[Any] | None = None) -> tuple[Floats, Floats]:
    """Rows (n, f) → values (n, players, K) and the mean prediction (K,) under the trees' own covers."""
    phi = sweep(forest, forest.encode(X), players_of(forest, players), PATH_DEPENDENT, False)
    return phi.reshape(len(phi), -1, forest.n_outputs), path_dependent_base(forest)


def path_dependent_base(forest: Forest) -> Floats:
    """(K,) the mean prediction when every test is followed both ways in proportion to the training weight."""
    base = forest.base.copy()
    reach = reach_of(forest.left, forest.right, forest.cover, forest.roots)
    mean = np.add.reduceat(reach[:, None] * forest.value, forest.roots[:-1], axis=0)  # (T, width)
    for k in range(forest.value.shape[1]):
        np.add.at(base, forest.tree_output + k, mean[:, k])
    return np.asarray(base)


def shares_of(n: int, weights: NDArray[Any] | None) -> Floats:
    if n == 0:
        raise ValueError("the background has no rows")
    share = np.ones(n) if weights is None else np.asarray(weights, np.float64)
    if share.shape != (n,) or not (share >= 0).all() or not 0 < share.sum() < np.inf:
        raise ValueError(f"weights must be {n} numbers from 0 with a positive sum, one per background row")
    return np.asarray(share / share.sum())


def weighted_mean(values: Floats, share: Floats) -> Floats:
    """Pairwise summation, in a fixed order."""
    return np.asarray((values * share[:, None]).sum(axis=0))
