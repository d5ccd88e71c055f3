"""dependence/ice: see `compute`.

Formula: `ICE_i(at) = f(x_i with x_j = at)`, a curve for each row i; centred: less its value at the first place.

Assumes: A row with another value of one feature is one that could be.

Misleads:
    - Where features go together, a curve's far ends belong to rows that nobody has.
    - Raw curves lie at different levels, which hides whether they are parallel: use `centred`.
    - A sample of 60 rows may hold none of a small group that behaves otherwise.

Cost: One prediction for each row chosen, place and feature. In a snapshot 60 rows, 12 features and about 40,000 values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from showcause.adapters.replaced import over_grid
from showcause.core.columns import extend
from showcause.kernels.grid import grid, rare_levels
from showcause.methods.method import Job, Result, method, positive

LEAST = 5  # rows that a limit on cells leaves


@method(
    "dependence/ice",
    kind="curve",
    after=("importance/shap", "importance/permutation"),
    version=2,
    in_snapshot={"limit": 12, "rows": 60, "levels": 25, "cells": 40_000},
)
def compute(
    job: Job,
    *,
    features: Sequence[str] | None = None,
    limit: int | None = None,
    points: int = 25,
    levels: int = 50,
    rows: int | None = None,
    cells: int | None = None,
    centred: bool = False,
) -> Result:
    """How would the prediction of each single row change along a feature?

    features, limit   the columns, else the `limit` that matter most (all where None)
    points, levels    places on the axis of a number, levels of a category (the most frequent), as dependence/pdp
    rows              None: every row; else a seeded sample of so many
    cells             None, or at most about this many values in all: then fewer rows, at least five
    centred           each curve less its value at the feature's first place (c-ICE)

    `value` is the prediction for the row `example` with the feature set to a value that some row holds, in the model's
    output space: raw unless `centred`. Over the same rows the curves average to dependence/pdp; where they are not
    parallel the feature interacts with others. There is no chance in a single row's curve, hence no error.
    Source: Goldstein, Kapelner, Bleich & Pitkin 2015. Compared with scikit-learn's partial_dependence
    (kind="individual").
    """
    positive(points=points, levels=levels, rows=rows, cells=cells)
    names, spec = job.chosen(features, limit)
    X = job.data.X
    grids = {n: grid(X.column(n).values, number=X.column(n).is_number, points=points, levels=levels) for n in names}
    width = sum(len(places.donors) for places in grids.values()) * len(job.target_names)
    most = len(X) if rows is None else rows
    picked = job.sample(most if cells is None else min(most, max(LEAST, cells // max(1, width))))
    columns: dict[str, list[Any]] = {}
    answers = over_grid(job.model, X, picked, [{name: places.donors} for name, places in grids.items()])
    for done, (name, places) in enumerate(grids.items()):
        size = len(places.donors)
        curves = np.swapaxes(next(answers), 0, 1)  # (rows, places, outputs)
        if centred:
            curves = curves - curves[:, :1]
        at, at_level = X.column(name).cells(places.donors)
        for k, target in enumerate(job.target_names):
            extend(
                columns,
                size * len(picked),
                feature=name,
                at=np.tile(at, len(picked)),
                at_level=at_level * len(picked),
                example=np.repeat(job.data.positions[picked], size),
                value=curves[:, :, k].ravel(),
                target=target,
            )
        job.tick((done + 1) / len(names))
    if not job.model.targets:
        del columns["target"]
    notes = [note for name, places in grids.items() for note in rare_levels(name, *places.left_out)]
    return Result(
        columns,
        {
            **spec,
            **job.rows_spec(picked),
            "curves": "less their value at the first place" if centred else "raw, not centred",
            "notes": notes,
        },
    )
