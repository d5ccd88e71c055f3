"""attribution/lime: see `compute`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from showcause.adapters.frame import Column, Rows
from showcause.adapters.games import attribution_columns
from showcause.core.errors import ParameterError
from showcause.kernels.local import line, nearby, spread_out
from showcause.methods.method import Job, Result, method, positive

WIDTH = 0.75  # × √columns, in standard deviations: the width that LIME is known with
FEW = 5  # neighbours with a level: with fewer it stands together with the other rare ones
LOW_FIT = 0.5
REPRESENTATION = (
    "numbers: distance from the row in standard deviations, and whether missing; categories: one regressor for each "
    "other level, missing being a level"
)


@dataclass(frozen=True)
class Regressors:
    """`made` (n, k) of the neighbours; `reach` (p, k): a feature's value is the sum of reach · slope; `slope` (p,) the
    regressor whose slope is that of a number, -1 for none, and `unit` (p,) its standard deviation."""

    made: Rows
    reach: Rows
    slope: Rows
    unit: Rows


@method(
    "attribution/lime",
    kind="attribution",
    after=("examples/representative",),
    in_snapshot={"chosen_only": True, "max_rows": 24, "samples": 2_048, "evaluations": 50_000},
)
def compute(
    job: Job,
    *,
    samples: int = 8_192,
    width: float | None = None,
    chosen_only: bool = False,
    max_rows: int | None = None,
    evaluations: int | None = None,
) -> Result:
    """Which straight line through one case does the model follow nearby, and how well?

    samples      neighbours of each row; each of their cells is a background row's, drawn the likelier the nearer it
                 is: exp(-d² / 2 width²), d in standard deviations of the column, 1 between categories and between a
                 value and none. All count the same in the fit (GLIME); they fill the space evenly (Sobol).
    width        of that kernel; None: 0.75 · √columns, as LIME
    chosen_only  only the representative examples, where they were chosen; `max_rows` caps the rows
    evaluations  None, or at most so many predicted rows: fewer neighbours of each row

    `value` is what the line says a column adds against the background's average: slope · (input - mean) for a number,
    the level against the levels' shares for a category; `base` + the `value`s = the line at the row, in the space of
    the model's own output, while `prediction` is the model's. `slope` is a number's slope in its own unit. `error` is
    the standard error over draws of neighbours (noise "monte-carlo"), `fit` the share of the outputs' variance nearby
    that the line explains (R²): a low one says that no line does. For a linear model it is exact whatever the seed.
    Source: Ribeiro, Singh & Guestrin 2016; Tan, Tian & Li 2023 (GLIME). Compared with the lime package and with the
    coefficients of linear models. Raises ParameterError where there are too few neighbours for the columns.
    """
    positive(samples=samples, max_rows=max_rows, evaluations=evaluations)
    if width is not None and not width > 0:
        raise ParameterError(f"width={width}: the kernel needs a positive width")
    rows = job.example_rows if chosen_only and len(job.example_rows) else job.sample(max_rows, job.example_rows)
    rows = rows if max_rows is None else rows[:max_rows]
    if evaluations is not None:
        samples = max(1, min(samples, evaluations // len(rows)))
    width = WIDTH * float(np.sqrt(len(job.data.X.names))) if width is None else width
    explained, background = job.data.X.take(rows), job.background()
    pool = explained.stack(background)
    columns = [pool.column(name) for name in pool.names]
    shape = (len(rows), len(columns), len(job.target_names))
    phi, error, slope = np.empty(shape), np.empty(shape), np.full(shape, np.nan)
    at, fit = np.empty((2, shape[0], shape[2]))
    for i, position in enumerate(job.data.positions[rows]):
        rng = job.rng("neighbours", int(position))
        drawn = spread_out(rng, samples, shape[1])
        donors = _neighbours(drawn, columns, i, shape[0], width)
        outputs = job.model.predict(pool.gather(donors))
        fitted = _regressors(columns, donors, i, shape[0])
        if samples < 2 * fitted.made.shape[1] + 2:
            raise ParameterError(
                f"{samples} neighbours are too few for {fitted.made.shape[1]} regressors; raise samples"
            )
        found = line(fitted.made, outputs, (drawn * _strata(samples, shape[1])).astype(np.int64))
        phi[i] = fitted.reach @ found.slopes
        each = np.einsum("pk,okl,pl->po", fitted.reach, found.covariance, fitted.reach)
        error[i] = np.sqrt(np.maximum(each, 0))
        number = fitted.slope >= 0
        slope[i, number] = found.slopes[fitted.slope[number]] / fitted.unit[number, None]
        at[i], fit[i] = found.at, found.fit
        job.tick((i + 1) / shape[0])
    base = at - phi.sum(axis=1)
    table = attribution_columns(job.data, rows, job.target_names, (phi, base, job.outputs[rows]), error)
    table["slope"] = slope.transpose(0, 2, 1).ravel()
    table["fit"] = np.repeat(fit.ravel(), shape[1])
    facts = {"samples": samples, "width": width, "evaluations": samples * shape[0]}
    return Result(table, {**facts, **_spec(job, rows, background, at, fit)})


def _spec(job: Job, rows: Rows, background: Any, at: Rows, fit: Rows) -> dict[str, Any]:
    known = fit[np.isfinite(fit)]
    gap = np.abs(at - job.outputs[rows])
    low = int((np.nan_to_num(fit, nan=1.0).min(axis=1) < LOW_FIT).sum())
    notes = (
        [f"For {low} of {len(rows)} rows no straight line explains half of what the model does nearby."] if low else []
    )
    return {
        **job.rows_spec(rows),
        **job.background_spec(background),
        "kernel": "exp(-d² / 2 width²), sampled from; equal weights",
        "representation": REPRESENTATION,
        "link": "identity",
        "fit": {"median": float(np.median(known)), "least": float(known.min())} if len(known) else None,
        "gap": {"max": gap.max(), "mean": gap.mean()},
        "notes": notes,
    }


def _strata(samples: int, columns: int) -> int:
    """Of each column, for the error: at most twenty, with at least five neighbours for each of all."""
    return int(np.clip(samples // (5 * columns), 1, 20))


def _neighbours(drawn: Rows, columns: list[Column], row: int, size: int, width: float) -> Rows:
    """(n, p) positions in the pool, one a cell: of background rows, by the chance that their distance from the row
    gives each column of theirs. `drawn` (n, p) from [0, 1)."""
    distance = np.stack([_distance(column, row, size) for column in columns], axis=1)
    order = np.stack([np.argsort(column.values[size:], kind="stable") for column in columns], axis=1)
    edges = np.cumsum(np.take_along_axis(nearby(distance, width), order, axis=0), axis=0)
    places = [np.searchsorted(edges[:-1, j], drawn[:, j], side="right") for j in range(len(columns))]
    return np.asarray(size + np.take_along_axis(order, np.stack(places, axis=1), axis=0))


def _distance(column: Column, row: int, size: int) -> Rows:
    own, others = column.values[row], column.values[size:]
    gone = np.isnan(others)
    if np.isnan(own):
        return np.where(gone, 0.0, 1.0)
    if not column.is_number:
        return np.where(others == own, 0.0, 1.0)
    return np.where(gone, 1.0, np.abs(np.nan_to_num(others) - own) / _unit(others))


def _unit(others: Rows) -> float:
    """The standard deviation of the values that there are; 1 where they do not vary."""
    known = others[~np.isnan(others)]
    spread = float(known.std()) if len(known) else 0.0
    return spread if spread > 0 else 1.0


def _regressors(columns: list[Column], donors: Rows, row: int, size: int) -> Regressors:
    made: list[Rows] = []
    reach: list[tuple[int, float]] = []  # (feature, by how much a slope enters its value)
    slope, unit = np.full(len(columns), -1), np.ones(len(columns))
    for j, column in enumerate(columns):
        own, others, drawn = column.values[row], column.values[size:], column.values[donors[:, j]]
        if not column.is_number:
            for regressor, share in _levels(own, others, drawn):
                reach.append((j, -share))
                made.append(regressor)
            continue
        unit[j] = _unit(others)
        known = others[~np.isnan(others)]
        mean = float(known.mean()) if len(known) else 0.0
        center = mean if np.isnan(own) else own
        slope[j] = len(made)
        made.append((np.where(np.isnan(drawn), mean, drawn) - center) / unit[j])
        reach.append((j, (center - mean) / unit[j]))
        if np.isnan(others).any():
            made.append(np.isnan(drawn) * 1.0 - float(np.isnan(own)))
            reach.append((j, float(np.isnan(own)) - float(np.isnan(others).mean())))
    matrix = np.zeros((len(columns), len(made)))
    for place, (j, by) in enumerate(reach):
        matrix[j, place] = by
    return Regressors(np.column_stack(made), matrix, slope, unit)


def _levels(own: float, others: Rows, drawn: Rows) -> list[tuple[Rows, float]]:
    """For each level but the row's own: (who of the neighbours has it, its share of the background); the rare ones
    together."""
    code, behind, drew = (np.nan_to_num(np.atleast_1d(v), nan=-1.0) for v in (own, others, drawn))
    levels = [level for level in np.unique(behind) if level != code[0]]
    frequent = [level for level in levels if (drew == level).sum() >= FEW]
    groups = [[level] for level in frequent]
    rare = [level for level in levels if level not in frequent]
    groups += [rare] if rare else []
    return [(np.isin(drew, group) * 1.0, float(np.isin(behind, group).mean())) for group in groups]
