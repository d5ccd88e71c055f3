"""Predictions of rows in which some columns are taken from other rows: permuted columns, places on a grid, bin edges.

Every method that perturbs whole columns asks here, so that a faster answer (a forest's own) has one place to stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from showcause.adapters.frame import Frame, Rows
from showcause.adapters.model import BATCH, Model
from showcause.kernels.shuffle import circular_donors


@dataclass(frozen=True)
class Change:
    """Rows `rows` (n,) of the frame, where column `name` takes its cells from rows `donors[name]` (n,)."""

    rows: Rows
    donors: Mapping[str, Rows] = field(default_factory=dict)


def replaced(model: Model, X: Frame, changes: Iterable[Change]) -> Iterator[Rows]:
    """For each change (n, outputs): what the model predicts. Outputs are in the space of `model.predict`.

    Whole changes are stacked into calls of up to 16,384 rows. Law: two runs over changes of the same lengths call the
    model with rows of the same shape at the same places, so what does not depend on a changed column has equal bits.
    """
    waiting: list[Change] = []
    size = 0
    for change in changes:
        if waiting and size + len(change.rows) > BATCH:
            yield from _together(model, X, waiting)
            waiting, size = [], 0
        waiting.append(change)
        size += len(change.rows)
    yield from _together(model, X, waiting)


def _together(model: Model, X: Frame, changes: list[Change]) -> Iterator[Rows]:
    if not changes:
        return
    sizes = [len(change.rows) for change in changes]
    rows = np.concatenate([change.rows for change in changes])
    moved = {name: rows.copy() for change in changes for name in change.donors}
    start = 0
    for change, size in zip(changes, sizes, strict=True):
        for name, donors in change.donors.items():
            moved[name][start : start + size] = donors
        start += size
    outputs = model.predict(X.mix(rows, moved)) if len(rows) else np.empty((0, max(1, len(model.targets))))
    yield from np.split(outputs, np.cumsum(sizes)[:-1])


def against_unchanged(model: Model, X: Frame, changes: list[Change]) -> Iterator[tuple[Rows, Rows]]:
    """For each change, all over the same rows: (its predictions, those of the unchanged rows), each (n, outputs).

    Both come from calls of one shape, so that a column that the model ignores changes nothing, not even a last bit.
    """
    if not changes:
        return
    rows = changes[0].rows
    copies = min(len(changes), max(1, BATCH // max(1, len(rows))))
    calls = -(-len(changes) // copies)
    copies = -(-len(changes) // calls)  # evenly filled, the last one filled up with unchanged copies
    unchanged = [Change(rows)] * copies
    before = list(replaced(model, X, unchanged))
    for start in range(0, len(changes), copies):
        part = changes[start : start + copies]
        answers = replaced(model, X, [*part, *unchanged[len(part) :]])
        for position, _ in enumerate(part):
            yield next(answers), before[position]
        for _ in answers:  # the filling
            pass


def shuffled(
    model: Model,
    X: Frame,
    rows: Rows,
    sets: Sequence[Sequence[str]],
    circle: Rows,
    repeats: int,
    losses: Sequence[Callable[[Rows], Rows]],
    tick: Callable[[float], None] = lambda share: None,
) -> Iterator[tuple[Rows, list[Rows]]]:
    """For each repeat: (donors (n,), for each loss the (n, sets) increases where a set's columns move together).

    rows (n,) of X; circle (n,) an order of them, shared by all sets; a loss maps (n, outputs) to (n,).
    """
    donors = [circular_donors(circle, repeat) for repeat in range(repeats)]
    changes = [Change(rows, dict.fromkeys(names, rows[picks])) for picks in donors for names in sets]
    answers = against_unchanged(model, X, changes)
    for repeat, picks in enumerate(donors):
        found = [np.empty((len(rows), len(sets))) for _ in losses]
        for j in range(len(sets)):
            after, before = next(answers)
            for block, loss in zip(found, losses, strict=True):
                block[:, j] = loss(after) - loss(before)
            tick((repeat * len(sets) + j + 1) / len(changes))
        yield picks, found
