"""model/precision_recall: see `compute`.

Formula: Of the rows from a threshold on: `recall = true positives / positives` (at), `precision = true positives / rows
    decided positive` (value), at every threshold.

Assumes: The rows have the share of positives that will be met, and are independent.

Misleads:
    - Precision changes with that share; curves of two data sets do not compare.
    - At low recall it rests on few rows: see `support`. Between two points precision does not run along a straight
      line.

Cost: A sort of the predictions.
"""

from __future__ import annotations

from showcause.core.errors import NotApplicable
from showcause.kernels import curves
from showcause.methods.method import Job, Result, method


@method("model/precision_recall", kind="curve", needs=("labels", "classification"))
def compute(job: Job) -> Result:
    """How sure is a positive decision (value) when this share of the positive rows is to be found (at)?

    Axis "recall", value the precision at the highest threshold that reaches it; with more than two classes each class
    against the rest, by `target`. spec.baseline is the share of positive rows: the precision of chance. At most 200
    points, evenly along the curve. `low`, `high`: Wilson's 95 % of the precision; `support`: rows decided positive.
    Raises NotApplicable where there is no positive row.
    Source: Davis & Goadrich 2006; Wilson 1927. Compared with scikit-learn's average_precision_score.
    """
    y = job.data.y
    assert y is not None
    found, notes, baseline = [], [], {}
    for k, target in enumerate(job.target_names):
        positive = y == (1 if job.model.binary else k)
        baseline[str(target)] = float(positive.mean())
        if not positive.any():
            notes.append(f"No row is {target}: it has no curve.")
            continue
        found.append((target, curves.precision_recall(job.outputs[:, k], positive)))
    if not found:
        raise NotApplicable(f"no row is {job.model.classes[1]}: there is no recall")
    spec = {"points": curves.POINTS, "intervals": "Wilson", "baseline": baseline, "notes": notes}
    return Result(curves.as_columns(found, "recall"), spec)
