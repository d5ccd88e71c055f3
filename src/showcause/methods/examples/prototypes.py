"""examples/prototypes: see `compute`.

Formula:
    - Prototypes S, m of n rows: at each step the row that raises `J(S) = 2 / (n m) · Σ over i, s in S of k(i, s) - 1 /
      m² · Σ over s, t in S of k(s, t)` most, that is lowers the squared maximum mean discrepancy.
    - Criticisms C: at each step the row that raises `Σ over c in C of |witness(c)| + log det K_C` most, `witness(c) =
      mean over i of k(i, c) - mean over s in S of k(s, c)`.
    - `k = exp(-γ · squared distance)`, γ = 1 / the median squared distance of rows that differ.

Assumes: Being alike in standardised columns, all of which count the same, is being alike.

Misleads:
    - They stand for the data, not for how the model decides; columns that it ignores count as much as any.
    - Columns that go together count several times, and with many columns all rows are about equally far.
    - A small group may have no prototype: explain its rows by themselves.

Cost: The square of the rows, in time and in memory: 32 MB a matrix at the 2,000 rows that are sampled by default, also
    in a snapshot.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from showcause.adapters.points import points
from showcause.kernels import prototypes as kernels
from showcause.kernels.distance import squared_distances
from showcause.methods.method import Job, Result, method, positive

ROLES = {
    "prototype": "a row of a small set that stands for all of them",
    "criticism": "a row that the prototypes do not stand for",
}


@method("examples/prototypes", kind="example", needs=("two rows",))
def compute(job: Job, *, prototypes: int = 6, criticisms: int = 4, rows: int = 2_000) -> Result:
    """Which few rows stand for all of them, and which are not stood for?

    prototypes, criticisms   how many of each at most
    rows                     above so many, a seeded sample is looked at; the spec says so

    The rows as they are, whatever the model says of them: raw columns, numbers in standard deviations, another category
    or one of the two missing counting 1. spec.mmd is the squared discrepancy after each prototype, spec.witness that of
    each criticism. `rank` is the order in which they were taken; `prediction` as in examples/representative. Equal
    values go to the earlier row; a copy of a criticism is none.
    Raises NotApplicable for a single row, ParameterError for a size below one.
    Source: Kim, Khanna & Koyejo 2016 (MMD-critic). Compared with a brute-force greedy choice and with known clusters.
    """
    positive(prototypes=prototypes, criticisms=criticisms, rows=rows)
    picked = job.sample(rows)
    frame = job.data.X if len(picked) == len(job.data) else job.data.X.take(picked)
    scaled = points(frame)
    values = scaled.of(frame)
    squared = squared_distances(values, values, scaled.category, scaled.scale)
    width = kernels.median_width(squared)
    kernel = np.multiply(squared, -width, out=squared)  # in its place: the matrix is large
    np.exp(kernel, out=kernel)
    chosen = kernels.prototypes(kernel, prototypes)
    critical = kernels.criticisms(kernel, chosen, criticisms)
    every = kernel.mean()
    mmd = [every - kernels.objective(kernel, chosen[: m + 1]) for m in range(len(chosen))]
    spec = {
        "roles": ROLES,
        "kernel": {"name": "exp(-width · squared distance)", "width": width},
        "distance": "standardised columns",
        "mmd": mmd,
        "witness": kernels.witness(kernel, chosen)[critical],
        "prediction_of": _speaks_of(job),
        "notes": [] if len(critical) == criticisms else ["No further row differs from the prototypes and criticisms."],
        **job.rows_spec(picked),
    }
    return Result(_columns(job, picked[chosen], picked[critical]), spec)


def _speaks_of(job: Job) -> str:
    if not job.model.classes:
        return "the target"
    return job.model.classes[1] if job.model.binary else "the class decided for"


def _columns(job: Job, chosen: Any, critical: Any) -> dict[str, Any]:
    data, rows = job.data, np.concatenate([chosen, critical]).astype(np.int64)
    columns: dict[str, Any] = {
        "example": data.positions[rows],
        "role": ["prototype"] * len(chosen) + ["criticism"] * len(critical),
        "prediction": job.decision.shown(job.outputs[rows]),
        "rank": [*range(1, len(chosen) + 1), *range(1, len(critical) + 1)],
    }
    if job.model.classes:
        columns["decision"] = [job.model.classes[c] for c in job.decision.classes(job.outputs[rows])]
    if data.y is not None and job.model.classes:
        columns["label"] = [job.model.classes[c] for c in data.y[rows]]
    elif data.y is not None:
        columns["actual"] = data.y[rows]
    if data.ids is not None:
        columns["id"] = [data.ids[row] for row in rows]
    return columns
