"""What people see in MLflow's UI: a report beside the model, self-contained, for a sandboxed frame."""

from __future__ import annotations

import tempfile
from pathlib import Path

from showcause.core.snapshot import Snapshot
from showcause.integrations.mlflow.refs import Located


def pages(snapshot: Snapshot, located: Located) -> dict[str, bytes]:
    """File name → bytes of what goes into explanation_report/."""
    with tempfile.TemporaryDirectory(prefix="showcause-") as work:
        return {"report.html": snapshot.report(Path(work) / "report.html").read_bytes()}
