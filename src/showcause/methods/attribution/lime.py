"""attribution/lime: see `compute`.

Formula:
    - Fit: `b0, b = argmin Σ (f(z) - b0 - b · r(z))²` over the neighbours z, all counting the same. r is zero at the row
      x: `(z_j - x_j) / sd_j` for a number, and 1 for each level of a category but the row's own that z has.
    - Neighbours: every cell of z is that of a background row k, drawn column by column with chance proportional to
      `exp(-d² / 2 width²)`, d the distance of the cell from x_j in standard deviations.
    - `value` of a number: `b_j (x_j - mean_j) / sd_j`; of a category: minus the sum over levels of share · b; means and
      shares are the background's.

Assumes: A line, straight in every number, describes the model near the row; and the columns may be drawn independently
    of each other near it.

Misleads:
    - With many columns the neighbourhood is hardly near: 0.75 · √columns is 1.7 standard deviations of each of five
      columns and 4.1 of each of thirty, so that the line is nearly one for all rows. Another `width` is another
      question.
    - Where `fit` is low no line describes the model, however narrow `error` is: that is of the draws alone.
    - Of columns that go together, neighbours hold combinations that nobody has, and the model is asked about them.

Cost: `samples` predictions of a row; where the leading columns are close up to eight times as many, or the row's share
    of `evaluations`. The networks of `stand_in` cost about half a second (2 columns) to three seconds (30 columns) of
    processor time a row, for models that are dear to ask. In a snapshot there are none, and 24 rows of 2,048 neighbours
    at most.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from showcause.adapters.frame import Rows
from showcause.adapters.games import attribution_columns
from showcause.adapters.neighbourhood import SURE, Design, Neighbourhood, Search, pooled, settled
from showcause.adapters.replaced import gathered
from showcause.core.errors import ParameterError
from showcause.methods.method import Job, Result, method, positive

WIDTH = 0.75  # × √columns, in standard deviations: the width that LIME is known with
MORE = 8  # times the samples, that a row whose leading columns are not apart may use where no budget is given
LOW_FIT = 0.5
REPRESENTATION = (
    "numbers: distance from the row in standard deviations, and whether missing; categories: one regressor for each "
    "other level, missing being a level"
)


@method(
    "attribution/lime",
    kind="attribution",
    version=3,
    after=("examples/representative",),
    in_snapshot={"chosen_only": True, "max_rows": 24, "samples": 2_048, "evaluations": 50_000, "stand_in": False},
)
def compute(
    job: Job,
    *,
    samples: int = 8_192,
    width: float | None = None,
    leading: int | None = 5,
    stand_in: bool = True,
    chosen_only: bool = False,
    max_rows: int | None = None,
    evaluations: int | None = None,
) -> Result:
    """Which straight line through one case does the model follow nearby, and how well?

    samples       neighbours of each row at first; each of their cells is a background row's, drawn the likelier the
                  nearer it is, d being 1 between categories and between a value and none. All count the same in the fit
                  (GLIME); they fill the space evenly (Sobol).
    width         of the kernel, in standard deviations of every column; None: 0.75 · √columns, as LIME
    leading       more neighbours are drawn until so many leading columns are 2.6 standard errors from the others, or
                  eight times the samples (with `evaluations` the row's share) are used up; None: never more
    stand_in      two small networks are fitted to half of the neighbours each; the line through them is known without
                  asking the model, and only what they leave over in the other half is estimated, without bias
    chosen_only   only the representative examples, where they were chosen
    max_rows      None, or at most so many rows
    evaluations   None, or at most so many predicted rows in all, shared out evenly over the rows explained

    `value` is what the line says a column adds against the background's average; `base` + the `value`s = the line at
    the row, in the space of the model's own output, while `prediction` is the model's. `slope` is a number's slope in
    its own unit. `error` is the standard error over draws of neighbours (noise "monte-carlo"), `fit` the share of the
    outputs' variance over the neighbours that the line explains (R²). For a linear model it is exact whatever the seed.
    The spec says for each example how many rows the model was asked about, whether the leading columns are `apart`, and
    their expected `overlap` with those of other neighbours (Jaccard, from the errors; a little cautious, 1: the same);
    where they are not apart, columns that never changed an output in a test by themselves and together are given zero.
    Raises ParameterError where there are too few neighbours for the columns.
    Source: Ribeiro, Singh & Guestrin 2016 (LIME); Tan, Tian & Li 2023 (GLIME); control variates with cross-fitting as
    Witter, Liu & Musco 2025. Compared with the lime package and with the coefficients of linear models.
    """
    positive(samples=samples, max_rows=max_rows, evaluations=evaluations, leading=leading)
    if width is not None and not width > 0:
        raise ParameterError(f"width={width}: the kernel needs a positive width")
    rows = job.example_rows if chosen_only and len(job.example_rows) else job.sample(max_rows, job.example_rows)
    rows = rows if max_rows is None else rows[:max_rows]
    most = MORE * samples if evaluations is None else max(1, evaluations // len(rows))
    samples = min(samples, most)
    width = WIDTH * float(np.sqrt(len(job.data.X.names))) if width is None else width
    explained, background = job.data.X.take(rows), job.background()
    pool = explained.stack(background)
    told, _ = gathered(job.model, job.data.X, pool)
    cells = pooled(pool, len(rows))
    shape = (len(rows), len(pool.names), len(job.target_names))
    phi, error, slope = np.empty(shape), np.empty(shape), np.full(shape, np.nan)
    at, fit = np.empty((2, shape[0], shape[2]))
    used: dict[str, list[Any]] = {"evaluations": [], "apart": [], **({"overlap": []} if leading else {})}
    for i, position in enumerate(job.data.positions[rows]):
        design = Neighbourhood(cells, i, width).design(samples // 2)
        _enough(design, samples)
        rng = job.rng("neighbours", int(position))
        search = Search.begin(design, told, rng, stands_in=stand_in)
        used["apart"].append(settled(search, samples, most, leading))
        used["evaluations"].append(search.asked)
        if leading is not None:
            used["overlap"].append(search.overlap(leading))
        line = search.line
        assert line is not None
        phi[i] = search.values
        error[i] = search.error
        number = design.slope >= 0
        slope[i, number] = line.slopes[design.slope[number]] / design.unit[number, None]
        at[i], fit[i] = line.at, line.fit
        job.tick((i + 1) / shape[0])
    base = at - phi.sum(axis=1)
    table = attribution_columns(job.data, rows, job.target_names, (phi, base, job.outputs[rows]), error)
    table["slope"] = slope.transpose(0, 2, 1).ravel()
    table["fit"] = np.repeat(fit.ravel(), shape[1])
    facts = {"samples": samples, "width": width, "evaluations": sum(used["evaluations"])}
    if leading is not None:
        facts["leading"] = {"columns": leading, "standard_errors": SURE}
    positions = job.data.positions[rows].tolist()
    return Result(
        table, {**facts, "examples": {"example": positions, **used}, **_spec(job, rows, background, at, fit, used)}
    )


def _enough(design: Design, samples: int) -> None:
    if samples < 2 * len(design.parts) + 2:
        raise ParameterError(f"{samples} neighbours are too few for {len(design.parts)} regressors; raise samples")


def _spec(job: Job, rows: Rows, background: Any, at: Rows, fit: Rows, used: dict[str, list[Any]]) -> dict[str, Any]:
    known = fit[np.isfinite(fit)]
    gap = np.abs(at - job.outputs[rows])
    low = int((np.nan_to_num(fit, nan=1.0).min(axis=1) < LOW_FIT).sum())
    notes = (
        [f"For {low} of {len(rows)} rows no straight line explains half of what the model does nearby."] if low else []
    )
    if doubtful := [each for each, sure in zip(used.get("overlap", ()), used["apart"], strict=False) if not sure]:
        notes.append(
            f"For {len(doubtful)} of {len(rows)} rows it is not certain which columns lead: with other neighbours they "
            f"would overlap by {np.mean(doubtful):.2f} on average (1: the same columns)."
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
