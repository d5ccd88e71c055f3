"""segments/importance: see `compute`.

Formula: `value_j = mean over the segment's rows of loss(column j shuffled) - loss(as it was)`, from the row-level
    differences that importance/permutation keeps.

Assumes: As of importance/permutation.

Misleads:
    - Columns are shuffled among all rows and not within the segment: a row may get what nobody of its segment has.
    - Where a model is worse anyway its losses move more: a larger value need not mean that it leans on the column more.
    - The bounds leave out the chance of the donors, which importance/permutation counts in.

Cost: Nothing beyond the permutation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from showcause.adapters.dataset import MIN_CELL, insufficient
from showcause.adapters.frame import Rows
from showcause.core.errors import ParameterError
from showcause.kernels import intervals
from showcause.methods.method import Job, Result, method


@method(
    "segments/importance",
    kind="importance",
    needs=("labels", "segments"),
    uses=("importance/permutation",),
    in_snapshot={"features": 30},
)
def compute(job: Job, *, features: int | None = None) -> Result:
    """Does the model lean on other features for some people than for others?

    features   None, or at most so many: those that matter most over all rows (the spec states the cap)

    Within each level of each declared segment and protected column. Values of all levels of a column, weighted by their
    rows, average to the importance over all. `low`, `high`: 95 % over the level's rows by Student's t (noise "rows").
    Levels below 30 rows are null and say "insufficient: N rows".
    Raises ParameterError for less than one feature.
    Source: Fisher, Rudin & Dominici 2019 (model reliance), row by row.
    """
    if features is not None and features < 1:
        raise ParameterError(f"segments/importance: features must be at least 1, got {features}")
    used = job.uses["importance/permutation"]
    matrix = _table(used.blobs["row_loss_differences"])
    rows = _rows(job, used.blobs.get("row_positions"), matrix.num_rows)
    names = job.top_features(features)
    differences = np.column_stack([matrix[name].to_numpy() for name in names])
    place = np.full(len(job.data), -1)
    place[rows] = np.arange(len(rows))
    columns: dict[str, list[Any]] = {key: [] for key in ("feature", "value", "low", "high", "error", "noise", "note")}
    columns |= {key: [] for key in ("segment", "by", "level")}
    counts = {}
    for segment in job.data.all_segments():
        inside = place[segment.rows]
        inside = inside[inside >= 0]
        counts[segment.name] = len(inside)
        for j, name in enumerate(names):
            found = _mean(differences[inside, j])
            line = {"feature": name, "segment": segment.name, "by": segment.by, "level": segment.level, **found}
            for key, values in columns.items():
                values.append(line[key])
    cap = {} if len(names) == len(job.data.X.names) else {"cap": {"features": len(names), "of": len(job.data.X.names)}}
    facts = {name: used.spec[name] for name in ("loss", "space", "repeats", "rows") if name in used.spec}
    return Result(
        columns, {**facts, **cap, "counts": counts, "minimum": MIN_CELL, "intervals": "Student's t over rows"}
    )


def _mean(values: Rows) -> dict[str, Any]:
    if len(values) < MIN_CELL:
        nothing = dict.fromkeys(("value", "low", "high", "error"), np.nan)
        return {**nothing, "noise": None, "note": insufficient(len(values))}
    value, low, high = intervals.mean(values)
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    return {"value": value, "low": low, "high": high, "error": error, "noise": "rows", "note": None}


def _table(data: bytes) -> pa.Table:
    return pa.ipc.open_file(pa.BufferReader(data)).read_all()


def _rows(job: Job, positions: bytes | None, count: int) -> Rows:
    """Row numbers in this dataset of the matrix's rows, which may be a sample."""
    if positions is None:
        return np.arange(count)
    return job.row_of(_table(positions)["position"].to_numpy())
