"""Exact Shapley values of a forest, in its additive output.

Two games. *Interventional*: absent players take a background row's values, averaged over the background.
*Path-dependent*: where an absent player is tested, both branches are followed in proportion to the training weight.
In both a leaf's part of the game is a product over its players, so values are sums over leaves.

Notation, for one leaf with m players and value v
    z_i   1 if the explained row meets player i's conditions
    c_i   path-dependent: the share of training weight that player i's conditions let through
    A, B  interventional: players whose conditions only the explained row meets, only the background row meets

Path-dependent: phi_i = v * integral over t in [0, 1] of (z_i - c_i) * product over j != i of (c_j + t (z_j - c_j)), a
polynomial of degree m - 1 in t, so ceil(m / 2) Gauss-Legendre nodes make it exact (Wettenstein, Mitchell, Yu 2026).
Interventional: with every player in A, B or met by both, phi_i = v (|A| - 1)! |B|! / (|A| + |B|)! for i in A and
-v |A|! (|B| - 1)! / (|A| + |B|)! for i in B; zero if some player is met by neither (Lundberg et al. 2020).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled, parallel, prange
from .forest import Codes, Floats, Forest, Ints, Nodes, goes_left, players_of
from .leaves import Leaves, leaves_of


def interventional(
    forest: Forest,
    X: NDArray[Any],
    background: NDArray[Any],
    *,
    players: NDArray[Any] | None = None,
    weights: NDArray[Any] | None = None,
) -> tuple[Floats, Floats]:
    """Rows (n, f) and background rows (b, f) → values (n, players, K) and the mean prediction (K,) of the background.

    ``weights`` (b,) of the background's rows need not sum to one.
    """
    background_codes = forest.encode(background)
    share = _shares(len(background), weights)
    base = _weighted_mean(forest.predict_codes(background_codes), share)
    owner = players_of(forest, players)
    leaves, codes = leaves_of(forest, owner), forest.encode(X)
    phi = np.zeros((len(codes), int(owner.max()) + 1, forest.n_outputs))
    for column in range(forest.value.shape[1]):
        part = forest.scalar(column)
        _interventional(
            part.value[:, 0],
            _leaf_outputs(part, leaves.node),
            forest.grid.nodes,
            leaves,
            codes,
            background_codes,
            share,
            phi,
        )
    return phi, base


def path_dependent(forest: Forest, X: NDArray[Any], *, players: NDArray[Any] | None = None) -> tuple[Floats, Floats]:
    """Rows (n, f) → values (n, players, K) and the mean prediction (K,) under the trees' own covers."""
    owner = players_of(forest, players)
    leaves, codes = leaves_of(forest, owner), forest.encode(X)
    base = forest.base.copy()
    reach = np.ones(len(leaves.node))
    for slot, leaf in enumerate(np.repeat(np.arange(len(leaves.node)), leaves.widths)):
        reach[leaf] *= leaves.ratio[slot]
    phi = np.zeros((len(codes), int(owner.max()) + 1, forest.n_outputs))
    for column in range(forest.value.shape[1]):
        part = forest.scalar(column) if forest.value.shape[1] > 1 else forest
        outputs = _leaf_outputs(part, leaves.node)
        np.add.at(base, outputs, reach * part.value[leaves.node, 0])
        _path_dependent(
            part.value[:, 0],
            outputs,
            forest.grid.nodes,
            leaves,
            codes,
            *gauss_legendre(int(leaves.widths.max(initial=1))),
            phi,
        )
    return phi, base


def gauss_legendre(degree_plus_one: int) -> tuple[Floats, Floats]:
    """Nodes and weights on [0, 1] that integrate polynomials below the given degree exactly."""
    t, w = np.polynomial.legendre.leggauss(max(1, (degree_plus_one + 1) // 2))
    return np.asarray((t + 1.0) / 2.0), np.asarray(w / 2.0)


def _leaf_outputs(forest: Forest, nodes: Ints) -> Ints:
    return np.asarray(forest.tree_output[np.searchsorted(forest.roots, nodes, side="right") - 1])


def _shares(n: int, weights: NDArray[Any] | None) -> Floats:
    if n == 0:
        raise ValueError("the background has no rows")
    share = np.ones(n) if weights is None else np.asarray(weights, np.float64)
    if share.shape != (n,) or not (share >= 0).all() or not 0 < share.sum() < np.inf:
        raise ValueError(f"weights must be {n} numbers from 0 with a positive sum, one per background row")
    return share / share.sum()


def _weighted_mean(values: Floats, share: Floats) -> Floats:
    """Pairwise summation, in a fixed order."""
    return np.asarray((values * share[:, None]).sum(axis=0))


@compiled
def _pattern(nodes: Nodes, leaves: Leaves, leaf: int, codes: Codes, row: int) -> np.uint64:
    pattern = np.uint64(0)
    for slot in range(leaves.slot_start[leaf], leaves.slot_start[leaf + 1]):
        met = True
        for condition in range(leaves.condition_start[slot], leaves.condition_start[slot + 1]):
            node = leaves.condition_node[condition]
            side = goes_left(nodes, node, codes[row, nodes.feature[node]])
            met = met and side == leaves.condition_left[condition]
        if met:
            pattern |= np.uint64(1) << np.uint64(slot - leaves.slot_start[leaf])
    return pattern


@parallel
def _path_dependent(
    value: Floats,
    outputs: Ints,
    nodes: Nodes,
    leaves: Leaves,
    codes: Codes,
    t: Floats,
    w: Floats,
    phi: Floats,
) -> None:
    for row in prange(len(codes)):
        for leaf in range(len(leaves.node)):
            pattern = _pattern(nodes, leaves, leaf, codes, row)
            first, last = leaves.slot_start[leaf], leaves.slot_start[leaf + 1]
            for q in range(len(t)):
                product = w[q] * value[leaves.node[leaf]]
                for slot in range(first, last):
                    z = (pattern >> np.uint64(slot - first)) & np.uint64(1)
                    product *= leaves.ratio[slot] * (1.0 - t[q]) + (t[q] if z else 0.0)
                for slot in range(first, last):
                    if (pattern >> np.uint64(slot - first)) & np.uint64(1):
                        part = product * (1.0 - leaves.ratio[slot]) / (leaves.ratio[slot] * (1.0 - t[q]) + t[q])
                    else:
                        part = -product / (1.0 - t[q])
                    phi[row, leaves.player[slot], outputs[leaf]] += part


@parallel
def _interventional(
    value: Floats,
    outputs: Ints,
    nodes: Nodes,
    leaves: Leaves,
    codes: Codes,
    background: Codes,
    share: Floats,
    phi: Floats,
) -> None:
    patterns = np.empty((len(leaves.node), len(background)), np.uint64)
    for leaf in prange(len(leaves.node)):
        for row in range(len(background)):
            patterns[leaf, row] = _pattern(nodes, leaves, leaf, background, row)
    for row in prange(len(codes)):
        for leaf in range(len(leaves.node)):
            pattern = _pattern(nodes, leaves, leaf, codes, row)
            first, last = leaves.slot_start[leaf], leaves.slot_start[leaf + 1]
            everyone = (np.uint64(1) << np.uint64(last - first)) - np.uint64(1)
            for other in range(len(background)):
                theirs = patterns[leaf, other]
                if pattern | theirs != everyone:
                    continue
                a, b = 0, 0
                for slot in range(last - first):
                    a += 1 if not (theirs >> np.uint64(slot)) & np.uint64(1) else 0
                    b += 1 if not (pattern >> np.uint64(slot)) & np.uint64(1) else 0
                weight = share[other] * value[leaves.node[leaf]]
                for k in range(1, b + 1):  # a! b! / (a + b)!
                    weight *= k / (a + k)
                for slot in range(last - first):
                    if not (theirs >> np.uint64(slot)) & np.uint64(1):
                        phi[row, leaves.player[first + slot], outputs[leaf]] += weight / a
                    elif not (pattern >> np.uint64(slot)) & np.uint64(1):
                        phi[row, leaves.player[first + slot], outputs[leaf]] -= weight / b
