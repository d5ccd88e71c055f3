"""Importance by attributions where two snapshots explained other samples of the same rows: over the rows of both.

Which rows are attributed depends on the examples chosen, and those on the model, so that two trainings rarely have
quite the same ones. The attributions are stored row by row, hence the mean absolute value over shared rows is exact.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from showcause.core import attributions
from showcause.core.artifact import Artifact
from showcause.core.kinds import build
from showcause.verbs.differences.sides import BASELINE, Pair, Sides

Rows = np.ndarray[Any, np.dtype[Any]]
LEAST = 30  # rows below which nothing is said


def on_shared_rows(sides: Sides, pair: Pair) -> Pair:
    """The pair over the examples that both attributed, with a standard error over them; as it was where that cannot be
    (the snapshots explain other rows, or too few are shared)."""
    names = [side.spec.get("attribution") for side in (pair.before, pair.after)]
    stored = (sides.before, sides.after)
    if not sides.same_rows or pair.after.name.startswith(BASELINE):
        return pair
    if not all(isinstance(n, str) and n in snapshot for n, snapshot in zip(names, stored, strict=True)):
        return pair
    tables = [snapshot[str(n)] for n, snapshot in zip(names, stored, strict=True)]
    terms = [{k: v for k, v in table.spec.items() if k in ("game", "space", "link", "targets")} for table in tables]
    if terms[0] != terms[1]:
        return pair
    rows = np.intersect1d(*(table.table["example"].to_numpy() for table in tables))
    if len(rows) < LEAST:
        return pair
    made = [
        _mean_absolute(artifact, table, rows) for artifact, table in zip((pair.before, pair.after), tables, strict=True)
    ]
    spec = [{**artifact.spec, "rows": {"count": len(rows), "digest": "shared"}} for artifact in made]
    before, after = (replace(artifact, spec=said) for artifact, said in zip(made, spec, strict=True))
    return Pair(
        pair.name,
        before,
        after,
        sides.refusal({"kind": pair.kind, "spec": spec[0]}, {"kind": pair.kind, "spec": spec[1]}),
    )


def _mean_absolute(artifact: Artifact, table: Artifact, rows: Rows) -> Artifact:
    features = list(dict.fromkeys(table.table["feature"].to_pylist()))
    targets: list[str | None] = [None]
    if "target" in table.table.column_names:
        targets = list(dict.fromkeys(table.table["target"].to_pylist()))
    found = attributions.read(table, features, targets)
    sizes = np.abs(found.values[np.isin(found.examples, rows)])  # (rows, features, targets)
    cells = [
        (feature, target, sizes[:, j, k]) for k, target in enumerate(targets) for j, feature in enumerate(features)
    ]
    columns: dict[str, Any] = {
        "feature": [feature for feature, _, _ in cells],
        "value": [float(size.mean()) for _, _, size in cells],
        "error": [float(size.std(ddof=1) / np.sqrt(len(size))) for _, _, size in cells],
        "noise": "rows",
    }
    if targets != [None]:
        columns["target"] = [target for _, target, _ in cells]
    return replace(artifact, table=build("importance", columns))
