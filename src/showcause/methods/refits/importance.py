"""refits/importance: see `compute`.

Formula: importance/permutation of each member of the panel, by the same shuffles of the same rows; without labels
    importance/shap of exact values, where the members are made of trees.

Assumes: The members of the panel are what another training might have given: refits with another seed on training rows
    drawn with replacement, folds of a cross-validation, or earlier snapshots of the same rows.

Misleads:
    - Rows drawn with replacement hold 63 % of the distinct ones, so that refits are a little worse than the model.
      Nights differ by what changed in the data, too.
    - Columns that know the same trade places between members: a wide spread of both may mean a steady group. See
      importance/correlated_groups.
    - The spread is what training gives by chance, which does not shrink with more members; the chance of the rows
      explained is not in it.

Cost: `refits` trainings, and `repeats` × columns predictions of the rows for each member. In a snapshot 2,000 rows.
"""

from __future__ import annotations

from typing import Any

from showcause.core.columns import extend
from showcause.methods.method import Job, Result, method, positive


@method("refits/importance", kind="importance", needs=("two rows",), in_snapshot={"rows": 2_000}, panel=True)
def compute(job: Job, *, rows: int | None = None, repeats: int = 3) -> Result:
    """How much would each feature matter, had the model been trained once more?

    rows      None: every row; else a seeded sample of so many, which depends on nothing but the seed and their number
    repeats   shuffles of each column

    `value` is the importance of a feature in each member (`refit`, from 1). spec.panel says where the members come from
    and which of them failed; spec.of which method stands behind.
    Raises NotApplicable without a panel.
    Source: importance/permutation or importance/shap, run on each member.
    """
    positive(rows=rows, repeats=repeats)
    panel = job.retrained
    picked = job.of_rows(rows)
    if job.data.y is not None:
        made, spec = panel.explained(picked, "importance/permutation", {"repeats": repeats})
    else:
        behind, _ = panel.explained(picked, "attribution/tree_shap", {})
        made, spec = panel.explained(picked, "importance/shap", {}, {"attribution/tree_shap": behind})
    columns: dict[str, list[Any]] = {}
    for number, artifact in made.items():
        names = [name for name in ("feature", "value", "target") if name in artifact.table.column_names]
        cells = {name: artifact.table[name].to_pylist() for name in names}
        extend(columns, artifact.table.num_rows, **cells, refit=number)
    return Result(columns, spec)
