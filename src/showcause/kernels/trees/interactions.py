"""Exact pairwise Shapley interaction values of a forest, of both games.

By shap's convention an interaction is halved between (i, j) and (j, i), and the diagonal holds what is left of a
player's value, so that rows and columns sum to the Shapley values. Laws: the matrix is symmetric; it sums to the
prediction less the base; a pair that no path tests together has interaction 0 exactly.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .forest import Floats, Forest, players_of
from .games import INTERVENTIONAL, PATH_DEPENDENT
from .shap import path_dependent_base, shares_of, weighted_mean
from .tables import sweep


def interactions(
    forest: Forest,
    X: NDArray[Any],
    background: NDArray[Any] | None = None,
    *,
    players: NDArray[Any] | None = None,
    weights: NDArray[Any] | None = None,
) -> tuple[Floats, Floats]:
    """Rows (n, f) → values (n, players, players, K) and base (K,); path-dependent unless a background is given."""
    owner, codes = players_of(forest, players), forest.encode(X)
    if background is None:
        terms, base = sweep(forest, codes, owner, PATH_DEPENDENT, True), path_dependent_base(forest)
    else:
        theirs, share = forest.encode(background), shares_of(len(background), weights)
        terms = sweep(forest, codes, owner, INTERVENTIONAL, True, theirs, share)
        base = weighted_mean(forest.predict_codes(theirs), share)
    phi, values = split_terms(forest, terms, owner)
    each = np.arange(values.shape[1])
    values[:, each, each] = phi - values.sum(axis=2)
    return values, base


def split_terms(forest: Forest, terms: Floats, owner: NDArray[Any]) -> tuple[Floats, Floats]:
    """Terms (n, H) → of players (n, players, K) and of pairs (n, players, players, K), symmetric, the diagonal 0."""
    n, n_players = len(terms), int(owner.max(initial=-1)) + 1
    by_output = terms.reshape(n, -1, forest.n_outputs)
    pairs = np.zeros((n, n_players, n_players, forest.n_outputs))
    upper, lower = np.tril_indices(n_players, -1)  # pairs i < j are stored by j, then i
    pairs[:, upper, lower] = pairs[:, lower, upper] = by_output[:, n_players:]
    return by_output[:, :n_players], pairs
