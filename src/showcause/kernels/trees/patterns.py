"""Leaves in groups, each group with one key per row that says everything about the row that matters there.

What a leaf contributes to a row depends only on which players' conditions on its path the row meets: the leaf's
*pattern*, one bit a player. Neighbouring leaves share most of their path, so a small subtree is taken as one *group*
with one *key*: a bit for each player on the path to the subtree (all of that player's tests passed) and a bit for each
test inside it (goes left). The pattern of every leaf in the group is read off the key.

A group is *dense* if its key has at most ``DENSE_BITS`` bits, so that a table over all keys is worth making once;
otherwise it is *sparse*, and only keys that rows have are ever looked at.

Notation: G groups, C conditions (one test that clears a bit), L leaves, S slots (one player on the path of one leaf).
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled
from .forest import Codes, Floats, Forest, Ints, Nodes

DENSE_BITS = 8
SPARSE_HEIGHT = 2  # a sparse group is a subtree of at most this height
MOST_BITS = 63  # of a key
SLOTS_AT_ONCE = 3_000_000  # about 100 MB of groups

Keys = NDArray[np.uint64]


class Groups(NamedTuple):
    tree: Ints  # (G,)
    n_bits: Ints  # (G,)
    condition_start: Ints  # (G + 1,)
    node: Ints  # (C,) the test
    left: NDArray[np.uint8]  # (C,) 1: the bit is cleared unless the row goes left; 0: unless it goes right
    bit: NDArray[np.uint8]  # (C,)
    leaf_start: Ints  # (G + 1,)
    leaf: Ints  # (L,) the leaf's node
    slot_start: Ints  # (L + 1,)
    ratio: Floats  # (S,) share of the training weight that the player's conditions let through
    on: Keys  # (S,) key bits that must be set for the player's conditions to be met
    off: Keys  # (S,) key bits that must be clear
    place: NDArray[np.uint8]  # (S,) the player's place among the group's players
    player_start: Ints  # (G + 1,)
    player: Ints  # the group's players


def groups_of(forest: Forest, players: Ints) -> Iterator[Groups]:
    """All groups, a run of trees at a time, so that memory is bounded. Leaves with more than ``MOST_BITS`` players on
    their path are in none: see ``wide``."""
    depth, size, inner, height = shape_of(forest.left, forest.right)
    per_tree = np.add.reduceat(np.where(forest.is_leaf, depth, 0), forest.roots[:-1])
    for first, last in runs(per_tree, SLOTS_AT_ONCE):
        found = _trimmed(*_groups(
            forest.feature, forest.left, forest.right, forest.cover, forest.roots[first : last + 1], players,
            depth, size, inner, height, DENSE_BITS, SPARSE_HEIGHT, MOST_BITS,
        ))  # fmt: skip
        yield found._replace(tree=found.tree + np.int32(first))


def runs(sizes: NDArray[Any], limit: int) -> Iterator[tuple[int, int]]:
    """Consecutive ranges whose sizes add up to at most the limit (a single item may exceed it)."""
    first, total = 0, 0
    for item, size in enumerate(sizes):
        if item > first and total + size > limit:
            yield first, item
            first, total = item, 0
        total += int(size)
    yield first, len(sizes)


@compiled
def share(cover: Floats, parent: int, child: int, sibling: int) -> float:
    """Training weight that goes to the child, given that it reaches the parent; halves where nothing did."""
    if cover[parent] > 0.0:
        return float(cover[child] / cover[parent])
    total = cover[child] + cover[sibling]
    return float(cover[child] / total) if total > 0.0 else 0.5


@compiled
def reach_of(left: Ints, right: Ints, cover: Floats, roots: Ints) -> Floats:
    """(N,) the share of its tree's training weight that reaches each node."""
    reach = np.zeros(len(left))
    for tree in range(len(roots) - 1):
        reach[roots[tree]] = 1.0
    for node in range(len(left)):  # parents come first
        if left[node] >= 0:
            reach[left[node]] = reach[node] * share(cover, node, left[node], right[node])
            reach[right[node]] = reach[node] * share(cover, node, right[node], left[node])
    return reach


@compiled
def clear_bits(nodes: Nodes, groups: Groups, group: int, codes: Codes, keys: Any) -> None:
    """The key of every row: codes (f, rows) of a block → keys (rows,) of any unsigned type wide enough."""
    full = (np.uint64(1) << np.uint64(groups.n_bits[group])) - np.uint64(1)
    keys[:] = keys.dtype.type(full)
    for condition in range(groups.condition_start[group], groups.condition_start[group + 1]):
        node = groups.node[condition]
        column = codes[nodes.feature[node]]
        cleared = full & ~(np.uint64(1) << np.uint64(groups.bit[condition]))
        goes_left = groups.left[condition] == 1
        passes = keys.dtype.type(full if goes_left else cleared)
        fails = keys.dtype.type(cleared if goes_left else full)
        table = nodes.table[node]
        if table >= 0:
            for row in range(len(keys)):
                keys[row] &= passes if nodes.table_left[table + column[row]] else fails
        else:
            low, high = column.dtype.type(nodes.low[node]), column.dtype.type(nodes.high[node])
            for row in range(len(keys)):
                keys[row] &= passes if (column[row] >= low) & (column[row] <= high) else fails


@compiled
def leaf_patterns(groups: Groups, leaf: int, keys: Keys, count: int, out: Keys) -> None:
    """Keys of a group (count,) → patterns of one of its leaves: bit s is set if slot s of the leaf is met."""
    out[:count] = 0
    first = groups.slot_start[leaf]
    for slot in range(first, groups.slot_start[leaf + 1]):
        on, both = groups.on[slot], groups.on[slot] | groups.off[slot]
        bit = np.uint64(1) << np.uint64(slot - first)
        for k in range(count):
            out[k] |= bit if (keys[k] & both) == on else np.uint64(0)


@compiled
def distinct(keys: Keys, count: int, found: Keys, index: Ints, hashes: Ints) -> int:
    """Distinct keys in order of first appearance → found; keys[k] == found[index[k]].

    hashes is scratch of at least ``hash_size(count)``.
    """
    size, n = hash_size(count), 0
    mask = np.uint64(size - 1)
    hashes[:size] = -1
    for k in range(count):
        key = keys[k]
        spot = (key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32) & mask
        while hashes[spot] >= 0 and found[hashes[spot]] != key:
            spot = (spot + np.uint64(1)) & mask
        if hashes[spot] < 0:
            hashes[spot], found[n] = n, key
            n += 1
        index[k] = hashes[spot]
    return n


@compiled
def hash_size(count: int) -> int:
    size = 2
    while size < 2 * count:
        size *= 2
    return size


@compiled
def shape_of(left: Ints, right: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Of every node: its depth; its subtree's nodes, inner nodes and height."""
    n = len(left)
    depth, size = np.zeros(n, np.int32), np.ones(n, np.int32)
    inner, height = np.zeros(n, np.int32), np.zeros(n, np.int32)
    for node in range(n):
        if left[node] >= 0:
            depth[left[node]] = depth[right[node]] = depth[node] + 1
    for node in range(n - 1, -1, -1):
        if left[node] >= 0:
            a, b = left[node], right[node]
            size[node] += size[a] + size[b]
            inner[node] = 1 + inner[a] + inner[b]
            height[node] = 1 + max(height[a], height[b])
    return depth, size, inner, height


@compiled
def merge_path(
    feature: Ints, left: Ints, right: Ints, cover: Floats, players: Ints, path: Ints, length: int,
    owners: Ints, ratios: Floats, slot_of: Ints,
) -> int:  # fmt: skip
    """path[:length + 1] are the nodes from the root to a node: its players, their ratios, the slot of every test."""
    slots = 0
    for d in range(length):
        test, child = path[d], path[d + 1]
        owner, slot = players[feature[test]], 0
        while slot < slots and owners[slot] != owner:
            slot += 1
        if slot == slots:
            owners[slot], ratios[slot] = owner, 1.0
            slots += 1
        slot_of[d] = slot
        ratios[slot] *= share(cover, test, child, right[test] if left[test] == child else left[test])
    return slots


@compiled
def _room(left: Ints, depth: Ints, begin: int, end: int) -> Groups:
    """For all groups of the trees with the nodes begin … end - 1; how much of it is needed is not known yet."""
    leaves, slots = 0, 0
    for node in range(begin, end):
        if left[node] < 0:
            leaves += 1
            slots += depth[node]
    conditions = slots + end - begin
    return Groups(
        np.empty(leaves, np.int32), np.empty(leaves, np.int32), np.zeros(leaves + 1, np.int32),
        np.empty(conditions, np.int32), np.empty(conditions, np.uint8), np.empty(conditions, np.uint8),
        np.zeros(leaves + 1, np.int32), np.empty(leaves, np.int32), np.zeros(leaves + 1, np.int32), np.empty(slots),
        np.zeros(slots, np.uint64), np.zeros(slots, np.uint64), np.empty(slots, np.uint8),
        np.zeros(leaves + 1, np.int32), np.empty(slots, np.int32),
    )  # fmt: skip


@compiled
def _add_slots(
    made: Groups, s: int, slots: int, above: int, owners: Ints, ratios: Floats, first: int, last: int
) -> int:  # fmt: skip
    """One leaf's players, from slot s on. Its group's are player[first:last], which new ones join; the new last."""
    for slot in range(slots):
        made.ratio[s + slot] = ratios[slot]
        made.on[s + slot] = np.uint64(1) << np.uint64(slot) if slot < above else np.uint64(0)
        q = first
        while q < last and made.player[q] != owners[slot]:
            q += 1
        if q == last:
            made.player[last] = owners[slot]
            last += 1
        made.place[s + slot] = q - first
    return last


@compiled
def _groups(
    feature: Ints, left: Ints, right: Ints, cover: Floats, roots: Ints, players: Ints,
    depth: Ints, size: Ints, inner: Ints, height: Ints, dense_bits: int, sparse_height: int, most_bits: int,
) -> tuple[Groups, int, int, int, int]:  # fmt: skip
    """The groups in more room than they need, and how many groups, conditions, slots and players there are."""
    begin, end = roots[0], roots[-1]
    made, deepest = _room(left, depth, begin, end), depth[begin:end].max()
    path, owners = np.empty(deepest + 2, np.int32), np.empty(deepest + 1, np.int32)
    ratios, slot_of = np.empty(deepest + 1), np.empty(deepest + 1, np.int32)
    bit_of = np.zeros(end - begin, np.int32)  # of the tests inside a group
    g, c, n, s, p, t = 0, 0, 0, 0, 0, 0
    node = begin
    while node < end:
        while node >= roots[t + 1]:
            t += 1
        top = depth[node]
        path[top] = node
        above = merge_path(feature, left, right, cover, players, path, top, owners, ratios, slot_of)
        bits = above + inner[node]
        if bits > most_bits or (bits > dense_bits and height[node] > sparse_height):
            node += 1
            continue
        for d in range(top):
            made.node[c], made.bit[c], made.left[c] = path[d], slot_of[d], 1 if left[path[d]] == path[d + 1] else 0
            c += 1
        made.player[p : p + above] = owners[:above]
        first, p, n_bit = p, p + above, above
        for below in range(node, node + size[node]):
            path[depth[below]] = below
            if left[below] >= 0:
                made.node[c], made.bit[c], made.left[c] = below, n_bit, 1
                bit_of[below - begin] = n_bit
                c, n_bit = c + 1, n_bit + 1
                continue
            slots = merge_path(feature, left, right, cover, players, path, depth[below], owners, ratios, slot_of)
            p = _add_slots(made, s, slots, above, owners, ratios, first, p)
            for d in range(top, depth[below]):
                bit = np.uint64(1) << np.uint64(bit_of[path[d] - begin])
                if left[path[d]] == path[d + 1]:
                    made.on[s + slot_of[d]] |= bit
                else:
                    made.off[s + slot_of[d]] |= bit
            made.leaf[n] = below
            n, s = n + 1, s + slots
            made.slot_start[n] = s
        made.tree[g], made.n_bits[g] = t, n_bit
        g += 1
        made.condition_start[g], made.leaf_start[g], made.player_start[g] = c, n, p
        node += size[node]
    return made, g, c, s, p


def _trimmed(made: Groups, g: int, c: int, s: int, p: int) -> Groups:
    """To the number of groups, conditions, slots and players."""
    sizes = {
        "tree": g, "n_bits": g, "condition_start": g + 1, "node": c, "left": c, "bit": c, "leaf_start": g + 1,
        "ratio": s, "on": s, "off": s, "place": s, "player_start": g + 1, "player": p,
    }  # fmt: skip
    return made._replace(**{name: getattr(made, name)[:size].copy() for name, size in sizes.items()})
