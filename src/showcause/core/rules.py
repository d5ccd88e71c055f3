"""Conditions on one feature, in words and back: what a table of kind `rule` is made of.

A rule is a head row (`condition` null: the whole rule's text, precision, coverage) and one row for each condition
(`role` "present": it holds for the cases of the rule; "absent": it does not hold, and the `contrast` would need it).
Law: `read(row)` of the row that `Condition.columns` wrote is that condition.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from showcause.core import canonical

BOUNDS = ("at_least", "above", "below", "up_to")
JOIN = " and "


def _plain(value: float) -> str:
    return canonical.number(float(f"{value:.6g}"))


@dataclass(frozen=True)
class Condition:
    """Of a number at most one lower and one upper bound; of a category the `levels`; `missing`: True, a missing value
    meets it (alone: nothing else does); False alone: any value meets it that is not missing."""

    feature: str
    at_least: float | None = None
    above: float | None = None
    below: float | None = None
    up_to: float | None = None
    levels: tuple[str, ...] | None = None
    missing: bool = False

    @property
    def columns(self) -> dict[str, Any]:
        """Cells of its row."""
        levels = None if self.levels is None else canonical.dumps(list(self.levels)).decode()
        return {"feature": self.feature, **self.bounds, "levels": levels, "missing": self.missing}

    @property
    def bounds(self) -> dict[str, float | None]:
        return {name: getattr(self, name) for name in BOUNDS}

    def holds(self, value: float | str | None) -> bool:
        """Whether a cell meets it: a number, a level, or None where it is missing."""
        if value is None:
            return self.missing
        if isinstance(value, str):
            return self.levels is None or value in self.levels
        if self.missing and self.levels is None and all(bound is None for bound in self.bounds.values()):
            return False
        return not (
            (self.at_least is not None and value < self.at_least)
            or (self.above is not None and value <= self.above)
            or (self.below is not None and value >= self.below)
            or (self.up_to is not None and value > self.up_to)
        )

    def phrase(
        self,
        label: Callable[[str], str] = str,
        amount: Callable[[str, float], str] = lambda feature, value: _plain(value),
        level: Callable[[str, str], str] = lambda feature, value: value,
    ) -> str:
        """In words: "income from 20 to under 40", "city is Oslo or Rome", "age at least 30, or missing"."""
        name = label(self.feature)
        if self.levels is not None:
            said = [level(self.feature, text) for text in self.levels] + ["missing"] * self.missing
            return f"{name} is {' or '.join(said)}" if said else f"{name} is none of the known levels"
        said_bounds = self._range(amount)
        if not said_bounds:
            return f"{name} is {'missing' if self.missing else 'known'}"
        return f"{name} {said_bounds}{', or missing' * self.missing}"

    def _range(self, amount: Callable[[str, float], str]) -> str:
        said = {k: amount(self.feature, v) for k, v in self.bounds.items() if v is not None}
        if len(set(said.values())) == 1 and {*said} == {"at_least", "up_to"} and self.at_least == self.up_to:
            return f"is {said['up_to']}"
        words = {"at_least": "at least", "above": "above", "below": "under", "up_to": "up to"}
        if "at_least" in said and len(said) == 2:
            last = "below" if "below" in said else "up_to"
            return f"from {said['at_least']} to {'under ' if last == 'below' else ''}{said[last]}"
        return JOIN.join(f"{words[key]} {text}" for key, text in said.items())


def read(row: Mapping[str, Any]) -> Condition | None:
    """The condition of a table's row; None for a head row and for text that no parts stand behind."""
    if row.get("feature") is None:
        return None
    levels = row.get("levels")
    return Condition(
        row["feature"],
        row.get("at_least"),
        row.get("above"),
        row.get("below"),
        row.get("up_to"),
        levels=None if levels is None else tuple(json.loads(levels)),
        missing=bool(row.get("missing")),
    )


def coarse(
    table: pa.Table, digits: int, hidden: Callable[[str], bool] | Collection[str] = (), mask: str = ""
) -> pa.Table:
    """A `rule` table whose numbers have at most `digits` significant digits and whose `hidden` levels read `mask`; the
    texts are written anew from the parts."""
    secret = hidden if callable(hidden) else frozenset(hidden).__contains__
    rows = table.to_pylist()
    texts: dict[int, list[str]] = {}
    for row in rows:
        condition = read(row)
        if condition is None:
            continue
        rounded: Any = {k: None if v is None else float(f"{v:.{digits}g}") for k, v in condition.bounds.items()}
        levels = condition.levels
        if levels is not None:
            levels = tuple(dict.fromkeys(mask if secret(level) else level for level in levels))
        condition = replace(condition, **rounded, levels=levels)
        row |= {**condition.columns, "text": condition.phrase()}
        if row.get("role") != "absent":
            texts.setdefault(row["rule"], []).append(row["text"])
    for row in rows:
        if row.get("feature") is None and row["rule"] in texts:
            row["text"] = JOIN.join(texts[row["rule"]])
    return pa.Table.from_pylist(rows, schema=table.schema)


def table_columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows with any cells → columns. A cell that a row does not have is null; a column without any goes."""
    names = dict.fromkeys(name for row in rows for name in row)
    found = {name: [row.get(name) for row in rows] for name in names}
    needed = ("rule", "text", "precision", "coverage")
    return {name: cells for name, cells in found.items() if name in needed or any(c is not None for c in cells)}
