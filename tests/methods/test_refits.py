"""Panels of retrainings: what their artifacts hold, where the members come from, and what becomes of failures."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_validate
from sklearn.tree import DecisionTreeClassifier

import showcause as sc
from tests.data import loans

PANEL = ["refits/importance", "refits/dependence", "refits/performance"]
ONLY = {"require": {"artifacts": PANEL}}
ROWS = 300


@cache
def credit():
    """(fitted tree, train, test) of real mortgage decisions, numeric columns."""
    frame, approved = loans()
    frame = frame.drop(columns="race")
    train, test = (frame[:-ROWS], approved[:-ROWS]), (frame[-ROWS:].reset_index(drop=True), approved[-ROWS:])
    return DecisionTreeClassifier(max_depth=3, random_state=0).fit(*train), train, test


def explained(**options):
    model, train, test = credit()
    return sc.explain(options.pop("model", model), *test, train=train, **{"policy": ONLY, **options})


@cache
def three():
    return explained(refits=3, segments=("bad_history",), protected=("bad_history",))


def test_each_member_has_each_feature_once():
    found = three()["refits/importance"].to_pandas()
    assert sorted(set(found["refit"])) == [1, 2, 3]
    assert (
        found.groupby("refit")["feature"].apply(sorted).tolist()
        == [["bad_history", "income", "loan_to_value", "obligations"]] * 3
    )


def test_the_members_differ_and_are_near_the_model_itself():
    snapshot = three()
    assert snapshot["refits/importance"].to_pandas().groupby("feature")["value"].std().max() > 0
    areas = snapshot["refits/performance"].to_pandas().query("segment == 'all' and metric == 'roc_auc'")["value"]
    model, _, (X, y) = credit()
    assert areas.nunique() > 1
    assert areas.mean() == pytest.approx(roc_auc_score(y, model.predict_proba(X)[:, 1]), abs=0.1)


def test_a_member_equals_the_method_run_on_that_member_by_hand():
    _, train, (X, y) = credit()
    given = []

    def refit(X, y, seed):
        given.append(clone(credit()[0]).set_params(random_state=seed).fit(X, y))
        return given[-1]

    panel = explained(refits=2, refit=refit)
    hand = sc.compute("importance/permutation", given[1], X, y, repeats=3).to_pandas().set_index("feature")["value"]
    second = panel["refits/importance"].to_pandas().query("refit == 2").set_index("feature")["value"]
    assert second.to_dict() == hand.to_dict()
    curve = sc.compute("dependence/ale", given[0], X, features=["income"], levels=25).to_pandas()
    first = panel["refits/dependence"].to_pandas().query("refit == 1 and feature == 'income'")
    assert first["value"].tolist() == curve["value"].tolist()
    assert len({id(model) for model in given}) == 2
    assert len(train[0]) == len(credit()[1][0])


def test_what_is_refitted_sees_bootstrapped_rows_with_their_own_labels_and_another_seed():
    _, (X, y), _ = credit()
    labels = {tuple(row): label for row, label in zip(X.to_numpy().tolist(), y.tolist(), strict=True)}
    seen = []

    def refit(rows, answers, seed):
        seen.append((rows, seed))
        assert np.bincount(answers).tolist() == np.bincount(y).tolist()
        hits = [labels[tuple(row)] == a for row, a in zip(rows.to_numpy().tolist(), answers, strict=True)]
        assert np.mean(hits) > 0.95  # a few applicants share all four numbers
        return DecisionTreeClassifier(max_depth=2, random_state=seed).fit(rows, answers)

    explained(refits=2, refit=refit)
    assert len({seed for _, seed in seen}) == len(seen) == 2
    assert not seen[0][0].equals(seen[1][0])


def test_segments_and_fairness_are_in_the_panel():
    found = three()["refits/performance"].to_pandas()
    assert {"all", "bad_history = 0", "bad_history = 1", "bad_history"} <= set(found["segment"])
    assert "train" not in set(found["segment"])
    assert {"selection_rate", "disparate_impact", "log_loss"} <= set(found["metric"])


def test_the_spec_says_where_the_members_come_from():
    spec = three()["refits/importance"].spec
    assert spec["panel"]["source"] == "refits"
    assert (spec["panel"]["count"], spec["panel"]["members"], spec["panel"]["failed"]) == (3, [1, 2, 3], [])
    assert spec["of"]["method"] == "importance/permutation"
    assert three().statuses["input/refits"].state == "ok"


def test_without_a_panel_everything_works_and_says_so():
    snapshot = explained()
    assert snapshot.complete
    for name in PANEL:
        assert snapshot.statuses[name].state == "not-applicable"
        assert "refits=8" in snapshot.statuses[name].reason
    assert snapshot.statuses["input/refits"].state == "not-given"


def test_a_panel_changes_no_other_artifact():
    some = {"require": {"artifacts": [*PANEL, "importance/permutation", "dependence/ale", "model/performance"]}}
    with_panel, without = explained(refits=2, policy=some), explained(policy=some)
    assert set(without.manifest.artifacts.items()) < set(with_panel.manifest.artifacts.items())


def test_a_member_that_fails_is_told_and_the_others_stay():
    calls = []

    def refit(X, y, seed):
        calls.append(seed)
        if len(calls) == 2:
            raise RuntimeError("the cluster is on fire")
        return DecisionTreeClassifier(max_depth=2, random_state=seed).fit(X, y)

    snapshot = explained(refits=3, refit=refit)
    spec = snapshot["refits/importance"].spec["panel"]
    assert spec["members"] == [1, 3]
    assert spec["failed"] == [{"refit": 2, "reason": "RuntimeError: the cluster is on fire"}]
    assert "1 of 3 members of the panel failed" in str(snapshot.statuses["input/refits"])
    assert snapshot.complete
    calls.clear()
    required = explained(refits=3, refit=refit, policy={"require": {"artifacts": PANEL, "inputs": ["refits"]}})
    assert not required.complete


def test_where_all_fail_the_snapshot_is_incomplete_and_a_required_panel_must_be_whole():
    def broken(X, y, seed):
        raise RuntimeError("no")

    snapshot = explained(refits=2, refit=broken)
    assert not snapshot.complete
    assert "two are needed (1: RuntimeError: no; 2: RuntimeError: no)" in snapshot.statuses["refits/importance"].reason
    assert snapshot.statuses["input/refits"].state == "failed"


def test_ctrl_c_while_training_publishes_nothing_and_leaves_the_store_whole(tmp_path):
    def stopped(X, y, seed):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explained(refits=2, refit=stopped, name="credit", store=tmp_path / "s")
    assert [f for f in sc.verify(tmp_path / "s") if f.severity == "fail"] == []
    assert explained(refits=2, name="credit", store=tmp_path / "s").ref == "credit/1"


def test_a_stored_panel_is_reused_without_training(tmp_path):
    first = explained(refits=2, name="credit", store=tmp_path / "s")
    trained = []
    original = DecisionTreeClassifier.fit
    try:
        DecisionTreeClassifier.fit = lambda self, *a, **k: trained.append(1) or original(self, *a, **k)
        second = explained(refits=2, name="credit", store=tmp_path / "s")
        other = explained(refits=3, name="credit", store=tmp_path / "s")
    finally:
        DecisionTreeClassifier.fit = original
    assert (first.id, len(trained)) == (second.id, 3)
    assert other.id != first.id


def test_folds_of_a_cross_validation_are_a_panel_of_their_own():
    model, train, _ = credit()
    found = cross_validate(model, *train, cv=4, return_estimator=True)
    snapshot = explained(panel=found)
    spec = snapshot["refits/importance"].spec["panel"]
    assert (spec["source"], spec["members"], len(spec["models"])) == ("folds", [1, 2, 3, 4], 4)
    assert explained(panel=list(found["estimator"])).id == snapshot.id


def test_nights_are_earlier_snapshots_of_the_same_rows(tmp_path):
    whole = {"require": {"artifacts": ["importance/permutation", "dependence/ale", "model/performance", *PANEL]}}
    store = tmp_path / "s"
    for depth in (2, 3, 4):
        model = DecisionTreeClassifier(max_depth=depth, random_state=0).fit(*credit()[1])
        night = explained(model=model, name="credit", store=store, policy=whole)
    snapshot = explained(panel=["credit/1", "credit/2", "credit/3"], store=store, policy=whole)
    panel = snapshot["refits/importance"]
    assert panel.spec["panel"]["source"] == "nights"
    assert panel.spec["panel"]["snapshots"][2] == night.id
    third = panel.to_pandas().query("refit == 3").set_index("feature")["value"]
    stored = night["importance/permutation"].to_pandas().set_index("feature")["value"]
    assert third.to_dict() == stored.to_dict()


def test_nights_of_other_rows_are_refused():
    model, _, (X, y) = credit()
    policy = {"require": {"artifacts": ["importance/permutation"]}}
    nights = [sc.explain(model, rows, y, policy=policy) for rows in (X, X.assign(income=X["income"] + 1))]
    with pytest.raises(sc.ParameterError, match=r"does not explain the same rows: columns \['income'\] differ"):
        explained(panel=nights)
    with pytest.raises(sc.ParameterError, match="number or their labels differ"):
        explained(panel=[nights[0], sc.explain(model, X, 1 - y, policy=policy)])


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"refits": 1}, "from 2, as one has no spread"),
        ({"refits": True}, "whole number"),
        ({"refits": -3}, "whole number"),
        ({"refit": clone}, "say how often"),
        ({"refits": 3, "panel": [1, 2]}, "not both"),
        ({"panel": [credit()[0]]}, "needs 2 members"),
        ({"policy": {"refits": {"count": 1}}}, "at least 2"),
        ({"policy": {"refits": {"cuont": 3}}}, "did you mean 'count'"),
    ],
)
def test_what_makes_no_panel_is_refused_before_any_work(options, complaint):
    with pytest.raises(sc.InputError, match=complaint):
        explained(**options)


def test_labelled_training_rows_are_needed_and_so_is_something_to_clone():
    model, train, test = credit()
    for given in (None, train[0]):
        with pytest.raises(sc.ParameterError, match="labelled training rows"):
            sc.explain(model, *test, train=given, refits=3)
    with pytest.raises(sc.ModelError, match="give refit="):
        sc.explain(model.predict_proba, *test, train=train, task="classification", version="1", refits=3)


def test_a_callable_is_retrained_by_the_function_given():
    model, train, (X, y) = credit()

    def refit(X, y, seed):
        return LogisticRegression(max_iter=500).fit(X, y).predict_proba

    snapshot = sc.explain(
        model.predict_proba, X, y, train=train, task="classification", policy=ONLY, refits=2, refit=refit
    )
    assert snapshot["refits/importance"].spec["panel"]["by"] == "the function given as refit"


def test_a_refit_that_gives_the_model_itself_back_is_noted():
    model, _, _ = credit()
    frozen = explained(refits=2, refit=lambda X, y, seed: model)["refits/importance"].spec
    assert frozen["notes"] == ["2 of 2 members are the model itself: nothing in them was trained anew."]
    assert "notes" not in three()["refits/importance"].spec


def test_without_labels_exact_shap_stands_in_and_regressions_work():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, y > 150)
    unlabelled = sc.explain(tree, X[:60], train=(X, y > 150), refits=2, policy=ONLY)
    assert unlabelled["refits/importance"].spec["of"]["method"] == "importance/shap"
    linear = sc.explain(LinearRegression().fit(X, y), X[:60], y[:60], train=(X, y), refits=2, policy=ONLY)
    assert "r2" in set(linear["refits/performance"].to_pandas()["metric"])


def test_the_policy_may_ask_for_it():
    snapshot = explained(policy={**ONLY, "refits": {"count": 2}})
    assert snapshot["refits/importance"].spec["panel"]["count"] == 2
    assert explained(policy={**ONLY, "refits": {"count": 2}}, refits=0).statuses["refits/importance"].state != "ok"


SCRIPT = """
import showcause as sc
from lightgbm import LGBMClassifier
from tests.methods.test_refits import ONLY, credit
_, train, test = credit()
model = LGBMClassifier(n_estimators=8, n_jobs=JOBS, subsample=0.7, subsample_freq=1, random_state=1, verbose=-1)
print(sc.explain(model.fit(*train), *test, train=train, refits=2, policy=ONLY).id)
"""


def test_ids_are_equal_in_other_processes_with_other_threads_and_hash_seeds():
    root = Path(__file__).parents[2]
    ids = set()
    for jobs in (1, 2):
        env = {**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}", "PYTHONHASHSEED": str(jobs)}
        env |= {"OMP_NUM_THREADS": str(jobs)}
        command = [sys.executable, "-c", SCRIPT.replace("JOBS", str(jobs))]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        ids.add(done.stdout.strip())
    assert len(ids) == 1
