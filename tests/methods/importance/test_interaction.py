from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import showcause as sc
from showcause import NotApplicable

rng = np.random.default_rng(0)
X = rng.integers(0, 4, (60, 3)).astype(float)


def index_by_enumeration(value, i, j, p):
    """The Shapley interaction index of a pair, by definition (Grabisch & Roubens 1999)."""
    rest = [k for k in range(p) if k not in (i, j)]
    total = 0.0
    for size in range(len(rest) + 1):
        weight = factorial(size) * factorial(p - size - 2) / factorial(p - 1)
        for s in combinations(rest, size):
            total += weight * (value({*s, i, j}) - value({*s, i}) - value({*s, j}) + value({*s}))
    return total


def by_enumeration(predict, rows, behind):
    """Mean absolute interaction of each pair of columns of a table of objects."""
    p = rows.shape[1]
    found = dict.fromkeys(combinations(range(p), 2), 0.0)
    for row in rows.to_numpy():

        def value(kept, row=row):
            mixed = behind.copy()
            for k in kept:
                mixed.isetitem(k, row[k])
            return predict(mixed.astype(behind.dtypes.to_dict())).mean()

        for i, j in found:
            found[i, j] += abs(index_by_enumeration(value, i, j, p)) / len(rows)
    return found


def test_equal_to_enumeration_in_raw_columns_of_a_pipeline():
    frame = pd.DataFrame({"a": X[:, 0], "kind": np.array(list("pqrs"))[X[:, 1].astype(int)], "c": X[:, 2]})
    encode = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    model = make_pipeline(encode, RandomForestClassifier(8, max_depth=4, random_state=0))
    model.fit(frame, (X[:, 0] * X[:, 1] > 3) | (X[:, 2] == 0))
    rows, behind = frame[:4], frame[10:25]
    found = sc.compute("importance/interaction", model, rows, background=behind).table.to_pylist()
    expected = by_enumeration(lambda f: model.predict_proba(f)[:, 1], rows, behind)
    names = list(frame.columns)
    assert len(found) == 3
    for row in found:
        pair = names.index(row["feature"]), names.index(row["feature_b"])
        assert row["value"] == pytest.approx(expected[pair], abs=1e-9)


def test_an_additive_forest_has_none_and_a_product_has():
    alone = HistGradientBoostingRegressor(max_iter=30, interaction_cst="no_interactions").fit(X, X.sum(axis=1))
    found = sc.compute("importance/interaction", alone, X).table
    assert found["value"].to_pylist() == [0.0, 0.0, 0.0]
    together = HistGradientBoostingRegressor(max_iter=60, min_samples_leaf=2).fit(X, X[:, 0] * X[:, 1] + X[:, 2])
    first = sc.compute("importance/interaction", together, X, game="path-dependent", limit=1).table.to_pylist()
    assert [(row["feature"], row["feature_b"]) for row in first] == [("x0", "x1")]


def test_a_model_without_trees_does_not_apply():
    with pytest.raises(NotApplicable):
        sc.compute("importance/interaction", LinearRegression().fit(X, X[:, 0]), X)
