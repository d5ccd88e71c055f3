import numpy as np
import pytest

from showcause.kernels.shuffle import circular_donors, tally


def test_each_row_gives_once_and_never_to_itself():
    order = np.array([3, 0, 4, 1, 2])
    for repeat in range(4):
        donors = circular_donors(order, repeat)
        assert sorted(donors) == [0, 1, 2, 3, 4]
        assert (donors != np.arange(5)).all()


def test_repeats_up_to_one_less_than_the_rows_meet_every_other_row_once():
    order = np.random.default_rng(0).permutation(6)
    donors = np.column_stack([circular_donors(order, repeat) for repeat in range(5)])
    assert [sorted(row) for row in donors.tolist()] == [[j for j in range(6) if j != i] for i in range(6)]


def test_with_every_pair_the_value_is_the_mean_over_pairs_and_no_monte_carlo_noise_is_left():
    x = np.array([0.0, 1.0, 3.0, 7.0])
    order = np.array([2, 0, 3, 1])
    repeats = [circular_donors(order, repeat) for repeat in range(3)]
    found = tally((donors, ((x - x[donors]) ** 2)[:, None]) for donors in repeats)
    assert found.value[0] == pytest.approx(2 * x.var(ddof=1))


def test_the_error_is_the_spread_of_the_value_over_samples_where_the_rows_alone_would_be_too_small():
    rng = np.random.default_rng(1)
    values, errors, rows_alone = [], [], []
    for _ in range(400):
        x = rng.normal(size=100)
        circle = rng.permutation(100)
        picks = [circular_donors(circle, repeat) for repeat in range(5)]
        found = tally((donors, ((x - x[donors]) ** 2)[:, None]) for donors in picks)
        values.append(found.value[0])
        errors.append(found.error[0] ** 2)
        rows_alone.append(found.rows[:, 0].var(ddof=1) / 100)
    assert np.sqrt(np.mean(errors)) / np.std(values) == pytest.approx(1, abs=0.08)
    assert np.sqrt(np.mean(rows_alone)) / np.std(values) < 0.75


def test_one_row_has_no_error():
    found = tally([(np.array([0]), np.array([[0.5, 0.0]]))])
    assert np.isnan(found.error).all()
