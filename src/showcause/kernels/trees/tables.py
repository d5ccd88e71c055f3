"""From games at leaves to values of rows: tables over the keys of groups, and the sweep that looks rows up.

A table gives, for every key of a group, the terms of all its leaves, summed per *column* of the output. Dense groups
get a table over all keys once; for sparse groups each block of rows gets one over the keys that its rows have, made
by the same function. Each row's values are added up in the order of the groups, whatever block or thread it is in, so
they are the same bytes for any number of threads and any division into blocks or runs of trees.

Notation: n rows, R rows in a block, f features, G groups, H output columns: (players [+ pairs]) x outputs.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from .compiled import Turn, compiled, parallel, spread
from .forest import Codes, Floats, Forest, Ints, Nodes
from .games import (
    DEPENDENCE,
    LANES,
    MOST_SUMMED,
    PATH_DEPENDENT,
    Weights,
    dependence_terms,
    interventional_terms,
    pair_term,
    path_dependent_terms,
    weights,
)
from .patterns import DENSE_BITS, Groups, Keys, clear_bits, distinct, groups_of, hash_size, leaf_patterns, runs
from .wide import add_wide

BUDGET = 256_000_000  # bytes of tables, and again of background keys, at a time
DENSE_BLOCK, SPARSE_BLOCK = 512, 2048  # rows


class Background(NamedTuple):
    """The distinct keys of the background's rows at every group; empty in the path-dependent game."""

    start: NDArray[np.int64]  # (G + 1,)
    key: Keys
    share: Floats


class Setting(NamedTuple):
    """What is computed: the game, whether pairs too, what a leaf is worth and where it counts."""

    game: int  # PATH_DEPENDENT, INTERVENTIONAL or, with pairs, DEPENDENCE
    pairs: bool
    value: Floats  # (N, width)
    output: Ints  # (T,) the output of a tree's first value
    n_outputs: int
    n_players: int


def sweep(
    forest: Forest,
    codes: Codes,
    players: Ints,
    game: int,
    pairs: bool,
    background: Codes | None = None,
    share: Floats | None = None,
) -> Floats:
    """Codes (n, f) → terms of rows (n, H), players first, then pairs i < j in the order of ``pair_term``."""
    n_players = int(players.max(initial=-1)) + 1
    n_terms = n_players + (n_players * (n_players - 1) // 2 if pairs else 0)
    out: Floats = np.zeros((len(codes), n_terms * forest.n_outputs))
    setting = Setting(game, pairs, forest.value, forest.tree_output, forest.n_outputs, n_players)
    width, constants, nodes = forest.value.shape[1], weights(), forest.grid.nodes
    none = Background(np.zeros(1, np.int64), np.zeros(0, np.uint64), np.zeros(0))
    for groups in groups_of(forest, players):
        n_columns = _columns(groups, pairs) * width
        dense = groups.n_bits <= DENSE_BITS
        entries = np.where(dense, n_columns << groups.n_bits.clip(max=DENSE_BITS), 0).astype(np.int64)
        size = 8 * entries
        if background is not None:
            size += 16 * np.minimum(len(background), 1 << groups.n_bits.clip(max=30).astype(np.int64))
        for first, last in runs(size, BUDGET):
            seen = none
            if background is not None and share is not None:
                seen = _background_keys(nodes, groups, first, last, background, share)
            start = np.concatenate([[0], np.cumsum(entries[first:last])]).astype(np.int64)
            tables = np.zeros(start[-1])
            _fill_tables(groups, first, setting, seen, constants, start, tables)
            rows = _block_rows(len(codes), out.shape[1], bool(dense.all()))
            _look_up(nodes, groups, first, setting, seen, constants, start, tables, codes, rows, out)
    add_wide(forest, codes, players, game, pairs, background, share, out)
    return out


def _block_rows(n: int, n_columns: int, dense: bool) -> int:
    """Rows in a block: few enough to stay in the cache and to keep all threads busy; sparse groups profit from more."""
    most = min(DENSE_BLOCK if dense else SPARSE_BLOCK, (1 << 20) // max(n_columns, 1))
    threads: int = numba.get_num_threads()
    return max(16, min(most, -(-n // threads)))


def _columns(groups: Groups, pairs: bool) -> NDArray[np.int64]:
    n = np.diff(groups.player_start).astype(np.int64)
    return n + n * (n - 1) // 2 if pairs else n


def _background_keys(
    nodes: Nodes, groups: Groups, first: int, last: int, background: Codes, share: Floats
) -> Background:
    columns = np.ascontiguousarray(background.T)
    most = np.minimum(len(background), 1 << groups.n_bits[first:last].clip(max=30).astype(np.int64))
    start = np.concatenate([[0], np.cumsum(most)]).astype(np.int64)
    key, total = np.zeros(start[-1], np.uint64), np.zeros(start[-1])
    used = np.zeros(last - first, np.int64)
    _count_keys(nodes, groups, first, columns, share, start, key, total, used)
    keep = np.arange(start[-1]) - np.repeat(start[:-1], most) < np.repeat(used, most)
    return Background(np.concatenate([[0], np.cumsum(used)]).astype(np.int64), key[keep], total[keep])


@parallel
def _count_keys(
    turn: Turn,
    nodes: Nodes,
    groups: Groups,
    first: int,
    columns: Codes,
    share: Floats,
    start: NDArray[np.int64],
    key: Keys,
    total: Floats,
    used: NDArray[np.int64],
) -> None:
    n = columns.shape[1]
    for g in spread(turn, len(used)):
        group = first + g
        here, sums = key[start[g] : start[g + 1]], total[start[g] : start[g + 1]]
        if groups.n_bits[group] <= DENSE_BITS:
            small = np.empty(n, np.uint16)
            clear_bits(nodes, groups, group, columns, small)
            counts = np.zeros(1 << groups.n_bits[group])
            for row in range(n):
                counts[small[row]] += share[row]
            count = 0
            for k in range(len(counts)):
                if counts[k] > 0.0:
                    here[count], sums[count] = k, counts[k]
                    count += 1
            used[g] = count
        else:
            keys, index = np.empty(n, np.uint64), np.empty(n, np.int32)
            clear_bits(nodes, groups, group, columns, keys)
            used[g] = distinct(keys, n, here, index, np.empty(hash_size(n), np.int32))
            for row in range(n):
                sums[index[row]] += share[row]


class Scratch(NamedTuple):
    patterns: Keys
    found: Keys
    spot: Ints
    theirs: Keys
    found_theirs: Keys
    spot_theirs: Ints
    share: Floats
    hashes: Ints
    product: Floats
    sums: Floats
    terms: Floats


@compiled
def _scratch(groups: Groups, background: Background, count: int, pairs: bool) -> Scratch:
    """Room for ``count`` keys of any group."""
    m = 0
    for leaf in range(len(groups.slot_start) - 1):
        m = max(m, groups.slot_start[leaf + 1] - groups.slot_start[leaf])
    most = 0
    for group in range(len(background.start) - 1):
        most = max(most, background.start[group + 1] - background.start[group])
    return Scratch(
        np.empty(count, np.uint64), np.empty(count, np.uint64), np.empty(count, np.int32),
        np.empty(most, np.uint64), np.empty(most, np.uint64), np.empty(most, np.int32), np.empty(most),
        np.empty(hash_size(max(count, most)), np.int32), np.empty(count), np.empty(LANES << MOST_SUMMED),
        np.empty((m + (m * (m - 1) // 2 if pairs else 0), count)),
    )  # fmt: skip


@compiled
def _fill(
    groups: Groups, group: int, first: int, setting: Setting, background: Background, constants: Weights,
    keys: Keys, count: int, table: Floats, scratch: Scratch,
) -> None:  # fmt: skip
    """Keys of a group (count,) → table (columns, count), leaf by leaf; columns are (players [+ pairs]) x width."""
    n_players = groups.player_start[group + 1] - groups.player_start[group]
    table[:, :count] = 0.0
    for leaf in range(groups.leaf_start[group], groups.leaf_start[group + 1]):
        begin, end = groups.slot_start[leaf], groups.slot_start[leaf + 1]
        m = end - begin
        leaf_patterns(groups, leaf, keys, count, scratch.patterns)
        n = distinct(scratch.patterns, count, scratch.found, scratch.spot, scratch.hashes)
        if setting.game == PATH_DEPENDENT:
            path_dependent_terms(
                scratch.found, n, groups.ratio[begin:end], constants, setting.pairs, scratch.product, scratch.terms
            )
        else:
            n_theirs = _theirs(groups, group - first, leaf, background, scratch)
            theirs, share = scratch.found_theirs[:n_theirs], scratch.share[:n_theirs]
            if setting.game == DEPENDENCE:
                dependence_terms(scratch.found, n, m, theirs, share, scratch.sums, scratch.terms)
            else:
                interventional_terms(
                    scratch.found, n, m, theirs, share, constants, setting.pairs, scratch.sums, scratch.terms
                )
        value = setting.value[groups.leaf[leaf]]
        for j in range(m):
            v = groups.place[begin + j]
            _spread(scratch, j, value, count, table, v)
            if setting.pairs:
                for i in range(j):
                    u = groups.place[begin + i]
                    column = pair_term(n_players, min(u, v), max(u, v))
                    _spread(scratch, pair_term(m, i, j), value, count, table, column)


@compiled
def _theirs(groups: Groups, group: int, leaf: int, background: Background, scratch: Scratch) -> int:
    """The background's distinct patterns at a leaf and their shares → scratch; how many they are."""
    begin, end = background.start[group], background.start[group + 1]
    leaf_patterns(groups, leaf, background.key[begin:end], end - begin, scratch.theirs)
    n = distinct(scratch.theirs, end - begin, scratch.found_theirs, scratch.spot_theirs, scratch.hashes)
    scratch.share[:n] = 0.0
    for b in range(end - begin):
        scratch.share[scratch.spot_theirs[b]] += background.share[begin + b]
    return n


@compiled
def _spread(scratch: Scratch, term: int, value: Floats, count: int, table: Floats, column: int) -> None:
    terms = scratch.terms[term]
    for k in range(len(value)):
        row, v = table[column * len(value) + k], value[k]
        for i in range(count):
            row[i] += v * terms[scratch.spot[i]]


@parallel
def _fill_tables(
    turn: Turn, groups: Groups, first: int, setting: Setting, background: Background, constants: Weights,
    start: NDArray[np.int64], tables: Floats,
) -> None:  # fmt: skip
    """The tables of dense groups; table g takes tables[start[g]:start[g + 1]]."""
    chunk = 64
    n = len(start) - 1
    for c in spread(turn, (n + chunk - 1) // chunk):
        scratch = _scratch(groups, background, 1 << DENSE_BITS, setting.pairs)
        keys = np.arange(1 << DENSE_BITS).astype(np.uint64)
        for g in range(c * chunk, min(n, (c + 1) * chunk)):
            if start[g + 1] > start[g]:
                count = 1 << groups.n_bits[first + g]
                table = tables[start[g] : start[g + 1]].reshape((-1, count))
                _fill(groups, first + g, first, setting, background, constants, keys, count, table, scratch)


@compiled
def _add(column: Floats, table: Floats, index: Any) -> None:
    for row in range(len(column)):
        column[row] += table[index[row]]


@compiled
def _add_columns(groups: Groups, group: int, setting: Setting, table: Floats, index: Any, sums: Floats) -> None:
    """Look the rows' keys up in the group's table (columns, keys) and add to sums (H, rows)."""
    begin, end = groups.player_start[group], groups.player_start[group + 1]
    width, output = setting.value.shape[1], setting.output[groups.tree[group]]
    for j in range(end - begin):
        q = groups.player[begin + j]
        for k in range(width):
            _add(sums[q * setting.n_outputs + output + k], table[j * width + k], index)
        if setting.pairs:
            for i in range(j):
                p = groups.player[begin + i]
                to = pair_term(setting.n_players, min(p, q), max(p, q)) * setting.n_outputs + output
                for k in range(width):
                    _add(sums[to + k], table[pair_term(end - begin, i, j) * width + k], index)


@parallel
def _look_up(
    turn: Turn, nodes: Nodes, groups: Groups, first: int, setting: Setting, background: Background, constants: Weights,
    start: NDArray[np.int64], tables: Floats, codes: Codes, block: int, out: Floats,
) -> None:  # fmt: skip
    n, most = len(codes), 0
    for group in range(first, first + len(start) - 1):
        most = max(most, groups.player_start[group + 1] - groups.player_start[group])
    most = (most + (most * (most - 1) // 2 if setting.pairs else 0)) * setting.value.shape[1]
    for b in spread(turn, (n + block - 1) // block):
        rows = slice(b * block, min(n, (b + 1) * block))
        columns, sums = codes[rows].T.copy(), out[rows].T.copy()
        size = columns.shape[1]
        small, keys, index = np.empty(size, np.uint16), np.empty(size, np.uint64), np.empty(size, np.int32)
        found, hashes = np.empty(size, np.uint64), np.empty(hash_size(size), np.int32)
        scratch, local = _scratch(groups, background, size, setting.pairs), np.empty((most, size))
        for g in range(len(start) - 1):
            group = first + g
            if start[g + 1] > start[g]:
                clear_bits(nodes, groups, group, columns, small)
                table = tables[start[g] : start[g + 1]].reshape((-1, 1 << groups.n_bits[group]))
                _add_columns(groups, group, setting, table, small, sums)
            elif groups.n_bits[group] > 0:
                clear_bits(nodes, groups, group, columns, keys)
                count = distinct(keys, size, found, index, hashes)
                _fill(groups, group, first, setting, background, constants, found, count, local, scratch)
                _add_columns(groups, group, setting, local, index, sums)
        out[rows] = sums.T
