"""quality/additivity: see `compute`.

Formula:
    - `additivity_max`, `additivity_mean`: the largest and the mean `|base + Σ_j phi_j - prediction|` over rows and
      classes, in the attribution's space.
    - `prediction_gap`: the largest `|link(prediction) - model.predict|` over the same rows, in the model's own space.

Assumes: The attribution promises to add up, as Shapley values do (efficiency).

Misleads:
    - Values that add up may still be of the wrong game or background, or be shared out wrongly: one column could get
      all.
    - Libraries apply their link in float32, hence the wider limit of the gap.

Cost: Sums of what the attribution holds. `sc.compute` makes it first, with its own defaults and for every row: of a
    model without trees and with more than ten columns up to 50,000 evaluations a row, so give few rows.
"""

from __future__ import annotations

import numpy as np

from showcause.adapters.frame import Rows
from showcause.adapters.trees import tree_view
from showcause.core.artifact import Artifact
from showcause.methods.method import Job, Result, method

LIMIT = 1e-6  # of the residual, relative to the largest prediction in its space, at least 1
GAP_LIMIT = 1e-4  # between the explained prediction and the model's own; libraries apply their link in float32

NOTES = [
    "Additivity: the base and the contributions of a row add up to its prediction; what is left over is the residual.",
    "Prediction gap: the prediction that is explained is the one that the model gives.",
]


@method("quality/additivity", kind="score", uses=("attribution/tree_shap|attribution/shapley",))
def compute(job: Job) -> Result:
    """Do the contributions add up to the prediction, and is that the model's own prediction?

    `reference` is the limit, at most: 1e-6 of the largest prediction in its space for the residuals, 1e-4 of the
    model's largest output for the gap, of 1 where those are smaller.
    Source: Shapley 1953 (efficiency).
    """
    name, artifact = next((n, a) for n, a in job.uses.items() if n.startswith("attribution/"))
    total, base, prediction, rows = _sums(job, artifact)
    residual = np.abs(base + total - prediction)
    limit = LIMIT * max(1.0, float(np.abs(prediction).max()))
    response = prediction
    if artifact.spec.get("link", "identity") != "identity":
        response = tree_view(job.model, job.data.X).response(prediction)
    own = job.outputs[rows]
    gap = float(np.abs(response - own).max())
    metrics = ["additivity_max", "additivity_mean", "prediction_gap"]
    values = np.array([residual.max(), residual.mean(), gap])
    limits = np.array([limit, limit, GAP_LIMIT * max(1.0, float(np.abs(own).max()))])
    beyond = values > limits
    notes = [
        *NOTES,
        *(
            f"{m} is {v:.3g}, beyond its limit of {r:.3g}: the contributions in {name} cannot be relied on."
            for m, v, r, bad in zip(metrics, values, limits, beyond, strict=True)
            if bad
        ),
    ]
    columns = {
        "metric": metrics,
        "value": values,
        "count": [len(rows)] * 3,
        "reference": limits,
        "note": ["beyond its limit" if bad else None for bad in beyond],
    }
    spec = {
        "of": name,
        "space": artifact.spec["space"],
        "rows": artifact.spec["rows"],
        "limit": "at most",
        "passed": not beyond.any(),
        "notes": notes,
    }
    return Result(columns, spec)


def _sums(job: Job, artifact: Artifact) -> tuple[Rows, Rows, Rows, Rows]:
    """(rows, targets) sums of values, bases and predictions, and the row numbers: the table stands row by row, target
    by target, feature by feature."""
    table, shape = artifact.table, (-1, len(job.target_names), len(job.data.X.names))
    total = table["value"].to_numpy().reshape(shape).sum(axis=2)
    base, prediction = (table[name].to_numpy().reshape(shape)[:, :, 0] for name in ("base", "prediction"))
    positions = table["example"].to_numpy().reshape(shape)[:, 0, 0]
    return total, base, prediction, job.row_of(positions)
