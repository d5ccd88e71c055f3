"""attribution/shapley: see `compute`.

Formula:
    - `phi_j = Σ over coalitions S without j of |S|! (p - |S| - 1)! / p! · (v(S + j) - v(S))`, p the columns.
    - `v(S)` is the mean over background rows of f where the columns in S are the row's and all others together that
      background row's.

Assumes: The background rows are the comparison that is meant. Absent columns are filled from them whatever the present
    ones hold: the interventional game.

Misleads:
    - Of columns that go together, the model is asked about rows that nobody has.
    - Against another background values differ, also in sign.
    - A value says what a column adds to this model's output, not what changing it in the world would do: a cause that
      the model does not use gets zero.
    - Of a classifier they are in probability; those of attribution/tree_shap are mostly in log-odds, and the two do not
      compare.

Cost: Up to ten columns 2^p coalitions for each row and background row, each distinct row asked about once: up to a
    million predictions a row with ten columns and 1,000 background rows, so give `evaluations` or `max_rows` for a
    model that is slow. Beyond ten columns at most 50,000 a row. In a snapshot 100,000 in all for at most 100 rows:
    first the background gives way (to 40 rows), then the rows (to 40), and more than five columns are sampled, for 20
    rows at least.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from showcause.adapters.frame import Frame, Rows
from showcause.adapters.games import Values, attribution_columns, exact_values, fitting
from showcause.adapters.shapley import sampled_values
from showcause.core.errors import ParameterError
from showcause.methods.method import Job, Result, method

# Within a budget of evaluations: below these, more rows or background would be had by sampling coalitions instead.
EXACT_ROWS, EXACT_BACKGROUND = 40, 40
SAMPLED_ROWS = 20
PER_PLAYER = 40  # evaluations of a sampled row for each column: fewer rows rather than fewer evaluations
A_ROW = 50_000  # evaluations of a sampled row where no budget is given


@dataclass(frozen=True)
class Plan:
    rows: Rows
    background: Frame
    each: int | None  # evaluations a row; None: every coalition is counted


@method(
    "attribution/shapley",
    kind="attribution",
    version=2,
    after=("examples/representative",),
    in_snapshot={"max_rows": 100, "max_cells": 100_000, "evaluations": 100_000, "trees": 40},
)
def compute(
    job: Job,
    *,
    exact_features: int = 10,
    half_width: float = 0.01,
    evaluations: int | None = None,
    trees: int = 200,
    max_rows: int | None = None,
    max_cells: int | None = None,
) -> Result:
    """What did each column add to each prediction, for any model that can be called?

    exact_features   up to so many columns every coalition is counted, over the whole background
    half_width       a row is done when the half-widths of all its 95 % intervals (1.96 · `error`) are below so many
                     standard deviations of the background's predictions, or its evaluations are used up; 0 uses them up
    evaluations      caps the distinct rows that the model is asked about, and with them the rows explained; None:
                     50,000 for each row explained
    trees            how many the proxy has; more cost more and leave less to chance; 0: the additive part alone
    max_rows         None, or at most so many rows
    max_cells        None, or at most so many rows × columns × classes

    `base` + the `value`s of a row = its `prediction`, in the space of the model's own output. Beyond `exact_features`
    columns each row is a game against each background row, in which the columns that differ play: all single columns
    are counted, and of larger coalitions pairs of complements are drawn without replacement, equally many of each size.
    What a proxy (the additive part of each game, or trees fitted to evaluations with other background rows) says of
    them is known exactly; only the rest is estimated, without bias.

    `error` is the standard error of sampling coalitions (noise "monte-carlo"), and of sampling background rows too
    where a row has not met all of them; it is left out where all coalitions were counted. `background_error` is that of
    the background as a sample of the reference rows there might have been. A column that never changes an output gets
    exactly zero. The spec says what was used: for each example its evaluations, the half-width reached and whether it
    converged.
    Source: Shapley 1953; the interventional game as in Lundberg & Lee 2017; Musco & Witter 2025 (leverage scores);
    Witter, Liu & Musco 2025 (RegressionMSR). Compared with 2^p enumeration, shap's exact, kernel and permutation
    explainers, exact tree values, and linear models.
    """
    if trees < 0:
        raise ParameterError(f"trees={trees}: there are none, or some")
    if half_width < 0:
        raise ParameterError(f"half_width={half_width}: a share of a standard deviation cannot be negative")
    plan = _plan(job, exact_features, evaluations, fitting(max_rows, max_cells, _width(job)))
    rows = job.data.X if len(plan.rows) == len(job.data) else job.data.X.take(plan.rows)
    if plan.each is None:
        values = exact_values(job.model, rows, plan.background, job.tick)
    else:
        rngs = [job.rng("coalitions", int(position)) for position in job.data.positions[plan.rows]]
        values = sampled_values(job.model, rows, plan.background, rngs, plan.each, half_width, job.tick, trees)
    triple = (values.phi, values.base, values.predictions)
    columns = attribution_columns(job.data, plan.rows, job.target_names, triple, values.error, values.background_error)
    return Result(columns, _spec(job, plan, values))


def _width(job: Job) -> int:
    return len(job.data.X.names) * len(job.target_names)


def _plan(job: Job, exact_features: int, budget: int | None, limit: int | None) -> Plan:
    """Rows, background and evaluations that stay within the budget. Without one: every row allowed, the whole
    background."""
    p, n = len(job.data.X.names), min(len(job.data), limit or len(job.data))
    background = job.background()
    m = len(background)
    if p <= exact_features:
        if budget is not None and n * m << p > budget:
            m = min(m, max(EXACT_BACKGROUND, budget // (n << p)))
            n = min(n, max(EXACT_ROWS, budget // (m << p)))
        if budget is None or n * m << p <= budget:
            return Plan(_rows(job, n), _some(job, background, m), None)
        n, m = min(len(job.data), limit or len(job.data)), len(background)
    if budget is None:
        return Plan(_rows(job, n), background, A_ROW)
    free = max(1, budget - m - n)  # what rows and background themselves do not need
    n = min(n, max(SAMPLED_ROWS, free // (PER_PLAYER * p)))
    return Plan(_rows(job, n), background, max(1, free // n))


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
        "estimator": "exact enumeration" if plan.each is None else "paired coalitions, corrected proxy",
        "evaluations": values.evaluations,
        "additivity": {"max": residual.max(), "mean": residual.mean()},
    }
    if plan.each is not None:
        idle = [name for name, none in zip(job.data.X.names, values.facts["idle"], strict=True) if none]
        spec |= {**values.facts, "idle": idle, "halves": _agreement(values)}
        left = sum(not done for done in spec["examples"]["converged"])
        if left:
            spec["notes"] = [
                f"{left} of {len(plan.rows)} rows used up their evaluations before their intervals were as narrow as "
                "asked for."
            ]
    return spec


def _agreement(values: Values) -> dict[str, float]:
    """How far two estimates from half of the draws each agree: correlation over all values, and their mean gap as a
    share of the mean absolute value."""
    assert values.halves is not None
    a, b = (half.ravel() for half in values.halves)
    spread = float(a.std() * b.std())
    size = float(np.abs(values.phi).mean())
    return {
        "correlation": float(((a - a.mean()) * (b - b.mean())).mean() / spread) if spread > 0 else 1.0,
        "gap": float(np.abs(a - b).mean() / size) if size > 0 else 0.0,
    }
