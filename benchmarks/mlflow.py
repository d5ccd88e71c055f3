"""What the evaluator adds to `mlflow.models.evaluate`, in turn with and without it, against a real server in one run.

    python benchmarks/mlflow.py [--rows 10000] [--train 20000] [--trees 100] [--pairs 7] [--full]

Both sides run MLflow's own classifier evaluator with `log_model_explainability` off, on an XGBoost model from the
registry of an `mlflow server` with sqlite on this machine; the other side runs showcause beside it. Prints a Markdown
table: medians, and the median of the ratios of neighbours, which a busy machine disturbs least. Every evaluation with
showcause is of a model logged anew, since whatever a model carries MLflow downloads with it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "GIT_PYTHON_REFRESH": "quiet"}
os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"

ALONE = "MLflow's own, without SHAP"
AGAIN = "with showcause, of a model that carries a snapshot already"


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    """The address of an MLflow server with sqlite and artifacts in `folder`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    log = (folder / "server.log").open("wb")
    process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, start_new_session=True)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health"):
                yield f"http://127.0.0.1:{port}"
                return
            time.sleep(0.2)
        raise SystemExit((folder / "server.log").read_text()[-2000:])
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--train", type=int, default=20_000)
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--full", action="store_true", help="also with every method there is")
    options = parser.parse_args()
    sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).parent]  # not this file
    import mlflow
    import pandas as pd
    import xgboost
    from sklearn.datasets import make_classification

    import showcause.integrations.mlflow.entry  # noqa: F401  # as MLflow does where the package is installed

    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    X, y = make_classification(options.train + options.rows, 29, n_informative=15, random_state=0)
    frame = pd.DataFrame(X, columns=[f"column_{number}" for number in range(29)])
    model = xgboost.XGBClassifier(n_estimators=options.trees, max_depth=6, n_jobs=2)
    model.fit(frame[: options.train], y[: options.train])
    data = frame[options.train :].assign(label=y[options.train :])
    ours, without = {"content": "essential"}, {"log_model_explainability": False}
    ways: dict[str, tuple[Any, Any]] = {
        ALONE: ("default", without),
        "with showcause": (None, without),  # no code change: all evaluators there are
        AGAIN: (None, without),
        "with showcause, named after MLflow's own": (
            ["default", "showcause"],
            {"default": without, "showcause": ours},
        ),
    }
    if options.full:
        ways["with showcause, every method"] = (None, {**without, "content": "full"})
    with tempfile.TemporaryDirectory() as work, server(Path(work)) as uri:
        mlflow.set_tracking_uri(uri)

        def logged() -> str:
            with contextlib.redirect_stdout(io.StringIO()), mlflow.start_run():
                return str(mlflow.xgboost.log_model(model, name="model", pip_requirements=[]).model_uri)

        def evaluated(way: str, uri: str) -> float:
            names, words = ways[way]
            began = time.perf_counter()
            with contextlib.redirect_stdout(io.StringIO()), mlflow.start_run():
                result = mlflow.models.evaluate(
                    uri, data, targets="label", model_type="classifier", evaluators=names, evaluator_config=words
                )
            took = time.perf_counter() - began
            assert ("showcause_complete" in result.metrics) == (way != ALONE)
            assert result.metrics.get("showcause_complete", 1) == 1, result.artifacts["showcause"].content
            return took

        plain = logged()
        cold = {way: evaluated(way, plain if way == ALONE else logged()) for way in ways}
        pairs: dict[str, list[tuple[float, float]]] = {way: [] for way in ways if way != ALONE}
        for _ in range(options.pairs):
            for way, found in pairs.items():
                before = evaluated(ALONE, plain)
                uri = logged()  # one that carries nothing yet
                found.append((before, evaluated(way, uri)))
                if way == AGAIN:
                    found[-1] = (before, evaluated(way, uri))
    print(
        f"\n{options.rows:,} rows, 29 features, {options.trees} trees of depth 6; MLflow {mlflow.__version__}, "
        f"XGBoost {xgboost.__version__}\n"
    )
    print(
        "| evaluation | first in the process | median | added, median of pairs | least | most |\n"
        "|---|---|---|---|---|---|"
    )
    alone = statistics.median(a for pair in pairs.values() for a, _ in pair)
    print(f"| {ALONE} | {cold[ALONE]:.2f} s | {alone:.2f} s | | | |")
    for way, found in pairs.items():
        added = [beside / alone - 1 for alone, beside in found]
        spread = f"{statistics.median(added):.0%} | {min(added):.0%} | {max(added):.0%}"
        print(f"| {way} | {cold[way]:.2f} s | {statistics.median(b for _, b in found):.2f} s | {spread} |")


if __name__ == "__main__":
    main()
