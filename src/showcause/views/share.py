"""What may leave the house: aggregates only, nobody's row."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from showcause.core.artifact import Artifact
from showcause.core.rules import coarse

ROW_KINDS = ("attribution", "example", "neighbour", "counterfactual", "rows")
FEW = 5  # a level, bin or node of fewer rows could be one person's
DIGITS = 3


def shared(artifact: Artifact) -> Artifact | None:
    """The artifact without what single rows say; None where it is about single rows altogether.

    Levels, bins and nodes of fewer than five rows go; places on numeric axes are rounded to three digits, since a place
    may be one row's own value.
    """
    table = artifact.table
    if artifact.kind in ROW_KINDS or "example" in table.column_names or "id" in table.column_names:
        return None
    for name in ("support", "count"):
        if name in table.column_names:  # none at all is nobody, such as where a curve begins
            few = pc.fill_null(pc.and_(pc.greater(table[name], 0), pc.less(table[name], FEW)), False)
            table = table.filter(pc.invert(few))
    for name in ("at", "at_b", "threshold"):
        if name in table.column_names:
            rounded = [None if v is None else float(f"{v:.{DIGITS}g}") for v in table[name].to_pylist()]
            table = table.set_column(table.column_names.index(name), name, pa.array(rounded, pa.float64()))
    if artifact.kind == "rule":
        table = coarse(table, DIGITS)
    return replace(artifact, table=table)
