"""The lines of docs/trackers.md, run by interpreters that have the trackers, which bring pins of their own.

SHOWCAUSE_TRACKERS names one Python or more, with `:` between them: one with `pip install wandb comet_ml dagster kedro`,
one with `pip install 'zenml[local]'`, one with `pip install apache-airflow`. Without, these tests are skipped and say
so.
"""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import showcause as sc
from tests.test_docs import ROOT, blocks

PYTHONS = list(filter(None, os.environ.get("SHOWCAUSE_TRACKERS", "").split(os.pathsep)))
LINES = {
    block.mark.rpartition(" ")[2]: block.code
    for block in blocks(ROOT / "docs" / "trackers.md")
    if "test_trackers.py runs it with" in block.mark
}
QUIET = {
    "WANDB_SILENT": "true",
    "DO_NOT_TRACK": "1",
    "KEDRO_DISABLE_TELEMETRY": "1",
    "ZENML_ANALYTICS_OPT_IN": "false",
    "COMET_LOGGING_CONSOLE": "error",
}


def test_every_tracker_has_its_lines() -> None:
    assert list(LINES) == ["wandb", "comet_ml", "dagster", "kedro", "zenml", "airflow"]


def run(name: str, folder: Path, also: str = "") -> Path:
    """The lines of one tracker beside an exported snapshot, offline; skipped where its package is not there."""
    found = [p for p in PYTHONS if not subprocess.run([p, "-c", f"import {name}"], capture_output=True).returncode]
    if not found:
        pytest.skip(f"no Python that SHOWCAUSE_TRACKERS names ({PYTHONS}) has {name}")
    if not (folder / "credit-7").exists():
        frame = pd.DataFrame({"a": np.arange(50.0), "b": np.arange(50) % 7})
        labels = (frame["a"] > 25).astype(int)
        few = {"require": {"artifacts": ["model/performance"]}}
        model = LogisticRegression().fit(frame, labels)
        sc.explain(model, frame, labels, policy=few).export(folder / "credit-7")
    (folder / "lines.py").write_text(LINES[name])
    (folder / "check.py").write_text(f"from lines import *\n{also}")
    environment = {**os.environ, **QUIET, "HOME": str(folder), "ZENML_CONFIG_PATH": str(folder / "zen")}
    environment |= {"AIRFLOW_HOME": str(folder), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    environment |= {"AIRFLOW__CORE__DAGS_FOLDER": str(folder), "MODELS": f"file://{folder}/models"}
    done = subprocess.run(
        [found[0], "check.py"], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=180
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.mark.nightly
def test_weights_and_biases_holds_every_file(tmp_path: Path) -> None:
    found = run("wandb", tmp_path)
    (log,) = found.glob("wandb/offline-run-*/run-*.wandb")
    said = log.read_bytes()
    assert b"credit-explanation" in said
    assert b"showcause_complete" in said
    assert b"artifacts/model/performance.json" in said


@pytest.mark.nightly
def test_comet_holds_every_file_and_number(tmp_path: Path) -> None:
    (archive,) = run("comet_ml", tmp_path).glob("comet/*.zip")
    with zipfile.ZipFile(archive) as packed:
        messages = packed.read("messages.json").decode()
    assert "credit-7/artifacts/model/performance.json" in messages
    assert "showcause_complete" in messages


@pytest.mark.nightly
def test_dagster_materializes_and_checks_it(tmp_path: Path) -> None:
    passed = "result.get_asset_check_evaluations()[0].passed"
    found = run("dagster", tmp_path, f"assert result.success and {passed}")
    metrics = json.loads((found / "credit-7" / "metrics.json").read_text())
    (found / "credit-7" / "metrics.json").write_text(json.dumps({**metrics, "showcause_complete": 0}))
    run("dagster", tmp_path, f"assert not {passed}")


@pytest.mark.nightly
def test_kedro_keeps_the_folder_as_it_was(tmp_path: Path) -> None:
    found = run("kedro", tmp_path)
    assert sc.open(found / "data/08_reporting/credit-7").id == sc.open(found / "credit-7").id


@pytest.mark.nightly
def test_zenml_keeps_every_file(tmp_path: Path) -> None:
    (packed,) = run("zenml", tmp_path).rglob("data.tar.gz")
    with tarfile.open(packed) as archive:
        archive.extractall(tmp_path / "back", filter="data")
    (index,) = (tmp_path / "back").rglob("snapshot.json")
    assert sc.open(index.parent).id == sc.open(tmp_path / "credit-7").id


@pytest.mark.nightly
def test_airflow_puts_it_where_the_asset_says_and_fails_on_an_incomplete_one(tmp_path: Path) -> None:
    database = "from airflow.utils.db import initdb\ninitdb()\n"
    found = run("airflow", tmp_path, f"{database}assert run.test().state == 'success'")
    assert sc.open(found / "models/credit-7/explanation").id == sc.open(found / "credit-7").id
    metrics = json.loads((found / "credit-7" / "metrics.json").read_text())
    (found / "credit-7" / "metrics.json").write_text(json.dumps({**metrics, "showcause_complete": 0}))
    run("airflow", tmp_path, f"{database}assert run.test().state == 'failed'")
