"""Before and after in one chart: dots a name for importance and scores, lines with bands for curves.

A spec holds no colour (see theme.py): the two sides take the first two of the palette's categories.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from showcause.core.diff import Change
from showcause.views.picture import SCHEMA, Spec, column, mark, names_axis, tooltip, unique_names, valid
from showcause.views.words import Words, number

BARS = 20
SIDES = ("before", "after")
Row = Mapping[str, Any]


def _hue(**more: Any) -> Spec:
    return column("side", "nominal", title=None, sort=None, scale={"domain": list(SIDES)}, **more)


def _layered(layers: Sequence[Spec], values: Sequence[Row], height: float) -> Spec:
    size = {"width": "container", "height": height, "autosize": {"type": "fit-x", "contains": "padding"}}
    return {"$schema": SCHEMA, **size, "data": {"values": list(values)}, "layer": list(layers)}


def dots(changes: Sequence[Change], names: Sequence[str], axis: str) -> Spec:
    """A line a change, at most BARS: both sides as dots. The bar around "before" is 1.96 standard errors of the
    difference wide on each side: within it lies what retraining (or other rows) would bring by chance."""
    shown = list(zip(changes, names, strict=True))[:BARS]
    short = unique_names([name for _, name in shown])
    values: list[dict[str, Any]] = []
    for (change, whole), name in zip(shown, short, strict=True):
        for side, given in zip(SIDES, (change.before, change.after), strict=True):
            if not isinstance(given, int | float):
                continue
            given = float(given)  # a document that was read holds 1 for 1.0
            spread = None if side == "after" or change.error is None else 1.96 * change.error
            values.append(
                {
                    "name": name,
                    "whole": whole,
                    "side": side,
                    "value": given,
                    "shown": number(given),
                    "low": None if spread is None else given - spread,
                    "high": None if spread is None else given + spread,
                    "verdict": change.verdict,
                    "over": change.noise or "not known",
                }
            )
    y = names_axis(short)
    x = column("value", title=axis, axis={"tickCount": 6, "grid": True}, scale={"zero": False, "padding": 12})
    tips = tooltip(
        ("whole", "what"), ("side", "side"), ("shown", "value"), ("verdict", "verdict"), ("over", "error over")
    )
    layers = [
        mark("rule", "interval", {"y": y, "x": {**x, "field": "low"}, "x2": {"field": "high"}}, transform=valid("low")),
        mark("circle", "dot", {"y": y, "x": x, "color": _hue(legend={}), "tooltip": tips}, size=90, opacity=1),
    ]
    layers = [layer for layer in layers if "transform" not in layer or any(v["low"] is not None for v in values)]
    return _layered(layers, values, 24 * max(1.6, len(short)))


def curves(rows: Sequence[Row], words: Words, axis: str) -> Spec:
    """Both curves of one feature with their bands; categories as dots with error bars."""
    feature = str(rows[0]["feature"])
    numbers = [row for row in rows if row["at"] is not None]
    if not numbers or words.coded(feature, sorted({float(row["at"]) for row in numbers})):
        return _levels(rows, words, feature, axis)
    values = [_value(row, words) for row in sorted(numbers, key=lambda row: (row["side"] != "before", row["at"]))]
    x = column("at", title=words.axis(feature), axis={"tickCount": 6, "grid": False}, scale={"zero": False})
    y = column("value", title=axis, axis={"tickCount": 5, "grid": True}, scale={"zero": False})
    tips = tooltip(("side", "side"), ("place", "at"), ("shown", "value"), ("bounds", "95 %"), ("over", "error over"))
    band = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": _hue(legend={"symbolType": "stroke"})}
    layers = [
        *([mark("area", "plain", band, opacity=0.18, transform=valid("low"))] if _bounded(values) else []),
        mark("line", "several", {"x": x, "y": y, "color": _hue(legend={"symbolType": "stroke"})}, strokeWidth=2),
        mark("circle", "dot", {"x": x, "y": y, "tooltip": tips}, size=60, opacity=0),
        mark("rule", "reference", {"y": {"datum": 0}}),
    ]
    return _layered(layers, values, 240)


def _bounded(values: Sequence[Row]) -> bool:
    return any(value["low"] is not None for value in values)


def _value(row: Row, words: Words) -> dict[str, Any]:
    at = float(row["at"]) if row["at"] is not None else row["at_level"]
    number_at, here, low, high = (_float(row[name]) for name in ("at", "value", "low", "high"))
    return {
        "at": number_at,
        "place": words.level(str(row["feature"]), at),
        "side": row["side"],
        "value": here,
        "shown": number(here),
        "low": low,
        "high": high,
        "bounds": "no error known" if low is None else f"{number(low)} to {number(high)}",
        "over": row["noise"] or "not known",
    }


def _float(given: Any) -> float | None:
    return None if given is None else float(given)


def _levels(rows: Sequence[Row], words: Words, feature: str, axis: str) -> Spec:
    values = [_value(row, words) for row in rows]
    places = list(dict.fromkeys(value["place"] for value in values))[:BARS]
    names = dict(zip(places, unique_names(places), strict=True))
    values = [{**value, "name": names[value["place"]]} for value in values if value["place"] in names]
    y = {**names_axis(list(names.values()))}
    x = column("value", title=axis, axis={"tickCount": 5, "grid": True}, scale={"zero": False, "padding": 12})
    aside = {"yOffset": column("side", "nominal", sort=None, scale={"domain": list(SIDES)})}
    tips = tooltip(("side", "side"), ("place", "at"), ("shown", "value"), ("bounds", "95 %"), ("over", "error over"))
    span = {"y": y, **aside, "x": {**x, "field": "low"}, "x2": {"field": "high"}}
    layers = [
        *([mark("rule", "interval", span, transform=valid("low"))] if _bounded(values) else []),
        mark("circle", "dot", {"y": y, **aside, "x": x, "color": _hue(legend={}), "tooltip": tips}, size=80, opacity=1),
    ]
    drawn = _layered(layers, values, 34 * max(1.6, len(places)))
    return {**drawn, "title": {"text": words.axis(feature)}}
