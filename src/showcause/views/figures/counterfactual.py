"""Counterfactuals: what each change costs, in the distance's own unit, with what it is now and what it would be."""

from __future__ import annotations

from typing import Any

from showcause.views.picture import (
    BARS,
    Picture,
    Row,
    Spec,
    column,
    distinct,
    dots,
    empty,
    mark,
    names_axis,
    tooltip,
    unique_names,
)
from showcause.views.words import number

OPTIONS = ("target", "segment", "refit")
EXTRA = {
    "example": lambda artifact: distinct(artifact.table, "example"),
    "alternative": lambda artifact: distinct(artifact.table, "alternative"),
}


def draw(picture: Picture) -> Spec:
    """One example's alternatives, or the features that are changed most often over all examples."""
    rows = changes(picture.rows)
    if not rows:
        return empty(picture, "No change was found that leads to another outcome.")
    return _one(picture, rows[:BARS]) if "example" in picture.choice else _often(picture, rows)


def changes(rows: list[Row]) -> list[Row]:
    """The rows that change something; an example without an alternative has a row without a feature."""
    return [row for row in rows if row.get("feature") is not None]


def before(picture: Picture, row: Row) -> str:
    return _cell(picture, row, "before")


def after(picture: Picture, row: Row) -> str:
    return _cell(picture, row, "after")


def _cell(picture: Picture, row: Row, name: str) -> str:
    value = row.get(name) if row.get(name) is not None else row.get(f"{name}_level")
    return picture.words.level(row["feature"], value)


def _one(picture: Picture, rows: list[Row]) -> Spec:
    several = len({row["alternative"] for row in rows}) > 1
    said = [(f"{row['alternative']}. " if several else "") + picture.words.label(row["feature"]) for row in rows]
    names = unique_names(said)
    values: list[dict[str, Any]] = [
        {
            "name": name,
            "whole": whole,
            "value": row.get("cost") if row.get("cost") is not None else 1.0,
            "text": f"{before(picture, row)} → {after(picture, row)}",
            "shown": number(row["prediction"]),
        }
        for row, name, whole in zip(rows, names, said, strict=True)
    ]
    tips = tooltip(("whole", "feature"), ("text", "change"), ("shown", "output then"))
    most = max(value["value"] for value in values) or 1.0
    x = column(
        "value", title="cost of the change", axis={"tickCount": 4}, scale={"domain": [0, 1.9 * most], "nice": False}
    )
    place = {"y": names_axis(names), "x": x, "tooltip": tips}
    word = {**place, "text": column("text", "nominal")}
    layers = [mark("bar", "main", place, height={"band": 0.6}), mark("text", "word", word, align="left", dx=6)]
    return dots(picture, names, layers, values, step=28)


def often(rows: list[Row]) -> dict[str, int]:
    """Feature → in how many examples some alternative changes it, the most often changed first."""
    found: dict[str, set[Any]] = {}
    for row in rows:
        found.setdefault(row["feature"], set()).add(row["example"])
    return dict(sorted(((name, len(of)) for name, of in found.items()), key=lambda item: (-item[1], item[0])))


def _often(picture: Picture, rows: list[Row]) -> Spec:
    counts = list(often(rows).items())[:BARS]
    names = unique_names([picture.words.label(feature) for feature, _ in counts])
    values = [
        {"name": name, "whole": picture.words.label(feature), "value": count}
        for name, (feature, count) in zip(names, counts, strict=True)
    ]
    x = column("value", title="cases in which it is changed", axis={"tickCount": 5, "tickMinStep": 1})
    place = {"y": names_axis(names), "x": x, "tooltip": tooltip(("whole", "feature"), ("value", "cases"))}
    return dots(picture, names, [mark("bar", "main", place, height={"band": 0.6})], values)
