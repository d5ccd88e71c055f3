"""refits/dependence: see `compute`.

Formula: dependence/ale of each member of the panel, at the same places and over the same rows.

Assumes: The members of the panel are what another training might have given: refits with another seed on training rows
    drawn with replacement, folds of a cross-validation, or earlier snapshots of the same rows.

Misleads:
    - Rows drawn with replacement hold 63 % of the distinct ones, so that refits are a little worse than the model.
      Nights differ by what changed in the data, too.
    - Each curve is centred by itself: members that differ in level look alike.
    - Curves that agree may be wrong alike, where the training rows are.

Cost: `refits` trainings, and two predictions of the rows (three of a category's) for each member and feature. In a
    snapshot 12 features over 2,000 rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from showcause.core.columns import extend
from showcause.methods.method import Job, Result, method, positive


@method(
    "refits/dependence",
    kind="curve",
    after=("importance/shap", "importance/permutation"),
    in_snapshot={"limit": 12, "rows": 2_000, "levels": 25},
    panel=True,
)
def compute(
    job: Job,
    *,
    features: Sequence[str] | None = None,
    limit: int | None = None,
    bins: int = 32,
    levels: int = 50,
    rows: int | None = None,
) -> Result:
    """Which way would the output go along a feature, had the model been trained once more?

    features, limit   the columns, else the `limit` that matter most to the model explained (all where None)
    bins, levels      as in dependence/ale
    rows              None: every row; else a seeded sample of so many

    `value` is the accumulated local effect of each member (`refit`, from 1), in the model's output space. spec.panel
    says where the members come from and which of them failed.
    Raises NotApplicable without a panel.
    Source: dependence/ale (Apley & Zhu 2020), run on each member.
    """
    positive(rows=rows, bins=bins, levels=levels)
    panel = job.retrained
    names, capped = job.chosen(features, limit)
    params = {"features": names, "bins": bins, "levels": levels}
    made, spec = panel.explained(job.of_rows(rows), "dependence/ale", params)
    columns: dict[str, list[Any]] = {}
    for number, artifact in made.items():
        known = ("feature", "at", "at_level", "value", "support", "target", "note")
        cells = {name: artifact.table[name].to_pylist() for name in known if name in artifact.table.column_names}
        extend(columns, artifact.table.num_rows, **cells, refit=number)
    return Result(columns, {**spec, **capped})
