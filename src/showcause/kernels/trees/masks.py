"""Small trees as masks of leaves: what a code of a column leaves open is one word, and a row's leaf is their meet.

In a tree of at most 64 leaves the set of leaves that can still be reached is one word. A code of one column rules some
leaves out; what is left is looked up in a table, a word for each code. The meet of a row's words, one for each column
that the tree tests, is its leaf's bit alone. Where a player's columns come from elsewhere, the words of all other
columns are met with that player's new ones. No step asks which way to go, so that rows go through a tree side by side.

Donors are one for each row and repeat, or, on a grid, the same places for all rows: then places with equal words make
one run, and a run's change is added where it begins and taken away where the next begins.

Law: every sum is over the trees in their order, so that what is found is, bit by bit, what walking the trees finds.
Source: Lucchese et al. 2015 (QuickScorer) on leaves as bits; a word with a single bit is numbered as in Leiserson,
Prokop & Randall 1998.

Notation: n rows, m donors to choose from, r repeats or places, P players, T trees, K outputs, f columns.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled, parallel, prange
from .forest import Codes, Floats, Forest, Grid, Ints, Nodes

LEAVES = 64
WORDS = 1 << 22  # of the table that is held at a time
ROWS = 512  # that go through one tree together: its table is read anew for each block of rows
MOVED_ROWS = 64  # the same where players are moved
GRID_CELLS = 1 << 15  # changes of a block over a grid, which should stay in the cache
ONE, ALL = np.uint64(1), np.uint64(0xFFFF_FFFF_FFFF_FFFF)
NUMBERING, TOP = np.uint64(0x03F7_9D71_B4CB_0A89), np.uint64(58)  # (bit * NUMBERING) >> TOP is another for each bit

Words = NDArray[np.uint64]


class Masks(NamedTuple):
    """Of tree number i of some trees: the columns that it tests are those of slots start[i]:start[i + 1].

    tree    (trees,) which of the forest's
    used    (u,) the columns that some of these trees test, ascending
    column  (slots,) of each slot, ascending within a tree; place (slots,) where it stands in ``used``
    first   (slots + 1,) where its words begin, one for each code
    word    the leaves that a code leaves open
    leaf    (trees, 64) the forest's node of each leaf, by the number of its bit
    """

    tree: Ints
    start: NDArray[np.int64]
    used: NDArray[np.int64]
    column: NDArray[np.int64]
    place: NDArray[np.int64]
    first: NDArray[np.int64]
    word: Words
    leaf: Ints


class Moves(NamedTuple):
    """The slots of a tree by player: tree i has the moves start[i]:start[i + 1], of players from 0 on, then, if any
    slots are left, those that nobody moves. Move j has first[j]:first[j + 1] of ``column``, ``place`` and ``at``, which
    are the slots' columns, their places among those used, and where their words begin.

    length, path  (trees, 64) and (trees, 64, longest): the moves that the path to a leaf tests, counted from start[i]
    """

    start: NDArray[np.int64]
    player: NDArray[np.int64]
    first: NDArray[np.int64]
    column: NDArray[np.int64]
    place: NDArray[np.int64]
    at: NDArray[np.int64]
    length: NDArray[np.uint8]
    path: NDArray[np.uint8]


def is_small(forest: Forest) -> NDArray[np.bool_]:
    """(T,) whether a tree has at most 64 leaves; a tree of n nodes has (n + 1) / 2."""
    return np.diff(forest.roots) < 2 * LEAVES


def kept(forest: Forest) -> Masks | None:
    """Of all trees, where all are small and one part holds them."""
    if not is_small(forest).all():
        return None
    tree, column = _slots(forest, np.arange(forest.n_trees))
    size = forest.grid.n_codes[column].astype(np.int64)
    if size.sum() > WORDS:
        return None
    return _masks(forest.grid, forest.roots, np.arange(forest.n_trees), tree, column, size)


def in_parts(forest: Forest, trees: NDArray[np.int64]) -> Iterator[Masks]:
    """Masks of these trees, all of them small, in parts whose tables are bounded."""
    if len(trees) == forest.n_trees and forest.masks is not None:
        yield forest.masks
        return
    tree, column = _slots(forest, trees)
    size = forest.grid.n_codes[column].astype(np.int64)
    before = np.cumsum(np.bincount(tree, weights=size, minlength=len(trees)))
    part = (before // WORDS).astype(np.int64)
    for number in np.unique(part):
        mine = np.flatnonzero(part == number)
        held = (tree >= mine[0]) & (tree <= mine[-1])
        yield _masks(forest.grid, forest.roots, trees[mine], tree[held] - mine[0], column[held], size[held])


def _slots(forest: Forest, trees: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which of these trees tests which column: both (slots,), by tree, then by column."""
    of = np.full(forest.n_trees, -1, np.int64)
    of[trees] = np.arange(len(trees))
    node = np.repeat(of, np.diff(forest.roots))
    asked = (node >= 0) & ~forest.is_leaf
    pairs = np.unique(node[asked] * forest.n_features + forest.feature[asked])
    return pairs // forest.n_features, pairs % forest.n_features


def _masks(
    grid: Grid, roots: Ints, trees: NDArray[np.int64], tree: NDArray[np.int64], column: NDArray[np.int64],
    size: NDArray[np.int64],
) -> Masks:  # fmt: skip
    start = np.searchsorted(tree, np.arange(len(trees) + 1)).astype(np.int64)
    first = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    leaf = np.zeros((len(trees), LEAVES), np.int32)
    used, place = np.unique(column, return_inverse=True)
    word = np.empty(first[-1], np.uint64)
    made = Masks(trees.astype(np.int32), start, used, column, place.astype(np.int64), first, word, leaf)
    _fill(grid.nodes, roots, made)
    return made


@compiled
def number_of(word: np.uint64) -> np.uint64:
    """Of a word with a single bit."""
    return (word * NUMBERING) >> TOP


@parallel
def _fill(nodes: Nodes, roots: Ints, masks: Masks) -> None:
    for i in prange(len(masks.tree)):
        _fill_tree(nodes, roots[masks.tree[i]], roots[masks.tree[i] + 1], masks, i)


@compiled
def _fill_tree(nodes: Nodes, begin: int, end: int, masks: Masks, i: int) -> None:
    below = np.zeros(end - begin, np.uint64)  # the leaves of each node
    bit = ONE
    for node in range(begin, end):
        if nodes.feature[node] < 0:
            below[node - begin] = bit
            masks.leaf[i, number_of(bit)] = node
            bit = bit << ONE
    masks.word[masks.first[masks.start[i]] : masks.first[masks.start[i + 1]]] = bit - ONE  # all leaves, of 64 too
    for node in range(end - 1, begin - 1, -1):
        if nodes.feature[node] < 0:
            continue
        left, right = below[nodes.left[node] - begin], below[nodes.right[node] - begin]
        below[node - begin] = left | right
        for slot in range(masks.start[i], masks.start[i + 1]):
            if masks.column[slot] == nodes.feature[node]:
                of = masks.word[masks.first[slot] : masks.first[slot + 1]]
                table = nodes.table[node]
                for code in range(len(of)):
                    if table >= 0:
                        goes_left = nodes.table_left[table + code] != 0
                    else:
                        goes_left = (nodes.low[node] <= code) & (code <= nodes.high[node])
                    of[code] &= ~right if goes_left else ~left


@parallel
def predict(masks: Masks, value: Floats, tree_output: Ints, codes: Codes, out: Floats) -> None:
    """Add the trees' values to out (n, K)."""
    n = len(codes)
    for block in prange((n + ROWS - 1) // ROWS):
        first, last = block * ROWS, min(n, (block + 1) * ROWS)
        predict_block(masks, value, tree_output, codes[first:last], out[first:last])


@compiled
def predict_block(masks: Masks, value: Floats, tree_output: Ints, codes: Codes, out: Floats) -> None:
    """As ``predict``, on the caller's own thread."""
    columns, open_ = _columns(codes, masks.used), np.empty(len(codes), np.uint64)
    for i in range(len(masks.tree)):
        _open(masks, i, columns, open_)
        output, leaf = tree_output[masks.tree[i]], masks.leaf[i]
        for k in range(value.shape[1]):
            for row in range(len(open_)):
                out[row, output + k] += value[np.uint64(leaf[number_of(open_[row])]), k]


@compiled
def _columns(codes: Codes, used: NDArray[np.int64]) -> Codes:
    """(u, rows) of the columns used."""
    found: Codes = np.empty((len(used), len(codes)), codes.dtype)
    for u in range(len(used)):
        for row in range(len(codes)):
            found[u, row] = codes[row, used[u]]
    return found


@compiled
def _open(masks: Masks, i: int, columns: Codes, open_: Words) -> None:
    """open_ (rows,): the bit of each row's leaf in tree i."""
    slot, end = masks.start[i], masks.start[i + 1]
    open_[:] = ALL if end > slot else ONE
    while slot < end:  # two at a time, so that what is open is written half as often
        a, b = slot, min(slot + 1, end - 1)
        words, more = masks.word[masks.first[a] :], masks.word[masks.first[b] :]
        of, other = columns[masks.place[a]], columns[masks.place[b]]
        for row in range(len(open_)):
            open_[row] &= words[np.uint64(of[row])] & more[np.uint64(other[row])]
        slot += 2


@parallel
def leaves(masks: Masks, roots: Ints, codes: Codes, out: NDArray[Any]) -> None:
    """out (T, n): the leaf of each row, counted from its tree's root."""
    n = len(codes)
    for block in prange((n + ROWS - 1) // ROWS):
        first, last = block * ROWS, min(n, (block + 1) * ROWS)
        _leaves_block(masks, roots, codes[first:last], out[:, first:last])


@compiled
def _leaves_block(masks: Masks, roots: Ints, codes: Codes, out: NDArray[Any]) -> None:
    columns, open_ = _columns(codes, masks.used), np.empty(len(codes), np.uint64)
    for i in range(len(masks.tree)):
        _open(masks, i, columns, open_)
        of, leaf, root = out[masks.tree[i]], masks.leaf[i], roots[masks.tree[i]]
        for row in range(len(open_)):
            of[row] = leaf[number_of(open_[row])] - root


def with_donors(
    forest: Forest, trees: NDArray[np.int64], codes: Codes, given: Codes, donors: NDArray[np.int64], owner: Ints,
    out: Floats,
) -> None:  # fmt: skip
    """Add to out (P, r, n, K) what changes in ``trees`` when a player's columns come from given[donors[r, row]].

    owner (f,): the player of each column, -1 for none.
    """
    for masks in in_parts(forest, trees):
        moves = _moves(forest, masks, owner)
        _walk(masks, moves, forest.value, forest.tree_output, codes, given, donors, out)


def on_grid(
    forest: Forest, trees: NDArray[np.int64], codes: Codes, places: Codes, owner: Ints, out: Floats
) -> None:  # fmt: skip
    """Add to out (P, g, n, K) what changes in ``trees`` when a player's columns come from the places."""
    for masks in in_parts(forest, trees):
        moves = _moves(forest, masks, owner)
        runs = _runs(masks, moves, places)
        _walk_grid(masks, moves, runs, forest.value, forest.tree_output, codes, out)


def _moves(forest: Forest, masks: Masks, owner: Ints) -> Moves:
    tree = np.repeat(np.arange(len(masks.tree)), np.diff(masks.start))
    player = owner[masks.column].astype(np.int64)
    player[player < 0] = forest.n_features  # nobody's come last
    order = np.lexsort((player, tree))
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = (np.diff(tree[order]) != 0) | (np.diff(player[order]) != 0)
    first = np.append(np.flatnonzero(fresh), len(order)).astype(np.int64)
    start = np.searchsorted(tree[order][first[:-1]], np.arange(len(masks.tree) + 1)).astype(np.int64)
    who = player[order][first[:-1]]
    who[who == forest.n_features] = -1
    length = np.zeros((len(masks.tree), LEAVES), np.uint8)
    path = np.zeros((len(masks.tree), LEAVES, int(np.diff(start).max(initial=0))), np.uint8)
    moves = Moves(start, who, first, masks.column[order], masks.place[order], masks.first[order], length, path)
    _fill_paths(forest.grid.nodes, forest.roots, masks.tree, moves)
    return moves


@parallel
def _fill_paths(nodes: Nodes, roots: Ints, tree: Ints, moves: Moves) -> None:
    for i in prange(len(tree)):
        _fill_path(nodes, roots[tree[i]], roots[tree[i] + 1], moves, i)


@compiled
def _fill_path(nodes: Nodes, begin: int, end: int, moves: Moves, i: int) -> None:
    begun, ended = moves.start[i], moves.start[i + 1]
    tested = np.zeros((end - begin, ended - begun), np.bool_)  # by node: the moves tested on the way to it
    bit = ONE
    for node in range(begin, end):
        feature, here = nodes.feature[node], tested[node - begin]
        if feature < 0:
            number = number_of(bit)
            for j in range(ended - begun):
                if here[j] and moves.player[begun + j] >= 0:
                    moves.path[i, number, moves.length[i, number]] = j
                    moves.length[i, number] += 1
            bit = bit << ONE
            continue
        left, right = nodes.left[node] - begin, nodes.right[node] - begin
        tested[left], tested[right] = here, here
        for j in range(begun, ended):
            for slot in range(moves.first[j], moves.first[j + 1]):
                if moves.column[slot] == feature:
                    tested[left, j - begun], tested[right, j - begun] = True, True


@compiled
def _meets(masks: Masks, moves: Moves, i: int, columns: Codes, before: Words, after: Words) -> None:
    """before[s], after[s] (slots + 1, rows): what the words of tree i's slots before the s-th, and from it on, leave
    open."""
    begin, end = moves.first[moves.start[i]], moves.first[moves.start[i + 1]]
    n, count = before.shape[1], end - begin
    before[0], after[count] = ALL, ALL
    for s in range(count):
        word, of = masks.word[moves.at[begin + s] :], columns[moves.place[begin + s]]
        last, now, own = before[s], before[s + 1], after[s]
        for row in range(n):
            w = word[np.uint64(of[row])]
            own[row], now[row] = w, last[row] & w
    for s in range(count - 1, -1, -1):
        own, last = after[s], after[s + 1]
        for row in range(n):
            own[row] &= last[row]


@parallel
def _walk(
    masks: Masks, moves: Moves, value: Floats, tree_output: Ints, codes: Codes, given: Codes,
    donors: NDArray[np.int64], out: Floats,
) -> None:  # fmt: skip
    n = len(codes)
    for block in prange((n + MOVED_ROWS - 1) // MOVED_ROWS):
        first, last = block * MOVED_ROWS, min(n, (block + 1) * MOVED_ROWS)
        mine, picks, part = codes[first:last], donors[:, first:last], out[:, :, first:last]
        _walk_block(masks, moves, value, tree_output, mine, given, picks, part)


@compiled
def _walk_block(
    masks: Masks, moves: Moves, value: Floats, tree_output: Ints, codes: Codes, given: Codes,
    donors: NDArray[np.int64], out: Floats,
) -> None:  # fmt: skip
    columns = _columns(codes, masks.used)
    n, repeats, width = len(codes), len(donors), value.shape[1]
    theirs = np.empty((repeats, n, len(masks.used)), codes.dtype)
    for repeat in range(repeats):
        for row in range(n):
            for u in range(len(masks.used)):
                theirs[repeat, row, u] = given[donors[repeat, row], masks.used[u]]
    before = np.empty((len(masks.used) + 1, n), np.uint64)
    after, leaf_value = np.empty_like(before), np.empty(LEAVES)
    for i in range(len(masks.tree)):
        if moves.start[i] == moves.start[i + 1] or moves.player[moves.start[i]] < 0:
            continue
        _meets(masks, moves, i, columns, before, after)
        output, begin = tree_output[masks.tree[i]], moves.first[moves.start[i]]
        for k in range(width):
            for number in range(LEAVES):
                leaf_value[number] = value[masks.leaf[i, number], k]
            for row in range(n):
                mine = number_of(after[0, row])
                for p in range(moves.length[i, mine]):
                    move = moves.start[i] + moves.path[i, mine, p]
                    player, a, b = moves.player[move], moves.first[move], moves.first[move + 1]
                    rest = before[a - begin, row] & after[b - begin, row]
                    for repeat in range(repeats):
                        open_ = rest
                        for slot in range(a, b):
                            open_ &= masks.word[moves.at[slot] + theirs[repeat, row, moves.place[slot]]]
                        out[player, repeat, row, output + k] += leaf_value[number_of(open_)] - leaf_value[mine]


class Runs(NamedTuple):
    """Of move j, start[j]:start[j + 1]: the place where each begins, and what the player leaves open from there on."""

    start: NDArray[np.int64]
    place: NDArray[np.int64]
    word: Words


def _runs(masks: Masks, moves: Moves, places: Codes) -> Runs:
    """Codes (g, f) of the places."""
    start = np.zeros(len(moves.player) + 1, np.int64)
    nothing = Runs(start, np.zeros(0, np.int64), np.zeros(0, np.uint64))
    _fill_runs(masks.word, moves, places, nothing, True)
    np.cumsum(start, out=start)
    runs = Runs(start, np.empty(start[-1], np.int64), np.empty(start[-1], np.uint64))
    _fill_runs(masks.word, moves, places, runs, False)
    return runs


@parallel
def _fill_runs(word: Words, moves: Moves, places: Codes, runs: Runs, counting: bool) -> None:
    for j in prange(len(moves.player)):
        _fill_run(word, moves, places, runs, j, counting)


@compiled
def _fill_run(word: Words, moves: Moves, places: Codes, runs: Runs, j: int, counting: bool) -> None:
    if moves.player[j] < 0:
        return
    last, count = np.uint64(0), 0
    for place in range(len(places)):
        open_ = ALL
        for slot in range(moves.first[j], moves.first[j + 1]):
            open_ &= word[moves.at[slot] + places[place, moves.column[slot]]]
        if place == 0 or open_ != last:
            if not counting:
                runs.place[runs.start[j] + count], runs.word[runs.start[j] + count] = place, open_
            count += 1
        last = open_
    if counting:
        runs.start[j + 1] = count


@parallel
def _walk_grid(
    masks: Masks, moves: Moves, runs: Runs, value: Floats, tree_output: Ints, codes: Codes, changes: Floats
) -> None:  # fmt: skip
    """What begins at a place is summed up over the places before it is added to changes (P, g, n, K)."""
    n = len(codes)
    rows = max(8, min(MOVED_ROWS, GRID_CELLS // (changes.shape[0] * changes.shape[1] * changes.shape[3])))
    for block in prange((n + rows - 1) // rows):
        first, last = block * rows, min(n, (block + 1) * rows)
        _grid_block(masks, moves, runs, value, tree_output, codes[first:last], changes[:, :, first:last])


@compiled
def _grid_block(
    masks: Masks, moves: Moves, runs: Runs, value: Floats, tree_output: Ints, codes: Codes, changes: Floats
) -> None:  # fmt: skip
    columns = _columns(codes, masks.used)
    n, width = len(codes), value.shape[1]
    before = np.empty((len(masks.used) + 1, n), np.uint64)
    after, leaf_value = np.empty_like(before), np.empty(LEAVES)
    here = np.zeros((n, changes.shape[3], changes.shape[0], changes.shape[1]))  # stays in the cache
    for i in range(len(masks.tree)):
        if moves.start[i] == moves.start[i + 1] or moves.player[moves.start[i]] < 0:
            continue
        _meets(masks, moves, i, columns, before, after)
        output, begin = tree_output[masks.tree[i]], moves.first[moves.start[i]]
        for k in range(width):
            for number in range(LEAVES):
                leaf_value[number] = value[masks.leaf[i, number], k]
            for row in range(n):
                mine = number_of(after[0, row])
                for p in range(moves.length[i, mine]):
                    move = moves.start[i] + moves.path[i, mine, p]
                    rest = before[moves.first[move] - begin, row] & after[moves.first[move + 1] - begin, row]
                    steps, last = here[row, output + k, moves.player[move]], leaf_value[mine]
                    for run in range(runs.start[move], runs.start[move + 1]):
                        now = leaf_value[number_of(rest & runs.word[run])]
                        steps[runs.place[run]] += now - last
                        last = now
    for player in range(changes.shape[0]):
        for row in range(n):
            for k in range(changes.shape[3]):
                total = 0.0
                for place in range(changes.shape[1]):
                    total += here[row, k, player, place]
                    changes[player, place, row, k] += total
