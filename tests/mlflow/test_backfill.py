"""Versions that were registered before anybody asked for a snapshot."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from xgboost import XGBClassifier

import showcause as sc
from showcause.cli import run
from showcause.integrations.mlflow.artifacts import listing, put
from showcause.integrations.mlflow.refs import SNAPSHOT
from tests.mlflow.conftest import FEW, rows, snapshot_of


def registered(mlflow: Any, name: str, *models: Any) -> None:
    for module, model, options in models:
        with mlflow.start_run():
            module.log_model(model, name="model", pip_requirements=[], registered_model_name=name, **options)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SHOWCAUSE_STORE", raising=False)
    data = rows()
    data.X.assign(paid=data.y).to_csv("test.csv", index=False)
    Path("few.toml").write_text('[require]\nartifacts = ["importance/permutation", "model/performance"]\n')
    return tmp_path


@pytest.fixture
def name() -> str:
    return f"credit-{uuid.uuid4().hex[:8]}"


def booster(trees: int) -> XGBClassifier:
    return XGBClassifier(n_estimators=trees, n_jobs=1).fit(rows().X, rows().y)


def words(name: str) -> list[str]:
    return ["backfill", f"models:/{name}", "--data", "test.csv", "--label", "paid", "--policy", "few.toml"]


def test_what_can_be_explained_is_and_the_rest_is_said(
    mlflow: Any, name: str, work: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data, forest = rows(), RandomForestClassifier(3, random_state=0)
    forest.fit(data.X, data.y)
    pickled = LogisticRegression().fit(data.X, data.y)
    wider = LogisticRegression().fit(data.X.assign(age=1.0), data.y)
    trusted = {"skops_trusted_types": sc.mlflow.trusted_types(forest)}
    registered(
        mlflow,
        name,
        (mlflow.xgboost, booster(3), {}),
        (mlflow.sklearn, forest, trusted),
        (mlflow.sklearn, pickled, {"serialization_format": "cloudpickle"}),
        (mlflow.sklearn, wider, {}),
    )
    mine = snapshot_of(booster(3), rows(seed=5))
    sc.mlflow.log(mine, f"models:/{name}/1")
    code = run(words(name))
    said = capfd.readouterr().out
    assert code == 1
    assert "1 explained, 1 there already, 2 not or not wholly explained" in said
    assert sc.open(f"models:/{name}/1").id == mine.id  # nothing is overwritten
    assert sc.open(f"models:/{name}/2").complete
    for version, code_, why in (("3", "bad-model", "runs whatever code it holds"), ("4", "bad-", "age")):
        (line,) = [line for line in said.splitlines() if line.startswith(f"models:/{name}/{version} ")]
        assert code_ in line
        assert why in line
    assert run([*words(name), "--allow-pickle"]) == 1
    assert "1 explained, 2 there already, 1 not" in capfd.readouterr().out
    assert "allow-pickle" in str(sc.open(f"models:/{name}/3").record.configuration["consents"])


def test_a_kill_leaves_what_the_next_run_completes(mlflow: Any, name: str, work: Path) -> None:
    registered(mlflow, name, *[(mlflow.xgboost, booster(trees), {}) for trees in (2, 3, 4)])
    source = str(Path(sc.__file__).parents[1])
    command = [sys.executable, "-m", "showcause", *words(name)]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": source}, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        process.send_signal(signal.SIGKILL)
    assert f"models:/{name}/1: explained".encode() in first
    kept = sc.open(f"models:/{name}/1").record.digest
    assert run(words(name)) == 0
    assert sc.open(f"models:/{name}/1").record.digest == kept
    assert all(sc.open(f"models:/{name}/{version}").complete for version in (1, 2, 3))


def test_ctrl_c_says_what_was_done(mlflow: Any, name: str, work: Path) -> None:
    registered(mlflow, name, *[(mlflow.xgboost, booster(trees), {}) for trees in (2, 3)])
    source = str(Path(sc.__file__).parents[1])
    command = [sys.executable, "-m", "showcause", *words(name)]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": source}, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        process.stderr.readline()
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read().decode()
    assert process.returncode == 130
    assert "interrupted: 1 explained, 0 there already" in said


def test_an_upload_that_was_cut_off_is_made_again_and_a_strange_one_is_left(mlflow: Any, name: str) -> None:
    registered(mlflow, name, (mlflow.xgboost, booster(2), {}), (mlflow.xgboost, booster(3), {}))
    first, second = (sc.mlflow.resolve(f"models:/{name}/{version}") for version in (1, 2))
    put(first, SNAPSHOT, {"manifest.json": b"{}"})  # as if killed before the index was sent
    put(second, SNAPSHOT, {"snapshot.json": b"{}"})
    data = rows()
    lines = sc.mlflow.backfill(f"models:/{name}", data.X, data.y, policy=FEW, progress=False)
    assert [line.state for line in lines] == ["explained", "not explained"]
    assert lines[1].code == "corrupt"
    assert listing(second, SNAPSHOT) == {f"{SNAPSHOT}/snapshot.json": 2}


def test_a_copy_carries_what_its_source_was_given(mlflow: Any, name: str) -> None:
    registered(mlflow, name, (mlflow.xgboost, booster(2), {}))
    mlflow.MlflowClient().copy_model_version(f"models:/{name}/1", f"{name}-prod")
    data = rows()
    (line,) = sc.mlflow.backfill(f"models:/{name}", data.X, data.y, policy=FEW, progress=False)
    (copy,) = sc.mlflow.backfill(f"models:/{name}-prod/1", data.X, data.y, policy=FEW, progress=False)
    assert (line.state, copy.state, copy.id) == ("explained", "there already", line.id)


@pytest.mark.parametrize("ref", ["models:/nobody-at-all", "credit", "models:/", "runs:/0123"])
def test_what_is_no_registered_model_is_said(mlflow: Any, ref: str) -> None:
    with pytest.raises((sc.NotFound, sc.ParameterError)):
        sc.mlflow.backfill(ref, rows().X, rows().y, progress=False)
