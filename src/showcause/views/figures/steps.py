"""How one output comes about, step by step: as a force plot, or as a path of cumulative contributions."""

from __future__ import annotations

from typing import Any

from showcause.views.figures import attribution
from showcause.views.picture import (
    POINTS,
    Picture,
    Row,
    Spec,
    chart,
    column,
    dots,
    mark,
    names_axis,
    only,
    tooltip,
    unique_names,
)
from showcause.views.words import number, short

NAMED = 8  # features that have a name in a force plot
STEPS = 12  # features on a path
LINE = 0.62  # of a bar's height, between lines of the key


def _one(picture: Picture, row: Row) -> dict[str, Any]:
    name = f"{picture.words.label(row['feature'])} = {attribution.given_input(picture, row)}"
    return {"whole": name, "value": row["value"], "shown": attribution.signed(row["value"])}


def force(picture: Picture, rows: list[Row]) -> Spec:
    """One bar: what pushes up ends at the output from the left, what pushes down begins there, the largest next to it.

    Numbers on the bar are told below it; what is too small for a number stands together as "37 others".
    """
    order = sorted(rows, key=lambda row: (-abs(row["value"]), row["feature"]))
    base, output = order[0]["base"], order[0]["prediction"]
    named, rest = [_one(picture, row) for row in order[:NAMED]], order[NAMED:]
    end = output if output is not None else (base or 0.0) + sum(row["value"] for row in rows)
    segments: list[dict[str, Any]] = []
    for sign, part in ((1, "pushes up"), (-1, "pushes down")):
        at = end
        of = [(str(i + 1), step) for i, step in enumerate(named) if step["value"] * sign > 0]
        small = [row["value"] for row in rest if row["value"] * sign > 0]
        if small:
            total = sum(small)
            told = {"whole": f"{len(small)} others", "value": total, "shown": attribution.signed(total)}
            of.append(("", told))
        for label, step in of:
            segments.append({**step, "from": at - step["value"], "to": at, "label": label, "part": part})
            at -= step["value"]
    ends = [s[key] for s in segments for key in ("from", "to")] + [v for v in (base, end) if v is not None]
    low, span = min(ends), max(max(ends) - min(ends), 1e-12)
    for segment in segments:
        segment["label"] = segment["label"] if abs(segment["value"]) > 0.035 * span else ""
    key = _key(named, rest)
    height = 1.0 + LINE * (len(key) + 0.8)
    y = {"field": "y", "type": "quantitative", "axis": None, "scale": {"domain": [0, height], "reverse": True}}
    scale = {"domain": [low - 0.03 * span, low + 1.03 * span], "nice": False, "zero": False}
    axis = {"tickCount": 5, "orient": "top"}
    x = column("from", title=short(str(picture.spec.get("space", "output")), 40), scale=scale, axis=axis)
    tips = tooltip(("whole", "feature"), ("shown", "contribution"))
    values = [{**s, "y": 0.1, "y2": 0.9, "middle": (s["from"] + s["to"]) / 2, "half": 0.5} for s in segments]
    bar = {"x": x, "x2": {"field": "to"}, "y": y, "y2": {"field": "y2"}, "tooltip": tips}
    styles = {"pushes up": "rise", "pushes down": "fall"}
    layers = [mark("rect", s, bar, transform=only("part", p), stroke="transparent") for p, s in styles.items()]
    inside = {
        "x": column("middle", scale=scale, axis=axis),
        "y": {**y, "field": "half"},
        "text": column("label", "nominal"),
    }
    layers.append(mark("text", "inverse", inside))
    for style, stands in (("reference", base), ("zero", end)):
        if stands is not None:
            ruled = {"x": column("at", scale=scale, axis=axis), "y": y, "y2": {"field": "y2"}}
            layers.append(mark("rule", style, ruled, data={"values": [{"at": stands, "y": 0.0, "y2": 1.0}]}))
    lines = [{**line, "y": 1.0 + LINE * (i + 0.9)} for i, line in enumerate(key)]
    words = {"x": {"value": 0}, "y": y, "text": column("line", "nominal"), "tooltip": tips}
    layers.append(mark("text", "word", words, align="left", data={"values": lines}))
    return chart(picture, layers, 38 * height, values)


def _key(named: list[dict[str, Any]], rest: list[Row]) -> list[dict[str, Any]]:
    """The lines below the bar: number, feature and input, contribution."""
    lines = [{**s, "line": f"{i}  {short(s['whole'], 40)}: {s['shown']}"} for i, s in enumerate(named, 1)]
    if rest:
        total = sum(row["value"] for row in rest)
        shown = attribution.signed(total)
        lines.append({"whole": f"{len(rest)} others", "shown": shown, "line": f"–  {len(rest)} others: {shown}"})
    return lines


def path(picture: Picture, rows: list[Row]) -> Spec:
    """From the base at the bottom to the output at the top, one feature after the other, the largest last.

    Of one example with each step's contribution; without an example, a line for each, as many as there is room for.
    """
    order = list(picture.by_size.items())
    shown, rest = order[:STEPS], {feature for feature, _ in order[STEPS:]}
    heads = [picture.words.label(feature) for feature, _ in shown]
    last = [f"{len(rest)} others"] if rest else []
    names = unique_names([*heads, *last, "base"])
    by: dict[int, dict[str, Row]] = {}
    for row in rows:
        by.setdefault(row["example"], {})[row["feature"]] = row
    one = "example" in picture.choice
    examples = list(by)[: 1 if one else POINTS // len(names)]
    values: list[dict[str, Any]] = []
    for example in examples:
        values += _line(picture, by[example], [f for f, _ in shown], rest, names, example)
    spread = [v["at"] for v in values]
    low, span = min(spread), max(max(spread) - min(spread), 1e-12)
    room = 1.3 if one else 1.05
    scale = {"domain": [low - 0.05 * span, low + room * span], "nice": False, "zero": False}
    x = column("at", title=short(str(picture.spec.get("space", "output")), 40), scale=scale, axis={"tickCount": 5})
    y = names_axis(names)
    tips = tooltip(("whole", "feature"), ("shown", "contribution"), ("after", "output so far"), ("row", "row"))
    place = {"x": x, "y": y, "tooltip": tips}
    line = {"x": x, "y": y, "order": column("order"), "detail": column("row", "nominal")}
    layers = [mark("line", "line" if one else "faint", line)]
    if one:
        layers.append(mark("circle", "dot", place, size=44))
        word = {"y": y, "x": {"value": "width"}, "text": column("shown", "nominal")}
        layers.append(mark("text", "word", word, align="right"))
    else:
        layers.append(mark("circle", "plain", place, size=14))
    return dots(picture, names, layers, values, step=24)


def _line(
    picture: Picture, of: dict[str, Row], shown: list[str], rest: set[str], names: list[str], example: int
) -> list[dict[str, Any]]:
    """One example's places, from the top down."""
    base = next(iter(of.values()))["base"] or 0.0
    steps: list[tuple[str | int, float | None, str]] = [(0, None, "the output without knowing this case")]
    if rest:
        total = sum(row["value"] for feature, row in of.items() if feature in rest)
        steps.append((1, total, f"{len(rest)} others"))
    for feature in reversed(shown):  # a feature without a value for this row adds nothing
        if feature in of:
            step = _one(picture, of[feature])
            steps.append((feature, step["value"], step["whole"]))
    keys: list[str | int] = [*shown, *([1] if rest else []), 0]  # no feature is named by a number
    names_up = dict(zip(keys, names, strict=True))
    at, values = base, []
    for order, (key, value, whole) in enumerate(steps):
        at += value or 0.0
        values.append(
            {
                "name": names_up[key],
                "whole": whole,
                "at": at,
                "order": order,
                "shown": number(base) if value is None else attribution.signed(value),
                "after": number(at),
                "row": f"{example:,}",
            }
        )
    return values[::-1]
