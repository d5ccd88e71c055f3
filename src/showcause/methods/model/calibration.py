"""model/calibration: see `compute`.

Formula: mean outcome against mean prediction in bins of equal counts, with Wilson intervals.

Assumes: Rows are independent; labels are right.

Misleads: A model that is calibrated on average may not be for a group: see segments/calibration. Wide bins hide
    bends.

Cost: A sort of the predictions.
"""

from __future__ import annotations

from showcause.core.errors import ParameterError
from showcause.kernels import curves
from showcause.methods.method import Job, Result, method


@method("model/calibration", kind="curve", needs=("labels", "classification", "probability"))
def compute(job: Job, *, bins: int = 10) -> Result:
    """When the model says 30 %, does it happen in 30 of 100 cases?

    Axis "prediction": the mean probability of the rows in a bin; value the share of them that came out so; the
    diagonal is perfect. `bins` bins of nearly equal count, rows of equal prediction together; with more than two
    classes each class against the rest, by `target`. spec.expected_error is the mean of |value - at| over rows (the
    expected calibration error of these bins; it is above 0 by chance alone). `low`, `high`: Wilson's 95 %; `support`:
    rows in the bin. Compared with scikit-learn's calibration_curve(strategy="quantile").
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
