"""Attribution: a beeswarm of all rows coloured by input, or one example's waterfall, force plot or path (steps.py)."""

from __future__ import annotations

from typing import Any

import numpy as np

from showcause.core.artifact import Artifact
from showcause.views.picture import (
    POINTS,
    Picture,
    Row,
    Spec,
    column,
    distinct,
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
SWARM = 10  # features in a beeswarm
STEPS = 9  # features in a waterfall
STACK = 7  # dots of one column that lie beside each other before they overlap

FORMS = ("waterfall", "force", "path")
EXTRA = {"example": lambda artifact: distinct(artifact.table, "example"), "form": lambda artifact: list(FORMS)}


def draw(picture: Picture) -> Spec:
    rows = picture.measured
    if not rows:
        return empty(picture, "No attribution could be computed.")
    form = picture.choice.get("form")
    if form == "path" or (form == "force" and "example" in picture.choice):
        from showcause.views.figures import steps

        return steps.path(picture, rows) if form == "path" else steps.force(picture, rows)
    return _waterfall(picture, rows) if "example" in picture.choice else _swarm(picture)


def _swarm(picture: Picture) -> Spec:
    features = list(picture.by_size.items())[:SWARM]
    names = unique_names([picture.words.label(feature) for feature, _ in features])
    each = POINTS // len(features)
    values: list[dict[str, Any]] = []
    span = max(max(r["value"] for _, f in features for r in f) - min(r["value"] for _, f in features for r in f), 1e-12)
    for name, (feature, of) in zip(names, features, strict=True):
        values += _points(picture, name, feature, of, each, span)
    title = contribution(picture)
    tips = tooltip(("whole", "feature"), ("input", "input"), ("shown", "contribution"), ("example", "row"))
    place = {
        "y": names_axis(names),
        "yOffset": column("offset", scale={"domain": [-1, 1]}),
        "x": column("value", title=title, axis={"tickCount": 6}),
        "tooltip": tips,
    }
    legend = {"title": "input", "values": [0, 1], "labelExpr": "datum.value ? 'high' : 'low'", "gradientLength": 90}
    shade = column("shade", scale={"domain": [0, 1], "range": "ramp"}, legend={**legend, "gradientThickness": 8})
    layers = [
        mark("circle", "plain", place, transform=only("shade", None), size=22, opacity=1),
        mark("circle", "point", {**place, "color": shade}, transform=valid("shade"), size=22, opacity=0.9),
        mark("rule", "zero", {"x": {"datum": 0}}),
    ]
    return dots(picture, names, layers, values, step=30)


def _points(picture: Picture, name: str, feature: str, of: list[Row], each: int, span: float) -> list[dict[str, Any]]:
    """Real rows at evenly spaced ranks of the value, so that few points show the whole distribution, ends included."""
    order = sorted(of, key=lambda row: (row["value"], row["example"]))
    picks = np.unique(np.linspace(0, len(order) - 1, min(each, len(order))).round().astype(int))
    shown = [order[i] for i in picks]
    numbers = np.sort([row["input"] for row in of if row.get("input") is not None])
    columns: dict[int, int] = {}
    values = []
    for row in shown:
        cell = round(row["value"] / span * 70)
        place = columns[cell] = columns.get(cell, -1) + 1
        side = (place + 1) // 2 * (1 if place % 2 else -1)
        given = row.get("input")
        shade = None
        if given is not None and numbers[-1] > numbers[0]:
            rank = (np.searchsorted(numbers, given) + np.searchsorted(numbers, given, "right")) / 2 / len(numbers)
            shade = round(float(rank), 3)
        values.append(
            {
                "name": name,
                "whole": picture.words.label(feature),
                "value": row["value"],
                "shown": signed(row["value"]),
                "input": given_input(picture, row),
                "example": f"{row['example']:,}",
                "shade": shade,
                "offset": max(-0.85, min(0.85, side / STACK)),
            }
        )
    return values


def given_input(picture: Picture, row: Row) -> str:
    """What the row's cell held, in words; tables without rows (privacy) do not know it."""
    if "input" not in row and "input_level" not in row:
        return "not stored"
    value = row.get("input") if row.get("input") is not None else row.get("input_level")
    return picture.words.level(row["feature"], value)


def signed(value: float) -> str:
    return ("+" if value > 0 else "") + number(value)


def contribution(picture: Picture) -> str:
    space = str(picture.spec.get("space", ""))
    return f"contribution ({short(space, 40)})" if space else "contribution"


def _waterfall(picture: Picture, rows: list[Row]) -> Spec:
    order = sorted(rows, key=lambda row: (-abs(row["value"]), row["feature"]))
    base, prediction = order[0]["base"], order[0]["prediction"]
    steps = [(_step_name(picture, row), row["value"]) for row in order[:STEPS]]
    rest = order[STEPS:]
    if rest:
        steps.append((f"{len(rest)} others", sum(row["value"] for row in rest)))
    names = unique_names([name for name, _ in steps], 36)
    values, at = [], base if base is not None else 0.0
    for name, (whole, value) in zip(names, steps, strict=True):
        part = "pushes up" if value > 0 else "pushes down"
        values.append(
            {"name": name, "whole": whole, "from": at, "to": at + value, "shown": signed(value), "part": part}
        )
        at += value
    marks = {"reference": base, "zero": prediction}
    ends = [value[key] for value in values for key in ("from", "to")] + [m for m in marks.values() if m is not None]
    low, span = min(ends), max(max(ends) - min(ends), 1e-12)
    # The figures stand in a column of their own on the right, where no bar or line can cross them.
    scale = {"domain": [low - 0.03 * span, low + 1.36 * span], "nice": False, "zero": False}
    y, tips = names_axis(names), tooltip(("whole", "feature"), ("shown", "contribution"))
    x = column("from", title=str(picture.spec.get("space", "output")), scale=scale, axis={"tickCount": 5})
    bar = {"y": y, "x": x, "x2": {"field": "to"}, "tooltip": tips}
    styles = {"pushes up": "rise", "pushes down": "fall"}
    layers = [mark("rule", style, {"x": {"datum": at}}) for style, at in marks.items() if at is not None]
    layers += [mark("bar", s, bar, transform=only("part", p), height={"band": 0.66}) for p, s in styles.items()]
    word = {"y": y, "x": {"value": "width"}, "text": column("shown", "nominal")}
    layers.append(mark("text", "word", word, align="right"))
    return dots(picture, names, layers, values, step=24)


def _step_name(picture: Picture, row: Row) -> str:
    return f"{picture.words.label(row['feature'])} = {given_input(picture, row)}"


def largest(artifact: Artifact, example: int) -> list[Row]:
    """The example's contributions, the largest first."""
    rows = [r for r in artifact.table.to_pylist() if r["example"] == example and r["value"] is not None]
    return sorted(rows, key=lambda row: (-abs(row["value"]), row["feature"]))
