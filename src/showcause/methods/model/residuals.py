"""model/residuals: see `compute`.

Formula: `at = mean prediction of the bin's rows`, `value = mean of actual - predicted over them`.

Assumes: Rows are independent, and labels are right.

Misleads:
    - Means near zero do not say that single errors are small: they may cancel.
    - What is right at each prediction may be wrong along a feature or for a group: see segments/calibration.

Cost: A sort of the predictions.
"""

from __future__ import annotations

from showcause.core.errors import ParameterError
from showcause.kernels import curves
from showcause.methods.method import Job, Result, method


@method("model/residuals", kind="curve", needs=("labels", "regression"))
def compute(job: Job, *, bins: int = 20) -> Result:
    """Is the model too high or too low where it predicts little, where it predicts much?

    bins   of nearly equal count, at least 5 rows each where there are as many

    Axis "prediction"; `value` in the target's unit: above 0 the model is too low there. `low`, `high`: 95 % by
    Student's t over rows; `support`: rows in the bin.
    Raises ParameterError for less than one bin.
    Source: Cook & Weisberg 1982 (residuals against fitted values), binned.
    """
    y = job.data.y
    assert y is not None
    if bins < 1:
        raise ParameterError(f"model/residuals: bins must be at least 1, got {bins}")
    curve = curves.binned_mean(job.outputs[:, 0], y - job.outputs[:, 0], bins, minimum=min(5, len(y)))
    spec = {"residual": "actual - predicted", "bins": "of nearly equal count", "intervals": "Student's t"}
    return Result(curves.as_columns([(None, curve)], "prediction"), spec)
