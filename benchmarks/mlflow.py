"""What the evaluator adds to `mlflow.models.evaluate`, in turn with and without it, against a real server in one run.

    python benchmarks/mlflow.py [--rows 10000] [--train 20000] [--trees 100] [--pairs 7] [--full]

Both sides run MLflow's own classifier evaluator with `log_model_explainability` off, on an XGBoost model from the
registry of an `mlflow server` with sqlite on this machine; the other side runs showcase beside it. Prints a Markdown
table: medians, and the median of the ratios of neighbours, which a busy machine disturbs least.
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
    from mlflow.models.evaluation.evaluator_registry import _model_evaluation_registry
    from sklearn.datasets import make_classification

    from showcause.integrations.mlflow.evaluator import Evaluator

    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    _model_evaluation_registry.register("showcause", Evaluator)  # as its entry point does where it is installed
    X, y = make_classification(options.train + options.rows, 29, n_informative=15, random_state=0)
    frame = pd.DataFrame(X, columns=[f"column_{number}" for number in range(29)])
    model = xgboost.XGBClassifier(n_estimators=options.trees, max_depth=6, n_jobs=2)
    model.fit(frame[: options.train], y[: options.train])
    data = frame[options.train :].assign(label=y[options.train :])
    with tempfile.TemporaryDirectory() as work, server(Path(work)) as uri:
        mlflow.set_tracking_uri(uri)
        with contextlib.redirect_stdout(io.StringIO()), mlflow.start_run():
            logged = mlflow.xgboost.log_model(model, name="model", pip_requirements=[])

        def evaluated(content: str | None) -> tuple[float, Any]:
            names = ["default"] if content is None else ["default", "showcause"]
            config = {"default": {"log_model_explainability": False}, "showcause": {"content": content}}
            began = time.perf_counter()
            with contextlib.redirect_stdout(io.StringIO()), mlflow.start_run():
                result = mlflow.models.evaluate(
                    logged.model_uri, data, targets="label", model_type="classifier", evaluators=names,
                    evaluator_config={name: config[name] for name in names},
                )  # fmt: skip
            return time.perf_counter() - began, result

        contents = ["essential", *(["full"] if options.full else [])]
        cold = {content: evaluated(content)[0] for content in (None, *contents)}
        pairs = {content: [] for content in contents}
        for content in contents:
            for _ in range(options.pairs if content == "essential" else max(1, options.pairs // 3)):
                alone, _ = evaluated(None)
                beside, result = evaluated(content)
                pairs[content].append((alone, beside))
                assert result.metrics["showcause_complete"] == 1, result.artifacts["showcause"].content
    print(
        f"\n{options.rows:,} rows, 29 features, {options.trees} trees of depth 6; MLflow {mlflow.__version__}, "
        f"XGBoost {xgboost.__version__}\n"
    )
    print(
        "| evaluation | first in the process | median | added, median of pairs | least | most |\n"
        "|---|---|---|---|---|---|"
    )
    alone = statistics.median(a for pair in pairs.values() for a, _ in pair)
    print(f"| MLflow's own, without SHAP | {cold[None]:.2f} s | {alone:.2f} s | | | |")
    for content, found in pairs.items():
        added = [beside / alone - 1 for alone, beside in found]
        spread = f"{statistics.median(added):.0%} | {min(added):.0%} | {max(added):.0%}"
        median = statistics.median(b for _, b in found)
        print(f"| with showcause, {content} | {cold[content]:.2f} s | {median:.2f} s | {spread} |")


if __name__ == "__main__":
    main()
