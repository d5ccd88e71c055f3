"""Scorecards agree with scikit-learn, and say where a number or its interval does not exist."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as known
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB

from showcause.kernels import metrics


def card(scores):
    return {(score.metric, score.target): score for score in scores}


@pytest.fixture(scope="module")
def binary():
    X, y = load_breast_cancer(return_X_y=True)
    p = GaussianNB().fit(X[:, :5], y).predict_proba(X[:, :5])[:, 1]
    return p, y, (p > 0.5).astype(int)


@pytest.fixture(scope="module")
def three():
    X, y = load_wine(return_X_y=True)
    p = LogisticRegression(max_iter=5000).fit(X[:, :2], y).predict_proba(X[:, :2])
    return p, y, p.argmax(axis=1)


def test_a_binary_scorecard_agrees_with_scikit_learn(binary):
    p, y, d = binary
    found = card(metrics.classification("probability", p[:, None], y, d, 2, rng=np.random.default_rng(0), counts=True))
    expected = {
        "log_loss": known.log_loss(y, p),
        "brier": known.brier_score_loss(y, p),
        "roc_auc": known.roc_auc_score(y, p),
        "average_precision": known.average_precision_score(y, p),
        "accuracy": known.accuracy_score(y, d),
        "balanced_accuracy": known.balanced_accuracy_score(y, d),
        "precision": known.precision_score(y, d),
        "recall": known.recall_score(y, d),
        "f1": known.f1_score(y, d),
        "mcc": known.matthews_corrcoef(y, d),
        "cost": known.zero_one_loss(y, d),
        **dict(
            zip(
                ("true_negative", "false_positive", "false_negative", "true_positive"),
                known.confusion_matrix(y, d).ravel(),
                strict=True,
            )
        ),
    }
    assert {metric: score.value for (metric, _), score in found.items()} == pytest.approx(expected)
    bounded = [s for (metric, _), s in found.items() if metric in metrics.INTERVALS]
    assert all(score.low < score.value < score.high and score.count == len(y) for score in bounded)


def test_three_classes_agree_with_scikit_learn_over_all_and_one_by_one(three):
    p, y, d = three
    found = card(metrics.classification("probability", p, y, d, 3, rng=np.random.default_rng(0), per_class=True))
    hot = np.eye(3)[y]
    expected = {
        "log_loss": known.log_loss(y, p),
        "brier": known.brier_score_loss(y, p),
        "roc_auc": known.roc_auc_score(y, p, multi_class="ovr"),
        "average_precision": known.average_precision_score(hot, p),
        "accuracy": known.accuracy_score(y, d),
        "balanced_accuracy": known.balanced_accuracy_score(y, d),
        "precision": known.precision_score(y, d, average="macro"),
        "recall": known.recall_score(y, d, average="macro"),
        "f1": known.f1_score(y, d, average="macro"),
        "mcc": known.matthews_corrcoef(y, d),
        "cost": known.zero_one_loss(y, d),
    }
    assert {m: s.value for (m, target), s in found.items() if target is None} == pytest.approx(expected)
    precision, recall, f1, support = known.precision_recall_fscore_support(y, d)
    for k in range(3):
        assert found["precision", k].value == pytest.approx(precision[k])
        assert found["recall", k].value == pytest.approx(recall[k])
        assert found["f1", k].value == pytest.approx(f1[k])
        assert found["roc_auc", k].value == pytest.approx(known.roc_auc_score(hot[:, k], p[:, k]))
        assert found["recall", k].count == support[k]


def test_certain_and_wrong_costs_what_scikit_learn_says():
    y, p = np.array([0, 1, 1]), np.array([1.0, 1.0, 0.0])
    found = card(metrics.classification("probability", p[:, None], y, p.astype(int), 2))
    assert found["log_loss", None].value == pytest.approx(known.log_loss(y, p))


def test_regression_agrees_with_scikit_learn():
    X, y = load_diabetes(return_X_y=True)
    predicted = LinearRegression().fit(X, y).predict(X)
    found = card(metrics.regression(predicted[:, None], y))
    assert {metric: score.value for (metric, _), score in found.items()} == pytest.approx(
        {
            "r2": known.r2_score(y, predicted),
            "rmse": known.root_mean_squared_error(y, predicted),
            "mae": known.mean_absolute_error(y, predicted),
            "median_absolute_error": known.median_absolute_error(y, predicted),
        }
    )
    assert all(score.low < score.value < score.high for score in found.values())


def test_the_r2_interval_has_the_width_of_the_bootstrap():
    rng = np.random.default_rng(1)
    y = rng.normal(size=400)
    predicted = 0.7 * y + rng.normal(scale=0.5, size=400)
    score = metrics.regression(predicted[:, None], y)[0]
    draws = rng.integers(400, size=(2000, 400))
    replicates = [known.r2_score(y[rows], predicted[rows]) for rows in draws]
    low, high = np.quantile(replicates, [0.025, 0.975])
    assert score.high - score.low == pytest.approx(high - low, rel=0.15)


def test_one_class_alone_has_no_area_and_no_mcc():
    p, y = np.array([0.2, 0.7, 0.9]), np.ones(3, dtype=int)
    found = card(metrics.classification("probability", p[:, None], y, (p > 0.5).astype(int), 2))
    assert np.isnan(found["roc_auc", None].value)
    assert found["roc_auc", None].note == "the rows are all of one class"
    assert np.isnan(found["mcc", None].value)
    assert found["recall", None].value == pytest.approx(2 / 3)


def test_unequal_costs_weigh_the_errors():
    y, d = np.array([0, 0, 0, 1, 1]), np.array([1, 1, 0, 0, 1])
    scores = metrics.classification("score", d[:, None] * 1.0, y, d, 2, costs=(1.0, 5.0))
    assert card(scores)["cost", None].value == pytest.approx((2 * 1 + 1 * 5) / 5)


def test_a_perfect_model_claims_no_certainty_it_cannot_have():
    y = np.array([0, 1] * 20)
    found = card(metrics.classification("score", y[:, None] - 0.5, y, y, 2, rng=np.random.default_rng(0)))
    assert found["accuracy", None].low == pytest.approx(0.9124, abs=1e-4)  # Wilson, 40 of 40
    assert found["roc_auc", None].value == 1
    assert np.isnan(found["roc_auc", None].low)
    assert found["mcc", None].note == metrics.NO_ERROR


def test_a_class_never_decided_for_counts_zero_as_in_scikit_learn():
    y, d = np.array([0, 1, 2, 2, 1]), np.array([0, 1, 1, 0, 1])
    found = card(metrics.classification("score", np.eye(3)[d], y, d, 3, per_class=True))
    assert found["precision", None].value == pytest.approx(
        known.precision_score(y, d, average="macro", zero_division=0)
    )
    assert found["precision", None].note.startswith("1 classes are never decided for")
    assert np.isnan(found["precision", 2].value)


def test_bins_are_of_nearly_equal_count_and_keep_ties_together():
    groups = metrics.bins(np.array([1.0, 1, 1, 1, 2, 3, 4, 5]), 4)
    assert [group.tolist() for group in groups] == [[0, 1, 2, 3], [4, 5], [6, 7]]
    assert [len(group) for group in metrics.bins(np.arange(100.0), 7, minimum=20)] == [20] * 5
    assert [len(group) for group in metrics.bins(np.repeat([1.0, 2, 3], [50, 50, 7]), 3, minimum=20)] == [50, 57]


def test_a_thinned_curve_keeps_its_ends():
    x = np.linspace(0, 1, 5000)
    picked = metrics.thin(x, x**9, 200)
    assert len(picked) <= 200
    assert (picked[0], picked[-1]) == (0, 4999)
