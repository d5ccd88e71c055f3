"""Importance and dependence of a few rows of every type: an artifact of its kind, or the reason why there is none."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import showcause as sc
from showcause.core.errors import NotApplicable

NEED_TWO_ROWS = {"importance/permutation", "importance/correlated_groups", "dependence/interaction"}
METHODS = [*sorted(NEED_TWO_ROWS), "importance/shap", *(f"dependence/{name}" for name in ("ale", "ice", "pdp", "shap"))]


def mixed(rows):
    rng = np.random.default_rng(rows)
    return pd.DataFrame(
        {
            "number": rng.normal(size=rows),
            "twin": np.arange(rows) * 2,
            "place": np.arange(rows) * 1.0,
            "text": rng.choice(["a", "🙂", "<b>"], rows),
            "kind": pd.Categorical(rng.choice(list("xyz"), rows), list("zyxw"), ordered=True),
            "flag": rng.random(rows) < 0.5,
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 9, rows), "D"),
            "constant": 1.0,
            "empty": np.nan,
            "gaps": np.where(np.arange(rows) % 2, np.nan, rng.normal(size=rows)),
        }
    )


def three_classes(rows):
    frame = rows if isinstance(rows, pd.DataFrame) else rows.to_pandas()
    height = (frame["number"] + frame["place"] * frame["flag"] + frame["gaps"].isna()).to_numpy(float)
    parts = np.exp(np.column_stack([height, -height, 0 * height]) / 10)
    return parts / parts.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("rows", [1, 2, 12])
def test_every_method_answers_or_says_why_not(rows):
    X, y = mixed(rows), np.arange(rows) % 3
    refused = set()
    for name in METHODS:
        for data in (X, pl.from_pandas(X)):
            try:
                found = sc.compute(name, three_classes, data, y, task="classification")
            except NotApplicable:
                refused.add(name)
                continue
            assert found.table.num_rows > 0
            assert set(found.table["feature"].to_pylist()) & set(X.columns)
    assert refused == (NEED_TWO_ROWS if rows == 1 else {"importance/correlated_groups"} if rows == 2 else set())
