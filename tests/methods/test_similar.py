"""examples/similar and examples/prototypes against brute force and other libraries' leaves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMRegressor
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from xgboost import XGBRegressor

import showcause as sc
from showcause.core.errors import ParameterError
from tests.data import loans

NAME = "examples/similar"


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    return (X[::2], y[::2]), (X[1::2].reset_index(drop=True), y[1::2].reset_index(drop=True))


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    return (X[::2], y[::2]), (X[1::2].reset_index(drop=True), y[1::2].reset_index(drop=True))


def lines(artifact, example, relation):
    return [r for r in artifact.table.to_pylist() if (r["example"], r["relation"]) == (example, relation)]


def test_a_forest_counts_the_trees_whose_leaf_is_shared(cancer):
    (A, a), (X, y) = cancer
    forest = RandomForestClassifier(30, random_state=0).fit(A, a)
    artifact = sc.compute(NAME, forest, X, y, train=(A, a), examples=[3, 8], neighbours=4)
    leaves, mine, decided = forest.apply(A), forest.apply(X), forest.predict(A)
    for example in (3, 8):
        share = (leaves == mine[example]).mean(axis=1)
        for relation, wanted in (
            ("like", decided == forest.predict(X)[example]),
            ("unlike", decided != forest.predict(X)[example]),
        ):
            found = lines(artifact, example, relation)
            assert [r["value"] for r in found] == pytest.approx(sorted(share[wanted], reverse=True)[:4])
            assert [share[r["row"]] for r in found] == pytest.approx([r["value"] for r in found])
            assert all(r["label"] == str(a.iloc[r["row"]]) and wanted[r["row"]] for r in found)
    assert artifact.spec["neighbourhood"]["space"] == "leaves"


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_boosted_trees_are_weighted_by_their_share_of_the_variance(library, diabetes):
    (A, a), (X, y) = diabetes
    if library == "xgboost":
        model = XGBRegressor(n_estimators=20, max_depth=3, random_state=0).fit(A, a)
        leaves, mine = model.apply(A).astype(int), model.apply(X).astype(int)
        text = model.get_booster().trees_to_dataframe()
        value = {(r.Tree, r.Node): r.Gain for r in text[text.Feature == "Leaf"].itertuples()}
    else:
        model = LGBMRegressor(n_estimators=20, num_leaves=6, random_state=0, verbose=-1).fit(A, a)
        leaves, mine = model.predict(A, pred_leaf=True), model.predict(X, pred_leaf=True)
        value = {(t, n): model.booster_.get_leaf_output(t, n) for t in range(20) for n in set(leaves[:, t])}
    added = np.array([[value[t, n] for t, n in enumerate(row)] for row in leaves])
    weight = added.var(axis=0) / added.var(axis=0).sum()
    similarity = (leaves == mine[5]) @ weight
    artifact = sc.compute(NAME, model, X, y, train=(A, a), examples=[5])
    for row in artifact.table.to_pylist():
        assert row["value"] == pytest.approx(similarity[row["row"]], rel=1e-5)
        assert row["actual"] == a.iloc[row["row"]]
    apart = model.predict(A).std()
    own = model.predict(X)[5]
    assert all(abs(r["prediction"] - own) >= apart for r in lines(artifact, 5, "unlike"))
    assert all(abs(r["prediction"] - own) < apart for r in lines(artifact, 5, "like"))


def test_a_linear_model_compares_what_the_columns_add(cancer):
    (A, a), (X, y) = cancer
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(A, a)
    artifact = sc.compute(NAME, model, X, y, train=(A, a), examples=[0])
    added = model[0].transform(A) * model[1].coef_[0]
    away = np.sqrt(((added - model[0].transform(X.iloc[[0]]) * model[1].coef_[0]) ** 2).sum(axis=1))
    alike = model.predict(A) == model.predict(X.iloc[[0]])[0]
    assert [r["row"] for r in lines(artifact, 0, "like")] == np.flatnonzero(alike)[np.argsort(away[alike])][:5].tolist()
    assert [r["value"] for r in lines(artifact, 0, "unlike")] == pytest.approx(np.sort(away[~alike])[:5])


def test_the_dummies_of_one_column_are_one_step_apart():
    X, y = loans()
    numbers = ["obligations", "loan_to_value", "income", "bad_history"]
    encode = make_column_transformer((OneHotEncoder(), ["race"]), (StandardScaler(), numbers))
    model = make_pipeline(encode, LogisticRegression()).fit(X, y)
    pair = pd.concat([X.iloc[[0]].assign(race="white"), X.iloc[[0]].assign(race="black")], ignore_index=True)
    artifact = sc.compute(NAME, model, pair.iloc[[0]], train=pair, examples=[0])
    white, black = (
        model[1].coef_[0][list(model[0].named_transformers_["onehotencoder"].categories_[0]).index(n)]
        for n in ("white", "black")
    )
    assert sorted(r["value"] for r in artifact.table.to_pylist()) == pytest.approx([0, abs(white - black)], abs=1e-12)


def test_anything_else_is_compared_in_standardised_columns_and_equal_rows_go_by_number():
    X = pd.DataFrame({"a": [0.0, 0, 2, 2, 4, 4], "town": list("xxyyxx"), "gap": [np.nan, 1, 1, 1, 1, 1]})

    def model(rows):
        return (rows["a"] > 1).to_numpy(float)

    artifact = sc.compute(NAME, model, X, task="classification", examples=[2], neighbours=9)
    far = np.sqrt((np.array([0, 0, 2, 2, 4, 4]) - 2) ** 2 / X["a"].var(ddof=0) + np.array([2, 1, 0, 0, 1, 1]))
    assert [r["row"] for r in lines(artifact, 2, "like")] == [3, 4, 5]
    assert [r["row"] for r in lines(artifact, 2, "unlike")] == [1, 0]
    assert [r["value"] for r in artifact.table.to_pylist()] == pytest.approx(far[[3, 4, 5, 1, 0]])
    assert artifact.spec["neighbourhood"]["space"] == "standardised columns"
    assert "No training rows were given: neighbours are other rows explained." in artifact.spec["notes"]


def test_ties_of_a_single_tree_go_by_the_columns():
    X = pd.DataFrame({"a": [0.0, 0.1, 0.2, 0.3, 5, 6]})
    tree = RandomForestClassifier(1, bootstrap=False, max_leaf_nodes=2, random_state=0).fit(X, [0, 0, 0, 0, 1, 1])
    artifact = sc.compute(NAME, tree, X, examples=[2])
    assert [(r["row"], r["value"]) for r in lines(artifact, 2, "like")] == [(1, 1.0), (3, 1.0), (0, 1.0)]


def test_a_cap_on_visits_samples_the_rows_and_says_so(cancer):
    (A, a), (X, y) = cancer
    forest = RandomForestClassifier(10, random_state=0).fit(A, a)
    artifact = sc.compute(NAME, forest, X, y, train=(A, a), examples=[1], visits=500)
    assert artifact.spec["among"] == {"source": "train", "count": 50, "sampled_from": len(A)}
    assert artifact.digest == sc.compute(NAME, forest, X, y, train=(A, a), examples=[1], visits=500).digest


@pytest.mark.parametrize("examples", [[], [1, 1], [99_999]])
def test_examples_that_are_no_rows_are_refused(examples, cancer):
    (A, a), (X, y) = cancer
    with pytest.raises(ParameterError, match="examples"):
        sc.compute(NAME, KNeighborsClassifier().fit(A, a), X, y, examples=examples)


def test_prototypes_take_categories_gaps_and_a_sample():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=300), "town": rng.choice(["x", "y"], 300), "constant": 1.0})
    X.loc[::7, "a"] = np.nan

    def model(rows):
        return rows["a"].fillna(0).to_numpy()

    artifact = sc.compute("examples/prototypes", model, X, task="regression", rows=100, prototypes=3, criticisms=2)
    assert artifact.table["role"].to_pylist() == ["prototype"] * 3 + ["criticism"] * 2
    assert artifact.table["rank"].to_pylist() == [1, 2, 3, 1, 2]
    assert artifact.spec["rows"]["count"] == 100
    assert artifact.spec["rows"]["sampled_from"] == 300
    assert artifact.spec["mmd"] == sorted(artifact.spec["mmd"], reverse=True)
    assert artifact.table["prediction"].to_pylist() == model(X.iloc[artifact.table["example"].to_pylist()]).tolist()


def test_no_neighbour_is_kept_where_the_policy_keeps_no_rows(cancer):
    (A, a), (X, y) = cancer
    names = ["examples/representative", "examples/similar", "examples/influence", "examples/prototypes"]
    policy = {"require": {"artifacts": names}, "privacy": {"rows": "omit"}}
    snapshot = sc.explain(RandomForestClassifier(10, random_state=0).fit(A, a), X, y, train=(A, a), policy=policy)
    assert {name: str(snapshot.statuses[name].state) for name in names[1:]} == {
        "examples/similar": "not-applicable",
        "examples/influence": "not-applicable",
        "examples/prototypes": "ok",
    }
    assert "label" not in snapshot["examples/prototypes"].table.column_names
