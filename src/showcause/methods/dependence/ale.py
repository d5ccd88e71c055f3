"""dependence/ale: see `compute`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from showcause.adapters.frame import Column, Rows
from showcause.adapters.replaced import Change, replaced
from showcause.core.artifact import Artifact
from showcause.core.columns import extend
from showcause.kernels import ale
from showcause.kernels.grid import first_rows, missing_rows, number_places, rare_levels
from showcause.kernels.ranks import interval
from showcause.methods.method import Job, Result, method, positive

LARGE = 0.2  # a gap to the partial dependence above this share of the curves' range is told
MATTERS = 0.05  # of the largest range of all features, so that flat curves are left alone


@method(
    "dependence/ale",
    kind="curve",
    after=("importance/shap", "importance/permutation", "dependence/pdp"),
    in_snapshot={"limit": 12, "rows": 4_000, "levels": 25},
)
def compute(
    job: Job,
    *,
    features: Sequence[str] | None = None,
    limit: int | None = None,
    bins: int = 32,
    levels: int = 50,
    rows: int | None = None,
) -> Result:
    """How does the prediction change along a feature, for rows that are near each value?

    features, limit   the columns, else the `limit` that matter most (all where None)
    bins              steps of a number: between all values up to bins + 1, else between frequent values and quantiles
    levels            levels of a category (the most frequent)
    rows              None: every row; else a seeded sample of so many

    `value` is the accumulated local effect in the model's output space, centred so that its mean over the rows is 0
    (linear between places). A step's effect is the mean, over the rows within it, of the prediction at its upper less
    that at its lower end; so no row is moved far, and correlated features stay together. Categories stand in their
    declared order, else so that similar levels are neighbours (kernels/ale.py), and a row is moved to the levels next
    to its own. Compare differences between places rather than levels. Rows without a value have no neighbours and are
    left out, and said so. Dates are in days since 1970-01-01. `error` carries each step's standard error over rows
    through the sum and the centring; `support`: the rows above the previous place up to this one, or at the level.
    Source: Apley & Zhu 2020. Compared with brute force and effector.
    """
    positive(bins=bins, levels=levels, rows=rows)
    names, spec = job.chosen(features, limit)
    picked = job.sample(rows)
    columns: dict[str, list[Any]] = {}
    notes: list[str] = []
    ranges = dict.fromkeys(names, 0.0)
    for done, name in enumerate(names):
        column = job.data.X.column(name)
        walk = _numbers(column, picked, bins) if column.is_number else _levels(job, column, picked, levels)
        notes += walk.notes
        curve, errors = _curve(job, walk)
        ranges[name] = float(np.ptp(curve, axis=0).max())
        at, at_level = column.cells(walk.donors)
        for k, target in enumerate(job.target_names):
            low, high = interval(curve[:, k], errors[:, k], len(walk.rows))
            extend(
                columns,
                len(walk.donors),
                feature=name,
                at=at,
                at_level=at_level,
                value=curve[:, k],
                support=walk.support,
                target=target,
                low=low,
                high=high,
                error=errors[:, k],
                noise="rows",
                note=walk.note,
            )
        job.tick((done + 1) / len(names))
    if not job.model.targets:
        del columns["target"]
    if "dependence/pdp" in job.uses:
        notes += _gaps(columns, job.uses["dependence/pdp"], names, max(ranges.values()))
    errors_are = "of the centred curve over rows; adjacent places share most of it"
    return Result(columns, {**spec, **job.rows_spec(picked), "errors": errors_are, "notes": notes})


@dataclass(frozen=True)
class Walk:
    """Differences to evaluate: entry e moves row rows[e] over step steps[e], from donors[steps] to donors[steps + 1].

    donors (places,) rows that hold each place's value; support and weights (places,) as in kernels/ale.py.
    """

    name: str
    donors: Rows
    rows: Rows
    steps: Rows
    support: Rows
    weights: Rows
    notes: list[str]
    note: str | None = None


def _curve(job: Job, walk: Walk) -> tuple[Rows, Rows]:
    """(curve, errors), each (places, outputs)."""
    outputs = len(job.target_names)
    if len(walk.donors) < 2:
        value = np.nan if walk.support.sum() == 0 or walk.note == EMPTY else 0.0
        return np.full((len(walk.donors), outputs), value), np.full((len(walk.donors), outputs), value)
    ends = []
    for donors in (walk.donors[walk.steps], walk.donors[walk.steps + 1]):  # two calls of one shape: see `replaced`
        (answer,) = replaced(job.model, job.data.X, [Change(walk.rows, {walk.name: donors})])
        ends.append(answer)
    return ale.accumulate(walk.steps, walk.rows, ends[1] - ends[0], walk.weights)


EMPTY = "every value is missing, so there are no neighbours to compare"
CONSTANT = "the feature holds a single value, so there is no step to take"


def _single(column: Column, picked: Rows, notes: list[str]) -> Walk:
    """The walk of a column with at most one value: one place."""
    values = column.values[picked]
    present = np.flatnonzero(~np.isnan(values))
    at = picked[present[:1]] if len(present) else picked[:1]
    one = np.array([len(present)])
    return Walk(column.name, at, picked[:0], picked[:0], one, np.ones(1), notes, CONSTANT if len(present) else EMPTY)


def _numbers(column: Column, picked: Rows, bins: int) -> Walk:
    values = column.values[picked]
    missing = int(np.isnan(values).sum())
    kept = picked[~np.isnan(values)]
    values = column.values[kept]
    notes = missing_rows(column.name, missing)
    places = number_places(values, bins + 1, clip=0.0)
    if len(places) < 2:
        return _single(column, picked, notes)
    support = np.bincount(np.searchsorted(places, values), minlength=len(places))
    donors = kept[first_rows(values, places)]
    return Walk(column.name, donors, kept, ale.steps_of(values, places), support, ale.weights_of(values, places), notes)


def _levels(job: Job, column: Column, picked: Rows, levels: int) -> Walk:
    values = column.values[picked]
    missing = int(np.isnan(values).sum())
    notes = missing_rows(column.name, missing)
    codes, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    chosen = np.sort(np.argsort(-counts, kind="stable")[:levels])
    notes += rare_levels(column.name, len(codes) - len(chosen), int(counts.sum() - counts[chosen].sum()))
    codes = codes[chosen]
    if len(codes) < 2:
        return _single(column, picked, notes)
    kept = picked[np.isin(values, codes)]
    place = np.searchsorted(codes, column.values[kept])
    order = np.arange(len(codes)) if job.data.X.has_order(column.name) else _similar(job, column.name, kept, place)
    rank = np.argsort(order, kind="stable")[place]  # (rows,) where each row's level stands
    support = np.bincount(rank, minlength=len(codes))
    up, down = np.flatnonzero(rank < len(codes) - 1), np.flatnonzero(rank > 0)
    steps = np.concatenate([rank[up], rank[down] - 1])
    donors = kept[first_rows(rank.astype(float), np.arange(len(codes)).astype(float))]
    return Walk(column.name, donors, kept[np.concatenate([up, down])], steps, support, support / len(kept), notes)


def _similar(job: Job, name: str, rows: Rows, place: Rows) -> Rows:
    others = [job.data.X.column(other) for other in job.data.X.names if other != name]
    numbers = [c.values[rows] for c in others if c.is_number]
    categories = [c.values[rows] for c in others if not c.is_number]
    return ale.similar_order(place, np.column_stack(numbers) if numbers else np.zeros((len(rows), 0)), categories)


def _gaps(columns: dict[str, list[Any]], pdp: Artifact, names: list[str], largest: float) -> list[str]:
    """A sentence for each feature whose partial dependence has another shape, beyond the errors."""
    notes = []
    targets = columns.get("target", [None])
    for name in names:
        gaps = [_gap(columns, pdp, name, target) for target in dict.fromkeys(targets)]
        gap, span = max(gaps, default=(0.0, 0.0))
        if gap > LARGE * span and gap > MATTERS * largest:
            notes.append(
                f"{name}: partial dependence and accumulated effects differ by up to {gap:.3g}; correlated features "
                "make the partial dependence extrapolate."
            )
    return notes


def _gap(columns: dict[str, list[Any]], pdp: Artifact, name: str, target: str | None) -> tuple[float, float]:
    """(largest gap of the centred curves beyond two standard errors of the ALE, the larger range of the two)."""
    table = pdp.table.filter(pc.equal(pdp.table["feature"], name))
    if target is not None:
        table = table.filter(pc.equal(table["target"], target))
    targets = columns.get("target", [None] * len(columns["feature"]))
    mine = [i for i, f in enumerate(columns["feature"]) if f == name and targets[i] == target]
    theirs = [row for row in table.to_pylist() if row["at"] is not None or row["at_level"] is not None]
    if len(mine) < 2 or len(theirs) < 2:
        return 0.0, 0.0
    value, error = (np.array([columns[c][i] for i in mine]) for c in ("value", "error"))
    if columns["at_level"][mine[0]] is None:
        at = np.array([columns["at"][i] for i in mine])
        theirs = [row for row in theirs if at[0] <= row["at"] <= at[-1]]
        here = np.array([row["at"] for row in theirs])
        effect, noise = np.interp(here, at, value), np.interp(here, at, error)
    else:
        known = {columns["at_level"][i]: j for j, i in enumerate(mine)}
        theirs = [row for row in theirs if row["at_level"] in known]
        place = [known[row["at_level"]] for row in theirs]
        effect, noise = value[place], error[place]
    if len(theirs) < 2:
        return 0.0, 0.0
    support = np.array([row["support"] for row in theirs], dtype=float)
    other = np.array([row["value"] for row in theirs])
    if not support.sum():
        return 0.0, 0.0
    apart = np.abs((other - np.average(other, weights=support)) - (effect - np.average(effect, weights=support)))
    sure = apart > 2 * np.nan_to_num(noise, nan=np.inf)
    return float(np.max(apart[sure], initial=0.0)), float(max(np.ptp(other), np.ptp(effect)))
