"""model/performance and the curves beside it, on real data, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as known
from sklearn.calibration import calibration_curve
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler

import showcause as sc
from showcause.core.errors import NotApplicable


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X, y = X.iloc[:, :4], y.map({0: "malignant", 1: "benign"})
    model = GaussianNB().fit(X[::2], y[::2])
    return model, X[1::2], y[1::2], (X[::2], y[::2])


def values(artifact, segment="all", target=None, column="value"):
    rows = artifact.table.to_pylist()
    return {r["metric"]: r[column] for r in rows if r["segment"] == segment and r.get("target") == target}


def test_held_out_and_training_rows_stand_beside_each_other(cancer):
    model, X, y, train = cancer
    artifact = sc.compute("model/performance", model, X, y, train=train)
    assert values(artifact)["accuracy"] == pytest.approx(model.score(X, y))
    assert values(artifact, "train")["accuracy"] == pytest.approx(model.score(*train))
    assert values(artifact, column="low")["accuracy"] < values(artifact)["accuracy"]
    assert artifact.spec["positive"] == "malignant"


def test_the_reference_is_a_model_that_knows_class_frequencies(cancer):
    model, X, y, train = cancer
    reference = values(sc.compute("model/performance", model, X, y, train=train), column="reference")
    dummy = DummyClassifier(strategy="prior").fit(*train)
    assert reference["accuracy"] == pytest.approx(dummy.score(X, y))
    assert reference["log_loss"] == pytest.approx(known.log_loss(y, dummy.predict_proba(X)))
    assert reference["roc_auc"] == 0.5


def test_cost_and_confusion_follow_the_threshold(cancer):
    model, X, y, _ = cancer
    artifact = sc.compute("model/performance", model, X, y, threshold=0.2, cost_false_negative=10.0)
    decided = model.predict_proba(X)[:, 1] >= 0.2
    sick = (y == "malignant").to_numpy()
    found = values(artifact)
    assert found["false_negative"] == (sick & ~decided).sum()
    assert found["false_positive"] == (~sick & decided).sum()
    assert found["cost"] == pytest.approx(((~sick & decided) + 10 * (sick & ~decided)).mean())
    assert "gap to training is unknown" in artifact.spec["notes"][0]


def test_three_classes_have_macro_and_own_rows_and_a_confusion_table():
    X, y = load_wine(return_X_y=True, as_frame=True)
    y = y.map({0: "barolo", 1: "grignolino", 2: "barbera"})
    model = GaussianNB().fit(X.iloc[:, :2], y)
    artifact = sc.compute("model/performance", model, X.iloc[:, :2], y)
    decided = model.predict(X.iloc[:, :2])
    assert values(artifact)["f1"] == pytest.approx(known.f1_score(y, decided, average="macro"))
    own = values(artifact, target="barolo")
    assert own["recall"] == pytest.approx(known.recall_score(y, decided, labels=["barolo"], average="macro"))
    wrong = ((y == "barolo") & (decided == "grignolino")).sum()
    assert values(artifact)["confusion barolo → grignolino"] == wrong


def test_scores_without_probabilities_have_no_log_loss_and_say_so():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    model = RidgeClassifier().fit(X, y)
    artifact = sc.compute("model/performance", model, X, y)
    assert "log_loss" not in values(artifact)
    assert values(artifact)["roc_auc"] == pytest.approx(known.roc_auc_score(y, model.decision_function(X)))
    assert "do not apply" in artifact.spec["notes"][1]
    with pytest.raises(NotApplicable, match="no probabilities"):
        sc.compute("model/calibration", model, X, y)


def test_regression_has_its_own_metrics_and_the_mean_as_reference():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    model = LinearRegression().fit(X[:300], y[:300])
    artifact = sc.compute("model/performance", model, X[300:], y[300:], train=(X[:300], y[:300]))
    assert values(artifact)["r2"] == pytest.approx(model.score(X[300:], y[300:]))
    expected = known.mean_absolute_error(y[300:], np.full(142, y[:300].mean()))
    assert values(artifact, column="reference")["mae"] == pytest.approx(expected)
    with pytest.raises(NotApplicable):
        sc.compute("model/roc", model, X, y)


def test_roc_points_lie_on_scikit_learns_curve(cancer):
    model, X, y, _ = cancer
    table = sc.compute("model/roc", model, X, y).table.to_pandas()
    fpr, tpr, _ = known.roc_curve(y == "malignant", model.predict_proba(X)[:, 1], drop_intermediate=False)
    largest = {x: tpr[fpr == x].max() for x in fpr}
    assert dict(zip(table["at"], table["value"], strict=True)) == pytest.approx(largest)
    assert set(table["target"]) == {"malignant"}


def test_precision_recall_points_sum_to_the_average_precision(cancer):
    model, X, y, _ = cancer
    table = sc.compute("model/precision_recall", model, X, y).table.to_pandas()
    area = (np.diff(table["at"], prepend=0) * table["value"]).sum()
    p = model.predict_proba(X)[:, 1]
    assert area == pytest.approx(known.average_precision_score(y == "malignant", p))


def test_long_curves_are_thinned_to_two_hundred_points():
    rng = np.random.default_rng(0)
    p, y = rng.random((20_000, 1)), rng.integers(0, 2, 20_000)
    for name in ("roc", "precision_recall", "gain"):
        artifact = sc.compute(f"model/{name}", lambda X: X[:, 0], p, y, task="classification")
        assert 150 < artifact.table.num_rows <= 200
        assert artifact.table["at"].to_pylist()[-1] == 1


def test_gain_counts_the_positives_found():
    p = np.array([[0.9], [0.8], [0.7], [0.1]])
    artifact = sc.compute("model/gain", lambda X: X[:, 0], p, [1, 0, 1, 0], task="classification")
    assert artifact.table["at"].to_pylist() == [0, 0.25, 0.5, 0.75, 1]
    assert artifact.table["value"].to_pylist() == [0, 0.5, 0.5, 1, 1]


def test_calibration_agrees_with_scikit_learn():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    model = LogisticRegression().fit(StandardScaler().fit_transform(X.iloc[:, :1])[::2], y[::2])
    rows = StandardScaler().fit_transform(X.iloc[:, :1])[:500]
    table = sc.compute("model/calibration", model, rows, y[:500], bins=5).table.to_pandas()
    observed, predicted = calibration_curve(y[:500], model.predict_proba(rows)[:, 1], n_bins=5, strategy="quantile")
    assert table["at"].to_numpy() == pytest.approx(predicted, abs=0.005)  # quantiles by another rule: a row moves
    assert table["value"].to_numpy() == pytest.approx(observed, abs=0.02)
    assert table["support"].sum() == 500


def test_residuals_are_the_mean_of_actual_minus_predicted_in_bins():
    X = np.arange(40.0)[:, None]
    y = np.arange(40.0) + np.repeat([1.0, -1.0], 20)
    table = sc.compute("model/residuals", lambda X: X[:, 0], X, y, task="regression", bins=2).table.to_pandas()
    assert table["value"].tolist() == [1.0, -1.0]
    assert table["at"].tolist() == [9.5, 29.5]


def test_the_same_call_twice_gives_the_same_bytes(cancer):
    model, X, y, train = cancer
    for name in ("performance", "roc", "precision_recall", "gain", "calibration"):
        assert len({sc.compute(f"model/{name}", model, X, y, train=train).digest for _ in range(2)}) == 1
