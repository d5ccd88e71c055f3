"""importance/correlated_groups: see `compute`.

Formula:
    - `value = mean over rows and repeats of loss(all columns of the group taken from one other row) - loss(as it was)`.
    - Groups: complete linkage on 1 - association, so that every pair in a group goes together at least so much.
      Association is |Spearman| for two numbers, the correlation ratio of the ranks for a number and a category,
      Cramer's V for two categories (both corrected for the number of levels).

Assumes: Columns that go together two by two are one source of knowledge.

Misleads:
    - A group of many columns outweighs single ones: do not rank the two together.
    - Spearman sees no relation that rises and falls, and no pair shows that three columns add up to a fourth.
    - Groups depend on the cut-off. Shuffled rows are rows that nobody has, though inside the group they are real.

Cost: `repeats` predictions of the rows for each group and for each of its members, besides a batch of unchanged rows.
    In a snapshot 20,000 (60,000 by trees): fewer repeats, then fewer rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from showcause.adapters.frame import Rows
from showcause.adapters.replaced import budget, shuffled
from showcause.core.errors import NotApplicable, ParameterError
from showcause.kernels.clusters import association as associations
from showcause.kernels.clusters import groups_of
from showcause.kernels.loss import loss_name, losses_of, second_name
from showcause.kernels.ranks import interval
from showcause.kernels.shuffle import ERRORS, SHUFFLE, Tally, affordable, budget_notes, tally
from showcause.methods.method import Job, Result, method, positive

ASSOCIATION_ROWS = 5_000
SHARED = 0.1  # of a group's value, by which it surpasses its members' sum where that is worth saying
MEASURES = (
    "|Spearman| for two numbers, correlation ratio of the ranks for a number and a category, Cramer's V for two "
    "categories (both corrected for the number of levels)"
)


@method(
    "importance/correlated_groups",
    kind="importance",
    version=2,
    needs=("labels", "two features", "two rows"),
    in_snapshot={"predictions": 20_000},
)
def compute(job: Job, *, association: float = 0.7, repeats: int = 5, predictions: int | None = None) -> Result:
    """How much do features that go together matter as a group?

    association            every pair in a group goes together at least so much, from 0 to 1
    repeats, predictions   as importance/permutation

    Associations are over the rows explained (a seeded sample of 5,000 where there are more). The row whose `feature` is
    the group's name ("a + b") has the group's value; the members shuffled alone, with the same donors, follow it. Loss,
    `error_rate` or `absolute_error`, `error`, `low` and `high` are as in importance/permutation. A group that matters
    more than its members' sum (spec.notes: beyond two standard errors and a tenth of it) holds features that the model
    shares between: shuffling one leaves what the others tell.
    Raises NotApplicable where no pair goes together so much, ParameterError for an association outside of 0 to 1.
    Source: Breiman 2001; Gregorutti, Michel & Saint-Pierre 2015 (groups shuffled together; GPFI in Au, Herbinger,
    Stachl, Bischl & Casalicchio 2022); Bergsma 2013 and Kelley 1935 (corrections of Cramer's V and of the correlation
    ratio).
    """
    positive(repeats=repeats, predictions=predictions)
    if not 0 < association <= 1:
        raise ParameterError(f"association must lie above 0 and at most at 1, got {association}")
    names = job.data.X.names
    seen = job.sample(ASSOCIATION_ROWS)
    strength = associations(
        [job.data.X.column(name).values[seen] for name in names], [job.data.X.column(name).is_number for name in names]
    )
    groups = [[names[j] for j in group] for group in groups_of(strength, association)]
    if not groups:
        raise NotApplicable(_nearest(list(names), strength, association))
    sets, labels = [], []
    for members in groups:
        title = " + ".join(members)
        sets += [tuple(members), *((member,) for member in members)]
        labels += [(title, title), *((member, title) for member in members)]
    limit, times = affordable(len(job.data), len(sets), repeats, budget(job.model, job.data.X, predictions))
    rows = job.sample(limit)
    first, second = _tallies(job, rows, sets, times)
    order = _order(labels, first.value)
    low, high = interval(first.value, first.error, len(rows))
    columns: dict[str, Any] = {
        "feature": [labels[j][0] for j in order],
        "group": [labels[j][1] for j in order],
        "value": first.value[order],
        "low": low[order],
        "high": high[order],
        "error": first.error[order],
        "noise": "rows",
        second_name(job.model.space): second[order],
    }
    where = {name: j for j, name in enumerate(names)}
    facts = [_facts(members, strength[np.ix_(i := [where[m] for m in members], i)]) for members in groups]
    spec = {
        "loss": loss_name(job.model.space),
        "space": "loss",
        "repeats": times,
        "shuffle": SHUFFLE,
        "errors": ERRORS,
        "groups": facts,
        "association": {"measures": MEASURES, "rows": len(seen), "linkage": "complete"},
        "notes": budget_notes(len(rows), len(job.data), times, repeats) + _substitutes(labels, first),
        **job.rows_spec(rows),
    }
    return Result(columns, spec)


def _facts(members: list[str], strength: Rows) -> dict[str, Any]:
    return {"members": members, "least_association": float(strength.min())}


def _nearest(names: list[str], strength: Rows, threshold: float) -> str:
    apart = np.triu(strength, 1)
    i, j = np.unravel_index(int(np.argmax(apart)), apart.shape)
    pair = f"{names[int(i)]} and {names[int(j)]}"
    return f"no two features go together at {threshold:g} or more; the closest are {pair} at {apart[i, j]:.2f}"


def _tallies(job: Job, rows: Rows, sets: list[tuple[str, ...]], repeats: int) -> tuple[Tally, Rows]:
    """Of the main loss, and (sets,) mean increases of the second one."""
    losses = losses_of(job.model.space, job.data.y, rows, job.decision.classes)
    circle = job.rng("permutation").permutation(len(rows))  # as importance/permutation, so that members agree with it
    second = np.zeros(len(sets))

    def differences() -> Iterator[tuple[Rows, Rows]]:
        for donors, (main, more) in shuffled(job.model, job.data.X, rows, sets, circle, repeats, losses, job.tick):
            second[:] += more.mean(axis=0) / repeats
            yield donors, main

    return tally(differences()), second


def _order(labels: list[tuple[str, str]], value: Rows) -> list[int]:
    """Groups by falling value, each followed by its members by falling value."""
    heads = [j for j, (feature, group) in enumerate(labels) if feature == group]
    found = []
    for head in sorted(heads, key=lambda j: -value[j]):
        members = [j for j, (feature, group) in enumerate(labels) if group == labels[head][1] and feature != group]
        found += [head, *sorted(members, key=lambda j: -value[j])]
    return found


def _substitutes(labels: list[tuple[str, str]], found: Tally) -> list[str]:
    """A sentence for each group that matters more than its members' sum by two standard errors and a share of it."""
    notes = []
    for j, (feature, group) in enumerate(labels):
        if feature != group:
            continue
        contrast = np.zeros(len(labels))
        contrast[[i for i, (f, g) in enumerate(labels) if g == group and f != g]] = -1
        contrast[j] = 1
        noise = np.sqrt(max(0.0, *(float(contrast @ c @ contrast) for c in (found.covariance, found.monte_carlo))))
        if contrast @ found.value > max(2 * noise, SHARED * found.value[j]):
            notes.append(
                f"{group}: together they matter more than the sum of each alone; the model takes what they know from "
                "several of them."
            )
    return notes
