"""examples/similar: see `compute`.

Formula:
    - Forests: the share of trees in which both rows end in the same leaf. Boosted trees: the same with tree t weighted
      by its share of Σ over trees of the variance of the leaf values over the training rows.
    - Linear models: the Euclidean distance between what the raw columns add to the output, coefficient · value summed
      over a column's encoded ones.
    - Any other: the Euclidean distance with numbers in standard deviations, another category counting 1.

Assumes: What the model treats alike is what is meant by alike.

Misleads:
    - Rows that the model cannot tell apart may differ in what matters to a person.
    - Leaves were grown around the training rows: a new row shares few leaves of fully grown trees with anybody, so that
      values are small; their order counts.
    - For a model that is neither linear nor made of trees, nearness is that of the columns and not the model's.

Cost: A comparison for each tree, row and example; in a snapshot 8 million rows × trees for each example, then a sample
    of the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from showcause.adapters.frame import Frame, Rows
from showcause.adapters.nearness import Nearness, columns, nearness
from showcause.adapters.others import Others, neighbour_columns, others
from showcause.methods.method import Job, Result, method, positive

TIES = 12  # values that agree to so many decimals are equal

RELATIONS = {"like": "the nearest rows decided alike", "unlike": "the nearest rows decided otherwise"}
NUMBERS = {
    "like": "the nearest rows",
    "unlike": "the nearest rows whose prediction lies at least one standard deviation of all predictions away",
}


@method(
    "examples/similar",
    kind="neighbour",
    uses=("examples/representative",),
    in_snapshot={"visits": 8_000_000},
)
def compute(
    job: Job,
    *,
    neighbours: int = 5,
    examples: Sequence[int] | None = None,
    visits: int | None = None,
) -> Result:
    """Which cases does the model take for the same, and which nearly the same ones did it decide otherwise?

    neighbours   rows of each relation
    examples     positions of the rows to find neighbours of; None: the representative examples
    visits       None, or at most about this many rows × trees: then a seeded sample of the rows; the spec says so

    Neighbours are training rows where `train` was given, else other rows explained (`source`, `row`). `like` rows are
    decided as the example is, `unlike` ones otherwise; for regression, `unlike` predictions lie a standard deviation of
    all predictions away or more. spec.neighbourhood says in which space. Equal values go by the distance in
    standardised columns, then by the row's number. Ranks run through `like` and on through `unlike`. `label` or
    `actual` is what came out for the neighbour.
    Raises ParameterError for neighbours or visits below one, or an example that is no row of X.
    Source: Breiman & Cutler 2003 (proximities of forests); Tan, Soloviev, Hooker & Wells 2020 (of boosted trees).
    Compared with brute force and with the leaves of scikit-learn, XGBoost and LightGBM.
    """
    positive(neighbours=neighbours, visits=visits)
    rows = job.asked(examples)
    reference = job.data.X if job.data.train is None else job.data.train
    near = job.once("nearness", lambda: nearness(job.model, job.data.X, reference))
    among = _among(job, near, visits)
    own = job.outputs[rows]
    alike = _alike(job, own, among)
    order = _order(job, rows, near, among)
    cases: list[tuple[int | None, list[tuple[int, float, str]]]] = []
    for e, row in enumerate(rows):
        ranked, value = order[e]
        if among.source == "explained":
            ranked = ranked[among.rows[ranked] != job.data.positions[row]]
        lines: list[tuple[int, float, str]] = []
        for relation, wanted in (("like", alike[e]), ("unlike", ~alike[e])):
            picked = ranked[wanted[ranked]][:neighbours]
            lines += [(int(place), float(value[place]), relation) for place in picked]
        cases.append((int(row), lines))
    table, places = neighbour_columns(job.data, among, cases)
    spec = {
        **near.document,
        **among.document,
        "relations": RELATIONS if job.model.classes else NUMBERS,
        "neighbours": neighbours,
        "notes": _notes(cases, neighbours, job),
    }
    return Result({**table, **job.outcomes(among, places)}, spec)


def _among(job: Job, near: Nearness, visits: int | None) -> Others:
    limits = [near.limit, None if visits is None else max(1, visits // near.visits)]
    limit = min((n for n in limits if n is not None), default=None)

    def predict(frame: Frame | None) -> Rows:
        return job.train_outputs if frame is None else job.model.predict(frame)

    return others(job.data, job.outputs, limit, job.rng("neighbours"), predict)


def _alike(job: Job, own: Rows, among: Others) -> Rows:
    """(examples, rows) whether both are decided alike."""
    if job.model.classes:
        return np.asarray(job.decision.classes(own)[:, None] == job.decision.classes(among.outputs)[None, :])
    apart = float(among.outputs[:, 0].std())
    away = np.abs(own[:, :1] - among.outputs[None, :, 0])
    return np.asarray((away < apart) | (apart == 0))


def _order(job: Job, rows: Rows, near: Nearness, among: Others) -> list[tuple[Rows, Rows]]:
    """Of each example: places in `among` from the nearest on, and their values."""
    examples = job.data.X.take(rows)
    values = near.between(examples, among.frame)
    first = np.round(-values if near.more else values, TIES)
    second = first if near.space == "standardised columns" else columns(among.frame).between(examples, among.frame)
    return [(np.lexsort((np.round(s, TIES), f)), v) for v, f, s in zip(values, first, second, strict=True)]


def _notes(cases: Sequence[tuple[int | None, list[Any]]], neighbours: int, job: Job) -> list[str]:
    short = sum(len(lines) < 2 * neighbours for _, lines in cases)
    notes = [f"For {short} of {len(cases)} cases there are fewer such rows."] if short else []
    if job.data.train is None:
        notes.append("No training rows were given: neighbours are other rows explained.")
    return notes
