import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.inspection import partial_dependence
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

import showcause as sc
from showcause.core.errors import ParameterError


def rows_of(artifact, feature, **where):
    frame = artifact.to_pandas()
    frame = frame[frame["feature"] == feature]
    for name, value in where.items():
        frame = frame[frame[name] == value]
    return frame.reset_index(drop=True)


def test_an_additive_function_gives_back_its_parts_even_where_features_are_correlated():
    rng = np.random.default_rng(0)
    x0 = rng.normal(size=500)
    X = np.column_stack([x0, x0 + 0.1 * rng.normal(size=500)])
    found = rows_of(sc.compute("dependence/pdp", lambda r: r[:, 0] ** 2 - 3 * r[:, 1], X, task="regression"), "x0")
    assert found["value"].to_numpy() == pytest.approx(found["at"].to_numpy() ** 2 - 3 * X[:, 1].mean())
    assert found["error"].to_numpy() == pytest.approx(3 * X[:, 1].std(ddof=1) / np.sqrt(500))


def test_agrees_with_scikit_learn_over_the_same_places():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X = X.iloc[:200, :5]
    model = RandomForestClassifier(10, random_state=0).fit(X, y[:200])
    found = rows_of(sc.compute("dependence/pdp", model, X, features=["mean texture"]), "mean texture")
    places = {"mean texture": found["at"].to_numpy()}
    theirs = partial_dependence(model, X, ["mean texture"], custom_values=places, method="brute", kind="both")
    assert found["value"].to_numpy() == pytest.approx(theirs["average"][0])
    curves = sc.compute("dependence/ice", model, X, features=["mean texture"]).to_pandas()
    assert curves["value"].to_numpy().reshape(200, -1) == pytest.approx(theirs["individual"][0])


def test_every_class_has_a_curve_and_they_add_up_to_one():
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=2_000).fit(X, np.array(["a", "b", "c"])[y])
    table = sc.compute("dependence/pdp", model, X, features=["x2"]).to_pandas()
    sums = table.groupby("at")["value"].sum()
    assert list(dict.fromkeys(table["target"])) == ["a", "b", "c"]
    assert sums.to_numpy() == pytest.approx(np.ones(len(sums)))


@pytest.mark.parametrize("method", ["pdp", "ice", "ale", "surface", "interaction"])
def test_trees_of_three_classes_answer_what_the_model_itself_answers(method):
    X, y = load_iris(return_X_y=True)
    model = HistGradientBoostingClassifier(max_iter=5).fit(X[:, 2:], y)
    ours = sc.compute(f"dependence/{method}", model, X[:, 2:], y).to_pandas()
    theirs = sc.compute(f"dependence/{method}", model.predict_proba, X[:, 2:], y, task="classification").to_pandas()
    assert ours["value"].abs().max() > 0.02
    np.testing.assert_allclose(ours["value"], theirs["value"], atol=1e-9)


def test_scores_stay_scores():
    X, y = load_breast_cancer(return_X_y=True)
    model = LinearSVC(random_state=0).fit(X[:, :2] / 100, y)
    found = sc.compute("dependence/pdp", model, X[:, :2] / 100, features=["x0"])
    slope = np.diff(rows_of(found, "x0")["value"]) / np.diff(rows_of(found, "x0")["at"])
    assert found.spec["space"] == "score"
    assert slope == pytest.approx(np.full(len(slope), model.coef_[0, 0]))


def mixed(rows=90):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "town": rng.choice(["rome", "bonn", "oslo"], rows),
            "paid": rng.random(rows) < 0.5,
            "day": pd.Timestamp("1970-01-11") + pd.to_timedelta(rng.integers(0, 5, rows), "D"),
            "debt": np.where(np.arange(rows) % 3 == 0, np.nan, rng.integers(0, 4, rows)),
        }
    )


def mixed_model(rows):
    town = rows["town"].map({"rome": 1.0, "bonn": 2.0, "oslo": 3.0}).astype(float)
    days = (rows["day"] - pd.Timestamp("1970-01-01")).dt.days
    return town + 10 * rows["paid"] + 100 * days + rows["debt"].fillna(-7)


def test_levels_booleans_days_and_missing_values_are_places():
    X = mixed()
    found = sc.compute("dependence/pdp", mixed_model, X, task="regression")
    town, paid, day, debt = (rows_of(found, name) for name in X.columns)
    assert town["at_level"].tolist() == ["bonn", "oslo", "rome"]
    assert np.diff(town["value"]) == pytest.approx([1, -2])
    assert paid["at_level"].tolist() == ["false", "true"]
    assert day["at"].tolist() == [10, 11, 12, 13, 14]
    assert np.diff(day["value"]) == pytest.approx([100] * 4)
    assert debt["at"].tolist()[:-1] == [0, 1, 2, 3]
    assert np.isnan(debt["at"].iloc[-1])
    assert debt["value"].iloc[-1] - debt["value"].iloc[0] == pytest.approx(-7)
    assert debt["support"].iloc[-1] == 30


def test_single_rows_are_their_own_predictions_where_they_stand_and_average_to_the_curve():
    X = mixed()
    curves = sc.compute("dependence/ice", mixed_model, X, features=["town"], task="regression").to_pandas()
    mean = sc.compute("dependence/pdp", mixed_model, X, features=["town"], task="regression").to_pandas()
    assert curves.groupby("at_level")["value"].mean().to_numpy() == pytest.approx(mean["value"].to_numpy())
    own = curves[curves["at_level"] == X["town"].to_numpy()[curves["example"]]]
    assert own["value"].to_numpy() == pytest.approx(mixed_model(X).to_numpy())
    assert sorted(set(curves["example"])) == list(range(90))


def test_a_sample_of_rows_and_rare_levels_are_stated():
    X = pd.DataFrame({"code": [f"c{i % 60}" for i in range(600)], "b": np.arange(600.0)})
    X.loc[0, "code"] = "alone"
    model = lambda rows: rows["b"] * 1.0  # noqa: E731
    options = {"features": ["code"], "levels": 10, "task": "regression"}
    for name, extra in (("dependence/pdp", {"rows": 50}), ("dependence/ice", {"rows": 60, "cells": 500})):
        found = sc.compute(name, model, X, **options, **extra)
        assert found.spec["rows"]["count"] == 50
        assert found.spec["rows"]["sampled_from"] == 600
        assert found.spec["notes"] == ["code: 51 rare levels (500 rows) left off the curve."]
        assert len(set(found.table["at_level"].to_pylist())) == 10


def test_the_same_call_gives_the_same_bytes_and_polars_agrees_with_pandas():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X = X.iloc[:60, :3].rename(columns=lambda name: name.replace(" ", "_"))
    model = HistGradientBoostingClassifier(max_iter=5).fit(X.to_numpy(), y[:60])
    call = lambda rows: model.predict_proba(np.asarray(rows))  # noqa: E731
    for name in ("dependence/pdp", "dependence/ice", "dependence/ale", "dependence/interaction"):
        first = sc.compute(name, call, X, task="classification")
        assert first.digest == sc.compute(name, call, X, task="classification").digest
        assert first.table.equals(sc.compute(name, call, pl.from_pandas(X), task="classification").table)


def test_foolish_parameters_are_refused():
    X = np.zeros((5, 2))
    for params in ({"features": ["nope"]}, {"features": ["x0", "x0"]}, {"features": []}, {"limit": 0}, {"points": 0}):
        with pytest.raises(ParameterError):
            sc.compute("dependence/pdp", lambda r: r[:, 0], X, task="regression", **params)


def test_one_row_has_a_curve_without_an_error():
    found = sc.compute("dependence/pdp", lambda r: r[:, 0], np.array([[3.0, 1.0]]), task="regression").to_pandas()
    assert found["value"].tolist() == [3.0, 3.0]
    assert found["error"].isna().all()


def test_limit_takes_the_first_features_and_states_the_cap():
    found = sc.compute("dependence/pdp", lambda r: r[:, 0], np.eye(5), task="regression", limit=2)
    assert found.spec["cap"] == {"features": 2, "of": 5}


def test_every_place_where_a_forest_can_change():
    rows = np.random.default_rng(0).normal(size=(300, 2))
    model = HistGradientBoostingRegressor(max_iter=15, max_leaf_nodes=4).fit(rows, rows[:, 0] + rows[:, 1] ** 2)
    found = sc.compute("dependence/pdp", model, rows, points=None, features=["x1"]).table.to_pylist()
    assert 5 < len(found) < 60
    assert sum(row["support"] for row in found) == 300
    at = np.array([row["at"] for row in found])
    for value in rows[:50, 1]:  # the curve between its places is flat
        expected = model.predict(np.column_stack([rows[:, 0], np.full(300, value)])).mean()
        assert found[np.searchsorted(at, value, side="right") - 1]["value"] == pytest.approx(expected, abs=1e-9)


def test_every_value_without_trees():
    rows = np.array([[3.0, 1.0], [1.0, 2.0], [np.nan, 3.0], [1.0, 4.0], [np.nan, 5.0]])
    found = sc.compute(
        "dependence/pdp", lambda r: np.nan_to_num(r).sum(1), rows, task="regression", points=None, features=["x0"]
    )
    assert found.table.select(["at", "support", "value"]).to_pylist() == [
        {"at": 1.0, "support": 2, "value": 4.0},
        {"at": 3.0, "support": 1, "value": 6.0},
        {"at": None, "support": 2, "value": 3.0},
    ]


def test_centred_curves_begin_at_zero():
    rows = np.arange(12.0).reshape(6, 2)
    raw = sc.compute("dependence/ice", lambda r: r[:, 0] * r[:, 1], rows, task="regression", features=["x0"])
    found = sc.compute(
        "dependence/ice", lambda r: r[:, 0] * r[:, 1], rows, task="regression", features=["x0"], centred=True
    )
    values = np.array(raw.table["value"].to_pylist()).reshape(6, -1)
    np.testing.assert_allclose(
        np.array(found.table["value"].to_pylist()).reshape(6, -1), values - values[:, :1], atol=1e-12
    )
