"""The least that a forest can answer over a box of cells: interval bounds, tightened by branch and bound.

A *player* has one or more columns and a list of *cells*; in a cell each of its columns has one code. A *box* is a set
of cells for each player. For one tree the least leaf that a box can reach is exact where each player's cells are an
interval; the sum over trees is a lower bound of the forest, since the trees' leaves need not agree. Where the bound
decides nothing, the box is cut in two at the test on which most of the spread hangs, and each half is bounded again.
Source: Izza & Marques-Silva 2021 and Ignatiev et al. 2022 on sufficient reasons of tree ensembles; Land & Doig 1960.

Law: PROVEN means that no combination of cells in the box has a score below the goal (up to rounding of one sum); FOUND
returns a combination that has, with its score; OPEN that the budget ran out.

Notation: N nodes, P players, C cells of all players, S codes of all columns.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled
from .forest import Floats, Forest, Ints, Nodes

PROVEN, FOUND, OPEN = 0, 1, 2
STACK_CELLS = 16_000_000  # cells of all boxes that wait


class Cells(NamedTuple):
    """Which codes a player's cells have."""

    start: NDArray[np.int64]  # (P + 1,) player p has the cells start[p]:start[p + 1]
    column_start: NDArray[np.int64]  # (P + 1,) and the columns columns[column_start[p]:column_start[p + 1]]
    columns: NDArray[np.int64]
    code_start: NDArray[np.int64]  # (P + 1,) cell c of p has the codes codes[code_start[p] + (c - start[p]) * k:][:k]
    codes: NDArray[np.int64]
    space: NDArray[np.int64]  # (f + 1,) column j has the codes space[j]:space[j + 1] of S
    owner: NDArray[np.int64]  # (f,) the player of a column, -1 for none
    place: NDArray[np.int64]  # (f,) its place among the player's columns


class Scratch(NamedTuple):
    """Of one search: what is known of the box at hand."""

    present: NDArray[np.uint8]  # (S,) codes that some cell of the box has
    before: NDArray[np.int64]  # (S + f,) how many of a column's codes lie below
    sides: NDArray[np.uint8]  # (tests,) 1 if some code of the box goes left, 2 if some goes right, 3 for both
    gain: Floats  # (tests,) how much of the spread hangs on each
    lean: Floats  # (tests,) below zero, left is lower
    open: NDArray[np.bool_]  # (N,) False between trees
    visited: NDArray[np.int64]  # nodes of one tree that can be reached, ascending
    least: Floats  # (N,) below each of them


class Score(NamedTuple):
    """A weighted sum of a forest's outputs, a number a leaf. `test` numbers the distinct tests; `asked`: one's node."""

    nodes: Nodes
    value: Floats  # (N,)
    roots: Ints  # (T + 1,)
    base: float
    test: NDArray[np.int64]  # (N,) -1 at leaves
    asked: NDArray[np.int64]


def cells(forest: Forest, columns: list[NDArray[np.int64]], codes: list[NDArray[np.int64]]) -> Cells:
    """`columns` (k,) and `codes` (cells, k) of each player; a column that no player has must not be split."""
    counts = np.array([len(block) for block in codes], np.int64)
    widths = np.array([len(of) for of in columns], np.int64)
    owner, place = np.full(forest.n_features, -1, np.int64), np.zeros(forest.n_features, np.int64)
    for player, of in enumerate(columns):
        owner[of], place[of] = player, np.arange(len(of))
    return Cells(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.concatenate([[0], np.cumsum(widths)]).astype(np.int64),
        np.concatenate([np.zeros(0, np.int64), *columns]).astype(np.int64),
        np.concatenate([[0], np.cumsum(counts * widths)]).astype(np.int64),
        np.concatenate([np.zeros(0, np.int64), *(block.ravel() for block in codes)]).astype(np.int64),
        np.concatenate([[0], np.cumsum(forest.grid.n_codes)]).astype(np.int64),
        owner,
        place,
    )


def score(forest: Forest, weights: Floats) -> Score:
    """Of the sum of `weights` (K,) times the outputs."""
    if forest.value.shape[1] == 1:
        value = forest.value[:, 0] * np.repeat(weights[forest.tree_output], np.diff(forest.roots))
    else:
        value = forest.value @ weights
    test, asked = forest.tests
    base = float(forest.base @ weights)
    return Score(forest.grid.nodes, np.ascontiguousarray(value), forest.roots, base, test, asked)


@compiled
def _passes(nodes: Nodes, node: int, code: int) -> bool:
    if nodes.table[node] >= 0:
        return nodes.table_left[nodes.table[node] + code] != 0
    return (nodes.low[node] <= code) and (code <= nodes.high[node])


@compiled
def _scratch(score: Score, cells: Cells) -> Scratch:
    tests, largest = len(score.asked), np.diff(score.roots).max()
    return Scratch(
        np.zeros(cells.space[-1], np.uint8), np.zeros(cells.space[-1] + len(cells.space), np.int64),
        np.zeros(tests, np.uint8), np.zeros(tests), np.zeros(tests),
        np.zeros(len(score.value), np.bool_), np.empty(largest, np.int64), np.empty(len(score.value)),
    )  # fmt: skip


@compiled
def _present(cells: Cells, box: NDArray[np.uint8], scratch: Scratch) -> None:
    """Which codes a box has."""
    present, before = scratch.present, scratch.before
    present[:] = 0
    for p in range(len(cells.start) - 1):
        k = cells.column_start[p + 1] - cells.column_start[p]
        for c in range(cells.start[p], cells.start[p + 1]):
            if box[c]:
                at = cells.code_start[p] + (c - cells.start[p]) * k
                for j in range(k):
                    column = cells.columns[cells.column_start[p] + j]
                    present[cells.space[column] + cells.codes[at + j]] = 1
    for f in range(len(cells.space) - 1):
        total = 0
        for s in range(cells.space[f], cells.space[f + 1]):
            before[s + f] = total
            total += present[s]
        before[cells.space[f + 1] + f] = total


@compiled
def _sides(nodes: Nodes, cells: Cells, asked: NDArray[np.int64], scratch: Scratch) -> None:
    """Of each test whether some code of the box goes left, and whether some goes right."""
    space, present, before = cells.space, scratch.present, scratch.before
    for test in range(len(asked)):
        node = asked[test]
        f, table = nodes.feature[node], nodes.table[node]
        first, last = space[f], space[f + 1]
        if table < 0:
            inside = before[first + f + nodes.high[node] + 1] - before[first + f + nodes.low[node]]
        else:
            inside = 0
            for s in range(first, last):
                if nodes.table_left[table + s - first] != 0:
                    inside += present[s]
        scratch.sides[test] = (inside > 0) + 2 * (before[last + f] > inside)


@compiled
def _bound(score: Score, cells: Cells, box: NDArray[np.uint8], scratch: Scratch) -> float:
    """The lower bound of a box; gain and lean of its tests go into the scratch."""
    _present(cells, box, scratch)
    _sides(score.nodes, cells, score.asked, scratch)
    sides, gain, lean, least = scratch.sides, scratch.gain, scratch.lean, scratch.least
    left, right = score.nodes.left, score.nodes.right
    gain[:], lean[:] = 0.0, 0.0
    total = score.base
    for tree in range(len(score.roots) - 1):
        first = score.roots[tree]
        for place in range(_reached(score, tree, scratch) - 1, -1, -1):
            node = scratch.visited[place]
            test = score.test[node]
            if test < 0:
                least[node] = score.value[node]
                continue
            a = least[left[node]] if sides[test] & 1 else np.inf
            b = least[right[node]] if sides[test] & 2 else np.inf
            least[node] = min(a, b)
            if a < np.inf and b < np.inf and a != b:
                gain[test] += abs(a - b)
                lean[test] += a - b
        total += least[first]
    return total


@compiled
def _reached(score: Score, tree: int, scratch: Scratch) -> int:
    """How many nodes of a tree the box can reach; they are visited[:that]. A node stands before those below it."""
    open_, visited, sides = scratch.open, scratch.visited, scratch.sides
    tests, left, right = score.test, score.nodes.left, score.nodes.right
    open_[score.roots[tree]] = True
    count = 0
    for node in range(score.roots[tree], score.roots[tree + 1]):
        if open_[node]:
            open_[node] = False
            visited[count] = node
            count += 1
            test = tests[node]
            if test >= 0:
                open_[left[node]] = sides[test] & 1 != 0
                open_[right[node]] = sides[test] & 2 != 0
    return count


@compiled
def _widest(gain: Floats) -> int:
    """The test on which most of the spread hangs; -1 where there is none."""
    cut = -1
    for test in range(len(gain)):
        if gain[test] > 0.0 and (cut < 0 or gain[test] > gain[cut]):
            cut = test
    return cut


@compiled
def _halves(
    score: Score, cells: Cells, cut: int, lean: float, box: NDArray[np.uint8], high: NDArray[np.uint8],
    low: NDArray[np.uint8],
) -> None:  # fmt: skip
    """The box cut in two at a test, into the half where it leans to lower scores and the other one."""
    node = score.asked[cut]
    column = score.nodes.feature[node]
    p = cells.owner[column]
    k = cells.column_start[p + 1] - cells.column_start[p]
    high[:], low[:] = box, box
    for c in range(cells.start[p], cells.start[p + 1]):
        at = cells.code_start[p] + (c - cells.start[p]) * k + cells.place[column]
        if _passes(score.nodes, node, cells.codes[at]) == (lean <= 0.0):
            high[c] = 0
        else:
            low[c] = 0


@compiled
def search(
    score: Score, cells: Cells, box: NDArray[np.uint8], goal: float, budget: int
) -> tuple[int, float, NDArray[np.int64], int]:
    """(PROVEN, FOUND or OPEN; the score found or the least bound left open; its cells (P,); boxes bounded).

    FOUND stops at the first combination below the goal. `budget` counts boxes.
    """
    n_players, n_cells = len(cells.start) - 1, len(box)
    scratch = _scratch(score, cells)
    found = np.full(n_players, -1, np.int64)
    depth = max(4, min(4096, STACK_CELLS // max(1, n_cells)))
    stack = np.empty((depth, n_cells), np.uint8)
    stack[0] = box
    waiting, used = 1, 0
    while waiting > 0:
        if used >= budget or waiting + 2 > depth:
            return OPEN, -np.inf, found, used
        waiting -= 1
        here = stack[waiting].copy()
        bound = _bound(score, cells, here, scratch)
        used += 1
        if bound >= goal:
            continue
        cut = _widest(scratch.gain)
        if cut < 0:  # whichever cells are taken, the bound is the score
            for p in range(n_players):
                for c in range(cells.start[p], cells.start[p + 1]):
                    if here[c] and found[p] < 0:
                        found[p] = c - cells.start[p]
            return FOUND, bound, found, used
        # the lower half is looked at first
        _halves(score, cells, cut, scratch.lean[cut], here, stack[waiting], stack[waiting + 1])
        waiting += 2
    return PROVEN, goal, found, used


@compiled
def _barred(cells: Cells, own: NDArray[np.int64], forbidden: NDArray[np.uint8], box: NDArray[np.uint8]) -> bool:
    """Whether all combinations of a box change every player of some row of ``forbidden``."""
    for s in range(len(forbidden)):
        every = True
        for p in range(len(own)):
            if forbidden[s, p] and box[cells.start[p] + own[p]]:
                every = False
        if every:
            return True
    return False


@compiled
def cheapest(
    score: Score, cells: Cells, costs: Floats, own: NDArray[np.int64], forbidden: NDArray[np.uint8], goal: float,
    limit: float, budget: int,
) -> tuple[int, float, NDArray[np.int64], int]:  # fmt: skip
    """(PROVEN, FOUND or OPEN; the least cost; its cells (P,); boxes bounded) of a combination with a score of at most
    `goal` that costs less than `limit`; PROVEN: there is none, OPEN: the budget ran out and nothing is claimed.

    costs (C,) of each cell, 0 for the `own` (P,) cells; a combination that changes every player of a row of `forbidden`
    (sets, P) does not count. Branch and bound: a box costs at least the sum of its players' cheapest cells.
    """
    n_players, n_cells = len(own), len(costs)
    scratch = _scratch(score, cells)
    floor = np.empty(n_players)
    found, best, state = np.full(n_players, -1, np.int64), limit, PROVEN
    depth = max(4, min(4096, STACK_CELLS // max(1, n_cells)))
    stack = np.empty((depth, n_cells), np.uint8)
    stack[0] = 1
    waiting, used = 1, 0
    while waiting > 0:
        if used >= budget or waiting + 2 > depth:
            return OPEN, best, found, used
        waiting -= 1
        here = stack[waiting].copy()
        total = 0.0
        for p in range(n_players):
            floor[p] = np.inf
            for c in range(cells.start[p], cells.start[p + 1]):
                if here[c] and costs[c] < floor[p]:
                    floor[p] = costs[c]
            total += floor[p]
        if total >= best:
            continue
        if _barred(cells, own, forbidden, here):
            continue
        for p in range(n_players):  # what is too dear beside the cheapest of all others
            for c in range(cells.start[p], cells.start[p + 1]):
                if here[c] and total - floor[p] + costs[c] >= best:
                    here[c] = 0
        bound = _bound(score, cells, here, scratch)
        used += 1
        if bound > goal:
            continue
        cut = _widest(scratch.gain)
        if cut < 0:  # every combination of the box has this score
            best, state = total, FOUND
            for p in range(n_players):
                for c in range(cells.start[p + 1] - 1, cells.start[p] - 1, -1):
                    if here[c] and costs[c] == floor[p]:
                        found[p] = c - cells.start[p]
                if here[cells.start[p] + own[p]]:
                    found[p] = own[p]
            continue
        _halves(score, cells, cut, scratch.lean[cut], here, stack[waiting], stack[waiting + 1])
        waiting += 2
    return state, best, found, used
