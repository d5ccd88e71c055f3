"""Explanations are made again from the model: whoever rewrites a store, digests and all, is found."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import showcause as sc
from showcause.core.artifact import Artifact
from showcause.core.snapshot import Status
from showcause.store.memory import MemoryStore
from showcause.store.store import publish

NAMES = [
    *("attribution/tree_shap", "dependence/ale", "dependence/pdp", "examples/representative", "importance/permutation"),
    *("importance/shap", "model/performance", "model/tree", "quality/additivity", "segments/performance"),
]
POLICY = {"require": {"artifacts": NAMES}, "data": {"label": "paid"}}


def rows(seed: int, count: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(count, 3)), columns=["income", "debt", "age"])
    frame["town"] = rng.choice(["u", "v"], count)
    frame["sex"] = rng.choice(["f", "m"], count)
    frame["paid"] = np.where(frame["income"] - frame["debt"] + rng.normal(0, 0.5, count) > 0, "yes", "no")
    return frame


FEATURES = ["income", "debt", "age", "town"]
TRAIN, TEST = rows(0), rows(1)


def fitted(seed: int = 0) -> Any:
    coded = make_column_transformer((OneHotEncoder(), ["town"]), remainder="passthrough")
    model = make_pipeline(coded, RandomForestClassifier(8, max_depth=4, random_state=seed))
    return model.fit(TRAIN[FEATURES], TRAIN["paid"])


MODEL = fitted()
WHOLE = {"model": MODEL, "data": TEST, "train": (TRAIN[FEATURES], TRAIN["paid"])}


@pytest.fixture(scope="module")
def snapshot() -> sc.Snapshot:
    return sc.explain(
        MODEL, TEST[FEATURES], TEST["paid"], train=(TRAIN[FEATURES], TRAIN["paid"]), context=TEST[["sex"]],
        segments=["sex"], policy=POLICY, store=MemoryStore(), name="credit",
    )  # fmt: skip


def forged(snapshot: sc.Snapshot, *artifacts: Artifact, **changes: Any) -> sc.Snapshot:
    """The store that an attacker has rewritten from end to end: every digest fits."""
    store, everything = MemoryStore(), {**snapshot, **{a.name: a for a in artifacts}}
    for artifact in everything.values():
        for data in artifact.objects():
            store.put(data)
    digests = {name: artifact.digest for name, artifact in everything.items()}
    manifest = replace(snapshot.manifest, **{"artifacts": digests, **changes})
    made = publish(store, manifest, "credit", lambda n, parent: replace(snapshot.record, manifest=manifest.digest))
    assert list(store.verify()) == []
    return made


def codes(found: list[sc.Finding], severity: str = "fail") -> set[tuple[str, str]]:
    return {(f.code, f.subject) for f in found if f.severity == severity}


def test_an_honest_snapshot_holds_in_every_cell(snapshot: sc.Snapshot) -> None:
    found = sc.verify(snapshot, **WHOLE, rerun=10_000)
    assert codes(found) == codes(found, "warn") == set()
    assert {f.subject for f in found if f.code == "holds"} == set(NAMES)
    assert all("within" not in f.message for f in found)


def test_a_sample_is_made_again_and_says_what_was_not_looked_at(snapshot: sc.Snapshot) -> None:
    found = sc.verify(snapshot, **WHOLE, rerun=4, seed=3)
    assert sum(f.code == "holds" for f in found) == 4
    assert sum(f.code == "not-rechecked" for f in found) == len(NAMES) - 4 - 1  # model/tree was no artifact
    assert found[-1].message.endswith("the choice's seed is 3")
    assert [f.message for f in sc.verify(snapshot, **WHOLE, rerun=4, seed=3)] == [f.message for f in found]
    drawn = {tuple(sorted(codes(sc.verify(snapshot, **WHOLE, rerun=1), "note"))) for _ in range(4)}
    assert len(drawn) > 1, "a forger must not know what is looked at"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "model/tree"])
def test_a_forged_number_is_found_in_every_artifact(snapshot: sc.Snapshot, name: str) -> None:
    artifact = snapshot[name]
    column = "value" if "value" in artifact.table.column_names else "prediction"
    values = artifact.table[column].to_pylist()
    place = next(i for i, value in enumerate(values) if value)
    values[place] += abs(values[place]) / 1000 + 1e-6
    table = artifact.table.set_column(artifact.table.column_names.index(column), column, pa.array(values, pa.float64()))
    found = sc.verify(forged(snapshot, replace(artifact, table=table)), **WHOLE, rerun=10_000)
    assert name in {subject for _, subject in codes(found) | codes(found, "warn")}


def test_on_other_libraries_a_number_holds_within_its_error(snapshot: sc.Snapshot) -> None:
    artifact = snapshot["dependence/pdp"]
    place, row = next((i, row) for i, row in enumerate(artifact.table.to_pylist()) if row["error"])
    record = replace(snapshot.record, environment={**snapshot.record.environment, "numpy": "1.0"})
    for shift, expected in ((2.0, "holds"), (4.0, "not-reproduced")):
        values = artifact.table["value"].to_pylist()
        values[place] += shift * row["error"]
        table = artifact.table.set_column(artifact.table.column_names.index("value"), "value", pa.array(values))
        made = replace(forged(snapshot, replace(artifact, table=table)), record=record)
        found = sc.verify(made, **WHOLE, rerun=10_000)
        (said,) = [f for f in found if f.subject == artifact.name]
        assert said.code == expected
        assert "numpy 1.0 then" in str(found)
        assert ("1 within error" in said.message) == (expected == "holds")


def test_a_forged_error_excuses_nothing(snapshot: sc.Snapshot) -> None:
    artifact = snapshot["importance/permutation"]
    table = artifact.table
    for column, scale in (("value", 2.0), ("error", 1e6)):
        values = pa.array([value * scale for value in table[column].to_pylist()])
        table = table.set_column(table.column_names.index(column), column, values)
    found = sc.verify(forged(snapshot, replace(artifact, table=table)), **WHOLE, rerun=10_000)
    assert ("not-reproduced", artifact.name) in codes(found)


def test_a_dropped_row_a_forged_spec_and_a_forged_blob_are_found(snapshot: sc.Snapshot) -> None:
    score, importance = snapshot["model/performance"], snapshot["importance/permutation"]
    for artifact in (
        replace(score, table=score.table.slice(1)),
        replace(score, spec={**score.spec, "rule": "always no"}),
        replace(importance, blobs={**importance.blobs, "row_loss_differences": b"x"}),
    ):
        assert ("not-reproduced", artifact.name) in codes(sc.verify(forged(snapshot, artifact), **WHOLE, rerun=10_000))


def test_an_artifact_that_was_said_not_to_apply_is_missed(snapshot: sc.Snapshot) -> None:
    name = "importance/permutation"
    statuses = {**snapshot.manifest.statuses, name: Status("not-applicable", "nothing to see")}
    artifacts = {n: d for n, d in snapshot.manifest.artifacts.items() if n != name}
    found = sc.verify(forged(snapshot, statuses=statuses, artifacts=artifacts), **WHOLE, rerun=10_000)
    assert codes(found) == {("not-reproduced", name)}


@pytest.mark.parametrize(
    ("part", "change", "code"),
    [
        ("model", {"family": "a better one"}, "other-model"),
        ("data", {"rows": {"given": 9, "explained": 9}}, "other-data"),
        ("data", {"order": ["debt", "income", "age", "town"]}, "other-data"),
        ("decision", {"threshold": 0.6}, "other-decision"),
    ],
)
def test_forged_facts_of_the_manifest_are_found(
    snapshot: sc.Snapshot, part: str, change: dict[str, Any], code: str
) -> None:
    made = forged(snapshot, **{part: {**getattr(snapshot.manifest, part), **change}})
    assert code in {code for code, _ in codes(sc.verify(made, **WHOLE))}


def test_another_model_is_found(snapshot: sc.Snapshot) -> None:
    found = sc.verify(snapshot, **{**WHOLE, "model": fitted(1)}, rerun=10_000)
    assert {("other-model", "model"), ("not-reproduced", "importance/permutation")} <= codes(found)


def test_another_model_of_the_same_behaviour_is_a_warning(snapshot: sc.Snapshot) -> None:
    from sklearn.pipeline import Pipeline

    same = Pipeline([("named otherwise", MODEL)])
    found = sc.verify(snapshot, **{**WHOLE, "model": same}, rerun=10_000)
    assert codes(found, "warn") == {("same-behaviour", "model")}
    assert codes(found) == set()


@pytest.mark.parametrize(
    ("change", "subject"),
    [
        ({"data": TEST.assign(debt=TEST["debt"].where(TEST.index != 7, 0.1))}, "columns"),
        ({"data": TEST.assign(sex=TEST["sex"].where(TEST.index != 7, "x"))}, "context"),
        ({"data": TEST.assign(paid=TEST["paid"].iloc[::-1].to_numpy())}, "labels"),
        ({"train": (TRAIN[FEATURES][:-1], TRAIN["paid"][:-1])}, "train"),
    ],
)
def test_changed_data_are_found_and_nothing_is_compared_with_them(
    snapshot: sc.Snapshot, change: dict[str, Any], subject: str
) -> None:
    found = sc.verify(snapshot, **{**WHOLE, **change})
    assert codes(found) == {("other-data", subject)}
    assert [f.subject for f in found if f.code == "not-rechecked"] == ["credit/1"]


def test_what_rests_on_missing_inputs_is_named_and_the_rest_is_still_held_to(snapshot: sc.Snapshot) -> None:
    bare = {"model": MODEL, "data": (TEST[FEATURES], TEST["paid"])}
    found = sc.verify(snapshot, **bare, rerun=10_000)
    rests = {f.subject: f.message for f in found if f.code == "not-rechecked"}
    assert set(rests) == {"attribution/tree_shap", "model/performance", "segments/performance"}
    assert "rests on what is not given here: train" in rests["attribution/tree_shap"]
    assert "context" in rests["segments/performance"]
    artifact = snapshot["importance/permutation"]
    values = pa.array([value + 1 for value in artifact.table["value"].to_pylist()])
    table = artifact.table.set_column(artifact.table.column_names.index("value"), "value", values)
    found = sc.verify(forged(snapshot, replace(artifact, table=table)), **bare, rerun=10_000)
    assert ("not-reproduced", "importance/permutation") in codes(found)


def test_rows_that_were_omitted_are_no_obstacle(snapshot: sc.Snapshot) -> None:
    made = sc.explain(
        MODEL, TEST[FEATURES], TEST["paid"], train=(TRAIN[FEATURES], TRAIN["paid"]), context=TEST[["sex"]],
        segments=["sex"], policy={**POLICY, "privacy": {"rows": "omit"}}, name="credit", store=MemoryStore(),
    )  # fmt: skip
    found = sc.verify(made, **WHOLE, rerun=10_000)
    assert codes(found) == set()
    assert sum(f.code == "holds" for f in found) == len(NAMES)


def test_regression_and_callables_are_made_again() -> None:
    X = TEST[["income", "debt"]]
    model = LinearRegression().fit(X, X["income"])
    policy = {"require": {"artifacts": ["attribution/shapley", "importance/permutation"]}}
    for given, more in ((model, {}), (model.predict, {"task": "regression", "version": "3"})):
        made = sc.explain(given, X, X["income"], policy=policy, store=MemoryStore(), **more)
        found = sc.verify(made, model=given, data=(X, X["income"]), version=more.get("version"))
        assert codes(found) == set()
        assert sum(f.code == "holds" for f in found) == 2


def test_model_and_data_are_given_together(snapshot: sc.Snapshot) -> None:
    with pytest.raises(sc.ParameterError, match="both model= and data="):
        sc.verify(snapshot, model=MODEL)
    with pytest.raises(sc.ParameterError, match="one snapshot"):
        sc.verify(snapshot.objects, **WHOLE)  # type: ignore[arg-type]
    with pytest.raises(sc.DataError, match="lack the columns \\['debt'\\]"):
        sc.verify(snapshot, **{**WHOLE, "data": TEST.drop(columns="debt")})
