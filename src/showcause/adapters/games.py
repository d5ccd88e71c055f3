"""The Shapley game of any model in the columns of its user: who is in comes from the row explained, the rest from
background rows (the interventional game), in the space of `model.predict`.

Law: `base + phi.sum(features) = model.predict(row)`; a column that the model never uses gets zero. Every perturbed row
is gathered from cells of real rows, and each distinct one is evaluated once a block, in blocks of fixed size, so that
values depend on nothing but their inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from showcause.adapters.dataset import Dataset
from showcause.adapters.frame import Frame, Rows
from showcause.adapters.model import Model
from showcause.kernels import coalitions as kernels

BLOCK_CELLS = 1 << 20  # cells of perturbed rows made at a time
Tick = Callable[[float], None]


@dataclass(frozen=True)
class Values:
    """Shapley values in the model's own space.

    phi          (rows, features, outputs)
    base         (outputs,) the mean prediction of the background
    predictions  (rows, outputs) of the rows explained
    error        (rows, features, outputs) standard error over sampled orders; None where every coalition was counted
    halves       two estimates from half of the orders each; None where exact
    evaluations  distinct rows that the model was asked about
    """

    phi: Rows
    base: Rows
    predictions: Rows
    evaluations: int
    error: Rows | None = None
    halves: tuple[Rows, Rows] | None = None


class _Table:
    """Rows explained, then background rows; `ask` evaluates rows mixed from their cells."""

    def __init__(self, model: Model, rows: Frame, background: Frame) -> None:
        self.model, self.size = model, len(rows)
        self.pool = rows.stack(background)
        self.codes = np.column_stack([_codes(self.pool, name) for name in self.pool.names])
        whole = model.predict(self.pool)
        self.predictions, self.reference = whole[: self.size], whole[self.size :]
        self.evaluations = len(whole)

    def ask(self, picks: Rows) -> Rows:
        """(q, p) positions in the pool, one a cell → (q, outputs)."""
        codes = np.take_along_axis(self.codes, picks, axis=0)
        first, inverse = kernels.distinct(codes)
        self.evaluations += len(first)
        return self.model.predict(self.pool.gather(picks[first]))[inverse]


def _codes(frame: Frame, name: str) -> Rows:
    """Equal cells of a column have equal codes, from 0."""
    found = frame.arrow(name).dictionary_encode().indices
    return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False)).astype(np.int64) + 1


def exact_values(model: Model, rows: Frame, background: Frame, tick: Tick = lambda share: None) -> Values:
    """By counting all 2^p coalitions over every background row. Source: Shapley 1953; shap's exact explainer."""
    table = _Table(model, rows, background)
    n, m, p = len(rows), len(background), len(rows.names)
    members = kernels.coalitions(p)
    base = table.reference.mean(axis=0)
    worth = np.empty((n, 1 << p, len(base)))
    worth[:, 0], worth[:, -1] = base, table.predictions
    inner = max((1 << p) - 2, 0)
    step = max(1, BLOCK_CELLS // (m * p))
    for start in range(0, n * inner, step):
        number = np.arange(start, min(start + step, n * inner))
        row, coalition = number // inner, number % inner + 1
        picks = np.where(members[coalition][:, None, :], row[:, None, None], n + np.arange(m)[None, :, None])
        worth[row, coalition] = table.ask(picks.reshape(-1, p)).reshape(len(number), m, -1).mean(axis=1)
        tick((start + len(number)) / (n * inner))
    return Values(kernels.shapley_values(worth), base, table.predictions, table.evaluations)


def sampled_values(
    model: Model,
    rows: Frame,
    background: Frame,
    rngs: Sequence[np.random.Generator],
    pairs: int,
    tick: Tick = lambda share: None,
) -> Values:
    """From `pairs` random orders and their reverses, each pair with one background row; every one is used equally
    often, so `pairs` (two or more) must be a multiple of their number. `rngs`: one generator a row.

    Each pair adds up to the difference between the row and its background row, so efficiency holds exactly.
    """
    table = _Table(model, rows, background)
    n, m, p = len(rows), len(background), len(rows.names)
    assert pairs % m == 0
    outputs = table.predictions.shape[1]
    donors = n + np.tile(np.arange(m), pairs // m)
    start_worth = table.reference[donors - n][:, None, :]
    phi, error = np.empty((2, n, p, outputs))
    halves = np.empty((2, n, p, outputs))
    step = max(1, BLOCK_CELLS // (2 * pairs * p * p))
    for start in range(0, n, step):
        block = np.arange(start, min(start + step, n))
        orders = np.stack([rngs[int(i)].permuted(np.tile(np.arange(p), (pairs, 1)), axis=1) for i in block])
        inside = np.stack([kernels.walk(o) for o in orders])  # (block, pairs, p - 1, p)
        inside = np.concatenate([inside, ~inside[:, :, ::-1]], axis=2)  # forwards, then backwards
        picks = np.where(inside, block[:, None, None, None], donors[None, :, None, None])
        asked = table.ask(picks.reshape(-1, p)).reshape(len(block), pairs, 2, p - 1, outputs)
        for i, row in enumerate(block):
            end = np.broadcast_to(table.predictions[row], (pairs, 1, outputs))
            forward = np.concatenate([start_worth, asked[i, :, 0], end], axis=1)
            backward = np.concatenate([start_worth, asked[i, :, 1], end], axis=1)
            each = kernels.contributions(orders[i], forward, backward)
            phi[row] = each.mean(axis=0)
            error[row] = _standard_error(each, m)
            halves[:, row] = each[: pairs // 2].mean(axis=0), each[pairs // 2 :].mean(axis=0)
        tick((block[-1] + 1) / n)
    base = table.reference.mean(axis=0)
    return Values(phi, base, table.predictions, table.evaluations, error, (halves[0], halves[1]))


def _standard_error(each: Rows, m: int) -> Rows:
    """Of the mean over pairs (pairs, features, outputs), pair i walked from background row i % m.

    Where every background row was walked from more than once, the error of the orders alone (variance within background
    rows); else orders and background cannot be told apart, and the error is that of both.
    """
    pairs = len(each)
    if pairs > m:
        within = each.reshape(pairs // m, m, *each.shape[1:]).var(axis=0, ddof=1).mean(axis=0)
        return np.asarray(np.sqrt(within / pairs))
    return np.asarray(each.std(axis=0, ddof=1) / np.sqrt(pairs))


def fitting(max_rows: int | None, max_cells: int | None, width: int) -> int | None:
    """How many rows `max_rows` and `max_cells` (rows × `width`) allow, at least one; None where neither is given."""
    limits = [*([] if max_rows is None else [max_rows]), *([] if max_cells is None else [max_cells // max(1, width)])]
    return max(1, min(limits)) if limits else None


def attribution_columns(
    data: Dataset,
    rows: Rows,
    targets: Sequence[str | None],
    values: tuple[Rows, Rows, Rows],
    error: Rows | None = None,
) -> dict[str, Any]:
    """Columns of an attribution table: for each row, for each target, each feature in the model's order.

    values  phi (rows, features, targets), base (targets,) or (rows, targets), predictions (rows, targets)
    """
    phi, base, predictions = values
    n, p, outputs = phi.shape
    names = data.X.names
    cells = [data.X.column(name).cells(rows) for name in names]
    at = np.stack([numbers for numbers, _ in cells], axis=1)  # (rows, features)
    levels = np.stack([np.array(texts, dtype=object) for _, texts in cells], axis=1)
    base = np.broadcast_to(base, (n, outputs))

    def each(value: Rows) -> Rows:  # (rows, targets) → one a table row
        return np.repeat(value.ravel(), p)

    def spread(value: Rows) -> Rows:  # (rows, features) → one a table row
        return np.repeat(value[:, None, :], outputs, axis=1).ravel()

    found: dict[str, Any] = {
        "example": np.repeat(data.positions[rows], outputs * p),
        "feature": list(names) * (n * outputs),
        "value": phi.transpose(0, 2, 1).ravel(),
        "input": spread(at),
        "input_level": spread(levels).tolist(),
        "base": each(base),
        "prediction": each(predictions),
    }
    if targets[0] is not None:
        found["target"] = np.tile(np.repeat(np.array(targets, dtype=object), p), n).tolist()
    if error is not None:
        found |= {"error": error.transpose(0, 2, 1).ravel(), "noise": "monte-carlo"}
    if data.ids is not None:
        found["id"] = np.repeat(np.array(data.ids, dtype=object)[rows], outputs * p).tolist()
    return found
