"""importance/permutation: see `compute`."""

from __future__ import annotations

import numpy as np

from showcause.kernels.loss import loss_name, row_losses
from showcause.methods.method import Job, Result, method


@method("importance/permutation", kind="importance", needs=("labels",))
def compute(job: Job, *, repeats: int = 5) -> Result:
    """How much worse do predictions get when one column is shuffled among the rows?

    `value` is the mean over rows and repeats of loss(shuffled) - loss(as it was): log-loss for probabilities (nats),
    squared error for regression, error rate for scores. `low` and `high` bound 95 % over rows (noise "rows");
    `error` is the standard error over repeats alone would understate, so it is that of the row means.
    Source: Breiman 2001; Fisher, Rudin & Dominici 2019 (model reliance, difference form). Compared with scikit-learn.
    """
    data, model = job.data, job.model
    assert data.y is not None
    before = row_losses(model.space, job.outputs, data.y)
    names = data.X.names
    means, errors = np.empty(len(names)), np.empty(len(names))
    for j, name in enumerate(names):
        difference = np.zeros(len(data))
        for repeat in range(repeats):
            donors = job.rng("permutation", name, repeat).permutation(len(data))
            shuffled = data.X.mix(np.arange(len(data)), {name: donors})
            difference += (row_losses(model.space, model.predict(shuffled), data.y) - before) / repeats
        means[j] = difference.mean()
        errors[j] = difference.std(ddof=1) / np.sqrt(len(data)) if len(data) > 1 else np.nan
        job.tick((j + 1) / len(names))
    order = np.argsort(-means, kind="stable")
    columns = {
        "feature": [names[j] for j in order],
        "value": means[order],
        "low": (means - 1.96 * errors)[order],
        "high": (means + 1.96 * errors)[order],
        "error": errors[order],
        "noise": "rows",
    }
    return Result(columns, {"loss": loss_name(model.space), "space": "loss"})
