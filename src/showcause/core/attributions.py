"""An attribution table as one array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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


def _places(values: pa.ChunkedArray, among: Sequence[str | None]) -> Rows:
    """Where each value stands in `among`, -1 where it does not."""
    found = pc.index_in(values, value_set=pa.array(among, type=values.type))
    return np.asarray(pc.fill_null(found, -1).to_numpy(), dtype=np.int64)


def read(artifact: Artifact, features: Sequence[str], targets: Sequence[str | None]) -> Attributions:
    """Of an artifact of kind attribution. Examples in ascending order; what has no value is NaN."""
    table = artifact.table
    examples, row = np.unique(table["example"].to_numpy(), return_inverse=True)
    column = _places(table["feature"], features)
    named = "target" in table.column_names
    target = _places(table["target"], targets) if named else np.zeros(len(table), dtype=np.int64)
    if (target < 0).any():
        raise KeyError(f"{artifact.name} holds classes beside {list(targets)}")
    kept = column >= 0

    def cube(name: str) -> Rows:
        filled = np.full((len(examples), len(features), len(targets)), np.nan)
        given = table[name].to_numpy(zero_copy_only=False).astype(np.float64)
        filled[row[kept], column[kept], target[kept]] = given[kept]
        return filled

    errors = cube("error") if "error" in table.column_names else None
    spec = {key: artifact.spec[key] for key in CARRIED if key in artifact.spec}
    return Attributions(examples, cube("value"), errors, {**spec, "attribution": artifact.name})
