import io

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import LinearSVC

import showcause as sc
from showcause.core.errors import NotApplicable, ParameterError


def blob(artifact, name="row_loss_differences"):
    return pa.ipc.open_file(io.BytesIO(artifact.blobs[name])).read_all()


def by_feature(artifact, column="value"):
    return dict(zip(artifact.table["feature"].to_pylist(), artifact.table[column].to_pylist(), strict=True))


def linear(rows=2_000, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 3)) * [1.0, 2.0, 1.0]
    return X, X @ [3.0, 1.0, 0.0] + rng.normal(size=rows)


def three_x0_plus_x1(X):
    return 3 * X[:, 0] + X[:, 1]


def test_a_linear_model_has_twice_the_squared_coefficient_times_the_variance():
    X, y = linear()
    found = sc.compute("importance/permutation", three_x0_plus_x1, X, y, task="regression")
    assert found.table["feature"].to_pylist() == ["x0", "x1", "x2"]
    for name, value, truth in zip(["x0", "x1"], by_feature(found).values(), [18.0, 8.0], strict=False):
        assert value == pytest.approx(truth, abs=4 * by_feature(found, "error")[name])
    assert by_feature(found)["x2"] == 0
    assert by_feature(found, "error")["x2"] == 0
    assert found.spec["loss"] == "squared error"


def test_with_every_donor_it_is_the_mean_over_all_pairs_of_rows():
    X, y = linear(30)
    loss = lambda rows: (three_x0_plus_x1(rows) - y) ** 2  # noqa: E731
    truth = []
    for other in range(1, 30):
        moved = X.copy()
        moved[:, 0] = np.roll(X[:, 0], other)
        truth.append((loss(moved) - loss(X)).mean())
    found = sc.compute("importance/permutation", three_x0_plus_x1, X, y, task="regression", repeats=29)
    assert by_feature(found)["x0"] == pytest.approx(np.mean(truth))
    assert found.spec["monte_carlo_error"]["x0"] < found.table["error"][0].as_py()


def test_agrees_with_scikit_learn_in_log_loss_and_error_rate():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X = X.iloc[:, :6]
    model = RandomForestClassifier(20, max_depth=4, random_state=0).fit(X[:300], y[:300])
    ours = sc.compute("importance/permutation", model, X[300:], y[300:], repeats=30)
    for scoring, column in (("neg_log_loss", "value"), ("accuracy", "error_rate")):
        theirs = permutation_importance(model, X[300:], y[300:], scoring=scoring, n_repeats=30, random_state=0)
        values = np.array([by_feature(ours, column)[name] for name in X.columns])
        noise = theirs.importances_std / np.sqrt(30) + 1e-9
        assert np.all(np.abs(values - theirs.importances_mean) < 6 * noise + 0.01 * np.abs(values))


def test_agrees_with_scikit_learn_in_squared_error():
    X, y = linear(400)
    model = LinearRegression().fit(X, y)
    ours = by_feature(sc.compute("importance/permutation", model, X, y, repeats=30))
    theirs = permutation_importance(model, X, y, scoring="neg_mean_squared_error", n_repeats=30, random_state=0)
    noise = theirs.importances_std / np.sqrt(30)
    assert np.all(np.abs(np.array([ours[f"x{j}"] for j in range(3)]) - theirs.importances_mean) < 5 * noise + 0.06)


def test_many_classes_and_string_labels():
    X, y = load_iris(return_X_y=True, as_frame=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    model = LogisticRegression(max_iter=2_000).fit(X, names)
    found = sc.compute("importance/permutation", model, X, names)
    assert found.table["feature"][0].as_py().startswith("petal")
    assert "target" not in found.table.column_names
    assert found.table["error_rate"][0].as_py() > 0.1


@pytest.mark.parametrize("threshold", [None, 0.5])
def test_the_error_rate_is_of_the_decisions_also_at_the_threshold(threshold):
    X, y = np.tile([[0.0], [0.5]], (20, 1)), np.array(["no", "yes"] * 20)
    model = lambda rows: np.column_stack([1 - rows[:, 0], rows[:, 0]])  # noqa: E731
    given = {"task": "classification", "threshold": threshold}
    found = sc.compute("importance/permutation", model, X, y, repeats=39, **given)
    decided = sc.compute("model/predictions", model, X, y, **given).table["decision"].to_pylist()
    values = dict(zip(X[:, 0], decided, strict=True))
    pairs = [(i, k) for i in range(40) for k in range(40) if i != k]
    truth = np.mean([(values[X[k, 0]] != y[i]) - (decided[i] != y[i]) * 1.0 for i, k in pairs])
    assert by_feature(found, "error_rate")["x0"] == pytest.approx(truth)
    assert values[0.5] == ("no" if threshold is None else "yes")


def test_a_model_of_scores_has_the_error_rate_as_its_loss():
    X, y = load_breast_cancer(return_X_y=True)
    model = LinearSVC(random_state=0).fit(X[:, :3] / 100, y)
    found = sc.compute("importance/permutation", model, X[:, :3] / 100, y)
    assert found.spec["loss"] == "error rate"
    assert found.table["value"].to_pylist() == pytest.approx(found.table["error_rate"].to_pylist())


def test_an_unused_column_is_exactly_zero_in_every_row_whatever_the_model_and_batch():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(3_001, 5))
    y = (X[:, 0] + rng.normal(size=3_001) > 0).astype(int)
    model = LogisticRegression().fit(X, y)
    model.coef_[0, 4] = 0.0
    found = sc.compute("importance/permutation", model, X, y)
    assert not blob(found)["x4"].to_numpy().any()


def test_the_blob_holds_the_rows_that_the_values_are_means_of():
    X, y = linear(200)
    found = sc.compute("importance/permutation", three_x0_plus_x1, X, y, task="regression")
    table = blob(found)
    assert (table.num_rows, table.column_names) == (200, ["x0", "x1", "x2"])
    assert table["x0"].to_numpy().mean() == pytest.approx(by_feature(found)["x0"])
    assert blob(found, "row_positions")["position"].to_pylist() == list(range(200))


def test_a_budget_takes_repeats_and_then_rows_and_says_so():
    X, y = linear(1_000)
    found = sc.compute("importance/permutation", three_x0_plus_x1, X, y, task="regression", predictions=3_000)
    assert (found.spec["repeats"], found.spec["rows"]["count"], found.spec["rows"]["sampled_from"]) == (2, 500, 1_000)
    assert len(found.spec["notes"]) == 2
    positions = blob(found, "row_positions")["position"].to_numpy()
    assert len(positions) == blob(found).num_rows == 500
    assert (np.diff(positions) > 0).all()


def test_the_same_call_gives_the_same_bytes_for_numpy_pandas_and_polars_and_trees_agree_with_their_model():
    X, y = load_breast_cancer(return_X_y=True)
    X = X[:150, :4]
    model = RandomForestClassifier(5, random_state=0).fit(X, y[:150])
    names = [f"x{j}" for j in range(4)]
    by_trees = sc.compute("importance/permutation", model, X, y[:150])
    again = sc.compute("importance/permutation", model, X, y[:150])
    by_model = [
        sc.compute(
            "importance/permutation",
            lambda rows: model.predict_proba(np.asarray(rows)),
            frame,
            y[:150],
            task="classification",
        )
        for frame in (X, pd.DataFrame(X, columns=names), pl.DataFrame(X, schema=names))
    ]
    assert by_trees.digest == again.digest
    assert len({found.table.to_pandas().to_json(double_precision=15) for found in by_model}) == 1
    values = [found.to_pandas().set_index("feature")["value"].loc[names] for found in (by_trees, by_model[0])]
    np.testing.assert_allclose(values[0], values[1], rtol=0, atol=1e-12)


def test_strings_booleans_dates_and_missing_values_are_shuffled_as_they_are():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "town": pd.Categorical(rng.choice(["a", "b", "c"], 300)),
            "paid": rng.random(300) < 0.5,
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 99, 300), "D"),
            "debt": np.where(rng.random(300) < 0.2, np.nan, rng.normal(size=300)),
        }
    )

    def model(rows):
        days = (rows["day"] - pd.Timestamp("2024-01-01")).dt.days
        return (rows["town"] == "a") * 2.0 + rows["paid"] * 1.0 + days / 33 + rows["debt"].isna() * 3.0

    found = sc.compute("importance/permutation", model, X, model(X).to_numpy(), task="regression")
    share = {"town": (X["town"] == "a").var() * 4, "paid": X["paid"].var(), "debt": X["debt"].isna().var() * 9}
    for name, variance in share.items():
        assert by_feature(found)[name] == pytest.approx(2 * variance, rel=0.25)


def test_one_row_and_foolish_parameters_are_clear():
    X, y = linear(10)
    with pytest.raises(NotApplicable, match="single row"):
        sc.compute("importance/permutation", three_x0_plus_x1, X[:1], y[:1], task="regression")
    with pytest.raises(ParameterError, match="at least 1"):
        sc.compute("importance/permutation", three_x0_plus_x1, X, y, task="regression", repeats=0)


def test_ranks_are_verified_for_far_features_and_tied_for_equal_ones():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1_500, 4))
    function = lambda rows: rows @ [3.0, 1.0, 1.0, 0.0]  # noqa: E731
    found = sc.compute("importance/permutation", function, X, function(X) + rng.normal(size=1_500), task="regression")
    bounds = {
        f: (found.table["rank_low"][i].as_py(), found.table["rank_high"][i].as_py())
        for i, f in enumerate(found.table["feature"].to_pylist())
    }
    assert bounds == {"x0": (1, 1), "x1": (2, 3), "x2": (2, 3), "x3": (4, 4)}
