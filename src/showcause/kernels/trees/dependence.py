"""Exact dependence of a forest: partial dependence, joint and individual, and predictions with one player replaced.

Partial dependence comes from the same tables as Shapley values: at a leaf it depends on the row's pattern and on how
many background rows meet all other players' conditions, so the background enters as counts of patterns and its size
hardly matters. Individual curves and replacements walk again only those trees whose path tests the player, from the
first test that turns out differently.

Nothing is centred here. Law: whatever is returned is the mean, or the value, of ``forest.predict`` on the rows with
the player's columns replaced, within 1e-9.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled, parallel, prange
from .forest import Codes, Floats, Forest, Ints, Nodes, players_of, step
from .interactions import split_terms
from .shap import shares_of, weighted_mean
from .tables import DEPENDENCE, sweep

BLOCK = 64  # rows that walk one tree together


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
    theirs, share = forest.encode(X), shares_of(len(X), weights)
    owner, mean = players_of(forest, players), weighted_mean(forest.predict_codes(theirs), share)
    terms = sweep(forest, forest.encode(at), owner, DEPENDENCE, False, theirs, share)
    return np.asarray(terms.reshape(len(terms), -1, forest.n_outputs) + mean)


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


def ice(
    forest: Forest, X: NDArray[Any], player: int, grid: NDArray[Any], *, players: NDArray[Any] | None = None
) -> Floats:
    """Rows X (n, f), grid (g,) or (g, columns of the player) → predictions (n, g, K) of every row at every value."""
    owner, codes = players_of(forest, players), forest.encode(X)
    at = forest.encode(_grid_rows(forest, player, grid, owner))
    donors = np.broadcast_to(np.arange(len(at))[:, None], (len(at), len(codes)))
    out = _replaced(forest, codes, at, np.ascontiguousarray(donors), owner, player, player + 1)
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
    return _replaced(forest, codes, given, donors, owner, 0, int(owner.max()) + 1)


def _grid_rows(forest: Forest, player: int, grid: NDArray[Any], owner: Ints) -> Floats:
    """Grid values of one player as rows of the forest, all other columns missing."""
    columns = np.flatnonzero(owner == player)
    values = np.asarray(grid, np.float64).reshape(len(grid), -1)
    if values.shape[1] != len(columns):
        raise ValueError(f"player {player} has {len(columns)} columns, the grid {values.shape[1]}")
    rows = np.full((len(values), forest.n_features), np.nan)
    rows[:, columns] = values
    return rows


def _replaced(
    forest: Forest, codes: Codes, given: Codes, donors: NDArray[np.int64], owner: Ints, first: int, last: int
) -> Floats:
    base = forest.predict_codes(codes)
    out: Floats = np.empty((last - first, len(donors), *base.shape))
    out[:] = base
    _walk_again(
        forest.grid.nodes, forest.value, forest.roots, forest.tree_output, codes, given, donors, owner, first, out
    )
    return out


@parallel
def _walk_again(
    nodes: Nodes, value: Floats, roots: Ints, tree_output: Ints, codes: Codes, given: Codes,
    donors: NDArray[np.int64], owner: Ints, first: int, out: Floats,
) -> None:  # fmt: skip
    n, n_players = len(codes), out.shape[0]
    for block in prange((n + BLOCK - 1) // BLOCK):
        path, done = np.empty(64, np.int32), np.full(n_players, -1, np.int64)
        for tree in range(len(roots) - 1):
            for row in range(block * BLOCK, min(n, (block + 1) * BLOCK)):
                node, length = roots[tree], 0
                while nodes.feature[node] >= 0:
                    if length == len(path):
                        path = np.append(path, np.empty(length, np.int32))
                    path[length] = node
                    length += 1
                    node = step(nodes, node, codes[row, nodes.feature[node]])
                visit = np.int64(tree) * n + row
                for d in range(length):
                    player = owner[nodes.feature[path[d]]] - first
                    if player < 0 or player >= n_players or done[player] == visit:
                        continue
                    done[player] = visit
                    for repeat in range(len(donors)):
                        donor = donors[repeat, row]
                        leaf = _leaf_with(nodes, path, d, length, node, codes, row, given, donor, owner, player + first)
                        if leaf != node:
                            for k in range(value.shape[1]):
                                change = value[leaf, k] - value[node, k]
                                out[player, repeat, row, tree_output[tree] + k] += change


@compiled
def _leaf_with(
    nodes: Nodes, path: Ints, d: int, length: int, leaf: int, codes: Codes, row: int, given: Codes, donor: int,
    owner: Ints, player: int,
) -> int:  # fmt: skip
    """Where a row ends with the player's columns from a donor, if its own path[:length] ends in leaf."""
    node = leaf
    for e in range(d, length):
        test = path[e]
        feature = nodes.feature[test]
        if owner[feature] == player:
            here = step(nodes, test, given[donor, feature])
            if here != (path[e + 1] if e + 1 < length else leaf):
                node = here
                break
    while nodes.feature[node] >= 0:
        feature = nodes.feature[node]
        code = given[donor, feature] if owner[feature] == player else codes[row, feature]
        node = step(nodes, node, code)
    return node
