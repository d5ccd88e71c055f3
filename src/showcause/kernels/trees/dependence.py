"""Exact dependence of a forest: partial dependence, joint and individual, and predictions with one player replaced.

At a leaf, partial dependence is the share of the rows that meet all other players' conditions, where the player's own
are met. For players alone that is counted (``counts``); for pairs it comes from the tables of Shapley values, which the
rows enter as counts of patterns. Individual curves and replacements are in ``walks``.

Nothing is centred here. Law: whatever is returned is the mean, or the value, of ``forest.predict`` on the rows with
the player's columns replaced, within 1e-9.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .counts import marginals
from .forest import Floats, Forest, Ints, players_of
from .games import DEPENDENCE
from .interactions import split_terms
from .shap import shares_of, weighted_mean
from .tables import sweep
from .walks import walk_over_grid, walk_with_donors


def partial_dependence(
    forest: Forest,
    X: NDArray[Any],
    player: int,
    grid: NDArray[Any],
    *,
    players: NDArray[Any] | None = None,
    weights: NDArray[Any] | None = None,
) -> Floats:
    """One player: rows X (n, f), grid (g,) or (g, columns of the player) → mean predictions (g, K)."""
    at = _grid_rows(forest, player, grid, players_of(forest, players))
    return every_partial_dependence(forest, X, at, players=players, weights=weights)[:, player]


def every_partial_dependence(
    forest: Forest,
    X: NDArray[Any],
    at: NDArray[Any],
    *,
    players: NDArray[Any] | None = None,
    weights: NDArray[Any] | None = None,
) -> Floats:
    """All players at once: rows X (n, f), rows at (g, f) → (g, players, K), each player at its own values in the row.

    With ``at=every_level(forest)`` these are complete: partial dependence is constant between thresholds.
    """
    share = shares_of(len(X), weights)
    codes, places, owner = forest.encode(X), forest.encode(at), players_of(forest, players)
    return marginals(forest, codes, None if weights is None else share, places, owner)


def joint_partial_dependence(
    forest: Forest,
    X: NDArray[Any],
    at: NDArray[Any],
    *,
    players: NDArray[Any] | None = None,
    weights: NDArray[Any] | None = None,
) -> Floats:
    """All pairs at once: (g, players, players, K), each pair at its values in the row of ``at``; the diagonal holds
    single players' partial dependence.

    H² of a pair is the mean over rows of ``at=X`` of the squared (joint - one - other + mean), over that of the squared
    joint, each centred.
    """
    theirs, share = forest.encode(X), shares_of(len(X), weights)
    owner, mean = players_of(forest, players), weighted_mean(forest.predict_codes(theirs), share)
    terms = sweep(forest, forest.encode(at), owner, DEPENDENCE, True, theirs, share)
    single, joint = split_terms(forest, terms, owner)
    joint += single[:, :, None] + single[:, None, :] + mean
    each = np.arange(joint.shape[1])
    joint[:, each, each] = single + mean
    return joint


def every_level(forest: Forest) -> Floats:
    """(most codes, f) rows whose column j runs through all values that the forest tells apart; the last one repeats.

    Column j has ``forest.grid.n_codes[j]`` levels: missing, then each threshold (the largest value of its interval) or
    category, then a value above every threshold or a category that no split names.
    """
    grid = forest.grid
    rows = np.empty((int(grid.n_codes.max(initial=1)), forest.n_features))
    for j, n in enumerate(grid.n_codes):
        if grid.n_categories[j] >= 0:
            known = np.arange(n - 1, dtype=np.float64)
        else:
            cuts = grid.thresholds[grid.start[j] : grid.start[j + 1]]
            last = cuts[-1] if len(cuts) else 0.0
            above = np.nextafter(np.float32(last), np.float32(np.inf)) if forest.dtype == "float32" else last
            known = np.append(cuts, np.nextafter(max(float(above), last), np.inf) if above <= last else above)
        rows[0, j], rows[1:n, j], rows[n:, j] = np.nan, known, known[-1]
    return rows


def every_ice(forest: Forest, X: NDArray[Any], at: NDArray[Any], *, players: NDArray[Any] | None = None) -> Floats:
    """Rows X (n, f), rows at (g, f) → predictions (players, g, n, K), each player at its own values in the row."""
    owner = players_of(forest, players)
    return walk_over_grid(forest, forest.encode(X), forest.encode(at), owner, 0, int(owner.max()) + 1)


def ice(
    forest: Forest, X: NDArray[Any], player: int, grid: NDArray[Any], *, players: NDArray[Any] | None = None
) -> Floats:
    """Rows X (n, f), grid (g,) or (g, columns of the player) → predictions (n, g, K) of every row at every value."""
    owner, codes = players_of(forest, players), forest.encode(X)
    at = forest.encode(_grid_rows(forest, player, grid, owner))
    out = walk_over_grid(forest, codes, at, owner, player, player + 1)
    return np.asarray(out[0].transpose(1, 0, 2))


def replaced(
    forest: Forest,
    X: NDArray[Any],
    donors: NDArray[Any],
    *,
    source: NDArray[Any] | None = None,
    players: NDArray[Any] | None = None,
) -> Floats:
    """Rows X (n, f), donors (repeats, n) → predictions (players, repeats, n, K) with one player's columns taken over.

    In repeat r, row i takes the player's columns from row donors[r, i] of ``source`` (X itself if not given). A caller
    with many rows passes a block of them at a time, with their donors and all rows as source.
    """
    owner, codes = players_of(forest, players), forest.encode(X)
    given = codes if source is None else forest.encode(source)
    donors = np.ascontiguousarray(donors, dtype=np.int64)
    if donors.ndim != 2 or donors.shape[1] != len(codes) or (donors.size and not donors.min() >= 0):
        raise ValueError(f"donors must be (repeats, {len(codes)}) row numbers, got shape {donors.shape}")
    if donors.size and donors.max() >= len(given):
        raise ValueError(f"donor {donors.max()} is beyond the source's {len(given)} rows")
    return walk_with_donors(forest, codes, given, donors, owner, 0, int(owner.max()) + 1)


def _grid_rows(forest: Forest, player: int, grid: NDArray[Any], owner: Ints) -> Floats:
    """Grid values of one player as rows of the forest, all other columns missing."""
    columns = np.flatnonzero(owner == player)
    values = np.asarray(grid, np.float64).reshape(len(grid), -1)
    if values.shape[1] != len(columns):
        raise ValueError(f"player {player} has {len(columns)} columns, the grid {values.shape[1]}")
    rows = np.full((len(values), forest.n_features), np.nan)
    rows[:, columns] = values
    return rows
