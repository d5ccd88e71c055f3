"""dependence/pdp: see `compute`.

Formula: `PD_j(at) = 1 / n · Σ_i f(x_i with x_j = at)`, over the rows i.

Assumes: Every row could have every value of the feature.

Misleads:
    - Of correlated features it averages over rows that nobody has: hold it against dependence/ale.
    - An average can hide opposite effects: see dependence/ice.
    - The band is that of the mean prediction, the rows' own differences in level included: it is much wider than what
      is uncertain of the curve's shape.

Cost: rows × places predictions for each feature (25 places and the missing one), also of trees, whose own walk answers
    them some twenty times as fast. In a snapshot 12 features and 50,000 predictions (1,000,000 by trees), at least 100
    rows a place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from showcause.adapters.frame import Rows
from showcause.adapters.replaced import GRID_SPEED, budget, over_grid, told_apart
from showcause.core.columns import extend
from showcause.kernels.grid import Grid, every_place, grid, rare_levels
from showcause.kernels.ranks import interval
from showcause.kernels.shuffle import LEAST_ROWS
from showcause.methods.method import Job, Result, method, positive

PLACES = 100  # asked about at a time


@method(
    "dependence/pdp",
    kind="curve",
    after=("importance/shap", "importance/permutation"),
    version=3,
    in_snapshot={"limit": 12, "levels": 25, "predictions": 50_000},
)
def compute(
    job: Job,
    *,
    features: Sequence[str] | None = None,
    limit: int | None = None,
    points: int | None = 25,
    levels: int = 50,
    rows: int | None = None,
    predictions: int | None = None,
) -> Result:
    """What does the model predict on average if every row had this value of a feature?

    features, limit   the columns, else the `limit` that matter most (all where None)
    points, levels    places on the axis of a number, levels of a category (the most frequent). points=None: a place
                      wherever the curve can change over the rows: between two of the trees' thresholds, and without
                      trees at every value
    rows              None: averaged over every row; else over a seeded sample of so many
    predictions       None, or at most about this many predicted rows in all (twenty times as many where trees answer),
                      at least 100 for each place: then over a sample, and the spec says so

    `value` is the mean prediction over the rows, in the model's output space, where the feature is set to a value that
    some row holds: every value up to `points`, else the frequent ones and quantiles from 0.5 % to 99.5 %; missing is a
    place of its own. Dates are in days since 1970-01-01. `error` is the standard error of that mean over rows, `low`
    and `high` Student's t at 95 %; `support` counts the rows nearest to each place.
    Source: Friedman 2001, section 8.2. Compared with scikit-learn's partial_dependence (method="brute").
    """
    positive(points=points, levels=levels, rows=rows, predictions=predictions)
    names, spec = job.chosen(features, limit)
    X = job.data.X
    grids = {name: _places(job, name, points, levels) for name in names}
    picked = _affordable(job, rows, predictions, sum(len(places.donors) for places in grids.values()))
    columns: dict[str, list[Any]] = {}
    parts = [{name: part} for name, places in grids.items() for part in _parts(places.donors)]
    answers = over_grid(job.model, X, picked, parts)
    for done, (name, places) in enumerate(grids.items()):
        column = X.column(name)
        found = [_averaged(next(answers)) for _ in _parts(places.donors)]
        means, errors = (np.concatenate(numbers) for numbers in zip(*found, strict=True))
        at, at_level = column.cells(places.donors)
        for k, target in enumerate(job.target_names):
            low, high = interval(means[:, k], errors[:, k], len(picked))
            extend(
                columns,
                len(places.donors),
                feature=name,
                at=at,
                at_level=at_level,
                value=means[:, k],
                support=places.support,
                target=target,
                low=low,
                high=high,
                error=errors[:, k],
                noise="rows",
            )
        job.tick((done + 1) / len(names))
    errors_are = "of the mean prediction over rows; the rows' own differences in level are part of it"
    notes = [note for name, places in grids.items() for note in rare_levels(name, *places.left_out)]
    spec |= {**job.rows_spec(picked), "errors": errors_are, "notes": notes}
    return Result(columns if job.model.targets else _without_target(columns), spec)


def _affordable(job: Job, rows: int | None, predictions: int | None, places: int) -> Rows:
    """The rows averaged over: those asked for, fewer where the budget for all places is smaller."""
    allowed = budget(job.model, job.data.X, predictions, GRID_SPEED)
    most = len(job.data) if rows is None else rows
    return job.sample(most if allowed is None else min(most, max(LEAST_ROWS, allowed // max(1, places))))


def _places(job: Job, name: str, points: int | None, levels: int) -> Grid:
    column = job.data.X.column(name)
    if points is None and column.is_number:
        return every_place(column.values, told_apart(job.model, job.data.X, name))
    return grid(column.values, number=column.is_number, points=points or 0, levels=levels)


def _parts(donors: Rows) -> list[Rows]:
    return [donors[start : start + PLACES] for start in range(0, len(donors), PLACES)]


def _averaged(outputs: Rows) -> tuple[Rows, Rows]:
    """Outputs (places, n, outputs) → (means, standard errors), each (places, outputs)."""
    n = outputs.shape[1]
    means = outputs.mean(axis=1)
    return means, outputs.std(axis=1, ddof=1) / np.sqrt(n) if n > 1 else np.full(means.shape, np.nan)


def _without_target(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {name: values for name, values in columns.items() if name != "target"}
