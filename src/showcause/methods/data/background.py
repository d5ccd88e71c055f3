"""data/background: see `compute`.

Formula: A copy of the rows, no number is computed: those given as `background`, else 1,000 rows drawn from the training
    rows (from the rows explained without them), or all where there are fewer.

Assumes: The training rows, or those given, are whom a row is compared with.

Misleads:
    - Attributions compare with these rows and no others. In a snapshot a method may use fewer of them to save
      (attribution/shapley within its evaluations, attribution/tree_shap above 100,000 leaves): `background` in its own
      spec counts.
    - reasons/cutoff compares with other rows, those just beyond the cutoff.

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

    At most 1,000 rows, a feature in "x.NAME" as in data/rows; spec.background has their digest and where they came
    from. Under [privacy] rows = "omit" nothing is stored.
    Raises NotApplicable for a larger background that was given: it is known by its digest alone.
    Source: the rows themselves.
    """
    background = job.background()
    if len(background) > BACKGROUND_ROWS:
        raise NotApplicable(f"{len(background):,} rows are more than the {BACKGROUND_ROWS:,} that are stored")
    columns: dict[str, Any] = {"row": np.arange(len(background))}
    columns |= {FEATURE + name: stored(background, name) for name in background.names}
    return Result(columns, job.background_spec(background))
