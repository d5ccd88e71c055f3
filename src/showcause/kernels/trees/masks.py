"""Small trees as masks of leaves: what a code of a column leaves open is one word, and a row's leaf is their meet.

In a tree of at most 64 leaves the set of leaves that can still be reached is one word. A code of one column rules some
leaves out; what is left is looked up in a table, a word for each code. The meet of a row's words, one for each column
that the tree tests, is its leaf's bit alone. No step asks which way to go, so that rows go through a tree side by side.
What changes where columns come from elsewhere is in ``curves``.

Law: every sum is over the trees in their order, so that what is found is, bit by bit, what walking the trees finds.
Source: Lucchese et al. 2015 (QuickScorer) on leaves as bits; a word with a single bit is numbered as in Leiserson,
Prokop & Randall 1998.

Notation: n rows, T trees, K outputs, f columns.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compiled import Turn, compiled, parallel, spread
from .forest import Codes, Floats, Forest, Grid, Ints, Nodes

LEAVES = 64
WORDS = 1 << 22  # of the table that is held at a time
ROWS = 512  # that go through one tree together: its table is read anew for each block of rows
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
def _fill(turn: Turn, nodes: Nodes, roots: Ints, masks: Masks) -> None:
    for i in spread(turn, len(masks.tree)):
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
def predict(turn: Turn, masks: Masks, value: Floats, tree_output: Ints, codes: Codes, out: Floats) -> None:
    """Add the trees' values to out (n, K)."""
    n = len(codes)
    for block in spread(turn, (n + ROWS - 1) // ROWS):
        first, last = block * ROWS, min(n, (block + 1) * ROWS)
        predict_block(masks, value, tree_output, codes[first:last], out[first:last])


@compiled
def predict_block(masks: Masks, value: Floats, tree_output: Ints, codes: Codes, out: Floats) -> None:
    """As ``predict``, on the caller's own thread."""
    columns, open_ = _columns(codes, masks.used), np.empty(len(codes), np.uint64)
    varies = _varies(columns)
    for i in range(len(masks.tree)):
        _open(masks, i, columns, varies, open_)
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
def _varies(columns: Codes) -> NDArray[np.bool_]:
    """(u,) whether the rows differ in a column: changes of one row do in few."""
    found = np.zeros(len(columns), np.bool_)
    for u in range(len(columns)):
        for row in range(columns.shape[1]):
            if columns[u, row] != columns[u, 0]:
                found[u] = True
                break
    return found


@compiled
def _open(masks: Masks, i: int, columns: Codes, varies: NDArray[np.bool_], open_: Words) -> None:
    """open_ (rows,): the bit of each row's leaf in tree i. What all rows share is met once."""
    start, end = masks.start[i], masks.start[i + 1]
    shared, waiting = ALL if end > start else ONE, end
    for slot in range(start, end):
        if not varies[masks.place[slot]]:
            shared &= masks.word[masks.first[slot] + columns[masks.place[slot], 0]]
    open_[:] = shared
    for slot in range(start, end):  # two at a time, so that what is open is written half as often
        if not varies[masks.place[slot]]:
            continue
        if waiting == end:
            waiting = slot
            continue
        _meet(masks, waiting, slot, columns, open_)
        waiting = end
    if waiting < end:
        _meet(masks, waiting, waiting, columns, open_)


@compiled
def _meet(masks: Masks, a: int, b: int, columns: Codes, open_: Words) -> None:
    words, more = masks.word[masks.first[a] :], masks.word[masks.first[b] :]
    of, other = columns[masks.place[a]], columns[masks.place[b]]
    for row in range(len(open_)):
        open_[row] &= words[np.uint64(of[row])] & more[np.uint64(other[row])]


@parallel
def leaves(turn: Turn, masks: Masks, roots: Ints, codes: Codes, out: NDArray[Any]) -> None:
    """out (T, n): the leaf of each row, counted from its tree's root."""
    n = len(codes)
    for block in spread(turn, (n + ROWS - 1) // ROWS):
        first, last = block * ROWS, min(n, (block + 1) * ROWS)
        _leaves_block(masks, roots, codes[first:last], out[:, first:last])


@compiled
def _leaves_block(masks: Masks, roots: Ints, codes: Codes, out: NDArray[Any]) -> None:
    columns, open_ = _columns(codes, masks.used), np.empty(len(codes), np.uint64)
    varies = _varies(columns)
    for i in range(len(masks.tree)):
        _open(masks, i, columns, varies, open_)
        of, leaf, root = out[masks.tree[i]], masks.leaf[i], roots[masks.tree[i]]
        for row in range(len(open_)):
            of[row] = leaf[number_of(open_[row])] - root
