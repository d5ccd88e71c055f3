"""model/coefficients: see `compute`.

Formula: `output = intercept + Σ over encoded columns e of value_e · column_e`; `scale_e` is the column's standard
    deviation over the rows explained (divided by n).

Assumes: The model is linear in its (encoded) columns, in the space that is said.

Misleads:
    - Coefficients of columns in different units do not compare: multiply by `scale`.
    - Of a one-hot column only differences between levels mean something, against the level left out where there is one.
    - With correlated columns single signs mean little, and a penalty draws all towards zero.

Cost: Read off the model; standard deviations from at most 20 million encoded cells.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from showcause.adapters.dataset import Dataset
from showcause.adapters.model import Model
from showcause.adapters.readable import Encoded, NotReadable, linear
from showcause.methods.method import Job, Result, method

CELLS = 20_000_000  # of the encoded matrix that standard deviations are taken from


def _reason(model: Model, data: Dataset) -> str | None:
    try:
        linear(model, data.X)
    except NotReadable as error:
        return str(error)
    return None


@method("model/coefficients", kind="importance", applies=_reason)
def compute(job: Job) -> Result:
    """What does each column add to the output of a linear model?

    `value` is the coefficient of the encoded column `term`: the change of the output, in spec.space, for one unit of it
    with the others fixed; `feature` is the raw column behind it (two of them: `feature_b` too; more: "3 columns" and a
    note that names them). spec.space: "target" (its unit), "log of the target" (log link), "log-odds" of classes_[1],
    "log-odds up to a common term" (softmax, by `target`) or "score" (a decision function). spec.intercept is what
    remains at zero. Rows are ordered by |value · scale|. Coefficients that do not reproduce the model's own predictions
    are refused. No standard errors: fitted coefficients carry none, penalised least of all.
    Source: the model's own numbers, held to its predictions.
    """
    found = linear(job.model, job.data.X)
    seen = found.encoded
    rows = job.sample(max(2, CELLS // max(1, len(seen.names))))
    spread = seen.matrix(job.data.X if len(rows) == len(job.data) else job.data.X.take(rows)).std(axis=0)
    order = np.argsort(-np.abs(found.coefficients * spread).max(axis=0), kind="stable")
    sides = [_side(job, seen, int(e)) for e in order]
    names = ("feature", "feature_b", "term", "note", "scale", "value", "target")
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for k, target in enumerate(job.target_names):
        for e, (feature, feature_b, note) in zip(order, sides, strict=True):
            line = (feature, feature_b, seen.names[e], note, spread[e], found.coefficients[k, e], target)
            for name, cell in zip(columns, line, strict=True):
                columns[name].append(cell)
    if not job.model.classes:
        del columns["target"]
    if not any(columns["feature_b"]):
        del columns["feature_b"]
    intercepts = dict(zip(job.target_names, found.intercept, strict=True))
    notes = ["A coefficient depends on the scale of its column: compare them times `scale`."]
    if not seen.plain:
        notes.append("Terms are the columns after the model's own transformers, such as scaled or one-hot columns.")
    spec = {
        "space": found.space,
        "estimator": type(seen.last).__name__,
        "intercept": {target or "prediction": value for target, value in intercepts.items()},
        "seen_through": list(seen.through),
        "notes": notes,
        **job.rows_spec(rows),
    }
    return Result(columns, spec)


def _side(job: Job, seen: Encoded, e: int) -> tuple[str, str | None, str | None]:
    """(feature, feature_b, note) of encoded column e."""
    names = [job.data.X.names[j] for j in seen.parents()[e]]
    if len(names) in (1, 2):
        return names[0], names[1] if len(names) == 2 else None, None
    if not names:
        return "(constant)", None, "it depends on no column"
    return f"{len(names)} columns", None, f"made of {', '.join(names[:8])}" + (" and others" if len(names) > 8 else "")
