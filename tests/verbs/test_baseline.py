"""A new model explained on the rows and background of an older snapshot."""

from functools import cache

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import showcause as sc
from showcause.adapters.frame import Frame
from showcause.adapters.stored import restored, stored
from tests.data import loans

POLICY = {
    "require": {
        "artifacts": [
            *("data/rows", "data/background", "importance/permutation", "importance/shap", "attribution/tree_shap"),
            *("dependence/ale", "model/performance", "segments/performance", "refits/importance"),
        ]
    }
}
OMIT = {**POLICY, "privacy": {"rows": "omit"}}


def fitted(rows, labels, depth=3):
    encode = make_column_transformer((OneHotEncoder(), ["race"]), remainder="passthrough")
    return make_pipeline(encode, DecisionTreeClassifier(max_depth=depth, random_state=0)).fit(rows, labels)


@cache
def parts():
    frame, approved = loans()
    labels = np.where(approved == 1, "approved", "rejected")
    return [(frame[a:b].reset_index(drop=True), labels[a:b]) for a, b in ((0, 1000), (1000, 1300), (1300, 1600))]


def version(number, depth=3, policy=POLICY, **options):
    """Version 1 or 2: trained on the same rows plus all but the first hundred of those that version 1 explains."""
    train, one, two = parts()
    if number == 2:
        train = (pd.concat([train[0], one[0][100:]], ignore_index=True), np.concatenate([train[1], one[1][100:]]))
    test = one if number == 1 else two
    return sc.explain(fitted(*train, depth), *test, train=train, segments=["race"], policy=policy, **options)


@cache
def both():
    one = version(1)
    return one, version(2, 4, baseline=one)


def test_the_model_is_explained_on_the_baselines_rows_and_background_too():
    one, two = both()
    assert two.complete
    for name in ("importance/permutation", "dependence/ale", "importance/shap", "segments/performance"):
        old, new = one[name], two[f"baseline/{name}"]
        assert old.spec["rows"]["digest"] == new.spec["rows"]["digest"] != two[name].spec["rows"]["digest"]
        assert old.spec["method"] == new.spec["method"] == name
    behind = [a.spec["background"]["digest"] for a in (one["importance/shap"], two["baseline/importance/shap"])]
    assert behind[0] == behind[1] != two["importance/shap"].spec["background"]["digest"]


def test_its_artifacts_equal_those_of_the_rows_given_by_hand():
    _, two = both()
    train, rows, _ = parts()
    whole = (pd.concat([train[0], rows[0][100:]], ignore_index=True), np.concatenate([train[1], rows[1][100:]]))
    hand = sc.compute("importance/permutation", fitted(*whole, 4), *rows)
    assert two["baseline/importance/permutation"].table.equals(hand.table)


def test_it_is_said_how_many_of_those_rows_the_model_was_trained_on():
    _, two = both()
    train, rows, _ = parts()
    keys = set(map(tuple, pd.concat([train[0], rows[0][100:]]).to_numpy().tolist()))
    expected = sum(tuple(row) in keys for row in rows[0].to_numpy().tolist())
    assert 200 <= expected < 300
    assert two.manifest.data["baseline"]["trained_on"] == expected
    assert f"trained on {expected}" in two.statuses["input/baseline"].reason
    assert two.manifest.data["baseline"]["manifest"] == both()[0].id


def test_a_baseline_changes_no_other_artifact():
    alone = version(2, 4)
    _, two = both()
    assert set(alone.manifest.artifacts.items()) < set(two.manifest.artifacts.items())
    assert alone.statuses["input/baseline"].state == "not-given"


def test_the_same_rows_are_not_explained_twice():
    one, _ = both()
    again = version(1, 5, baseline=one)
    assert not [name for name in again if name.startswith("baseline/")]
    assert "same rows" in again.statuses["input/baseline"].reason


def test_a_panel_is_explained_on_the_baselines_rows_without_training_again(tmp_path):
    one = version(1, refits=2, name="credit", store=tmp_path / "s")
    two = version(2, refits=2, name="credit", store=tmp_path / "s", baseline="credit@latest")
    old, new = one["refits/importance"], two["baseline/refits/importance"]
    assert old.spec["rows"] == new.spec["rows"]
    assert two.record.configuration["baseline"] == "credit/1"
    assert version(2, refits=2, baseline=one).id == two.id
    assert sc.verify(tmp_path / "s") == []


def test_where_rows_are_omitted_a_reference_checked_by_digest_stands_in():
    one = version(1, policy=OMIT)
    assert "data/rows" not in one
    lost = version(2, policy=OMIT, baseline=one)
    assert (lost.statuses["input/baseline"].state, lost.statuses["input/baseline"].code) == (
        "failed",
        "no-baseline-rows",
    )
    assert "reference=" in lost.statuses["input/baseline"].reason
    rows = parts()[1]
    two = version(2, 4, policy=OMIT, baseline=one, reference=rows)
    assert (
        two["baseline/importance/permutation"].spec["rows"]["digest"]
        == one["importance/permutation"].spec["rows"]["digest"]
    )
    assert two.statuses["baseline/importance/shap"].state == "not-applicable"
    assert both()[1]["baseline/importance/permutation"].table.equals(two["baseline/importance/permutation"].table)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda X, y: (X.assign(income=X["income"] + 1), y), r"columns \['income'\] are not those"),
        (lambda X, y: (X[:-1], y[:-1]), "299 rows, and the baseline explains 300"),
        (lambda X, y: (X, np.where(y == "approved", "rejected", "approved")), "labels are not those"),
    ],
)
def test_a_reference_of_other_rows_is_refused(change, complaint):
    one, _ = both()
    with pytest.raises(sc.DataError, match=complaint):
        version(2, baseline=one, reference=change(*parts()[1]))


def test_a_column_that_the_baseline_lacks_is_asked_for_and_may_come_with_the_reference():
    one, _ = both()
    train, rows, two = ((X.assign(score=X["income"] * 2), y) for X, y in parts())
    model = fitted(*train)
    options = {"train": train, "policy": POLICY, "baseline": one}
    lost = sc.explain(model, *two, **options).statuses["input/baseline"]
    assert (lost.state, "lack the model's columns ['score']" in lost.reason) == ("failed", True)
    found = sc.explain(model, *two, **options, reference=rows)
    assert "score" in found["baseline/importance/permutation"].to_pandas()["feature"].tolist()
    with pytest.raises(sc.ParameterError, match="say which by baseline="):
        sc.explain(model, *two, policy=POLICY, reference=rows)


def odd_columns():
    days = pd.to_datetime(["2024-01-31", None, "1969-07-20"])
    return pd.DataFrame(
        {
            "number": [1.5, np.nan, -0.0],
            "whole": [1, 2, 3],
            "small": np.array([1, 2, 3], dtype=np.int8),
            "huge": [2**60, 1, -(2**62)],
            "yes": [True, False, True],
            "text": ["a", None, "ü\n"],
            "level": pd.Categorical(["low", None, "high"], categories=["low", "high"], ordered=True),
            "day": days,
            "moment": days + pd.Timedelta(nanoseconds=1),
            "span": pd.to_timedelta([1, None, 3], unit="h"),
            "row": [7.0, 8.0, 9.0],
            "note": [1, 0, 1],
        }
    )


@pytest.mark.parametrize("form", [lambda f: f, pl.from_pandas, pa.Table.from_pandas])
def test_stored_and_restored_columns_have_the_same_digests(form):
    given = Frame.of(form(odd_columns().drop(columns="level")))
    back = restored({name: stored(given, name) for name in given.names}, given)
    assert [back.digest(name) for name in given.names] == [given.digest(name) for name in given.names]
    assert type(back.native) is type(given.native)


def test_categories_and_arrays_come_back_too():
    frame = Frame.of(odd_columns()[["level", "number"]])
    back = restored({name: stored(frame, name) for name in frame.names}, frame)
    assert back.native.dtypes.tolist() == frame.native.dtypes.tolist()
    for array in (np.array([[1.0, np.nan], [2, 3]]), np.array([["a", 1], [None, 2]], dtype=object)):
        given = Frame.of(array)
        back = restored({name: stored(given, name) for name in given.names}, given)
        assert [back.digest(n) for n in given.names] == [given.digest(n) for n in given.names]


def test_features_named_as_the_tables_own_columns_are_stored_too():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 3)), columns=["row", "note", "segment"])
    y = (X["row"] > 0).astype(int)
    snapshot = sc.explain(LogisticRegression().fit(X, y), X, y, policy={"require": {"artifacts": ["data/rows"]}})
    table = snapshot["data/rows"].to_pandas()
    assert table["x.row"].tolist() == X["row"].tolist()
    assert table["y"].tolist() == [str(label) for label in y]


def test_above_the_cap_rows_are_known_by_their_digests_alone():
    X = np.zeros((30, 2))
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(np.eye(2), [0, 1])
    with pytest.raises(sc.NotApplicable, match="60 cells are more than the 50"):
        sc.compute("data/rows", model, X, cells=50)
