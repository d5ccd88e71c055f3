import numpy as np
import pytest

from showcause.kernels.ale import accumulate, similar_order, steps_of, weights_of


def test_a_value_belongs_to_the_step_that_ends_at_or_above_it():
    assert steps_of(np.array([0.0, 0.5, 1.0, 1.5, 3.0]), np.array([0.0, 1.0, 3.0])).tolist() == [0, 0, 0, 1, 1]


def test_weights_give_the_mean_of_the_curve_over_the_rows():
    rng = np.random.default_rng(0)
    values, places, curve = rng.uniform(0, 4, 200), np.array([0.0, 1.0, 2.5, 4.0]), np.array([3.0, -1.0, 2.0, 5.0])
    assert weights_of(values, places) @ curve == pytest.approx(np.interp(values, places, curve).mean())


def test_steps_add_up_and_the_mean_over_the_rows_is_zero():
    curve, errors = accumulate(
        np.array([0, 0, 1, 1]), np.arange(4), np.array([[1.0], [3.0], [-1.0], [-1.0]]), np.array([0.25, 0.5, 0.25])
    )
    # effects 2 and -1: 0, 2, 1, whose weighted mean is 1.25
    assert curve[:, 0].tolist() == [-1.25, 0.75, -0.25]
    # the error of the first step is 1, of the second 0; the first place lies 0.75 of a step below the mean
    assert errors[:, 0].tolist() == [0.75, 0.25, 0.25]


def test_errors_are_the_spread_of_the_curve_over_samples():
    rng = np.random.default_rng(0)
    weights, curves, errors = np.full(4, 0.25), [], []
    for _ in range(500):
        steps = np.repeat([0, 1, 2], 20)
        curve, error = accumulate(steps, np.arange(60), rng.normal(size=(60, 1)) * (1 + steps[:, None]), weights)
        curves.append(curve[:, 0])
        errors.append(error[:, 0] ** 2)
    assert np.sqrt(np.mean(errors, axis=0)) / np.std(curves, axis=0) == pytest.approx(np.ones(4), rel=0.08)


def test_a_row_at_two_steps_makes_their_errors_depend():
    rng = np.random.default_rng(1)
    curves, errors = [], []
    for _ in range(500):  # the middle level's rows stand at both steps, with opposite noise
        noise = rng.normal(size=(30, 1))
        steps, rows = np.repeat([0, 1], 30), np.tile(np.arange(30), 2)
        curve, error = accumulate(steps, rows, np.concatenate([noise, -noise]), np.array([1.0, 0.0, 0.0]))
        curves.append(curve[:, 0])
        errors.append(error[:, 0])
    assert np.std(curves, axis=0)[2] == pytest.approx(0, abs=1e-12)
    assert np.mean(errors, axis=0)[2] == pytest.approx(0, abs=1e-7)
    assert np.mean(errors, axis=0)[1] == pytest.approx(np.std(curves, axis=0)[1], rel=0.08)


def test_a_single_difference_borrows_the_pooled_variance_and_nothing_known_is_nan():
    differences = np.array([[0.0], [2.0], [5.0]])
    _, errors = accumulate(np.array([0, 0, 1]), np.arange(3), differences, np.array([1.0, 0.0, 0.0]))
    assert errors[:, 0].tolist() == pytest.approx([0, 1, np.sqrt(3)])
    _, lone = accumulate(np.array([0]), np.array([0]), np.array([[1.0]]), np.array([1.0, 0.0]))
    assert np.isnan(lone[1, 0])


def test_similar_levels_become_neighbours():
    codes = np.repeat([0, 1, 2, 3], 50)
    height = np.repeat([10.0, 1.0, 11.0, 2.0], 50) + np.tile(np.linspace(0, 3, 50), 4)
    order = similar_order(codes, height[:, None], []).tolist()
    assert order in ([0, 2, 3, 1], [2, 0, 3, 1])


def test_without_other_columns_levels_keep_their_order_and_missing_cells_count():
    codes = np.repeat([0, 1, 2], 4)
    assert similar_order(codes, np.zeros((12, 0)), []).tolist() == [0, 1, 2]
    gaps = np.where(codes == 1, np.nan, 0.0)
    assert similar_order(codes, np.zeros((12, 0)), [gaps]).tolist() in ([0, 2, 1], [2, 0, 1])
