"""data/background: see `compute`.

Formula: A stored copy of the reference rows, as columns of the four types. Source: the rows themselves.

Assumes: The training rows, or those given, stand for whom a row is compared with.

Misleads: Attributions compare with these rows and no others: with another reference they differ.

Cost: A copy of at most 1,000 rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from showcause.adapters.stored import FEATURE, stored
from showcause.core.errors import NotApplicable
from showcause.methods.method import BACKGROUND_ROWS, Job, Result, method


@method("data/background", kind="rows")
def compute(job: Job) -> Result:
    """Which reference rows do Shapley values compare with?

    The background: at most 1,000 rows, a feature in "x.NAME" as in data/rows; spec.background has its digest and where
    it came from. A larger one that was given is known by its digest alone (NotApplicable). Under [privacy] rows =
    "omit" nothing is stored.
    """
    background = job.background()
    if len(background) > BACKGROUND_ROWS:
        raise NotApplicable(f"{len(background):,} rows are more than the {BACKGROUND_ROWS:,} that are stored")
    columns: dict[str, Any] = {"row": np.arange(len(background))}
    columns |= {FEATURE + name: stored(background, name) for name in background.names}
    return Result(columns, job.background_spec(background))
