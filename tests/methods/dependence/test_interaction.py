from itertools import product

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

import showcause as sc
from showcause.core.errors import NotApplicable, ParameterError


def signs(rows=64):
    """Every combination of three signs, equally often."""
    return np.array(list(product([-1.0, 1.0], repeat=3)) * (rows // 8))


def test_a_product_is_all_interaction_and_stands_first():
    X = np.array(list(product([-1.0, 0.0, 1.0], repeat=3)))
    found = sc.compute("dependence/interaction", lambda r: r[:, 0] * r[:, 1] + r[:, 2], X, task="regression")
    table = found.to_pandas()
    assert table[["feature", "feature_b"]].iloc[0].tolist() == ["x0", "x1"]
    assert table["value"].iloc[0] == pytest.approx(2 / 3)
    assert table["h2"].iloc[0] == pytest.approx(1)
    assert table["value"].iloc[1:].tolist() == [0, 0]


def test_beside_main_effects_h2_is_the_share_of_variance():
    function = lambda r: 2 * r[:, 0] + r[:, 1] + 3 * r[:, 0] * r[:, 1]  # noqa: E731
    table = sc.compute("dependence/interaction", function, signs(), task="regression", rows=None).to_pandas()
    assert table["h2"].iloc[0] == pytest.approx(9 / 14)
    assert table["value"].iloc[0] == pytest.approx(3)


def test_a_pair_that_moves_nothing_has_no_share_and_says_why():
    table = sc.compute("dependence/interaction", lambda r: r[:, 0], signs(60), task="regression").to_pandas()
    lone = table[(table["feature"] == "x1") & (table["feature_b"] == "x2")].iloc[0]
    assert lone["value"] == 0
    assert np.isnan(lone["h2"])
    assert "neither feature" in lone["note"]


def test_categories_and_gaps_interact_too():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"kind": rng.choice(["a", "b"], 200), "size": np.where(rng.random(200) < 0.3, np.nan, 1.0)})
    function = lambda r: ((r["kind"] == "a") & r["size"].isna()) * 1.0  # noqa: E731
    found = sc.compute("dependence/interaction", function, X, task="regression", rows=None).to_pandas()
    p, q = (X["kind"] == "a").mean(), X["size"].isna().mean()
    assert found["value"].iloc[0] == pytest.approx(np.sqrt(p * (1 - p) * q * (1 - q)), abs=0.02)


def test_every_class_has_its_pairs_and_the_caps_are_stated():
    X, y = load_iris(return_X_y=True)
    model = RandomForestClassifier(5, random_state=0).fit(X, y)
    found = sc.compute("dependence/interaction", model, X, limit=3, rows=20)
    assert found.table.num_rows == 9
    assert set(found.table["target"].to_pylist()) == {"0", "1", "2"}
    assert found.spec["cap"] == {"features": 3, "of": 4, "pairs": 3, "of_pairs": 6}
    assert found.spec["rows"]["sampled_from"] == 150


def test_what_cannot_be_a_pair_is_said():
    X = signs(16)
    with pytest.raises(NotApplicable, match="single feature"):
        sc.compute("dependence/interaction", lambda r: r[:, 0], X[:, :1], task="regression")
    with pytest.raises(NotApplicable, match="one was chosen"):
        sc.compute("dependence/interaction", lambda r: r[:, 0], X, task="regression", features=["x0"])
    with pytest.raises(NotApplicable, match="single row"):
        sc.compute("dependence/interaction", lambda r: r[:, 0], X[:1], task="regression")
    with pytest.raises(ParameterError):
        sc.compute("dependence/interaction", lambda r: r[:, 0], X, task="regression", rows=1)
