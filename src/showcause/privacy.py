"""`[privacy] rows = "omit"`: no raw value of any row in any byte of the snapshot."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from showcause.core.artifact import Artifact
from showcause.core.errors import NotApplicable

# Columns that repeat a single row's own values, by kind.
ROW_VALUES = {"attribution": ("input", "input_level", "id"), "example": ("label", "actual", "id")}
LEVEL_ROWS = 5  # a level of fewer rows than this could be one person's
DIGITS = 3


def without_rows(artifact: Artifact) -> Artifact:
    """The artifact without what single rows say: inputs, labels and ids go, places on a numeric axis are rounded to
    three significant digits, levels of fewer than five rows go. The spec states it. Raises NotApplicable for rows."""
    if artifact.kind == "rows":
        raise NotApplicable(f"{artifact.name} does not apply: the policy keeps no rows")
    table = artifact.table
    dropped = [name for name in ROW_VALUES.get(artifact.kind, ()) if name in table.column_names]
    table = table.drop_columns(dropped)
    if artifact.kind == "curve" and "example" in table.column_names:
        raise NotApplicable(f"{artifact.name} does not apply: it follows single rows, and the policy keeps none")
    if artifact.kind in ("curve", "surface") and "support" in table.column_names:
        levels = [name for name in ("at_level", "at_level_b") if name in table.column_names]
        for name in levels:
            rare = pc.and_(pc.is_valid(table[name]), pc.less(pc.fill_null(table["support"], 0), LEVEL_ROWS))
            table = table.filter(pc.invert(rare))
    for name in ("at", "at_b", "threshold"):
        if name in table.column_names:
            rounded = [None if v is None else float(f"{v:.{DIGITS}g}") for v in table[name].to_pylist()]
            table = table.set_column(table.column_names.index(name), name, pa.array(rounded, pa.float64()))
    stated = {"privacy": {"rows": "omit", "dropped": dropped, "level_rows": LEVEL_ROWS, "digits": DIGITS}}
    return replace(artifact, spec={**artifact.spec, **stated}, table=_unique(table, artifact.kind))


def _unique(table: pa.Table, kind: str) -> pa.Table:
    """Rounding may let two places on an axis fall together: the first stays."""
    from showcause.core.kinds import COMMON_KEY
    from showcause.core.kinds import kind as known

    keys = [name for name in (*known(kind).key, *COMMON_KEY) if name in table.column_names]
    seen: set[tuple[object, ...]] = set()
    kept = []
    for position, key in enumerate(zip(*(table[name].to_pylist() for name in keys), strict=True)):
        if key not in seen:
            seen.add(key)
            kept.append(position)
    return table.take(pa.array(kept, pa.int64()))
