import numpy as np
import pytest

from showcause.kernels.interaction import interaction


def tables(function, x):
    """joint, one, other of f(j, k, rest) by plain loops."""
    m = len(x)
    joint, one, other = np.empty((m, m)), np.empty((m, m)), np.empty((m, m))
    for a in range(m):
        for i in range(m):
            joint[a, i] = function(x[a, 0], x[a, 1], x[i, 2])
            one[a, i] = function(x[a, 0], x[i, 1], x[i, 2])
            other[a, i] = function(x[i, 0], x[a, 1], x[i, 2])
    return joint, one, other


def test_a_pure_product_is_all_interaction():
    x = np.array([[a, b, 0.0] for a in (-1.0, 1.0) for b in (-1.0, 1.0)])
    h2, _, strength, _ = interaction(*tables(lambda j, k, r: j * k, x))
    assert (h2, strength) == (1, 1)


def test_a_product_beside_main_effects_has_the_share_of_its_variance():
    x = np.array([[a, b, 0.0] for a in (-1.0, 1.0) for b in (-1.0, 1.0)])
    h2, _, strength, _ = interaction(*tables(lambda j, k, r: 2 * j + 1 * k + 3 * j * k, x))
    assert h2 == pytest.approx(9 / 14)
    assert strength == pytest.approx(3)


def test_additive_functions_have_none_even_where_a_third_feature_interacts():
    x = np.random.default_rng(0).normal(size=(20, 3))
    h2, error, strength, _ = interaction(*tables(lambda j, k, r: j**2 + np.exp(k), x))
    assert (h2, error, strength) == (0, 0, 0)
    with_third = interaction(*tables(lambda j, k, r: j * r + k, x))
    assert with_third[0] == pytest.approx(0, abs=1e-20)


def test_two_unused_features_have_no_share():
    x = np.random.default_rng(0).normal(size=(10, 3))
    h2, _, strength, _ = interaction(*tables(lambda j, k, r: r, x))
    assert np.isnan(h2)
    assert strength == 0


def test_the_jackknife_error_is_the_spread_over_samples():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(60):
        x = rng.normal(size=(40, 3))
        found.append(
            interaction(
                np.repeat(x[:, [0]] * x[:, [1]], 40, axis=1), np.outer(x[:, 0], x[:, 1]), np.outer(x[:, 1], x[:, 0])
            )
        )
    strengths, errors = np.array(found)[:, 2], np.array(found)[:, 3]
    assert np.sqrt(np.mean(errors**2)) / strengths.std() == pytest.approx(1, abs=0.3)
