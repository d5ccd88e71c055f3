"""Partial dependence of every player alone, by counting rows: a test's answers for 64 rows are one word.

With the column of player p replaced by a value that meets p's conditions, exactly those rows end in a leaf that meet
the conditions of all *other* players on its path. How many they are is counted on words, by an AND of the tests' words
and the number of bits set. So the leaf's part in the partial dependence on p is

    value · share of the rows that meet all others'   where p's conditions are met,     0 elsewhere,

a few steps over p's *places*, the distinct cells in which it is asked for, in the order of their codes; steps are added
where they begin and end, and summed up at last. Without p on its path a leaf adds value · share of the rows in it.

Law: counts are exact, and floats are added up in the order of the leaves: the same bytes for any number of threads and
any size of blocks.

Notation: n rows, W words of rows, D distinct tests, P players, K outputs, g rows that say where, m players on a path.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compiled import Turn, compiled, parallel, spread
from .forest import Codes, Floats, Forest, Ints, Nodes
from .games import count_bits, lowest_bit
from .patterns import merge_path, runs, shape_of

COUNTS = 1 << 22  # held at a time, of the leaves of a run of trees
WORDS = 1 << 22  # held at a time, of the answers of tests
RANKED = 1 << 20  # numbers up to which a table tells ranks
BLOCK = 256  # words of rows that go through a tree together

Words = NDArray[np.uint64]
Longs = NDArray[np.int64]


class Paths(NamedTuple):
    """What is needed to go through the paths of trees; fields are those of the forest."""

    feature: Ints
    left: Ints
    right: Ints
    cover: Floats
    players: Ints
    depth: Ints  # (N,)
    test: Longs  # (N,) the row of each node's test among the words
    place: Longs  # (N,) where a leaf's counts begin: one for each player on its path, then all rows in the leaf


class Places(NamedTuple):
    """The distinct cells of every player: player p has the places start[p]:start[p + 1] - 1 and one beyond them."""

    start: Longs  # (P + 1,)
    of: Longs  # (P, g) the place of each row's cells, counted from start[p]
    codes: Codes  # (f, most places of a player) each player's own columns in its places


def marginals(forest: Forest, codes: Codes, share: Floats | None, at: Codes, players: Ints) -> Floats:
    """Rows' codes (n, f), their shares (n,) or None for equal ones, codes at (g, f) → mean predictions (g, P, K) with
    each player's columns as in the row of ``at``."""
    places = places_of(forest, at, players, int(players.max(initial=-1)) + 1)
    test, asked = forest.tests
    depth = shape_of(forest.left, forest.right)[0]
    total = float(len(codes)) if share is None else 1.0
    columns, here = codes.T.copy(), _answers(forest.grid.nodes, asked, places.codes)
    steps = np.zeros((int(places.start[-1]), forest.n_outputs))
    mean, less = forest.base.copy(), np.zeros((len(places.start) - 1, forest.n_outputs))
    held = np.where(forest.is_leaf, depth + 1, 0).astype(np.int64)
    for first, last in runs(np.add.reduceat(held, forest.roots[:-1]), COUNTS):
        of = slice(forest.roots[first], forest.roots[last])
        used, number = np.unique(test[of], return_inverse=True)
        row, place = np.zeros(len(test), np.int64), np.zeros(len(test), np.int64)
        row[of], place[of] = number - (used[0] < 0), np.cumsum(held[of]) - held[of]
        paths = Paths(forest.feature, forest.left, forest.right, forest.cover, players, depth, row, place)
        found = _counted(
            forest, paths, asked[used[used >= 0]], (first, last), columns, np.zeros(0) if share is None else share
        )
        _add_steps(
            paths._replace(test=test), forest.roots[first : last + 1], forest.value, forest.tree_output[first:last],
            found / total, places, here, steps, mean, less,
        )  # fmt: skip
    out: Floats = np.empty((len(at), *less.shape))
    for p, start in enumerate(places.start[:-1]):
        curve = np.cumsum(steps[start : places.start[p + 1]], axis=0)
        out[:, p] = mean - less[p] + curve[places.of[p]]
    return out


def places_of(forest: Forest, at: Codes, players: Ints, n_players: int) -> Places:
    """Of codes (g, f); a column of player -1 is nobody's."""
    of, firsts = np.zeros((n_players, len(at)), np.int64), []
    for p in range(n_players):
        number = np.zeros(len(at), np.int64)
        for column in np.flatnonzero(players == p):
            number = _ranked(number * forest.grid.n_codes[column] + at[:, column])
        of[p] = number
        first = np.zeros(int(number.max(initial=-1)) + 1, np.int64)
        first[number] = np.arange(len(at))
        firsts.append(first)
    start = np.cumsum([0, *(len(first) + 1 for first in firsts)]).astype(np.int64)
    codes = np.zeros((at.shape[1], max(map(len, firsts), default=0)), at.dtype)
    for j in np.flatnonzero(players >= 0):
        first = firsts[players[j]]
        codes[j, : len(first)] = at[first, j]
    return Places(start, of, codes)


def _ranked(number: Longs) -> Longs:
    """(g,) from 0 → the rank of each among the distinct ones."""
    most = int(number.max(initial=-1)) + 1
    if most > RANKED:
        return np.unique(number, return_inverse=True)[1].reshape(number.shape)
    used = np.zeros(most, np.bool_)
    used[number] = True
    return (np.cumsum(used) - 1)[number]


def _counted(
    forest: Forest, paths: Paths, asked: Longs, trees: tuple[int, int], columns: Codes, share: Floats
) -> Floats:  # fmt: skip
    """What the leaves of some trees have met of the rows: columns (f, n), a block of rows at a time."""
    roots, n = forest.roots[trees[0] : trees[1] + 1], columns.shape[1]
    last = int(roots[-1]) - 1  # in preorder a leaf
    found = np.zeros(int(paths.place[last] + paths.depth[last]) + 1)
    step = 64 * max(1, min(BLOCK, WORDS // max(1, len(asked))))
    for row in range(0, n, step):
        words = _answers(forest.grid.nodes, asked, np.ascontiguousarray(columns[:, row : row + step]))
        _count(paths, roots, words, min(step, n - row), share[row : row + step], found)
    return found


@parallel
def _fill_answers(turn: Turn, nodes: Nodes, asked: Longs, columns: Codes, words: Words) -> None:
    n = columns.shape[1]
    for test in spread(turn, len(asked)):
        node = asked[test]
        column, table = columns[nodes.feature[node]], nodes.table[node]
        passed = np.zeros(64 * words.shape[1], np.uint8)
        if table >= 0:
            for row in range(n):
                passed[row] = nodes.table_left[table + column[row]]
        else:
            low, high = column.dtype.type(nodes.low[node]), column.dtype.type(nodes.high[node])
            for row in range(n):
                passed[row] = (column[row] >= low) & (column[row] <= high)
        for word in range(words.shape[1]):
            for bit in range(64):
                words[test, word] |= np.uint64(passed[64 * word + bit]) << np.uint64(bit)


def _answers(nodes: Nodes, asked: Longs, columns: Codes) -> Words:
    """(D, W) the bits of all columns (f, n) that pass, go left at, each test."""
    words = np.zeros((len(asked), -(-columns.shape[1] // 64)), np.uint64)
    _fill_answers(nodes, asked, columns, words)
    return words


@compiled
def _valid(words: Words, n: int) -> None:
    """The first n bits."""
    for word in range(len(words)):
        left = max(0, min(64, n - 64 * word))
        words[word] = ~np.uint64(0) if left == 64 else (np.uint64(1) << np.uint64(left)) - np.uint64(1)


@compiled
def _meet(words: Words, left: bool, met: Words) -> None:
    """Rows that do not go this way are met no longer."""
    if left:
        for word in range(len(met)):
            met[word] &= words[word]
    else:
        for word in range(len(met)):
            met[word] &= ~words[word]


@parallel
def _count(turn: Turn, paths: Paths, roots: Ints, words: Words, n: int, share: Floats, found: Floats) -> None:
    """Add to found, from paths.place[leaf] on, the rows (or their weight) that meet all players of the path but one,
    and then all of them."""
    for tree in spread(turn, len(roots) - 1):
        deepest = paths.depth[roots[tree] : roots[tree + 1]].max()
        path, owners, slot_of = (
            np.empty(deepest + 1, np.int32),
            np.empty(deepest, np.int32),
            np.empty(deepest, np.int32),
        )
        ratios, met = np.empty(deepest), np.empty((deepest, words.shape[1]), np.uint64)
        after, before = np.empty((deepest + 1, words.shape[1]), np.uint64), np.empty(words.shape[1], np.uint64)
        for node in range(roots[tree], roots[tree + 1]):
            length = paths.depth[node]
            path[length] = node
            if paths.left[node] >= 0:
                continue
            m = merge_path(paths.feature, paths.left, paths.right, paths.cover, paths.players, path, length, owners,
                           ratios, slot_of)  # fmt: skip
            for slot in range(m):
                met[slot] = ~np.uint64(0)
            for d in range(length):
                _meet(words[paths.test[path[d]]], paths.left[path[d]] == path[d + 1], met[slot_of[d]])
            _valid(before, n)
            after[m] = before
            for slot in range(m - 1, -1, -1):
                for word in range(len(before)):
                    after[slot, word] = after[slot + 1, word] & met[slot, word]
            to = paths.place[node]
            for slot in range(m):
                found[to + slot] = _sum(before, after[slot + 1], share, found[to + slot])
                for word in range(len(before)):
                    before[word] &= met[slot, word]
            found[to + m] = _sum(before, before, share, found[to + m])


@compiled
def _sum(words: Words, more: Words, share: Floats, found: float) -> float:
    """What was found before and how many bits both have, or the sum of their shares, added one by one."""
    total = 0
    if len(share) == 0:
        for word in range(len(words)):
            total += count_bits(words[word] & more[word])
        return found + total
    weight = found
    for word in range(len(words)):
        left = words[word] & more[word]
        while left:
            weight += share[64 * word + lowest_bit(left)]
            left &= left - np.uint64(1)
    return weight


@compiled
def _add_steps(
    paths: Paths, roots: Ints, value: Floats, output: Ints, share: Floats, places: Places, here: Words, steps: Floats,
    mean: Floats, less: Floats,
) -> None:  # fmt: skip
    """here (D, words): which places pass each test. Add to steps (places, K), to mean (K,) what leaves are worth, and
    to less (P, K) what those are worth that have the player on their path."""
    deepest = paths.depth[roots[0] : roots[-1]].max()
    path, owners, slot_of = np.empty(deepest + 1, np.int32), np.empty(deepest, np.int32), np.empty(deepest, np.int32)
    ratios, met = np.empty(deepest), np.empty(here.shape[1], np.uint64)
    for tree in range(len(roots) - 1):
        for node in range(roots[tree], roots[tree + 1]):
            length = paths.depth[node]
            path[length] = node
            if paths.left[node] >= 0:
                continue
            m = merge_path(paths.feature, paths.left, paths.right, paths.cover, paths.players, path, length, owners,
                           ratios, slot_of)  # fmt: skip
            at, to = paths.place[node], output[tree]
            for k in range(value.shape[1]):
                mean[to + k] += value[node, k] * share[at + m]
            for slot in range(m):
                first, end = places.start[owners[slot]], places.start[owners[slot] + 1]
                of = met[: (end - first + 62) // 64]
                _valid(of, end - first - 1)
                for d in range(length):
                    if slot_of[d] == slot:
                        _meet(here[paths.test[path[d]]], paths.left[path[d]] == path[d + 1], of)
                for k in range(value.shape[1]):
                    less[owners[slot], to + k] += value[node, k] * share[at + m]
                _add_edges(of, value[node], share[at + slot], steps[first:end, to:])


@compiled
def _add_edges(met: Words, value: Floats, share: float, steps: Floats) -> None:
    """Add value · share where bits begin to be set, take it away where they end."""
    sign, last = 1.0, np.uint64(0)
    for word in range(len(met)):
        edges = met[word] ^ ((met[word] << np.uint64(1)) | last)
        last = met[word] >> np.uint64(63)
        while edges:
            place = 64 * word + lowest_bit(edges)
            for k in range(len(value)):
                steps[place, k] += sign * (value[k] * share)
            sign = -sign
            edges &= edges - np.uint64(1)
