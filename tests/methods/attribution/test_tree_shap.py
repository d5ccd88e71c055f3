import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import showcause as sc
from showcause.core.errors import NotApplicable
from tests import oracles
from tests.data import loans
from tests.peers import shap

FRAME, APPROVED = loans()
TEXT = np.where(APPROVED == 1, "approved", "rejected")
NUMBERS = FRAME.drop(columns="race")


def values(artifact, features):
    return artifact.table["value"].to_numpy().reshape(-1, features)


def piped(model):
    return make_pipeline(make_column_transformer((OneHotEncoder(), ["race"]), remainder="passthrough"), model)


def test_the_founding_case_a_string_column_through_a_pipeline():
    model = piped(RandomForestClassifier(20, max_depth=6, random_state=0)).fit(FRAME, TEXT)
    rows, background = FRAME.iloc[[3, 77]].reset_index(drop=True), FRAME.iloc[200:230].reset_index(drop=True)
    artifact = sc.compute("attribution/tree_shap", model, rows, background=background)
    for i in range(2):
        expected = oracles.shapley(lambda f: model.predict_proba(f)[:, 1], rows.iloc[[i]], background)
        np.testing.assert_allclose(values(artifact, 5)[i], np.ravel([expected[c] for c in FRAME.columns]), atol=1e-12)
    assert artifact.spec["players"] == "raw columns"
    assert artifact.spec["seen_through"] == ["Pipeline (ColumnTransformer)", "RandomForestClassifier"]


def test_a_raw_column_is_one_player_not_a_sum_over_its_encoded_columns():
    model = piped(xgboost.XGBRegressor(n_estimators=30, max_depth=4))
    model.fit(FRAME, FRAME.loan_to_value * FRAME.race.map({"white": 1, "black": -1, "hispanic": 3}))
    artifact = sc.compute("attribution/tree_shap", model, FRAME[:40], background=FRAME[100:150])
    explainer = shap.TreeExplainer(model[-1], model[0].transform(FRAME[100:150]).astype(float))
    summed = explainer(model[0].transform(FRAME[:40]).astype(float)).values[:, :3].sum(axis=1)
    found = values(artifact, 5)[:, 0]
    np.testing.assert_allclose(found, summed, rtol=0.5, atol=np.abs(found).max() / 3)
    assert np.abs(found - summed).max() > 1e-3 * np.abs(found).max()


def test_the_path_dependent_game_is_that_of_the_libraries():
    model = xgboost.XGBClassifier(n_estimators=20, max_depth=4).fit(NUMBERS, APPROVED)
    artifact = sc.compute("attribution/tree_shap", model, NUMBERS[:50], game="path-dependent")
    theirs = model.get_booster().predict(xgboost.DMatrix(NUMBERS[:50]), pred_contribs=True)
    np.testing.assert_allclose(values(artifact, 4), theirs[:, :-1], atol=1e-5)
    assert artifact.table["base"][0].as_py() == pytest.approx(theirs[0, -1], abs=1e-5)
    assert "background" not in artifact.spec
    assert (artifact.spec["space"], artifact.spec["link"]) == ("log-odds", "logistic")
    light = lightgbm.LGBMClassifier(n_estimators=20, verbose=-1).fit(NUMBERS, APPROVED)
    found = sc.compute("attribution/tree_shap", light, NUMBERS[:50], game="path-dependent")
    np.testing.assert_allclose(values(found, 4), light.predict(NUMBERS[:50], pred_contrib=True)[:, :-1], atol=1e-9)


def test_the_interventional_game_is_that_of_shap():
    model = RandomForestClassifier(15, max_depth=6, random_state=0).fit(NUMBERS, APPROVED)
    artifact = sc.compute("attribution/tree_shap", model, NUMBERS[:30], background=NUMBERS[100:180])
    expected = shap.TreeExplainer(model, NUMBERS[100:180], model_output="probability").shap_values(NUMBERS[:30])
    np.testing.assert_allclose(values(artifact, 4), expected[:, :, 1], atol=1e-7)


def test_three_classes_have_a_row_each_and_add_up():
    labels = np.array(["high", "low", "mid"])[np.digitize(FRAME.income, [3000, 6000])]
    model = piped(lightgbm.LGBMClassifier(n_estimators=6, verbose=-1)).fit(FRAME, labels)
    artifact = sc.compute("attribution/tree_shap", model, FRAME[:20])
    table = artifact.to_pandas()
    assert table.target.tolist()[:11] == ["high"] * 5 + ["low"] * 5 + ["mid"]
    total = table.groupby(["example", "target"]).agg(
        value=("value", "sum"), base=("base", "first"), prediction=("prediction", "first")
    )
    np.testing.assert_allclose(total.value + total.base, total.prediction, atol=1e-9)
    margins = total.prediction.to_numpy().reshape(-1, 3)
    shares = np.exp(margins) / np.exp(margins).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, model.predict_proba(FRAME[:20]), atol=1e-9)


def test_gaps_are_explained_with_the_direction_that_the_model_learned():
    rows = NUMBERS.mask(np.random.default_rng(0).random(NUMBERS.shape) < 0.2)
    model = HistGradientBoostingRegressor(max_iter=10, random_state=0).fit(rows, FRAME.income)
    picked, background = rows.iloc[[0, 4]].reset_index(drop=True), rows.iloc[50:70].reset_index(drop=True)
    artifact = sc.compute("attribution/tree_shap", model, picked, background=background)
    for i in range(2):
        expected = oracles.shapley(model.predict, picked.iloc[[i]], background)
        np.testing.assert_allclose(
            values(artifact, 4)[i], np.ravel([expected[c] for c in rows.columns]), rtol=1e-9, atol=1e-6
        )


def test_it_agrees_with_the_model_agnostic_way_in_the_same_space():
    model = piped(RandomForestClassifier(10, max_depth=5, random_state=0)).fit(FRAME, APPROVED)
    exact, tree = (
        sc.compute(f"attribution/{name}", model, FRAME[:8], background=FRAME[50:80])
        for name in ("shapley", "tree_shap")
    )
    np.testing.assert_allclose(values(exact, 5), values(tree, 5), atol=1e-12)
    assert exact.table["prediction"].to_pylist() == pytest.approx(tree.table["prediction"].to_pylist())


def test_caps_are_kept_and_told_and_examples_are_among_the_rows():
    model = RandomForestClassifier(5, max_depth=3, random_state=0).fit(NUMBERS, APPROVED)
    artifact = sc.compute("attribution/tree_shap", model, NUMBERS, max_rows=500, max_cells=400)
    assert artifact.spec["rows"]["count"] == 100
    assert artifact.spec["rows"]["sampled_from"] == len(NUMBERS)
    snapshot = sc.explain(
        model, NUMBERS[:900], APPROVED[:900], policy={"methods": {"attribution/tree_shap": {"max_rows": 60}}}
    )
    shown = set(snapshot["attribution/tree_shap"].table["example"].to_pylist())
    assert len(shown) == 60
    assert set(snapshot["examples/representative"].table["example"].to_pylist()) <= shown


def test_ids_are_carried():
    model = RandomForestClassifier(5, max_depth=3, random_state=0).fit(NUMBERS, APPROVED)
    snapshot = sc.explain(model, NUMBERS[:30], APPROVED[:30], ids=[f"case {i}" for i in range(30)])
    assert snapshot["attribution/tree_shap"].table["id"].to_pylist()[:5] == ["case 0"] * 4 + ["case 1"]


def test_what_has_no_trees_is_told_to_go_the_other_way():
    model = piped(LogisticRegression(max_iter=3000)).fit(FRAME, APPROVED)
    with pytest.raises(NotApplicable, match="LogisticRegression is not a tree ensemble"):
        sc.compute("attribution/tree_shap", model, FRAME[:5])


def test_the_same_call_twice_gives_the_same_bytes():
    model = xgboost.XGBClassifier(n_estimators=20).fit(NUMBERS, APPROVED)
    first, second = (sc.compute("attribution/tree_shap", model, NUMBERS[:300]) for _ in range(2))
    assert first.digest == second.digest
    assert isinstance(first.to_pandas(), pd.DataFrame)
