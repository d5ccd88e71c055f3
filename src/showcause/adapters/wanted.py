"""Which other outcome a counterfactual leads to, and the table that says what would have to change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from showcause.adapters.dataset import Dataset
from showcause.adapters.distance import NEIGHBOURS, Typical
from showcause.adapters.frame import Frame, Rows
from showcause.adapters.model import Model, probabilities
from showcause.core.errors import ParameterError, choices

Decide = Any  # outputs (rows, outputs) → (rows,) class numbers


@dataclass(frozen=True)
class Wanted:
    """A class number, or a range of the target."""

    label: int | None = None
    low: float = -np.inf
    high: float = np.inf

    def reached(self, outputs: Rows, decide: Decide) -> Rows:
        """(rows,) whether outputs (rows, outputs) are as wanted."""
        if self.label is not None:
            return np.asarray(decide(outputs) == self.label)
        return np.asarray((outputs[:, 0] >= self.low) & (outputs[:, 0] <= self.high))

    def shown(self, outputs: Rows) -> Rows:
        """(rows,) the output of the wanted class, or of classes_[1] where there are two; the value predicted."""
        if outputs.shape[1] == 1 or self.label is None:
            return np.asarray(outputs[:, 0])
        return np.asarray(outputs[:, self.label])

    @property
    def goal(self) -> int | tuple[float, float]:
        return self.label if self.label is not None else (self.low, self.high)


def asked(model: Model, target: str | None, at_least: float | None, at_most: float | None) -> Wanted | None:
    """What the parameters say; None where it depends on the row. Raises ParameterError."""
    if model.classes:
        if at_least is not None or at_most is not None:
            raise ParameterError("at_least and at_most are for regression models; give target, a class")
        if target is None:
            return None
        if target not in model.classes:
            raise ParameterError(f"target: {choices(target, model.classes)}")
        return Wanted(model.classes.index(target))
    if target is not None:
        raise ParameterError("target is a class; for a regression model give at_least or at_most")
    low, high = -np.inf if at_least is None else at_least, np.inf if at_most is None else at_most
    if not low <= high:
        raise ParameterError(f"at_least {low:g} is above at_most {high:g}")
    return Wanted(None, low, high)


def other(model: Model, favourable: str | None, outputs: Rows, decided: int) -> Wanted:
    """Of one row (outputs,): the favourable class where it is decided otherwise, else the likeliest other class."""
    if favourable is not None and model.classes[decided] != favourable:
        return Wanted(model.classes.index(favourable))
    chances = probabilities(outputs[None, :])[0] if len(outputs) == 1 else outputs
    return Wanted(next(k for k in np.argsort(-chances, kind="stable").tolist() if k != decided))


@dataclass(frozen=True)
class Found:
    """One alternative: a changed copy of the row, confirmed by the model."""

    frame: Frame  # one row
    changed: tuple[str, ...]
    costs: Mapping[str, float]
    outputs: Rows  # (outputs,)
    values: Rows  # (features,) as Typical's
    bound: float | None = None
    optimal: bool | None = None
    votes: tuple[int, int] | None = None  # retrained models that decide as wanted, of how many

    @property
    def distance(self) -> float:
        return float(sum(self.costs.values()))


@dataclass(frozen=True)
class Answered:
    """One example: what was wanted, its outputs before, the alternatives found, or why there are none."""

    number: int
    wanted: Wanted
    before: Rows
    found: Sequence[Found]
    typical: Typical | None
    note: str | None


def voted(answered: Sequence[Answered], votes: Sequence[tuple[int, int]]) -> list[Answered]:
    """With what retrained models say of every alternative, in order."""
    left = iter(votes)
    return [replace(one, found=[replace(found, votes=next(left)) for found in one.found]) for one in answered]


def table(answered: Sequence[Answered], data: Dataset, model: Model, decided: Decide) -> dict[str, list[Any]]:
    """The columns of all examples."""
    rows = [
        row
        for one in answered
        for row in rows_of(data, model, one.number, one.wanted, one.before, decided, one.found, one.typical, one.note)
    ]
    return columns(rows, data)


def rows_of(
    data: Dataset, model: Model, number: int, wanted: Wanted, before: Rows, decided: Decide, found: Sequence[Found],
    typical: Typical | None, note: str | None,
) -> list[dict[str, Any]]:  # fmt: skip
    """The table's rows of one example; `note` where nothing was found."""
    base: dict[str, Any] = {
        "example": int(data.positions[number]),
        "prediction_before": float(wanted.shown(before[None, :])[0]),
    }
    if model.classes:
        base["decision_before"] = model.classes[int(decided(before[None, :])[0])]
    if not found:
        return [{**base, "alternative": None, "feature": None, "prediction": None, "note": note}]
    rows = []
    for place, one in enumerate(found, 1):
        head = {**base, "alternative": place, "prediction": float(wanted.shown(one.outputs[None, :])[0])}
        head |= {"distance": one.distance, "bound": one.bound, "optimal": one.optimal}
        if one.votes is not None:
            head |= {"agree": one.votes[0], "refits": one.votes[1]}
        if model.classes:
            head["decision"] = model.classes[int(decided(one.outputs[None, :])[0])]
        if typical is not None and len(typical.values):
            near, share = typical.of(one.values[None, :])
            head |= {"nearest": float(near[0]), "typical": None if np.isnan(share[0]) else float(share[0])}
        for name in one.changed:
            (was,), (was_level,) = data.X.column(name).cells(np.array([number]))
            (now,), (now_level,) = one.frame.column(name).cells(np.array([0]))
            cells = {"before": _null(was), "before_level": was_level, "after": _null(now), "after_level": now_level}
            rows.append({**head, "feature": name, **cells, "cost": one.costs[name]})
    return rows


def _null(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def columns(rows: Sequence[Mapping[str, Any]], data: Dataset) -> dict[str, list[Any]]:
    """The rows as columns; those that no row fills are left out but for the kind's own."""
    needed = ("example", "alternative", "feature", "before", "after", "prediction")
    names = dict.fromkeys([*needed, *(name for row in rows for name in row)])
    found = {name: [row.get(name) for row in rows] for name in names}
    kept = {name: cells for name, cells in found.items() if name in needed or any(cell is not None for cell in cells)}
    if data.ids is not None:
        where = dict(zip(data.positions.tolist(), data.ids, strict=True))
        kept["id"] = [where[position] for position in kept["example"]]
    return kept


def neighbours(pool: Frame, good: Rows, units: Rows, rng: np.random.Generator) -> Typical:
    """Of the pool rows `good` (row numbers) at most NEIGHBOURS."""
    rows = good if len(good) <= NEIGHBOURS else np.sort(rng.choice(good, NEIGHBOURS, replace=False))
    numbers = np.array([pool.column(name).is_number for name in pool.names])
    return Typical(pool.matrix(rows=rows), numbers, units)
