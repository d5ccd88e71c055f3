"""Predictions of rows with one player's columns taken from other rows, by walking again only where it matters.

Trees of at most 64 leaves are in ``curves``. For larger ones there are two ways, both exact. *Again*: a tree whose path
tests the player is walked again from the first of those tests that turns out differently; any player, any split.
*Curves*: for a player of one numeric column, one walk per row and tree finds at once what every value of the column
would give, since each test of the column on the path opens a detour for an interval of codes; the detours' differences,
summed up over codes, are the row's complete curve, read at as many donors as wanted. Curves pay where a column has few
thresholds for the number of donors.

Notation: n rows, f features, r repeats, g places, K outputs.
"""

import numpy as np
from numpy.typing import NDArray

from .compiled import Turn, compiled, parallel, spread
from .curves import replace_players
from .forest import Codes, Floats, Forest, Ints, Nodes, step
from .masks import is_small

BLOCK = 64  # rows that walk one tree together
CODES_PER_REPEAT = 64  # a curve over this many codes costs about as much as one more walk


def walk_with_donors(
    forest: Forest, codes: Codes, given: Codes, donors: NDArray[np.int64], owner: Ints, first: int, last: int
) -> Floats:
    """Predictions (last - first, r, n, K) with players first … last - 1 from rows donors (r, n) of given."""
    out: Floats = np.empty((last - first, len(donors), len(codes), forest.n_outputs))
    asked, small = _asked(owner, first, last), is_small(forest)
    replace_players(forest, np.flatnonzero(small), codes, given, donors, asked, out)
    _walk_large(forest, np.flatnonzero(~small), codes, given, donors, asked, out)
    return out


def walk_over_grid(forest: Forest, codes: Codes, places: Codes, owner: Ints, first: int, last: int) -> Floats:
    """Predictions (last - first, g, n, K) of all rows with players first … last - 1 from each row of places (g, f).

    Cheapest where a player's places stand in the order of its codes.
    """
    out: Floats = np.empty((last - first, len(places), len(codes), forest.n_outputs))
    asked, small = _asked(owner, first, last), is_small(forest)
    replace_players(forest, np.flatnonzero(small), codes, places, None, asked, out)
    if not small.all():
        donors = np.broadcast_to(np.arange(len(places))[:, None], (len(places), len(codes)))
        _walk_large(forest, np.flatnonzero(~small), codes, places, np.ascontiguousarray(donors), asked, out)
    return out


def _asked(owner: Ints, first: int, last: int) -> Ints:
    """(f,) players counted from ``first``, -1 for those that are not asked about."""
    return np.where((owner >= first) & (owner < last), owner - first, -1).astype(np.int32)


def _walk_large(
    forest: Forest, trees: NDArray[np.int64], codes: Codes, given: Codes, donors: NDArray[np.int64], player: Ints,
    out: Floats,
) -> None:  # fmt: skip
    """Add to out (P, r, n, K) what changes in ``trees``."""
    if not len(trees):
        return
    grid = forest.grid
    by_curve = np.full(forest.n_features, -1, np.int32)  # the player whose curve runs over the column
    for p in range(len(out)):
        columns = np.flatnonzero(player == p)
        numeric = len(columns) == 1 and grid.n_categories[columns[0]] < 0
        if numeric and grid.n_codes[columns[0]] <= CODES_PER_REPEAT * len(donors):
            by_curve[columns[0]] = p
    again = np.where(by_curve < 0, player, -1).astype(np.int32)
    values = (grid.nodes, forest.value, forest.roots, forest.tree_output, trees, codes, given, donors)
    if (again >= 0).any():
        _walk_again(*values, again, out)
    if (by_curve >= 0).any():
        start = np.concatenate([[0], np.cumsum(np.where(by_curve >= 0, grid.n_codes + 1, 0))]).astype(np.int64)
        _walk_curves(*values, by_curve, start, out)


@parallel
def _walk_again(
    turn: Turn, nodes: Nodes, value: Floats, roots: Ints, tree_output: Ints, trees: NDArray[np.int64], codes: Codes,
    given: Codes, donors: NDArray[np.int64], owner: Ints, out: Floats,
) -> None:  # fmt: skip
    n, n_players = len(codes), out.shape[0]
    for block in spread(turn, (n + BLOCK - 1) // BLOCK):
        path, done = np.empty(64, np.int32), np.full(n_players, -1, np.int64)
        for tree in trees:
            for row in range(block * BLOCK, min(n, (block + 1) * BLOCK)):
                node, length = roots[tree], 0
                while nodes.feature[node] >= 0:
                    if length == len(path):
                        path = np.append(path, np.empty(length, np.int32))
                    path[length] = node
                    length += 1
                    node = step(nodes, node, codes[row, nodes.feature[node]])
                visit = np.int64(tree) * n + row
                for d in range(length):
                    player = owner[nodes.feature[path[d]]]
                    if player < 0 or done[player] == visit:
                        continue
                    done[player] = visit
                    for repeat in range(len(donors)):
                        donor = donors[repeat, row]
                        leaf = _leaf_with(nodes, path, d, length, node, codes, row, given, donor, owner, player)
                        if leaf != node:
                            for k in range(value.shape[1]):
                                change = value[leaf, k] - value[node, k]
                                out[player, repeat, row, tree_output[tree] + k] += change


@compiled
def _leaf_with(
    nodes: Nodes, path: Ints, d: int, length: int, leaf: int, codes: Codes, row: int, given: Codes, donor: int,
    owner: Ints, player: int,
) -> int:  # fmt: skip
    """Where a row ends with the player's columns from a donor, if its own path[:length] ends in leaf."""
    node = leaf
    for e in range(d, length):
        test = path[e]
        feature = nodes.feature[test]
        if owner[feature] == player:
            here = step(nodes, test, given[donor, feature])
            if here != (path[e + 1] if e + 1 < length else leaf):
                node = here
                break
    while nodes.feature[node] >= 0:
        feature = nodes.feature[node]
        code = given[donor, feature] if owner[feature] == player else codes[row, feature]
        node = step(nodes, node, code)
    return node


@parallel
def _walk_curves(
    turn: Turn, nodes: Nodes, value: Floats, roots: Ints, tree_output: Ints, trees: NDArray[np.int64], codes: Codes,
    given: Codes, donors: NDArray[np.int64], player: Ints, start: NDArray[np.int64], out: Floats,
) -> None:  # fmt: skip
    """player (f,): whose curve runs over the column, or -1; start (f + 1,): its place in the steps of all curves."""
    n, n_outputs = out.shape[2], out.shape[3]
    for block in spread(turn, (n + BLOCK - 1) // BLOCK):
        # steps[:, start + c] is what is added from code c on; code 0, missing, stands for itself
        steps = np.zeros((n_outputs, start[-1]))
        low, high = np.zeros(len(player), np.int64), np.zeros(len(player), np.int64)
        missing = np.zeros(len(player), np.bool_)
        stack = np.empty((64, 4), np.int64)
        for row in range(block * BLOCK, min(n, (block + 1) * BLOCK)):
            for tree in trees:
                stack = _detours(nodes, value, roots[tree], tree_output[tree], codes[row], player, start,
                                 low, high, missing, steps, stack)  # fmt: skip
            for feature in range(len(player)):
                if player[feature] < 0:
                    continue
                for k in range(n_outputs):
                    curve = steps[k, start[feature] : start[feature + 1]]
                    for code in range(2, len(curve)):
                        curve[code] += curve[code - 1]
                    for repeat in range(len(donors)):
                        change = curve[given[donors[repeat, row], feature]]
                        out[player[feature], repeat, row, k] += change
                    curve[:] = 0.0


@compiled
def _detours(
    nodes: Nodes, value: Floats, root: int, output: int, codes: Codes, player: Ints, start: NDArray[np.int64],
    low: NDArray[np.int64], high: NDArray[np.int64], missing: NDArray[np.bool_], steps: Floats,
    stack: NDArray[np.int64],
) -> NDArray[np.int64]:  # fmt: skip
    """One row, one tree: add every detour's difference to the steps.

    low, high, missing (f,), scratch: the codes of a column that would come to the same place on the row's own path.
    """
    node = root
    while nodes.feature[node] >= 0:
        feature = nodes.feature[node]
        low[feature], high[feature], missing[feature] = 1, start[feature + 1] - start[feature] - 2, True
        node = step(nodes, node, codes[feature])
    leaf, node = node, root
    while nodes.feature[node] >= 0:
        feature = nodes.feature[node]
        child = step(nodes, node, codes[feature])
        if player[feature] >= 0:
            left, right = nodes.left[node], nodes.right[node]
            cut, missing_left = np.int64(nodes.high[node]), nodes.low[node] == 0
            # a detour: node to go on from, the codes that take it, whether missing takes it
            a, b, m = low[feature], high[feature], missing[feature]
            if child == left:
                a, m = max(a, cut + 1), m and not missing_left
                high[feature], missing[feature] = min(high[feature], cut), missing[feature] and missing_left
                other = right
            else:
                b, m = min(b, cut), m and missing_left
                low[feature], missing[feature] = max(low[feature], cut + 1), missing[feature] and not missing_left
                other = left
            depth = 0
            if a <= b or m:
                stack[0, 0], stack[0, 1], stack[0, 2], stack[0, 3] = other, a, b, 1 if m else 0
                depth = 1
            while depth > 0:
                depth -= 1
                at, a, b, m = stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3] == 1
                while nodes.feature[at] >= 0:
                    if nodes.feature[at] != feature:
                        at = step(nodes, at, codes[nodes.feature[at]])
                        continue
                    cut, missing_left = np.int64(nodes.high[at]), nodes.low[at] == 0
                    right_a, right_m = max(a, cut + 1), m and not missing_left
                    if right_a <= b or right_m:
                        if depth == len(stack):
                            stack = np.concatenate((stack, np.empty_like(stack)))
                        stack[depth, 0], stack[depth, 1], stack[depth, 2] = nodes.right[at], right_a, b
                        stack[depth, 3] = 1 if right_m else 0
                        depth += 1
                    b, m = min(b, cut), m and missing_left
                    if not (a <= b or m):
                        at = -1
                        break
                    at = nodes.left[at]
                if at >= 0:
                    for k in range(value.shape[1]):
                        curve = steps[output + k, start[feature] :]
                        change = value[at, k] - value[leaf, k]
                        if a <= b:
                            curve[a] += change
                            curve[b + 1] -= change
                        if m:
                            curve[0] += change
        node = child
    return stack
