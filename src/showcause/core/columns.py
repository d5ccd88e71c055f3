"""A table's columns, filled block by block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def extend(columns: dict[str, list[Any]], size: int, **cells: Any) -> None:
    """Append a block of `size` rows: each keyword is one column, a sequence of that length or one value for them all.

    Every block names the same columns. Raises ValueError otherwise, since lengths would no longer agree.
    """
    if columns and set(columns) != set(cells):
        raise ValueError(f"the block has the columns {sorted(cells)}, the table {sorted(columns)}")
    for name, value in cells.items():
        whole = isinstance(value, str) or not (hasattr(value, "__len__") or isinstance(value, Sequence))
        block = [value] * size if whole else list(value)
        if len(block) != size:
            raise ValueError(f"column {name!r} has {len(block)} values in a block of {size}")
        columns.setdefault(name, []).extend(block)
