"""Rows as points of mixed columns, for distances that do not depend on units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from showcause.adapters.frame import Column, Frame, Rows

UNSEEN = -1.0


@dataclass(frozen=True)
class Points:
    """`category` and `scale` (columns,): what kernels/distance.py takes; `of` gives a frame's rows in its codes.

    Numbers count in standard deviations of the reference rows, another category or one of the two missing counts 1;
    where a number is constant among the reference rows, only its being missing counts.
    """

    names: tuple[str, ...]
    levels: tuple[dict[str, int], ...]
    category: Rows
    scale: Rows

    def of(self, frame: Frame) -> Rows:
        """float64 (rows, columns); a level that the reference rows do not have is like none of theirs."""
        columns = [_coded(frame.column(name), known) for name, known in zip(self.names, self.levels, strict=True)]
        return np.column_stack(columns)


def _coded(column: Column, known: dict[str, int]) -> Rows:
    if column.is_number:
        return column.values
    place = np.array([known.get(level, UNSEEN) for level in column.levels] + [np.nan])
    codes = np.where(np.isnan(column.values), len(column.levels), column.values).astype(np.int64)
    return np.asarray(place[codes])


def points(reference: Frame, names: Sequence[str] | None = None) -> Points:
    """The scales of the reference rows' columns."""
    chosen = tuple(reference.names if names is None else names)
    columns = [reference.column(name) for name in chosen]
    return Points(
        chosen,
        tuple({level: code for code, level in enumerate(column.levels)} for column in columns),
        np.array([not column.is_number for column in columns]),
        np.array([_scale(column) for column in columns]),
    )


def _scale(column: Column) -> float:
    if not column.is_number:
        return 1.0
    present = column.values[np.isfinite(column.values)]
    spread = float(present.std()) if len(present) else 0.0
    return 1.0 / spread if spread > 1e-12 * max(1.0, float(np.abs(present).max(initial=0.0))) else 0.0
