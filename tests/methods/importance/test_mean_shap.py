import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

import showcause as sc
from showcause.core.artifact import Artifact
from showcause.core.kinds import build
from showcause.methods import named
from showcause.methods.method import run
from tests.methods.jobs import job_of


def attributions(values, errors=None):
    """An exact artifact of (examples × features) values; x0, x1, …"""
    n, p = np.shape(values)
    columns = {
        "example": np.repeat(np.arange(n), p),
        "feature": [f"x{j}" for j in range(p)] * n,
        "value": np.ravel(values),
        "base": 0.0,
        "prediction": np.repeat(np.sum(values, axis=1), p),
    }
    if errors is not None:
        columns |= {"error": np.ravel(errors), "noise": "monte-carlo"}
    spec = {"rows": {"count": n, "digest": "d"}, "space": "log-odds", "game": "interventional", "params": {}}
    return Artifact("attribution/tree_shap", "attribution", spec, build("attribution", columns))


def summary(values, errors=None):
    job = job_of(first_two, np.eye(len(values), 2), {"attribution/tree_shap": attributions(values, errors)})
    return run(named("importance/shap"), job)


def first_two(rows):
    return rows[:, 0] + rows[:, 1]


def test_it_is_the_mean_absolute_value_with_its_standard_error_over_examples():
    found = summary([[3.0, -1.0], [-1.0, 1.0], [2.0, -1.0]])
    assert found.table["feature"].to_pylist() == ["x0", "x1"]
    assert found.table["value"].to_pylist() == [2, 1]
    assert found.table["error"].to_pylist() == pytest.approx([np.std([3, 1, 2], ddof=1) / np.sqrt(3), 0])
    assert (found.spec["space"], found.spec["game"]) == ("log-odds", "interventional")
    assert found.spec["attribution"] == "attribution/tree_shap"
    assert found.spec["rows"]["digest"] == "d"
    assert "notes" not in found.spec


def test_monte_carlo_noise_is_said_to_raise_the_value():
    found = summary([[1.0, 2.0], [1.0, 2.0]], [[0.1, 0.3], [0.1, 0.1]])
    assert found.spec["monte_carlo_bias"] == pytest.approx(np.sqrt(2 / np.pi) * 0.2)
    assert "raises a value by" in found.spec["notes"][0]


def test_what_it_needs_of_a_black_box_stays_within_a_budget_and_says_so(monkeypatch):
    monkeypatch.setattr("showcause.verbs.compute.EVALUATIONS", 40_000)
    asked = 0

    def model(rows):
        nonlocal asked
        asked += len(rows)
        return np.tanh(rows @ np.linspace(-1, 1, 14)) + rows[:, 0] * rows[:, 13]

    X = np.random.default_rng(0).normal(size=(6_000, 14))
    found = sc.compute("importance/shap", model, X, task="regression")
    assert 20_000 < asked < 50_000
    assert found.spec["rows"]["sampled_from"] == 6_000 > found.spec["rows"]["count"] >= 20


def test_of_a_linear_model_it_is_the_coefficient_times_the_mean_deviation():
    X = np.random.default_rng(0).normal(size=(300, 3))
    found = sc.compute("importance/shap", lambda rows: rows @ [2.0, -1.0, 0.0], X, task="regression").to_pandas()
    truth = np.abs(X - X.mean(0)).mean(0) * [2, 1, 0]
    assert found.set_index("feature").loc[["x0", "x1", "x2"], "value"].to_numpy() == pytest.approx(truth)
    assert found["rank_low"].tolist() == found["rank_high"].tolist() == [1, 2, 3]
    assert found["value"].iloc[2] == pytest.approx(0, abs=1e-12)


def test_every_class_has_its_own_values_in_raw_columns():
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = RandomForestClassifier(10, random_state=0).fit(X, np.array(["a", "b", "c"])[y])
    found = sc.compute("importance/shap", model, X).to_pandas()
    assert list(dict.fromkeys(found["target"])) == ["a", "b", "c"]
    assert len(found) == 12
    assert set(found["feature"]) == set(X.columns)
    assert found.groupby("target")["value"].sum().min() > 0.1


def test_one_example_has_no_error():
    found = summary([[1.0, -2.0]])
    assert found.table["value"].to_pylist() == [2, 1]
    assert pd.isna(found.to_pandas()["error"]).all()
