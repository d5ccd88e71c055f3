"""importance/shap: see `compute`.

Formula: `value_j = mean over rows i of |phi_ij|`; what the encoded columns of one raw column add is summed before it is
    made absolute.

Assumes: As of the attribution that it is made from.

Misleads:
    - It says how much a column moves outputs, not how much it helps them to be right: see importance/permutation. A
      model that overfits moves outputs by noise.
    - A column that moves few rows much looks like one that moves all a little: see dependence/shap.
    - In log-odds rows that are sure anyway count as much as those at the threshold.

Cost: Nothing beyond the attribution. `sc.compute` makes it first: of trees for every row, of a black box within a
    million evaluations, over as many rows as these afford (`spec["rows"]`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from showcause.core import attributions
from showcause.core.columns import extend
from showcause.kernels.ranks import LEVEL, interval, rank_bounds
from showcause.kernels.shuffle import of_differences
from showcause.methods.method import Job, Result, method


@method("importance/shap", kind="importance", uses=("attribution/tree_shap|attribution/shapley",))
def compute(job: Job) -> Result:
    """How much does each feature move the predictions, up or down, on average?

    `value` is of a raw column, one a target, in the attribution's output space; rows, background and game are the
    attribution's. `error` is the standard error over the examples; where the attributions have Monte Carlo noise, drawn
    apart for each example, their spread holds it too. `low` and `high` are Student's t at 95 %. Such noise also pushes
    a mean of absolute values up: the spec's monte_carlo_bias bounds by how much at most. `rank_low` and `rank_high`
    bound each feature's rank within its target, for all features at once at 95 % (kernels/ranks.py).
    Source: Lundberg & Lee 2017; Lundberg et al. 2020; ranks after Goldwasser & Hooker 2025 and Holm 1979.
    """
    names = list(job.data.X.names)
    (source,) = [job.uses[n] for n in ("attribution/tree_shap", "attribution/shapley") if n in job.uses][:1]
    found = attributions.read(source, names, job.target_names)
    sizes = np.abs(found.values)  # (examples, features, targets)
    n = len(sizes)
    value = sizes.mean(axis=0)
    order = np.argsort(-value.sum(axis=1), kind="stable")
    columns: dict[str, list[Any]] = {}
    for k, target in enumerate(job.target_names):
        apart = sizes[:, :, k] - value[:, k]
        rows = apart.T @ apart / (n - 1) / n if n > 1 else np.full((len(names),) * 2, np.nan)
        error = np.sqrt(np.diag(rows))
        low, high = interval(value[:, k], error, n)
        rank_low, rank_high = rank_bounds(value[:, k], of_differences(rows), n)
        extend(
            columns,
            len(names),
            feature=[names[j] for j in order],
            value=value[order, k],
            target=target,
            low=low[order],
            high=high[order],
            error=error[order],
            noise="rows",
            rank_low=rank_low[order],
            rank_high=rank_high[order],
        )
    if not job.model.targets:
        del columns["target"]
    spec: dict[str, Any] = {
        **found.spec,
        "errors": "one standard error over the examples explained; Monte Carlo noise of the attributions is part of it",
        "ranks": {"test": "paired t on absolute values, two-sided, Holm", "level": LEVEL},
    }
    if found.errors is not None and np.nan_to_num(found.errors).any():
        bias = float(np.sqrt(2 / np.pi) * np.nan_to_num(found.errors).mean(axis=0).max())
        spec["monte_carlo_bias"] = bias
        spec["notes"] = [f"Monte Carlo noise of the attributions raises a value by {bias:.2g} at most."]
    return Result(columns, spec)
