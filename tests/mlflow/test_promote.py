"""`promote` in a registry without our plugin: the client's own gate, the alias and its log."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import showcause as sc
from showcause.core.errors import Conflict, Corrupt
from showcause.integrations.mlflow import ledger
from showcause.integrations.mlflow.promote import is_guarded
from tests.mlflow.conftest import rows
from tests.mlflow.registry import POLICY, fresh, made, people, register, trusting


@pytest.fixture
def name() -> str:
    return fresh()


def champion(mlflow: Any, name: str) -> str:
    return str(mlflow.MlflowClient().get_model_version_by_alias(name, "champion").version)


def refused(mlflow: Any, ref: str, **options: Any) -> set[str]:
    """The codes it is refused with; nothing has moved."""
    client, name = mlflow.MlflowClient(), ref.split("/")[1]
    before = client.get_registered_model(name).aliases, ledger.entries(client, name, "champion")
    with pytest.raises(sc.Refused) as caught:
        sc.promote(ref, **{"policy": POLICY, **options})
    assert (client.get_registered_model(name).aliases, ledger.entries(client, name, "champion")) == before
    return {finding.code for finding in caught.value.findings if finding.severity == "fail"}


def test_a_version_is_promoted_and_the_alias_has_a_log(mlflow: Any, name: str) -> None:
    client = mlflow.MlflowClient()
    first, second = register(mlflow, name), register(mlflow, name, 0.1)
    assert not is_guarded(client, name)
    one = sc.promote(first, policy=POLICY, reason="first")
    two = sc.promote(second, policy=POLICY)
    back = sc.promote(first, policy=POLICY, reason="the second is worse")
    assert [entry.ref for entry in (one, two, back)] == [first, second, first]
    assert ledger.entries(client, name, "champion") == [one, two, back]
    assert [entry.previous for entry in (one, two, back)] == [None, one.digest, two.digest]
    assert champion(mlflow, name) == "1"
    assert sc.open(f"models:/{name}@champion").id == one.manifest


def test_what_is_missing_foreign_or_changed_is_refused(mlflow: Any, name: str, tmp_path: Any) -> None:
    assert refused(mlflow, register(mlflow, name, snapshot=None)) == {"SC001"}
    ref = register(mlflow, name)
    artifacts = mlflow.MlflowClient().get_model_version_download_uri(name, "2")
    other = register(mlflow, name, 0.1)
    folder = mlflow.artifacts.download_artifacts(f"{other}/explanation_snapshot", dst_path=str(tmp_path))
    put(mlflow, artifacts, folder, "explanation_snapshot")
    assert refused(mlflow, ref) == {"SC005"}
    extra = tmp_path / "extra.py"
    extra.write_text("import os")
    put(mlflow, mlflow.MlflowClient().get_model_version_download_uri(name, "3"), extra, None)
    assert refused(mlflow, other) == {"SC005"}


def put(mlflow: Any, uri: str, path: Any, where: str | None) -> None:
    from pathlib import Path

    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    repository = get_artifact_repository(uri)
    if Path(path).is_dir():
        repository.delete_artifacts(where)
        repository.log_artifacts(str(path), where)
    else:
        repository.log_artifact(str(path), where)


def test_an_incomplete_or_unblessed_snapshot_is_refused(mlflow: Any, name: str) -> None:
    ref = register(mlflow, name)
    assert refused(mlflow, ref, policy={"require": {"artifacts": ["importance/shap"]}}) == {"SC003"}
    assert refused(mlflow, ref, policy={}) == {"SC009"}
    with pytest.raises(sc.Refused, match="without a policy"):
        sc.promote(ref)


def test_the_trust_file_says_who_may(mlflow: Any, name: str, tmp_path: Any) -> None:
    known = people(tmp_path)
    ref = register(mlflow, name)
    bound = register(mlflow, name, 0.1, key=known["dave"])
    asks = trusting(known, bind=["engineer"], promote=["release"])
    assert refused(mlflow, ref, trust=asks, key=known["bob"]) == {"SC014"}
    assert refused(mlflow, bound, trust=trusting(known, bind=["release"])) == {"SC014"}
    with pytest.raises(sc.Refused, match="role-not-granted"):
        sc.promote(bound, policy=POLICY, trust=asks, key=known["carol"])
    assert refused(mlflow, bound, trust=trusting(known, sign_off=["reviewer"])) == {"SC014"}
    forged = register(mlflow, name, 0.2, key=known["mallory"])
    assert refused(mlflow, forged, trust=asks, key=known["bob"]) == {"SC015"}
    entry = sc.promote(bound, policy=POLICY, trust=asks, key=known["bob"])
    assert entry.envelope is not None
    assert champion(mlflow, name) == "2"


def test_breaking_the_glass_restores_what_was_served(mlflow: Any, name: str, tmp_path: Any) -> None:
    known = people(tmp_path)
    old, new = register(mlflow, name), register(mlflow, name, 0.1)
    strict = {"require": {"artifacts": ["importance/shap"]}}
    asks = trusting(known, break_glass=["on-call"])
    sc.promote(old, policy=POLICY)
    assert refused(mlflow, new, break_glass=True, reason="fire", key=known["carol"]) == {"never-served"}
    sc.promote(new, policy=POLICY)
    assert refused(mlflow, old, policy=strict) == {"SC003"}
    with pytest.raises(sc.Refused, match="role-not-granted"):
        sc.promote(old, break_glass=True, reason="fire", key=known["bob"], trust=asks)
    entry = sc.promote(old, break_glass=True, reason="fire", key=known["carol"], trust=asks)
    assert (entry.break_glass, entry.ref, champion(mlflow, name)) == (True, old, "1")
    assert entry.review_by == (datetime.now(UTC).date() + timedelta(days=7)).isoformat()


def test_of_two_clients_at_once_each_entry_follows_the_other(mlflow: Any, name: str) -> None:
    refs = [register(mlflow, name, C) for C in (1.0, 0.1)]
    start, failed = threading.Barrier(2), []

    def race(ref: str) -> None:
        start.wait()
        try:
            for _ in range(3):
                sc.promote(ref, policy=POLICY)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=race, args=(ref,)) for ref in refs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    log = ledger.entries(mlflow.MlflowClient(), name, "champion")
    assert (len(log), {entry.ref for entry in log}) == (6, set(refs))
    assert log[-1].ref == f"models:/{name}/{champion(mlflow, name)}"


def test_an_entry_of_the_log_is_written_once(mlflow: Any, name: str) -> None:
    client = mlflow.MlflowClient()
    entry = sc.promote(register(mlflow, name), policy=POLICY)
    from dataclasses import replace

    with pytest.raises(Conflict, match="entry 1"):
        ledger.append(client, name, replace(entry, reason="another"))
    ledger.append(client, name, entry)  # the same again is no other
    with pytest.raises(Corrupt, match="must stand"):
        ledger.chain({"champion/000002": entry.document.decode()}, name, "champion")
    with pytest.raises(Corrupt, match="is entry 1 of"):
        ledger.chain({"champion/000001": entry.document.decode()}, "other", "champion")
    assert made()[1].id == entry.manifest


def test_verify_names_an_alias_that_left_its_log_and_an_overdue_review(mlflow: Any, name: str, tmp_path: Any) -> None:
    client, known = mlflow.MlflowClient(), people(tmp_path)
    old, new = register(mlflow, name), register(mlflow, name, 0.1)
    sc.promote(old, policy=POLICY)
    head = sc.promote(new, policy=POLICY)
    assert [f.code for f in sc.verify(new, heads={f"{name}@champion": head.digest})] == []
    client.set_registered_model_alias(name, "champion", "1")
    assert [f.code for f in sc.verify(new)] == ["alias-moved"]
    assert [f.code for f in sc.verify(new, heads={f"{name}@champion": "0" * 64})] == ["cut-off", "alias-moved"]
    sc.promote(old, break_glass=True, reason="fire", key=known["carol"])
    asks = trusting(known, break_glass=["on-call"])
    assert [(f.code, f.severity) for f in sc.verify(old, trust=asks)] == [("review-due", "note")]
    late = (datetime.now(UTC) + timedelta(days=8)).isoformat(timespec="seconds")
    assert [(f.code, f.severity) for f in sc.verify(old, trust=asks, at=late)] == [("review-overdue", "fail")]


def test_the_command_line_promotes_and_lists(mlflow: Any, name: str, tmp_path: Any, monkeypatch: Any) -> None:
    from showcause.cli import run

    ref = register(mlflow, name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "showcause.toml").write_text('[require]\nartifacts = ["importance/permutation"]\n')
    assert run(["promote", ref, "--alias", "champion", "--reason", "first"]) == 0
    assert run(["log", f"models:/{name}@champion"]) == 0
    assert run(["verify", ref]) == 0
    bare = register(mlflow, name, 0.1, snapshot=None)
    assert run(["promote", bare]) == 1
    assert champion(mlflow, name) == "1"


def test_check_holds_the_files_to_the_binding(mlflow: Any, name: str, tmp_path: Any) -> None:
    ref, bare = register(mlflow, name), register(mlflow, name, 0.1, snapshot=None)
    asks = {**POLICY, "require": {**POLICY["require"], "check": ["model"]}}
    verdict = sc.check(ref, asks)
    assert (verdict.blessed, verdict.ref) == (True, ref)
    assert sc.check(bare, asks).reasons[0].startswith("fail [SC001]")
    assert sc.check(f"models:/{name}/9", asks).reasons[0].startswith("fail [SC001]")
    extra = tmp_path / "extra.py"
    extra.write_text("import os")
    put(mlflow, mlflow.MlflowClient().get_model_version_download_uri(name, "1"), extra, None)
    reasons = sc.check(ref, asks).reasons
    assert "extra.py was added" in reasons[0]
    assert [reason.split("]")[0] for reason in reasons] == ["fail [SC005", "fail [SC008"]


def test_data_that_changed_since_are_named_and_refuse(mlflow: Any, name: str) -> None:
    ref, data = register(mlflow, name), rows(0)
    changed = data.X.assign(**{data.X.columns[0]: data.X.iloc[:, 0] + 1})
    assert sc.check(ref, POLICY, data=(data.X, data.y)).blessed
    reasons = sc.check(ref, POLICY, data=(changed, data.y)).reasons
    assert reasons[0].startswith("fail [SC021]")
    assert str(data.X.columns[0]) in reasons[0]
    assert refused(mlflow, ref, data=(changed, data.y)) == {"SC021"}
    assert sc.promote(ref, policy=POLICY, data=(data.X, data.y)).ref == ref


def test_all_of_a_registry_on_one_page(mlflow: Any, tmp_path: Any, monkeypatch: Any, capsys: Any) -> None:
    from showcause.cli import run

    name, other = fresh("a"), fresh("b")
    sc.promote(register(mlflow, name), policy=POLICY)
    register(mlflow, name, 0.1)
    register(mlflow, other, snapshot=None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "showcause.toml").write_text('[require]\nartifacts = ["importance/permutation"]\n')
    assert run(["check", "models:/", "--all"]) == 1
    said = capsys.readouterr().out
    assert all(f"models:/{ref}" in said for ref in (f"{name}/1", f"{name}/2", f"{other}/1"))
