"""segments/performance: see `compute`.

Formula: The metrics of model/performance over the rows of each level.

Assumes: Rows are independent; labels are as right in one segment as in another.

Misleads:
    - Small segments have wide intervals, and of many segments some differ by chance.
    - A difference of accuracy may be one of difficulty or of shares: compare with the segment's base rate, and areas
      with care, since each ranks its own rows alone.

Cost: Counts and sorts for each segment, and 1,000 resamples of its confusion table.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from showcause.adapters.dataset import MIN_CELL
from showcause.adapters.frame import Rows
from showcause.kernels import metrics
from showcause.kernels.metrics import Score
from showcause.methods.method import Job, Result, method


@method("segments/performance", kind="score", needs=("labels", "segments"))
def compute(job: Job, *, cost_false_positive: float = 1.0, cost_false_negative: float = 1.0) -> Result:
    """For whom does the model predict well, and for whom not?

    cost_false_positive, cost_false_negative   as in model/performance

    Macro for more than two classes, within each level of each declared segment and protected column; numbers are cut
    into four quantile bands, missing values are a level of their own. `reference` is the same metric over all rows
    explained, the segment's own among them. `low`, `high`: 95 % over rows, the method of each in spec.intervals. Levels
    below 30 rows are null and say "insufficient: N rows".
    Source: as of model/performance, whose intervals it has. Compared with scikit-learn.
    """
    data = job.data
    assert data.y is not None
    costs = (cost_false_positive, cost_false_negative)
    overall = _scores(job, np.arange(len(data)), costs, None)
    known = {score.metric: score.value for score in overall}
    scores: list[Score] = []
    places: list[tuple[str, str, str]] = []
    for segment in data.all_segments():
        if segment.insufficient:
            nothing = [Score(s.metric, np.nan, count=len(segment.rows), note=segment.insufficient) for s in overall]
            found = nothing
        else:
            found = _scores(job, segment.rows, costs, job.rng("segments", segment.name))
        scores += found
        places += [(segment.name, segment.by, segment.level)] * len(found)
    columns: dict[str, Any] = metrics.as_columns(scores, job.model.classes)
    del columns["target"]
    columns |= {name: [place[i] for place in places] for i, name in enumerate(("segment", "by", "level"))}
    columns["reference"] = [known[score.metric] for score in scores]
    spec: dict[str, Any] = {
        "reference": "all rows explained",
        "intervals": {m: how for m, how in metrics.INTERVALS.items() if m in known},
        "minimum": MIN_CELL,
    }
    if job.model.classes:
        spec |= {
            "decision": job.decision.document,
            "rule": job.decision.rule,
            "positive": job.model.classes[1] if job.model.binary else None,
            "average": None if job.model.binary else "macro: the mean over classes",
            "costs": {"false_positive": costs[0], "false_negative": costs[1]},
        }
    return Result(columns, spec)


def _scores(job: Job, rows: Rows, costs: tuple[float, float], rng: np.random.Generator | None) -> list[Score]:
    assert job.data.y is not None
    outputs, y = job.outputs[rows], job.data.y[rows]
    if not job.model.classes:
        return metrics.regression(outputs, y)
    decided = job.decision.classes(outputs)
    return metrics.classification(job.model.space, outputs, y, decided, len(job.model.classes), rng=rng, costs=costs)
