"""refits/importance: see `compute`.

Formula: The importance of each retrained model on the same rows.

Assumes: Retraining with another seed on bootstrapped rows is what chance in training means.

Misleads: Correlated columns trade places between members: a wide spread of both may mean a steady group.

Cost: `refits` trainings and their importance.
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

    `value` is the permutation importance of a feature in each member of the panel (`refit`, from 1), by the same
    shuffles of the same rows; without labels the mean absolute exact SHAP value, where the members are made of trees.
    spec.panel says where the members come from and which of them failed; spec.of which method stands behind. Their
    spread is what training gives by chance: it does not shrink with more members. Raises NotApplicable without a panel.
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
