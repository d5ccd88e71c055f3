"""Every method about models, segments and examples on odd rows: a table or a reason, never a warning or a crash."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.svm import LinearSVC

import showcause as sc
from showcause.core.errors import NotApplicable

NAMES = [name for name in sc.methods() if name.split("/")[0] in ("model", "segments", "examples")]
RNG = np.random.default_rng(0)
X = pd.DataFrame({"a": RNG.normal(size=200), "b": RNG.integers(0, 3, 200), "k": 1.0})
Y = (X["a"] + X["b"] > 1).astype(int)
THREE = np.array(["x", "y <b>", "z → w"])[X["b"]]
GROUPS = {"segments": ["b"], "protected": ["k", "b"]}


def made(model, rows, labels, **options):
    """The names of the methods that had something to say."""
    found = set()
    for name in NAMES:
        try:
            sc.compute(name, model, rows, labels, **{**GROUPS, **options})
        except NotApplicable:
            continue
        found.add(name)
    return found


@pytest.mark.parametrize("count", [1, 2, 31])
def test_few_rows(count):
    rows, labels = X[:count], Y[:count]
    found = made(RandomForestClassifier(3, random_state=0).fit(X, Y), rows, labels, train=(rows, labels))
    assert {"model/performance", "segments/performance", "segments/fairness", "examples/representative"} <= found
    target = X["a"] * 2 + X["b"]
    regressor = GradientBoostingRegressor(n_estimators=3).fit(X, target)
    assert "model/residuals" in made(regressor, rows, target[:count], train=(rows, target[:count]))


def test_rows_of_a_single_class():
    found = made(LogisticRegression().fit(X, Y), X[:60], np.ones(60, dtype=int))
    assert "model/performance" in found
    assert "model/roc" not in found


@pytest.mark.parametrize("model", [LogisticRegression(), LinearSVC(), Perceptron()])
def test_three_classes_of_which_the_rows_have_two(model):
    fitted = model.fit(X, THREE)
    labels = np.array(["x"] * 20 + ["z → w"] * 20)
    found = made(fitted, X[:40], labels, favourable="x")
    assert {"model/performance", "model/coefficients", "segments/fairness"} <= found


def test_a_target_that_does_not_vary():
    model = GradientBoostingRegressor(n_estimators=3).fit(X, X["a"])
    table = sc.compute("model/performance", model, X, np.ones(200)).table.to_pylist()
    assert table[0]["note"] == "the actual values do not vary: r2 is undefined"


def test_polars_dates_booleans_and_markup():
    frame = pl.DataFrame(
        {"d": pd.date_range("2020", periods=200), "flag": X["a"] > 0, "s": ["😀<b>"] * 150 + ["b"] * 50}
    )
    frame = frame.with_columns(pl.col("d").cast(pl.Date))

    def predict(rows):
        return rows["flag"].to_numpy() * 0.5 + 0.2

    options = {"segments": ["d", "s"], "protected": ["flag"], "task": "classification", "train": frame}
    assert {"segments/calibration", "model/surrogate_tree"} <= made(predict, frame, Y.to_numpy(), **options)


def test_thirty_classes():
    labels = RNG.integers(0, 30, 200)
    model = RandomForestClassifier(3, random_state=0).fit(X, labels)
    table = sc.compute("model/performance", model, X, labels).table.to_pandas()
    assert table["metric"].str.startswith("confusion").sum() == 400
