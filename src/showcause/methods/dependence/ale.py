"""dependence/ale: see `compute`.

Formula:
    - `ALE_j(x) = Σ over steps k up to x of the mean over the rows i in step k of f(z_k, x_i) - f(z_(k-1), x_i)`, less
      the mean of that curve over the rows; z_(k-1) and z_k are the ends of step k.
    - Of a category a step leads from one level to the next; the rows of both are moved across it.

Assumes: Moving a row to the ends of its own step is harmless, and the effect of a step may be added to that of the
    steps before it, which was measured on other rows.

Misleads:
    - Levels are relative, the mean over the rows being 0: compare differences between places.
    - Where the feature acts together with others, the curve joins steps of different rows, and no single row follows
      it.
    - Levels without an order are put in one by similarity, and the curve depends on it.
    - Wide steps in thin tails hide what happens inside them: see `support`.

Cost: Two predictions for each row and numeric feature, three for a category's. In a snapshot 12 features over 4,000
    rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from showcause.adapters.frame import Column, Rows
from showcause.adapters.replaced import over_moves
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
    version=2,
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
    (linear between places). No row is moved far, and correlated features stay together. Categories stand in their
    declared order, else so that similar levels are neighbours (kernels/ale.py). Rows without a value have no neighbours
    and are left out, and said so. Dates are in days since 1970-01-01. `error` carries each step's standard error over
    rows through the sum and the centring, `low` and `high` are Student's t at 95 %; `support`: the rows above the
    previous place up to this one, or at the level.
    Source: Apley & Zhu 2020, equations 15 and 16. Compared with brute force and effector.
    """
    positive(bins=bins, levels=levels, rows=rows)
    names, spec = job.chosen(features, limit)
    picked = job.sample(rows)
    columns: dict[str, list[Any]] = {}
    notes: list[str] = []
    ranges = dict.fromkeys(names, 0.0)
    read = {name: job.data.X.column(name) for name in names}
    walks = {
        name: _numbers(column, picked, bins) if column.is_number else _levels(job, column, picked, levels)
        for name, column in read.items()
    }
    moved = [(name, walk.moves) for name, walk in walks.items() if len(walk.moves)]
    answers = over_moves(job.model, job.data.X, picked, moved)
    for done, (name, walk) in enumerate(walks.items()):
        column = read[name]
        notes += walk.notes
        curve, errors = _curve(job, walk, next(answers) if len(walk.moves) else None)
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
    """Differences to evaluate: entry e moves the picked row at[e] over step steps[e], from its own donor
    moves[lower[e]] to moves[lower[e] + 1].

    donors   (places,) rows that hold each place's value; moves (k, picked rows) whose cell each row takes in turn
    rows     (picked rows,) all of them; support and weights (places,) as in kernels/ale.py
    """

    donors: Rows
    rows: Rows
    at: Rows
    steps: Rows
    moves: Rows
    lower: Rows
    support: Rows
    weights: Rows
    notes: list[str]
    note: str | None = None


def _curve(job: Job, walk: Walk, answers: Rows | None) -> tuple[Rows, Rows]:
    """(curve, errors), each (places, outputs), of the predictions (k, picked rows, outputs) at `walk.moves`."""
    if answers is None:
        value = np.nan if walk.support.sum() == 0 or walk.note == EMPTY else 0.0
        flat = np.full((len(walk.donors), len(job.target_names)), value)
        return flat, flat.copy()
    differences = answers[walk.lower + 1, walk.at] - answers[walk.lower, walk.at]
    return ale.accumulate(walk.steps, walk.rows[walk.at], differences, walk.weights)


EMPTY = "every value is missing, so there are no neighbours to compare"
CONSTANT = "the feature holds a single value, so there is no step to take"


def _single(column: Column, picked: Rows, notes: list[str]) -> Walk:
    """The walk of a column with at most one value: one place."""
    present = np.flatnonzero(~np.isnan(column.values[picked]))
    at = picked[present[:1]] if len(present) else picked[:1]
    none, support = np.zeros(0, np.int64), np.array([len(present)])
    still = np.zeros((0, len(picked)), np.int64)
    why = CONSTANT if len(present) else EMPTY
    return Walk(at, picked, none, none, still, none, support, np.ones(1), notes, why)


def _numbers(column: Column, picked: Rows, bins: int) -> Walk:
    at = np.flatnonzero(~np.isnan(column.values[picked]))
    values = column.values[picked[at]]
    notes = missing_rows(column.name, len(picked) - len(at))
    places = number_places(values, bins + 1, clip=0.0)
    if len(places) < 2:
        return _single(column, picked, notes)
    support = np.bincount(np.searchsorted(places, values), minlength=len(places))
    donors, steps = picked[at][first_rows(values, places)], ale.steps_of(values, places)
    moves = np.tile(picked, (2, 1))
    moves[:, at] = donors[steps], donors[steps + 1]
    weights = ale.weights_of(values, places)
    return Walk(donors, picked, at, steps, moves, np.zeros(len(at), np.int64), support, weights, notes)


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
    at = np.flatnonzero(np.isin(values, codes))
    kept = picked[at]
    place = np.searchsorted(codes, column.values[kept])
    order = np.arange(len(codes)) if job.data.X.has_order(column.name) else _similar(job, column.name, kept, place)
    rank = np.argsort(order, kind="stable")[place]  # (rows,) where each row's level stands
    support = np.bincount(rank, minlength=len(codes))
    donors = kept[first_rows(rank.astype(float), np.arange(len(codes)).astype(float))]
    moves = np.tile(picked, (3, 1))  # the level below, its own, the level above
    for move, level in zip(moves, (rank - 1, rank, rank + 1), strict=True):
        move[at] = donors[np.clip(level, 0, len(codes) - 1)]
    up, down = np.flatnonzero(rank < len(codes) - 1), np.flatnonzero(rank > 0)
    both, steps = np.concatenate([up, down]), np.concatenate([rank[up], rank[down] - 1])
    lower = np.repeat([1, 0], [len(up), len(down)])
    return Walk(donors, picked, at[both], steps, moves, lower, support, support / len(kept), notes)


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
