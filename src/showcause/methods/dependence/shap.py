"""dependence/shap: see `compute`.

Formula: `value(bin) = mean of phi_ij over the rows i whose x_ij lies in the bin`.

Assumes: As of attribution/tree_shap or attribution/shapley, whichever was used.

Misleads:
    - A mean within a bin hides interactions, which show as spread.
    - It is relative to the background, which shifts the whole curve: compare differences.
    - Of boosted classifiers it is in log-odds, while dependence/pdp is in probability: the shapes compare, the heights
      do not.

Cost: Nothing beyond the attribution that it bins. `sc.compute` makes it first: of trees for every row, of a black box
    within a million evaluations, over as many rows as these afford (`spec["rows"]`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from showcause.adapters.frame import Column, Rows
from showcause.core import attributions
from showcause.core.columns import extend
from showcause.kernels.grid import number_places, rare_levels
from showcause.kernels.ranks import interval
from showcause.methods.method import Job, Result, method, positive


@method(
    "dependence/shap",
    kind="curve",
    uses=("attribution/tree_shap|attribution/shapley",),
    after=("importance/shap", "importance/permutation"),
    in_snapshot={"limit": 12, "levels": 25},
)
def compute(
    job: Job,
    *,
    features: Sequence[str] | None = None,
    limit: int | None = None,
    bins: int = 20,
    levels: int = 50,
) -> Result:
    """How much does a feature add to predictions, along its own values?

    features, limit   the columns, else the `limit` that matter most (all where None)
    bins              of a number: each value apart up to so many, else frequent values and quantile bands
    levels            levels of a category (the most frequent)

    `value` is the mean SHAP value of the examples in a bin, in the attribution's output space; `at` the mean of the
    feature there, or the level; missing is a bin of its own. `error` is the standard error of the mean over the
    examples (their spread comes from interactions, and from Monte Carlo noise where the attributions have any), `low`
    and `high` Student's t at 95 %; null for a bin of one example. `support` counts the examples. Rows, background, game
    and output space are the attribution's. Dates are in days since 1970-01-01.
    Source: Lundberg et al. 2020 (SHAP dependence plots), binned.
    """
    positive(bins=bins, levels=levels)
    names, spec = job.chosen(features, limit)
    (source,) = [job.uses[n] for n in ("attribution/tree_shap", "attribution/shapley") if n in job.uses][:1]
    found = attributions.read(source, names, job.target_names)
    rows = job.row_of(found.examples)
    columns: dict[str, list[Any]] = {}
    notes: list[str] = []
    for j, name in enumerate(names):
        column = job.data.X.column(name)
        groups, left = _bins(column, rows, bins, levels)
        notes += rare_levels(name, *left)
        donors = rows[[group[0] for group in groups]]
        at, at_level = column.cells(donors)
        if column.is_number:
            at = np.array([column.values[rows[group]].mean() for group in groups])
        for k, target in enumerate(job.target_names):
            stats = _means(found.values[:, j, k], groups)
            extend(
                columns,
                len(groups),
                feature=name,
                at=at,
                at_level=at_level,
                value=stats[:, 0],
                support=[len(group) for group in groups],
                target=target,
                low=stats[:, 2],
                high=stats[:, 3],
                error=stats[:, 1],
                noise="rows",
            )
        job.tick((j + 1) / len(names))
    if not job.model.targets:
        del columns["target"]
    return Result(columns, {**found.spec, **spec, "errors": "of each bin's mean over its examples", "notes": notes})


def _means(values: Rows, groups: list[Rows]) -> Rows:
    """(groups, 4): mean, standard error, low, high."""
    sizes = np.array([len(group) for group in groups])
    mean = np.array([values[group].mean() for group in groups])
    error = np.array([values[group].std(ddof=1) if len(group) > 1 else np.nan for group in groups]) / np.sqrt(sizes)
    return np.column_stack([mean, error, *interval(mean, error, sizes)])


def _bins(column: Column, rows: Rows, bins: int, levels: int) -> tuple[list[Rows], tuple[int, int]]:
    """Groups of positions in `rows`, in the order of the axis, missing last; and levels and examples without one."""
    values = column.values[rows]
    present = np.flatnonzero(~np.isnan(values))
    left = (0, 0)
    if column.is_number:
        places = number_places(values, bins, clip=0.0)
        code = np.searchsorted(places, values[present])  # above the previous place, up to this one
    else:
        codes, counts = np.unique(values[present], return_counts=True)
        kept = np.sort(np.argsort(-counts, kind="stable")[:levels])
        left = len(codes) - len(kept), int(counts.sum() - counts[kept].sum())
        present = present[np.isin(values[present], codes[kept])]
        code = np.searchsorted(codes[kept], values[present])
    groups = [present[code == c] for c in np.unique(code)]
    missing = np.flatnonzero(np.isnan(values))
    return groups + ([missing] if len(missing) else []), left
