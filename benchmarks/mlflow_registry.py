"""A registry of 300 models on a real MLflow server with the plugin: what the gate costs.

    python benchmarks/mlflow_registry.py [MODELS]

Prints how fast `showcause check models:/ --all` goes from a client over HTTP, what setting an alias takes with the gate
and without, and what the plugin adds to requests that it lets by (median of 300 requests, plain and guarded server
taking turns on the same database).
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
import urllib.request
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.pop(0)  # this folder has an mlflow.py
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from tests.mlflow.conftest import Server, serve, stop
from tests.mlflow.guarded import ask, guarded
from tests.mlflow.registry import POLICY, register

REQUESTS = 300
API = "/api/2.0/mlflow"


def main(models: int) -> None:
    import mlflow

    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as work, guarded(Path(work)) as server:
        os.environ["MLFLOW_TRACKING_URI"] = server.uri
        mlflow.set_tracking_uri(server.uri)
        mlflow.set_registry_uri(server.uri)
        begun = time.perf_counter()
        for number in range(models):
            register(mlflow, f"model-{number:03d}")
        print(f"{models} models logged with their snapshots and registered in {time.perf_counter() - begun:.0f} s")
        checked(models)
        plain = serve(Path(work) / "plain", "--backend-store-uri", f"sqlite:///{work}/mlflow.db")
        try:
            latencies(server, plain)
        finally:
            stop(plain.process)


def checked(models: int) -> None:
    """`showcause check models:/ --all`, in this process."""
    import showcause as sc
    from showcause.integrations.mlflow.gate import everything

    begun = time.perf_counter()
    refs = everything()
    listed = time.perf_counter() - begun
    verdicts = [sc.check(ref, POLICY, keep=False) for ref in refs]
    seconds = time.perf_counter() - begun
    good = sum(verdict.blessed for verdict in verdicts)
    print(f"check models:/ --all: {good} of {len(refs)} blessed in {seconds:.1f} s ({listed:.2f} s to list them), "
          f"{len(refs) / seconds:.1f} a second")  # fmt: skip
    assert (good, len(refs)) == (models, models)


def latencies(server: Server, plain: Server) -> None:
    body: dict[str, Any] = {"experiment_ids": ["0"], "max_results": 1}
    calls: dict[str, Callable[[Server], Any]] = {
        "get a registered model": lambda at: got(at, f"{API}/registered-models/get?name=model-000"),
        "search runs (POST, let by)": lambda at: ask(at, "POST", f"{API}/runs/search", body),
        "set a tag of a version": lambda at: ask(
            at, "POST", f"{API}/model-versions/set-tag", {"name": "model-000", "version": "1", "key": "k", "value": "v"}
        ),
        "upload a small file": lambda at: ask(
            at, "PUT", f"/api/2.0/mlflow-artifacts/artifacts/0/{'0' * 32}/artifacts/x.txt", b"x"
        ),
    }
    for what, call in calls.items():
        times: dict[str, list[float]] = {plain.uri: [], server.uri: []}
        for at in [plain, server] * REQUESTS:
            begun = time.perf_counter()
            call(at)
            times[at.uri].append(time.perf_counter() - begun)
        one, two = (statistics.median(times[at.uri]) * 1e3 for at in (plain, server))
        print(f"{what}: {one:.2f} ms plain, {two:.2f} ms guarded, {two - one:+.2f} ms")
    for at, words in ((server, "with the gate"), (replace(plain), "without")):
        spent = []
        for number in range(30):
            begun = time.perf_counter()
            fields = {"name": f"model-{number:03d}", "alias": "champion", "version": "1"}
            assert ask(at, "POST", f"{API}/registered-models/alias", fields)[0] == 200
            spent.append(time.perf_counter() - begun)
        print(f"set an alias {words}: {statistics.median(spent) * 1e3:.1f} ms, median of {len(spent)}")


def got(at: Server, path: str) -> bytes:
    with urllib.request.urlopen(at.uri + path, timeout=30) as answer:
        return bytes(answer.read())


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
