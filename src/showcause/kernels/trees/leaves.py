"""Which leaves rows end in, and which they share.

Notation: n rows, E examples, T trees.
"""

import numpy as np

from .compiled import parallel, prange
from .forest import Codes, Floats, Forest, Ints, Nodes, step

ROWS_PER_BLOCK = 512


def leaves(forest: Forest, codes: Codes) -> Ints:
    """(n, T) the node, numbered in the forest's arrays, in which each row ends."""
    out = np.empty((len(codes), forest.n_trees), np.int32)
    _leaves(forest.grid.nodes, forest.roots, codes, out)
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


def shared(forest: Forest, examples: Codes, codes: Codes, weight: Floats) -> Floats:
    """(E, n) weight of the trees in which an example and a row end in the same leaf."""
    mine = leaves(forest, examples)
    out = np.zeros((len(codes), len(examples)))
    _shared(forest.grid.nodes, forest.roots, codes, mine, weight, out)
    return np.ascontiguousarray(out.T)


@parallel
def _leaves(nodes: Nodes, roots: Ints, codes: Codes, out: Ints) -> None:
    for row in prange(len(codes)):
        for tree in range(len(roots) - 1):
            node = roots[tree]
            while nodes.feature[node] >= 0:
                node = step(nodes, node, codes[row, nodes.feature[node]])
            out[row, tree] = node


@parallel
def _shared(nodes: Nodes, roots: Ints, codes: Codes, mine: Ints, weight: Floats, out: Floats) -> None:
    n = len(codes)
    for block in prange((n + ROWS_PER_BLOCK - 1) // ROWS_PER_BLOCK):
        for tree in range(len(roots) - 1):
            for row in range(block * ROWS_PER_BLOCK, min(n, (block + 1) * ROWS_PER_BLOCK)):
                node = roots[tree]
                while nodes.feature[node] >= 0:
                    node = step(nodes, node, codes[row, nodes.feature[node]])
                for e in range(len(mine)):
                    if mine[e, tree] == node:
                        out[row, e] += weight[tree]
