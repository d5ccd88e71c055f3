"""Interventional Shapley values of the same rows against each of several small backgrounds, side by side.

What ``tables`` does for one background and many rows. Here both are few, so nothing is tabled beforehand: of a group
only the keys that a block's rows have are looked at, and what does not depend on the background is done once. A number
of ``tables`` is here a lane for each background, in the same order of summation.

Notation: n rows, R rows in a block, k their distinct keys; b rows of all backgrounds, a lane for each background;
m players of a leaf, q quadrature nodes; H output columns: players x outputs.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from .compiled import Turn, compiled, parallel, spread
from .forest import Codes, Floats, Forest, Ints, Nodes
from .games import INTERVENTIONAL, MOST_SUMMED, NODES, Weights, count_bits, weights
from .patterns import DENSE_BITS, Groups, Keys, clear_bits, distinct, groups_of, hash_size, leaf_patterns
from .wide import add_wide

LANES = 8  # backgrounds side by side
BLOCK = 256  # rows


def against_each(forest: Forest, codes: Codes, players: Ints, backgrounds: Sequence[Codes]) -> Floats:
    """Codes (n, f) and backgrounds (·, f) → values (backgrounds, n, H), each background's rows weighing the same."""
    found = [_lanes(forest, codes, players, backgrounds[at : at + LANES]) for at in range(0, len(backgrounds), LANES)]
    values: Floats = np.concatenate(found)
    for background, to in zip(backgrounds, values, strict=True):
        share = np.full(len(background), 1.0 / len(background))
        add_wide(forest, codes, players, INTERVENTIONAL, False, background, share, to)
    return values


def _lanes(forest: Forest, codes: Codes, players: Ints, backgrounds: Sequence[Codes]) -> Floats:
    sizes = np.array([len(background) for background in backgrounds])
    lane = np.repeat(np.arange(len(sizes)), sizes)
    columns = np.ascontiguousarray(np.concatenate(backgrounds).T)
    width = (int(players.max(initial=-1)) + 1) * forest.n_outputs
    out: Floats = np.zeros((len(codes), width, LANES))
    block = max(16, min(BLOCK, -(-len(codes) // int(numba.get_num_threads()))))
    for groups in groups_of(forest, players):
        _sweep(forest.grid.nodes, groups, forest.value, forest.tree_output, forest.n_outputs, weights(), columns, lane,
               1.0 / sizes[lane], codes, block, out)  # fmt: skip
    return np.moveaxis(out, 2, 0)[: len(sizes)]


@parallel
def _sweep(
    turn: Turn, nodes: Nodes, groups: Groups, value: Floats, output: Ints, n_outputs: int, constants: Weights,
    theirs: Codes, lane: NDArray[np.int64], share: Floats, codes: Codes, block: int, out: Floats,
) -> None:  # fmt: skip
    n, b, most = len(codes), theirs.shape[1], 0
    for group in range(len(groups.tree)):
        most = max(most, groups.player_start[group + 1] - groups.player_start[group])
    for at in spread(turn, (n + block - 1) // block):
        rows = out[at * block : min(n, (at + 1) * block)]
        size = len(rows)
        columns = codes[at * block : at * block + size].T.copy()
        keys, found, spot = np.empty(size, np.uint64), np.empty(size, np.uint64), np.empty(size, np.int32)
        others, found_others, spot_others = np.empty(b, np.uint64), np.empty(b, np.uint64), np.empty(b, np.int32)
        total, first = np.empty((b, LANES)), np.empty(b, np.int64)
        hashes = np.empty(hash_size(max(b, size)), np.int32)
        scratch = _scratch(groups, size, b)
        table = np.empty((size, most * value.shape[1], LANES))
        for group in range(len(groups.tree)):
            if groups.n_bits[group] == 0:
                continue
            clear_bits(nodes, groups, group, columns, keys)
            count = distinct(keys, size, found, spot, hashes)
            clear_bits(nodes, groups, group, theirs, others)
            n_others = distinct(others, b, found_others, spot_others, hashes)
            total[:n_others] = 0.0
            n_first = 0
            for row in range(b):
                so_far = total[spot_others[row]]
                if so_far[lane[row]] == 0.0:
                    first[n_first] = row
                    n_first += 1
                so_far[lane[row]] += share[row]
            order = first[:n_first]
            if groups.n_bits[group] <= DENSE_BITS:
                order = order[np.argsort(others[order])]
            theirs_here = Theirs(found_others[:n_others], spot_others[order], lane[order], total)
            _fill(groups, group, value, constants, found[:count], theirs_here, table, scratch)
            _add(groups, group, n_outputs, output[groups.tree[group]], value.shape[1], table, spot, rows)


class Theirs(NamedTuple):
    """The backgrounds' distinct keys at a group, and which background has which, in the order of summation."""

    key: Keys
    spot: Ints  # the number of a key
    lane: NDArray[np.int64]  # of a background that has it
    share: Floats  # (keys, LANES) of its rows


class Scratch(NamedTuple):
    patterns: Keys  # of keys, those of rows or of backgrounds
    found: Keys  # (R,) distinct patterns of rows
    spot: Ints
    theirs: Keys  # (b,) distinct patterns of the backgrounds
    spot_theirs: Ints
    share: Floats  # (b, LANES) of theirs
    cells: Ints  # (b, 2) pattern and lane of the shares above 0, in the order of summation
    hashes: Ints
    sums: Floats  # (sets of players, q, LANES)
    parts: Floats  # (2, LANES) what players in A and in B have in common
    terms: Floats  # (R, m, LANES)


@compiled
def _scratch(groups: Groups, n: int, b: int) -> Scratch:
    m, most = 0, max(n, b)
    for leaf in range(len(groups.slot_start) - 1):
        m = max(m, groups.slot_start[leaf + 1] - groups.slot_start[leaf])
    return Scratch(
        np.empty(most, np.uint64), np.empty(n, np.uint64), np.empty(n, np.int32), np.empty(b, np.uint64),
        np.empty(b, np.int32), np.empty((b, LANES)), np.empty((b, 2), np.int32), np.empty(hash_size(most), np.int32),
        np.empty((NODES << min(m, MOST_SUMMED)) * LANES), np.empty((2, LANES)), np.empty((n, m, LANES)),
    )  # fmt: skip


@compiled
def _fill(
    groups: Groups, group: int, value: Floats, constants: Weights, keys: Keys, theirs: Theirs, table: Floats,
    scratch: Scratch,
) -> None:  # fmt: skip
    """Keys (k,) of rows and those of the backgrounds → table (k, columns, LANES)."""
    table[: len(keys)] = 0.0
    for leaf in range(groups.leaf_start[group], groups.leaf_start[group + 1]):
        begin, m = groups.slot_start[leaf], groups.slot_start[leaf + 1] - groups.slot_start[leaf]
        leaf_patterns(groups, leaf, theirs.key, len(theirs.key), scratch.patterns)
        n_theirs = distinct(scratch.patterns, len(theirs.key), scratch.theirs, scratch.spot_theirs, scratch.hashes)
        scratch.share[:n_theirs] = 0.0
        n_cells = 0
        for at in range(len(theirs.spot)):
            key, lane = theirs.spot[at], theirs.lane[at]
            other = scratch.spot_theirs[key]
            if scratch.share[other, lane] == 0.0:
                scratch.cells[n_cells, 0], scratch.cells[n_cells, 1] = other, lane
                n_cells += 1
            scratch.share[other, lane] += theirs.share[key, lane]
        leaf_patterns(groups, leaf, keys, len(keys), scratch.patterns)
        n = distinct(scratch.patterns, len(keys), scratch.found, scratch.spot, scratch.hashes)
        patterns, others, share = scratch.found[:n], scratch.theirs[:n_theirs], scratch.share[:n_theirs]
        if m <= MOST_SUMMED:
            _by_sums(patterns, m, others, share, constants, scratch)
        else:
            _by_pairs(patterns, m, others, share, scratch.cells[:n_cells], constants, scratch.terms)
        leaf_value = value[groups.leaf[leaf]]
        for key in range(len(keys)):
            for j in range(m):
                for k in range(len(leaf_value)):
                    column = groups.place[begin + j] * len(leaf_value) + k
                    for lane in range(LANES):
                        table[key, column, lane] += leaf_value[k] * scratch.terms[scratch.spot[key], j, lane]


@compiled
def _by_sums(patterns: Keys, m: int, theirs: Keys, share: Floats, constants: Weights, scratch: Scratch) -> None:
    """``games._by_sums`` in lanes: the factors of the backgrounds' patterns, summed over supersets at every node."""
    order, sums = max(0, (m + 1) // 2 - 1), scratch.sums
    size = (order + 1) * LANES
    sums[: size << m] = 0.0
    for other in range(len(theirs)):
        to, a = int(theirs[other]) * size, m - count_bits(theirs[other])
        for q in range(order + 1):
            for lane in range(LANES):
                sums[to + q * LANES + lane] = share[other, lane] * constants.rising[order, a, q]
    for i in range(m):
        half = size << i
        for start in range(0, size << m, 2 * half):
            without, with_i = sums[start : start + half], sums[start + half : start + 2 * half]
            for u in range(half):
                without[u] += with_i[u]
    for k in range(len(patterns)):
        _read_sums(patterns[k], m, constants.falling[order], order + 1, sums, scratch.parts, scratch.terms[k])


@compiled
def _dot(sums: Floats, players: np.uint64, weight: Floats, nodes: int, out: Floats) -> None:
    start = int(players) * nodes * LANES
    out[:] = 0.0
    for q in range(nodes):
        for lane in range(LANES):
            out[lane] += sums[start + q * LANES + lane] * weight[q]


@compiled
def _read_sums(z: np.uint64, m: int, falling: Floats, nodes: int, sums: Floats, parts: Floats, terms: Floats) -> None:
    """``games._read_sums`` in lanes → terms (m, LANES)."""
    one = np.uint64(1)
    needed = ((one << np.uint64(m)) - one) & ~z
    b, all_a, in_b = count_bits(needed), parts[0], parts[1]
    in_b[:] = 0.0
    _dot(sums, needed, falling[1, b], nodes, all_a)
    if b > 0:
        _dot(sums, needed, falling[0, b - 1], nodes, in_b)
    for j in range(m):
        bit, term = one << np.uint64(j), terms[j]
        if z & bit:
            _dot(sums, needed | bit, falling[1, b], nodes, term)
            for lane in range(LANES):
                term[lane] = all_a[lane] - term[lane]
        else:
            for lane in range(LANES):
                term[lane] = -in_b[lane]


@compiled
def _by_pairs(
    patterns: Keys, m: int, theirs: Keys, share: Floats, cells: Ints, constants: Weights, terms: Floats
) -> None:
    """Every pattern of a row with every one of each background, where between them they meet all players."""
    one = np.uint64(1)
    full = (one << np.uint64(m)) - one
    for k in range(len(patterns)):
        needed = full & ~patterns[k]
        b = count_bits(needed)
        terms[k, :m] = 0.0
        for at in range(len(cells)):
            other, weight = theirs[cells[at, 0]], share[cells[at, 0], cells[at, 1]]
            a = m - count_bits(other)
            if other & needed != needed or a + b == 0:
                continue
            for j in range(m):
                bit = one << np.uint64(j)
                if needed & bit:
                    terms[k, j, cells[at, 1]] -= weight * constants.other[a, b]
                elif not other & bit:
                    terms[k, j, cells[at, 1]] += weight * constants.row[a, b]


@compiled
def _add(
    groups: Groups, group: int, n_outputs: int, output: int, width: int, table: Floats, spot: Ints, rows: Floats
) -> None:
    """Look the rows' keys up in the group's table (k, columns, LANES) and add to rows (R, H, LANES)."""
    begin, end = groups.player_start[group], groups.player_start[group + 1]
    for row in range(len(rows)):
        for j in range(end - begin):
            for k in range(width):
                to, of = groups.player[begin + j] * n_outputs + output + k, j * width + k
                for lane in range(LANES):
                    rows[row, to, lane] += table[spot[row], of, lane]
