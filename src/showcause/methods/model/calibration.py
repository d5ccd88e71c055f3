"""model/calibration: see `compute`.

Formula:
    - `at = mean prediction of the bin's rows`, `value = share of them that came out so`.
    - spec.expected_error: `Σ over bins of rows in the bin / rows · |value - at|`.

Assumes: Rows are independent, and labels are right.

Misleads:
    - A model that is calibrated on average may not be for a group: see segments/calibration.
    - Wide bins hide bends: in the lowest bin the mean may be right and every row wrong.
    - Bounds are of each bin alone: of ten bins of a perfect model one or more misses the diagonal in four of ten
      charts. The expected error is above 0 by chance, the more so the more bins.

Cost: A sort of the predictions.
"""

from __future__ import annotations

from showcause.core.errors import ParameterError
from showcause.kernels import curves
from showcause.methods.method import Job, Result, method


@method("model/calibration", kind="curve", needs=("labels", "classification", "probability"))
def compute(job: Job, *, bins: int = 10) -> Result:
    """When the model says 30 %, does it happen in 30 of 100 cases?

    bins   of nearly equal count, rows of equal prediction together

    Axis "prediction"; the diagonal is perfect. With more than two classes each class against the rest, by `target`.
    `low`, `high`: Wilson's 95 %; `support`: rows in the bin.
    Raises ParameterError for less than one bin.
    Source: DeGroot & Fienberg 1983 (reliability diagrams); Naeini, Cooper & Hauskrecht 2015 (expected calibration
    error); Wilson 1927. Compared with scikit-learn's calibration_curve(strategy="quantile").
    """
    y = job.data.y
    assert y is not None
    if bins < 1:
        raise ParameterError(f"model/calibration: bins must be at least 1, got {bins}")
    found = []
    for k, target in enumerate(job.target_names):
        positive = y == (1 if job.model.binary else k)
        found.append((target, curves.calibration(job.outputs[:, k], positive, bins)))
    errors = {str(t): float((abs(c.value - c.at) * c.support).sum() / c.support.sum()) for t, c in found}
    spec = {"expected_error": errors, "bins": "of nearly equal count", "intervals": "Wilson"}
    return Result(curves.as_columns(found, "prediction"), spec)
