"""`[privacy] rows = "omit"`: no raw value of any row in any byte of the snapshot."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import pyarrow as pa

from showcause.core.artifact import Artifact
from showcause.core.errors import NotApplicable
from showcause.core.kinds import COMMON_KEY, kind
from showcause.core.rules import coarse

# Columns that repeat a single row's own values, by kind; and text that may name a level.
ROW_VALUES = {"attribution": ("input", "input_level", "id"), "example": ("label", "actual", "id")}
SINGLE = ("rows", "neighbour", "counterfactual")  # of single rows through and through
LEVELS = ("at_level", "at_level_b", "reference_level")
PHRASES = ("categories", "term")  # a level stands somewhere within; segments are kept clear of rare levels by Dataset
NUMBERS = ("at", "at_b", "threshold")
ROWS = "reference"  # a blob of rows as they are
DIGITS = 3
WITHHELD = "(withheld)"


def without_rows(artifact: Artifact, rare: Collection[str]) -> Artifact:
    """The artifact without what single rows say: inputs, labels and ids go, places on a numeric axis are rounded to
    three significant digits, text that names one of the `rare` levels is withheld, rows kept in a blob go. The spec
    states it.

    Raises NotApplicable for what follows single rows.
    """
    table = artifact.table
    if artifact.kind in SINGLE or (artifact.kind in ("curve", "rule") and "example" in table.column_names):
        raise NotApplicable(f"{artifact.name} does not apply: it shows single rows, and the policy keeps none")
    dropped = [name for name in ROW_VALUES.get(artifact.kind, ()) if name in table.column_names]
    table = table.drop_columns(dropped)
    for name in table.column_names:
        position, values = table.column_names.index(name), table[name].to_pylist()
        if name in NUMBERS or (name == "reference" and artifact.kind == "attribution"):
            rounded = [None if v is None else float(f"{v:.{DIGITS}g}") for v in values]
            table = table.set_column(position, name, pa.array(rounded, pa.float64()))
        elif name in LEVELS or name in PHRASES:
            named = rare.__contains__ if name in LEVELS else lambda text: any(level in text for level in rare)
            masked = [WITHHELD if v is not None and named(v) else v for v in values]
            table = table.set_column(position, name, pa.array(masked, pa.string()))
    if artifact.kind == "rule":
        table = coarse(table, DIGITS, rare, WITHHELD)
    stated = {"privacy": {"rows": "omit", "dropped": dropped, "withheld_levels": len(rare), "digits": DIGITS}}
    blobs = {name: blob for name, blob in artifact.blobs.items() if name != ROWS}
    return replace(artifact, spec={**artifact.spec, **stated}, table=_unique(table, artifact.kind), blobs=blobs)


def _unique(table: pa.Table, name: str) -> pa.Table:
    """Rounding and withholding may let two keys fall together: the first stays."""
    keys = [column for column in (*kind(name).key, *COMMON_KEY) if column in table.column_names]
    seen: set[tuple[object, ...]] = set()
    kept = []
    for position, key in enumerate(zip(*(table[column].to_pylist() for column in keys), strict=True)):
        if key not in seen:
            seen.add(key)
            kept.append(position)
    return table.take(pa.array(kept, pa.int64()))
