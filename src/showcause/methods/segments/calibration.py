"""segments/calibration: see `compute`.

Formula: model/calibration within each segment: `at = mean prediction of the bin's rows`, `value = share of them that
    came out so`; of a regression their mean actual value.

Assumes: Rows are independent; labels are as right in one segment as in another.

Misleads:
    - Small segments have few bins and wide intervals, and many segments make chance findings likely.
    - Groups with different shares of positives cannot in general have equal calibration and equal error rates: see
      segments/fairness.

Cost: A sort of the predictions for each segment.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from showcause.adapters.dataset import MIN_CELL
from showcause.adapters.frame import Rows
from showcause.core.errors import NotApplicable, ParameterError
from showcause.kernels import curves
from showcause.kernels.curves import Curve
from showcause.methods.method import Job, Result, method


@method("segments/calibration", kind="curve", needs=("labels", "segments"))
def compute(job: Job, *, bins: int = 5) -> Result:
    """When the model says 30 %, does it happen in 30 of 100 cases, whoever is concerned?

    bins   at most so many, of nearly equal count and at least 30 rows, so a small level has fewer

    Within each level of each declared segment and protected column (calibration by group); with more than two classes
    by `target`, each against the rest. `low`, `high`: 95 %, Wilson or Student's t; `support`: rows in the bin. Levels
    below 30 rows are null and say "insufficient: N rows".
    Raises NotApplicable for a model of scores, ParameterError for less than one bin.
    Source: Pleiss et al. 2017 (calibration by group); Wilson 1927.
    """
    if job.model.space == "score":
        raise NotApplicable("the model gives no probabilities")
    if bins < 1:
        raise ParameterError(f"segments/calibration: bins must be at least 1, got {bins}")
    data = job.data
    assert data.y is not None
    parts: list[dict[str, Any]] = []
    for segment in data.all_segments():
        place = {"segment": segment.name, "by": segment.by, "level": segment.level}
        for k, target in enumerate(job.target_names):
            if segment.insufficient:
                parts.append({**place, "target": target, "support": len(segment.rows), "note": segment.insufficient})
                continue
            curve = _curve(job, segment.rows, k, bins)
            for i in range(len(curve.at)):
                point = {name: getattr(curve, name)[i] for name in ("at", "value", "low", "high", "support")}
                noise = "rows" if point["low"] == point["low"] else None
                parts.append({**place, "target": target, **point, "noise": noise})
    wanted = ("at", "value", "low", "high", "noise", "support", "segment", "by", "level", "target", "note")
    empty = {"at": np.nan, "value": np.nan, "low": np.nan, "high": np.nan}
    columns: dict[str, Any] = {name: [part.get(name, empty.get(name)) for part in parts] for name in wanted}
    if not job.model.classes:
        del columns["target"]
    shown = "share of rows that came out so" if job.model.classes else "mean actual value"
    spec = {
        "value": shown,
        "bins": f"of nearly equal count, at least {MIN_CELL} rows each",
        "minimum": MIN_CELL,
        "intervals": "Wilson" if job.model.classes else "Student's t",
    }
    return Result({**columns, "feature": ["prediction"] * len(parts)}, spec)


def _curve(job: Job, rows: Rows, k: int, bins: int) -> Curve:
    assert job.data.y is not None
    predicted, y = job.outputs[rows, k], job.data.y[rows]
    if not job.model.classes:
        return curves.binned_mean(predicted, y, bins, MIN_CELL)
    return curves.calibration(predicted, y == (1 if job.model.binary else k), bins, MIN_CELL)
