from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import xgboost
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import showcause as sc
from showcause.adapters.dataset import dataset
from showcause.core.artifact import Artifact
from showcause.core.errors import NotApplicable
from showcause.core.kinds import build
from showcause.methods import named
from showcause.methods.method import Job, run
from showcause.verbs.compute import read_model
from tests.data import loans

FRAME, APPROVED = loans()
NUMBERS = FRAME.drop(columns="race")


def job(model, rows=NUMBERS[:80]):
    adapted, frame = read_model(model, rows, task=None)
    return Job(adapted, dataset(adapted, frame))


def judged(name, work, **uses):
    table = run(named(f"quality/{name}"), replace(work, uses=uses))
    return {row["metric"]: row for row in table.table.to_pylist()}, table.spec


def forest():
    return RandomForestClassifier(8, max_depth=4, random_state=0).fit(NUMBERS, APPROVED)


@pytest.mark.parametrize("model", [forest, lambda: xgboost.XGBClassifier(n_estimators=9).fit(NUMBERS, APPROVED)])
def test_sound_attributions_pass(model):
    work = job(model())
    attribution = run(named("attribution/tree_shap"), work)
    for name in ("additivity", "dummy"):
        rows, spec = judged(name, work, **{"attribution/tree_shap": attribution})
        assert spec["passed"]
        assert all(row["value"] <= row["reference"] and row["note"] is None for row in rows.values())


def spoiled(artifact, column, change):
    values = change(artifact.table[column].to_numpy().copy())
    table = artifact.table.set_column(artifact.table.column_names.index(column), column, pa.array(values))
    return replace(artifact, table=table)


def first_grows(values):
    values[0] += 0.01
    return values


def test_values_that_do_not_add_up_are_found():
    work = job(forest())
    attribution = spoiled(run(named("attribution/tree_shap"), work), "value", first_grows)
    rows, spec = judged("additivity", work, **{"attribution/tree_shap": attribution})
    assert rows["additivity_max"]["value"] == pytest.approx(0.01)
    assert rows["additivity_max"]["note"] == "beyond its limit"
    assert not spec["passed"]
    assert "cannot be relied on" in spec["notes"][-1]


def test_an_explained_prediction_that_is_not_the_models_is_found():
    work = job(forest())
    attribution = run(named("attribution/tree_shap"), work)
    for column in ("base", "prediction"):
        attribution = spoiled(attribution, column, lambda values: values + 0.05)
    rows, spec = judged("additivity", work, **{"attribution/tree_shap": attribution})
    assert rows["additivity_max"]["note"] is None
    assert rows["prediction_gap"]["value"] == pytest.approx(0.05)
    assert not spec["passed"]


def test_credit_for_a_column_that_no_tree_splits_is_found():
    work = job(RandomForestClassifier(1, max_depth=1, random_state=0).fit(NUMBERS, APPROVED))
    attribution = run(named("attribution/tree_shap"), work)
    rows, spec = judged("dummy", work, **{"attribution/tree_shap": attribution})
    assert (rows["unsplit_columns"]["count"], rows["unsplit_columns"]["value"]) == (3, 0.0)
    rows, spec = judged("dummy", work, **{"attribution/tree_shap": spoiled(attribution, "value", lambda v: v + 0.001)})
    assert rows["unsplit_columns"]["note"] == "beyond its limit"
    assert not spec["passed"]


def test_the_injected_copy_is_really_injected_and_fails_where_the_model_sees_it(monkeypatch):
    work = job(LogisticRegression(max_iter=3000).fit(NUMBERS, APPROVED))
    attribution = run(named("attribution/shapley"), work, {"max_rows": 10})
    rows, spec = judged("dummy", work, **{"attribution/shapley": attribution})
    assert (rows["injected_copy"]["count"], spec["passed"]) == (8, True)

    def sees_it(model, X):
        return replace(model, raw=lambda rows: rows.iloc[:, [-1]] / 1e9, features=None)

    monkeypatch.setattr("showcause.methods.quality.dummy._ignoring", sees_it)
    rows, spec = judged("dummy", work, **{"attribution/shapley": attribution})
    assert not spec["passed"]


@pytest.mark.parametrize("exact_features", [10, 2])
def test_every_family_of_columns_can_be_injected(exact_features):
    text = sc.compute(
        "attribution/shapley",
        lambda f: (f["race"] == "white") * 1.0,
        FRAME[:20],
        task="regression",
        exact_features=exact_features,
        half_width=0.0,
    )
    adapted, frame = read_model(lambda f: (f["race"] == "white") * 1.0, FRAME[:20], task="regression")
    rows, spec = judged("dummy", Job(adapted, dataset(adapted, frame)), **{"attribution/shapley": text})
    assert rows["injected_copy"]["value"] == 0.0
    assert spec["copy_of"] == "race"


def importance(name, **values):
    columns = {"feature": list(values), "value": list(values.values())}
    return Artifact(f"importance/{name}", "importance", {}, build("importance", columns))


def agreement(shap, permutation):
    uses = {"importance/shap": shap, "importance/permutation": permutation}
    return judged("agreement", job(forest()), **uses)


def test_equal_rankings_agree():
    rows, spec = agreement(
        importance("shap", obligations=4, loan_to_value=3, income=2, bad_history=1),
        importance("permutation", obligations=0.4, loan_to_value=0.3, income=0.2, bad_history=0.1),
    )
    assert (rows["rank_correlation"]["value"], rows["top_overlap"]["value"]) == (pytest.approx(1.0), 1.0)
    assert spec["passed"]


def test_opposite_rankings_are_said_to_differ():
    rows = np.random.default_rng(0).normal(size=(60, 6))
    work = job(RandomForestClassifier(8, random_state=0).fit(rows, rows[:, 0] > 0), rows)
    up, down = ({f"x{j}": float(v) for j, v in enumerate(order)} for order in (range(6), range(6, 0, -1)))
    rows, spec = judged(
        "agreement",
        work,
        **{"importance/shap": importance("shap", **up), "importance/permutation": importance("permutation", **down)},
    )
    assert rows["rank_correlation"]["value"] == pytest.approx(-1.0)
    assert (rows["top_overlap"]["value"], rows["top_overlap"]["note"]) == (0.0, "below its limit")
    assert not spec["passed"]
    assert "rank columns differently" in spec["notes"][-2]


def test_few_columns_are_not_judged_by_their_rank():
    rows, _ = agreement(
        importance("shap", obligations=4, loan_to_value=3, income=2, bad_history=1),
        importance("permutation", obligations=4, loan_to_value=1, income=2, bad_history=3),
    )
    assert (rows["rank_correlation"]["value"], rows["rank_correlation"]["reference"]) == (pytest.approx(0.2), None)
    assert rows["rank_correlation"]["note"] is None


def test_noise_is_not_ranked():
    columns = {"feature": list(NUMBERS.columns), "value": [0.4, 0.01, 0.02, 0.03], "low": [0.3, -0.1, -0.1, -0.1]}
    noisy = Artifact("importance/permutation", "importance", {}, build("importance", columns))
    rows, _ = agreement(importance("shap", **dict(zip(NUMBERS.columns, [4, 0.3, 0.2, 0.1], strict=True))), noisy)
    assert rows["rank_correlation"]["value"] == pytest.approx(0.7746, abs=1e-4)


def test_columns_that_cannot_be_told_from_zero_are_no_leading_ones():
    rows = np.random.default_rng(0).normal(size=(60, 6))
    work = job(RandomForestClassifier(8, random_state=0).fit(rows, rows[:, 0] > 0), rows)

    def overlap(permuted):
        shap = importance("shap", **{f"x{j}": float(v) for j, v in enumerate([0, 0, 0, 0, 0, 9])})
        other = importance("permutation", **{f"x{j}": float(v) for j, v in enumerate(permuted)})
        found, _ = judged("agreement", work, **{"importance/shap": shap, "importance/permutation": other})
        return found["top_overlap"]["value"], found["top_overlap"]["count"]

    assert overlap([0, 0, 0, 0, 9, 0]) == (0.0, 1)  # not 2 of 3, for the zeros that stand first in both
    assert overlap([0, 0, 0, 0, 1, 9]) == (1.0, 1)
    assert overlap([0, 0, 0, 0, 0, 0]) == (None, 0)


def test_a_case_that_one_column_explains_agrees_with_lime_on_that_column():
    rows = np.random.default_rng(0).normal(size=(40, 10))
    options = {"task": "regression", "background": rows}
    shap, lime = (sc.compute(f"attribution/{n}", lambda r: r[:, 9], rows[:5], **options) for n in ("shapley", "lime"))
    work = job(RandomForestClassifier(4, random_state=0).fit(rows, rows[:, 0] > 0), rows)
    work = replace(work, model=replace(work.model, classes=(), labels=(), task="regression", space="target"))
    found, _ = judged("agreement", work, **{"attribution/shapley": shap, "attribution/lime": lime})
    assert (found["lime_top"]["value"], found["lime_top"]["note"]) == (1.0, None)


def test_an_importance_that_does_not_vary_has_no_rank():
    rows, _ = agreement(
        importance("shap", obligations=1, loan_to_value=1, income=1, bad_history=1),
        importance("permutation", obligations=0.1, loan_to_value=0.2, income=0.3, bad_history=0.4),
    )
    assert (rows["rank_correlation"]["value"], rows["rank_correlation"]["note"]) == (None, "one side does not vary")


def test_half_budgets_agree_with_many_coalitions_and_differ_with_few():
    def run_with(evaluations):
        rows = np.random.default_rng(0).normal(size=(40, 12))
        artifact = sc.compute(
            "attribution/shapley",
            lambda r: np.sin(r.sum(axis=1)),
            rows[:4],
            background=rows[:20],
            task="regression",
            evaluations=evaluations,
        )
        return judged("agreement", job(forest()), **{"attribution/shapley": artifact})[0]["half_budgets"]

    assert run_with(60_000)["note"] is None
    assert run_with(2_000)["note"] == "below its limit"


def curve(name, at, value):
    columns = {"feature": "income", "at": at, "value": value}
    return Artifact(f"dependence/{name}", "curve", {}, build("curve", columns))


def test_curves_that_rise_together_agree():
    shap, pdp = curve("shap", [1.0, 2, 3, 4], [0.0, 1, 2, 3]), curve("pdp", [0.0, 1.5, 3, 5], [1.0, 1.2, 1.9, 2.5])
    rows, _ = judged("agreement", job(forest()), **{"dependence/shap": shap, "dependence/pdp": pdp})
    assert rows["shap_and_pdp"]["value"] == pytest.approx(1.0)


def test_shap_and_lime_agree_on_a_linear_model_and_a_turned_sign_is_seen():
    rows = np.random.default_rng(0).normal(size=(40, 6))
    options = {"task": "regression", "background": rows}
    shap, lime = (
        sc.compute(f"attribution/{n}", lambda r: r @ np.arange(6.0), rows, **options) for n in ("shapley", "lime")
    )
    work = job(RandomForestClassifier(4, random_state=0).fit(rows, rows[:, 0] > 0), rows)
    work = replace(work, model=replace(work.model, classes=(), labels=(), task="regression", space="target"))
    found, _ = judged("agreement", work, **{"attribution/shapley": shap, "attribution/lime": lime})
    assert (found["lime_top"]["value"], found["lime_top"]["count"]) == (1.0, 40)
    turned = spoiled(lime, "value", lambda values: -values)
    found, _ = judged("agreement", work, **{"attribution/shapley": shap, "attribution/lime": turned})
    assert (found["lime_top"]["value"], found["lime_top"]["note"]) == (0.0, "below its limit")


def test_there_is_nothing_to_compare_without_two_explanations():
    with pytest.raises(NotApplicable, match="two explanations"):
        run(named("quality/agreement"), job(forest()))
