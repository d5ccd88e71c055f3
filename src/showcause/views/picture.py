"""What a figure or sentence function is given: an artifact, the choice made of it, and the words to speak with.

And the few pieces of Vega-Lite that every kind uses. A spec is a plain dictionary: deterministic, no counter in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from showcause.core.artifact import Artifact
from showcause.core.errors import ParameterError, choices
from showcause.views.words import Words, short

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
POINTS = 500  # at most this many points a chart
BARS = 20
PAIR = 17
NAME = 34  # characters of a name on an axis; the whole stands in the tooltip

Spec = dict[str, Any]
Row = dict[str, Any]


@dataclass(frozen=True)
class Picture:
    """`choice` maps a column (target, segment, feature, …) to the value chosen; columns not named are not filtered."""

    artifact: Artifact
    words: Words
    choice: Mapping[str, str]
    width: int | str = 560
    plain: bool = False  # no jargon on the axes

    @cached_property
    def table(self) -> pa.Table:
        """The rows of the choice."""
        table = self.artifact.table
        for column, value in self.choice.items():
            if column in table.column_names:
                kind = table.schema.field(column).type
                table = table.filter(pc.equal(table[column], pa.scalar(value).cast(kind)))
        return table

    @cached_property
    def rows(self) -> list[Row]:
        return list(self.table.to_pylist())

    @cached_property
    def measured(self) -> list[Row]:
        """The rows that have a value."""
        return [row for row in self.rows if row["value"] is not None]

    @cached_property
    def by_size(self) -> dict[str, list[Row]]:
        """Feature → its rows that have a value, the largest mean absolute value first."""
        found: dict[str, list[Row]] = {}
        for row in self.measured:
            found.setdefault(row["feature"], []).append(row)
        size = {name: -sum([abs(row["value"]) for row in rows]) / len(rows) for name, rows in found.items()}
        return {name: found[name] for name in sorted(found, key=size.__getitem__)}

    @cached_property
    def features(self) -> Counter[str]:
        """How many rows each feature has."""
        return Counter(self.table["feature"].to_pylist())

    @property
    def spec(self) -> Mapping[str, Any]:
        return self.artifact.spec

    @property
    def chances(self) -> bool:
        """Outputs are probabilities, to be said as percentages in plain English."""
        return self.plain and self.spec.get("space") == "probability"

    @property
    def outcome(self) -> str:
        """What the output is, in plain English: "chance of granted", "prediction"."""
        targets = self.choice.get("target") or next(iter(self.spec.get("targets") or ()), None)
        return f"chance of {short(self.words.target(targets), 30)}" if self.chances and targets else "prediction"

    def name(self, row: Row, limit: int = 60) -> str:
        """A row's feature, pair or term in words, each part of a pair with at most `limit` characters."""
        feature = self.words.label(row["feature"])
        if row.get("feature_b"):
            return f"{short(feature, limit)} × {short(self.words.label(row['feature_b']), limit)}"
        term = str(row.get("term") or row["feature"])
        if term == row["feature"] or self.features[row["feature"]] == 1:
            return feature
        # Transformers write their own name and the column's before the level: "words__town_Boston".
        level = term.rpartition("__")[2].removeprefix(f"{row['feature']}_")
        return f"{feature}: {self.words.level(row['feature'], level)}"


def distinct(table: pa.Table, column: str) -> list[Any]:
    """The column's values in order of appearance, without nulls."""
    if column not in table.column_names:
        return []
    return [value for value in pc.unique(table[column]).to_pylist() if value is not None]


def chosen(name: str, given: object, possible: Sequence[Any]) -> str:
    """`given` as text if it is possible. Raises ParameterError that names what is."""
    for value in possible:
        if value == given or str(value) == str(given):
            return str(value)
    raise ParameterError(f"{name}: {choices(given, possible)}")


def bounds(row: Row) -> tuple[float | None, float | None]:
    """95 % bounds of a row: those stored, else value ± 1.96 standard errors."""
    if row.get("low") is not None and row.get("high") is not None:
        return row["low"], row["high"]
    if row.get("error") is not None and row["value"] is not None:
        return row["value"] - 1.96 * row["error"], row["value"] + 1.96 * row["error"]
    return None, None


def unique_names(names: Sequence[str], limit: int = NAME) -> list[str]:
    """Shortened names, no two alike, since one axis entry must stand for one row."""
    found: list[str] = []
    for name in names:
        text, number = short(name, limit), 2
        while text in found:
            text, number = f"{short(name, limit - 4)} ({number})", number + 1
        found.append(text)
    return found


def chart(picture: Picture, layers: list[Spec], height: float, values: list[Row], **more: Any) -> Spec:
    """One layered view over `values`; layers whose filter leaves no row are left out."""
    layers = [
        layer for layer in layers if "data" in layer or all(_leaves(f, values) for f in layer.get("transform", []))
    ]
    return {
        "$schema": SCHEMA,
        "width": picture.width,
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "data": {"values": values},
        "layer": layers,
        **more,
    }


def _leaves(transform: Spec, values: list[Row]) -> bool:
    """Whether the filter (as `only` and `valid` write them) keeps any of `values`."""
    test = transform["filter"]
    if "not" in test:
        return any(value.get(test["not"]["field"]) is None for value in values)
    if "valid" in test:
        return any(value.get(test["field"]) is not None for value in values)
    return any(value.get(test["field"]) == test["equal"] for value in values)


def mark(kind: str, style: str | list[str], encoding: Spec, **more: Any) -> Spec:
    rest: Spec = {key: more.pop(key) for key in ("transform", "data") if key in more}
    return {"mark": {"type": kind, "style": style, **more}, "encoding": encoding, **rest}


def column(name: str, kind: str = "quantitative", **more: Any) -> Spec:
    return {"field": name, "type": kind, **more}


def tooltip(*fields: tuple[str, str]) -> list[Spec]:
    """(field, title) pairs; the fields hold text in words. Titles are ours: they become keys of an object in the
    browser, where a user's "__proto__" would not be one."""
    return [{"field": name, "type": "nominal", "title": title} for name, title in fields]


def valid(name: str) -> list[Spec]:
    """Keep rows whose `name` is not null."""
    return [{"filter": {"field": name, "valid": True}}]


def names_axis(names: Sequence[str], **more: Any) -> Spec:
    """A band for each name, in this order; the domain is explicit, so that layers with a filter agree."""
    axis = {"labelLimit": 250, "labelOverlap": False}
    scale = {"domain": list(names)}
    return column("name", "nominal", sort=None, title=None, axis=axis, scale=scale, **more)


def only(name: str, value: Any) -> list[Spec]:
    """Keep rows whose `name` is `value`; None: those where it is null."""
    if value is None:
        return [{"filter": {"not": {"field": name, "valid": True}}}]
    return [{"filter": {"field": name, "equal": value}}]


def dots(picture: Picture, names: Sequence[str], layers: list[Spec], values: list[Row], step: int = 22) -> Spec:
    """A chart with one band a name."""
    return chart(picture, layers, step * max(1.6, len(names)), values)


def empty(picture: Picture, why: str) -> Spec:
    """A chart that says why there is nothing to draw."""
    word = mark(
        "text", "quiet", {"text": column("why", "nominal"), "y": {"value": 14}, "x": {"value": 0}}, align="left"
    )
    return chart(picture, [word], 28, [{"why": why}])
