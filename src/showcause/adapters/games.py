"""The Shapley game of any model in the columns of its user: who is in comes from the row explained, the rest from
background rows (the interventional game), in the space of `model.predict`.

Laws: `base + phi.sum(features) = model.predict(row)`; a column that the model never uses gets exactly zero. Every
perturbed row is gathered from cells of real rows, and each distinct one is evaluated once, whoever it was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow.compute as pc

from showcause.adapters.dataset import Dataset
from showcause.adapters.frame import Frame, Rows
from showcause.adapters.model import Model
from showcause.kernels import coalitions as kernels

BLOCK_CELLS = 1 << 22  # cells of perturbed rows made at a time
KEPT_CELLS = 1 << 26  # cells of evaluated rows that are remembered
Tick = Callable[[float], None]


@dataclass(frozen=True)
class Values:
    """Shapley values in the model's own space.

    phi               (rows, features, outputs)
    base              (outputs,) the mean prediction of the background
    predictions       (rows, outputs) of the rows explained
    evaluations       distinct rows that the model was asked about
    background_error  (rows, features, outputs) standard error of the background as a sample, where it was found
    error             (rows, features, outputs) standard error of sampling coalitions; None where all were counted
    facts             what else is to be said of sampled values
    halves            two estimates from half of the draws each; None where exact
    """

    phi: Rows
    base: Rows
    predictions: Rows
    evaluations: int
    background_error: Rows | None = None
    error: Rows | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    halves: tuple[Rows, Rows] | None = None


class Table:
    """Rows explained, then background rows; `ask` evaluates rows mixed from their cells."""

    def __init__(self, model: Model, rows: Frame, background: Frame) -> None:
        self.model, self.size = model, len(rows)
        self.pool = rows.stack(background)
        self.codes = np.column_stack([_codes(self.pool, name) for name in self.pool.names])
        first, inverse = kernels.distinct(self.codes)
        answers = model.predict(self.pool.take(first))
        self.known, self.answers = self.codes[first], answers
        self.evaluations = len(first)
        whole = answers[inverse]
        self.predictions, self.reference = whole[: self.size], whole[self.size :]

    def ask(self, row: Rows, donor: Rows, inside: Rows, *, remember: bool = True) -> Rows:
        """(q, outputs): rows `row` (q,) where `inside` (q, columns), else background rows `donor` (q,)."""
        step = max(1, BLOCK_CELLS // inside.shape[1])
        parts = [
            self._block(row[s : s + step], donor[s : s + step] + self.size, inside[s : s + step], remember)
            for s in range(0, len(row), step)
        ]
        return np.concatenate(parts) if parts else np.empty((0, self.predictions.shape[1]))

    def _block(self, row: Rows, donor: Rows, inside: Rows, remember: bool) -> Rows:
        picks = np.where(inside, row[:, None], donor[:, None])
        codes = np.take_along_axis(self.codes, picks, axis=0)
        before = len(self.known)
        first, inverse = kernels.distinct(np.concatenate([self.known, codes]))
        new = np.flatnonzero(first >= before)  # of equal rows the first is named, so what is known is not new
        answers = np.empty((len(first), self.answers.shape[1]))
        old = np.setdiff1d(np.arange(len(first)), new, assume_unique=True)
        answers[old] = self.answers[first[old]]
        places = first[new] - before
        if len(places):
            answers[new] = self.model.predict(self.pool.gather(picks[places]))
        self.evaluations += len(places)
        if remember and self.known.size + places.size * codes.shape[1] <= KEPT_CELLS:
            self.known = np.concatenate([self.known, codes[places]])
            self.answers = np.concatenate([self.answers, answers[new]])
        return answers[inverse[before:]]


def _codes(frame: Frame, name: str) -> Rows:
    """Equal cells of a column have equal codes, from 0."""
    found = frame.arrow(name).dictionary_encode().indices
    return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False)).astype(np.int64) + 1


def exact_values(model: Model, rows: Frame, background: Frame, tick: Tick = lambda share: None) -> Values:
    """By counting all 2^p coalitions over every background row. Source: Shapley 1953; shap's exact explainer."""
    table = Table(model, rows, background)
    n, m, p = len(rows), len(background), len(rows.names)
    members = kernels.coalitions(p)
    outputs = table.predictions.shape[1]
    phi, error = np.empty((2, n, p, outputs))
    step = max(1, BLOCK_CELLS // (m * p << p))
    for start in range(0, n, step):
        block = np.arange(start, min(start + step, n))
        row, donor, coalition = (a.ravel() for a in np.meshgrid(block, np.arange(m), np.arange(1 << p), indexing="ij"))
        worth = table.ask(row, donor, members[coalition], remember=False).reshape(len(block) * m, 1 << p, outputs)
        games = kernels.shapley_values(worth).reshape(len(block), m, p, outputs)
        phi[block] = games.mean(axis=1)
        error[block] = games.std(axis=1, ddof=1) / np.sqrt(m) if m > 1 else 0.0
        tick((block[-1] + 1) / n)
    return Values(phi, table.reference.mean(axis=0), table.predictions, table.evaluations, error)


def walked_values(
    model: Model,
    rows: Frame,
    background: Frame,
    rngs: Sequence[np.random.Generator],
    pairs: int,
    tick: Tick = lambda share: None,
) -> Values:
    """From `pairs` random orders and their reverses, each pair with one background row; every one is used equally
    often, so `pairs` (two or more) must be a multiple of their number. `rngs`: one generator a row.

    Cheaper and rougher than adapters/shapley.py, and a row's values do not depend on the rows beside it: for streams.
    Each pair adds up to the difference between the row and its background row, so efficiency holds exactly.
    """
    table = Table(model, rows, background)
    n, m, p = len(rows), len(background), len(rows.names)
    assert pairs % m == 0
    outputs = table.predictions.shape[1]
    donors = np.tile(np.arange(m), pairs // m)
    start_worth = table.reference[donors][:, None, :]
    phi, error = np.empty((2, n, p, outputs))
    halves = np.empty((2, n, p, outputs))
    step = max(1, BLOCK_CELLS // (2 * pairs * p * p))
    for start in range(0, n, step):
        block = np.arange(start, min(start + step, n))
        orders = np.stack([rngs[int(i)].permuted(np.tile(np.arange(p), (pairs, 1)), axis=1) for i in block])
        inside = np.stack([kernels.walk(o) for o in orders])  # (block, pairs, p - 1, p)
        inside = np.concatenate([inside, ~inside[:, :, ::-1]], axis=2)  # forwards, then backwards
        who = np.broadcast_to(block[:, None, None], inside.shape[:3])
        behind = np.broadcast_to(donors[None, :, None], inside.shape[:3])
        asked = table.ask(who.ravel(), behind.ravel(), inside.reshape(-1, p), remember=False)
        asked = asked.reshape(len(block), pairs, 2, p - 1, outputs)
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
    return Values(phi, base, table.predictions, table.evaluations, None, error, {}, (halves[0], halves[1]))


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
    background_error: Rows | None = None,
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
    if background_error is not None:
        found["background_error"] = background_error.transpose(0, 2, 1).ravel()
    if data.ids is not None:
        found["id"] = np.repeat(np.array(data.ids, dtype=object)[rows], outputs * p).tolist()
    return found
