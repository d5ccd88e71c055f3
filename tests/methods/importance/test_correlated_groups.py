from functools import partial

import numpy as np
import pandas as pd
import pytest

import showcause as sc
from showcause.core.errors import NotApplicable, ParameterError


def twins(rows=1_500):
    """x and its copy, a category that names the sign of z, and z."""
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=rows), rng.normal(size=rows)
    return pd.DataFrame({"x": x, "copy": x + 0.01 * rng.normal(size=rows), "w": rng.normal(size=rows), "z": z})


def mean_of_both(rows):
    return (rows["x"] + rows["copy"]) / 2 * 4 + rows["z"]


def values(artifact):
    table = artifact.to_pandas()
    return {(f, g): v for f, g, v in zip(table["feature"], table["group"], table["value"], strict=True)}


def test_a_group_is_shuffled_together_and_stands_above_its_members():
    X = twins()
    found = sc.compute("importance/correlated_groups", mean_of_both, X, mean_of_both(X), task="regression")
    table = found.to_pandas()
    assert table["feature"].tolist()[0] == "x + copy"
    assert set(table["feature"]) == {"x + copy", "x", "copy"}
    assert set(table["group"]) == {"x + copy"}
    # together the coefficient is 4, alone 2: 2 · 16 against 2 · 4
    assert values(found)["x + copy", "x + copy"] == pytest.approx(32, rel=0.15)
    assert values(found)["x", "x + copy"] == pytest.approx(8, rel=0.15)
    assert found.spec["groups"][0]["members"] == ["x", "copy"]
    assert "takes what they know from several of them" in found.spec["notes"][0]


def test_members_agree_with_permutation_importance_to_the_last_bit():
    X = twins(300)
    y = mean_of_both(X) + 1
    groups = values(sc.compute("importance/correlated_groups", mean_of_both, X, y, task="regression"))
    alone = sc.compute("importance/permutation", mean_of_both, X, y, task="regression").to_pandas()
    assert groups["x", "x + copy"] == alone.set_index("feature").loc["x", "value"]


def test_a_category_and_a_number_can_be_a_group():
    X = twins()[["w", "z"]]
    X["sign"] = pd.Categorical(np.where(X["z"] > 0, "plus", "minus"))
    model = lambda rows: rows["z"] + (rows["sign"] == "plus")  # noqa: E731
    found = sc.compute("importance/correlated_groups", model, X, model(X), task="regression")
    assert found.spec["groups"][0]["members"] == ["z", "sign"]
    assert found.spec["groups"][0]["least_association"] == pytest.approx(np.sqrt(3) / 2, abs=0.02)


def test_without_a_pair_above_the_threshold_the_closest_is_named():
    X = twins()
    call = partial(sc.compute, "importance/correlated_groups", mean_of_both, X, mean_of_both(X), task="regression")
    with pytest.raises(NotApplicable, match=r"closest are x and copy at 1\.00"):
        call(association=1)
    with pytest.raises(ParameterError):
        call(association=1.5)


def test_many_columns_within_the_budget():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(400, 250))
    X = np.hstack([base, base + 0.1 * rng.normal(size=base.shape)])
    y = X[:, 0] + X[:, 250]
    found = sc.compute(
        "importance/correlated_groups", lambda r: r[:, 0] + r[:, 250], X, y, task="regression", predictions=300_000
    )
    assert found.table.num_rows == 750
    assert found.table["feature"][0].as_py() == "x0 + x250"
    assert found.spec["rows"]["count"] * found.spec["repeats"] * 750 <= 300_000


def test_a_group_of_which_the_model_uses_one_column_is_not_said_to_share():
    X = twins()
    model = lambda rows: rows["x"] + 0.01 * rows["copy"]  # noqa: E731
    found = sc.compute("importance/correlated_groups", model, X, model(X), task="regression")
    group, *members = values(found).values()
    assert group > sum(members)  # by 4 · 1 · 0.01, the variance being 1
    assert found.spec["notes"] == []
