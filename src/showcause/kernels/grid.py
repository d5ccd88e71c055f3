"""Places along a column at which curves are drawn: always values that some row holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Rows = np.ndarray[Any, np.dtype[Any]]

CLIP = 0.005  # quantile grids leave out this share of rows at either end


@dataclass(frozen=True)
class Grid:
    """`donors` (g,): a row for each place that holds its value (the missing one last, where there is one).

    `support` (g,): how many rows lie nearest to each place. `left_out`: levels without a place, and their rows.
    """

    donors: Rows
    support: Rows
    left_out: tuple[int, int] = (0, 0)


def number_places(values: Rows, points: int, clip: float = CLIP) -> Rows:
    """(≤ points + 1,) ascending observed values: all of them up to `points`, else each value that holds more than
    its share of the rows, and quantiles of the others between `clip` and 1 - clip (observed values, "inverted_cdf")."""
    present = values[~np.isnan(values)]
    unique, counts = np.unique(present, return_counts=True)
    if len(unique) <= points:
        return unique
    heavy = unique[counts > len(present) / points]
    rest = present[~np.isin(present, heavy)]
    left = max(points - len(heavy), 2)
    spread = np.quantile(rest, np.linspace(clip, 1 - clip, left), method="inverted_cdf") if len(rest) else rest
    return np.unique(np.concatenate([heavy, spread]))


def first_rows(values: Rows, places: Rows) -> Rows:
    """(places,) the first row that holds each of these observed values."""
    unique, first = np.unique(values, return_index=True)
    return first[np.searchsorted(unique, places)]


def grid(values: Rows, *, number: bool, points: int, levels: int) -> Grid:
    """Places for a column of numbers (NaN missing) or of level codes, with "missing" as the last place.

    Categories: the `levels` most frequent levels, in the levels' order.
    """
    missing = np.isnan(values)
    present = values[~missing]
    left_out = (0, 0)
    if number:
        places = number_places(values, points)
        between = (places[:-1] + places[1:]) / 2
        support = np.bincount(np.searchsorted(between, present), minlength=len(places))
    else:
        codes, counts = np.unique(present, return_counts=True)
        kept = np.sort(np.argsort(-counts, kind="stable")[:levels])
        places, support = codes[kept], counts[kept]
        left_out = (len(codes) - len(kept), int(counts.sum() - support.sum()))
    donors = first_rows(values, places)
    if missing.any():
        donors = np.append(donors, np.flatnonzero(missing)[0])
        support = np.append(support, missing.sum())
    return Grid(donors.astype(np.int64), support.astype(np.int64), left_out)


def every_place(values: Rows, same: Rows | None) -> Grid:
    """A place for each value of a column (NaN missing), or for each group of rows with equal numbers in `same` (n,)
    that follow each other in value, at its smallest value: ascending, with "missing" as the last place."""
    order = np.argsort(values, kind="stable")  # NaN last
    ascending = values[order]
    missing = np.isnan(ascending)
    key = ascending if same is None else same[order]
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (key[1:] != key[:-1]) | (missing[1:] != missing[:-1])
    fresh[1:] &= ~(missing[1:] & missing[:-1])
    support = np.diff(np.append(np.flatnonzero(fresh), len(order)))
    return Grid(order[fresh].astype(np.int64), support.astype(np.int64))


def rare_levels(feature: str, levels: int, rows: int) -> list[str]:
    """What a reader must know of levels that have no place: no or one sentence."""
    if not levels:
        return []
    which = "1 rare level" if levels == 1 else f"{levels:,} rare levels"
    return [f"{feature}: {which} ({rows:,} {'row' if rows == 1 else 'rows'}) left off the curve."]


def missing_rows(feature: str, rows: int) -> list[str]:
    """What a reader must know of rows that a curve without a place for missing values leaves out."""
    if not rows:
        return []
    return [
        f"{feature}: {rows:,} {'row' if rows == 1 else 'rows'} without a value left out of the accumulated effects."
    ]
