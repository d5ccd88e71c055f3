"""quality/dummy: see `compute`.

Formula:
    - `injected_copy`: the largest `|phi|` of a shuffled copy of the leading column, which the model never sees, in a
      run of the attribution over the widened rows.
    - `unsplit_columns`: the largest `|value|` in the artifact itself of columns that no tree splits.

Assumes: A column that the model never sees can add nothing.

Misleads:
    - Passing it says nothing of the other columns' values, nor of a wrong background.

Cost: The attribution once more, for 8 rows against 24 background rows: where coalitions are sampled 100 evaluations a
    row for each column.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from showcause.adapters.frame import Frame, Rows
from showcause.adapters.games import exact_values
from showcause.adapters.model import Model
from showcause.adapters.shapley import sampled_values
from showcause.adapters.trees import tree_view
from showcause.methods.method import Job, Result, method

EVALUATIONS = 100  # of each row, for each column, where coalitions are sampled
LIMIT = 1e-9  # relative to the largest contribution of any column

NOTES = [
    "Injected copy: the same explanation is run with one more column, a shuffled copy of the column that matters most, "
    "which the model never sees. It must get nothing.",
    "Unsplit columns: a column that no tree splits must get nothing.",
]


@method(
    "quality/dummy",
    kind="score",
    uses=("attribution/tree_shap|attribution/shapley",),
    after=("importance/shap", "importance/permutation"),
)
def compute(job: Job, *, rows: int = 8, background: int = 24) -> Result:
    """Does a column that the model never sees get a contribution of zero?

    rows         so many, a seeded sample
    background   so many reference rows

    `reference` is the limit, at most: 1e-9 of the largest contribution of any column (of 0.001 where that is less).
    Source: Shapley 1953 (a player who adds nothing gets nothing).
    """
    name, artifact = next((n, a) for n, a in job.uses.items() if n.startswith("attribution/"))
    source = job.top_features(1)[0]
    phi = _injected(job, artifact.spec, source, rows, background)
    metrics = ["injected_copy"]
    values = [float(np.abs(phi[:, -1]).max())]
    limits = [LIMIT * max(float(np.abs(phi).max()), 1e-3)]
    counts = [len(phi)]
    if name == "attribution/tree_shap":
        unused = ~tree_view(job.model, job.data.X).used()
        table = artifact.table["value"].to_numpy().reshape(-1, len(job.data.X.names))
        if unused.any():
            metrics.append("unsplit_columns")
            values.append(float(np.abs(table[:, unused]).max()))
            limits.append(LIMIT * max(float(np.abs(table).max()), 1e-3))
            counts.append(int(unused.sum()))
    beyond = [value > limit for value, limit in zip(values, limits, strict=True)]
    failed = [
        f"{metric} is {value:.3g}, beyond its limit of {limit:.3g}: {name} credits a column that the model never sees."
        for metric, value, limit, bad in zip(metrics, values, limits, beyond, strict=True)
        if bad
    ]
    columns = {
        "metric": metrics,
        "value": values,
        "count": counts,
        "reference": limits,
        "note": ["beyond its limit" if bad else None for bad in beyond],
    }
    spec = {
        "of": name,
        "space": artifact.spec["space"],
        "copy_of": source,
        "limit": "at most",
        "passed": not any(beyond),
        "notes": [*NOTES[: len(metrics)], *failed],
    }
    return Result(columns, spec)


def _injected(job: Job, spec: Any, source: str, rows: int, background: int) -> Rows:
    """Contributions (rows, columns + 1, outputs), the copy as the last column, by the method that `spec` tells of."""
    X, reference = job.data.X.take(job.sample(rows)), job.background()
    if len(reference) > background:
        reference = reference.take(np.sort(job.rng("dummy").choice(len(reference), background, replace=False)))
    name = _free(X.names)
    wide, behind = (_with_copy(job, frame, source, name) for frame in (X, reference))
    if spec["method"] == "attribution/tree_shap":
        view = tree_view(job.model, job.data.X).with_ignored(X.names)
        return view.values(wide, behind, spec["game"])[0]
    model = _ignoring(job.model, X)
    if spec["estimator"] == "exact enumeration":
        return exact_values(model, wide, behind).phi
    rngs = [job.rng("dummy orders", i) for i in range(len(wide))]
    trees = spec["params"]["trees"]
    return sampled_values(model, wide, behind, rngs, EVALUATIONS * len(wide.names), trees=trees).phi


def _free(names: tuple[str, ...]) -> str:
    name = "shuffled copy"
    while name in names:
        name += " "
    return name


def _with_copy(job: Job, frame: Frame, source: str, name: str) -> Frame:
    return frame.beside(name, source, job.rng("dummy copy", len(frame)).permutation(len(frame)))


def _ignoring(model: Model, X: Frame) -> Model:
    """The model over one more column at the end, which it never sees."""
    names = X.names

    def raw(rows: Any) -> Any:
        given = Frame.of(rows, names=[*names, ""] if isinstance(rows, np.ndarray) else None)
        return model.raw(given.select(names).native)

    return replace(model, raw=raw, features=None)
