"""importance/interaction: see `compute`.

Formula: Shapley interaction indices of pairs, summed leaf by leaf; mean of the absolute values over rows.

Assumes: The model is a sum of trees that could be seen through.

Misleads: Interactions are of the model, in its additive output: log-odds create some in probability and hide others.

Cost: Leaves × depth² patterns; seconds for hundreds of trees.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from showcause.adapters.games import fitting
from showcause.adapters.trees import tree_view, without_trees
from showcause.core.columns import extend
from showcause.kernels.ranks import interval
from showcause.methods.method import BACKGROUND_ROWS, Job, Result, method


@method(
    "importance/interaction",
    kind="importance",
    needs=("two features",),
    applies=without_trees,
    in_snapshot={"max_rows": 200, "max_cells": 1_000_000, "max_visits": 20_000_000, "limit": 20},
)
def compute(
    job: Job,
    *,
    game: Literal["interventional", "path-dependent"] = "interventional",
    limit: int | None = None,
    max_rows: int | None = None,
    max_cells: int | None = None,
    max_visits: int | None = None,
) -> Result:
    """Which two features add to predictions only together, exactly, for models made of trees?

    `value` is the mean over the rows of the absolute Shapley interaction value of a pair of raw columns, both of its
    halves, in the model's additive output (spec.space), by `game` as in attribution/tree_shap. `error` is its standard
    error over the rows, `low` and `high` Student's t at 95 %. Pairs that no tree tests on one path have exactly 0.
    `limit` keeps the strongest pairs (all where None); `max_rows`, `max_cells` (rows × columns² × classes) and
    `max_visits` (rows × leaves) cap the rows, `max_visits` the background not given as well; the spec says of how many.
    Source: Lundberg et al. 2020, the Shapley interaction index. Compared with 2^p enumeration, shap and XGBoost's
    pred_interactions. See dependence/interaction for a measure of any model, in its own output space.
    """
    view = tree_view(job.model, job.data.X)
    n, outputs, names = view.columns, len(view.outputs), job.data.X.names
    visits = fitting(None, max_visits, int(view.forest.is_leaf.sum()))
    wanted = [k for k in (fitting(max_rows, max_cells, n * n * outputs), visits) if k is not None]
    rows = job.sample(min(wanted, default=None))
    behind = BACKGROUND_ROWS if visits is None else min(BACKGROUND_ROWS, visits)
    background = job.background(behind) if game == "interventional" else None
    sizes = np.abs(2.0 * view.interactions(job.data.X.take(rows), background))  # (rows, columns, columns, outputs)
    i, j = np.triu_indices(n, 1)
    strength = sizes[:, i, j].mean(axis=0)  # (pairs, outputs)
    errors = (
        sizes[:, i, j].std(axis=0, ddof=1) / np.sqrt(len(rows)) if len(rows) > 1 else np.full_like(strength, np.nan)
    )
    order = np.argsort(-strength.sum(axis=1), kind="stable")[:limit]
    columns: dict[str, list[Any]] = {}
    for k, target in enumerate(view.outputs):
        low, high = interval(strength[order, k], errors[order, k], len(rows))
        extend(
            columns,
            len(order),
            feature=[names[p] for p in i[order]],
            feature_b=[names[p] for p in j[order]],
            value=strength[order, k],
            target=target,
            low=np.maximum(low, 0.0),
            high=high,
            error=errors[order, k],
            noise="rows",
        )
    if not job.model.targets:
        del columns["target"]
    spec = {
        **view.document,
        **job.rows_spec(rows),
        **({} if background is None else job.background_spec(background)),
        "game": game,
        "estimator": "exact",
        **({} if len(order) == len(i) else {"cap": {"pairs": len(order), "of": len(i)}}),
    }
    return Result(columns, spec)
