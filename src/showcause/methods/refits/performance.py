"""refits/performance: see `compute`.

Formula: The metrics of each retrained model on the same rows.

Assumes: Retraining with another seed on bootstrapped rows is what chance in training means.

Misleads: The spread over refits leaves out the chance of the rows, which model/performance states.

Cost: `refits` trainings and a prediction each.
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

    The metrics of model/performance on the rows explained (segment "all"), of segments/performance and, between and
    within protected groups, of segments/fairness, for each member of the panel (`refit`, from 1). All rows explained
    are used. spec.panel says where the members come from and which of them failed. Raises NotApplicable without a panel
    and where there is neither a label nor a protected attribute. Source: those methods, run on each member.
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
