"""Rules: how often each is right, with its interval, in the order they are asked or the most far-reaching first."""

from __future__ import annotations

from typing import Any

from showcause.core.rules import JOIN, read
from showcause.views.picture import (
    BARS,
    Picture,
    Row,
    Spec,
    bounds,
    column,
    distinct,
    dots,
    empty,
    mark,
    names_axis,
    tooltip,
    unique_names,
    valid,
)
from showcause.views.words import number, percent

OPTIONS = ("target", "segment", "refit")
EXTRA = {"example": lambda artifact: distinct(artifact.table, "example")}


def draw(picture: Picture) -> Spec:
    rows = heads(picture)[:BARS]
    if not rows:
        return empty(picture, "No rule was found.")
    said = [text(picture, row) for row in rows]
    names = unique_names(said, 60)
    values = [_value(picture, row, *named) for row, *named in zip(rows, names, said, strict=True)]
    tips = tooltip(
        ("whole", "rule"), ("decision", "decides"), ("shown", "right"), ("bounds", "95 %"), ("cover", "covers")
    )
    scale = {"domain": [0, 1], "nice": False}
    x = column("value", title="how often it is right", axis={"tickCount": 5, "format": "%", "grid": True}, scale=scale)
    y = names_axis(names)
    y["axis"] = {**y["axis"], "labelLimit": 360}
    place = {"y": y, "x": x, "tooltip": tips}
    span = {"y": y, "x": column("low"), "x2": {"field": "high"}, "tooltip": tips}
    layers = [
        mark("rule", "interval", span, transform=valid("low")),
        mark("circle", "dot", place, transform=valid("value"), size=70),
    ]
    return dots(picture, names, layers, values, step=30)


def heads(picture: Picture) -> list[Row]:
    """The rules themselves, without their conditions: by order, else by example, else the widest first."""
    rows = [row for row in picture.rows if row.get("condition") is None]
    last = len(rows)
    return sorted(
        rows,
        key=lambda r: (
            last if r.get("order") is None else r["order"],
            -1 if r.get("example") is None else r["example"],
            -(r["coverage"] or 0.0) if r.get("example") is None else 0.0,
            r["rule"],
        ),
    )


def conditions(picture: Picture, head: Row, role: str = "present") -> list[str]:
    """A rule's conditions in the user's words."""
    words = picture.words
    of = [r for r in picture.rows if r["rule"] == head["rule"] and r.get("condition") is not None]
    found = [read(row) for row in of if (row.get("role") or "present") == role]
    return [c.phrase(words.label, words.amount, words.level) for c in found if c is not None]


def text(picture: Picture, head: Row) -> str:
    """A rule in the user's words; as stored where no parts stand behind it."""
    return JOIN.join(conditions(picture, head)) or head["text"] or "in every other case"


def _value(picture: Picture, row: Row, name: str, whole: str) -> dict[str, Any]:
    low, high = bounds({**row, "value": row["precision"]})
    known = low is not None and high is not None
    return {
        "name": name,
        "whole": whole,
        "value": row["precision"],
        "low": low,
        "high": high,
        "shown": "not stated" if row["precision"] is None else percent(row["precision"]),
        "bounds": f"{percent(low)} to {percent(high)}"
        if low is not None and high is not None and known
        else "not stated",
        "cover": "not stated" if row["coverage"] is None else percent(row["coverage"]),
        "decision": picture.words.target(row["decision"]) if row.get("decision") else number(row.get("prediction")),
    }
