"""What rows are predicted with a player's columns from elsewhere, in trees that are masks of leaves.

Where a player's columns come from elsewhere, the words that all other columns leave open (``masks``) are met with the
new ones: the bit that is left is the leaf. What the columns can become are the player's *places*, the distinct cells
that some donor has. In a tree, neighbouring places that leave the same leaves open make one *run*, a constant of the
tree; a run's difference is added where it begins. All runs together are the row's complete curve, summed up over the
places and read wherever donors, or a grid that all rows share, want it: rows go through it side by side without a
branch, and the number of donors hardly matters. Where a player has many more runs in a tree than a row has donors, or
too many places, the donors' own words are met instead.

Changes are summed up as integers, in units so small that nothing is lost beside the rounding of the sum. So a row whose
leaves stay the same keeps its prediction to the last bit, and blocks, threads and the order of trees do not matter.

Notation: n rows, m donors to choose from, r repeats, or places of a grid, P players, K outputs.
"""

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from .compiled import Turn, compiled, parallel, spread
from .counts import Places, places_of
from .forest import Codes, Floats, Forest, Ints
from .masks import ALL, LEAVES, Masks, Words, in_parts, number_of

MOST_PLACES = 1 << 12  # of a player, for runs
RUNS_PER_REPEAT = 2  # a run costs about half as much as a donor's words
STEP_BYTES = 1 << 20  # of the curves of a block of rows, so that they stay in the cache
MOST_ROWS = 128

Longs = NDArray[np.int64]


class Moves(NamedTuple):
    """The slots of trees by player: tree i has the moves start[i]:start[i + 1], move j the slots first[j]:first[j + 1].

    player     of a move, -1 if nobody's columns
    column, at of a slot: its column among those used, and where its words begin among those of the masks
    runs       (moves + 1,) move j has the runs runs[j]:runs[j + 1], none if donors' own words are met
    place      of a run: where it begins, counted from the player's first place
    word       of a run: what the player leaves open from there on
    """

    start: Longs
    player: Longs
    first: Longs
    column: Longs
    at: Longs
    runs: Longs
    place: Longs
    word: Words


def replace_players(
    forest: Forest, trees: Longs, codes: Codes, given: Codes, donors: Longs | None, owner: Ints, out: Floats
) -> None:
    """out (P, r, n, K) becomes the rows' predictions and what changes in ``trees``, all of them small, when a player's
    columns come from given[donors[r, row]], or, without donors, from given[r].

    owner (f,): the player of each column, -1 for none.
    """
    base = forest.predict_codes(codes)
    if not len(trees):
        out[:] = base
        return
    tested = np.isin(np.arange(forest.n_features), forest.feature)
    places = places_of(forest, given, np.where(tested, owner, -1), len(out))
    picks = np.zeros((0, len(codes)), np.int64) if donors is None else donors
    largest = np.maximum.reduceat(np.abs(forest.value).max(axis=1), forest.roots[:-1])
    total = float(largest[trees].sum())
    if not np.isfinite(total):
        raise ValueError("a leaf of the forest holds a value that is not finite")
    unit = float(np.ldexp(1.0, max(-1000, int(np.frexp(total)[1]) - 61)))
    rows, done = _block_rows(out, int(places.start[-1]) + out.shape[0] * len(picks)), 0
    for masks in in_parts(forest, trees):
        moves = _with_runs(masks, _moves(masks, owner), places, len(picks))
        value = np.ascontiguousarray(np.rint(forest.value[masks.leaf] / unit).astype(np.int64).transpose(0, 2, 1))
        columns, theirs = codes[:, masks.used].T.copy(), given[:, masks.used].T.copy()
        first, done = done == 0, done + len(masks.tree)
        _replace(
            masks.word, moves, places, value, forest.tree_output[masks.tree], unit, columns, theirs, picks, rows, base,
            first, done == len(trees), out.view(np.int64), out,
        )  # fmt: skip


def _block_rows(out: Floats, cells: int) -> int:
    """Few enough for the cache and to keep all threads busy; what comes out does not depend on it."""
    most = min(MOST_ROWS, STEP_BYTES // max(1, 8 * cells * out.shape[3]))
    return max(8, min(most, -(-out.shape[2] // numba.get_num_threads())))


def _moves(masks: Masks, owner: Ints) -> Moves:
    tree = np.repeat(np.arange(len(masks.tree)), np.diff(masks.start))
    player = owner[masks.column].astype(np.int64)
    order = np.lexsort((player, tree))
    tree, player = tree[order], player[order]
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = (np.diff(tree) != 0) | (np.diff(player) != 0)
    first = np.append(np.flatnonzero(fresh), len(order)).astype(np.int64)
    start = np.searchsorted(tree[first[:-1]], np.arange(len(masks.tree) + 1)).astype(np.int64)
    none = np.zeros(0, np.int64)
    return Moves(
        start, player[first[:-1]], first, masks.place[order], masks.first[order], none, none, np.zeros(0, np.uint64)
    )


def _with_runs(masks: Masks, moves: Moves, places: Places, repeats: int) -> Moves:
    """Runs for all moves of players, or, with donors, for those that have few enough."""
    counts = np.append(np.diff(places.start) - 1, 0)[moves.player]
    if repeats:
        counts[counts > MOST_PLACES] = 0
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    word = np.empty(start[-1], np.uint64)
    _fill_words(masks.word, moves, places.codes[masks.used], start, word)
    fresh = np.ones(len(word), np.bool_)
    fresh[1:] = word[1:] != word[:-1]
    fresh[start[:-1][counts > 0]] = True
    many = np.diff(np.append(0, np.cumsum(fresh))[start])
    if repeats:
        fresh &= np.repeat(many <= RUNS_PER_REPEAT * repeats, counts)
    place = np.flatnonzero(fresh)
    move = np.repeat(np.arange(len(counts)), counts)[place]
    runs = np.searchsorted(move, np.arange(len(counts) + 1)).astype(np.int64)
    return moves._replace(runs=runs, place=place - start[move], word=word[place])


@parallel
def _fill_words(turn: Turn, table: Words, moves: Moves, codes: Codes, start: Longs, word: Words) -> None:
    for move in spread(turn, len(moves.player)):
        _open(table, moves, move, codes, word[start[move] : start[move + 1]])


@compiled
def _open(table: Words, moves: Moves, move: int, columns: Codes, word: Words) -> None:
    """Columns (f, k) → word (k,): what the slots of a move leave open."""
    for row in range(len(word)):
        word[row] = ALL
    for slot in range(moves.first[move], moves.first[move + 1]):
        of, column = table[moves.at[slot] :], columns[moves.column[slot]]
        for row in range(len(word)):
            word[row] &= of[np.uint64(column[row])]


@compiled
def _meet(words: Words, more: Words, both: Words) -> None:
    for row in range(len(both)):
        both[row] = words[row] & more[row]


@compiled
def _others(table: Words, moves: Moves, tree: int, columns: Codes, own: Words, words: Words) -> int:
    """words[i] (rows,): what all moves of a tree but its i-th leave open; the last one: what all do. How many moves."""
    first = moves.start[tree]
    count = moves.start[tree + 1] - first
    for i in range(count):
        _open(table, moves, first + i, columns, own[i])
    every = words[count]
    words[count - 1], every[:] = ALL, own[0]
    for i in range(count - 1, 0, -1):
        _meet(words[i], own[i], words[i - 1])
    for i in range(1, count):
        _meet(words[i], every, words[i])
        _meet(own[i], every, every)
    return int(count)


@compiled
def _look(value: Longs, words: Words, word: np.uint64, found: Longs) -> None:
    """The values of the leaves that are left."""
    for row in range(len(found)):
        found[row] = value[number_of(words[row] & word)]


@compiled
def _add(step: Longs, now: Longs, before: Longs) -> None:
    for row in range(len(step)):
        step[row] += now[row] - before[row]


@parallel
def _replace(
    turn: Turn, table: Words, moves: Moves, places: Places, value: Longs, output: Ints, unit: float, columns: Codes,
    given: Codes, donors: Longs, rows: int, base: Floats, first: bool, last: bool, held: Longs, out: Floats,
) -> None:  # fmt: skip
    """donors (r, n), or (0, n) where all rows take all places in turn. held: out itself, where changes are kept in
    units from one part of the trees to the next; the last part turns them into predictions."""
    n, n_outputs = columns.shape[1], out.shape[3]
    for block in spread(turn, (n + rows - 1) // rows):
        begin, size = block * rows, min(rows, n - block * rows)
        mine, theirs = columns[:, begin : begin + size].copy(), _theirs(given, donors[:, begin : begin + size])
        steps = np.zeros((places.start[-1], n_outputs, size), np.int64)
        each = np.zeros((out.shape[0], len(donors), n_outputs, size), np.int64)
        own, words = np.empty((LEAVES, size), np.uint64), np.empty((LEAVES + 1, size), np.uint64)
        put, looked = np.empty(size, np.uint64), np.empty((3, size), np.int64)
        for tree in range(len(value)):
            if moves.start[tree + 1] == moves.start[tree]:
                continue
            count = _others(table, moves, tree, mine, own, words)
            for k in range(value.shape[1]):
                _look(value[tree, k], words[count], ALL, looked[0])
                for i in range(count):
                    move, to = moves.start[tree] + i, output[tree] + k
                    player = moves.player[move]
                    if moves.runs[move + 1] > moves.runs[move]:
                        curve = steps[places.start[player] : places.start[player + 1], to]
                        _add_runs(moves, move, value[tree, k], words[i], looked, curve)
                    elif player >= 0:
                        _add_each(
                            table, moves, move, theirs, value[tree, k], words[i], looked[0], put, each[player, :, to]
                        )
        here = slice(begin, begin + size)
        _write(places, steps, each, donors[:, here], unit, base[here], first, last, held[:, :, here], out[:, :, here])


@compiled
def _theirs(given: Codes, donors: Longs) -> Codes:
    """(f, r · rows) the donors' codes."""
    theirs = np.empty((len(given), donors.size), given.dtype)
    for column in range(len(given)):
        for repeat in range(len(donors)):
            for row in range(donors.shape[1]):
                theirs[column, repeat * donors.shape[1] + row] = given[column, donors[repeat, row]]
    return theirs


@compiled
def _add_runs(moves: Moves, move: int, value: Longs, others: Words, looked: Longs, curve: Longs) -> None:
    """Add to curve (places, rows) what a move changes. looked (3, rows): the own leaves' values, and scratch."""
    before, now, spare = looked[0], looked[1], looked[2]
    for run in range(moves.runs[move], moves.runs[move + 1]):
        _look(value, others, moves.word[run], now)
        _add(curve[moves.place[run]], now, before)
        before, now, spare = now, spare, now


@compiled
def _add_each(
    table: Words, moves: Moves, move: int, theirs: Codes, value: Longs, others: Words, before: Longs, put: Words,
    each: Longs,
) -> None:  # fmt: skip
    """Add to each (r, rows) what a move changes with the donors' codes (f, r · rows); put is scratch."""
    size, last = len(others), moves.first[move + 1] - 1
    of = table[moves.at[last] :]
    for repeat in range(len(each)):
        rest, here, those = others, each[repeat], theirs[:, repeat * size : (repeat + 1) * size]
        for slot in range(moves.first[move], last):
            more, column = table[moves.at[slot] :], those[moves.column[slot]]
            for row in range(size):
                put[row] = rest[row] & more[np.uint64(column[row])]
            rest = put
        column = those[moves.column[last]]
        for row in range(size):
            here[row] += value[number_of(rest[row] & of[np.uint64(column[row])])] - before[row]


@compiled
def _write(
    places: Places, steps: Longs, each: Longs, donors: Longs, unit: float, base: Floats, first: bool, last: bool,
    held: Longs, out: Floats,
) -> None:  # fmt: skip
    """Curves are summed up over the places and read."""
    n_players, repeats, size, n_outputs = out.shape
    change = np.empty(size, np.int64)
    for player in range(n_players):
        curve = steps[places.start[player] : places.start[player + 1]]
        for place in range(1, len(curve)):
            curve[place] += curve[place - 1]
        for repeat in range(repeats):
            for k in range(n_outputs):
                if len(donors) == 0:
                    change[:] = curve[places.of[player, repeat], k]
                else:
                    of = places.of[player]
                    for row in range(size):
                        change[row] = curve[of[donors[repeat, row]], k, row] + each[player, repeat, k, row]
                if not first:
                    change += held[player, repeat, :, k]
                if last:
                    out[player, repeat, :, k] = base[:, k] + unit * change
                else:
                    held[player, repeat, :, k] = change
