import numpy as np
import pytest
from scipy import stats

from showcause.kernels.changes import adjusted, changes, moderated

SEED = 7


def test_two_statistics_by_hand():
    before = np.array([[1.0, 5.0], [3.0, 5.0]])
    after = np.array([[11.0, 5.0], [13.0, 5.0]])
    found = changes(before, after)
    assert found.delta.tolist() == [10.0, 0.0]
    assert found.error.tolist() == [np.sqrt(2.0 * 3.0), 0.0]  # s² = (2 + 2) / 2, times (2 + 1/2 + 1/2)
    assert found.p[0] == pytest.approx(2 * stats.t.sf(10 / np.sqrt(6), df=2))
    assert found.p[1] == 1.0
    assert found.q[0] == pytest.approx(2 * found.p[0])  # two statistics
    assert found.verdict.tolist() == ["inconclusive", "unchanged"]


def test_a_large_difference_is_changed_unless_the_margin_covers_it():
    rng = np.random.default_rng(SEED)
    before, after = rng.normal(size=(8, 5)), rng.normal(size=(8, 5))
    after[:, 0] += 20
    assert changes(before, after).verdict.tolist()[0] == "changed"
    assert changes(before, after).verdict.tolist()[1:] == ["inconclusive"] * 4
    assert changes(before, after, margin=100.0).verdict.tolist() == ["unchanged"] * 5
    mixed = changes(before, after, margin=np.array([22.0, 100, 100, 0, 0])).verdict.tolist()
    assert mixed == ["inconclusive", "unchanged", "unchanged", "inconclusive", "inconclusive"]


def test_the_same_panel_is_unchanged_with_p_one():
    panel = np.random.default_rng(0).normal(size=(6, 4))
    found = changes(panel, panel.copy())
    assert found.verdict.tolist() == ["unchanged"] * 4
    assert (found.delta == 0).all()
    assert (found.p == 1).all()
    assert (found.q == 1).all()


def test_more_refits_do_not_make_retraining_noise_vanish():
    rng = np.random.default_rng(1)
    few, many = (changes(rng.normal(size=(k, 200)), rng.normal(size=(k, 200))).error.mean() for k in (6, 600))
    assert few == pytest.approx(np.sqrt(2 + 2 / 6), rel=0.05)
    assert many == pytest.approx(np.sqrt(2), rel=0.05)


@pytest.mark.parametrize("shape", [(0, 3), (1, 3)])
def test_under_two_refits_nothing_is_claimed(shape):
    found = changes(np.zeros(shape), np.ones((5, 3)))
    assert found.verdict.tolist() == ["inconclusive"] * 3
    assert np.isnan(found.p).all()
    assert np.isnan(found.q).all()
    assert np.isnan(found.error).all()


def test_a_missing_value_leaves_its_refit_out_and_no_other():
    before = np.array([[1.0, np.nan], [2.0, np.nan], [3.0, 1.0]])
    found = changes(before, before + 50)
    assert found.delta.tolist()[0] == 50
    assert found.verdict.tolist() == ["changed", "inconclusive"]
    alone = changes(before[:, :1], before[:, :1] + 50)
    assert (found.p[0], found.q[0]) == (alone.p[0], alone.q[0])  # what is not judged takes no part in the adjustment


def test_no_statistics_give_empty_arrays():
    found = changes(np.zeros((3, 0)), np.zeros((3, 0)))
    assert [a.shape for a in (found.delta, found.error, found.p, found.q, found.verdict)] == [(0,)] * 5


def test_without_any_spread_a_difference_is_real_and_rounding_is_none():
    found = changes(np.full((3, 2), 0.1), np.array([[0.1, 0.2]] * 3))
    assert found.verdict.tolist() == ["unchanged", "changed"]
    assert found.delta[0] == 0.0
    assert found.error.tolist() == [0.0, 0.0]


def test_a_statistic_without_spread_among_others_is_judged_by_theirs():
    rng = np.random.default_rng(2)
    before, after = rng.normal(size=(6, 30)), rng.normal(size=(6, 30))
    before[:, 0], after[:, 0] = 0.0, 1e-3
    found = changes(before, after)
    assert found.error[0] > 0.1
    assert found.verdict[0] == "inconclusive"


@pytest.mark.parametrize(
    ("before", "after", "options"),
    [
        (np.zeros(3), np.zeros((2, 3)), {}),
        (np.zeros((2, 3)), np.zeros((2, 4)), {}),
        (np.full((2, 1), np.inf), np.zeros((2, 1)), {}),
        (np.zeros((2, 1)), np.zeros((2, 1)), {"margin": -1.0}),
        (np.zeros((2, 1)), np.zeros((2, 1)), {"margin": np.nan}),
        (np.zeros((2, 1)), np.zeros((2, 1)), {"level": 1.0}),
    ],
)
def test_what_cannot_be_compared_is_refused(before, after, options):
    with pytest.raises(ValueError, match=r"before|after|margin"):
        changes(before, after, **options)


def test_adjusted_is_benjamini_hochberg():
    p = np.array([0.01, 0.04, 0.03, 0.5, 0.02])
    assert adjusted(p).tolist() == pytest.approx(stats.false_discovery_control(p).tolist())
    assert adjusted(np.array([0.01, np.nan, 0.04])).tolist()[::2] == [0.02, 0.04]


def test_moderated_finds_the_prior_it_was_drawn_from():
    """Smyth's model: 1/σ² ~ χ²(d0) / (d0 s0²), s² ~ σ² χ²(d) / d, here with d0 = 6, s0² = 4, d = 10."""
    rng = np.random.default_rng(3)
    sigma = 4.0 * 6 / rng.chisquare(6, 20_000)
    variance = sigma * rng.chisquare(10, 20_000) / 10
    shrunk, freedom = moderated(variance, np.full(20_000, 10))
    assert freedom[0] == pytest.approx(16, rel=0.05)
    assert shrunk == pytest.approx((6 * 4 + 10 * variance) / 16, rel=0.05)
    assert np.mean((np.log(shrunk / sigma)) ** 2) < np.mean((np.log(variance / sigma)) ** 2)


def test_equal_variances_are_pooled_and_two_are_left_alone():
    rng = np.random.default_rng(4)
    variance = 9.0 * np.full(50, 1.0) + 1e-9 * rng.normal(size=50)
    shrunk, freedom = moderated(variance, np.full(50, 10))
    assert np.isinf(freedom).all()
    assert np.ptp(shrunk) == 0
    assert moderated(np.array([1.0, 2.0]), np.array([4, 4]))[0].tolist() == [1.0, 2.0]


def _flags(pairs, refits, features, share):
    """Pairs with any flag where nothing changed: each side has its own sample of rows (`share` of the variance of one
    refit) and refits that scatter about it, as bootstrapping does; features differ in scale."""
    rng = np.random.default_rng(SEED)
    scale = np.exp(rng.normal(size=features))
    flagged = 0
    for _ in range(pairs):
        sides = [np.sqrt(share) * rng.normal(size=features) + rng.normal(size=(refits, features)) for _ in range(2)]
        flagged += "changed" in changes(sides[0] * scale, sides[1] * scale).verdict.tolist()
    return flagged


@pytest.mark.parametrize(("refits", "features"), [(6, 12), (10, 12), (10, 60)])
def test_a_fresh_sample_is_flagged_in_at_most_one_of_twenty_pairs(refits, features):
    assert 0 < _flags(600, refits, features, share=1.0) <= 600 * 0.065


def test_another_seed_alone_is_hardly_ever_flagged_where_a_plain_t_test_would_be_right():
    assert _flags(300, 8, 12, share=0.0) == 0


def test_dividing_by_root_k_would_flag_most_pairs():
    rng = np.random.default_rng(SEED)
    sides = rng.normal(size=(2, 200, 1, 12)) + rng.normal(size=(2, 200, 8, 12))
    naive = stats.ttest_ind(sides[0], sides[1], axis=1).pvalue.min(axis=1) * 12 < 0.05
    assert naive.mean() > 0.5
