"""model/gain: see `compute`.

Formula: `at = k / n`, `value = positives among the first k rows by prediction / all positives`.

Assumes: The rows have the share of positives that will be met, and are independent.

Misleads:
    - It speaks of ranking alone; a calibrated and an uncalibrated model look the same.
    - The best possible curve depends on the share of positives (spec.best): curves of two data sets do not compare.

Cost: A sort of the predictions.
"""

from __future__ import annotations

from showcause.core.errors import NotApplicable
from showcause.kernels import curves
from showcause.methods.method import Job, Result, method


@method("model/gain", kind="curve", needs=("labels", "classification"))
def compute(job: Job) -> Result:
    """Looking at this share of the rows, highest prediction first (at), what share of the positives is found (value)?

    Axis "share of rows"; cumulative gains; with more than two classes each class against the rest, by `target`. Rows of
    equal prediction are taken together. Chance is the diagonal, the best possible reaches 1 at spec.best. At most 200
    points, evenly along the curve, ends included. `low`, `high`: Wilson's 95 % of the share found, the cut being given;
    `support`: rows looked at.
    Raises NotApplicable where there is no positive row.
    Source: Ling & Li 1998 (lift and gain); Wilson 1927.
    """
    y = job.data.y
    assert y is not None
    found, notes, best = [], [], {}
    for k, target in enumerate(job.target_names):
        positive = y == (1 if job.model.binary else k)
        best[str(target)] = float(positive.mean())
        if not positive.any():
            notes.append(f"No row is {target}: it has no curve.")
            continue
        found.append((target, curves.gain(job.outputs[:, k], positive)))
    if not found:
        raise NotApplicable(f"no row is {job.model.classes[1]}: there is nothing to find")
    spec = {"points": curves.POINTS, "intervals": "Wilson", "best": best, "notes": notes}
    return Result(curves.as_columns(found, "share of rows"), spec)
