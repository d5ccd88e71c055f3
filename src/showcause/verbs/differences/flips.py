"""Whose outcome flipped between two models on the same rows, and simple rules that describe them.

Row-level predictions (model/predictions) make it exact. That some outcomes flip is a fact; that they flip for more than
retraining's reasons cannot be told from one training on each side, so the verdict is "inconclusive" unless none did, or
the model is the very same and only the decision changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from showcause.core.diff import Change, Scalar, Verdict
from showcause.core.snapshot import Snapshot
from showcause.kernels.describe import describe
from showcause.verbs.differences.sides import BASELINE, NO_PANEL, Pair, Sides, refused
from showcause.views.sentence import Share, say

Rows = np.ndarray[Any, np.dtype[Any]]

NAME = "model/predictions"
LISTED = 200  # flipped rows in the document
CUTS = 9  # places at which a number is cut
LEVELS = 12  # levels of a category, the commonest
SOURCES = ("data/rows", "attribution/tree_shap", "attribution/shapley")  # where raw values of rows are stored


@dataclass(frozen=True)
class Flips:
    """Rows of both, by position: outcome before and after (a class, or None for regression) and predictions.
    `prefixes`: behind which names each side stores these very rows."""

    rows: Rows
    before: list[str | None]
    after: list[str | None]
    values: tuple[Rows, Rows]
    ids: list[str | None]
    prefixes: tuple[str, str] = ("", "")

    @property
    def flipped(self) -> Rows:
        return np.array([one != other for one, other in zip(self.before, self.after, strict=True)], dtype=bool)


def flips(sides: Sides) -> Iterator[Change]:
    """How many outcomes flipped, from what to what, and the rules that describe who."""
    pair = next((pair for pair in sides.pairs("rows") if pair.name == NAME), None)
    if pair is None:
        return
    if pair.reason:
        yield refused("flips", pair)
        return
    found = read(pair)
    if found is None or not len(found.rows):
        return
    if found.before[0] is None and found.after[0] is None:
        yield _moved(sides, found)
        return
    yield _count(sides, found)
    turns = Counter((str(a), str(b)) for a, b in zip(found.before, found.after, strict=True) if a != b)
    for (one, other), count in sorted(turns.items(), key=lambda item: (-item[1], item[0])):
        yield _turn(sides, found, one, other, count)
    yield from _rules(sides, found)


def read(pair: Pair) -> Flips | None:
    """Both tables on the rows that both have, by position."""
    tables = [side.table.to_pylist() for side in (pair.before, pair.after)]
    known = [{row["row"]: row for row in rows} for rows in tables]
    both = sorted(set(known[0]) & set(known[1]))
    one, other = ([side[row] for row in both] for side in known)
    return Flips(
        np.array(both, dtype=np.int64),
        [row.get("decision") for row in one],
        [row.get("decision") for row in other],
        (np.array([row["prediction"] for row in one]), np.array([row["prediction"] for row in other])),
        [a.get("id") if a.get("id") is not None else b.get("id") for a, b in zip(other, one, strict=True)],
        (_prefix(pair.before.name), _prefix(pair.after.name)),
    )


def _prefix(name: str) -> str:
    return BASELINE if name.startswith(BASELINE) else ""


def _verdict(sides: Sides, none: bool) -> Verdict:
    return "unchanged" if none else "changed" if sides.same_model else "inconclusive"


def _count(sides: Sides, found: Flips) -> Change:
    n, total = int(found.flipped.sum()), len(found.rows)
    verdict = _verdict(sides, n == 0)
    facts: dict[str, Scalar] = {"flipped": n, "of": total, "share": n / total}
    template = "The outcome flipped for {n} of {total} rows ({share})."
    if n == 0:
        template = "The outcome flipped for none of {total} rows."
    tail = f" {NO_PANEL}" if verdict == "inconclusive" else ""
    text = say(template + tail, n=n, total=total, share=Share(n / total)).text
    flag = verdict == "changed"
    return Change("flips", NAME, {}, None, None, None, None, None, None, None, verdict, text, flag, facts)


def _turn(sides: Sides, found: Flips, one: str, other: str, count: int) -> Change:
    words = sides.words.target
    total = sum(decision == one for decision in found.before)
    key: dict[str, str | None] = {"from": one, "to": other}
    facts: dict[str, Scalar] = {"flipped": count, "of": total}
    template = "From {one} to {other}: {count} of {total} rows."
    text = say(template, one=words(one), other=words(other), count=count, total=total).text
    verdict = _verdict(sides, none=False)
    return Change("flips", NAME, key, one, other, None, None, None, None, None, verdict, text, False, facts)


def _moved(sides: Sides, found: Flips) -> Change:
    """Regression has no outcomes to flip: how far predictions moved."""
    moved = found.values[1] - found.values[0]
    size, most = float(np.abs(moved).mean()), float(np.abs(moved).max())
    verdict = _verdict(sides, most == 0)
    facts: dict[str, Scalar] = {"mean_move": size, "largest_move": most, "of": len(moved)}
    template = "Predictions of {n} rows moved by {size} on average and by {most} at most."
    tail = f" {NO_PANEL}" if verdict == "inconclusive" else ""
    text = say(template + tail, n=len(moved), size=size, most=most).text
    return Change("flips", NAME, {}, None, None, None, None, None, None, None, verdict, text, False, facts)


@dataclass(frozen=True)
class Condition:
    feature: str
    sign: str  # "≤", ">" or "is"
    place: float | str | None

    def words(self, sides: Sides) -> str:
        place = "missing" if self.place is None else sides.words.level(self.feature, self.place)
        return f"{sides.words.label(self.feature)} {self.sign} {place}"

    @property
    def text(self) -> str:
        place = "missing" if self.place is None else repr(self.place) if isinstance(self.place, float) else self.place
        return f"{self.feature} {self.sign} {place}"


def _rules(sides: Sides, found: Flips) -> Iterator[Change]:
    values = _values(sides, found)
    if values is None or not found.flipped.any():
        return
    rows, columns = values
    flipped = found.flipped[rows]
    conditions, holds = _conditions(columns)
    if not conditions:
        return
    described = describe(holds, flipped)
    total = int(flipped.sum())
    if not described:
        text = say("No simple rule describes whose outcome flipped, over {rows} rows.", rows=len(rows)).text
        facts: dict[str, Scalar] = {"rows": len(rows), "flipped": total}
        yield Change(
            "flips", NAME, {"rule": ""}, None, None, None, None, None, None, None, "inconclusive", text, False, facts
        )
    for order, rule in enumerate(described, 1):
        named = [conditions[j] for j in rule.conditions]
        said = " and ".join(condition.words(sides) for condition in named)
        precision, coverage = rule.members / rule.rows, rule.members / total
        facts = {"order": order, "precision": precision, "coverage": coverage, "rows": rule.rows}
        facts |= {"flipped": rule.members}
        facts |= {f"place_{i}": one.place for i, one in enumerate(named, 1) if isinstance(one.place, float)}
        template = (
            "Who flips: {names}. {flipped} of {rows} such rows did ({precision}), {coverage} of all that flipped."
        )
        shares = {"precision": Share(precision), "coverage": Share(coverage)}
        text = say(template, names=said, flipped=rule.members, rows=rule.rows, **shares).text
        key = {"rule": " and ".join(condition.text for condition in named)}
        verdict = _verdict(sides, none=False)
        yield Change("flips", NAME, key, None, None, None, None, None, None, None, verdict, text, False, facts)


def _values(sides: Sides, found: Flips) -> tuple[Rows, dict[str, list[Any]]] | None:
    """(positions in `found`, feature → raw values there) from what either snapshot stores of its rows."""
    for snapshot, prefix in ((sides.after, found.prefixes[1]), (sides.before, found.prefixes[0])):
        for name in (f"{prefix}{source}" for source in SOURCES):
            if name in snapshot and (read := _stored(snapshot, name, found)) is not None:
                return read
    return None


def _stored(snapshot: Snapshot, name: str, found: Flips) -> tuple[Rows, dict[str, list[Any]]] | None:
    table = snapshot[name].table
    cells: dict[int, dict[str, Any]] = {}
    if name.endswith("data/rows"):
        features = [column for column in table.column_names if column.startswith("x.")]
        for row in table.select(["row", *features]).to_pylist():
            cells[row["row"]] = {column.removeprefix("x."): row[column] for column in features}
    elif "input" in table.column_names or "input_level" in table.column_names:
        for row in table.to_pylist():
            given = row.get("input") if row.get("input") is not None else row.get("input_level")
            cells.setdefault(row["example"], {})[row["feature"]] = given
    at = np.array([i for i, row in enumerate(found.rows.tolist()) if row in cells], dtype=np.int64)
    if len(at) < len(found.rows) / 2:  # another sample of rows would describe others
        return None
    kept = [cells[row] for row in found.rows[at].tolist()]
    return at, {feature: [row.get(feature) for row in kept] for feature in kept[0]}


def _conditions(columns: Mapping[str, Sequence[Any]]) -> tuple[list[Condition], Rows]:
    """Simple questions about the columns and (rows, conditions) whether they hold."""
    found: list[Condition] = []
    holds: list[Rows] = []
    for feature, values in columns.items():
        empty = np.array([value is None for value in values])
        if empty.any() and not empty.all():
            found.append(Condition(feature, "is", None))
            holds.append(empty)
        numbers = all(value is None or isinstance(value, int | float) for value in values)
        for condition, which in _of_numbers(feature, values) if numbers else _of_levels(feature, values):
            found.append(condition)
            holds.append(which)
    return found, np.column_stack(holds) if holds else np.empty((0, 0), dtype=bool)


def _of_numbers(feature: str, values: Sequence[Any]) -> Iterator[tuple[Condition, Rows]]:
    column = np.array([np.nan if value is None else float(value) for value in values])
    known = column[np.isfinite(column)]
    if not len(known):
        return
    cuts = np.unique(np.quantile(known, np.linspace(0, 1, CUTS + 2)[1:-1], method="lower"))
    for cut in cuts[cuts < known.max()]:
        yield Condition(feature, "≤", float(cut)), column <= cut
        yield Condition(feature, ">", float(cut)), column > cut


def _of_levels(feature: str, values: Sequence[Any]) -> Iterator[tuple[Condition, Rows]]:
    counts = Counter(str(value) for value in values if value is not None)
    if len(counts) < 2:
        return
    for level, _ in counts.most_common(LEVELS):
        yield Condition(feature, "is", level), np.array([value is not None and str(value) == level for value in values])


def listed(sides: Sides) -> tuple[list[dict[str, Scalar]], int]:
    """(rows of the document's table "flips", how many were left out): those that flipped, the largest moves first."""
    pair = next((p for p in sides.pairs("rows") if p.name == NAME and not p.reason), None)
    found = read(pair) if pair is not None else None
    if found is None or not len(found.rows) or found.before[0] is None:
        return [], 0
    where = np.flatnonzero(found.flipped)
    moved = np.abs(found.values[1] - found.values[0])
    where = where[np.lexsort((found.rows[where], -moved[where]))]
    rows: list[dict[str, Scalar]] = []
    for i in where[:LISTED].tolist():
        named: dict[str, Scalar] = {} if found.ids[i] is None else {"id": found.ids[i]}
        rows.append(
            {
                "row": int(found.rows[i]),
                **named,
                "before": found.before[i],
                "after": found.after[i],
                "prediction_before": float(found.values[0][i]),
                "prediction_after": float(found.values[1][i]),
            }
        )
    return rows, max(0, len(where) - LISTED)
