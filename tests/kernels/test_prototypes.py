"""Greedy choices equal brute force over the definitions; distances equal those of a loop."""

from __future__ import annotations

import numpy as np
import pytest

from showcause.kernels.distance import squared_distances
from showcause.kernels.prototypes import criticisms, median_width, objective, prototypes, witness


def kernel_of(points):
    squared = ((points[:, None] - points[None]) ** 2).sum(-1)
    return np.exp(-median_width(squared) * squared)


@pytest.mark.parametrize("seed", range(5))
def test_prototypes_are_the_brute_force_greedy_choice(seed):
    K = kernel_of(np.random.default_rng(seed).normal(size=(40, 3)))
    chosen = []
    for _ in range(6):
        left = [c for c in range(40) if c not in chosen]
        chosen.append(max(left, key=lambda c: objective(K, [*chosen, c])))
    assert prototypes(K, 6) == chosen


def test_the_objective_is_a_constant_minus_the_squared_mmd():
    K = kernel_of(np.random.default_rng(0).normal(size=(20, 2)))
    S = [3, 11, 12]
    mmd = K.mean() - 2 * K[:, S].mean() + K[np.ix_(S, S)].mean()
    assert objective(K, S) == pytest.approx(K.mean() - mmd)


@pytest.mark.parametrize("seed", range(5))
def test_criticisms_are_the_brute_force_greedy_choice(seed):
    K = kernel_of(np.random.default_rng(seed).normal(size=(40, 3)))
    S, chosen = prototypes(K, 3), []
    gap = np.abs(K.mean(axis=0) - K[S].mean(axis=0))
    for _ in range(5):
        left = [c for c in range(40) if c not in chosen and c not in S]
        value = {c: gap[[*chosen, c]].sum() + np.linalg.slogdet(K[np.ix_([*chosen, c], [*chosen, c])])[1] for c in left}
        chosen.append(max(value, key=value.get))
    assert criticisms(K, S, 5) == chosen


def test_each_of_three_clusters_has_a_prototype_and_what_lies_apart_is_the_next():
    rng = np.random.default_rng(1)
    centres = np.array([[0.0, 0], [10, 0], [0, 10]])
    points = np.vstack([c + rng.normal(scale=0.5, size=(30, 2)) for c in centres] + [np.full((6, 2), 10.0)])
    K = np.exp(-((points[:, None] - points[None]) ** 2).sum(-1))
    chosen = prototypes(K, 3)
    assert sorted(c // 30 for c in chosen) == [0, 1, 2]
    assert np.argmax(witness(K, chosen)) == 90
    assert prototypes(K, 4)[3] == 90


def test_equal_rows_go_by_their_number_and_a_copy_is_no_second_criticism():
    K = kernel_of(np.repeat([[0.0], [1.0], [5.0]], 4, axis=0))
    assert all(c % 4 == 0 for c in prototypes(K, 3))
    found = criticisms(K, [0], 5)
    assert len({c // 4 for c in found}) == len(found)


def test_fewer_rows_than_prototypes_are_all_taken():
    assert sorted(prototypes(np.eye(3), 9)) == [0, 1, 2]
    assert criticisms(np.eye(3), [0, 1, 2], 4) == []


def test_rows_that_are_all_alike_have_a_width():
    assert median_width(np.zeros((4, 4))) == 1.0


def test_distances_count_missing_and_other_categories_as_their_scale():
    a = np.array([[1.0, 0.0], [np.nan, np.nan]])
    b = np.array([[3.0, 0.0], [np.nan, 1.0], [1.0, np.nan]])
    found = squared_distances(a, b, np.array([False, True]), np.array([0.5, 2.0]))
    assert found.tolist() == [[1.0, 1.0 + 4.0, 1.0], [1.0 + 1.0, 1.0, 1.0]]
