"""dependence/pdp: see `compute`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from showcause.adapters.replaced import Change, replaced
from showcause.core.columns import extend
from showcause.kernels.grid import grid, rare_levels
from showcause.kernels.ranks import interval
from showcause.methods.method import Job, Result, method, positive


@method(
    "dependence/pdp",
    kind="curve",
    after=("importance/shap", "importance/permutation"),
    in_snapshot={"limit": 12, "rows": 500, "levels": 25},
)
def compute(
    job: Job,
    *,
    features: Sequence[str] | None = None,
    limit: int | None = None,
    points: int = 25,
    levels: int = 50,
    rows: int | None = None,
) -> Result:
    """What does the model predict on average if every row had this value of a feature?

    features, limit   the columns, else the `limit` that matter most (all where None)
    points, levels    places on the axis of a number, levels of a category (the most frequent)
    rows              None: averaged over every row; else over a seeded sample of so many

    `value` is the mean prediction over the rows, in the model's output space, where the feature is set to a value that
    some row holds: every value up to `points`, else the frequent ones and quantiles from 0.5 % to 99.5 %; missing is a
    place of its own. Dates are in days since 1970-01-01. `error` is the standard error of that mean over rows, `low`
    and `high` Student's t at 95 %; `support` counts the rows nearest to each place. With correlated features it
    averages over combinations that the data may not hold: see dependence/ale.
    Source: Friedman 2001, section 8.2. Compared with scikit-learn's partial_dependence (method="brute").
    """
    positive(points=points, levels=levels, rows=rows)
    names, spec = job.chosen(features, limit)
    picked = job.sample(rows)
    columns: dict[str, list[Any]] = {}
    notes = []
    for done, name in enumerate(names):
        column = job.data.X.column(name)
        places = grid(column.values, number=column.is_number, points=points, levels=levels)
        notes += rare_levels(name, *places.left_out)
        changes = [Change(picked, {name: np.full(len(picked), donor)}) for donor in places.donors]
        means, errors = _averaged(job, changes)
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
    spec |= {**job.rows_spec(picked), "errors": errors_are, "notes": notes}
    return Result(columns if job.model.targets else _without_target(columns), spec)


def _averaged(job: Job, changes: list[Change]) -> tuple[Any, Any]:
    """(means, standard errors), each (places, outputs)."""
    means, errors = [], []
    for outputs in replaced(job.model, job.data.X, changes):
        n = len(outputs)
        means.append(outputs.mean(axis=0))
        errors.append(outputs.std(axis=0, ddof=1) / np.sqrt(n) if n > 1 else np.full(outputs.shape[1], np.nan))
    return np.array(means), np.array(errors)


def _without_target(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {name: values for name, values in columns.items() if name != "target"}
