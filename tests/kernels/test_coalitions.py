import numpy as np
import pytest

from showcause.kernels.coalitions import coalitions, contributions, distinct, shapley_values, walk


def test_coalitions_of_two_features():
    assert coalitions(2).tolist() == [[False, False], [True, False], [False, True], [True, True]]


def values(worth):
    return shapley_values(np.asarray(worth, dtype=float)[None, :, None])[0, :, 0]


def test_two_features_share_what_they_make_together():
    assert values([1, 2, 4, 9]).tolist() == [3.0, 5.0]


def test_a_single_feature_gets_everything():
    assert values([2, 7]).tolist() == [5.0]


@pytest.mark.parametrize("p", [1, 2, 5, 9])
def test_efficiency_and_symmetry(p):
    worth = np.random.default_rng(p).normal(size=1 << p)
    assert values(worth).sum() == pytest.approx(worth[-1] - worth[0])
    size = coalitions(p).sum(axis=1).astype(float)
    np.testing.assert_allclose(values(size**2), p, atol=1e-9)  # the same for all: p² / p each


def test_a_feature_that_changes_nothing_gets_exactly_nothing():
    worth = np.random.default_rng(1).normal(size=16)
    assert values(np.concatenate([worth, worth]))[4] == 0.0


def test_the_glove_game():
    left, first, second = coalitions(3).T
    np.testing.assert_allclose(values(left & (first | second)), [2 / 3, 1 / 6, 1 / 6])


def test_distinct_rows_and_their_numbers():
    codes = np.array([[1, 0], [0, 2], [1, 0], [0, 0]])
    first, inverse = distinct(codes)
    assert len(first) == 3
    assert codes[first][inverse].tolist() == codes.tolist()


def test_distinct_does_not_overflow():
    codes = np.random.default_rng(0).integers(0, 1 << 30, size=(50, 6))
    codes = np.concatenate([codes, codes])
    first, inverse = distinct(codes)
    assert len(first) == 50
    assert (codes[first][inverse] == codes).all()


def test_rows_that_share_a_hash_are_still_told_apart():
    first_factor, second_factor = (
        int(f) * 2 + 1 for f in np.random.default_rng(0).integers(1 << 63, size=2, dtype=np.uint64)
    )
    twin = next(
        a for b in range(1, 99) if (a := second_factor * b * pow(first_factor, -1, 1 << 64) % (1 << 64)) < 1 << 63
    )
    same = twin * first_factor * pow(second_factor, -1, 1 << 64) % (1 << 64)
    codes = np.array([[twin, 0], [0, same]])
    first, inverse = distinct(codes)
    assert codes[first][inverse].tolist() == codes.tolist()


def test_a_walk_lets_features_in_one_by_one():
    steps = walk(np.array([[2, 0, 1]]))
    assert steps.tolist() == [[[False, False, True], [True, False, True]]]


def test_contributions_along_an_order_and_back():
    order = np.array([[1, 0]])
    forward = np.array([[[0.0], [3.0], [4.0]]])  # feature 1 adds 3, then feature 0 adds 1
    backward = np.array([[[0.0], [2.0], [4.0]]])  # feature 0 adds 2, then feature 1 adds 2
    assert contributions(order, forward, backward)[0, :, 0].tolist() == [1.5, 2.5]
