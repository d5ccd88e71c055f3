"""Every leaf with the conditions on its path, merged per player.

What a leaf contributes to a row depends only on which players' conditions the row meets: the leaf's *pattern*. A
player's conditions at a leaf are met when all tests of that player's columns on the path go the path's way.

Notation: L leaves, S slots (a slot is one player on the path of one leaf), C conditions (one test on a path).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled
from .forest import Floats, Forest, Ints

MOST_PLAYERS = 63  # on one path: a pattern is one integer of 64 bits


class Leaves(NamedTuple):
    """Leaves in the order of the forest's nodes; the slots of a leaf stand together, so do a slot's conditions."""

    node: Ints  # (L,)
    slot_start: Ints  # (L + 1,)
    player: Ints  # (S,)
    ratio: Floats  # (S,) share of the training weight that the slot's conditions let through, given the path above
    condition_start: Ints  # (S + 1,)
    condition_node: Ints  # (C,)
    condition_left: NDArray[np.bool_]  # (C,) the path goes left here

    @property
    def widths(self) -> Ints:
        """(L,) distinct players on each path."""
        return np.diff(self.slot_start).astype(np.int32)


def leaves_of(forest: Forest, players: Ints) -> Leaves:
    depth = int(node_depths(forest.left, forest.right, forest.roots).max(initial=0))
    found = Leaves(*_leaves(forest.feature, forest.left, forest.right, forest.cover, forest.roots, players, depth))
    if found.widths.max(initial=0) > MOST_PLAYERS:
        raise ValueError(
            f"a path tests {found.widths.max()} distinct players; at most {MOST_PLAYERS} fit into a pattern. "
            "Group columns into fewer players, or limit the depth of the trees."
        )
    return found


@compiled
def node_depths(left: Ints, right: Ints, roots: Ints) -> Ints:
    depth = np.zeros(len(left), np.int32)
    for node in range(len(left)):  # parents come first
        if left[node] >= 0:
            depth[left[node]] = depth[right[node]] = depth[node] + 1
    return depth


@compiled
def share(cover: Floats, parent: int, child: int, sibling: int) -> float:
    """Training weight that goes to the child, given that it reaches the parent; halves where nothing did."""
    if cover[parent] > 0.0:
        return float(cover[child] / cover[parent])
    total = cover[child] + cover[sibling]
    return float(cover[child] / total) if total > 0.0 else 0.5


@compiled
def _leaves(
    feature: Ints, left: Ints, right: Ints, cover: Floats, roots: Ints, players: Ints, depth: int
) -> tuple[Ints, Ints, Ints, Floats, Ints, Ints, NDArray[np.bool_]]:
    parent = np.full(len(feature), -1, np.int32)
    level = node_depths(left, right, roots)
    n_leaves, n_conditions = 0, 0
    for node in range(len(feature)):
        if left[node] >= 0:
            parent[left[node]] = parent[right[node]] = node
        else:
            n_leaves += 1
            n_conditions += level[node]
    leaf = np.empty(n_leaves, np.int32)
    slot_start = np.zeros(n_leaves + 1, np.int32)
    player = np.empty(n_conditions, np.int32)
    ratio = np.ones(n_conditions)
    condition_start = np.zeros(n_conditions + 1, np.int32)
    condition_node = np.empty(n_conditions, np.int32)
    condition_left = np.empty(n_conditions, np.bool_)
    path = np.empty(depth + 1, np.int32)
    count, slots, conditions = 0, 0, 0
    for node in range(len(feature)):
        if left[node] >= 0:
            continue
        below = node
        for d in range(level[node] - 1, -1, -1):  # path[d] is the test at depth d
            path[d] = parent[below]
            below = parent[below]
        first = slots
        for d in range(level[node]):
            owner = players[feature[path[d]]]
            known = False
            for slot in range(first, slots):
                known = known or player[slot] == owner
            if known:
                continue
            player[slots] = owner
            for e in range(d, level[node]):
                test = path[e]
                if players[feature[test]] == owner:
                    child = path[e + 1] if e + 1 < level[node] else node
                    goes_left = left[test] == child
                    sibling = right[test] if goes_left else left[test]
                    ratio[slots] *= share(cover, test, child, sibling)
                    condition_node[conditions] = test
                    condition_left[conditions] = goes_left
                    conditions += 1
            slots += 1
            condition_start[slots] = conditions
        leaf[count] = node
        count += 1
        slot_start[count] = slots
    return (
        leaf,
        slot_start,
        player[:slots],
        ratio[:slots],
        condition_start[: slots + 1],
        condition_node,
        condition_left,
    )
