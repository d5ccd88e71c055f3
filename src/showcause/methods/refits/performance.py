"""refits/performance: see `compute`.

Formula: model/performance, segments/performance and segments/fairness of each member of the panel, on the same rows.

Assumes: The members of the panel are what another training might have given: refits with another seed on training rows
    drawn with replacement, folds of a cross-validation, or earlier snapshots of the same rows.

Misleads:
    - Rows drawn with replacement hold 63 % of the distinct ones, so that refits are a little worse than the model.
      Nights differ by what changed in the data, too.
    - The spread over refits leaves out the chance of the rows, which model/performance states; the two are not to be
      added up as if they were one.

Cost: `refits` trainings, and a prediction of the rows by each.
"""

from __future__ import annotations

from typing import Any

from showcause.core.columns import extend
from showcause.core.errors import NotApplicable
from showcause.methods.method import Job, Result, method

SOURCES = ("model/performance", "segments/performance", "segments/fairness")
KEPT = ("metric", "value", "count", "target", "segment", "by", "level", "note")
# Fairness repeats these of segments/performance, or says them of the data alone.
REPEATED = ("accuracy", "base_rate")


@method("refits/performance", kind="score", panel=True)
def compute(job: Job) -> Result:
    """How well would the model do, and for whom, had it been trained once more?

    The metrics on the rows explained (segment "all"), in each segment and, between and within protected groups, of
    fairness, for each member (`refit`, from 1). All rows explained are used. A member decides by its own threshold
    where it has one. spec.panel says where the members come from and which of them failed.
    Raises NotApplicable without a panel and where there is neither a label nor a protected attribute.
    Source: those methods, run on each member.
    """
    panel = job.retrained
    columns: dict[str, list[Any]] = {}
    spec: dict[str, Any] = {}
    reasons = []
    for source in SOURCES:
        try:
            made, said = panel.explained(job, source, {})
        except NotApplicable as reason:
            reasons.append(str(reason))
            continue
        spec = spec or {**said, "of": []}
        spec["of"].append(said["of"])
        for number, artifact in made.items():
            rows = [row for row in artifact.table.to_pylist() if _kept(source, row)]
            cells = {name: [row.get(name) for row in rows] for name in KEPT}
            extend(columns, len(rows), **cells, refit=number)
    if not columns:
        raise NotApplicable("; ".join(reasons))
    if not any(columns["target"]):
        del columns["target"]
    return Result(columns, spec)


def _kept(source: str, row: dict[str, Any]) -> bool:
    if source == "segments/fairness":
        return row["metric"] not in REPEATED
    return row.get("segment") != "train"
