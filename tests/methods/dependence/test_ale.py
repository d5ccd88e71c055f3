from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

import showcause as sc
from showcause.methods import named
from showcause.methods.method import run
from tests.methods.jobs import job_of


def curve(artifact, feature):
    frame = artifact.to_pandas()
    return frame[frame["feature"] == feature].reset_index(drop=True)


def correlated(rows=2_000):
    rng = np.random.default_rng(0)
    x0 = rng.uniform(0, 1, rows)
    return np.column_stack([x0, x0 + 0.1 * rng.normal(size=rows)])


def test_an_additive_function_gives_back_its_parts_without_error():
    X = correlated()
    found = sc.compute("dependence/ale", lambda r: np.exp(r[:, 0]) - 3 * r[:, 1], X, task="regression")
    at, value = curve(found, "x0")["at"].to_numpy(), curve(found, "x0")["value"].to_numpy()
    assert np.diff(value) == pytest.approx(np.diff(np.exp(at)))
    assert np.interp(X[:, 0], at, value).mean() == pytest.approx(0, abs=1e-12)
    assert curve(found, "x0")["error"].to_numpy() == pytest.approx(np.zeros(33), abs=1e-12)
    assert curve(found, "x0")["support"].sum() == 2_000


def test_equals_brute_force_for_a_product_of_correlated_features():
    X = correlated(300)
    function = lambda r: r[:, 0] * r[:, 1]  # noqa: E731
    found = curve(sc.compute("dependence/ale", function, X, features=["x0"], bins=6, task="regression"), "x0")
    edges, total, slow = found["at"].to_numpy(), 0.0, [0.0]
    for low, high in pairwise(edges):
        inside = [row for row in X if low < row[0] <= high or (low == edges[0] and row[0] == low)]
        total += np.mean([high * row[1] - low * row[1] for row in inside])
        slow.append(total)
    assert len(edges) == 7
    assert np.diff(found["value"]) == pytest.approx(np.diff(slow))


@pytest.mark.filterwarnings("ignore")  # of the libraries that effector imports
def test_agrees_with_effector_on_a_smooth_function():
    import effector

    X = correlated(5_000)
    function = lambda r: np.sin(4 * r[:, 0]) * (1 + r[:, 1])  # noqa: E731
    ours = curve(sc.compute("dependence/ale", function, X, features=["x0"], bins=50, task="regression"), "x0")
    theirs = effector.ALE(X, function, nof_instances="all")
    theirs.fit(0, binning_method=effector.axis_partitioning.Fixed(nof_bins=50, min_points_per_bin=0))
    inner = ours[(ours["at"] > 0.02) & (ours["at"] < 0.98)]
    other = theirs.eval(0, inner["at"].to_numpy(), centering=False)
    gap = (inner["value"] - inner["value"].mean()) - (other - other.mean())
    assert np.abs(gap).max() < 0.02


def test_an_unused_feature_is_exactly_zero_whatever_the_batches():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_001, 3))
    weights = np.array([0.3, -0.7, 0.0])
    found = curve(sc.compute("dependence/ale", lambda r: np.tanh(r @ weights), X, task="regression"), "x2")
    assert (found["value"] == 0).all()
    assert (found["error"] == 0).all()


def test_the_intervals_cover_the_truth():
    rng = np.random.default_rng(0)
    inside = []
    function = lambda r: r[:, 0] * (1 + r[:, 1])  # noqa: E731
    for _ in range(150):
        X = rng.normal(size=(200, 2))
        found = curve(sc.compute("dependence/ale", function, X, bins=4, task="regression"), "x0")
        truth = found["at"] - np.average(X[:, 0])
        inside.append((found["low"] <= truth) & (truth <= found["high"]))
    assert 0.9 < np.mean(inside) < 0.98


def towns(rows=600):
    rng = np.random.default_rng(0)
    town = rng.choice(["a", "b", "c", "d"], rows)
    wealth = np.select([town == "a", town == "c", town == "b"], [1.0, 2.0, 3.0], 4.0) + rng.normal(size=rows) * 0.1
    return pd.DataFrame({"town": town, "wealth": wealth})


HEIGHT = {"a": 0.0, "b": 5.0, "c": 1.0, "d": 7.0}


def town_model(rows):
    return rows["town"].astype(str).map(HEIGHT).astype(float) + rows["wealth"]


def test_similar_levels_are_neighbours_and_differences_are_the_model_s():
    found = curve(sc.compute("dependence/ale", town_model, towns(), task="regression"), "town")
    order = found["at_level"].tolist()
    assert order in (["a", "c", "b", "d"], ["d", "b", "c", "a"])
    heights = [HEIGHT[level] for level in order]
    assert np.diff(found["value"]) == pytest.approx(np.diff(heights))
    assert np.average(found["value"], weights=found["support"]) == pytest.approx(0)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_declared_order_is_kept(library):
    X = towns()
    wanted = ["d", "c", "b", "a"]
    X["town"] = pd.Categorical(X["town"], wanted, ordered=True)
    if library == "polars":
        X = pl.from_pandas(X).with_columns(pl.col("town").cast(pl.String).cast(pl.Enum(wanted)))
    model = lambda rows: town_model(rows if isinstance(rows, pd.DataFrame) else rows.to_pandas())  # noqa: E731
    found = curve(sc.compute("dependence/ale", model, X, task="regression"), "town")
    assert found["at_level"].tolist() == wanted


def test_a_level_s_effect_is_the_mean_over_both_neighbours_rows():
    X = pd.DataFrame({"z": ["a", "a", "b"], "w": [1.0, 2.0, 6.0]})
    model = lambda rows: (rows["z"] == "b") * rows["w"]  # noqa: E731
    found = curve(sc.compute("dependence/ale", model, X, features=["z"], task="regression"), "z")
    assert np.diff(found["value"]) == pytest.approx([3.0])


def test_rows_without_a_value_are_left_out_and_said_so():
    X = pd.DataFrame({"debt": [np.nan, 1.0, 2.0, 3.0, np.nan], "town": ["a", None, "b", "a", "b"]})
    found = sc.compute("dependence/ale", lambda r: r["debt"].fillna(0.0) * 2, X, task="regression")
    assert np.diff(curve(found, "debt")["value"]) == pytest.approx([2, 2])
    assert found.spec["notes"] == [
        "debt: 2 rows without a value left out of the accumulated effects.",
        "town: 1 row without a value left out of the accumulated effects.",
    ]


def test_constant_and_empty_columns_say_why_there_is_no_curve():
    X = pd.DataFrame({"one": [1.0, 1.0, 1.0], "none": [np.nan] * 3, "same": ["a"] * 3, "x": [1.0, 2.0, 3.0]})
    found = sc.compute("dependence/ale", lambda r: r["x"], X, task="regression").to_pandas().set_index("feature")
    assert found.loc["one", "value"] == found.loc["same", "value"] == 0
    assert "single value" in found.loc["one", "note"]
    assert np.isnan(found.loc["none", "value"])
    assert "missing" in found.loc["none", "note"]


def test_every_class_has_a_curve_and_they_add_up_to_zero():
    X, y = load_iris(return_X_y=True)
    model = RandomForestClassifier(10, random_state=0).fit(X, y)
    table = sc.compute("dependence/ale", model, X, features=["x2"]).to_pandas()
    sums = table.groupby("at")["value"].sum().to_numpy()
    assert set(table["target"]) == {"0", "1", "2"}
    assert sums == pytest.approx(np.zeros(len(sums)), abs=1e-12)


def notes_beside_pdp(function, X):
    job = job_of(function, X)
    pdp = run(named("dependence/pdp"), job)
    return run(named("dependence/ale"), job_of(function, X, {"dependence/pdp": pdp})).spec["notes"]


def test_extrapolation_is_told_where_correlated_features_interact_and_not_elsewhere():
    X = correlated()
    assert notes_beside_pdp(lambda r: np.exp(r[:, 0]) - r[:, 1], X) == []
    notes = notes_beside_pdp(lambda r: (r[:, 0] - r[:, 1]) ** 2 * 10, X)
    assert [note.split(":")[0] for note in notes] == ["x0", "x1"]
    assert "extrapolate" in notes[0]
