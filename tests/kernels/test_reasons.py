import numpy as np
import pytest

from showcause.kernels.reasons import folds_of, nearest, rank

STEADY = np.array([3.0, -1.0, 2.0, 0.0, 0.5, 1.0])


def toward(values, spread=0.0, folds=8, seed=0):
    """(G, 1, p): `values` in every fold, and noise of its own for each feature that averages to nothing."""
    noise = np.random.default_rng(seed).normal(size=(folds, 1, len(values)))
    return np.asarray(values)[None, None, :] + spread * (noise - noise.mean(axis=0))


def test_reasons_are_what_speaks_for_it_the_largest_first():
    found = rank(toward(STEADY), 4)
    assert found.order.tolist() == [[0, 2, 5, 4]]
    assert found.place.tolist() == [[1, 2, 3, 4]]
    assert found.more.tolist() == [False]


def test_equal_values_share_a_place_and_stand_in_the_order_of_the_columns():
    found = rank(toward([1.0, 2.0, 1.0, 2.0, 1.0]), 4)
    assert found.order.tolist() == [[1, 3, 0, 2]]
    assert found.place.tolist() == [[1, 1, 3, 3]]
    assert found.more.tolist() == [True]  # the last column weighs as much as the fourth reason


def test_values_within_their_error_tie_and_others_do_not():
    assert rank(toward([2.0, 1.9, 1.0], 0.3), 4).place.tolist() == [[1, 1, 3, 0]]
    assert rank(toward([2.0, 1.9, 1.0], 0.001), 4).place.tolist() == [[1, 2, 3, 0]]


def test_noise_that_both_share_does_not_make_a_tie():
    shared = toward([2.0, 1.9], 0.0) + np.linspace(-0.5, 0.5, 8)[:, None, None]
    assert rank(shared, 4).place.tolist() == [[1, 2, 0, 0]]


def test_a_value_that_noise_explains_is_no_reason_but_the_only_one():
    assert rank(toward([2.0, 0.1], 0.5), 4).order.tolist() == [[0, -1, -1, -1]]
    assert rank(toward([0.05, 0.01], 1.0), 4).order.tolist() == [[0, -1, -1, -1]]


def test_trifles_and_what_speaks_against_it_are_no_reasons():
    assert rank(toward([1.0, 0.04, 0.06]), 4).order.tolist() == [[0, 2, -1, -1]]
    assert rank(toward([0.0, -1.0]), 4).order.tolist() == [[-1, -1, -1, -1]]


def test_a_row_has_the_same_reasons_whatever_stands_beside_it():
    many = np.concatenate([toward(np.random.default_rng(i).normal(size=6), 0.2, seed=i) for i in range(50)], axis=1)
    whole = rank(many, 4)
    for i in range(50):
        alone = rank(many[:, [i]], 4)
        assert [part[i].tolist() for part in whole] == [part[0].tolist() for part in alone]


@pytest.mark.parametrize(("count", "kept"), [(5, 5), (15, 15), (16, 16), (23, 16), (200, 96)])
def test_the_nearest_rows_fill_the_folds_evenly(count, kept):
    distance = np.concatenate([[-1.0], np.arange(count)[::-1]])
    found = nearest(distance, 96, 8)
    assert found.tolist() == list(range(count, count - kept, -1))
    sizes = {len(fold) for fold in folds_of(kept, 8)}
    assert sizes == {kept // 8 if kept >= 16 else 1}
