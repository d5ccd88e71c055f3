"""Curves: lines with 95 % bands for numbers, dots with error bars for categories, faint lines for single rows.

The strip at the foot is darker where more rows are; points that few rows support are hollow.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from showcause.core.artifact import Artifact
from showcause.views.picture import (
    BARS,
    POINTS,
    Picture,
    Row,
    Spec,
    bounds,
    chart,
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

DIAGONAL = {"model/roc", "model/gain", "model/calibration", "segments/calibration"}
SHARES = DIAGONAL | {"model/precision_recall"}  # both axes run from nothing to all
STEPS = {"model/roc", "model/precision_recall", "model/gain"}  # a threshold a point; support adds up along the line
TOGETHER = ("feature",)  # without a choice, all features beside each other
FACETS = 12
COLOURS = 8
THIN = 0.01  # of all rows

AXES = {
    "model/roc": "true positive rate",
    "model/precision_recall": "precision",
    "model/gain": "share of positives found",
    "model/calibration": "observed",
    "segments/calibration": "observed",
    "model/residuals": "residual",
}


def options(artifact: Artifact) -> dict[str, list[Any]]:
    found = {name: distinct(artifact.table, name) for name in ("feature", "target", "by", "refit")}
    if not found["by"]:
        found["segment"] = distinct(artifact.table, "segment")
    return {name: values for name, values in found.items() if len(values) > 1}


def draw(picture: Picture) -> Spec:
    features = distinct(picture.table, "feature")
    if len(features) <= 1:
        return _one(picture, [row for row in picture.rows if row["value"] is not None])
    width = 250 if isinstance(picture.width, str) else max(160, (picture.width - 60) // 2)
    charts = []
    for feature in features[:FACETS]:
        one = Picture(picture.artifact, picture.words, {**picture.choice, "feature": feature}, width)
        drawn = _one(one, [row for row in one.rows if row["value"] is not None])
        charts.append({key: value for key, value in drawn.items() if key not in ("$schema", "autosize")})
    return {"$schema": chart(picture, [], 0, [])["$schema"], "concat": charts, "columns": 2}


def _one(picture: Picture, rows: list[Row]) -> Spec:
    if not rows:
        return empty(picture, "No curve could be computed.")
    places = [row["at"] for row in rows if row.get("at") is not None]
    feature = rows[0]["feature"]
    if picture.words.coded(feature, places) or not places:
        return _categories(picture, rows)
    return _lines(picture, rows)


def y_title(picture: Picture) -> str:
    space = str(picture.spec.get("space", ""))
    if picture.plain and picture.artifact.name.startswith("dependence/"):
        return picture.outcome
    folder, _, name = picture.artifact.name.partition("/")
    if (name in ("ale", "shap") and folder == "dependence") or picture.artifact.name == "refits/dependence":
        return f"effect ({short(space, 30)})"
    return AXES.get(picture.artifact.name) or (f"output ({short(space, 30)})" if space else "output")


def x_title(picture: Picture, feature: str) -> str:
    if picture.artifact.name == "model/residuals" and feature == "prediction":
        return "prediction"
    return picture.words.axis(feature)


def thin_limit(rows: list[Row]) -> float:
    """Fewer rows than this behind a point, and it is drawn hollow."""
    return max(5.0, THIN * sum(row.get("support") or 0 for row in rows))


def _value(picture: Picture, row: Row, thin: float, colour: str | None) -> dict[str, Any]:
    low, high = bounds(row)
    at = row["at"] if row.get("at") is not None else row.get("at_level")
    support = row.get("support")
    return {
        "at": row.get("at"),
        "place": picture.words.level(row["feature"], at),
        "value": row["value"],
        "shown": number(row["value"]),
        "low": low,
        "high": high,
        "bounds": "no error known" if low is None else f"{number(low)} to {number(high)}",
        "support": support,
        "rows": "not stated" if support is None else f"{support:,}",
        "thin": support is not None and support < thin,
        "colour": colour,
    }


def _colours(picture: Picture, rows: list[Row]) -> list[str | None]:
    """What tells several lines of one chart apart: the segment, where it was not chosen."""
    words = picture.words
    if "segment" in picture.choice or "segment" not in rows[0]:
        return [None] * len(rows)
    names = [words.segment(row.get("by"), row.get("level"), row.get("segment")) for row in rows]
    kept = list(dict.fromkeys(names))
    if len(kept) < 2:
        return [None] * len(rows)
    short_names = dict(zip(kept, unique_names(kept), strict=True))
    return [short_names[name] if name in kept[:COLOURS] else None for name in names]


def _lines(picture: Picture, rows: list[Row]) -> Spec:
    if any(row.get("example") is not None for row in rows):
        return _single_rows(picture, rows)
    colours = _colours(picture, rows)
    if any(colours):
        rows, colours = _both([(r, c) for r, c in zip(rows, colours, strict=True) if c is not None])
    thin = thin_limit(rows)
    values = [_value(picture, row, thin, colour) for row, colour in zip(rows, colours, strict=True)]
    placed = [value for value in values if value["at"] is not None]
    step = max(1, -(-len(placed) // POINTS))
    placed = placed[::step] + ([placed[-1]] if (len(placed) - 1) % step else [])
    missing = [value for value in values if value["at"] is None]
    x, y = _axes(picture, rows)
    tips = tooltip(("place", "at"), ("shown", "value"), ("bounds", "95 %"))
    tips += tooltip(("rows", "rows"))
    layers: list[Spec] = []
    places = [value["at"] for value in placed]
    if picture.artifact.name in DIAGONAL:
        low, high = (0.0, 1.0) if shares(picture, rows) else (min(places), max(places))
        ends = {"values": [{"at": end, "value": end} for end in (low, high)]}
        layers.append(mark("line", "reference", {"x": x, "y": y}, data=ends))
    elif picture.artifact.name == "model/residuals" or y_title(picture).startswith("effect"):
        layers.append(mark("rule", "reference", {"y": {"datum": 0}}))
    several = any(colours)
    hue = column("colour", "nominal", title=None, sort=None, legend={"columns": 2, "symbolType": "stroke"})
    tint = {"color": hue} if several else {}
    if not several and any(value["low"] is not None for value in placed):
        layers.append(mark("area", "band", {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}))
    layers.append(mark("line", "line" if not several else "several", {"x": x, "y": y, **tint}, strokeWidth=2))
    if len(placed) <= 60 and picture.artifact.name not in STEPS:
        where = {"x": x, "y": y, **tint, "tooltip": tips}
        layers.append(mark("circle", "dot", where, transform=only("thin", False), size=30, opacity=1))
        layers.append(mark("point", "thin", where, transform=only("thin", True), size=34))
    else:
        layers.append(mark("circle", "dot", {"x": x, "y": y, "tooltip": tips}, size=60, opacity=0))
    layers += _missing(missing, y)
    if picture.artifact.name not in STEPS:
        layers += _strip(x, placed)
    return chart(picture, layers, 240, placed)


def _both(pairs: list[tuple[Row, str | None]]) -> tuple[list[Row], list[str | None]]:
    return [row for row, _ in pairs], [colour for _, colour in pairs]


def shares(picture: Picture, rows: list[Row]) -> bool:
    """Both axes are shares; the calibration of a regression is in the target's unit."""
    return picture.artifact.name in SHARES and all(0 <= row[k] <= 1 for row in rows for k in ("at", "value"))


def _axes(picture: Picture, rows: list[Row]) -> tuple[Spec, Spec]:
    feature, full = rows[0]["feature"], shares(picture, rows)
    x = column("at", title=x_title(picture, feature), axis={"tickCount": 6, "grid": False}, scale={"zero": False})
    if full:
        x["scale"] = {"domain": [0, 1]}
    if (given := picture.words.format(feature)) is not None:
        x["axis"]["format"] = given
    y = column("value", title=y_title(picture), axis={"tickCount": 5, "grid": True}, scale={"zero": False})
    if full:
        y["scale"] = {"domain": [0, 1]}
    for axis in (x, y) if full and picture.plain else (y,) if picture.chances else ():
        axis["axis"]["format"] = ".0%"
    return x, y


def _missing(missing: list[dict[str, Any]], y: Spec) -> list[Spec]:
    """The value where the feature is missing: a dashed line of its own, since it has no place on the axis."""
    if not missing:
        return []
    data = {"values": missing[:1]}
    tips = tooltip(("shown", "value where missing"), ("bounds", "95 %"), ("rows", "rows"))
    words = {"y": y, "x": {"value": 4}, "text": {"value": "missing"}}
    return [
        mark("rule", "reference", {"y": y, "tooltip": tips}, data=data),
        mark("text", "quiet", words, data=data, align="left", dy=-6),
    ]


def _strip(x: Spec, placed: list[dict[str, Any]]) -> list[Spec]:
    """Ticks along the foot, darker where more rows are."""
    most = max((value["support"] or 0 for value in placed), default=0)
    if not most:
        return []
    shade = column("support", scale={"domain": [0, most], "range": [0.06, 0.7]}, legend=None)
    foot = {"x": x, "y": {"value": "height"}, "opacity": shade, "tooltip": tooltip(("rows", "rows"))}
    return [mark("tick", "strip", foot, orient="vertical", size=8, thickness=3, yOffset=-4)]


def _single_rows(picture: Picture, rows: list[Row]) -> Spec:
    """One faint line a row, and their mean."""
    examples = list(dict.fromkeys(row["example"] for row in rows))
    grid = max(1, len({row["at"] for row in rows}))
    each = max(10, POINTS // grid)
    picks = np.unique(np.linspace(0, len(examples) - 1, min(each, len(examples))).round().astype(int))
    kept = {examples[i] for i in picks}
    kept_rows = [row for row in rows if row["example"] in kept and row["at"] is not None]
    values = [{"at": row["at"], "value": float(f"{row['value']:.5g}"), "example": row["example"]} for row in kept_rows]
    x, y = _axes(picture, rows)
    tips = [*tooltip(("example", "row")), column("at", title="at"), column("value", title="value", format=".3~g")]
    mean = {**y, "aggregate": "mean"}
    layers = [
        mark("line", "faint", {"x": x, "y": y, "detail": column("example", "nominal"), "tooltip": tips}),
        mark("line", "line", {"x": x, "y": mean}, strokeWidth=2.5),
    ]
    return chart(picture, layers, 240, values)


def _categories(picture: Picture, rows: list[Row]) -> Spec:
    """Dots with error bars, a band a category; the categories with most rows where there are many."""
    single = any(row.get("example") is not None for row in rows)
    if single:
        rows = [row for row in rows if row["example"] in list(dict.fromkeys(r["example"] for r in rows))[:20]]
    order = sorted(_levels(picture, rows).items(), key=lambda item: -item[1])
    kept = [level for level, _ in order[:BARS]]
    if len(order) <= BARS:
        kept = list(_levels(picture, rows))
    thin = thin_limit(rows)
    values = [_value(picture, row, thin, None) for row in rows]
    values = [value for value in values if value["place"] in kept]
    names = dict(zip(kept, unique_names(kept), strict=True))
    for value in values:
        value["name"] = names[value["place"]]
    tips = tooltip(("place", "at"), ("shown", "value"), ("bounds", "95 %"))
    axis = names_axis(list(names.values()))
    x = column(
        "value", title=y_title(picture), axis={"tickCount": 5, "grid": True}, scale={"zero": False, "padding": 12}
    )
    if picture.chances:
        x["axis"]["format"] = ".0%"
    where = {"y": axis, "x": x, "tooltip": tips + tooltip(("rows", "rows"))}
    span = {"y": axis, "x": {**x, "field": "low"}, "x2": {"field": "high"}}
    layers = [
        mark("rule", "interval", span, transform=valid("low")),
        mark("circle", "dot", where, transform=only("thin", False), size=70, opacity=0.35 if single else 1),
        mark("point", "thin", where, transform=only("thin", True), size=60),
    ]
    if y_title(picture).startswith("effect"):
        layers.insert(0, mark("rule", "reference", {"x": {"datum": 0}}))
    title = {"text": x_title(picture, rows[0]["feature"])}
    return {**dots(picture, kept, layers, values, step=26), "title": title}


def _levels(picture: Picture, rows: list[Row]) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in rows:
        at = row["at"] if row.get("at") is not None else row.get("at_level")
        place = picture.words.level(row["feature"], at)
        found[place] = max(found.get(place, 0), row.get("support") or 0)
    return found
