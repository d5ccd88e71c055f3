"""Accumulated local effects (Apley & Zhu 2020, equations 15 and 16), with errors; and an order for categories.

Notation: places z_0 < … < z_K, step k leads from z_(k-1) to z_k; a difference is f(z_k, others) - f(z_(k-1), others)
for a row near that step.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Rows = np.ndarray[Any, np.dtype[Any]]


def steps_of(values: Rows, places: Rows) -> Rows:
    """(n,) step 0 … K-1 of each value: z_k < value <= z_(k+1); the lowest place belongs to step 0."""
    return np.clip(np.searchsorted(places, values) - 1, 0, max(0, len(places) - 2))


def weights_of(values: Rows, places: Rows) -> Rows:
    """(K + 1,) such that weights · g is the mean over the rows of the curve g, linear between its places."""
    if len(places) < 2:
        return np.ones(len(places))
    step = steps_of(values, places)
    part = np.clip((values - places[step]) / (places[step + 1] - places[step]), 0.0, 1.0)
    size = len(places)
    return (np.bincount(step, 1 - part, size) + np.bincount(step + 1, part, size)) / len(values)


def accumulate(steps: Rows, rows: Rows, differences: Rows, weights: Rows) -> tuple[Rows, Rows]:
    """(curve, errors), each (K + 1, outputs): the effect of each place against the mean over the rows.

    steps, rows (e,)   the step that each difference belongs to, and its row (a row may stand at two adjacent steps)
    differences        (e, outputs)
    weights            (K + 1,) the share of the rows at each place, by which the curve is centred

    A step's effect is the mean of its differences, its error their std / sqrt(count); a step of a single difference
    borrows the variance pooled over all steps. The errors are of the centred curve over rows, with the weights fixed:
    all steps' errors and the covariance of adjacent ones are carried through sum and centring. NaN where unknown.
    """
    size, outputs = len(weights) - 1, differences.shape[1]
    counts = np.bincount(steps, minlength=size)
    climb = np.tri(size + 1, size, -1)  # (K + 1, K): place m lies above the steps before it
    centred = climb - weights @ climb
    curve, errors = np.empty((size + 1, outputs)), np.empty((size + 1, outputs))
    order = np.lexsort((steps, rows))
    pairs = np.flatnonzero((np.diff(rows[order]) == 0) & (np.diff(steps[order]) == 1))
    first, second = order[pairs], order[pairs + 1]
    for k in range(outputs):
        effect = np.bincount(steps, differences[:, k], size) / counts
        apart = differences[:, k] - effect[steps]
        squares = np.bincount(steps, apart**2, size)
        free = np.maximum(counts - 1, 0)
        pooled = squares.sum() / free.sum() if free.sum() else np.nan
        variance = np.where(counts > 1, squares / np.maximum(free, 1), pooled)
        covariance = np.diag(variance / counts)
        scaled = apart * np.sqrt(1 / np.maximum(counts * free, 1))[steps]
        shared = np.bincount(steps[first], scaled[first] * scaled[second], size)[: size - 1]
        covariance += np.diag(shared, 1) + np.diag(shared, -1)
        curve[:, k] = centred @ effect
        errors[:, k] = np.sqrt(np.maximum(np.einsum("mk,kl,ml->m", centred, covariance, centred), 0.0))
    return curve, errors


def similar_order(codes: Rows, numbers: Rows, categories: list[Rows]) -> Rows:
    """(levels,) an order of level codes 0 … L-1 (all present) in which similar levels are neighbours.

    codes (n,); numbers (n, a) other numeric columns, NaN missing; categories: other columns' codes (n,), NaN missing.
    Levels are as far apart as their rows differ in the other columns (Kolmogorov-Smirnov distance for numbers, total
    variation for categories, summed) and are laid on a line by classical scaling, as ALEPlot does. The line runs so
    that the first level stands in its first half; ties keep the levels' order.
    """
    size = int(codes.max()) + 1
    groups = [np.flatnonzero(codes == level) for level in range(size)]
    distance = np.zeros((size, size))
    for j in range(numbers.shape[1]):
        distance += _kolmogorov(numbers[:, j], groups)
    for other in categories:
        shares = _shares(np.where(np.isnan(other), np.nanmax(other, initial=-1) + 1, other).astype(int), groups)
        distance += np.abs(shares[:, None, :] - shares[None, :, :]).sum(axis=2) / 2
    if size < 3 or not distance.any():
        return np.arange(size)
    centring = np.eye(size) - 1 / size
    _, vectors = np.linalg.eigh(-centring @ distance**2 @ centring / 2)
    line = np.round(vectors[:, -1], 12)
    line = -line if line[0] > 0 else line
    return np.argsort(line, kind="stable")


def _shares(codes: Rows, groups: list[Rows]) -> Rows:
    """(groups, codes) distribution of codes in each group of rows."""
    return np.array([np.bincount(codes[g], minlength=int(codes.max()) + 1) / len(g) for g in groups])


def _kolmogorov(values: Rows, groups: list[Rows]) -> Rows:
    """(groups, groups) largest difference of the distribution functions at up to 100 places; missing is a value."""
    present = values[~np.isnan(values)]
    if not len(present):
        return np.zeros((len(groups), len(groups)))
    places = np.unique(np.quantile(present, np.linspace(0, 1, 100), method="inverted_cdf"))
    filled = np.where(np.isnan(values), np.inf, values)
    below = np.array([np.searchsorted(np.sort(filled[g]), places, side="right") / len(g) for g in groups])
    return np.asarray(np.abs(below[:, None, :] - below[None, :, :]).max(axis=2))
