"""The plugin with the operator's trust file, around basic-auth, under a prefix: who may, and who is not even asked."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import showcause as sc
from showcause.integrations.mlflow import ledger
from showcause.trust import keys
from showcause.trust.logged import signed
from tests.mlflow.conftest import Server, connected
from tests.mlflow.guarded import ask, codes, guarded
from tests.mlflow.registry import POLICY, ROLES, fresh, made, people, register

ADMIN = ("admin", "a-long-password-1")
API = "/api/2.0/mlflow"


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict[str, keys.Key]:
    return people(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, known: dict[str, keys.Key]) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("trusting")
    lines = [
        f'[keys.{name}]\npublic = "{known[name].public.hex()}"\nroles = ["{role}"]\n' for name, (role,) in ROLES.items()
    ]
    rule = '[aliases.champion]\npromote = ["release"]\nbreak_glass = ["on-call"]\nbind = ["engineer"]\n'
    auth = folder / "auth.ini"
    auth.write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{folder}/auth.db\nadmin_username = {ADMIN[0]}\n"
        f"admin_password = {ADMIN[1]}\nauthorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        "auth_cache_ttl_seconds = 600\n"  # a password costs half a second, and MLflow asks for it each time
    )
    around = {
        "SHOWCAUSE_MLFLOW_APP": "basic-auth",
        "MLFLOW_AUTH_CONFIG_PATH": str(auth),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "k" * 32,
    }
    with guarded(folder, "--workers", "2", trust="\n".join([*lines, rule]), environment=around) as started:
        yield started


@pytest.fixture
def mlflow(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", ADMIN[0])
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", ADMIN[1])
    yield from connected(server, monkeypatch)


@pytest.fixture
def name() -> str:
    return fresh()


def as_(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def alias(server: Server, name: str, version: str, **more: Any) -> Any:
    fields = {"name": name, "alias": "champion", "version": version, **more}
    return ask(server, "POST", f"{API}/registered-models/alias", fields, **as_(*ADMIN))


def test_who_is_not_let_in_learns_nothing(mlflow: Any, server: Server, name: str) -> None:
    register(mlflow, name, snapshot=None)
    body = {"name": name, "alias": "champion", "version": "1"}
    status, text, _ = ask(server, "POST", f"{API}/registered-models/alias", body)
    assert (status, "showcause" in str(text)) == (401, False)
    wrong = ask(server, "POST", f"{API}/registered-models/alias", body, **as_("admin", "wrong"))
    assert wrong[0] == 401
    user = {"username": f"u-{name}", "password": "another-password-1"}
    assert ask(server, "POST", f"{API}/users/create", user, **as_(*ADMIN))[0] == 200
    reader = ask(server, "POST", f"{API}/registered-models/alias", body, **as_(user["username"], user["password"]))
    assert (reader[0], "findings" in str(reader[1])) == (403, False)
    assert "SC001" in codes(alias(server, name, "1"))
    put = "/api/2.0/mlflow-artifacts/artifacts/0/x/artifacts/note.txt"
    assert ask(server, "PUT", put, b"x")[0] in (401, 403)


def test_only_signed_entries_of_those_who_may(mlflow: Any, server: Server, name: str, known: Any) -> None:
    client = mlflow.MlflowClient()
    register(mlflow, name)
    assert codes(alias(server, name, "1")) == {"SC014"}  # nobody signed for the files
    ref = register(mlflow, name, 0.1, key=known["dave"])
    assert codes(alias(server, name, "2")) == {"unsigned"}
    for who, code in (("carol", "role-not-granted"), ("mallory", "unknown-key")):
        with pytest.raises(sc.Refused) as caught:
            sc.promote(ref, policy=POLICY, key=known[who])
        assert [finding.code for finding in caught.value.findings] == [code]
    with pytest.raises(sc.Refused, match="other-policy"):
        sc.promote(ref, policy={"require": {"artifacts": ["importance/permutation"]}}, key=known["bob"])
    entry = sc.promote(ref, policy=POLICY, key=known["bob"], reason="good")
    assert ledger.entries(client, name, "champion") == [entry]
    assert codes(alias(server, name, "2")) == {"unsigned"}  # setting it again is an entry again
    stolen = replace(entry, number=2, previous=entry.digest)
    assert codes(alias(server, name, "2", showcause=stolen.document.decode())) == {"replayed"}


def test_the_glass_is_broken_over_the_server(mlflow: Any, server: Server, name: str, known: Any) -> None:
    client = mlflow.MlflowClient()
    old = register(mlflow, name, key=known["dave"])
    new = register(mlflow, name, 0.1, key=known["dave"])
    unserved = register(mlflow, name, 0.2, key=known["dave"])
    sc.promote(old, policy=POLICY, key=known["bob"])
    sc.promote(new, policy=POLICY, key=known["bob"])
    fire = {"break_glass": True, "reason": "refuses everybody since noon"}
    with pytest.raises(sc.Refused, match="role-not-granted"):
        sc.promote(old, key=known["bob"], **fire)
    with pytest.raises(sc.Refused, match="never-served"):
        sc.promote(unserved, key=known["carol"], **fire)
    before = (server.folder / "showcause.toml").read_text()
    try:  # whatever the gate says: today's policy would refuse everything
        (server.folder / "showcause.toml").write_text('[require]\nartifacts = ["importance/shap"]\n')
        begun = time.monotonic()
        entry = sc.promote(old, key=known["carol"], **fire)
        assert time.monotonic() - begun < 30
    finally:
        (server.folder / "showcause.toml").write_text(before)
    assert client.get_model_version_by_alias(name, "champion").version == "1"
    assert entry.review_by == (datetime.now(UTC).date() + timedelta(days=7)).isoformat()
    trust = server.folder / "showcause-trust.toml"
    assert [(f.code, f.severity) for f in sc.verify(old, trust=trust) if "@" in f.subject] == [("review-due", "note")]
    late = (datetime.now(UTC) + timedelta(days=8)).isoformat(timespec="seconds")
    assert "review-overdue" in {f.code for f in sc.verify(old, trust=trust, at=late)}
    longer = replace(entry, number=4, previous=entry.digest, review_by="2099-01-01", envelope=None)
    longer = replace(longer, envelope=signed(longer, made()[1].manifest.model["digest"], known["carol"]))
    assert codes(alias(server, name, "1", showcause=longer.document.decode())) == {"entry"}
    sc.promote(old, policy=POLICY, key=known["bob"], reason="reviewed")  # the gate was passed after all
    assert [f for f in sc.verify(old, trust=trust, at=late) if f.code == "review-overdue"] == []


def test_an_alias_in_other_letters_is_no_other_alias(mlflow: Any, server: Server, name: str, known: Any) -> None:
    register(mlflow, name, key=known["dave"])
    assert codes(alias(server, name, "1", alias="Champion")) == {"alias"}


def test_two_signers_at_once(mlflow: Any, server: Server, name: str, known: Any) -> None:
    import threading

    refs = [register(mlflow, name, C, key=known["dave"]) for C in (1.0, 0.1)]
    start, entries = threading.Barrier(2), []

    def race(ref: str) -> None:
        start.wait()
        entries.append(sc.promote(ref, policy=POLICY, key=known["bob"]))

    threads = [threading.Thread(target=race, args=(ref,)) for ref in refs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client = mlflow.MlflowClient()
    log = ledger.entries(client, name, "champion")
    assert sorted(entry.digest for entry in log) == sorted(entry.digest for entry in entries)
    assert log[-1].ref.endswith(client.get_model_version_by_alias(name, "champion").version)


def test_behind_a_prefix_and_under_flask_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("--static-prefix", "/ml", "--gunicorn-opts", "--log-level warning")
    with guarded(tmp_path / "prefixed", *words, health="/ml/health") as started:
        name = fresh()
        for mlflow in connected(replace(started, uri=started.uri + "/ml"), monkeypatch):
            ref = register(mlflow, name)
            register(mlflow, name, 0.1, snapshot=None)
            for prefix in ("/ml/api/2.0/mlflow", "/ml/ajax-api/2.0/mlflow"):
                body = {"name": name, "alias": "champion", "version": "2"}
                assert codes(ask(started, "POST", f"{prefix}/registered-models/alias", body)) == {"SC001"}
            sc.promote(ref, policy=POLICY)
            uri = mlflow.MlflowClient().get_model_version_download_uri(name, "1").removeprefix("mlflow-artifacts:/")
            where = f"/ml/api/2.0/mlflow-artifacts/artifacts/{uri}/model.skops"
            assert codes(ask(started, "PUT", where, b"evil")) == {"served"}
            assert codes(ask(started, "POST", "/ml/graphql", {"query": "mutation { x }"})) == {"unknown-route"}
