import numpy as np

from showcause.kernels.ranks import interval, rank_bounds


def variances(errors):
    return np.add.outer(np.square(errors), np.square(errors))


def test_far_apart_values_have_verified_ranks_and_close_ones_tie():
    values = np.array([1.0, 9.0, 5.0, 5.1])
    low, high = rank_bounds(values, variances([0.1, 0.1, 0.1, 0.1]), 1_000)
    assert low.tolist() == [4, 1, 2, 2]
    assert high.tolist() == [4, 1, 3, 3]


def test_equal_values_without_noise_are_a_tie_and_two_rows_verify_nothing():
    assert rank_bounds(np.zeros(3), np.zeros((3, 3)), 100)[1].tolist() == [3, 3, 3]
    assert rank_bounds(np.array([2.0, 1.0]), variances([0.3, 0.3]), 2)[0].tolist() == [1, 1]


def test_noise_alone_verifies_a_rank_in_at_most_one_of_twenty_samples():
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(600):
        sample = rng.normal(size=(60, 6))
        low, _ = rank_bounds(sample.mean(0), variances(sample.std(0, ddof=1) / np.sqrt(60)), 60)
        wrong += bool((low > 1).any())
    assert 0 < wrong <= 600 * 0.065


def test_interval_is_students():
    low, high = interval(np.array([1.0]), np.array([0.5]), 10)
    assert (low.round(4).tolist(), high.round(4).tolist()) == ([-0.1311], [2.1311])
    assert np.isnan(interval(np.array([1.0]), np.array([0.5]), 1)[0]).all()
