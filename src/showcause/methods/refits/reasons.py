"""refits/reasons: see `compute`.

Formula: reasons/cutoff of each member of the panel for the same rows, each against its own rows just beyond the cutoff.

Assumes: The members of the panel are what another training might have given: refits with another seed on training rows
    drawn with replacement, folds of a cross-validation, or earlier snapshots of the same rows.

Misleads:
    - Rows drawn with replacement hold 63 % of the distinct ones, so that refits are a little worse than the model.
      Nights differ by what changed in the data, too.
    - Reasons that agree in all members may still all be wrong about the world.
    - Members compare with different reference rows: another reason may come from those.

Cost: `refits` trainings, and the cost of reasons/cutoff for each member. In a snapshot 500,000 evaluations a member.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from showcause.core.columns import extend
from showcause.methods.method import Job, Result, method

SOURCE = "reasons/cutoff"
KEPT = (
    *("example", "feature", "value", "base", "prediction", "decision", "score", "rank", "side"),
    *("target", "error", "noise", "input", "input_level", "id", "note"),
)


@method("refits/reasons", kind="attribution", uses=(SOURCE,), panel=True, in_snapshot={"evaluations": 500_000})
def compute(job: Job, *, evaluations: int | None = None) -> Result:
    """Would a case have got the same decision, for the same reasons, had the model been trained once more?

    evaluations   None, or at most about so many of each member

    Of each row only its reasons are kept (its largest contribution where it has none), with the decision and the score,
    for each member (`refit`, from 1). spec.panel says where the members come from and which of them failed.
    Raises NotApplicable without a panel.
    Source: reasons/cutoff, run on each member.
    """
    rows = job.row_of(np.unique(job.uses[SOURCE].table["example"].to_numpy()))
    given = {"reasons": job.uses[SOURCE].spec["reasons"], "evaluations": evaluations}
    made, spec = job.retrained.explained(_of(job, rows), SOURCE, given)
    columns: dict[str, list[Any]] = {}
    for number, artifact in made.items():
        kept = artifact.table.take(_reasons(artifact.table.select(["example", "value", "rank"]).to_pylist()))
        cells = {name: kept[name].to_pylist() for name in KEPT if name in kept.column_names}
        extend(columns, kept.num_rows, **cells, refit=number)
    return Result(columns, spec)


def _reasons(rows: list[dict[str, Any]]) -> list[int]:
    """Positions of the rows with a rank, and of an example's largest value where none has one."""
    kept = {number: row for number, row in enumerate(rows) if row["rank"] is not None}
    lacking = {row["example"] for row in rows} - {row["example"] for row in kept.values()}
    largest: dict[int, int] = {}
    for number, row in enumerate(rows):
        example = row["example"]
        if example in lacking and abs(row["value"]) > abs(rows[largest.setdefault(example, number)]["value"]):
            largest[example] = number
    return sorted([*kept, *largest.values()])


def _of(job: Job, rows: Any) -> Job:
    """The same job about these rows alone; the rows that references come from stay whole."""
    data = job.data.take(rows)
    if data.train is None:
        data = replace(data, train=job.data.X)
    return replace(job, data=data, memory=job.once("reasons rows", dict), uses={})
