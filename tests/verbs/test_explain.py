import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import showcause as sc
from showcause.methods import find
from showcause.store.folder import FolderStore

X, Y = load_breast_cancer(return_X_y=True, as_frame=True)
X = X.iloc[:, :5]
X.columns = list("abcde")
TRAIN, TEST = (X[:400], Y[:400]), (X[400:], Y[400:])
MODEL = make_pipeline(StandardScaler(), LogisticRegression()).fit(*TRAIN)
SMALL = {"require": {"artifacts": ["importance/permutation", "examples/representative"]}}


def test_a_model_and_rows_are_enough_and_what_is_missing_is_said():
    snapshot = sc.explain(MODEL, TEST[0])
    assert set(snapshot.manifest.required) == set(find())
    assert {s.state for s in snapshot.statuses.values()} <= {"ok", "not-applicable", "not-given"}
    for name in ("y", "train", "context", "background", "name", "store"):
        assert snapshot.statuses[f"input/{name}"].state == "not-given"
        assert snapshot.statuses[f"input/{name}"].reason
    assert snapshot.statuses["importance/permutation"].reason == "needs labels, and no y was given"
    assert snapshot.complete


def test_what_the_policy_requires_and_nobody_gave_makes_it_incomplete():
    snapshot = sc.explain(MODEL, TEST[0], policy={**SMALL, "require": {**SMALL["require"], "inputs": ["y"]}})
    assert not snapshot.complete
    assert snapshot.statuses["input/y"].code == "missing-input"


def test_versions_parents_and_reopening(tmp_path):
    one = sc.explain(MODEL, *TEST, name="credit", store=tmp_path / "s", policy=SMALL)
    two = sc.explain(MODEL, *TEST, name="credit", store=tmp_path / "s", policy=SMALL)
    assert (one.ref, two.ref, one.id) == ("credit/1", "credit/2", two.id)
    opened = sc.open("credit@latest", store=tmp_path / "s")
    assert opened.record.parent == one.record.digest
    assert opened["importance/permutation"] == one["importance/permutation"]
    assert sc.verify(tmp_path / "s") == []


class Counting:
    """Predicts as MODEL does; raises KeyboardInterrupt at call number `stop`."""

    def __init__(self, stop=None):
        self.calls, self.stop = 0, stop

    def __call__(self, rows):
        self.calls += 1
        if self.calls == self.stop:
            raise KeyboardInterrupt
        return MODEL.predict_proba(rows)


def test_an_interrupted_run_leaves_the_store_clean_and_resumes(tmp_path):
    few = {"methods": {"rules/anchor": {"max_rows": 1}}}  # the last method is not to be most of the work
    options = {"name": "credit", "task": "classification", "version": "1", "policy": few}
    whole = Counting()
    reference = sc.explain(whole, *TEST, store=tmp_path / "other", **options)
    with pytest.raises(KeyboardInterrupt):
        sc.explain(Counting(whole.calls - 3), *TEST, store=tmp_path / "s", **options)
    store = FolderStore(tmp_path / "s")
    assert store.refs() == []
    assert [f for f in store.verify() if f.severity == "fail"] == []
    resumed = Counting()
    snapshot = sc.explain(resumed, *TEST, store=tmp_path / "s", **options)
    assert snapshot.id == reference.id
    assert resumed.calls < whole.calls / 2


def test_what_an_earlier_run_stored_is_not_reused_for_rows_with_other_ids(tmp_path):
    options = {"name": "credit", "store": tmp_path / "s", "policy": {"require": {"artifacts": ["attribution/shapley"]}}}
    for prefix in ("one", "two"):
        snapshot = sc.explain(MODEL, *TEST, ids=[f"{prefix}-{n}" for n in range(169)], **options)
        found = snapshot["attribution/shapley"].to_pandas()["id"]
        assert found.str.startswith(prefix).all()


def test_a_failing_method_is_a_status_and_the_rest_is_kept(tmp_path):
    class Moody(LogisticRegression):
        def predict_proba(self, rows):
            if len(rows) > 1 and not np.isin(np.asarray(rows)[:, 0], KNOWN).all():
                raise RuntimeError("no stomach for strange rows")
            return super().predict_proba(rows)

    KNOWN = TEST[0]["a"].to_numpy()
    model = Moody(max_iter=5000).fit(*TRAIN)
    snapshot = sc.explain(model, *TEST, train=TRAIN)
    failed = {name: s for name, s in snapshot.statuses.items() if s.state == "failed"}
    assert failed
    assert all(s.code for s in failed.values())
    assert any("no stomach" in s.reason for s in failed.values())
    assert "importance/permutation" in snapshot
    assert not snapshot.complete


def test_above_twenty_thousand_rows_a_stated_sample_is_explained():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(20_500, 3))
    labels = (rows[:, 0] > 1.5).astype(int)
    model = LogisticRegression().fit(rows, labels)
    snapshot = sc.explain(model, rows, labels, policy=SMALL)
    facts = snapshot.manifest.data["rows"]
    assert (facts["given"], facts["explained"], facts["sampled"]) == (20_500, 20_000, "stratified by label")
    spec = snapshot["importance/permutation"].spec
    assert spec["rows"]["count"] == 20_000
    assert spec["rows"]["sampled_from"] == 20_500


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"y": [0, 1]}, "169 rows and y has 2"),
        ({"y": np.where(np.arange(169) == 3, np.nan, 1.0)}, "missing labels"),
        ({"X": TEST[0].iloc[:0]}, "no rows"),
        ({"X": TEST[0].assign(z=1)}, "not trained on"),
        ({"X": TEST[0].drop(columns="a")}, "lacks the model's columns"),
        ({"X": TEST[0].assign(a=np.inf)}, "infinite values in \\['a'\\]"),
        ({"context": TEST[0].iloc[:3]}, "context has 3"),
        ({"segments": ["sex"]}, "no such column"),
        ({"protected": ["aa"]}, "did you mean 'a'"),
        ({"threshold": 1.5}, "between 0 and 1"),
        ({"favourable": "approved"}, "not one of the classes"),
        ({"train": (TRAIN[0], TRAIN[1][:5])}, "400 rows and 5 labels"),
        ({"name": "Credit Model"}, "'credit-model' would do"),
        ({"ids": [1]}, "there are 1 ids"),
        ({"policy": {"dat": {}}}, "did you mean 'data'"),
        ({"policy": {"require": {"artifacts": ["importance/permutatoin"]}}}, "did you mean 'importance/permutation'"),
        ({"policy": {"features": {"zz": {"label": "Z"}}}}, "no column of the data"),
    ],
)
def test_what_cannot_be_used_is_refused_before_any_work(arguments, complaint, tmp_path):
    given = {"X": TEST[0], "y": TEST[1], "policy": SMALL, **arguments}
    with pytest.raises(sc.InputError, match=complaint):
        sc.explain(MODEL, given.pop("X"), given.pop("y"), **given)


def test_the_models_file_goes_into_the_record_and_not_into_the_identity(tmp_path):
    (tmp_path / "model.bin").write_bytes(b"abc")
    with_file = sc.explain(MODEL, *TEST, policy=SMALL, model_file=tmp_path / "model.bin")
    assert with_file.record.configuration["model_file"] == {
        "name": "model.bin",
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    }
    assert with_file.id == sc.explain(MODEL, *TEST, policy=SMALL).id
    with pytest.raises(sc.ParameterError, match="cannot be read"):
        sc.explain(MODEL, *TEST, policy=SMALL, model_file=tmp_path / "none")


def test_regression_decides_nothing():
    model = LinearRegression().fit(*load_diabetes(return_X_y=True))
    with pytest.raises(sc.ParameterError, match="decides nothing"):
        sc.explain(model, load_diabetes().data, threshold=0.3)


def test_the_guard_wants_a_complete_snapshot(tmp_path):
    with sc.run("credit", store=tmp_path / "s") as run:
        run.explain(MODEL, *TEST, policy=SMALL)
    assert sc.open("credit/1", store=tmp_path / "s").complete
    with pytest.raises(sc.IncompleteRun, match="made no snapshot"), sc.run("credit", store=tmp_path / "s"):
        pass
    assert not sc.open("credit/2", store=tmp_path / "s").complete
    with (
        pytest.raises(sc.IncompleteRun, match="missing-input"),
        sc.run("credit", store=tmp_path / "s") as run,
    ):
        run.explain(MODEL, TEST[0], policy={"require": {"artifacts": ["examples/representative"], "inputs": ["y"]}})


def test_the_users_own_exception_stays_theirs_and_the_run_is_recorded(tmp_path):
    with pytest.raises(ZeroDivisionError), sc.run("credit", store=tmp_path / "s"):
        1 / 0  # noqa: B018
    snapshot = sc.open("credit/1", store=tmp_path / "s")
    assert str(snapshot.statuses["run"]) == "failed [incomplete-run]: the run ended with ZeroDivisionError"
    assert sc.verify(tmp_path / "s") == []


def test_rows_are_omitted_from_every_byte(tmp_path):
    canary, number = "CANARY-7f3a", 1234.5678901
    data = X.assign(city=np.where(np.arange(len(X)) == 450, canary, np.where(X.a > 14, "north", "south")))
    data.loc[460, "b"] = number
    encoded = lambda rows: MODEL.predict_proba(rows[list("abcde")])  # noqa: E731
    ids = [f"person-{n}" for n in range(169)]
    for rows, found in (("keep", True), ("omit", False)):
        store = tmp_path / rows
        options = {
            "task": "classification",
            "version": "1",
            "ids": ids,
            "segments": ["city"],
            "policy": {"privacy": {"rows": rows}},
        }
        snapshot = sc.explain(encoded, data[400:], Y[400:], name="credit", store=store, **options)
        everything = b"".join(p.read_bytes() for p in store.rglob("*") if p.is_file())
        assert snapshot.complete, snapshot.statuses
        needles = [canary.encode(), np.float64(number).tobytes(), b"1234.5678901", b"person-4"]
        assert any(needle in everything for needle in needles) == found


def test_identity_does_not_depend_on_column_order_or_container():
    import polars as pl

    plain = LogisticRegression(max_iter=5000).fit(TRAIN[0].to_numpy(), TRAIN[1])
    named = MODEL
    ids = {sc.explain(named, rows, TEST[1], policy=SMALL).id for rows in (TEST[0], TEST[0][list("edcba")])}
    assert len(ids) == 1
    frames = [pd.DataFrame(TEST[0].to_numpy(), columns=list("abcde")), pl.DataFrame(TEST[0].to_dict("list"))]
    ids = {sc.explain(plain, rows, TEST[1], policy=SMALL).id for rows in frames}
    assert len(ids) == 1
