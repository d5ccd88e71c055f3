"""A real MLflow server on this machine, over HTTP, with sqlite and a folder for artifacts; and models in it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

os.environ.update(
    MLFLOW_DISABLE_TELEMETRY="true",
    DO_NOT_TRACK="true",
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false",
    MLFLOW_HTTP_REQUEST_MAX_RETRIES="1",
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
    GIT_PYTHON_REFRESH="quiet",
)
QUIET = tuple(
    f"ignore::{name}Warning" for name in ("Import", "Deprecation", "PendingDeprecation", "Future", "User", "Resource")
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """MLflow warns of its own libraries; our own tests elsewhere hold to no warnings at all."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for line in QUIET:
                item.add_marker(pytest.mark.filterwarnings(line))


@dataclass(frozen=True)
class Server:
    """`uri`: where it listens; `folder`: its database and artifacts."""

    uri: str
    folder: Path
    process: subprocess.Popen[bytes]


def serve(
    folder: Path, *words: str, environment: Mapping[str, str] | None = None, within: float = 90, health: str = "/health"
) -> Server:
    """Start `mlflow server` with sqlite and artifacts in `folder`, and wait until it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"),
        *("--artifacts-destination", str(folder / "artifacts"), "--serve-artifacts", *words),
    ]
    source = str(Path(__file__).parents[2] / "src")
    path = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
    clean = {k: v for k, v in os.environ.items() if k not in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=folder, start_new_session=True,
            env={**clean, "PYTHONPATH": path, **(environment or {})},
        )  # fmt: skip
    uri, until = f"http://127.0.0.1:{port}", time.monotonic() + within
    while True:
        try:
            with urllib.request.urlopen(uri + health, timeout=2) as answer:
                if answer.status == 200:
                    return Server(uri, folder, process)
        except OSError:
            pass
        if process.poll() is not None or time.monotonic() > until:
            stop(process)
            raise RuntimeError((folder / "server.log").read_text()[-3000:])
        time.sleep(0.2)


def stop(process: subprocess.Popen[bytes]) -> None:
    """The server and the workers that it started, at once: it waits long for connections that are kept open."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of a worker."""
    started = serve(tmp_path_factory.mktemp("mlflow-server"))
    yield started
    stop(started.process)


@pytest.fixture
def mlflow(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module, set to the server."""
    yield from connected(server, monkeypatch)


def connected(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    import mlflow

    for variable in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):  # MLflow sets both for subprocesses
        monkeypatch.setenv(variable, server.uri)
    mlflow.set_tracking_uri(server.uri)
    mlflow.set_registry_uri(server.uri)
    monkeypatch.setattr("mlflow.tracking.fluent._active_experiment_id", None)  # another server has others
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
    yield mlflow
    while mlflow.active_run() is not None:
        mlflow.end_run()
    os.environ.pop("MLFLOW_EXPERIMENT_ID", None)
    mlflow.set_tracking_uri(None)
    mlflow.set_registry_uri(None)


@dataclass(frozen=True)
class Rows:
    X: pd.DataFrame
    y: pd.Series


def rows(seed: int = 0, count: int = 120) -> Rows:
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"income": rng.normal(50, 10, count), "debt": rng.normal(20, 5, count)})
    return Rows(X, pd.Series((X["income"] - X["debt"] + rng.normal(0, 5, count) > 30).astype(int), name="paid"))


FEW = {"require": {"artifacts": ["importance/permutation", "model/performance"]}}  # a snapshot in a second


def snapshot_of(model: Any, data: Rows | None = None, **options: Any) -> Any:
    """A small snapshot of a fitted model."""
    import showcause as sc

    data = data or rows()
    return sc.explain(model, data.X, data.y, **{"policy": FEW, "progress": False, **options})
