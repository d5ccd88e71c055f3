from itertools import combinations
from math import comb

import numpy as np
import pytest

from showcause.kernels.coalitions import coalitions, shapley_values
from showcause.kernels.pairs import Games, allotted, combination, draw, estimate, levelled, mean_of_games


def worths(q, m=1, seed=0):
    """(m, 2^q, 1) random worth of every coalition"""
    return np.random.default_rng(seed).normal(size=(m, 1 << q, 1))


def number(masks):
    return masks @ (1 << np.arange(masks.shape[-1]))


def games(worth):
    m, size, _ = worth.shape
    p = size.bit_length() - 1
    one = 1 << np.arange(p)
    everyone = np.ones((m, p), dtype=bool)
    return Games(everyone, worth[:, -1], worth[:, 0], worth[:, one], worth[:, size - 1 - one])


def run(worth, budget, seed=0):
    borders = games(worth)
    draws = draw(np.random.default_rng(seed), borders.players, np.full(len(worth), budget))
    asked = [worth[draws.game, number(mask)] for mask in (draws.inside, draws.others)]
    return estimate(borders, draws, *asked), draws


@pytest.mark.parametrize("q", range(1, 9))
def test_counted_whole_it_is_the_shapley_value(q):
    worth = worths(q, 3)
    found, draws = run(worth, 1 << q)
    np.testing.assert_allclose(found.phi, shapley_values(worth), atol=1e-12)
    assert (found.variance == 0).all()
    assert 2 * len(draws.game) <= 3 * (1 << q)


@pytest.mark.parametrize("budget", [4, 10, 40, 200])
def test_the_mean_over_many_samples_is_the_shapley_value(budget):
    worth = worths(9, 1)
    many = np.stack([run(worth, budget, seed)[0].phi[0, :, 0] for seed in range(400)])
    variances = np.stack([run(worth, budget, seed)[0].variance[0, :, 0] for seed in range(400)])
    exact = shapley_values(worth)[0, :, 0]
    assert (np.abs(many.mean(axis=0) - exact) < 4 * many.std(axis=0) / 20).all()
    np.testing.assert_allclose(variances.mean(axis=0), many.var(axis=0), rtol=0.35)


@pytest.mark.parametrize("budget", [4, 30, 100])
def test_efficiency_is_exact_for_any_sample(budget):
    worth = worths(8, 5)
    found, _ = run(worth, budget)
    np.testing.assert_allclose(found.phi.sum(axis=1), worth[:, -1] - worth[:, 0], atol=1e-12)


def test_pairs_of_features_cost_no_sampling():
    members = coalitions(10).astype(float)
    weights = np.random.default_rng(3).normal(size=(10, 10))
    worth = np.einsum("si,sj,ij->s", members, members, weights)[None, :, None]
    found, _ = run(worth, 20)
    np.testing.assert_allclose(found.phi, shapley_values(worth), atol=1e-10)
    np.testing.assert_allclose(found.variance, 0, atol=1e-20)


def test_who_does_not_play_gets_nothing_and_changes_nothing():
    worth = worths(7)
    borders = games(worth)
    wide = np.zeros((1, 9), dtype=bool)
    wide[0, [0, 1, 3, 4, 5, 7, 8]] = True

    def spread(values):
        out = np.zeros((1, 9, 1))
        out[wide] = values[0]
        return out

    borders = Games(wide, borders.whole, borders.empty, spread(borders.first), spread(borders.last))
    draws = draw(np.random.default_rng(0), wide, np.array([1 << 7]))
    asked = [worth[0, number(mask[:, wide[0]])] for mask in (draws.inside, draws.others)]
    found = estimate(borders, draws, *asked).phi[0, :, 0]
    np.testing.assert_allclose(found[wide[0]], shapley_values(worth)[0, :, 0], atol=1e-12)
    assert (found[~wide[0]] == 0).all()


def test_no_pair_is_drawn_twice():
    _, draws = run(worths(10), 300)
    both = np.concatenate([number(draws.inside), number(draws.others)])
    assert len(set(both.tolist())) == len(both)


def test_the_first_part_of_a_sample_is_a_sample():
    _, draws = run(worths(10), 300)
    part = draws.part(0.1)
    assert part.drawn.tolist() == np.bincount(part.stratum).tolist()
    assert part.drawn.tolist() == [12] * 4
    assert draws.part(1.0).turn.tolist() == draws.turn.tolist()


@pytest.mark.parametrize(("q", "size"), [(5, 2), (7, 3), (6, 6), (4, 1)])
def test_subsets_by_their_number(q, size):
    rows = combination(np.arange(comb(q, size)), q, size)
    assert [tuple(np.flatnonzero(row)) for row in rows] == list(combinations(range(q), size))


def test_sizes_share_equally_and_small_ones_are_counted_whole():
    assert allotted(10, 100) == {2: 25, 3: 25, 4: 25, 5: 25}
    assert allotted(10, 300) == {2: 45, 3: 85, 4: 85, 5: 85}
    assert allotted(4, 100) == {2: 3}
    assert allotted(3, 100) == {}


def test_a_budget_is_levelled():
    assert levelled(np.array([2, 100, 6]), 20).tolist() == [2, 12, 6]
    assert levelled(np.array([2, 3]), 100).tolist() == [2, 3]
    assert levelled(np.array([10, 10, 10]), 10).tolist() == [3, 3, 3]


def test_more_players_than_a_word_has_bits():
    players = np.ones((2, 80), dtype=bool)
    draws = draw(np.random.default_rng(0), players, np.array([400, 400]))
    assert (draws.inside ^ draws.others).all()
    assert set(draws.inside.sum(axis=1)) == set(range(2, 41))


def test_some_of_the_games_stand_for_all_with_the_error_of_choosing_them():
    worth = worths(6, 60) + np.random.default_rng(1).normal(size=(60, 1, 1)) * coalitions(6)[:, :1]
    exact = shapley_values(worth)
    rng = np.random.default_rng(2)
    ratios = []
    for _ in range(300):
        some = rng.choice(60, 20, replace=False)
        found, _ = run(worth[some], 64)
        mean, error, _ = mean_of_games(found, 60, exact.mean(axis=0).sum(axis=0))
        assert mean.sum() == pytest.approx(exact.mean(axis=0).sum(), abs=1e-12)
        ratios.append(((mean - exact.mean(axis=0)) / error)[:, 0])
    assert 0.85 < np.mean(np.square(ratios)) < 1.25


def test_95_percent_intervals_cover_in_93_to_97_percent_of_2000_runs():
    worth = worths(9, 10)
    exact = shapley_values(worth).mean(axis=0)
    hits = []
    for seed in range(2000):
        mean, error, _ = mean_of_games(run(worth, 120, seed)[0], 10, exact.sum(axis=0))
        hits.append(np.abs(mean - exact) <= 1.959964 * error)
    assert 0.93 < np.mean(hits) < 0.97
    assert (np.mean(hits, axis=0) > 0.93).all()
    assert (np.mean(hits, axis=0) < 0.97).all()
