"""dependence/surface: see `compute`.

Formula: `PD_jk(at, at_b) = 1 / n · Σ_i f(x_i with x_j = at, x_k = at_b)`, over the rows i.

Assumes: Every row could have every pair of values.

Misleads:
    - Corners that no row is near are extrapolation: see `support`.
    - It holds what each feature does alone, too: a surface that is tilted shows no interaction, one that is bent may.
      See dependence/interaction.

Cost: rows × places of the one × places of the other, for each pair: 144 predictions a row; in a snapshot 3 pairs over
    200 rows, 86,400. Of trees their own walk answers them some twenty times as fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from showcause.adapters.frame import Column, Rows
from showcause.adapters.replaced import over_grid
from showcause.core.columns import extend
from showcause.core.errors import NotApplicable, ParameterError, choices
from showcause.kernels.grid import Grid, grid, rare_levels
from showcause.kernels.ranks import interval
from showcause.methods.method import Job, Result, method, positive


@method(
    "dependence/surface",
    kind="surface",
    needs=("two features",),
    after=("importance/shap", "importance/permutation", "dependence/interaction"),
    version=2,
    in_snapshot={"limit": 3, "rows": 200, "points": 12, "levels": 12},
)
def compute(
    job: Job,
    *,
    pairs: Sequence[Sequence[str]] | None = None,
    limit: int = 3,
    points: int = 12,
    levels: int = 12,
    rows: int | None = None,
) -> Result:
    """What does the model predict on average if every row had these values of two features at once?

    pairs            the pairs of columns, else the `limit` that act together most
    limit            so many pairs, by dependence/interaction where it is there, else among the features that matter
                     most
    points, levels   places on each axis, as dependence/pdp
    rows             None: averaged over every row; else over a seeded sample of so many

    `value` is the mean prediction over the rows, in the model's output space, with both columns set to values that some
    rows hold. `error` is the standard error of that mean over rows, `low` and `high` Student's t at 95 %; `support`
    counts the rows nearest to both places: where it is 0 the model is asked about a combination that nobody holds.
    Raises NotApplicable where there is no pair, ParameterError for columns that are none or one twice.
    Source: Friedman 2001, section 8.2. Compared with scikit-learn's partial_dependence (method="brute").
    """
    positive(limit=limit, points=points, levels=levels, rows=rows)
    chosen, spec = _pairs(job, pairs, limit)
    X, picked = job.data.X, job.sample(rows)
    names = sorted({name for pair in chosen for name in pair}, key=X.names.index)
    grids = {n: grid(X.column(n).values, number=X.column(n).is_number, points=points, levels=levels) for n in names}
    columns: dict[str, list[Any]] = {}
    wanted = [_both(a, grids[a], b, grids[b]) for a, b in chosen]
    answers = over_grid(job.model, X, picked, wanted)
    for done, ((a, b), both) in enumerate(zip(chosen, wanted, strict=True)):
        outputs = next(answers)
        means = outputs.mean(axis=1)
        n = len(picked)
        errors = outputs.std(axis=1, ddof=1) / np.sqrt(n) if n > 1 else np.full(means.shape, np.nan)
        at, at_level = X.column(a).cells(both[a])
        at_b, at_level_b = X.column(b).cells(both[b])
        support = _support(X.column(a), grids[a], X.column(b), grids[b])
        for k, target in enumerate(job.target_names):
            low, high = interval(means[:, k], errors[:, k], n)
            extend(
                columns,
                len(both[a]),
                feature=a,
                feature_b=b,
                at=at,
                at_level=at_level,
                at_b=at_b,
                at_level_b=at_level_b,
                value=means[:, k],
                support=support,
                target=target,
                low=low,
                high=high,
                error=errors[:, k],
                noise="rows",
            )
        job.tick((done + 1) / len(chosen))
    if not job.model.targets:
        del columns["target"]
    notes = [note for name, places in grids.items() for note in rare_levels(name, *places.left_out)]
    return Result(columns, {**spec, **job.rows_spec(picked), "notes": notes})


def _pairs(job: Job, given: Sequence[Sequence[str]] | None, limit: int) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    names = job.data.X.names
    if given is not None:
        for name in (name for pair in given for name in pair):
            if name not in names:
                raise ParameterError(f"no such feature: {choices(name, names)}")
        if not given or any(len(set(pair)) != 2 for pair in given):
            raise ParameterError(f"pairs must be lists of two different columns, got {given!r}")
        return [(a, b) for a, b in given], {}
    of = len(names) * (len(names) - 1) // 2
    if "dependence/interaction" in job.uses:
        table = job.uses["dependence/interaction"].table
        strongest = dict.fromkeys(zip(table["feature"].to_pylist(), table["feature_b"].to_pylist(), strict=True))
        found = list(strongest)[:limit]
    else:
        top = job.top_features(None)
        found = [(top[i], top[j]) for j in range(1, len(top)) for i in range(j)][:limit]
    if not found:
        raise NotApplicable("no pair of features was found")
    return found, {} if len(found) == of else {"cap": {"pairs": len(found), "of": of}}


def _both(a: str, outer: Grid, b: str, inner: Grid) -> dict[str, Rows]:
    """Every place of the one with every place of the other."""
    return {a: np.repeat(outer.donors, len(inner.donors)), b: np.tile(inner.donors, len(outer.donors))}


def _support(a: Column, outer: Grid, b: Column, inner: Grid) -> Rows:
    """(places of a × places of b,) rows nearest to both."""
    i, j = _nearest(a, outer), _nearest(b, inner)
    known = (i >= 0) & (j >= 0)
    count = np.zeros((len(outer.donors), len(inner.donors)), dtype=np.int64)
    np.add.at(count, (i[known], j[known]), 1)
    return count.ravel()


def _nearest(column: Column, places: Grid) -> Rows:
    """(n,) each row's place, -1 for a level without one."""
    values, at = column.values, column.values[places.donors]
    order = np.flatnonzero(~np.isnan(at))  # ascending; missing, if it is a place, stands last
    missing = len(at) - 1 if len(order) < len(at) else -1
    if column.is_number:
        place = np.searchsorted((at[order][:-1] + at[order][1:]) / 2, values)
    else:
        place = np.searchsorted(at[order], values).clip(max=max(len(order) - 1, 0))
        place = np.where(at[order][place] == values, place, -1) if len(order) else np.full(len(values), -1)
    return np.where(np.isnan(values), missing, place)
