"""Leaves with more players on their path than a key has bits: without keys and tables, leaf by leaf.

Trees that are grown leaf by leaf over many sparse columns (texts) are chains of a hundred tests and more. The games are
those of ``games``; a pattern has as many words as it needs, and rows of a block with the same one are looked at once.

Notation: n rows, R rows in a block, b background rows; m players of a leaf, W words of a pattern; C tests, S players on
the paths of L leaves; H output columns: (players [+ pairs]) x outputs.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from .compiled import Turn, compiled, parallel, spread
from .forest import Codes, Floats, Forest, Ints, Nodes
from .games import INTERVENTIONAL, PATH_DEPENDENT, count_bits, pair_term
from .patterns import MOST_BITS, SLOTS_AT_ONCE, Keys, distinct, hash_size, merge_path, runs, shape_of

ORDER = 32  # numbers of quadrature nodes are multiples of it
TERMS = 2_000_000  # of a block
MOST_ROWS = 4096

Words = NDArray[np.uint64]


class Paths(NamedTuple):
    leaf: Ints  # (L,) the leaf's node
    test_start: NDArray[np.int64]  # (L + 1,)
    node: Ints  # (C,)
    left: NDArray[np.uint8]  # (C,) whether the path goes left
    slot: Ints  # (C,) whose test it is
    slot_start: NDArray[np.int64]  # (L + 1,)
    player: Ints  # (S,)
    ratio: Floats  # (S,) share of the training weight that the player's conditions let through


def add_wide(
    forest: Forest, codes: Codes, players: Ints, game: int, pairs: bool, background: Codes | None,
    share: Floats | None, out: Floats,
) -> None:  # fmt: skip
    """Add to out (n, H) what such leaves contribute; arguments as of ``tables.sweep``."""
    n_players = int(players.max(initial=-1)) + 1
    theirs = np.zeros((forest.n_features, 0), codes.dtype) if background is None else background.T.copy()
    weight = np.zeros(0) if share is None else share
    for paths in _paths_of(forest, players):
        tree = np.searchsorted(forest.roots, paths.leaf, side="right") - 1
        most = int(np.diff(paths.slot_start).max())
        block = TERMS // (most + (most * (most - 1) // 2 if pairs else 0))
        block = max(1, min(block, MOST_ROWS, -(-len(codes) // int(numba.get_num_threads()))))
        _add(forest.grid.nodes, paths, forest.value, forest.tree_output[tree], forest.n_outputs, n_players, game, pairs,
             *_quadrature(-(-most // (2 * ORDER))), theirs, weight, codes, block, out)  # fmt: skip


def _paths_of(forest: Forest, players: Ints) -> Iterator[Paths]:
    """A run of leaves at a time, so that memory is bounded."""
    depth = shape_of(forest.left, forest.right)[0]
    leaves = np.flatnonzero(forest.is_leaf & (depth > MOST_BITS))
    if not len(leaves):
        return
    inner = np.flatnonzero(~forest.is_leaf)
    above = np.full(len(forest.left), -1, np.int32)
    above[forest.left[inner]] = above[forest.right[inner]] = inner
    for first, last in runs(depth[leaves], SLOTS_AT_ONCE):
        found = _paths(forest.feature, forest.left, forest.right, forest.cover, players, above, depth,
                       leaves[first:last], MOST_BITS)  # fmt: skip
        if len(found.leaf):
            yield found


@cache
def _quadrature(orders: int) -> tuple[Floats, Floats]:
    """(orders, ORDER · orders) Gauss-Legendre nodes on [0, 1] and their weights, of ORDER, 2 ORDER, … nodes."""
    t, w = np.zeros((orders, ORDER * orders)), np.zeros((orders, ORDER * orders))
    for k in range(orders):
        x, y = np.polynomial.legendre.leggauss(ORDER * (k + 1))
        t[k, : len(x)], w[k, : len(x)] = (x + 1.0) / 2.0, y / 2.0
    return t, w


@compiled
def _paths(
    feature: Ints, left: Ints, right: Ints, cover: Floats, players: Ints, above: Ints, depth: Ints,
    leaves: NDArray[np.int64], most_bits: int,
) -> Paths:  # fmt: skip
    """Of those leaves that have more players than a key bits."""
    room, deepest = 0, 0
    for leaf in leaves:
        room, deepest = room + depth[leaf], max(deepest, depth[leaf])
    path, owners = np.empty(deepest + 1, np.int32), np.empty(deepest, np.int32)
    ratios, slot_of = np.empty(deepest), np.empty(deepest, np.int32)
    made = Paths(
        np.empty(len(leaves), np.int32), np.zeros(len(leaves) + 1, np.int64), np.empty(room, np.int32),
        np.empty(room, np.uint8), np.empty(room, np.int32), np.zeros(len(leaves) + 1, np.int64),
        np.empty(room, np.int32), np.empty(room),
    )  # fmt: skip
    count, c, s = 0, 0, 0
    for leaf in leaves:
        node, length = leaf, depth[leaf]
        for d in range(length, -1, -1):
            path[d] = node
            node = above[node]
        m = merge_path(feature, left, right, cover, players, path, length, owners, ratios, slot_of)
        if m <= most_bits:
            continue
        made.leaf[count] = leaf
        made.node[c : c + length], made.slot[c : c + length] = path[:length], slot_of[:length]
        for d in range(length):
            made.left[c + d] = 1 if left[path[d]] == path[d + 1] else 0
        made.player[s : s + m], made.ratio[s : s + m] = owners[:m], ratios[:m]
        count, c, s = count + 1, c + length, s + m
        made.test_start[count], made.slot_start[count] = c, s
    return Paths(
        made.leaf[:count], made.test_start[: count + 1], made.node[:c], made.left[:c], made.slot[:c],
        made.slot_start[: count + 1], made.player[:s], made.ratio[:s],
    )  # fmt: skip


@parallel
def _add(
    turn: Turn, nodes: Nodes, paths: Paths, value: Floats, output: Ints, n_outputs: int, n_players: int, game: int,
    pairs: bool, t: Floats, w: Floats, theirs: Codes, share: Floats, codes: Codes, block: int, out: Floats,
) -> None:  # fmt: skip
    n = len(codes)
    for at in spread(turn, (n + block - 1) // block):
        rows = out[at * block : min(n, (at + 1) * block)]
        columns = codes[at * block : at * block + len(rows)].T.copy()
        for leaf in range(len(paths.leaf)):
            first, last = paths.slot_start[leaf], paths.slot_start[leaf + 1]
            m = last - first
            found, index = _patterns(nodes, paths, leaf, m, columns)
            terms = np.zeros((len(found), m + (m * (m - 1) // 2 if pairs else 0)))
            if game == PATH_DEPENDENT:
                order = (m + 2 * ORDER - 1) // (2 * ORDER)
                for k in range(len(found)):
                    _path_dependent(found[k], paths.ratio[first:last], t[order - 1, : ORDER * order], w[order - 1],
                                    pairs, terms[k])  # fmt: skip
            else:
                others, spot = _patterns(nodes, paths, leaf, m, theirs)
                total = np.zeros(len(others))
                for row in range(len(spot)):
                    total[spot[row]] += share[row]
                if game == INTERVENTIONAL:
                    for k in range(len(found)):
                        _interventional(found[k], others, total, m, pairs, terms[k])
                else:
                    _dependence(found, others, total, m, terms)
            player, leaf_value = paths.player[first:last], value[paths.leaf[leaf]]
            for row in range(len(rows)):
                _write(terms[index[row]], leaf_value, player, output[leaf], n_outputs, n_players, pairs, rows[row])


@compiled
def _patterns(nodes: Nodes, paths: Paths, leaf: int, m: int, columns: Codes) -> tuple[Words, Ints]:
    """Codes (f, rows) → the distinct patterns (·, W) in order of first appearance, and the number of each row's."""
    n, width = columns.shape[1], (m + 63) // 64
    words = np.empty((n, width), np.uint64)
    words[:] = ~np.uint64(0)
    words[:, width - 1] = ~np.uint64(0) >> np.uint64(64 * width - m)
    for c in range(paths.test_start[leaf], paths.test_start[leaf + 1]):
        node, word = paths.node[c], paths.slot[c] >> 6
        column, table, wanted = columns[nodes.feature[node]], nodes.table[node], paths.left[c] == 1
        without = ~(np.uint64(1) << np.uint64(paths.slot[c] & 63))
        for row in range(n):
            if table >= 0:
                goes_left = nodes.table_left[table + column[row]] != 0
            else:
                goes_left = (nodes.low[node] <= column[row]) & (column[row] <= nodes.high[node])
            if goes_left != wanted:
                words[row, word] &= without
    # word by word: rows are told apart by the number of what came before and the number of this word
    index, number, hashes = np.zeros(n, np.int32), np.empty(n, np.int32), np.empty(hash_size(n), np.int32)
    keys, found, count = np.empty(n, np.uint64), np.empty(n, np.uint64), 0
    for word in range(width):
        for row in range(n):
            keys[row] = words[row, word]
        distinct(keys, n, found, number, hashes)
        for row in range(n):
            keys[row] = (np.uint64(index[row]) << np.uint64(32)) | np.uint64(number[row])
        count = distinct(keys, n, found, index, hashes)
    each = np.empty((count, width), np.uint64)
    for row in range(n):
        each[index[row]] = words[row]
    return each, index


@compiled
def _has(pattern: Keys, j: int) -> bool:
    return ((pattern[j >> 6] >> np.uint64(j & 63)) & np.uint64(1)) != 0


@compiled
def _path_dependent(z: Keys, ratio: Floats, t: Floats, w: Floats, pairs: bool, terms: Floats) -> None:
    m = len(ratio)
    g = np.empty(m)
    for q in range(len(t)):
        product = w[q]
        for j in range(m):
            at = ratio[j] * (1.0 - t[q])
            if _has(z, j):
                at += t[q]
                g[j] = (1.0 - ratio[j]) / at
            else:
                g[j] = -1.0 / (1.0 - t[q])
            product *= at
        for j in range(m):
            terms[j] += product * g[j]
            if pairs:
                for i in range(j):
                    terms[pair_term(m, i, j)] += 0.5 * product * g[j] * g[i]


@compiled
def _interventional(z: Keys, others: Words, share: Floats, m: int, pairs: bool, terms: Floats) -> None:
    """Players in A are met by the row alone, players in B by the background's pattern alone."""
    for o in range(len(others)):
        a, b, needed = 0, 0, True
        for word in range(len(z)):
            full = ~np.uint64(0) >> np.uint64(max(0, 64 * (word + 1) - m))
            needed = needed and (z[word] | others[o, word]) == full
            a, b = a + count_bits(full & ~others[o, word]), b + count_bits(full & ~z[word])
        if not needed or a + b == 0:
            continue
        in_a, in_b = share[o] * _beta(a - 1, b), -share[o] * _beta(a, b - 1)
        both_a, both_b = 0.5 * share[o] * _beta(a - 2, b), 0.5 * share[o] * _beta(a, b - 2)
        mixed = -0.5 * share[o] * _beta(a - 1, b - 1)
        for j in range(m):
            j_in_a = not _has(others[o], j)
            if not j_in_a and _has(z, j):
                continue
            terms[j] += in_a if j_in_a else in_b
            if pairs:
                for i in range(j):
                    i_in_a = not _has(others[o], i)
                    if i_in_a or not _has(z, i):
                        terms[pair_term(m, i, j)] += mixed if i_in_a != j_in_a else (both_a if j_in_a else both_b)


@compiled
def _beta(i: int, j: int) -> float:
    """i! j! / (i + j + 1)!, and 0 where one of them is below 0."""
    if i < 0 or j < 0:
        return 0.0
    found = 1.0 / (i + j + 1)
    for k in range(1, min(i, j) + 1):
        found *= k / (max(i, j) + k)
    return found


@compiled
def _dependence(found: Words, others: Words, share: Floats, m: int, terms: Floats) -> None:
    """As ``games.dependence_terms``; hits: shares of the background that lack exactly the players of a term."""
    everyone, hits = 0.0, np.zeros(m + m * (m - 1) // 2)
    for o in range(len(others)):
        lacks, term = 0, 0
        for j in range(m):
            if not _has(others[o], j):
                term = j if lacks == 0 else pair_term(m, term, j) if lacks == 1 else term
                lacks += 1
        if lacks == 0:
            everyone += share[o]
        elif lacks <= 2:
            hits[term] += share[o]
    for k in range(len(found)):
        for j in range(m):
            with_j, at_j = everyone + hits[j], _has(found[k], j)
            terms[k, j] = (with_j if at_j else 0.0) - everyone
            for i in range(j):
                with_i, at_i, term = everyone + hits[i], _has(found[k], i), pair_term(m, i, j)
                joint = with_i + hits[j] + hits[term] if at_i and at_j else 0.0
                terms[k, term] = joint - (with_i if at_i else 0.0) - (with_j if at_j else 0.0) + everyone


@compiled
def _write(
    terms: Floats, value: Floats, player: Ints, output: int, n_outputs: int, n_players: int, pairs: bool, row: Any
) -> None:
    m = len(player)
    for j in range(m):
        for k in range(len(value)):
            row[player[j] * n_outputs + output + k] += value[k] * terms[j]
        if pairs:
            for i in range(j):
                low, high = min(player[i], player[j]), max(player[i], player[j])
                to = pair_term(n_players, low, high) * n_outputs + output
                for k in range(len(value)):
                    row[to + k] += value[k] * terms[pair_term(m, i, j)]
