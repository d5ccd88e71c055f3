"""data/rows: see `compute`.

Formula: A copy of the rows explained, no number is computed.

Assumes: The rows explained stand for those that the model will meet.

Misleads:
    - What holds of them need not hold of later rows, or of other people.
    - Above 20,000 rows they are a sample, in which each class (or fifth of a numeric label) keeps its share where there
      are labels; the spec says of how many.

Cost: A copy of the rows; in a snapshot none above 500,000 cells.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from showcause.adapters.stored import CONTEXT, FEATURE, LABEL, stored
from showcause.core.errors import NotApplicable
from showcause.methods.method import Job, Result, method, positive


@method("data/rows", kind="rows", in_snapshot={"cells": 500_000})
def compute(job: Job, *, cells: int | None = None) -> Result:
    """Which rows were explained?

    cells   None, or the most cells (rows × columns) that are stored; larger data are known by their digests alone

    The rows explained, in their order: `row` is the position in what was given, a feature stands in "x.NAME", the label
    in "y" (a class as text), a column that only segments or protected attributes name in "context.NAME". Moments are
    nanoseconds since 1970-01-01 as text. So a later model can be explained on these very rows (`explain(baseline=…)`).
    Under [privacy] rows = "omit" nothing is stored.
    Raises NotApplicable above `cells`.
    Source: the rows themselves.
    """
    positive(cells=cells)
    data = job.data
    beside = [name for name in dict.fromkeys((*data.segments, *data.protected)) if name not in data.X.names]
    size = len(data) * (len(data.X.names) + len(beside) + (data.y is not None))
    if cells is not None and size > cells:
        raise NotApplicable(f"{size:,} cells are more than the {cells:,} that are stored; their digests are kept")
    columns: dict[str, Any] = {"row": data.positions}
    columns |= {FEATURE + name: stored(data.X, name) for name in data.X.names}
    if data.y is not None:
        columns[LABEL] = [job.model.classes[int(k)] for k in data.y] if job.model.classes else np.asarray(data.y)
    if data.context is not None:
        columns |= {CONTEXT + name: stored(data.context, name) for name in beside}
    return Result(columns)
