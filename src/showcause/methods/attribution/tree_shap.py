"""attribution/tree_shap: see `compute`.

Formula: The same values as attribution/shapley, summed leaf by leaf: what a leaf adds depends only on which
    conditions of its path the row and the background row meet.

Assumes: The model is a sum of trees that could be seen through, also in a Pipeline; the background rows are the
    comparison that is meant.

Misleads: The values are in the trees' own additive output, such as log-odds, not in probability. Correlated columns
    share what they have in common as the trees happened to split.

Cost: Tables of patterns once, then microseconds a row; growing with leaves times depth, hardly with the background.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from showcause.adapters.games import attribution_columns, fitting
from showcause.adapters.trees import tree_view, without_trees
from showcause.methods.method import BACKGROUND_ROWS, Job, Result, method


@method(
    "attribution/tree_shap",
    kind="attribution",
    after=("examples/representative",),
    applies=without_trees,
    in_snapshot={"max_rows": 2_000, "max_cells": 80_000, "max_visits": 100_000_000},
)
def compute(
    job: Job,
    *,
    game: Literal["interventional", "path-dependent"] = "interventional",
    max_rows: int | None = None,
    max_cells: int | None = None,
    max_visits: int | None = None,
) -> Result:
    """What did each column add to each prediction, exactly, for models made of trees?

    `base` + the `value`s of a row = its `prediction`, all in the model's additive output (spec.space: log-odds,
    softmax-margin, probability, target or log-target; spec.link leads from there to the model's own output). In the
    interventional game an absent column takes the values of the background rows; in the path-dependent one both
    branches of a split are followed, weighed by the training rows. Values are those of the raw columns: the encoded
    columns of one raw column move together. `max_rows`, `max_cells` (rows × columns × classes) and `max_visits` (rows ×
    leaves) cap the rows, and `max_visits` the background that is not given as well; the spec says how many there were.
    Source: Lundberg et al. 2020; Nadel & Wettenstein 2025; Wettenstein, Mitchell & Yu 2026. Compared with 2^p
    enumeration, shap, and the contributions of XGBoost and LightGBM.
    """
    view = tree_view(job.model, job.data.X)
    leaves = int(view.forest.is_leaf.sum())
    visits = fitting(None, max_visits, leaves)
    wanted = [n for n in (fitting(max_rows, max_cells, view.columns * len(view.outputs)), visits) if n is not None]
    rows = job.sample(min(wanted, default=None), include=job.example_rows)
    explained = job.data.X if len(rows) == len(job.data) else job.data.X.take(rows)
    behind = BACKGROUND_ROWS if visits is None else min(BACKGROUND_ROWS, visits)
    background = job.background(behind) if game == "interventional" else None
    phi, base = view.values(explained, background, game)
    predictions = view.predict(explained)
    residual = np.abs(phi.sum(axis=1) + base - predictions)
    spec = {
        **view.document,
        **job.rows_spec(rows),
        **({} if background is None else job.background_spec(background)),
        "game": game,
        "estimator": "exact",
        "additivity": {"max": residual.max(), "mean": residual.mean()},
    }
    return Result(attribution_columns(job.data, rows, view.outputs, (phi, base, predictions)), spec)
