import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

import showcause as sc


def test_of_an_additive_function_it_is_each_part_less_its_mean():
    X = np.random.default_rng(0).integers(0, 4, (200, 2)).astype(float)
    function = lambda rows: rows[:, 0] ** 2 + 5 * rows[:, 1]  # noqa: E731
    found = sc.compute("dependence/shap", function, X, background=X, task="regression").to_pandas()
    part = found[found["feature"] == "x0"]
    assert part["at"].tolist() == [0, 1, 2, 3]
    assert part["value"].to_numpy() == pytest.approx(np.array([0, 1, 4, 9]) - (X[:, 0] ** 2).mean())
    assert part["error"].to_numpy() == pytest.approx(np.zeros(4), abs=1e-12)
    assert part["support"].tolist() == np.bincount(X[:, 0].astype(int)).tolist()


def test_interactions_spread_the_examples_of_a_bin():
    X = np.random.default_rng(0).choice([-1.0, 1.0], (400, 2))
    found = sc.compute("dependence/shap", lambda r: r[:, 0] * r[:, 1], X, background=X, task="regression").to_pandas()
    part = found[found["feature"] == "x0"].iloc[0]
    assert part["value"] == pytest.approx(0, abs=0.15)
    assert part["error"] == pytest.approx(0.5 / np.sqrt(part["support"]), rel=0.1)


def test_many_values_are_cut_into_bands_at_their_means():
    X = np.random.default_rng(0).normal(size=(300, 1))
    found = sc.compute("dependence/shap", lambda r: 2 * r[:, 0], X, background=X, task="regression").to_pandas()
    assert len(found) == 20
    assert found["support"].sum() == 300
    assert found["value"].to_numpy() == pytest.approx(2 * (found["at"].to_numpy() - X.mean()))


def test_levels_missing_values_and_days():
    X = pd.DataFrame(
        {
            "town": ["a", "b", None, "a"] * 10,
            "day": pd.to_datetime(["1970-01-02", "1970-01-03", "1970-01-03", None] * 10),
        }
    )
    function = lambda rows: (rows["town"] == "a") * 1.0 + rows["day"].isna() * 3.0  # noqa: E731
    found = sc.compute("dependence/shap", function, X, task="regression").to_pandas()
    town, day = found[found["feature"] == "town"], found[found["feature"] == "day"]
    assert [None if pd.isna(v) else v for v in town["at_level"]] == ["a", "b", None]
    assert town["value"].to_numpy() == pytest.approx([0.5, -0.5, -0.5])
    assert day["at"].tolist()[:2] == [1, 2]
    assert day["value"].to_numpy() == pytest.approx([-0.75, -0.75, 2.25])
    assert day["support"].tolist() == [10, 20, 10]


def test_every_class_has_a_curve_and_the_source_is_told():
    X, y = load_iris(return_X_y=True)
    model = RandomForestClassifier(10, random_state=0).fit(X, y)
    found = sc.compute("dependence/shap", model, X, features=["x3"], levels=5)
    assert set(found.table["target"].to_pylist()) == {"0", "1", "2"}
    assert found.spec["attribution"].startswith("attribution/")
    assert found.spec["background"]["count"] > 0
    assert found.digest == sc.compute("dependence/shap", model, X, features=["x3"], levels=5).digest
