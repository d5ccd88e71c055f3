import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from showcause.kernels.clusters import association, groups_of


def test_two_numbers_have_their_spearman_correlation():
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    y = np.round(np.exp(-x) + rng.normal(size=300), 1)
    found = association([x, y], [True, True])
    assert found[0, 1] == pytest.approx(abs(spearmanr(x, y).statistic))
    assert found[0, 0] == 1


def test_missing_numbers_are_left_out_pair_by_pair():
    rng = np.random.default_rng(0)
    x = rng.normal(size=400)
    y = x + rng.normal(size=400) * 0.3
    gone = np.where(np.arange(400) % 3 == 0, np.nan, y)
    truth = spearmanr(x, gone, nan_policy="omit").statistic
    assert association([x, gone], [True, True])[0, 1] == pytest.approx(truth, abs=0.01)


def test_a_category_that_decides_a_number_and_one_that_does_not():
    rng = np.random.default_rng(0)
    group = rng.integers(0, 4, 500).astype(float)
    value = group * 100 + rng.random(500)
    unrelated = rng.integers(0, 30, 500).astype(float)
    found = association([value, group, unrelated], [True, False, False])
    assert found[0, 1] > 0.94
    assert found[0, 2] < 0.25
    assert found[1, 2] < 0.25


def test_categories_have_cramers_v():
    rng = np.random.default_rng(1)
    a = rng.integers(0, 3, 2_000)
    b = np.where(rng.random(2_000) < 0.5, a, rng.integers(0, 3, 2_000))
    table = pd.crosstab(a, b).to_numpy()
    expected = np.outer(table.sum(1), table.sum(0)) / 2_000
    phi = ((table - expected) ** 2 / expected).sum() / 2_000
    bergsma = np.sqrt((phi - 4 / 1_999) / (3 - 4 / 1_999 - 1))
    assert association([a.astype(float), b.astype(float)], [False, False])[0, 1] == pytest.approx(bergsma)


def test_nested_categories_and_renamed_ones_go_together_fully():
    city = np.tile(np.arange(6.0), 100)
    found = association([city, np.floor(city / 2), 5 - city], [False] * 3)
    assert found[0, 2] == pytest.approx(1)
    assert found[0, 1] == pytest.approx(1, abs=0.01)


def test_constant_empty_and_identifying_columns_are_unrelated():
    n = 60
    columns = [np.ones(n), np.arange(n, dtype=float), np.full(n, np.nan), np.zeros(n), np.arange(n, dtype=float)]
    found = association(columns, [True, True, True, False, False])
    assert np.isfinite(found).all()
    assert np.abs(found[[0, 2, 3]][:, [1, 4]]).max() == 0


def test_groups_hold_only_pairs_above_the_threshold():
    strength = np.eye(4)
    for i, j, s in [(0, 1, 0.9), (1, 2, 0.9), (0, 2, 0.5), (2, 3, 0.7)]:
        strength[i, j] = strength[j, i] = s
    assert groups_of(strength, 0.7) == [[0, 1], [2, 3]]
    assert groups_of(strength, 0.95) == []
    assert groups_of(np.eye(1), 0.5) == []
