"""attribution/shapley: see `compute`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from showcause.adapters.frame import Frame, Rows
from showcause.adapters.games import Values, attribution_columns, exact_values, fitting, sampled_values
from showcause.core.errors import ParameterError
from showcause.methods.method import Job, Result, method

# Within a budget of evaluations: below these, more rows or background would be had by sampling orders instead.
EXACT_ROWS, EXACT_BACKGROUND = 40, 40
SAMPLED_PAIRS, SAMPLED_ROWS = 16, 20


@dataclass(frozen=True)
class Plan:
    rows: Rows
    background: Frame
    pairs: int | None  # None: every coalition is counted


@method(
    "attribution/shapley",
    kind="attribution",
    after=("examples/representative",),
    in_snapshot={"max_rows": 200, "max_cells": 150_000, "evaluations": 500_000},
)
def compute(
    job: Job,
    *,
    permutations: int = 64,
    exact_features: int = 10,
    evaluations: int | None = None,
    max_rows: int | None = None,
    max_cells: int | None = None,
) -> Result:
    """What did each column add to each prediction, for any model that can be called?

    `base` + the `value`s of a row = its `prediction`, in the space of the model's own output; absent columns take the
    values of background rows (the interventional game). Up to `exact_features` columns every coalition is counted over
    the whole background. Beyond, `permutations` random orders and their reverses are walked, each pair from one
    background row; `error` is the standard error over pairs (noise "monte-carlo"; of the orders alone where
    `permutations` is twice the background or more), efficiency holds exactly, and the background is the sample of rows
    that were walked from, each equally often. `evaluations` caps the rows that the model is asked about,
    and with them the rows explained, the background and the orders; `max_rows` and `max_cells` (rows × columns ×
    classes) cap the rows. The spec says what was used.
    Source: Shapley 1953; Castro, Gómez & Tejada 2009; Mitchell, Cooper, Frank & Holmes 2022. Compared with 2^p
    enumeration, shap's exact explainer, and the closed form of linear models.
    """
    if permutations < 2:
        raise ParameterError(f"permutations={permutations}: an error needs two or more")
    plan = _plan(job, permutations, exact_features, evaluations, fitting(max_rows, max_cells, _width(job)))
    rows = job.data.X if len(plan.rows) == len(job.data) else job.data.X.take(plan.rows)
    if plan.pairs is None:
        values = exact_values(job.model, rows, plan.background, job.tick)
    else:
        rngs = [job.rng("orders", int(position)) for position in job.data.positions[plan.rows]]
        values = sampled_values(job.model, rows, plan.background, rngs, plan.pairs, job.tick)
    triple = (values.phi, values.base, values.predictions)
    columns = attribution_columns(job.data, plan.rows, job.target_names, triple, values.error)
    return Result(columns, _spec(job, plan, values))


def _width(job: Job) -> int:
    return len(job.data.X.names) * len(job.target_names)


def _plan(job: Job, permutations: int, exact_features: int, budget: int | None, limit: int | None) -> Plan:
    """Rows, background and orders that stay within the budget. Without one: every row allowed, the whole background."""
    p, n = len(job.data.X.names), min(len(job.data), limit or len(job.data))
    background = job.background()
    m = len(background)
    if p <= exact_features:
        if budget is not None and n * m << p > budget:
            m = min(m, max(EXACT_BACKGROUND, budget // (n << p)))
            n = min(n, max(EXACT_ROWS, budget // (m << p)))
        if budget is None or n * m << p <= budget:
            return Plan(_rows(job, n), _some(job, background, m), None)
        n = min(len(job.data), limit or len(job.data))
    pairs = permutations
    if budget is not None and 2 * pairs * n * (p - 1) > budget:
        pairs = min(pairs, max(SAMPLED_PAIRS, budget // (2 * n * (p - 1))))
        n = min(n, max(SAMPLED_ROWS, budget // (2 * pairs * (p - 1))))
    m = min(len(background), pairs)
    return Plan(_rows(job, n), _some(job, background, m), -(-pairs // m) * m)


def _rows(job: Job, n: int) -> Rows:
    return job.sample(n, include=job.example_rows)


def _some(job: Job, background: Frame, m: int) -> Frame:
    if m >= len(background):
        return background
    return background.take(np.sort(job.rng("walked from").choice(len(background), m, replace=False)))


def _spec(job: Job, plan: Plan, values: Values) -> dict[str, Any]:
    residual = np.abs(values.phi.sum(axis=1) + values.base - values.predictions)
    facts = job.background_spec(plan.background)["background"]
    offered = len(job.background())
    spec = {
        **job.rows_spec(plan.rows),
        "background": facts if facts["count"] == offered else {**facts, "sampled_from": offered},
        "game": "interventional",
        "players": "raw columns",
        "link": "identity",
        "estimator": "exact enumeration" if plan.pairs is None else "antithetic permutations",
        "evaluations": values.evaluations,
        "additivity": {"max": residual.max(), "mean": residual.mean()},
    }
    if plan.pairs is not None:
        spec["orders"] = 2 * plan.pairs
        spec["halves"] = _agreement(values)
    return spec


def _agreement(values: Values) -> dict[str, float]:
    """How far two estimates from half of the orders each agree: correlation over all values, and their mean gap as a
    share of the mean absolute value."""
    assert values.halves is not None
    a, b = (half.ravel() for half in values.halves)
    spread = float(a.std() * b.std())
    size = float(np.abs(values.phi).mean())
    return {
        "correlation": float(((a - a.mean()) * (b - b.mean())).mean() / spread) if spread > 0 else 1.0,
        "gap": float(np.abs(a - b).mean() / size) if size > 0 else 0.0,
    }
