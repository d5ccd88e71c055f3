"""attribution/tree_shap: see `compute`.

Formula:
    - Interventional: of a leaf with value v and one background row, let A be the a columns whose conditions on the path
      to the leaf the row alone meets, B the b columns whose conditions the background row alone meets. Where neither
      meets some column's the leaf adds nothing; else `phi_j = v (a - 1)! b! / (a + b)!` in A and `-v a! (b - 1)! / (a +
      b)!` in B. Summed over leaves, averaged over the background: attribution/shapley of the additive output.
    - Path-dependent: `phi_j = v ∫ (z_j - c_j) Π over k ≠ j of (c_k (1 - t) + z_k t) dt` from 0 to 1, over the columns k
      of the path; z_k is 1 where the row meets column k's conditions, else 0, and c_k the share of the training weight
      that they let through.

Assumes: The model is a sum of trees, also in a Pipeline or averaged, and the trees that were read predict what it
    predicts (else it is not applicable, or an error). The background rows are the comparison that is meant.

Misleads:
    - Values are in the trees' additive output. Of boosted classifiers that is log-odds: 0.5 moves a probability of 50 %
      by 12 points and one of 4 % by 2.
    - Of two columns that know the same, the one that the trees happened to split has the credit; another training may
      choose the other: see refits/reasons.
    - The path-dependent game weighs branches by training rows. It answers another question, has no background and must
      not be compared with the first.
    - Like attribution/shapley it says what the model does, also for combinations that nobody has.

Cost: Tables of leaf patterns once, then look-ups for each row and group of leaves. 200 rows of 20 columns against 1,000
    background rows took about 0.15 s for 100 boosted trees or 50 trees of depth 8, and 1 s for 50 fully grown trees
    (14,000 leaves). The size of the background hardly counts but in paths of many columns: there 100 rows took half as
    long. In a snapshot at most 2,000 rows, 80,000 cells and 100 million visits.
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

    game         whether an absent column takes the values of background rows, or both branches of its splits are
                 followed
    max_rows     None, or at most so many rows
    max_cells    None, or at most so many rows × columns × classes
    max_visits   None, or at most so many rows × leaves, of the rows explained and of a background that was not given

    `base` + the `value`s of a row = its `prediction`, all in the model's additive output (spec.space: log-odds,
    softmax-margin, probability, target or log-target; spec.link leads from there to the model's own output). Values are
    those of the raw columns: the encoded columns of one raw column move together. The spec says how many rows and
    background rows there were.
    Source: Lundberg et al. 2020 (both games); Nadel & Wettenstein 2025 (patterns of the background); Wettenstein,
    Mitchell & Yu 2026 (quadrature). Compared with 2^p enumeration, shap, and the contributions of XGBoost and LightGBM.
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
