"""Importance: horizontal bars with 95 % error bars, the largest first."""

from __future__ import annotations

from typing import Any

from showcause.views.picture import (
    BARS,
    PAIR,
    Picture,
    Row,
    Spec,
    bounds,
    column,
    dots,
    empty,
    mark,
    names_axis,
    only,
    tooltip,
    unique_names,
    valid,
)
from showcause.views.words import number, short

OPTIONS = ("target", "segment", "refit")
PLAIN_BARS = 10
STYLES = {"feature": "main", "group": "main", "member": "member", "pushes down": "fall", "pushes up": "rise"}


def ranked(rows: list[Row]) -> list[Row]:
    """Largest absolute value first; the members of a group follow their group's row."""
    heads = [row for row in rows if not member(row, rows)]
    order = sorted(heads, key=lambda row: -weight(row))
    found = []
    for row in order:
        found.append(row)
        if row.get("group"):
            members = [m for m in rows if m is not row and m.get("group") == row["group"] and member(m, rows)]
            found += sorted(members, key=lambda m: -abs(m["value"] or 0.0))
    return found


def weight(row: Row) -> float:
    """How much a row counts: a coefficient only says something together with the scale of its column."""
    scale = row.get("scale")
    return abs(row["value"] or 0.0) * (1.0 if scale is None else abs(scale))


def is_group(row: Row) -> bool:
    """The row of a group itself, whose feature is the group's name."""
    return bool(row.get("group")) and row["feature"] == row["group"]


def member(row: Row, rows: list[Row]) -> bool:
    """A member whose group has a row of its own."""
    group = row.get("group")
    return bool(group) and not is_group(row) and any(is_group(other) and other["group"] == group for other in rows)


def draw(picture: Picture) -> Spec:
    rows = ranked([row for row in picture.rows if row["value"] is not None])
    if not rows:
        return empty(picture, "No importance could be computed.")
    shown = rows[: PLAIN_BARS if picture.plain else BARS]
    names = unique_names([_name(picture, row, rows) for row in shown])
    signed = any(row["value"] < 0 and "term" in row for row in shown)
    values = [_value(picture, row, name, signed, member(row, rows)) for row, name in zip(shown, names, strict=True)]
    title = axis_title(picture)
    tips = tooltip(
        ("whole", "feature"), ("shown", "value"), ("bounds", "95 %"), ("rank", "rank"), ("noise", "error over")
    )
    y = names_axis(names)
    bar = {"y": y, "x": column("value", title=title, axis={"tickCount": 6}), "tooltip": tips}
    interval = {"y": y, "x": column("low", title=title), "x2": {"field": "high"}}
    layers = [
        mark("bar", STYLES[part], bar, transform=only("part", part), height={"band": 0.68}, cornerRadiusEnd=2)
        for part in dict.fromkeys(value["part"] for value in values)
    ]
    layers.append(mark("rule", "interval", interval, transform=valid("low")))
    layers.append(mark("rule", "zero", {"x": {"datum": 0}}))
    return dots(picture, names, layers, values)


def _name(picture: Picture, row: Row, rows: list[Row]) -> str:
    if is_group(row):
        parts = [picture.words.label(part) for part in row["group"].split(" + ")]
        return " + ".join(parts) if len(parts) < 3 else f"{short(parts[0], 24)} + {len(parts) - 1} others"
    return ("· " if member(row, rows) else "") + picture.name(row, PAIR)


def _value(picture: Picture, row: Row, name: str, signed: bool, inside: bool) -> dict[str, Any]:
    low, high = bounds(row)
    part = ("pushes down" if row["value"] < 0 else "pushes up") if signed else ("member" if inside else "feature")
    known = low is not None and high is not None
    rank = row.get("rank_low")
    return {
        "name": name,
        "whole": picture.name(row),
        "value": row["value"],
        "shown": number(row["value"]),
        "low": low,
        "high": high,
        "bounds": f"{number(low)} to {number(high)}" if known else "no error known",
        "noise": row.get("noise") or "not stated",
        "rank": "not computed"
        if rank is None
        else f"{rank} to {row['rank_high']}"
        if row["rank_high"] != rank
        else str(rank),
        "part": part,
    }


def axis_title(picture: Picture) -> str:
    spec = picture.spec
    if picture.plain:
        return "how much it matters"
    space = short(str(spec.get("space", "")), 40)
    if "term" in picture.artifact.table.column_names:
        return f"coefficient ({space})"
    if spec.get("loss"):
        return f"increase in {short(str(spec['loss']), 40)}"
    return f"importance ({space})" if space else "importance"
