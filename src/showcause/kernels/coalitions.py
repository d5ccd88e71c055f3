"""Coalitions of features and what Shapley values make of them: plain arrays in, plain arrays out.

Notation
    p      features (players), K outputs
    v(S)   worth of a coalition S: the mean output over background rows whose features in S come from the row explained
    phi_j  sum over S without j of |S|! (p - |S| - 1)! / p! * (v(S + j) - v(S))        Shapley 1953, eq. 1
    order  a permutation of the features; along it, feature j adds v(before and j) - v(before)
"""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


ROUNDING = 16 * np.finfo(np.float64).eps  # a model's last bits change with a row's place in its batch


def added(worth: Array, before: Array) -> Array:
    """worth - before, and exactly zero where they differ by no more than the rounding of the model's own outputs."""
    difference = worth - before
    return np.where(np.abs(difference) <= ROUNDING * np.maximum(np.abs(worth), np.abs(before)), 0.0, difference)


def coalitions(p: int) -> Array:
    """(2^p, p) booleans: row s has feature j where bit j of s is set; row 0 is empty, the last one is everyone."""
    return (np.arange(1 << p)[:, None] >> np.arange(p)) % 2 == 1


def shapley_values(worth: Array) -> Array:
    """(n, 2^p, K) worth in the order of `coalitions` → (n, p, K). A feature that changes no worth gets exactly zero."""
    p = worth.shape[1].bit_length() - 1
    number = np.arange(1 << p)
    size = coalitions(p).sum(axis=1)
    share = np.array([factorial(s) * factorial(p - s - 1) / factorial(p) for s in range(p)])
    out = np.empty((len(worth), p, worth.shape[2]))
    for j in range(p):
        without = number[number >> j & 1 == 0]
        gain = added(worth[:, without | 1 << j], worth[:, without])
        out[:, j] = np.einsum("c,nck->nk", share[size[without]], gain)
    return out


def distinct(codes: Array) -> tuple[Array, Array]:
    """(q, p) non-negative integers → one place of every distinct row (d,), and for each row its number among them.

    Rows are told apart by a 64-bit key: mixed radix where that fits, else a random linear hash, which is then held to
    the rows themselves; in the improbable case that two rows share a key, rows are compared as they are.
    """
    widths = codes.max(axis=0, initial=0).astype(float) + 1
    if np.log2(widths).sum() < 62:
        factors = np.concatenate([[1.0], np.cumprod(widths[:-1])]).astype(np.uint64)
    else:
        factors = np.random.default_rng(0).integers(1 << 63, size=codes.shape[1], dtype=np.uint64) * 2 + 1
    _, first, inverse = np.unique(codes.astype(np.uint64) @ factors, return_index=True, return_inverse=True)
    if not (codes[first[inverse]] == codes).all():
        _, first, inverse = np.unique(codes, axis=0, return_index=True, return_inverse=True)
    return first, inverse.ravel()


def walk(orders: Array) -> Array:
    """(n, p) orders → (n, p - 1, p) booleans: who is in after 1, 2, … p - 1 steps. The way back is the complement."""
    n, p = orders.shape
    rank = np.empty_like(orders)
    np.put_along_axis(rank, orders, np.broadcast_to(np.arange(p), (n, p)), axis=1)
    return rank[:, None, :] < np.arange(1, p)[None, :, None]


def contributions(orders: Array, forward: Array, backward: Array) -> Array:
    """(n, p, K): each feature's mean addition along an order and along its reverse.

    forward, backward  (n, p + 1, K) worth after 0, 1, … p steps along `orders` (n, p) and along their reverse
    Source: Castro, Gómez & Tejada 2009; the paired (antithetic) order is that of Mitchell, Cooper, Frank & Holmes 2022.
    """
    n, p = orders.shape
    out = np.zeros((n, p, forward.shape[2]))
    index = orders[:, :, None]
    np.put_along_axis(out, np.broadcast_to(index, out.shape), added(forward[:, 1:], forward[:, :-1]) / 2, axis=1)
    back = np.zeros_like(out)
    np.put_along_axis(
        back, np.broadcast_to(index[:, ::-1], out.shape), added(backward[:, 1:], backward[:, :-1]) / 2, axis=1
    )
    return out + back
