import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from showcause.kernels.grid import first_rows, grid, number_places


def test_few_values_are_all_places_with_the_rows_that_hold_them():
    found = grid(np.array([3.0, 1.0, 3.0, 2.0, np.nan]), number=True, points=25, levels=50)
    assert found.donors.tolist() == [1, 3, 0, 4]
    assert found.support.tolist() == [1, 1, 2, 1]


def test_many_values_give_observed_quantiles_within_half_a_percent_of_the_ends():
    values = np.random.default_rng(0).permutation(np.arange(1_000.0))
    places = number_places(values, 5)
    assert places.tolist() == [4.0, 252.0, 499.0, 747.0, 994.0]


def test_a_value_that_many_rows_hold_is_one_place_and_the_others_keep_theirs():
    values = np.concatenate([np.zeros(900), np.arange(1.0, 101.0)])
    places = number_places(values, 11)
    assert places[0] == 0
    assert len(places) == 11


def test_support_counts_the_rows_nearest_to_each_place():
    values = np.concatenate([np.zeros(50), np.linspace(1, 2, 50)])
    found = grid(values, number=True, points=3, levels=50)
    assert found.support.sum() == 100
    assert found.support[0] == 50


def test_levels_keep_their_order_and_the_rare_ones_are_counted():
    found = grid(np.array([2.0, 0.0, 2.0, 1.0, 0.0]), number=False, points=25, levels=2)
    assert found.donors.tolist() == [1, 0]
    assert found.support.tolist() == [2, 2]
    assert found.left_out == (1, 1)


def test_a_column_without_values_has_only_the_place_missing():
    found = grid(np.full(3, np.nan), number=True, points=25, levels=50)
    assert (found.donors.tolist(), found.support.tolist()) == ([0], [3])


@given(st.lists(st.integers(-5, 60) | st.just(None), min_size=1, max_size=80), st.integers(2, 12), st.booleans())
def test_every_place_is_held_by_its_donor_and_support_covers_all_rows(cells, points, number):
    values = np.array([np.nan if c is None else c for c in cells], dtype=float)
    found = grid(values, number=number, points=points, levels=points)
    held = values[found.donors]
    assert found.support.sum() + found.left_out[1] == len(values)
    assert len(held) <= points + 2
    assert (np.diff(held[~np.isnan(held)]) > 0).all()
    assert np.isnan(held[:-1]).sum() == 0


def test_first_rows():
    assert first_rows(np.array([5.0, 4.0, 5.0]), np.array([4.0, 5.0])).tolist() == [1, 0]
