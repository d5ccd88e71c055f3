"""examples/representative: see `compute`.

Formula:
    - `right`, `wrong`: of the right (wrong) rows decided alike, the least `Σ_j ((x_j - median_j) / sd_j)²`; a category
      adds 1 where it is not the commonest, one that is missing too.
    - `confident wrong`: of the wrong rows the least output of the class that came out. `near the threshold`: the least
      |output - threshold|, or difference between the two largest outputs.
    - Regression: the least and the largest `|actual - predicted|`; without labels the lowest and highest predictions.

Assumes: Labels are right, and the threshold is the one decided by.

Misleads:
    - Single cases are illustrations and no evidence of how often something happens.
    - Between two groups of rows the middle may be where nobody is, and the row nearest to it an odd one.
    - Among the confident wrong ones wrong labels gather: see examples/influence.

Cost: A sort of the predictions and a pass over the columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from showcause.adapters.dataset import Dataset
from showcause.adapters.frame import Rows
from showcause.adapters.model import probabilities
from showcause.methods.method import Job, Result, method

TIES = 12  # distances that agree to so many decimals are equal: rounding alone does not decide

MEANING = {
    "right": "decided as it came out, nearest to the middle of the rows decided alike",
    "wrong": "not decided as it came out, nearest to the middle of the rows decided alike",
    "confident wrong": "wrong, and what came out had been given the lowest probability",
    "near the threshold": "the smallest distance to another decision",
    "highest prediction": "the highest prediction",
    "lowest prediction": "the lowest prediction",
    "smallest residual": "the smallest absolute difference between actual and predicted value",
    "largest residual": "the largest absolute difference between actual and predicted value",
}


@method("examples/representative", kind="example")
def compute(job: Job, *, per_role: int = 3) -> Result:
    """Which cases show how the model decides, where it errs and where it wavers?

    per_role   rows of each role at most

    Rows `right` and `wrong` stand in turns of the classes decided for; sd is over all rows explained. Rows that are
    `confident wrong` are not `wrong` too where others are left. `rank` from 1. `prediction` is the output of
    classes_[1] (binary), of the class decided for (more classes) or the value predicted. Deterministic; ties go to the
    earlier row. A role may be empty: spec.notes says so.
    Raises ParameterError for less than one row a role.
    Source: no paper; the definitions above. The row nearest to a middle is not the medoid of Kaufman & Rousseeuw 1987,
    which is nearest to all others.
    """
    data = job.data
    if per_role < 1:
        raise _too_few(per_role)
    roles = _regression(job, per_role) if not job.model.classes else _classification(job, per_role)
    notes = [f"No row has the role “{role}”." for role, rows in roles.items() if not len(rows)]
    if data.y is None:
        notes.append("No labels were given: rows are shown by their prediction alone.")
    rows = np.concatenate([np.asarray(r, dtype=np.int64) for r in roles.values()])
    columns: dict[str, Any] = {
        "example": data.positions[rows],
        "role": [role for role, picked in roles.items() for _ in picked],
        "prediction": job.outputs[rows, 0],
        "rank": [rank for picked in roles.values() for rank in range(1, len(picked) + 1)],
    }
    spec: dict[str, Any] = {
        "roles": {role: MEANING[role] for role in roles},
        "prediction_of": "the target",
        "notes": notes,
    }
    if job.model.classes:
        decided = job.decision.classes(job.outputs)[rows]
        columns["decision"] = [job.model.classes[c] for c in decided]
        columns["prediction"] = job.decision.shown(job.outputs[rows])
        spec |= {"decision": job.decision.document, "rule": job.decision.rule}
        spec["prediction_of"] = job.model.classes[1] if job.model.binary else "the class decided for"
        if data.y is not None:
            columns["label"] = [job.model.classes[c] for c in data.y[rows]]
    elif data.y is not None:
        columns["actual"] = data.y[rows]
    if data.ids is not None:
        columns["id"] = [data.ids[row] for row in rows]
    return Result(columns, spec)


def _too_few(per_role: int) -> Exception:
    from showcause.core.errors import ParameterError

    return ParameterError(f"examples/representative: per_role must be at least 1, got {per_role}")


def _regression(job: Job, size: int) -> dict[str, list[int]]:
    if job.data.y is None:
        return _extremes(job.outputs[:, 0], size)
    residual = np.abs(job.data.y - job.outputs[:, 0])
    return {"smallest residual": _first(residual, size), "largest residual": _first(-residual, size)}


def _classification(job: Job, size: int) -> dict[str, list[int]]:
    outputs, y = job.outputs, job.data.y
    decided = job.decision.classes(outputs)
    near = {"near the threshold": _first(_margin(job), size)}
    if y is None:
        return {**near, **_extremes(job.decision.shown(outputs), size)}
    space = probabilities(outputs) if job.model.space == "probability" else _scores(outputs)
    actual = space[np.arange(len(y)), y]  # what the model gave to the class that came out
    wrong = np.flatnonzero(decided != y)
    confident = wrong[_first(actual[wrong], size)].tolist()
    rest = np.setdiff1d(wrong, confident)
    return {
        "right": _middles(job.data, np.flatnonzero(decided == y), decided, size),
        "wrong": _middles(job.data, rest if len(rest) else wrong, decided, size),
        "confident wrong": confident,
        **near,
    }


def _scores(outputs: Rows) -> Rows:
    return np.column_stack([-outputs[:, 0], outputs[:, 0]]) if outputs.shape[1] == 1 else outputs


def _margin(job: Job) -> Rows:
    """(rows,) distance to the threshold (binary), or between the two largest outputs."""
    if job.outputs.shape[1] == 1:
        return np.asarray(np.abs(job.outputs[:, 0] - (job.decision.threshold or 0.0)).round(TIES))
    top = np.sort(job.outputs, axis=1)
    return np.asarray((top[:, -1] - top[:, -2]).round(TIES))


def _extremes(values: Rows, size: int) -> dict[str, list[int]]:
    return {"highest prediction": _first(-values, size), "lowest prediction": _first(values, size)}


def _first(values: Rows, size: int) -> list[int]:
    """Positions of the `size` smallest values, earlier rows first among equals."""
    return list(np.argsort(values, kind="stable")[:size].tolist())


def _middles(data: Dataset, rows: Rows, decided: Rows, size: int) -> list[int]:
    """Up to `size` of `rows`: the classes decided for take turns, each with the row nearest to its middle."""
    queues = []
    for group in np.unique(decided[rows]):
        members = rows[decided[rows] == group]
        queues.append(members[_first(_distance(data, members), size)].tolist())
    turns = [queue[turn] for turn in range(size) for queue in queues if turn < len(queue)]
    return turns[:size]


def _distance(data: Dataset, rows: Rows) -> Rows:
    """(rows,) summed squared distance to the middle of `rows`. Numbers count in standard deviations over all rows;
    another category than the commonest, or one of the two missing, counts 1."""
    total = np.zeros(len(rows))
    for name in data.X.names:
        column = data.X.column(name)
        values = column.values[rows]
        present = ~np.isnan(values)
        if not present.any():
            continue
        if column.is_number:
            spread = float(np.nanstd(column.values)) or 1.0
            away = ((values - np.median(values[present])) / spread) ** 2
        else:
            codes, counts = np.unique(values[present], return_counts=True)
            away = (values != codes[np.argmax(counts)]).astype(np.float64)
        total += np.where(present, away, 1.0)
    return total.round(TIES)
