"""examples/representative picks the rows it says it picks."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import showcause as sc
from showcause.core.errors import ParameterError

NAME = "examples/representative"


def step(X):
    """P(second class) is the only column."""
    return X[:, 0]


P = np.array([[0.1], [0.2], [0.45], [0.55], [0.9], [0.95], [0.6], [0.3]])
Y = np.array([0, 1, 0, 1, 1, 0, 0, 0])  # row 1 and rows 5, 6 are decided wrongly


def picked(artifact, role):
    rows = artifact.table.to_pylist()
    return [row["example"] for row in rows if row["role"] == role]


def test_each_role_holds_its_rows():
    artifact = sc.compute(NAME, step, P, Y, task="classification", per_role=2)
    assert picked(artifact, "confident wrong") == [5, 1]  # actual class got 0.05 and 0.2
    assert picked(artifact, "wrong") == [6]
    assert picked(artifact, "near the threshold") == [2, 3]
    assert picked(artifact, "right") == [7, 3]  # median of 0.1 0.45 0.3; of 0.55 0.9 both equally near: the earlier


def test_decision_and_label_are_text_and_prediction_is_the_probability_of_the_second_class():
    row = sc.compute(NAME, step, P, Y, task="classification", threshold=0.97).table.to_pylist()[0]
    assert row["decision"] == "0"
    assert row["prediction"] == P[row["example"], 0]
    assert row["label"] == str(Y[row["example"]])


def test_the_given_threshold_moves_what_is_near_it():
    artifact = sc.compute(NAME, step, P, Y, task="classification", threshold=0.9, per_role=1)
    assert picked(artifact, "near the threshold") == [4]
    assert artifact.spec["rule"].endswith("at least 0.9 (given)")


def test_a_perfect_model_has_no_wrong_rows_and_says_so():
    artifact = sc.compute(NAME, step, P[:1], Y[:1], task="classification")
    assert picked(artifact, "wrong") == []
    assert "No row has the role “wrong”." in artifact.spec["notes"]


def test_without_labels_rows_are_shown_by_prediction():
    artifact = sc.compute(NAME, step, P, task="classification", per_role=1)
    assert picked(artifact, "highest prediction") == [5]
    assert picked(artifact, "lowest prediction") == [0]
    assert "label" not in artifact.table.column_names
    assert "No labels were given" in artifact.spec["notes"][-1]


def test_residuals_of_a_regression_are_the_smallest_and_largest():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    model = LinearRegression().fit(X, y)
    artifact = sc.compute(NAME, model, X, y, per_role=4)
    order = np.argsort(np.abs(y.to_numpy() - model.predict(X)), kind="stable")
    assert picked(artifact, "smallest residual") == order[:4].tolist()
    assert picked(artifact, "largest residual") == order[::-1][:4].tolist()
    assert artifact.table["actual"].to_pylist()[0] == y.iloc[order[0]]


def test_three_classes_show_the_probability_of_the_class_decided_for():
    X, y = load_iris(return_X_y=True, as_frame=True)
    labels = y.map({0: "setosa", 1: "versicolor", 2: "virginica"})
    model = LogisticRegression(max_iter=1000).fit(X, labels)
    artifact = sc.compute(NAME, model, X, labels)
    row = artifact.table.to_pylist()[-1]
    assert row["decision"] == model.predict(X)[row["example"]]
    assert row["prediction"] == pytest.approx(model.predict_proba(X)[row["example"]].max())
    assert {r["decision"] for r in artifact.table.to_pylist() if r["role"] == "right"} == set(labels)


def test_scores_have_a_margin_too_and_the_same_call_gives_the_same_bytes():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    model = make_pipeline(StandardScaler(), LinearSVC()).fit(X, y)
    artifact = sc.compute(NAME, model, X, y)
    assert picked(artifact, "near the threshold")[0] == np.abs(model.decision_function(X)).argmin()
    assert artifact.digest == sc.compute(NAME, model, X, y).digest


def test_no_rows_a_role_is_refused():
    with pytest.raises(ParameterError, match="at least 1"):
        sc.compute(NAME, step, P, Y, task="classification", per_role=0)
