"""The gate can't be talked round: every fault that is planted here is refused, each with its own code."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import showcause
from showcause.core.finding import Outcome
from showcause.core.snapshot import Manifest, Record, Snapshot, Status
from showcause.core.verdict import Verdict
from showcause.store.folder import FolderStore
from showcause.store.store import point, publish
from showcause.trust.keys import create
from tests.cli.conftest import rows

TRAIN, TEST = rows(0), rows(1)
X, Y, Z = TEST[["income", "debt"]], TEST["paid"], TEST[["sex"]]
DAY = "2026-11-22"
ARTIFACTS = ["dependence/ale", "importance/permutation", "segments/fairness"]
MAKE: dict[str, Any] = {"require": {"artifacts": ARTIFACTS}, "data": {"protected": ["sex"]}}
ASKS: dict[str, Any] = {**MAKE, "cant_tell": "fail"}
SHARE = {"artifact": "importance/permutation", "where": {"feature": "debt"}, "as": "share", "max": 0.9, "side": "high"}


def fit(seed: int = 0, **options: Any) -> LogisticRegression:
    train = rows(seed)
    return LogisticRegression(**options).fit(train[["income", "debt"]], train["paid"])


MODEL = fit()


def explain(store: Path, name: str = "credit", model: Any = MODEL, policy: Any = MAKE, **rest: Any) -> Snapshot:
    return showcause.explain(model, X, Y, context=Z, policy=policy, name=name, store=store, progress=False, **rest)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("made") / "store"
    explain(store)
    return store


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Path:
    """A copy to plant faults in: credit/1."""
    return Path(shutil.copytree(made, tmp_path / "store"))


def judged(store: Path, policy: Any = ASKS, ref: Any = "credit/1", **rest: Any) -> Verdict:
    return showcause.check(ref, policy, store=store, **{"on": DAY, **rest})


def refusing(verdict: Verdict) -> set[str]:
    return {outcome.code for outcome in verdict.outcomes if outcome.refuses}


def of(verdict: Verdict, code: str, subject: str | None = None) -> Outcome:
    return next(o for o in verdict.outcomes if o.code == code and subject in (None, o.subject))


def limits(**limit: Any) -> dict[str, Any]:
    return {**ASKS, "limits": limit}


def test_what_holds_is_blessed_and_the_verdict_is_kept(store: Path) -> None:
    policy = limits(share=SHARE)
    verdict = judged(store, policy, model=MODEL, data=(X, Y))
    assert (verdict.blessed, verdict.reasons, verdict.baseline) == (True, verdict.reasons, None)
    snapshot = showcause.open("credit/1", store=store)
    assert snapshot.attached("verdict") == [verdict.document]
    assert (verdict.manifest, verdict.record) == (snapshot.id, snapshot.record.digest)
    assert judged(store, policy, model=MODEL, data=(X, Y)).document == verdict.document
    assert len(snapshot.attached("verdict")) == 1, "the same verdict again is the same document"
    assert [f for f in showcause.verify(store) if f.severity == "fail"] == []


# -- the faults, each planted alone: what it does to the store, what check is asked, and the one code that refuses


def rewrite(store: Path, change: Callable[[Manifest], Manifest]) -> None:
    """Publish credit/2: the manifest of credit/1, changed."""
    folder = FolderStore(store)
    old = showcause.open("credit/1", store=store)
    manifest = change(old.manifest)

    def record(number: int, parent: str | None) -> Record:
        return Record(manifest.digest, "credit", number, parent, old.record.made_at, "eve", None)

    publish(folder, manifest, "credit", record)


def without(manifest: Manifest, name: str, status: Status | None) -> Manifest:
    statuses = {key: value for key, value in manifest.statuses.items() if key != name}
    statuses |= {name: status} if status else {}
    artifacts = {key: value for key, value in manifest.artifacts.items() if key != name}
    return Manifest(manifest.model, manifest.data, manifest.decision, manifest.required, statuses, artifacts)


def flip(store: Path) -> None:
    digest = showcause.open("credit/1", store=store).manifest.artifacts["segments/fairness"]
    path = store / "objects" / digest[:2] / digest[2:]
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-2] + b"!}")


def drop(store: Path) -> None:
    manifest = showcause.open("credit/1", store=store).record.manifest
    (store / "objects" / manifest[:2] / manifest[2:]).unlink()


def loosen(store: Path) -> None:
    """Beside the snapshot: the list of verdicts names another object than it did."""
    judged(store)
    snapshot = showcause.open("credit/1", store=store)
    (store / "attached/verdict" / snapshot.id / "000001").write_text(f"{snapshot.record.digest}\n")


def put_old_as_new(store: Path) -> None:
    explain(store, model=fit(5))
    shutil.copy(store / "refs/credit/000001", store / "refs/credit/000002")


def put_another_name(store: Path) -> None:
    explain(store, name="fraud", model=fit(5))
    shutil.copy(store / "refs/fraud/000001", store / "refs/credit/000001")


def newer_champion(store: Path) -> None:
    explain(store, model=fit(5))
    point(FolderStore(store), "credit/2", "champion")


def stranger(store: Path) -> None:
    snapshot = showcause.open("credit/1", store=store)
    FolderStore(store).attach(snapshot.id, "verdict", b'{"format":"showcause-verdict/1"}')


def borrowed(store: Path) -> None:
    """A blessed verdict of another snapshot, put beside this one."""
    other = explain(store, name="other", model=fit(5))
    verdict = showcause.check(other, ASKS, on=DAY)
    assert verdict.blessed
    FolderStore(store).attach(showcause.open("credit/1", store=store).id, "verdict", verdict.document)


def nothing(store: Path) -> None:
    """No fault in the store."""


REQUIRES = {**ASKS, "require": {"artifacts": [*ARTIFACTS, "model/roc"]}}
WAIVED = {"code": "SC011", "subject": "share", "by": "Ada", "reason": "known", "until": "2026-11-21"}
FAULTS: list[tuple[str, Callable[[Path], None], Any, dict[str, Any]]] = [
    ("SC001", nothing, ASKS, {"ref": "credit/9"}),
    ("SC001", nothing, ASKS, {"ref": "nobody"}),
    ("SC001", nothing, ASKS, {"ref": Path("nothing-here.zip")}),
    ("SC001", shutil.rmtree, ASKS, {}),
    ("SC002", flip, ASKS, {}),
    ("SC002", drop, ASKS, {}),
    ("SC002", loosen, ASKS, {}),
    ("SC002", loosen, ASKS, {"trust": {"keys": {}}}),
    ("SC003", nothing, REQUIRES, {}),
    ("SC003", lambda s: rewrite(s, lambda m: without(m, "dependence/ale", None)), ASKS, {"ref": "credit/2"}),
    (
        "SC004",
        lambda s: rewrite(s, lambda m: without(m, "dependence/ale", Status("failed", "broke", "error"))),
        ASKS,
        {"ref": "credit/2"},
    ),
    ("SC005", nothing, ASKS, {"model": fit(C=0.5)}),
    ("SC005", nothing, ASKS, {"model": fit(3), "data": X}),
    ("SC006", nothing, ASKS, {"model": RandomForestClassifier(3).fit(TRAIN[["income", "debt"]], TRAIN["paid"])}),
    ("SC006", nothing, ASKS, {"model": LogisticRegression().fit(TRAIN[["income"]], TRAIN["paid"]), "data": X}),
    ("SC006", lambda s: explain(s, name="fraud", model=fit(7)), ASKS, {"model": fit(7)}),
    ("SC007", put_old_as_new, ASKS, {"ref": "credit/2"}),
    ("SC007", put_old_as_new, ASKS, {"ref": "credit"}),
    ("SC007", put_another_name, ASKS, {}),
    ("SC007", newer_champion, ASKS, {"baseline": "credit@champion"}),
    ("SC007", newer_champion, {**ASKS, "baseline": "champion"}, {}),
    ("SC007", stranger, ASKS, {}),
    ("SC007", borrowed, ASKS, {}),
    ("SC008", nothing, {**ASKS, "require": {"artifacts": ARTIFACTS, "inputs": ["train"]}}, {}),
    ("SC008", nothing, {**ASKS, "require": {"artifacts": ARTIFACTS, "check": ["model"]}}, {}),
    ("SC008", nothing, {**ASKS, "require": {"artifacts": ARTIFACTS, "check": ["baseline"]}}, {}),
    ("SC009", nothing, {}, {}),
    ("SC009", nothing, None, {}),
    ("SC009", nothing, {"data": {"label": "paid"}}, {}),
    ("SC016", nothing, {**limits(share=SHARE), "waiver": [WAIVED]}, {}),
    ("SC021", nothing, ASKS, {"data": X.iloc[::-1]}),
    ("SC021", nothing, ASKS, {"data": X[["income"]]}),
    ("SC021", nothing, ASKS, {"data": (X, Y[::-1])}),
]


@pytest.mark.parametrize(("code", "plant", "policy", "asked"), FAULTS, ids=lambda v: v if isinstance(v, str) else "")
def test_a_planted_fault_is_refused_with_its_own_code(
    store: Path, code: str, plant: Callable[[Path], None], policy: Any, asked: dict[str, Any]
) -> None:
    plant(store)
    verdict = judged(store, policy, **asked)
    assert not verdict.blessed
    assert verdict.refused
    assert refusing(verdict) == {code}, verdict.reasons
    assert Verdict.read(verdict.document) == verdict


def test_the_same_model_saved_again_is_the_same(store: Path) -> None:
    verdict = judged(store, model=fit(), data=X)
    assert of(verdict, "SC005").outcome == "pass"
    assert verdict.blessed


def test_a_declared_version_is_a_claim_that_the_data_check(tmp_path: Path) -> None:
    def one(frame: Any) -> Any:
        return frame["income"].to_numpy(float) / 100

    def two(frame: Any) -> Any:
        return frame["income"].to_numpy(float) / 101

    few = {"require": {"artifacts": ["importance/permutation"]}}
    options: dict[str, Any] = {"task": "regression", "version": "1"}
    snapshot = showcause.explain(one, X, X["income"], policy=few, **options)
    assert showcause.check(snapshot, few, model=one, data=X, **options).blessed
    assert showcause.check(snapshot, few, model=two, **options).blessed, "without data a claim is all there is"
    assert refusing(showcause.check(snapshot, few, model=two, data=X, **options)) == {"SC005"}


def test_an_opaque_model_without_data_is_cant_tell(tmp_path: Path) -> None:
    def one(frame: Any) -> Any:
        return frame["income"].to_numpy(float)

    few = {"require": {"artifacts": ["importance/permutation"]}}
    snapshot = showcause.explain(one, X, X["income"], policy=few, task="regression")
    assert of(showcause.check(snapshot, few, model=one), "SC005").outcome == "cant-tell"
    assert of(showcause.check(snapshot, few, model=one, data=X), "SC005").outcome == "pass"


def test_advise_mode_reports_everything_refuses_nothing_and_blesses_nothing(store: Path) -> None:
    policy = {**REQUIRES, "mode": "advise", "until": DAY}
    verdict = judged(store, policy)
    assert (verdict.blessed, verdict.refused, refusing(verdict)) == (False, False, {"SC003"})
    assert of(verdict, "SC010").outcome == "warn"
    later = judged(store, policy, on="2026-11-23")
    assert (later.mode, later.refused) == ("enforce", True)
    fine = judged(store, {**ASKS, "mode": "advise", "until": DAY})
    assert (fine.blessed, fine.refused, refusing(fine)) == (False, False, set())


def test_what_cannot_even_be_opened_is_refused_in_advise_mode_too(store: Path) -> None:
    assert judged(store, {**ASKS, "mode": "advise", "until": DAY}, "credit/9").refused


@pytest.mark.parametrize(
    ("everywhere", "here", "refused"), [("fail", None, True), ("warn", None, False), ("warn", "fail", True),
                                        ("fail", "warn", False), (None, None, True)],
)  # fmt: skip
def test_cant_tell_fails_or_warns_as_the_policy_says(store: Path, everywhere: Any, here: Any, refused: bool) -> None:
    limit = {"artifact": "importance/shap", "max": 1, "side": "high", **({"cant_tell": here} if here else {})}
    policy = {**limits(unknown=limit), **({"cant_tell": everywhere} if everywhere else {})}
    if everywhere is None:
        del policy["cant_tell"]
    verdict = judged(store, policy)
    assert of(verdict, "SC011").outcome == "cant-tell"
    assert verdict.refused is refused


def test_a_running_waiver_is_applied_and_told_and_covers_no_more_than_it_says(store: Path) -> None:
    tight = {**SHARE, "max": 0.0}
    waiver = {**WAIVED, "until": DAY}
    verdict = judged(store, {**limits(share=tight), "waiver": [waiver]})
    assert verdict.blessed
    assert [w.by for w in verdict.waivers] == ["Ada"]
    assert "accepted by Ada until 2026-11-22: known" in of(verdict, "SC011", "share").message
    assert refusing(judged(store, {**limits(other=tight), "waiver": [waiver]})) == {"SC011"}
    late = judged(store, {**limits(share=tight), "waiver": [waiver]}, on="2026-11-23")
    assert refusing(late) == {"SC011", "SC016"}


@pytest.mark.parametrize("code", ["SC001", "SC002", "SC005", "SC006", "SC007", "SC009", "SC014", "SC015", "SC016"])
def test_integrity_cannot_be_waived(store: Path, code: str) -> None:
    waiver = {"code": code, "by": "Eve", "reason": "please", "until": DAY}
    policy = {**ASKS, "waiver": [waiver]}
    flip(store)
    verdict = judged(store, policy)
    assert refusing(verdict) >= {"SC002"}
    assert verdict.waivers == ()
    assert of(verdict, "SC017").outcome == "warn"


def test_numbers_take_the_side_of_their_error_that_the_limit_says(store: Path) -> None:
    fairness = showcause.open("credit/1", store=store)["segments/fairness"].table.to_pylist()
    row = next(r for r in fairness if r["metric"] == "disparate_impact" and r["segment"] == "sex")
    value, low, high = row["value"], row["low"], row["high"]
    assert low < value < high

    def holds(side: str, **ends: float) -> bool:
        where = {"metric": "disparate_impact", "segment": "sex"}
        limit = {"artifact": "segments/fairness", "where": where, "side": side, **ends}
        return of(judged(store, limits(di=limit)), "SC011").outcome == "pass"

    between = (low + value) / 2
    assert [holds(side, min=between) for side in ("value", "low", "high", "worst")] == [True, False, True, False]
    above = (high + value) / 2
    assert [holds(side, max=above) for side in ("value", "low", "high", "worst")] == [True, True, False, False]
    assert holds("worst", min=low, max=high)
    assert not holds("worst", min=low + 1e-9, max=high)


# -- sign-off

REVIEW = {**ASKS, "review": {"second": {"when": ["always"], "role": "reviewer"}}}


def people(folder: Path, **roles: str) -> tuple[dict[str, Path], dict[str, Any]]:
    """Key files and a trust file for people with one role each; "" is in no trust file."""
    files, known = {}, {}
    for name, role in roles.items():
        files[name] = folder / f"{name}.key"
        key = create(files[name])
        if role:
            known[name] = {"public": key.public.hex(), "roles": [role]}
    return files, {"keys": known}


def test_a_required_sign_off_must_be_there_by_that_role_under_this_policy(store: Path, tmp_path: Path) -> None:
    files, trust = people(tmp_path / "keys", alice="reviewer", bob="engineer")
    assert refusing(judged(store, REVIEW)) == {"SC014"}, "nobody's signature counts without a trust file"
    showcause.sign("credit/1", key=files["bob"], role="engineer", store=store)
    absent = judged(store, REVIEW, trust=trust)
    assert refusing(absent) == {"SC014"}
    assert "there is none" in of(absent, "SC014").message
    showcause.sign("credit/1", key=files["alice"], role="reviewer", store=store)
    there = judged(store, REVIEW, trust=trust)
    assert there.blessed, there.reasons
    other = judged(store, {**REVIEW, "model": {"owner": "another policy"}}, trust=trust)
    assert refusing(other) == {"SC014"}
    assert "under another policy" in of(other, "SC014").message


def test_a_signature_by_an_unknown_key_is_refused(store: Path, tmp_path: Path) -> None:
    files, trust = people(tmp_path / "keys", alice="reviewer", eve="")
    judged(store)
    showcause.sign("credit/1", key=files["eve"], role="reviewer", store=store)
    verdict = judged(store, trust=trust)
    assert refusing(verdict) == {"SC015"}
    assert refusing(judged(store, REVIEW, trust=trust)) == {"SC014", "SC015"}


def test_a_signature_of_another_snapshot_is_a_replay(store: Path, tmp_path: Path) -> None:
    files, trust = people(tmp_path / "keys", alice="reviewer")
    other = explain(store, name="other", model=fit(5))
    judged(store, REVIEW, "other/1")
    showcause.sign(other, key=files["alice"], role="reviewer")
    FolderStore(store).attach(showcause.open("credit/1", store=store).id, "signature", other.attached("signature")[0])
    assert refusing(judged(store, REVIEW, trust=trust)) == {"SC007", "SC014"}


def test_enough_different_people(store: Path, tmp_path: Path) -> None:
    files, trust = people(tmp_path / "keys", alice="reviewer", carol="reviewer")
    policy = {**ASKS, "review": {"two": {"when": ["always"], "role": "reviewer", "count": 2}}}
    judged(store, policy)
    for who in ("alice", "alice", "carol"):
        verdict = judged(store, policy, trust=trust)
        assert refusing(verdict) == {"SC014"}
        showcause.sign("credit/1", key=files[who], role="reviewer", store=store)
    assert judged(store, policy, trust=trust).blessed


@pytest.mark.parametrize(
    ("when", "asked", "applies"),
    [
        (["first-version"], {}, True),
        (["first-version"], {"baseline": "credit/1"}, False),
        (["changed"], {"baseline": "credit/1"}, False),
        (["changed"], {}, False),
        (["cant-tell"], {"model": lambda frame: frame["income"]}, False),
    ],
)
def test_a_review_waits_for_its_occasion(store: Path, when: list[str], asked: dict[str, Any], applies: bool) -> None:
    policy = {**ASKS, "review": {"second": {"when": when, "role": "reviewer"}}}
    outcome = of(judged(store, policy, **asked), "SC014")
    assert (outcome.outcome != "not-applicable") is applies


def test_warnings_and_waivers_are_occasions(store: Path) -> None:
    tight = {**SHARE, "max": 0.0}
    review = {"second": {"when": ["warn", "waived"], "role": "reviewer"}}
    warned = judged(store, {**limits(share={**tight, "severity": "warn"}), "review": review})
    assert of(warned, "SC014").outcome == "cant-tell"
    waived = judged(store, {**limits(share=tight), "review": review, "waiver": [{**WAIVED, "until": DAY}]})
    assert "1 outcomes are waived" in of(waived, "SC014").message
    assert of(judged(store, {**limits(share=SHARE), "review": review}), "SC014").outcome == "not-applicable"


# -- exports


def test_an_export_is_judged_and_left_as_it_was(store: Path, tmp_path: Path) -> None:
    path = showcause.open("credit/1", store=store).export(tmp_path / "credit.zip")
    before = path.read_bytes()
    verdict = showcause.check(path, ASKS, on=DAY)
    assert verdict.blessed
    assert path.read_bytes() == before


def test_an_exported_folder_with_a_changed_file_is_tampered(store: Path, tmp_path: Path) -> None:
    path = showcause.open("credit/1", store=store).export(tmp_path / "credit")
    (path / "metrics.json").write_bytes(b"{}")
    assert refusing(showcause.check(path, ASKS, on=DAY)) == {"SC002"}


def test_an_export_that_is_not_what_the_store_has_is_a_replay(store: Path, tmp_path: Path) -> None:
    explain(tmp_path / "elsewhere", model=fit(5))
    path = showcause.open("credit/1", store=tmp_path / "elsewhere").export(tmp_path / "credit.zip")
    assert refusing(judged(store, ASKS, path)) == {"SC007"}


def test_a_bad_day_or_baseline_is_the_callers_mistake(store: Path) -> None:
    with pytest.raises(showcause.InputError, match="on must be a day"):
        judged(store, on="tomorrow")
    with pytest.raises(showcause.NotFound, match="has versions 1 to 1"):
        judged(store, baseline="credit/4")


def test_a_baseline_that_is_not_there_yet_is_said(store: Path) -> None:
    policy = {**limits(steady={"artifact": "importance/permutation", "max_change": 0.1}), "baseline": "champion"}
    verdict = judged(store, policy)
    assert of(verdict, "SC022").message == "no baseline: no baseline yet: nothing is called credit@champion"
    assert b'"baseline":"no baseline"' in verdict.document


def test_large_data_need_their_labels_and_then_hold(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    import pandas as pd

    frame = pd.DataFrame({"income": rng.normal(50, 10, 20_500), "debt": rng.normal(20, 5, 20_500)})
    labels = np.where(frame["income"] > 50, "yes", "no")
    few = {"require": {"artifacts": ["model/roc"]}}
    snapshot = showcause.explain(MODEL, frame, labels, policy=few)
    assert showcause.check(snapshot, few, model=MODEL, data=(frame, labels)).blessed
    with pytest.raises(showcause.ParameterError, match="give data="):
        showcause.check(snapshot, few, model=MODEL, data=frame)
    assert refusing(showcause.check(snapshot, few, data=(frame.iloc[::-1], labels[::-1]))) == {"SC021"}
