"""The least that small trees can answer over a box of cells: by the leaves that each player's cells leave open.

A leaf can be reached in a box if every player has a cell there that leaves it open, since the players' cells are chosen
freely. Of each tree's players, neighbouring cells that leave the same leaves open make one *run*; a tree's least value
is over the leaves open to some run of every player. Law: it is the first bound of ``boxes.search``, or a better one:
where a player's cells are no interval, tests of one path are not told apart there.

Notation: T trees, P players, C cells of all players.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .boxes import Cells, Score
from .compiled import compiled
from .forest import Forest, Ints
from .masks import ALL, Words, number_of


class Reach(NamedTuple):
    """Tree i has the entries start[i]:start[i + 1], one for each player whom it tests. Entry e is of ``player`` e; its
    cells leave open each[at[e]:at[e + 1]], all of them together every[e]; its runs are first[e]:first[e + 1], which
    begin at ``cell`` (of C) and leave ``word`` open."""

    start: NDArray[np.int64]
    player: NDArray[np.int64]
    at: NDArray[np.int64]
    each: Words
    every: Words
    first: NDArray[np.int64]
    cell: NDArray[np.int64]
    word: Words
    tree: Ints
    leaf: Ints  # (T, 64) as of Masks


def reach(forest: Forest, cells: Cells) -> Reach | None:
    """None where some tree has more than 64 leaves, or the tables of all are too large."""
    masks = forest.masks
    if masks is None:
        return None
    tree = np.repeat(np.arange(len(masks.tree)), np.diff(masks.start))
    player = cells.owner[masks.column]
    pairs = np.unique(tree * (len(cells.start) - 1) + player)
    of, who = pairs // (len(cells.start) - 1), pairs % (len(cells.start) - 1)
    start = np.searchsorted(of, np.arange(len(masks.tree) + 1)).astype(np.int64)
    size = cells.start[who + 1] - cells.start[who]
    first = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    word = np.full(first[-1], ALL, np.uint64)
    entry = np.searchsorted(pairs, tree * (len(cells.start) - 1) + player)
    _meet(masks.word, masks.first, masks.column, entry, player, cells, first, word)
    fresh = np.ones(len(word), np.bool_)
    fresh[1:] = word[1:] != word[:-1]
    fresh[first[:-1]] = True
    cell = np.arange(first[-1]) - np.repeat(first[:-1] - cells.start[who], size)
    runs = np.concatenate([[0], np.cumsum(fresh)])[first].astype(np.int64)
    every = np.bitwise_or.reduceat(word, first[:-1]) if len(word) else word
    return Reach(start, who, first, word, every, runs, cell[fresh], word[fresh], masks.tree, masks.leaf)


@compiled
def _meet(
    table: Words, begin: NDArray[np.int64], column: NDArray[np.int64], entry: NDArray[np.int64],
    player: NDArray[np.int64], cells: Cells, first: NDArray[np.int64], word: Words,
) -> None:  # fmt: skip
    """word: what each cell of an entry's player leaves open, by all of the player's columns that the tree tests."""
    for slot in range(len(column)):
        p, f = player[slot], column[slot]
        k = cells.column_start[p + 1] - cells.column_start[p]
        for c in range(cells.start[p + 1] - cells.start[p]):
            code = cells.codes[cells.code_start[p] + c * k + cells.place[f]]
            word[first[entry[slot]] + c] &= table[begin[slot] + code]


@compiled
def least(reach: Reach, score: Score, cells: Cells, box: NDArray[np.bool_]) -> float:
    """A lower bound of the score over the box (C,)."""
    n_players = len(cells.start) - 1
    before, lone = np.zeros(len(box) + 1, np.int64), np.full(n_players, -1, np.int64)
    whole = np.zeros(n_players, np.bool_)
    for p in range(n_players):
        for c in range(cells.start[p], cells.start[p + 1]):
            before[c + 1] = before[c] + box[c]
            if box[c]:
                lone[p] = c - cells.start[p]
        count = before[cells.start[p + 1]] - before[cells.start[p]]
        whole[p] = count == cells.start[p + 1] - cells.start[p]
        if count != 1:
            lone[p] = -1
    total = score.base
    for i in range(len(reach.tree)):
        open_ = ALL if reach.start[i] < reach.start[i + 1] else np.uint64(1)
        for e in range(reach.start[i], reach.start[i + 1]):
            p = reach.player[e]
            if lone[p] >= 0:
                open_ &= reach.each[reach.at[e] + lone[p]]
            elif whole[p]:
                open_ &= reach.every[e]
            else:
                open_ &= _some(reach, e, before, cells.start[p + 1])
        low = np.inf
        while open_ != 0:
            bit = open_ & (~open_ + np.uint64(1))
            low = min(low, score.value[reach.leaf[i, number_of(bit)]])
            open_ ^= bit
        total += low
    return total


@compiled
def _some(reach: Reach, e: int, before: NDArray[np.int64], end: int) -> np.uint64:
    """What the entry's cells in the box leave open; before (C + 1,): how many cells of the box come before each."""
    open_, last = np.uint64(0), reach.first[e + 1]
    for run in range(reach.first[e], last):
        until = reach.cell[run + 1] if run + 1 < last else end
        if before[until] > before[reach.cell[run]]:
            open_ |= reach.word[run]
    return open_
