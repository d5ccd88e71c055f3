import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.inspection import partial_dependence

import showcause as sc
from showcause import NotApplicable, ParameterError

rng = np.random.default_rng(0)
X = rng.integers(0, 5, (200, 3)).astype(float)
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])


def values(artifact, **where):
    return [row for row in artifact.table.to_pylist() if all(row[k] == v for k, v in where.items())]


def product(rows):
    rows = np.asarray(rows, dtype=float)
    return rows[:, 0] * rows[:, 1] + rows[:, 2]


def test_a_known_function():
    found = sc.compute("dependence/surface", product, FRAME, task="regression", pairs=[["a", "b"]])
    mean = FRAME["c"].mean()
    assert all(abs(row["value"] - (row["at"] * row["at_b"] + mean)) < 1e-12 for row in found.table.to_pylist())
    assert len(found.table) == 25


def test_support_counts_rows_at_both_places():
    found = sc.compute("dependence/surface", product, FRAME, task="regression", pairs=[["a", "b"]])
    expected = [int(((FRAME["a"] == row["at"]) & (FRAME["b"] == row["at_b"])).sum()) for row in found.table.to_pylist()]
    assert found.table["support"].to_pylist() == expected
    assert sum(expected) == 200


@pytest.mark.parametrize("points", [5, 3])
def test_equal_to_scikit_learn_and_the_forest_to_the_model(points):
    model = RandomForestClassifier(30, random_state=0).fit(X, product(X) > 6)
    found = sc.compute("dependence/surface", model, FRAME.to_numpy(), pairs=[["x0", "x1"]], points=points)
    grids = [sorted({row[name] for row in found.table.to_pylist()}) for name in ("at", "at_b")]
    theirs = partial_dependence(model, X, [0, 1], custom_values=dict(enumerate(grids)), method="brute")["average"][0]
    mine = np.array(found.table["value"].to_pylist()).reshape(theirs.shape)
    np.testing.assert_allclose(mine, theirs, atol=1e-9)


def test_missing_values_and_categories_are_places():
    frame = FRAME.assign(kind=np.where(X[:, 0] > 2, "high", "low"), b=FRAME["b"].where(FRAME["b"] > 0))
    coded = frame.assign(kind=frame["kind"].astype("category"))
    model = HistGradientBoostingRegressor(max_iter=20, categorical_features="from_dtype").fit(coded, product(X))
    found = sc.compute("dependence/surface", model, coded, pairs=[["kind", "b"]])
    rows = found.table.to_pylist()
    assert {row["at_level"] for row in rows} == {"high", "low"}
    missing = values(found, at_level="low", at_b=None)
    asked = model.predict(coded.assign(kind=pd.Categorical(["low"] * 200, ["high", "low"]), b=np.nan)).mean()
    assert missing[0]["value"] == pytest.approx(asked, abs=1e-9)
    assert missing[0]["support"] == int(((X[:, 0] <= 2) & frame["b"].isna()).sum())


def test_pairs_that_are_none_are_refused():
    with pytest.raises(ParameterError, match="no such feature"):
        sc.compute("dependence/surface", product, FRAME, task="regression", pairs=[["a", "z"]])
    with pytest.raises(ParameterError, match="two different columns"):
        sc.compute("dependence/surface", product, FRAME, task="regression", pairs=[["a", "a"]])
    with pytest.raises(NotApplicable):
        sc.compute("dependence/surface", lambda rows: np.asarray(rows)[:, 0], FRAME[["a"]], task="regression")


def test_the_pairs_that_act_together_most_come_first():
    snapshot = sc.explain(product, FRAME, product(X), task="regression", version="1")
    found = snapshot["dependence/surface"]
    first = found.table.to_pylist()[0]
    assert {first["feature"], first["feature_b"]} == {"a", "b"}
