"""An attribution table as one array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from showcause.core.artifact import Artifact

Rows = np.ndarray[Any, np.dtype[Any]]

CARRIED = ("rows", "background", "space", "game", "link", "unit")  # what a summary takes over from the spec


@dataclass(frozen=True)
class Attributions:
    """`values` (examples, features, targets), features in the order asked for; `errors` likewise, None where exact."""

    examples: Rows
    values: Rows
    errors: Rows | None
    spec: dict[str, Any]


def read(artifact: Artifact, features: Sequence[str], targets: Sequence[str | None]) -> Attributions:
    """Of an artifact of kind attribution. Examples in ascending order; what has no value is NaN."""
    table = artifact.table
    examples, row = np.unique(table["example"].to_numpy(), return_inverse=True)
    where = {name: j for j, name in enumerate(features)}
    column = np.array([where.get(name, -1) for name in table["feature"].to_pylist()], dtype=np.int64)
    if "target" in table.column_names:
        classes = {name: k for k, name in enumerate(targets)}
        target = np.array([classes[name] for name in table["target"].to_pylist()], dtype=np.int64)
    else:
        target = np.zeros(len(table), dtype=np.int64)
    kept = column >= 0

    def cube(name: str) -> Rows:
        filled = np.full((len(examples), len(features), len(targets)), np.nan)
        given = table[name].to_numpy(zero_copy_only=False).astype(np.float64)
        filled[row[kept], column[kept], target[kept]] = given[kept]
        return filled

    errors = cube("error") if "error" in table.column_names else None
    spec = {key: artifact.spec[key] for key in CARRIED if key in artifact.spec}
    return Attributions(examples, cube("value"), errors, {**spec, "attribution": artifact.name})
