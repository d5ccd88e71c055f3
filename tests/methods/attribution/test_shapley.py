import numpy as np
import pandas as pd
import polars as pl
import pytest
from catboost import CatBoostClassifier
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import showcause as sc
from showcause.core.errors import ParameterError
from tests import oracles
from tests.data import loans
from tests.peers import shap

RNG = np.random.default_rng(5)
NUMBERS = RNG.normal(size=(60, 4))


def values(artifact, features):
    """(rows, features) of one target"""
    return artifact.table["value"].to_numpy().reshape(-1, features)


def regression(function, rows, **options):
    return sc.compute("attribution/shapley", function, rows, task="regression", **options)


def test_a_linear_model_has_its_closed_form():
    weights = np.array([1.0, -2.0, 0.5, 0.0])
    artifact = regression(lambda rows: rows @ weights, NUMBERS[:5], background=NUMBERS[20:])
    np.testing.assert_allclose(values(artifact, 4), weights * (NUMBERS[:5] - NUMBERS[20:].mean(axis=0)), atol=1e-12)


def test_a_product_is_shared_between_its_factors():
    rows, background = np.array([[2.0, 3.0, 9.0]]), np.zeros((1, 3))
    artifact = regression(lambda rows: rows[:, 0] * rows[:, 1], rows, background=background)
    assert values(artifact, 3).tolist() == [[3.0, 3.0, 0.0]]
    assert artifact.table["base"].to_pylist() == [0.0] * 3
    assert artifact.table["prediction"].to_pylist() == [6.0] * 3


def curved(rows):
    return np.sin(rows[:, 0]) * rows[:, 1] + np.maximum(rows[:, 1], rows[:, 2]) ** 2


@pytest.mark.parametrize("exact_features", [10, 3])
def test_equal_features_get_equal_shares_and_unused_ones_nothing(exact_features):
    rows, background = np.array([[1.0, 1.0, 5.0, 4.0]]), np.zeros((4, 4))
    artifact = regression(
        lambda rows: rows[:, 0] * rows[:, 1] + rows[:, 2], rows, background=background, exact_features=exact_features
    )
    found = values(artifact, 4)[0]
    assert found[3] == 0.0
    assert found[2] == pytest.approx(5.0, abs=1e-12)
    assert found[0] == pytest.approx(found[1], abs=1e-12)
    assert found[0] + found[1] == pytest.approx(1.0, abs=1e-12)


def test_the_values_of_a_sum_are_the_sums_of_the_values():
    def run(function):
        return values(regression(function, NUMBERS[:4], background=NUMBERS[30:50]), 4)

    both = run(lambda rows: 2 * curved(rows) - rows[:, 3] ** 3)
    np.testing.assert_allclose(both, 2 * run(curved) - run(lambda rows: rows[:, 3] ** 3), atol=1e-9)


def test_it_agrees_with_shap_exact():
    artifact = regression(curved, NUMBERS[:6], background=NUMBERS[30:])
    expected = shap.explainers.Exact(curved, shap.maskers.Independent(NUMBERS[30:], max_samples=100))(NUMBERS[:6])
    np.testing.assert_allclose(values(artifact, 4), expected.values, atol=1e-9)


def test_it_explains_a_pipeline_in_its_string_column_as_enumeration_does():
    frame, approved = loans()
    encode = make_column_transformer((OneHotEncoder(), ["race"]), remainder=StandardScaler())
    model = make_pipeline(encode, LogisticRegression(max_iter=1000)).fit(frame, approved)
    rows, background = frame.iloc[[1, 30]].reset_index(drop=True), frame.iloc[100:130].reset_index(drop=True)
    found = values(sc.compute("attribution/shapley", model, rows, background=background), len(frame.columns))
    for i in range(2):
        expected = oracles.shapley(lambda f: model.predict_proba(f)[:, 1], rows.iloc[[i]], background)
        np.testing.assert_allclose(found[i], np.ravel([expected[c] for c in frame.columns]), atol=1e-12)


def test_catboost_categories_missing_numbers_and_three_classes():
    frame = pd.DataFrame({"s": RNG.choice(list("abc"), 60), "x": RNG.normal(size=60), "t": RNG.choice(list("uv"), 60)})
    frame.loc[::7, "x"] = np.nan
    labels = np.where(frame.s == "a", "p", np.where(frame.x > 0, "q", "r"))
    model = CatBoostClassifier(iterations=5, verbose=0, cat_features=["s", "t"], allow_writing_files=False)
    model.fit(frame, labels)
    rows, background = frame.iloc[[0, 8]].reset_index(drop=True), frame.iloc[20:32].reset_index(drop=True)
    artifact = sc.compute("attribution/shapley", model, rows, background=background)
    table = artifact.to_pandas().set_index(["example", "target", "feature"])["value"]
    for i in range(2):
        expected = oracles.shapley(model.predict_proba, rows.iloc[[i]], background)
        for feature, shares in expected.items():
            np.testing.assert_allclose([table[i, t, feature] for t in ("p", "q", "r")], shares, atol=1e-9)


def test_columns_of_the_table():
    rows = pl.DataFrame({"x": [1.0, None], "s": ["a", "b"]})
    artifact = regression(lambda f: f["x"].fill_null(0).to_numpy() + (f["s"] == "a").to_numpy(), rows)
    assert artifact.table.select(["example", "feature", "input", "input_level", "prediction"]).to_pylist() == [
        {"example": 0, "feature": "x", "input": 1.0, "input_level": None, "prediction": 2.0},
        {"example": 0, "feature": "s", "input": None, "input_level": "a", "prediction": 2.0},
        {"example": 1, "feature": "x", "input": None, "input_level": None, "prediction": 0.0},
        {"example": 1, "feature": "s", "input": None, "input_level": "b", "prediction": 0.0},
    ]


def wide(rows):
    return rows[:, 0] * rows[:, 1] * rows[:, 2] + np.abs(rows[:, 2]) * rows[:, 3] + rows[:, 4] ** 2 - rows[:, 11]


WIDE = np.random.default_rng(9).normal(size=(120, 12))


def sampled(rows, **options):
    return regression(
        wide, rows, background=WIDE[60:100], **{"evaluations": 4_000 * len(rows), "half_width": 0, **options}
    )


def test_sampled_values_add_up_exactly_and_lie_within_their_errors():
    found = sampled(WIDE[:6])
    exact = values(regression(wide, WIDE[:6], background=WIDE[60:100], exact_features=12), 12)
    table = found.table
    total = values(found, 12).sum(axis=1) + table["base"].to_numpy().reshape(-1, 12)[:, 0]
    np.testing.assert_allclose(total, wide(WIDE[:6]), atol=1e-12)
    error = table["error"].to_numpy().reshape(-1, 12)
    assert (np.abs(values(found, 12) - exact) <= 5 * error + 1e-12).all()
    assert found.spec["estimator"] == "paired coalitions, corrected proxy"
    assert set(table["noise"].to_pylist()) == {"monte-carlo"}


def bumpy(rows):
    """Interactions of many columns, so that something is left to sample."""
    return np.sin(rows[:, :11].sum(axis=1)) + rows[:, 0] * rows[:, 1] * rows[:, 2]


@pytest.mark.parametrize(("background", "evaluations"), [(20, 3_000), (60, 2_000)])
def test_intervals_cover(background, evaluations):
    given = {"background": WIDE[60 : 60 + background], "half_width": 0}
    exact = values(regression(bumpy, WIDE[:12], **given, exact_features=12), 12)
    found = regression(bumpy, WIDE[:12], **given, evaluations=12 * evaluations)
    error = found.table["error"].to_numpy().reshape(-1, 12)
    assert (values(found, 12)[:, 11] == 0).all()
    inside = np.abs(values(found, 12) - exact)[:, :11] <= 1.96 * error[:, :11]
    assert 0.88 < inside.mean() < 0.995


def test_a_column_that_is_used_only_together_with_another_idle_one_is_found():
    def both(rows):
        return rows[:, 0] + 4.0 * ((rows[:, 3] > 0) & (rows[:, 4] > 0) & (rows[:, 5] > 0))

    row, background = np.full((1, 12), 1.0), -np.ones((30, 12))
    given = {"background": background, "evaluations": 20_000}
    found = values(regression(both, row, **given), 12)[0]
    exact = values(regression(both, row, background=background, exact_features=12), 12)[0]
    np.testing.assert_allclose(found, exact, atol=1e-9)
    assert (found[[1, 2, *range(6, 12)]] == 0).all()


def test_a_row_of_few_differing_cells_is_counted_whole():
    rows = np.repeat(WIDE[:1], 3, axis=0)
    rows[:, 5:] = 1.0
    background = np.concatenate([WIDE[60:90, :5], np.ones((30, 7))], axis=1)
    found = regression(wide, rows, background=background)
    assert set(found.table["error"].to_pylist()) == {0.0}
    assert found.spec["evaluations"] <= 1 + 30 * 2**5
    exact = regression(wide, rows, background=background, exact_features=12)
    np.testing.assert_allclose(values(found, 12), values(exact, 12), atol=1e-12)


def test_the_error_of_the_background_stands_apart():
    def error(background, **options):
        return regression(wide, WIDE[:4], background=background, **options).table["background_error"].to_numpy()

    exact = error(WIDE[60:100], exact_features=12)
    np.testing.assert_allclose(error(WIDE[60:100], evaluations=200_000, half_width=0), exact, rtol=0.25, atol=0.02)
    np.testing.assert_allclose(error(np.repeat(WIDE[60:100], 4, axis=0), exact_features=12), exact / 2, rtol=0.02)


def test_a_linear_models_background_error_is_in_closed_form():
    weights = np.arange(4.0)
    found = regression(lambda rows: rows @ weights, NUMBERS[:3], background=NUMBERS[20:])
    closed = weights * NUMBERS[20:].std(axis=0, ddof=1) / np.sqrt(40)
    np.testing.assert_allclose(
        found.table["background_error"].to_numpy().reshape(3, 4), np.tile(closed, (3, 1)), atol=1e-12
    )


def test_a_row_is_done_when_its_intervals_are_narrow_enough():
    easy = regression(lambda rows: rows[:, 0] * rows[:, 1] - rows[:, 7], WIDE[:3], background=WIDE[60:100])
    assert easy.spec["examples"]["converged"] == [True] * 3
    assert easy.spec["evaluations"] < 3 * 10_000
    hard = sampled(WIDE[:3], half_width=1e-9, evaluations=6_000)
    assert hard.spec["examples"]["converged"] == [False] * 3
    assert "3 of 3 rows used up their evaluations" in hard.spec["notes"][0]
    widths = 1.96 * hard.table["error"].to_numpy().reshape(3, 12).max(axis=1)
    np.testing.assert_allclose(np.ravel(hard.spec["examples"]["half_width"]), widths, rtol=1e-4)


@pytest.mark.parametrize("evaluations", [600, 3_000, 30_000])
def test_evaluations_are_those_that_a_wrapper_counts_and_none_is_made_twice(evaluations):
    asked = []

    def counted(rows):
        asked.append(rows.copy())
        return wide(rows)

    found = regression(counted, WIDE[:3], background=WIDE[60:100], evaluations=evaluations, half_width=0)
    asked = np.concatenate(asked[2:])  # after the probe that identifies a callable, and a trial of one row
    assert len(np.unique(asked, axis=0)) == len(asked) == found.spec["evaluations"] <= evaluations


def test_a_budget_is_kept_and_told():
    artifact = regression(wide, WIDE, evaluations=20_000, exact_features=4)
    assert artifact.spec["evaluations"] <= 20_000
    assert artifact.spec["rows"]["sampled_from"] == 120
    assert artifact.spec["rows"]["count"] == len(set(artifact.table["example"].to_pylist()))
    small = regression(curved, NUMBERS, evaluations=30_000, max_rows=40)
    assert small.spec["estimator"] == "exact enumeration"
    assert small.spec["background"]["sampled_from"] == 60
    assert small.spec["evaluations"] <= 31_000


def test_repeated_rows_are_evaluated_once():
    asked = []

    def counted(rows):
        asked.append(len(rows))
        return rows[:, 0] + rows[:, 1]

    rows = np.repeat(NUMBERS[:1, :3], 4, axis=0)
    artifact = regression(counted, rows, background=np.repeat(NUMBERS[1:2, :3], 10, axis=0))
    assert artifact.spec["evaluations"] == 2 + 6  # row and background as they are, then the six mixed coalitions


def test_the_same_call_twice_gives_the_same_bytes():
    first, second = (sampled(WIDE[:5], seed=3) for _ in range(2))
    assert first.digest == second.digest
    assert first.digest != sampled(WIDE[:5], seed=4).digest


def test_a_share_of_a_deviation_is_not_negative():
    with pytest.raises(ParameterError, match="cannot be negative"):
        regression(wide, WIDE, half_width=-1.0)
