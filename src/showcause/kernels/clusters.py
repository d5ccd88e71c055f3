"""How strongly columns go together, and groups in which every pair does."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import rankdata

Rows = np.ndarray[Any, np.dtype[Any]]

MAX_LEVELS = 50  # of a category, the rest count as one level
ALL_LEVELS = 5_000  # of all categories together; with more than a hundred of them each keeps fewer levels
FEW = 10  # pairs of numbers seen together in fewer rows than this are taken as unrelated


def association(columns: list[Rows], number: list[bool]) -> Rows:
    """(p, p) strength from 0 to 1 of every pair of columns (n,): numbers with NaN missing, or level codes with NaN.

    number-number      |Spearman|: ranks within each column, correlated over the rows where both are present
    number-category    correlation ratio eta of the ranks, corrected for the number of levels (Kelley's epsilon)
    category-category  Cramer's V, bias corrected (Bergsma 2013); missing is a level of its own
    A constant column is unrelated to everything.
    """
    p = len(columns)
    strength = np.eye(p)
    numbers = [j for j in range(p) if number[j]]
    others = [j for j in range(p) if not number[j]]
    ranks, seen = _ranks([columns[j] for j in numbers], len(columns[0]))
    marks, start = _indicators([columns[j] for j in others], len(columns[0]))
    for rows, cols, block in (
        (numbers, numbers, _spearman(ranks, seen)),
        (numbers, others, _ratio(ranks, seen, marks, start)),
        (others, others, _cramer(marks, start)),
    ):
        if rows and cols:
            strength[np.ix_(rows, cols)] = block
            strength[np.ix_(cols, rows)] = block.T
    np.fill_diagonal(strength, 1.0)
    return strength


def _ranks(columns: list[Rows], n: int) -> tuple[Rows, Rows]:
    """(n, a) average ranks scaled to mean 0 (0 where missing), and 1 where present."""
    ranks, seen = np.zeros((n, len(columns))), np.zeros((n, len(columns)))
    for j, values in enumerate(columns):
        present = ~np.isnan(values)
        seen[present, j] = 1.0
        if present.any():
            order = rankdata(values[present])
            ranks[present, j] = (order - order.mean()) / n
    return ranks, seen


def _indicators(columns: list[Rows], n: int) -> tuple[Rows, Rows]:
    """(n, all levels) 0/1, and where each column's levels begin."""
    parts, start = [], []
    total = 0
    most = max(2, min(MAX_LEVELS, ALL_LEVELS // max(1, len(columns))))
    for values in columns:
        codes, inverse = np.unique(values, return_inverse=True)  # NaN is one value of its own
        counts = np.bincount(inverse)
        if len(codes) > most:
            kept = np.sort(np.argsort(-counts, kind="stable")[: most - 1])
            place = np.full(len(codes), most - 1)
            place[kept] = np.arange(len(kept))
            inverse = place[inverse]
        size = int(inverse.max()) + 1
        marks = np.zeros((n, size))
        marks[np.arange(n), inverse] = 1.0
        parts.append(marks)
        start.append(total)
        total += size
    return (np.concatenate(parts, axis=1) if parts else np.zeros((n, 0))), np.array(start, dtype=np.int64)


def _spearman(ranks: Rows, seen: Rows) -> Rows:
    both = seen.T @ seen
    with np.errstate(divide="ignore", invalid="ignore"):
        sums = ranks.T @ seen  # [j, l]: the sum of j over rows where l is present too
        squares = (ranks**2).T @ seen
        cross = ranks.T @ ranks - sums * sums.T / both
        spread = squares - sums**2 / both
        spread = np.where(spread < 1e-12, 0.0, spread)
        r = cross / np.sqrt(spread * spread.T)
    return np.where((both >= FEW) & np.isfinite(r), np.minimum(np.abs(r), 1.0), 0.0)


def _ratio(ranks: Rows, seen: Rows, marks: Rows, start: Rows) -> Rows:
    if not marks.shape[1] or not ranks.shape[1]:
        return np.zeros((ranks.shape[1], len(start)))
    counts = seen.T @ marks  # (a, levels)
    sums = ranks.T @ marks
    with np.errstate(divide="ignore", invalid="ignore"):
        between = np.add.reduceat(np.where(counts > 0, sums**2 / counts, 0.0), start, axis=1)
        n = np.add.reduceat(counts, start, axis=1)
        levels = np.add.reduceat((counts > 0).astype(float), start, axis=1)
        total = (ranks**2).sum(axis=0)[:, None]
        squared = 1 - (1 - between / total) * (n - 1) / (n - levels)
    known = (n >= FEW) & (levels > 1) & (n > levels) & (total > 1e-12)
    return np.asarray(np.sqrt(np.clip(np.where(known, squared, 0.0), 0.0, 1.0)))


def _cramer(marks: Rows, start: Rows) -> Rows:
    if not marks.shape[1]:
        return np.zeros((0, 0))
    n = len(marks)
    counts = marks.sum(axis=0)
    table = marks.T @ marks
    squared = table**2 / np.outer(counts, counts)
    phi = np.add.reduceat(np.add.reduceat(squared, start, axis=0), start, axis=1) - 1
    levels = np.diff(np.append(start, marks.shape[1])).astype(float)
    if n < FEW:
        return np.zeros((len(start), len(start)))
    fewer = levels - (levels - 1) ** 2 / (n - 1)
    phi = np.maximum(phi - np.outer(levels - 1, levels - 1) / (n - 1), 0.0)
    most = np.minimum(fewer[:, None], fewer[None, :]) - 1
    return np.where(most > 1e-9, np.sqrt(np.clip(phi / np.maximum(most, 1e-9), 0.0, 1.0)), 0.0)


def groups_of(strength: Rows, threshold: float) -> list[list[int]]:
    """Groups of two or more columns in which every pair has at least `threshold` (complete linkage on 1 - strength)."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if len(strength) < 2:
        return []
    apart = np.round(1 - (strength + strength.T) / 2, 12)
    np.fill_diagonal(apart, 0.0)
    labels = fcluster(linkage(squareform(apart, checks=False), "complete"), 1 - threshold + 1e-9, "distance")
    found = [np.flatnonzero(labels == label).tolist() for label in np.unique(labels)]
    return sorted(group for group in found if len(group) > 1)
