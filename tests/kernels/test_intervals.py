"""Intervals against published examples and against brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from showcause.kernels import intervals


@pytest.mark.parametrize(  # Newcombe 1998a, Statistics in Medicine 17:857, table I, method 3
    ("x", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_intervals(x, n, low, high):
    assert intervals.wilson(x, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(  # Newcombe 1998b, Statistics in Medicine 17:873, table II, method 10
    ("a", "m", "b", "n", "low", "high"),
    [
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (6, 7, 2, 7, 0.0582, 0.8062),
        (5, 56, 0, 29, -0.0381, 0.1926),
        (0, 10, 0, 20, -0.1611, 0.2775),
        (10, 10, 0, 20, 0.6791, 1.0),
    ],
)
def test_newcombe_gives_the_published_intervals(a, m, b, n, low, high):
    difference, *bounds = intervals.newcombe(a, m, b, n)
    assert difference == pytest.approx(a / m - b / n)
    assert bounds == pytest.approx([low, high], abs=5e-5)


def test_katz_gives_the_aspirin_trial():
    # Physicians' Health Study, Agresti, Categorical Data Analysis: 189 of 11034 and 104 of 11037 heart attacks.
    assert intervals.katz(189, 11034, 104, 11037) == pytest.approx((1.82, 1.43, 2.31), abs=5e-3)


def test_katz_with_none_or_all_adds_one_half():
    ratio, low, high = intervals.katz(0, 20, 10, 20)
    assert (ratio, low) == (0, 0)
    assert 0.1 < high < 1
    ratio, low, high = intervals.katz(20, 20, 30, 30)
    assert low < ratio == 1 < high
    assert np.isnan(intervals.katz(3, 20, 0, 20)).all()


def test_delong_agrees_with_scikit_learn_and_its_variance_with_the_definition():
    rng = np.random.default_rng(3)
    positive = rng.random(60) < 0.4
    scores = np.round(rng.normal(size=60) + positive, 1)  # with ties
    area, parts = intervals.delong(scores, positive)
    assert area == pytest.approx(roc_auc_score(positive, scores))
    ones, zeros = scores[positive], scores[~positive]
    pairs = np.array([[(a > b) + 0.5 * (a == b) for b in zeros] for a in ones])
    variance = pairs.mean(1).var(ddof=1) / len(ones) + pairs.mean(0).var(ddof=1) / len(zeros)
    low, high = intervals.influence(area, parts)
    assert high - low == pytest.approx(2 * intervals.Z * np.sqrt(variance))


def test_the_mean_interval_is_students():
    assert intervals.mean(np.array([1.0, 2.0, 3.0, 4.0])) == pytest.approx((2.5, 0.445739, 4.554261), abs=1e-6)
    assert np.isnan(intervals.mean(np.array([1.0]))[1:]).all()


def test_the_median_interval_covers_at_least_95_percent():
    # n = 6: the extremes are the interval, covering 1 - 2 / 2**6 = 96.9 %; n = 5 cannot reach 95 %.
    assert intervals.median(np.arange(6.0)) == (2.5, 0.0, 5.0)
    assert np.isnan(intervals.median(np.arange(5.0))[1:]).all()
    sides = list(itertools.product([0, 1], repeat=12))
    low, high = intervals.median(np.arange(12.0))[1:]
    covered = np.mean([low < sum(side) and sum(side) < high + 1 for side in sides])
    assert covered >= 0.95


def test_welch_agrees_with_scipy():
    from scipy.stats import ttest_ind

    a, b = np.array([1.0, 4.0, 2.0, 7.0]), np.array([3.0, 3.5, 9.0, 8.0, 12.0])
    bounds = ttest_ind(a, b, equal_var=False).confidence_interval()
    assert intervals.mean_difference(a, b)[1:] == pytest.approx(tuple(bounds))


def test_resampled_tables_keep_the_total_and_their_mean():
    table = np.array([[50, 10], [5, 35]])
    draws = intervals.resampled_tables(table, np.random.default_rng(0))
    assert (draws.sum(axis=(1, 2)) == 100).all()
    assert draws.mean(axis=0) == pytest.approx(table, abs=1)


def test_nothing_is_bounded_without_rows():
    assert np.isnan(intervals.wilson(0, 0)).all()
    assert np.isnan(intervals.newcombe(0, 0, 1, 3)).all()
    assert np.isnan(intervals.delong(np.array([0.2, 0.3]), np.array([True, True]))[0])
