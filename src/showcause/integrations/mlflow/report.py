"""What people see in MLflow's UI, beside the model: the reports, and every figure and table in a form that it shows.

    report.html officer.html     self-contained, for the UI's sandboxed frame
    figures/NAME.svg             shown as an image
    tables/NAME.csv              shown as a table; cells that a spreadsheet would take for a formula are put in quotes

All are pure functions of the snapshot. Nothing is ever read back from them.
"""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path
from typing import Any

from showcause.core.artifact import Artifact
from showcause.core.snapshot import Snapshot
from showcause.integrations.mlflow.refs import REPORT

MAX_ROWS = 5_000  # a longer table is no reading; the snapshot holds it
FORMULA = ("=", "+", "-", "@", "\t", "\r")
BEGIN, END = "<!-- showcause -->", "<!-- /showcause -->"


def pages(snapshot: Snapshot, *, figures: bool = True) -> dict[str, bytes]:
    """File name → bytes of what goes into explanation_report/; drawing a figure takes some 50 ms."""
    from showcause.views.notebook import svg

    with tempfile.TemporaryDirectory(prefix="showcause-") as work:
        files = {
            f"{stem}.html": snapshot.report(Path(work) / f"{stem}.html", audience=audience).read_bytes()
            for stem, audience in (("report", "engineer"), ("officer", "officer"))
        }
    for name, artifact in snapshot.items():
        if figures and artifact.kind != "rows":
            files[f"figures/{name}.svg"] = svg(artifact).encode()
        if artifact.table.num_rows <= MAX_ROWS:
            files[f"tables/{name}.csv"] = table(artifact)
    return files


def table(artifact: Artifact) -> bytes:
    """The table as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_cell(name) for name in artifact.table.column_names])
    for row in artifact.table.to_pylist():
        writer.writerow([_cell(value) for value in row.values()])
    return out.getvalue().encode()


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def described(before: str | None, snapshot: Snapshot, link: str) -> str:
    """A version's description with a paragraph about its snapshot, which replaces the one of an earlier snapshot."""
    kept = before or ""
    if BEGIN in kept and END in kept[kept.index(BEGIN) :]:
        kept = kept[: kept.index(BEGIN)] + kept[kept.index(END, kept.index(BEGIN)) + len(END) :]
    state = "complete" if snapshot.complete else "INCOMPLETE"
    where = f"[the report]({link})" if link else f"{REPORT}/report.html among the model's artifacts"
    said = f"Explained by snapshot `{snapshot.id[:12]}`, {state}: {where}."
    return "\n\n".join(part for part in (kept.strip(), f"{BEGIN}\n{said}\n{END}") if part)
