"""Curves over the rows: ROC, precision and recall, gain, calibration, residuals. Bounds are 95 % over rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from showcause.kernels import intervals
from showcause.kernels.metrics import bins, ranking, thin

Rows = np.ndarray[Any, np.dtype[Any]]
POINTS = 200


@dataclass(frozen=True)
class Curve:
    """All (points,): place on the axis, value, its bounds, and the rows it rests on."""

    at: Rows
    value: Rows
    low: Rows
    high: Rows
    support: Rows


def roc(scores: Rows, positive: Rows) -> Curve:
    """Recall over the false positive rate. Where one rate has several recalls, the largest: a step function."""
    hits, misses = ranking(scores, positive)
    last = np.append(np.diff(misses) > 0, True)
    return _rates(hits[last], hits[last] + misses[last], misses[last] / misses[-1], hits[-1])


def gain(scores: Rows, positive: Rows) -> Curve:
    """Share of the positive rows found over the share of rows looked at, highest score first."""
    hits, misses = ranking(scores, positive)
    return _rates(hits, hits + misses, (hits + misses) / len(scores), hits[-1])


def _rates(hits: Rows, chosen: Rows, at: Rows, of: int) -> Curve:
    kept = thin(at, hits, POINTS)
    low, high = intervals.wilson(hits[kept], np.full(len(kept), of))
    return Curve(at[kept], hits[kept] / of, low, high, chosen[kept])


def precision_recall(scores: Rows, positive: Rows) -> Curve:
    """Precision over recall. Where one recall has several precisions, that of the highest threshold."""
    hits, misses = ranking(scores, positive)
    first = np.flatnonzero(np.diff(hits) > 0) + 1
    hits, chosen = hits[first], hits[first] + misses[first]
    at, value = hits / hits[-1], hits / chosen
    kept = thin(at, value, POINTS)
    low, high = intervals.wilson(hits[kept], chosen[kept])
    return Curve(at[kept], value[kept], low, high, chosen[kept])


def calibration(predicted: Rows, positive: Rows, count: int, minimum: int = 1) -> Curve:
    """Share of positive rows over the mean prediction, in bins of nearly equal count. Wilson bounds."""
    groups = bins(predicted, count, minimum)
    hits = np.array([positive[g].sum() for g in groups])
    sizes = np.array([len(g) for g in groups])
    low, high = intervals.wilson(hits, sizes)
    return Curve(np.array([predicted[g].mean() for g in groups]), hits / sizes, low, high, sizes)


def binned_mean(place: Rows, values: Rows, count: int, minimum: int = 1) -> Curve:
    """Mean of `values` over the mean of `place`, in bins of nearly equal count of `place`. Student's t bounds."""
    groups = bins(place, count, minimum)
    found = np.array([intervals.mean(values[g]) for g in groups]).reshape(-1, 3)
    at = np.array([place[g].mean() for g in groups])
    return Curve(at, found[:, 0], found[:, 1], found[:, 2], np.array([len(g) for g in groups]))


def as_columns(curves: list[tuple[str | None, Curve]], feature: str) -> dict[str, Any]:
    """(target, curve) pairs as columns of a curve table whose axis is `feature`."""

    def joined(name: str) -> Rows:
        return np.concatenate([getattr(curve, name) for _, curve in curves])

    columns: dict[str, Any] = {name: joined(name) for name in ("at", "value", "low", "high", "support")}
    columns |= {"feature": feature, "noise": ["rows" if low == low else None for low in columns["low"]]}
    targets = [target for target, curve in curves for _ in curve.at]
    return columns if set(targets) == {None} else {**columns, "target": targets}
