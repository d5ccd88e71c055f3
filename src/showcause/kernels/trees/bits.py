"""Small trees with some columns replaced: every test of a tree is one bit of a row.

With at most 64 tests a tree sees of a row one word, its *key*: bit i says whether the row goes right at test i, met or
not. A row that takes a player's columns from a donor has the donor's bits at the tests of these columns and its own
elsewhere, so its leaf is found from two words, without a look at the columns again. Only players whom the row's own
path tests can move it, and a donor moves it only where it differs on that path.

Donors are one for each row and repeat, or, on a grid, the same places for all rows: then places with equal bits make
one run, and a run's change is added where it begins and taken away where the next begins.

Notation: n rows, m donors to choose from, r repeats or places, P players, T trees, K outputs.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled, parallel, prange
from .forest import Codes, Floats, Forest, Ints, Nodes

TESTS = 64
KEY_CELLS = 1 << 23  # keys of donors held at a time
ROWS = 32  # that walk one tree together
GRID_ROWS = 8
ONE = np.uint64(1)

Keys = NDArray[np.uint64]


class Small(NamedTuple):
    """Trees of at most 64 tests: the tests of tree t are start[t]:start[t + 1], in preorder.

    node  the forest's node of each test
    go    (tests, 2) where left and right lead: a test of the same tree, or ~leaf with leaf a node of the forest
    """

    tree: Ints
    start: NDArray[np.int64]
    node: Ints
    go: Ints


class Moves(NamedTuple):
    """What can move: a player whose columns a tree tests. of (tests,) which move a test belongs to, -1 for none;
    player (moves,); bits (moves,) the tests of its tree that are the player's."""

    of: Ints
    tree: Ints
    player: Ints
    bits: Keys


def is_small(forest: Forest) -> NDArray[np.bool_]:
    """(T,) whether a tree has at most 64 tests; a tree of n nodes has (n - 1) / 2."""
    return np.diff(forest.roots) <= 2 * TESTS + 1


def with_donors(
    forest: Forest, trees: NDArray[np.int64], codes: Codes, given: Codes, donors: NDArray[np.int64], owner: Ints,
    out: Floats,
) -> None:  # fmt: skip
    """Add to out (P, r, n, K) what changes in ``trees`` when a player's columns come from given[donors[r, row]].

    owner (f,): the player of each column, -1 for none.
    """
    step = max(1, KEY_CELLS // max(1, len(given)))
    own, picks = codes.T.copy(), np.ascontiguousarray(donors.T)
    theirs = own if given is codes else given.T.copy()
    for first in range(0, len(trees), step):
        small, moves = _prepared(forest, trees[first : first + step], owner)
        keys = _keys(forest.grid.nodes, small, own)
        other = keys if theirs is own else _keys(forest.grid.nodes, small, theirs)
        _walk(small, moves, forest.value, forest.tree_output, keys, other, picks, out)


def on_grid(
    forest: Forest, trees: NDArray[np.int64], codes: Codes, places: Codes, owner: Ints, out: Floats
) -> None:  # fmt: skip
    """Add to out (P, g, n, K) what changes in ``trees`` when a player's columns come from the places."""
    step = max(1, KEY_CELLS // max(1, len(codes)))
    own, theirs = codes.T.copy(), places.T.copy()
    for first in range(0, len(trees), step):
        small, moves = _prepared(forest, trees[first : first + step], owner)
        keys, other = _keys(forest.grid.nodes, small, own), _keys(forest.grid.nodes, small, theirs)
        _walk_grid(small, moves, _runs(moves, other), forest.value, forest.tree_output, keys, out)


def _prepared(forest: Forest, trees: NDArray[np.int64], owner: Ints) -> tuple[Small, Moves]:
    count = (np.diff(forest.roots)[trees] - 1) // 2
    start = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    small = Small(trees.astype(np.int32), start, np.empty(start[-1], np.int32), np.empty((start[-1], 2), np.int32))
    _number(forest.grid.nodes, forest.roots, small)
    player, tree = owner[forest.feature[small.node]], np.repeat(np.arange(len(trees)), count)
    known, players = player >= 0, np.int64(max(1, int(player.max(initial=0)) + 1))
    pairs, of = np.unique((tree * players + player)[known], return_inverse=True)
    bits = np.zeros(len(pairs), np.uint64)
    np.bitwise_or.at(bits, of, ONE << (np.arange(start[-1]) - start[tree]).astype(np.uint64)[known])
    move = np.full(len(tree), -1, np.int32)
    move[known] = of
    return small, Moves(move, (pairs // players).astype(np.int32), (pairs % players).astype(np.int32), bits)


@compiled
def _number(nodes: Nodes, roots: Ints, small: Small) -> None:
    for t in range(len(small.tree)):
        begin, end = roots[small.tree[t]], roots[small.tree[t] + 1]
        place, count = np.empty(end - begin, np.int32), 0
        for node in range(begin, end):
            place[node - begin] = ~node
            if nodes.feature[node] >= 0:
                place[node - begin] = count
                small.node[small.start[t] + count] = node
                count += 1
        for test in range(small.start[t], small.start[t + 1]):
            node = small.node[test]
            small.go[test, 0], small.go[test, 1] = place[nodes.left[node] - begin], place[nodes.right[node] - begin]


def _keys(nodes: Nodes, small: Small, columns: Codes) -> Keys:
    """Codes (f, n) → keys (n, T): of a row in one piece, so that a donor's are read one after another."""
    keys = np.zeros((len(small.tree), columns.shape[1]), np.uint64)
    _fill_keys(nodes, small, columns, keys)
    return keys.T.copy()


@parallel
def _fill_keys(nodes: Nodes, small: Small, columns: Codes, keys: Keys) -> None:
    for t in prange(len(small.tree)):
        key = keys[t]
        for test in range(small.start[t], small.start[t + 1]):
            node = small.node[test]
            bit, none = ONE << np.uint64(test - small.start[t]), np.uint64(0)
            column, table = columns[nodes.feature[node]], nodes.table[node]
            if table >= 0:
                for row in range(len(key)):
                    key[row] |= none if nodes.table_left[table + column[row]] else bit
            else:
                low, high = column.dtype.type(nodes.low[node]), column.dtype.type(nodes.high[node])
                for row in range(len(key)):
                    key[row] |= none if (column[row] >= low) & (column[row] <= high) else bit


@compiled
def _leaf(small: Small, first: int, key: np.uint64, test: np.int64) -> np.int64:
    """The leaf that a key leads to from a test on."""
    while test >= 0:
        test = np.int64(small.go[first + test, (key >> np.uint64(test)) & ONE])
    return ~test


@compiled
def _path(small: Small, first: int, key: np.uint64, tests: NDArray[np.int64]) -> tuple[np.int64, int]:
    """The leaf, and how many tests lead to it; they are written to ``tests``."""
    test, count = np.int64(0), 0
    while test >= 0:
        tests[count] = test
        count += 1
        test = np.int64(small.go[first + test, (key >> np.uint64(test)) & ONE])
    return ~test, count


@parallel
def _walk(
    small: Small, moves: Moves, value: Floats, tree_output: Ints, keys: Keys, theirs: Keys, donors: NDArray[np.int64],
    out: Floats,
) -> None:  # fmt: skip
    """donors (n, r)."""
    n, width = len(keys), value.shape[1]
    for block in prange((n + ROWS - 1) // ROWS):
        tests = np.empty(TESTS, np.int64)
        for t in range(len(small.tree)):
            first, output = small.start[t], tree_output[small.tree[t]]
            if first == small.start[t + 1]:
                continue
            for row in range(block * ROWS, min(n, (block + 1) * ROWS)):
                key, seen = keys[row, t], np.uint64(0)
                leaf, depth = _path(small, first, key, tests)
                for e in range(depth):
                    move = moves.of[first + tests[e]]
                    if move < 0 or (seen >> np.uint64(tests[e])) & ONE:
                        continue
                    bits, player = moves.bits[move], moves.player[move]
                    seen |= bits
                    for repeat in range(donors.shape[1]):
                        apart = (key ^ theirs[donors[row, repeat], t]) & bits
                        if apart == 0:
                            continue
                        other = _leaf(small, first, key ^ apart, tests[e])
                        if other != leaf:
                            for k in range(width):
                                out[player, repeat, row, output + k] += value[other, k] - value[leaf, k]


class Runs(NamedTuple):
    """Of move j, start[j]:start[j + 1]: the place where each begins, and the player's bits from there on."""

    start: NDArray[np.int64]
    place: Ints
    bits: Keys


def _runs(moves: Moves, keys: Keys) -> Runs:
    """Keys (g, T) of the places."""
    theirs = keys.T[moves.tree] & moves.bits[:, None]  # (moves, g)
    fresh = np.ones(theirs.shape, np.bool_)
    fresh[:, 1:] = theirs[:, 1:] != theirs[:, :-1]
    move, place = np.nonzero(fresh)
    start = np.searchsorted(move, np.arange(len(theirs) + 1)).astype(np.int64)
    return Runs(start, place.astype(np.int32), theirs[move, place])


@parallel
def _walk_grid(
    small: Small, moves: Moves, runs: Runs, value: Floats, tree_output: Ints, keys: Keys, changes: Floats
) -> None:  # fmt: skip
    """What begins at a place is summed up over the places before it is added to changes (P, g, n, K)."""
    n, width = len(keys), value.shape[1]
    for block in prange((n + GRID_ROWS - 1) // GRID_ROWS):
        begin, end = block * GRID_ROWS, min(n, (block + 1) * GRID_ROWS)
        tests = np.empty(TESTS, np.int64)
        here = np.zeros((end - begin, changes.shape[0], changes.shape[1], changes.shape[3]))  # stays in the cache
        for t in range(len(small.tree)):
            first, output = small.start[t], tree_output[small.tree[t]]
            if first == small.start[t + 1]:
                continue
            for row in range(begin, end):
                key, seen, steps = keys[row, t], np.uint64(0), here[row - begin]
                leaf, depth = _path(small, first, key, tests)
                for e in range(depth):
                    move = moves.of[first + tests[e]]
                    if move < 0 or (seen >> np.uint64(tests[e])) & ONE:
                        continue
                    bits, player, before = moves.bits[move], moves.player[move], leaf
                    seen |= bits
                    for run in range(runs.start[move], runs.start[move + 1]):
                        apart = (key & bits) ^ runs.bits[run]
                        other = leaf if apart == 0 else _leaf(small, first, key ^ apart, tests[e])
                        if other != before:
                            for k in range(width):
                                steps[player, runs.place[run], output + k] += value[other, k] - value[before, k]
                            before = other
        for player in range(here.shape[1]):
            for place in range(here.shape[2]):
                for row in range(end - begin):
                    for k in range(here.shape[3]):
                        if place > 0:
                            here[row, player, place, k] += here[row, player, place - 1, k]
                        changes[player, place, begin + row, k] += here[row, player, place, k]
