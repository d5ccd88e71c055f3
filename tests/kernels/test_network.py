import numpy as np

from showcause.kernels.network import fitted

RNG = np.random.default_rng(4)
ROWS = RNG.normal(size=(4_000, 6)) * [1, 10, 0.1, 1, 1, 1] + 3


def told(rows):
    unit = (rows - ROWS.mean(axis=0)) / ROWS.std(axis=0)
    return np.column_stack([np.tanh(2 * unit[:, 0] * unit[:, 1]), 100 * np.abs(unit[:, 2]) + 5])


def test_it_follows_bent_outputs_of_any_scale_on_rows_that_it_did_not_see():
    answers = told(ROWS)
    found = fitted(ROWS[:2_000], answers[:2_000] - answers.mean(axis=0), np.random.default_rng(0))
    off = found.predict(ROWS[2_000:]) + answers.mean(axis=0) - answers[2_000:]
    assert ((off**2).mean(axis=0) / answers.var(axis=0)).max() < 0.1


def test_the_same_generator_gives_the_same_network_and_columns_that_do_not_vary_do_no_harm():
    rows = np.column_stack([ROWS[:600], np.ones(600)])
    one, two = (fitted(rows, told(ROWS[:600]), np.random.default_rng(1)).predict(rows) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert np.isfinite(one).all()
