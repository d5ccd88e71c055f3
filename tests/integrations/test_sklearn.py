"""The callback of scikit-learn: a fit ends with a snapshot, or says that it has none."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.callback import FitCallback, ScoringMonitor
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import showcause as sc

FEW = {"require": {"artifacts": ["importance/permutation", "model/performance"]}}
rng = np.random.default_rng(0)
X = pd.DataFrame({"income": rng.normal(50, 10, 200), "debt": rng.normal(20, 5, 200)})
y = (X["income"] - X["debt"] > 30).astype(int)
TRAIN, TEST = (X[:120], y[:120]), (X[120:], y[120:])


def pipe() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression())


def callback(**options: Any) -> Any:
    return sc.sklearn.Snapshot(*TEST, **{"name": "credit", "policy": FEW, "progress": False, **options})


def test_the_end_of_a_fit_publishes_a_snapshot_with_its_training_rows(tmp_path: Path) -> None:
    model = pipe().set_callbacks(callback(store=tmp_path / "store")).fit(*TRAIN)
    snapshot = sc.open("credit/1", store=tmp_path / "store")
    assert snapshot.complete
    assert snapshot.manifest.data["rows"]["explained"] == 80
    assert snapshot.manifest.data["train"]["rows"] == 120
    again = sc.explain(model, *TEST, train=TRAIN, policy=FEW)
    assert snapshot.id == again.id


def test_what_is_fitted_holds_no_trace_of_it() -> None:
    made = callback()
    model = pipe().set_callbacks(made).fit(*TRAIN)
    plain = pipe().fit(*TRAIN)
    assert pickle.dumps(model) == pickle.dumps(plain)
    assert not hasattr(clone(model), "_skl_callbacks")
    assert made.snapshot.manifest.model["digest"] == sc.explain(plain, X, policy=FEW).manifest.model["digest"]


def test_other_callbacks_stay() -> None:
    other = ScoringMonitor(scoring="accuracy")
    model = pipe().set_callbacks(other, callback()).fit(*TRAIN)
    assert model._skl_callbacks == [other]


def test_it_follows_the_protocol_of_scikit_learn() -> None:
    assert isinstance(callback(), FitCallback)


def test_a_search_is_explained_once_and_by_what_it_found() -> None:
    made = callback()
    search = GridSearchCV(pipe(), {"logisticregression__C": [0.1, 1.0]}, cv=2).set_callbacks(made).fit(*TRAIN)
    assert made.snapshot.complete
    best = sc.explain(search.best_estimator_, *TEST, train=TRAIN, policy=FEW)
    assert made.snapshot.manifest.model["digest"] == best.manifest.model["digest"]


def test_inside_of_another_estimator_it_says_where_to_set_it() -> None:
    search = GridSearchCV(pipe().set_callbacks(callback()), {"logisticregression__C": [0.1]}, cv=2, error_score="raise")
    with pytest.raises(sc.ModelError, match="set it on the outermost one"):
        search.fit(*TRAIN)


def test_refits_do_not_explain_themselves() -> None:
    policy = {"require": {"artifacts": ["refits/performance"]}}
    made = callback(policy=policy, refits=2)
    pipe().set_callbacks(made).fit(*TRAIN)
    assert made.snapshot.complete


def test_an_incomplete_snapshot_ends_the_fit_and_is_published(tmp_path: Path) -> None:
    lacking = {**FEW, "methods": {"model/performance": {"unknown": 1}}}
    model = pipe().set_callbacks(callback(store=tmp_path / "store", policy=lacking))
    with pytest.raises(sc.IncompleteRun, match="credit/1 is incomplete"):
        model.fit(*TRAIN)
    assert not sc.open("credit/1", store=tmp_path / "store").complete


def test_a_fit_that_fails_is_recorded_and_stays_the_users_own_error(tmp_path: Path) -> None:
    def broken(frame: Any) -> Any:
        raise ZeroDivisionError("mine")

    model = make_pipeline(FunctionTransformer(broken), LogisticRegression())
    model.set_callbacks(callback(store=tmp_path / "store"))
    with pytest.raises(ZeroDivisionError, match="mine"):
        model.fit(*TRAIN)
    status = sc.open("credit/1", store=tmp_path / "store").statuses["run"]
    assert status.reason == "the run ended with ZeroDivisionError"


def test_a_bare_forest_has_no_callbacks_and_the_run_guard_serves(tmp_path: Path) -> None:
    forest = RandomForestClassifier(5, random_state=0)
    with pytest.raises(
        sc.NotApplicable, match=r"RandomForestClassifier takes no callbacks .* showcause\.run\('credit'"
    ):
        callback().on(forest)
    with sc.run("credit", store=tmp_path / "store") as guard:
        forest.fit(*TRAIN)
        guard.explain(forest, *TEST, train=TRAIN, policy=FEW)
    assert sc.open("credit/1", store=tmp_path / "store").complete


def test_on_sets_it_where_it_can_be_set() -> None:
    made = callback()
    made.on(pipe()).fit(*TRAIN)
    assert made.snapshot.complete


def test_rows_never_slip_into_a_pickle() -> None:
    with pytest.raises(sc.NotApplicable, match="cannot be pickled before it is fitted"):
        pickle.dumps(pipe().set_callbacks(callback()))
