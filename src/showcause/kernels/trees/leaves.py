"""Which leaves rows end in, and which they share.

Notation: n rows, E examples, T trees.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import masks
from .compiled import Turn, compiled, parallel, spread
from .forest import Codes, Floats, Forest, Ints, Nodes, step

Leaf = NDArray[Any]  # uint16 or uint32

ROWS_PER_BLOCK = 512


def leaf_table(forest: Forest, codes: Codes) -> Leaf:
    """(T, n) the leaf in which each row ends, counted from its tree's root."""
    small = np.diff(forest.roots).max() < 65_536
    out: Leaf = np.empty((forest.n_trees, len(codes)), np.uint16 if small else np.uint32)
    if forest.masks is not None:
        masks.leaves(forest.masks, forest.roots, codes, out)
    else:
        _leaf_table(forest.grid.nodes, forest.roots, codes, out)
    return out


def tree_weights(forest: Forest) -> Floats:
    """(T,) each tree's share of the summed variances of the trees' values over the training rows, by leaf covers.

    A tree of a boosted ensemble that hardly moves the output hardly counts (Tan, Soloviev, Hooker & Wells 2020).
    """
    found = np.zeros(forest.n_trees)
    for t in range(forest.n_trees):
        of = slice(forest.roots[t], forest.roots[t + 1])
        leaf = forest.is_leaf[of]
        cover, value = forest.cover[of][leaf], forest.value[of][leaf]
        share = cover / cover.sum() if cover.sum() > 0 else np.full(len(cover), 1 / len(cover))
        found[t] = (share[:, None] * (value - share @ value) ** 2).sum()
    return np.asarray(found / found.sum()) if found.sum() > 0 else np.full(len(found), 1 / len(found))


def shared(mine: Leaf, leaf: Leaf, weight: Floats) -> Floats:
    """(E, n) weight (T,) of the trees in which an example, of leaves mine (T, E), and a row (T, n) end in one leaf."""
    out = np.zeros((mine.shape[1], leaf.shape[1]))
    _shared(np.ascontiguousarray(mine), leaf, weight, out)
    return out


@parallel
def _leaf_table(turn: Turn, nodes: Nodes, roots: Ints, codes: Codes, out: Leaf) -> None:
    n = len(codes)
    for block in spread(turn, (n + ROWS_PER_BLOCK - 1) // ROWS_PER_BLOCK):
        for tree in range(len(roots) - 1):
            for row in range(block * ROWS_PER_BLOCK, min(n, (block + 1) * ROWS_PER_BLOCK)):
                node = roots[tree]
                while nodes.feature[node] >= 0:
                    node = step(nodes, node, codes[row, nodes.feature[node]])
                out[tree, row] = node - roots[tree]


@parallel
def _shared(turn: Turn, mine: Leaf, leaf: Leaf, weight: Floats, out: Floats) -> None:
    n = leaf.shape[1]
    for block in spread(turn, (n + ROWS_PER_BLOCK - 1) // ROWS_PER_BLOCK):
        first, last = block * ROWS_PER_BLOCK, min(n, (block + 1) * ROWS_PER_BLOCK)
        for tree in range(len(leaf)):
            for e in range(len(out)):
                _add_shared(leaf[tree, first:last], mine[tree, e], weight[tree], out[e, first:last])


@compiled
def _add_shared(leaf: Leaf, mine: int, weight: float, out: Floats) -> None:
    for row in range(len(out)):
        out[row] += weight if leaf[row] == mine else 0.0
