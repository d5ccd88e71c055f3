"""model/roc: see `compute`.

Formula: Of the rows from a threshold on: `false positive rate = false positives / negatives` (at), `recall = true
    positives / positives` (value), at every threshold.

Assumes: Rows are independent, and labels are right.

Misleads:
    - With rare positives a good curve may still mean mostly false alarms: see model/precision_recall.
    - It speaks of ranking alone, and of thresholds at which nobody decides.

Cost: A sort of the predictions.
"""

from __future__ import annotations

from showcause.core.errors import NotApplicable
from showcause.kernels import curves
from showcause.methods.method import Job, Result, method


@method("model/roc", kind="curve", needs=("labels", "classification"))
def compute(job: Job) -> Result:
    """How many positive rows are found (value) at the price of how many false alarms (at), whatever the threshold?

    Axis "false positive rate"; with more than two classes each class against the rest, by `target`. A step function:
    the largest recall at this false positive rate. At most 200 points, evenly along the curve, ends included. `low`,
    `high`: Wilson's 95 % of the recall, the threshold being given; `support`: rows decided positive at that point.
    Raises NotApplicable where the rows are all of one class.
    Source: Fawcett 2006; Wilson 1927. Compared with scikit-learn's roc_curve.
    """
    y = job.data.y
    assert y is not None
    found, notes = [], []
    for k, target in enumerate(job.target_names):
        positive = y == (1 if job.model.binary else k)
        if positive.all() or not positive.any():
            notes.append(f"The rows have no two outcomes for {target}: it has no curve.")
            continue
        found.append((target, curves.roc(job.outputs[:, k], positive)))
    if not found:
        raise NotApplicable("the rows are all of one class")
    spec = {"points": curves.POINTS, "interpolation": "step", "intervals": "Wilson", "notes": notes}
    return Result(curves.as_columns(found, "false positive rate"), spec)
