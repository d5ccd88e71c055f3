"""Laws that hold for every forest, and today's libraries as oracles on real models."""

import warnings

import numba
import numpy as np
import pytest
import xgboost
from sklearn.ensemble import RandomForestClassifier

from showcause.adapters.forests import read_forest
from showcause.kernels.trees import (
    counts,
    curves,
    every_ice,
    every_partial_dependence,
    interactions,
    interventional,
    joint_partial_dependence,
    masks,
    path_dependent,
    patterns,
    replaced,
    tables,
)
from tests.kernels.trees.games import random_forest, random_rows

with warnings.catch_warnings():  # its plots warn of matplotlib when they are imported
    warnings.simplefilter("ignore")
    import shap


def real(seed=0, n=700, f=12):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, f))
    X[rng.random(X.shape) < 0.05] = np.nan
    filled = np.nan_to_num(X)
    return X, (filled[:, 0] * filled[:, 1] + filled[:, 2] + 0.3 * rng.normal(size=n) > 0).astype(int)


@pytest.fixture(scope="module")
def boosted():
    X, y = real()
    return xgboost.train({"objective": "binary:logistic", "max_depth": 6}, xgboost.DMatrix(X, y), 30), X


@pytest.fixture(scope="module")
def deep():
    X, y = real(1)
    return RandomForestClassifier(8, random_state=0, max_features=3).fit(X, y), X


def everything(forest, X, B):
    donors = np.stack([np.arange(len(X))[::-1]])
    return [
        forest.predict(X),
        *path_dependent(forest, X),
        *interventional(forest, X, B),
        *interactions(forest, X[:40]),
        *interactions(forest, X[:40], B),
        every_partial_dependence(forest, X, B),
        every_partial_dependence(forest, X, B, weights=np.arange(1.0, len(X) + 1)),
        joint_partial_dependence(forest, B, X[:40]),
        replaced(forest, X, donors),
        every_ice(forest, X, B[:9]),
    ]


@pytest.mark.parametrize("model", ["boosted", "deep"])
def test_same_bytes_for_any_threads_blocks_and_runs_of_trees(model, request, monkeypatch):
    fitted, X = request.getfixturevalue(model)
    forest = read_forest(fitted)
    expected = [array.tobytes() for array in everything(forest, X[:150], X[-60:])]
    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        assert [array.tobytes() for array in everything(forest, X[:150], X[-60:])] == expected
    finally:
        numba.set_num_threads(threads)
    for module, name, value in [
        (patterns, "SLOTS_AT_ONCE", 3_000),
        (tables, "DENSE_BLOCK", 7),
        (tables, "SPARSE_BLOCK", 23),
        (tables, "BUDGET", 50_000),
        (counts, "COUNTS", 300),
        (counts, "BLOCK", 1),
        (curves, "MOST_ROWS", 9),
        (curves, "RUNS_PER_REPEAT", 9),
        (masks, "WORDS", 5_000),
    ]:
        monkeypatch.setattr(module, name, value)
    forest = read_forest(fitted)  # that has kept no tables
    assert [array.tobytes() for array in everything(forest, X[:150], X[-60:])] == expected


def test_rows_do_not_depend_on_their_company(boosted):
    forest, X = read_forest(boosted[0]), boosted[1]
    whole, _ = interventional(forest, X[:100], X[100:200])
    alone = np.concatenate([interventional(forest, X[i : i + 1], X[100:200])[0] for i in range(5)])
    assert alone.tobytes() == whole[:5].tobytes()


@pytest.mark.parametrize("model", ["boosted", "deep"])
def test_values_and_base_add_up_to_the_prediction(model, request):
    fitted, X = request.getfixturevalue(model)
    forest = read_forest(fitted)
    for phi, base in (path_dependent(forest, X), interventional(forest, X, X)):
        np.testing.assert_allclose(phi.sum(axis=1) + base, forest.predict(X), atol=1e-12)


def test_player_without_tests_gets_exactly_zero():
    forest = random_forest(0, n_features=8, depth=2, n_trees=2, categorical=())
    idle = np.setdiff1d(np.arange(8), forest.feature)
    X = random_rows(1, 30, 8, ())
    assert len(idle)
    assert (path_dependent(forest, X)[0][:, idle] == 0).all()
    assert (interventional(forest, X, X)[0][:, idle] == 0).all()
    assert (interactions(forest, X, X)[0][:, idle] == 0).all()


def test_background_rows_twice_or_with_double_weight():
    forest, X = random_forest(4, n_trees=5), random_rows(0, 20)
    B, rng = random_rows(1, 15), np.random.default_rng(0)
    once, _ = interventional(forest, X, B)
    np.testing.assert_allclose(interventional(forest, X, np.repeat(B, 3, axis=0))[0], once, atol=1e-13)
    counts = rng.integers(1, 4, 15)
    weighted, _ = interventional(forest, X, B, weights=counts)
    np.testing.assert_allclose(interventional(forest, X, np.repeat(B, counts, axis=0))[0], weighted, atol=1e-13)


def test_a_sum_of_forests_has_the_sum_of_values(boosted):
    booster, X = boosted
    whole, _ = interventional(read_forest(booster), X[:50], X[50:])
    parts = [interventional(read_forest(booster[a:b]), X[:50], X[50:])[0] for a, b in ((0, 10), (10, 30))]
    np.testing.assert_allclose(sum(parts), whole, atol=1e-12)


def test_interventional_against_shap(deep):
    model, X = deep
    X = np.nan_to_num(X)
    model = RandomForestClassifier(8, random_state=0, max_depth=7).fit(X, real(1)[1])
    masker = shap.maskers.Independent(X[:150], max_samples=150)
    theirs = shap.TreeExplainer(model, masker).shap_values(X[150:170])[:, :, 1]
    ours, _ = interventional(read_forest(model), X[150:170], X[:150])
    np.testing.assert_allclose(ours[:, :, 0], theirs, atol=1e-6)


def test_path_dependent_against_shap_on_deep_trees(deep):
    model, X = deep
    theirs = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent").shap_values(X[:20])[:, :, 1]
    ours, _ = path_dependent(read_forest(model), X[:20])
    np.testing.assert_allclose(ours[:, :, 0], theirs, atol=1e-6)


def test_interactions_against_xgboost(boosted):
    booster, X = boosted
    theirs = booster.predict(xgboost.DMatrix(X[:50]), pred_interactions=True)[:, :-1, :-1]
    ours, _ = interactions(read_forest(booster), X[:50])
    np.testing.assert_allclose(ours[..., 0], theirs, atol=2e-4)


def test_wrong_arguments_are_named():
    forest, X = random_forest(0), random_rows(0, 5)
    with pytest.raises(ValueError, match="no rows"):
        interventional(forest, X, X[:0])
    with pytest.raises(ValueError, match="weights must be 5 numbers"):
        interventional(forest, X, X, weights=np.ones(3))
    with pytest.raises(ValueError, match="players must be 4 integers"):
        path_dependent(forest, X, players=[0, 1])
