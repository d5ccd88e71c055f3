"""Losses row by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Rows = np.ndarray[Any, np.dtype[Any]]

CLIP = float(np.finfo(np.float64).eps)  # as scikit-learn's log_loss


def loss_name(space: str) -> str:
    return {"probability": "log-loss", "target": "squared error", "score": "error rate"}[space]


def row_losses(space: str, outputs: Rows, y: Rows) -> Rows:
    """(rows,) losses of `outputs` (rows × outputs, as Model.predict gives them) against `y`.

    probability: log-loss in nats, probabilities clipped by 2.2e-16 as scikit-learn does; target: squared error in
    squared units; score: 1 where the class with the largest score (binary: the sign) is wrong, else 0.
    """
    if space == "target":
        return np.square(outputs[:, 0] - y)
    if space == "probability":
        if outputs.shape[1] == 1:
            p = np.where(y == 1, outputs[:, 0], 1 - outputs[:, 0])
        else:
            p = outputs[np.arange(len(y)), y]
        return np.negative(np.log(np.clip(p, CLIP, 1 - CLIP)))
    decided = (outputs[:, 0] > 0).astype(int) if outputs.shape[1] == 1 else outputs.argmax(axis=1)
    return (decided != y).astype(np.float64)


def second_name(space: str) -> str:
    return "absolute_error" if space == "target" else "error_rate"


def second_losses(space: str, outputs: Rows, y: Rows, decide: Callable[[Rows], Rows]) -> Rows:
    """(rows,) absolute errors for regression, else 1 where the class decided for is wrong; `decide` maps outputs (rows,
    outputs) to positions of classes (rows,)."""
    if space == "target":
        return np.asarray(np.abs(outputs[:, 0] - y))
    return np.asarray(decide(outputs) != y, dtype=np.float64)


def losses_of(space: str, y: Rows | None, rows: Rows, decide: Callable[[Rows], Rows]) -> list[Callable[[Rows], Rows]]:
    """[row_losses, second_losses] of rows `rows` of y, as functions of the outputs alone."""
    if y is None:
        raise ValueError("losses need labels")
    labels = y[rows]
    return [
        lambda outputs: row_losses(space, outputs, labels),
        lambda outputs: second_losses(space, outputs, labels, decide),
    ]
