"""The plugin on a real server: nothing that is not whole, complete, its own and blessed becomes what is served."""

from __future__ import annotations

import json
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import showcause as sc
from showcause.core import canonical
from showcause.core.snapshot import Snapshot, Status
from showcause.integrations.mlflow import ledger
from showcause.integrations.mlflow.promote import is_guarded
from showcause.integrations.mlflow.refs import SNAPSHOT
from showcause.store.export import packed
from tests.mlflow.conftest import Server, connected, rows
from tests.mlflow.guarded import ask, codes, guarded
from tests.mlflow.registry import POLICY, fresh, made, register

API = "/api/2.0/mlflow"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with guarded(tmp_path_factory.mktemp("guarded")) as started:
        yield started


@pytest.fixture
def mlflow(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    yield from connected(server, monkeypatch)


@pytest.fixture
def name() -> str:
    return fresh()


def alias(server: Server, name: str, version: str, prefix: str = API, **more: Any) -> Any:
    fields = {"name": name, "alias": "champion", "version": version, **more}
    return ask(server, "POST", f"{prefix}/registered-models/alias", fields)


def test_a_good_version_passes_and_every_move_is_in_the_log(mlflow: Any, server: Server, name: str) -> None:
    client = mlflow.MlflowClient()
    first, second = register(mlflow, name), register(mlflow, name, 0.1)
    assert is_guarded(client, name)
    client.set_registered_model_alias(name, "champion", "1")
    entry = sc.promote(second, policy=POLICY, reason="better")
    log = ledger.entries(client, name, "champion")
    assert [(one.ref, one.reason) for one in log] == [(first, "set without showcause"), (second, "better")]
    assert log[1] == entry
    assert client.get_model_version_by_alias(name, "champion").version == "2"


def test_the_client_shows_why(mlflow: Any, name: str) -> None:
    register(mlflow, name, snapshot=None)
    with pytest.raises(mlflow.exceptions.RestException) as caught:
        mlflow.MlflowClient().set_registered_model_alias(name, "champion", "1")
    assert "refused by showcause" in str(caught.value)
    assert "carries no explanation_snapshot" in str(caught.value)
    assert caught.value.error_code == "RESOURCE_CONFLICT"


def test_every_prefix(mlflow: Any, server: Server, name: str) -> None:
    register(mlflow, name, snapshot=None)
    for prefix in (API, "/ajax-api/2.0/mlflow"):
        assert codes(alias(server, name, "1", prefix)) == {"SC001"}
        stage = {"name": name, "version": "1", "stage": "production", "archive_existing_versions": False}
        assert codes(ask(server, "POST", f"{prefix}/model-versions/transition-stage", stage)) == {"SC001"}


def version_of(ref: str) -> str:
    return ref.rpartition("/")[2]


def location(mlflow: Any, ref: str) -> str:
    """The path of a version's files, as the routes of mlflow-artifacts call it."""
    uri = mlflow.MlflowClient().get_model_version_download_uri(ref.split("/")[1], version_of(ref))
    return str(uri).removeprefix("mlflow-artifacts:/").strip("/")


def on_disk(server: Server, mlflow: Any, ref: str) -> Path:
    """The files themselves: what somebody who can write the storage reaches past the server."""
    return server.folder / "artifacts" / location(mlflow, ref)


def forge(folder: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """Change what is packed and say so in every index, as whoever forges would."""
    with zipfile.ZipFile(folder / "snapshot.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    index = json.loads(files["snapshot.json"])
    index["files"] = {name: canonical.digest(data) for name, data in files.items() if name != "snapshot.json"}
    attached = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob("attached/*/*") if path.is_file()
    }
    for name, data in packed({**files, **attached, "snapshot.json": canonical.dumps(index)}).items():
        (folder / name).write_bytes(data)


def cut(folder: Path) -> None:
    forge(folder, lambda files: files.pop("tables/model/performance.json") and None)


def higher(folder: Path) -> None:
    name = "tables/importance/permutation.json"
    forge(folder, lambda files: files.update({name: files[name].replace(b"0.", b"1.", 1)}))


def flip(folder: Path) -> None:
    path = folder / "snapshot.zip"
    path.write_bytes(path.read_bytes().replace(b"0.", b"1.", 1))


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda there, other: shutil.rmtree(there / SNAPSHOT), "SC001"),
        (lambda there, other: flip(there / SNAPSHOT), "SC002"),
        (lambda there, other: cut(there / SNAPSHOT), "SC002"),
        (lambda there, other: higher(there / SNAPSHOT), "SC002"),
        (lambda there, other: (there / SNAPSHOT / "snapshot.json").write_bytes(b"{" * 100_000), "SC002"),
        (lambda there, other: (there / "model.skops").write_bytes((other / "model.skops").read_bytes()), "SC005"),
        (lambda there, other: (there / "MLmodel").open("a").write("\nloader: x\n"), "SC005"),
        (lambda there, other: (there / "code.py").write_text("import os"), "SC005"),
        (lambda there, other: swap(there / SNAPSHOT, other / SNAPSHOT), "SC005"),
    ],
    ids=["missing", "tampered", "cut", "forged", "garbage", "stale", "described anew", "added to", "another's"],
)  # fmt: skip
def test_what_was_changed_past_the_server_is_refused(
    mlflow: Any, server: Server, name: str, damage: Any, code: str
) -> None:
    ref, other = register(mlflow, name), register(mlflow, name, 0.1)
    damage(on_disk(server, mlflow, ref), on_disk(server, mlflow, other))
    assert code in codes(alias(server, name, "1"))
    assert ledger.entries(mlflow.MlflowClient(), name, "champion") == []
    assert alias(server, name, "2")[0] == 200


def test_a_snapshot_of_another_model_is_foreign(mlflow: Any, server: Server, name: str) -> None:
    data = rows()
    X = data.X.assign(age=data.X["debt"] * 2)
    with mlflow.start_run():
        model = type(made()[0])().fit(X, data.y)
        info = mlflow.sklearn.log_model(model, name="m", pip_requirements=["scikit-learn"], input_example=X[:2])
    mlflow.register_model(info.model_uri, name)
    other = register(mlflow, name)
    shutil.copytree(on_disk(server, mlflow, other) / SNAPSHOT, on_disk(server, mlflow, f"models:/{name}/1") / SNAPSHOT)
    assert codes(alias(server, name, "1")) == {"SC006"}


def test_a_version_that_names_another_run_than_its_files(mlflow: Any, server: Server, name: str) -> None:
    """Else nobody could find by a file's path that it is served."""
    client = mlflow.MlflowClient()
    model = one_model(mlflow, register(mlflow, name))
    run = client.create_run("0").info.run_id
    body = {"name": f"{name}-x", "source": f"models:/{model}", "model_id": model, "run_id": run}
    client.create_registered_model(f"{name}-x")
    status, told, _ = ask(server, "POST", f"{API}/model-versions/create", body)
    assert (status, told["model_version"]["run_id"]) == (200, run)
    assert codes(alias(server, f"{name}-x", "1")) == {"source"}


def swap(there: Path, other: Path) -> None:
    shutil.rmtree(there)
    shutil.copytree(other, there)


def test_an_incomplete_a_failed_and_a_bare_snapshot_are_refused(mlflow: Any, server: Server, name: str) -> None:
    model, own = made()
    few = sc.explain(
        model, rows().X, rows().y, policy={"require": {"artifacts": ["importance/permutation"]}}, progress=False
    )
    register(mlflow, name, snapshot=few)
    assert codes(alias(server, name, "1")) == {"SC003"}
    said = Status("failed", "it broke", "boom")
    statuses = {**own.manifest.statuses, "model/performance": said}
    artifacts = {n: d for n, d in own.manifest.artifacts.items() if n != "model/performance"}
    manifest = replace(own.manifest, statuses=statuses, artifacts=artifacts)
    failed = Snapshot(
        manifest, replace(own.record, manifest=manifest.digest, name="", version=0), own.objects, "failed"
    )
    own.objects.put(manifest.document)
    register(mlflow, name, snapshot=failed)
    assert "SC004" in codes(alias(server, name, "2"))


def test_a_binding_of_another_snapshot_is_a_replay(mlflow: Any, server: Server, name: str) -> None:
    ref, other = register(mlflow, name), register(mlflow, name, 0.1)
    mine, theirs = on_disk(server, mlflow, ref) / SNAPSHOT, on_disk(server, mlflow, other) / SNAPSHOT
    shutil.copy(theirs / "attached/binding/000001.json", mine / "attached/binding/000001.json")
    index = json.loads((mine / "snapshot.json").read_text())
    index["files"]["attached/binding/000001.json"] = canonical.digest(
        (mine / "attached/binding/000001.json").read_bytes()
    )
    (mine / "snapshot.json").write_bytes(canonical.dumps(index))
    assert codes(alias(server, name, "1")) == {"SC007"}
    shutil.rmtree(mine / "attached")
    index["files"] = {key: value for key, value in index["files"].items() if not key.startswith("attached/")}
    (mine / "snapshot.json").write_bytes(canonical.dumps(index))
    assert codes(alias(server, name, "1")) == {"SC005"}  # unbound


def test_a_copied_version_keeps_its_snapshot(mlflow: Any, server: Server, name: str) -> None:
    client = mlflow.MlflowClient()
    good, bare = register(mlflow, name), register(mlflow, name, 0.1, snapshot=None)
    client.copy_model_version(good, f"{name}-prod")
    client.copy_model_version(bare, f"{name}-prod")
    assert alias(server, f"{name}-prod", "1")[0] == 200
    assert codes(alias(server, f"{name}-prod", "2")) == {"SC001"}
    assert sc.open(f"models:/{name}-prod@champion").id == made()[1].id


def test_an_alias_is_moved_by_the_gate_and_never_taken_away(mlflow: Any, server: Server, name: str) -> None:
    client = mlflow.MlflowClient()
    register(mlflow, name)
    register(mlflow, name, 0.1)
    client.set_registered_model_alias(name, "champion", "1")
    assert codes(ask(server, "DELETE", f"{API}/registered-models/alias", {"name": name, "alias": "champion"})) == {
        "protected"
    }
    for route, body in (
        ("model-versions/delete", {"name": name, "version": "1"}),
        ("registered-models/delete", {"name": name}),
    ):
        assert codes(ask(server, "DELETE", f"{API}/{route}", body)) == {"served"}
    rename = {"name": name, "new_name": f"{name}-new"}
    assert codes(ask(server, "POST", f"{API}/registered-models/rename", rename)) == {"served"}
    client.delete_model_version(name, "2")
    assert client.get_model_version_by_alias(name, "champion").version == "1"


def test_stages_are_gated_too(mlflow: Any, server: Server, name: str) -> None:
    client = mlflow.MlflowClient()
    register(mlflow, name)
    register(mlflow, name, snapshot=None)
    for prefix in (API, "/ajax-api/2.0/mlflow"):
        for stage in ("Production", "pRoDuCtIoN", "staging"):
            body = {"name": name, "version": "2", "stage": stage, "archive_existing_versions": True}
            assert codes(ask(server, "POST", f"{prefix}/model-versions/transition-stage", body)) == {"SC001"}
    client.transition_model_version_stage(name, "1", "Production")
    assert [one.ref for one in ledger.entries(client, name, "stage.Production")] == [f"models:/{name}/1"]
    body = {"name": name, "version": "1", "stage": "Archived", "archive_existing_versions": False}
    assert codes(ask(server, "POST", f"{API}/model-versions/transition-stage", body)) == {"protected"}
    assert codes(ask(server, "DELETE", f"{API}/model-versions/delete", {"name": name, "version": "1"})) == {"served"}
    client.transition_model_version_stage(name, "2", "Archived")


def test_tags_that_are_not_true_are_refused_and_true_ones_stay(mlflow: Any, server: Server, name: str) -> None:
    client = mlflow.MlflowClient()
    good, bare = register(mlflow, name), register(mlflow, name, 0.1, snapshot=None)
    one, two = (client.get_model_version(name, version_of(ref)) for ref in (good, bare))
    assert one.tags == {} or one.tags["showcause.id"] == made()[1].id
    forged = {"key": "showcause.complete", "value": "true"}
    model_id = client.get_logged_model(one_model(mlflow, bare)).model_id
    for method, route, body in (
        ("POST", "model-versions/set-tag", {"name": name, "version": "2", **forged}),
        ("POST", "model-versions/set-tag", {"name": name, "version": "1", "key": "showcause.id", "value": "0" * 64}),
        ("POST", "model-versions/set-tag", {"name": name, "version": "1", "key": "showcause.blessed", "value": "yes"}),
        ("POST", "model-versions/set-tag", {"name": name, "version": "1", **forged, "value": "false"}),
        ("POST", "runs/set-tag", {"run_id": two.run_id, **forged}),
        ("POST", "runs/log-batch", {"run_id": two.run_id, "tags": [forged]}),
        ("POST", "runs/create", {"experiment_id": "0", "tags": [forged]}),
        ("POST", "registered-models/set-tag", {"name": name, **forged}),
        ("POST", "registered-models/create", {"name": f"{name}-x", "tags": [forged]}),
        ("PATCH", f"logged-models/{model_id}/tags", {"tags": [forged]}),
        ("POST", "logged-models", {"experiment_id": "0", "name": "m", "tags": [forged]}),
        ("POST", "model-versions/create", {"name": name, "source": f"models:/{model_id}", "tags": [forged]}),
    ):  # fmt: skip
        for prefix in (API, "/ajax-api/2.0/mlflow"):
            assert codes(ask(server, method, f"{prefix}/{route}", body)) == {"tag"}, route
    mine = one_model(mlflow, good)
    for method, route, body in (
        ("POST", "runs/delete-tag", {"run_id": one.run_id, "key": "showcause.id"}),
        ("DELETE", "model-versions/delete-tag", {"name": name, "version": "1", "key": "showcause.id"}),
        ("DELETE", f"logged-models/{mine}/tags/showcause.id", None),
    ):
        assert codes(ask(server, method, f"{API}/{route}", body)) == {"tag"}, route
    sc.mlflow.log(made()[1], good, report=False)  # the same again: its own tags are true
    client.set_model_version_tag(name, "1", "team", "risk")
    assert client.get_model_version(name, "1").tags["showcause.id"] == made()[1].id


def one_model(mlflow: Any, ref: str) -> str:
    return str(sc.mlflow.resolve(ref, mlflow.MlflowClient()).model_id)


def test_no_tag_lets_anything_through(mlflow: Any, server: Server, name: str) -> None:
    """Tags written past the server, into its database, change nothing."""
    bare = register(mlflow, name, snapshot=None)
    database = f"sqlite:///{server.folder}/mlflow.db"
    db = mlflow.MlflowClient(database, database)
    for key, value in (("showcause.complete", "true"), ("showcause.id", made()[1].id)):
        db.set_model_version_tag(name, version_of(bare), key, value)
        db.set_registered_model_tag(name, key, value)
    assert codes(alias(server, name, "1")) == {"SC001"}
    db.set_registered_model_tag(name, "mlflow.prompt.is_prompt", "true")  # MLflow then says that there is no such model
    assert alias(server, name, "1")[0] == 404


def test_files_under_what_is_served_are_not_touched(mlflow: Any, server: Server, name: str) -> None:
    client = mlflow.MlflowClient()
    ref = register(mlflow, name)
    files = location(mlflow, ref)
    put = f"/mlflow-artifacts/artifacts/{files}"
    assert ask(server, "PUT", f"/api/2.0{put}/note.txt", b"x")[0] == 200  # not served yet
    assert ask(server, "DELETE", f"/api/2.0{put}/note.txt")[0] == 200
    client.set_registered_model_alias(name, "champion", "1")
    for prefix in ("/api/2.0", "/ajax-api/2.0"):
        for path in (
            f"{put}/explanation_snapshot/manifest.json",
            f"{put}/model.skops",
            f"{put}/./model.skops",
            f"{put}//model.skops",
            f"{put}/%2565xplanation_snapshot/manifest.json",
            f"{put}/x",
        ):
            assert codes(ask(server, "PUT", prefix + path, b"evil")) == {"served"}, path
        for path in (put, f"{put}/explanation_snapshot", put.rpartition("/")[0], "/mlflow-artifacts/artifacts/0"):
            assert codes(ask(server, "DELETE", prefix + path)) == {"served"}, path
        for step in ("create", "complete"):
            where = f"{prefix}/mlflow-artifacts/mpu/{step}/{files}"
            body = {"path": "model.skops", "num_parts": 1, "upload_id": "x", "parts": []}
            assert codes(ask(server, "POST", where, body)) == {"served"}
    model, run = one_model(mlflow, ref), client.get_model_version(name, "1").run_id
    signed = {"model_id": model, "path": "explanation_snapshot/manifest.json"}
    assert codes(ask(server, "POST", f"{API}/artifacts/presigned-upload-url", signed)) == {"served"}
    assert codes(ask(server, "DELETE", f"{API}/logged-models/{model}")) == {"served"}
    assert codes(ask(server, "POST", f"{API}/runs/delete", {"run_id": run})) == {"served"}
    assert codes(ask(server, "POST", f"{API}/experiments/delete", {"experiment_id": "0"})) == {"served"}
    upload = f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path=note.txt"
    plain = {"Content-Type": "application/octet-stream"}
    assert ask(server, "POST", upload, b"a note of the run, not of the model", **plain)[0] == 200
    assert sc.verify(ref) == []


def test_paths_that_climb_out_and_bodies_that_make_no_sense(mlflow: Any, server: Server, name: str) -> None:
    register(mlflow, name, snapshot=None)
    for path in ("../x", "%2e%2e/x", "%252e%252e/x", "a/../../x", "/etc/passwd", "file:///etc/passwd"):
        status, _, _ = ask(server, "PUT", f"/api/2.0/mlflow-artifacts/artifacts/{path}", b"x")
        assert status in (400, 404, 409), path
    assert not (server.folder / "x").exists()
    route = f"{API}/registered-models/alias"
    for body in (
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"null",
        b"\xff\xfe",
        b"{" * 50_000,
        b'{"name":"' + b"a" * 2_000_000 + b'"}',
    ):
        status, _, _ = ask(server, "POST", route, body, **{"Content-Type": "application/json"})
        assert 400 <= status < 600, body[:20]
    for fields in (
        {"name": name}, {"name": name, "alias": "champion"}, {"name": name, "alias": "champion", "version": "9"},
        {"name": name, "alias": "champion", "version": " 1 "}, {"name": name, "alias": "champion", "version": "01"},
        {"name": name, "alias": "champion", "version": 1}, {"name": [name], "alias": "champion", "version": "1"},
    ):  # fmt: skip
        status, _, _ = ask(server, "POST", route, fields)
        assert status != 200, fields
    double = json.dumps(json.dumps({"name": name, "alias": "champion", "version": "1"})).encode()
    assert codes(ask(server, "POST", route, double, **{"Content-Type": "application/json"})) == {"SC001"}
    assert mlflow.MlflowClient().get_registered_model(name).aliases == {}


def test_graphql_changes_nothing(mlflow: Any, server: Server) -> None:
    for query in (
        'mutation { setRegisteredModelAlias(name: "x") { ok } }',
        'mutation { calm: deleteModelVersion(name: "x") { ok } }',
        "mutation { ...F } fragment F on Mutation { evil { ok } }",
    ):
        assert codes(ask(server, "POST", "/graphql", {"query": query})) == {"unknown-route"}
    status, told, _ = ask(server, "POST", "/graphql", {"query": '{ test(inputString: "x") { output } }'})
    assert (status, told["data"]) == (200, {"test": {"output": "x"}})


def test_the_log_is_the_servers(mlflow: Any, server: Server, name: str) -> None:
    client = mlflow.MlflowClient()
    register(mlflow, name)
    entry = sc.promote(f"models:/{name}/1", policy=POLICY)
    run = str(ledger.run_of(client, name))
    home = client.get_run(run).info.experiment_id
    for route, body in (
        ("runs/log-parameter", {"run_id": run, "key": "champion/000002", "value": "x"}),
        ("runs/log-batch", {"run_id": run, "params": [{"key": "champion/000002", "value": "x"}]}),
        ("runs/delete", {"run_id": run}),
        ("runs/update", {"run_id": run, "status": "FINISHED"}),
        ("runs/set-tag", {"run_id": run, "key": "a", "value": "b"}),
        ("experiments/delete", {"experiment_id": home}),
        ("experiments/update", {"experiment_id": home, "new_name": "x"}),
        ("experiments/set-experiment-tag", {"experiment_id": home, "key": ledger.POINTER, "value": "x"}),
    ):
        assert codes(ask(server, "POST", f"{API}/{route}", body)) == {"log"}, route
    assert ledger.entries(client, name, "champion") == [entry]


def test_an_entry_of_another_place_is_refused(mlflow: Any, server: Server, name: str) -> None:
    client = mlflow.MlflowClient()
    register(mlflow, name)
    register(mlflow, name, 0.1)
    first = sc.promote(f"models:/{name}/1", policy=POLICY)
    sc.promote(f"models:/{name}/2", policy=POLICY)
    replay = first.document.decode()
    assert codes(alias(server, name, "1", showcause=replay)) == {"conflict"}
    log = ledger.entries(client, name, "champion")
    for field, value, code in (
        ("alias", f"{name}@other", "entry"), ("ref", f"models:/{name}/2", "entry"), ("manifest", "0" * 64, "entry"),
        ("record", "0" * 64, "entry"), ("policy", "0" * 64, "other-policy"),
        ("at", "2020-01-01T00:00:00+00:00", "bad-time"),
        ("previous", "0" * 64, "conflict"), ("number", 9, "conflict"),
    ):  # fmt: skip
        next_one = replace(first, number=3, previous=log[-1].digest)
        forged = replace(next_one, **{field: value})
        assert codes(alias(server, name, "1", showcause=forged.document.decode())) == {code}, field
    for text in ("", "{}", "[]", 7, "x" * 10_000):
        assert codes(alias(server, name, "1", showcause=text)) == {"entry"}
    assert ledger.entries(client, name, "champion") == log


def test_two_clients_at_once(mlflow: Any, server: Server, name: str) -> None:
    """Six clients set the alias, by REST and by promote: each that was told yes is one entry of one chain."""
    for C in (1.0, 0.1):
        register(mlflow, name, C)
    start, told = threading.Barrier(6), []

    def rest(version: str) -> None:
        start.wait()
        told.append(alias(server, name, version)[0])

    def promoted(version: str) -> None:
        start.wait()
        told.append(200 if sc.promote(f"models:/{name}/{version}", policy=POLICY) else 0)

    threads = [threading.Thread(target=f, args=(v,)) for f in (rest, rest, promoted) for v in ("1", "2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client = mlflow.MlflowClient()
    log = ledger.entries(client, name, "champion")
    assert (told, len(log)) == ([200] * 6, 6)
    assert log[-1].ref == f"models:/{name}/{client.get_model_version_by_alias(name, 'champion').version}"


@pytest.mark.parametrize("text", ["this is no TOML [", "unknown = 1", ""], ids=["garbage", "unknown", "empty"])
def test_a_policy_that_cannot_be_read_or_asks_nothing_refuses(
    mlflow: Any, server: Server, name: str, text: str
) -> None:
    register(mlflow, name)
    before = (server.folder / "showcause.toml").read_text()
    try:
        (server.folder / "showcause.toml").write_text(text)
        assert codes(alias(server, name, "1")) <= {"bad-policy", "SC009"}
        assert codes(ask(server, "DELETE", f"{API}/registered-models/alias", {"name": name, "alias": "champion"}))
    finally:
        (server.folder / "showcause.toml").write_text(before)
    assert alias(server, name, "1")[0] == 200


def test_storage_that_is_gone_refuses(mlflow: Any, server: Server, name: str) -> None:
    ref = register(mlflow, name)
    folder = on_disk(server, mlflow, ref)
    folder.rename(folder.with_name("away"))
    assert codes(alias(server, name, "1")) == {"SC001"}
    folder.write_text("a file where a folder was")
    assert codes(alias(server, name, "1")) <= {"SC001", "SC002"}


def test_a_new_version_without_a_snapshot_is_warned_of(mlflow: Any, server: Server, name: str) -> None:
    with mlflow.start_run():
        info = mlflow.sklearn.log_model(made()[0], name="model", pip_requirements=["scikit-learn"])
    mlflow.MlflowClient().create_registered_model(name)
    body = {"name": name, "source": f"models:/{info.model_id}", "model_id": info.model_id}
    status, _, headers = ask(server, "POST", f"{API}/model-versions/create", body)
    assert (status, "carries no snapshot" in headers["Showcause-Warning"]) == (200, True)
    before = (server.folder / "showcause.toml").read_text()
    try:
        (server.folder / "showcause.toml").write_text(before + '[registry]\nversions = "refuse"\n')
        assert codes(ask(server, "POST", f"{API}/model-versions/create", body)) == {"SC001"}
        sc.mlflow.log(made()[1], info, report=False)
        assert ask(server, "POST", f"{API}/model-versions/create", body)[0] == 200
    finally:
        (server.folder / "showcause.toml").write_text(before)


def test_prompts_are_left_alone(mlflow: Any, server: Server, name: str) -> None:
    tags = [{"key": "mlflow.prompt.is_prompt", "value": "true"}, {"key": "mlflow.prompt.text", "value": "Say {{x}}"}]
    version = {"name": name, "source": "prompt-template", "tags": tags}
    assert ask(server, "POST", f"{API}/registered-models/create", {"name": name, "tags": tags[:1]})[0] == 200
    assert ask(server, "POST", f"{API}/model-versions/create", version)[0] == 200
    assert alias(server, name, "1")[0] == 200
    register(mlflow, f"{name}-m", snapshot=None)
    for route in ("set-tag", "delete-tag"):
        for where, fields in (("registered-models", {}), ("model-versions", {"version": "1"})):
            body = {"name": f"{name}-m", **tags[0], **fields}
            method = "POST" if route == "set-tag" else "DELETE"
            assert codes(ask(server, method, f"{API}/{where}/{route}", body)) == {"tag"}
    body = {"name": f"{name}-m", "source": "prompt-template", "tags": tags}  # it would hide the versions from a search
    assert codes(ask(server, "POST", f"{API}/model-versions/create", body)) == {"tag"}
    assert codes(alias(server, f"{name}-m", "1")) == {"SC001"}


def test_mlflows_evaluation_passes_the_guards(
    mlflow: Any, server: Server, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.models.evaluation.evaluator_registry import _model_evaluation_registry as known

    from showcause.integrations.mlflow.evaluator import Evaluator

    monkeypatch.setattr(known, "_registry", {**known._registry, "showcause": Evaluator})
    model, frame = made()[0], rows().X.assign(paid=rows().y)
    with mlflow.start_run():
        info = mlflow.sklearn.log_model(model, name="model", pip_requirements=["scikit-learn"])
    broken = {**POLICY, "methods": {"model/performance": {"x": 1}}}
    for policy in (POLICY, broken):  # the second is incomplete and replaces nothing
        with mlflow.start_run():
            mlflow.models.evaluate(
                info.model_uri, frame, targets="paid", model_type="classifier", evaluators="showcause",
                evaluator_config={"policy": policy, "report": False},
            )  # fmt: skip
    mlflow.register_model(info.model_uri, name)
    assert alias(server, name, "1")[0] == 200
    served = sc.open(info.model_uri)
    more = {"require": {"artifacts": [*POLICY["require"]["artifacts"], "model/calibration"]}}
    with mlflow.start_run() as run:  # what is served is evaluated again, and keeps what it was gated with
        result = mlflow.models.evaluate(
            info.model_uri, frame, targets="paid", model_type="classifier", evaluators="showcause",
            evaluator_config={"policy": more, "report": False},
        )  # fmt: skip
    assert result.metrics["showcause_complete"] == 1
    assert sc.open(f"runs:/{run.info.run_id}").id != served.id == sc.open(info.model_uri).id
