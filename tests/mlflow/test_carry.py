"""A snapshot travels with its model: logged, registered, copied, downloaded."""

from __future__ import annotations

import contextlib
import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression

import showcause as sc
from showcause.cli import run
from showcause.core import canonical
from showcause.integrations.mlflow.binding import PREDICATE, Binding, bindings, digests, problem
from showcause.integrations.mlflow.carry import bind
from showcause.trust.dsse import Statement
from tests.mlflow.conftest import FEW, rows, snapshot_of


def trained(**options: Any) -> LogisticRegression:
    data = rows()
    return LogisticRegression(**options).fit(data.X, data.y)


def logged(mlflow: Any, model: Any, **options: Any) -> Any:
    with mlflow.start_run():
        return mlflow.sklearn.log_model(model, name="model", pip_requirements=[], **options)


@pytest.fixture
def name() -> str:
    return f"credit-{uuid.uuid4().hex[:8]}"


def test_it_is_there_after_registration_copy_and_download(mlflow: Any, name: str) -> None:
    model = trained()
    snapshot = snapshot_of(model)
    info = logged(mlflow, model)
    sc.mlflow.log(snapshot, info)
    client = mlflow.MlflowClient()
    mlflow.register_model(info.model_uri, name)
    client.copy_model_version(f"models:/{name}/1", f"{name}-prod")
    client.set_registered_model_alias(f"{name}-prod", "champion", "1")
    for ref in (info.model_uri, f"models:/{name}/1", f"models:/{name}-prod/1", f"models:/{name}-prod@champion"):
        assert sc.open(ref).id == snapshot.id
        folder = mlflow.artifacts.download_artifacts(ref)
        assert sc.open(f"{folder}/explanation_snapshot").id == snapshot.id
        (binding,) = bindings(sc.open(ref))
        assert (binding.manifest, binding.model) == (snapshot.id, snapshot.manifest.model["digest"])
        assert problem(binding, folder) == ""
        assert "explanation_report/report.html" in digests(folder)


def test_another_model_is_refused(mlflow: Any) -> None:
    info = logged(mlflow, trained(C=0.01))
    with pytest.raises(sc.ModelError, match="not the one that"):
        sc.mlflow.log(snapshot_of(trained()), info)
    with pytest.raises(sc.NotFound, match="carries no explanation_snapshot"):
        sc.open(info.model_uri)


def test_a_run_carries_one_too(mlflow: Any) -> None:
    snapshot = snapshot_of(trained())
    with mlflow.start_run() as run:
        sc.mlflow.log(snapshot)
    assert sc.open(f"runs:/{run.info.run_id}").id == snapshot.id
    assert mlflow.MlflowClient().get_run(run.info.run_id).data.tags["showcause.id"] == snapshot.id


def test_tags_and_description_reach_a_version_that_is_registered_later(mlflow: Any, name: str) -> None:
    model, client = trained(), mlflow.MlflowClient()
    snapshot, info = snapshot_of(model), logged(mlflow, model)
    sc.mlflow.log(snapshot, info)
    mlflow.register_model(info.model_uri, name)
    assert client.get_model_version(name, "1").tags == {}
    sc.promote(f"models:/{name}/1", policy=FEW)
    version = client.get_model_version(name, "1")
    assert version.tags["showcause.id"] == client.get_logged_model(info.model_id).tags["showcause.id"] == snapshot.id
    assert f"artifacts/explanation_report/{info.model_id}.html" in version.description


def test_a_model_among_a_runs_artifacts_as_mlflow_2_kept_them_carries_one_too(
    mlflow: Any, name: str, tmp_path: Path
) -> None:
    model, client = trained(), mlflow.MlflowClient()
    mlflow.sklearn.save_model(model, str(tmp_path / "m"), pip_requirements=[])
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(tmp_path / "m"), "old")
    ref = f"runs:/{run.info.run_id}/old"
    client.create_registered_model(name)
    client.create_model_version(name, f"{run.info.artifact_uri}/old", run.info.run_id)
    snapshot = snapshot_of(model)
    assert sc.mlflow.log(snapshot, f"models:/{name}/1").model_id is None
    assert sc.open(ref).id == sc.open(f"models:/{name}/1").id == snapshot.id
    assert not client.list_artifacts(run.info.run_id, "explanation_snapshot")  # not the run's own
    assert sc.mlflow.load(ref).flavour == "sklearn"


def test_several_who_attach_at_once_lose_nothing(mlflow: Any, tmp_path: Path) -> None:
    from showcause.trust.keys import create

    key, model = create(tmp_path / "a.key"), trained()
    info = logged(mlflow, model)
    sc.mlflow.log(snapshot_of(model), info, report=False)

    def sign(number: int) -> str:
        return sc.sign(info.model_uri, key=key, role=f"reviewer-{number}")

    with ThreadPoolExecutor(3) as pool:
        digests = list(pool.map(sign, range(3)))
    snapshot = sc.open(info.model_uri)  # reads, with every digest checked
    assert sorted(map(canonical.digest, snapshot.attached("signature"))) == sorted(digests)


@pytest.mark.parametrize(("times", "fetched"), [(2, True), (3, False)])
def test_a_file_that_breaks_off_is_asked_for_again(tmp_path: Path, times: int, fetched: bool) -> None:
    """As where another client is writing it at that moment."""
    from requests.exceptions import ChunkedEncodingError

    from showcause.integrations.mlflow.artifacts import _download

    class Breaks:
        def __init__(self) -> None:
            self.left = times

        def _download_file(self, name: str, path: str) -> None:
            self.left -= 1
            if self.left >= 0:
                raise ChunkedEncodingError("Connection broken: IncompleteRead(0 bytes read, 311 more expected)")
            Path(path).write_text(name)

    with contextlib.suppress(ChunkedEncodingError):
        _download(Breaks(), ["a/b.json"], tmp_path)
    assert (tmp_path / "a/b.json").is_file() == fetched


def test_a_signed_binding_says_what_the_key_signed(mlflow: Any, tmp_path: Path) -> None:
    from showcause.trust.keys import create

    key, model = create(tmp_path / "a.key"), trained()
    info, snapshot = logged(mlflow, model), snapshot_of(model)
    sc.mlflow.log(snapshot, info, key=key, report=False)
    (binding,) = bindings(sc.open(info.model_uri))
    assert binding.envelope is not None
    assert binding.envelope.signed_by(key.public, binding.envelope.signatures[0])
    forged = binding.said | {"model": "0" * 64}
    statement = Statement({"manifest": snapshot.id, "model": binding.model}, PREDICATE, forged)
    with pytest.raises(sc.Corrupt, match="another snapshot or model"):
        Binding.read(key.sign(statement).document)


def test_logging_again_replaces_what_was_there(mlflow: Any) -> None:
    model = trained()
    info = logged(mlflow, model)
    first, second = snapshot_of(model), snapshot_of(model, seed=1)
    sc.mlflow.log(first, info, report=False)
    sc.mlflow.log(second, info, report=False)
    assert sc.open(info.model_uri).id == second.id != first.id


@pytest.mark.parametrize("change", ["a byte", "an added file", "a dropped file", "a key of MLmodel", "a volatile key"])
def test_the_binding_fits_these_files_alone(change: str, tmp_path: Path) -> None:
    import mlflow

    folder = tmp_path / "m"
    mlflow.sklearn.save_model(trained(), str(folder), pip_requirements=[])
    binding = bind(snapshot_of(trained()), folder)
    assert problem(binding, folder) == ""
    text = (folder / "MLmodel").read_text()
    if change == "a byte":
        (folder / "requirements.txt").write_text("evil\n")
    elif change == "an added file":
        (folder / "code").mkdir()
        (folder / "code" / "evil.py").write_text("")
    elif change == "a dropped file":
        (folder / "conda.yaml").unlink()
    elif change == "a key of MLmodel":
        (folder / "MLmodel").write_text(text.replace("model.skops", "other.skops"))
    else:
        (folder / "MLmodel").write_text(f"run_id: another\n{text}")
    wanted = {"a byte": "requirements.txt was changed", "an added file": "code/evil.py was added"}
    wanted |= {"a dropped file": "conda.yaml is missing", "a key of MLmodel": "MLmodel was changed"}
    assert problem(binding, folder) == wanted.get(change, "")


def test_names_with_spaces_and_other_alphabets_work(mlflow: Any, name: str) -> None:
    model = trained()
    sc.mlflow.log(snapshot_of(model), info := logged(mlflow, model), report=False)
    for strange in (f"Kredit-Modell für {name} 信用", f"{name}?a=1&b#c", f"{name}@home", f'it\'s "{name}"'):
        mlflow.register_model(info.model_uri, strange)
        sc.promote(f"models:/{strange}/1", "champion", policy=FEW)
        assert sc.open(f"models:/{strange}@champion").id == sc.open(f"models:/{strange}/latest").id
        assert sc.check(f"models:/{strange}@champion", FEW).blessed
        assert run(["log", f"models:/{strange}@champion"]) == 0
    (there,) = sc.mlflow.backfill(f"models:/{strange}", rows().X)
    assert there.state == "there already"


def test_a_target_may_be_whatever_mlflow_hands_out(mlflow: Any, name: str) -> None:
    model, client = trained(), mlflow.MlflowClient()
    info, snapshot = logged(mlflow, model), snapshot_of(model)
    version = mlflow.register_model(info.model_uri, name)
    run = client.get_run(info.run_id)
    targets = {
        "what log_model returned": (info, info.model_uri),
        "a logged model": (client.get_logged_model(info.model_id), info.model_uri),
        "a model version": (version, f"models:/{name}/1"),
        "an alias": (f"models:/{name}/latest", f"models:/{name}/1"),
        "a run": (run, f"runs:/{info.run_id}"),
        "a run's id": (info.run_id, f"runs:/{info.run_id}"),
        "a run as text": (f"runs:/{info.run_id}", f"runs:/{info.run_id}"),
        "a run's model": (f"runs:/{info.run_id}/model", info.model_uri),
    }
    for what, (target, ref) in targets.items():
        assert sc.mlflow.log(snapshot, target, report=False).ref == ref, what
    for wrong in (None, 7, "no such run"):
        with pytest.raises(sc.ShowcauseError):
            sc.mlflow.log(snapshot, wrong, report=False)


def test_bars_of_mlflow_are_back_after_threads_were_at_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from showcause.integrations.mlflow.artifacts import BARS, _quiet

    monkeypatch.setenv(BARS, "true")
    barrier = Barrier(4)

    def within(_: int) -> str:
        with _quiet():
            barrier.wait()
            return os.environ[BARS]

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(within, range(4))) == {"false"}
    assert os.environ[BARS] == "true"
