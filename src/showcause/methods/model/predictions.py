"""model/predictions: see `compute`.

Formula: `prediction = f(x_i)`, and the decision taken from it by spec.rule.

Assumes: The threshold is the one decided by.

Misleads:
    - Single predictions carry no interval: what another training would say stands in refits/reasons.
    - Of more than two classes it is the output of the class decided for, which is another one from row to row.

Cost: One prediction of the rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from showcause.kernels.loss import loss_name, row_losses
from showcause.methods.method import Job, Result, method, positive


@method("model/predictions", kind="rows")
def compute(job: Job, *, rows: int | None = 20_000) -> Result:
    """What does the model predict and decide for each row?

    rows   at most so many, a seeded sample; None: every row

    `row` is the position in what was given, `id` the user's own. `prediction` is the output of classes_[1] (binary), of
    the class decided for (more classes) or the value predicted; `decision` the class decided for by the decision's rule
    and `label` the class that came out; regression has `actual`. `loss` is the row's own loss, where labels were given:
    log-loss in nats, squared error, or 1 for a wrong decision by scores (spec.loss). Between two snapshots of the same
    rows it says exactly whose outcome flipped, and pairs their losses. Left out where the policy keeps no rows.
    Source: the model itself.
    """
    positive(rows=rows)
    picked = job.sample(rows)
    outputs = job.outputs[picked]
    columns: dict[str, Any] = {"row": job.data.positions[picked], "prediction": outputs[:, 0]}
    if job.data.ids is not None:
        columns["id"] = [job.data.ids[row] for row in picked]
    spec: dict[str, Any] = {"prediction_of": "the target", **job.rows_spec(picked)}
    if job.model.classes:
        decided = job.decision.classes(outputs)
        if not job.model.binary:
            columns["prediction"] = outputs[np.arange(len(picked)), decided]
        columns["decision"] = [job.model.classes[k] for k in decided]
        spec["prediction_of"] = job.model.classes[1] if job.model.binary else "the class decided for"
        spec |= {"decision": job.decision.document, "rule": job.decision.rule}
    if job.data.y is not None:
        actual = job.data.y[picked]
        named = [job.model.classes[k] for k in actual] if job.model.classes else actual
        columns["label" if job.model.classes else "actual"] = named
        columns["loss"] = row_losses(job.model.space, outputs, actual)
        spec["loss"] = loss_name(job.model.space)
    return Result(columns, spec)
