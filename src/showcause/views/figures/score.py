"""Scores: dots with 95 % intervals, a tick at the reference. Metrics that run from 0 to 1 share one chart."""

from __future__ import annotations

from typing import Any

from showcause.core.artifact import Artifact
from showcause.views.picture import (
    BARS,
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
from showcause.views.words import metric, number

# On one scale from 0 to 1, the more the better.
SHARES = ("roc_auc", "average_precision", "accuracy", "balanced_accuracy", "precision", "recall", "f1", "mcc", "r2")
RATES = ("accuracy", "selection_rate", "true_positive_rate", "false_positive_rate", "base_rate", "r2")
COUNTS = ("true_positive", "false_positive", "true_negative", "false_negative")
TOGETHER_NAME = "between 0 and 1"
CONFUSION = "confusion"


def options(artifact: Artifact) -> dict[str, list[Any]]:
    """`metric` (or a group of metrics that share a scale), and the class."""
    metrics = distinct(artifact.table, "metric")
    if artifact.spec.get("limit"):
        return {}
    if artifact.name == "model/performance":
        grouped = [name for name in SHARES if name in metrics]
        confused = [name for name in metrics if is_confusion(name)]
        rest = [name for name in metrics if name not in confused]
        found = {"metric": [*[TOGETHER_NAME][: len(grouped)], *[CONFUSION][: len(confused)], *rest]}
    else:
        found = {"metric": [name for name in metrics if not is_confusion(name)]}
    found["target"] = distinct(artifact.table, "target") if artifact.name != "model/performance" else []
    return {name: values for name, values in found.items() if len(values) > 1}


def is_confusion(name: str) -> bool:
    return name.startswith("confusion ") or name in COUNTS


def draw(picture: Picture) -> Spec:
    wanted = picture.choice.get("metric")
    rows = _rows(picture, wanted)
    if picture.spec.get("limit"):
        return _held(picture, rows)
    if wanted == CONFUSION:
        return _matrix(picture, rows)
    if not any(row["value"] is not None for row in rows):
        return empty(picture, _why(rows))
    if picture.artifact.name == "model/performance":
        return _dots(picture, rows, by_metric=True)
    return _dots(picture, rows, by_metric=len({row["metric"] for row in rows}) > 1)


def _why(rows: list[Row]) -> str:
    notes = list(dict.fromkeys(str(row["note"]) for row in rows if row.get("note")))
    return notes[0] if notes else "Nothing was measured."


def _rows(picture: Picture, wanted: str | None) -> list[Row]:
    choice = {name: value for name, value in picture.choice.items() if name != "metric"}
    rows = Picture(picture.artifact, picture.words, choice).rows
    if wanted == TOGETHER_NAME:
        found = [row for row in rows if row["metric"] in SHARES]
        return [row for row in found if row.get("target") is None] or found  # single classes: one metric at a time
    if wanted == CONFUSION:
        return [row for row in rows if is_confusion(row["metric"]) and row.get("segment") in (None, "all")]
    return rows if wanted is None else [row for row in rows if row["metric"] == wanted]


def _name(picture: Picture, row: Row, by_metric: bool) -> str:
    target = row.get("target")
    suffix = f" · {picture.words.target(target)}" if target and "target" not in picture.choice else ""
    if by_metric:
        return metric(row["metric"], plain=picture.plain) + suffix
    return picture.words.segment(row.get("by"), row.get("level"), row.get("segment")) + suffix


def _dots(picture: Picture, rows: list[Row], *, by_metric: bool) -> Spec:
    rows = [row for row in rows if row["value"] is not None]
    wholes = list(dict.fromkeys(_name(picture, row, by_metric) for row in rows))[: 2 * BARS]
    names = dict(zip(wholes, unique_names(wholes), strict=True))
    rows = [row for row in rows if _name(picture, row, by_metric) in names]
    series = list(dict.fromkeys(_series(row, picture.plain) for row in rows)) if by_metric else [""]
    values = [_value(picture, row, names, by_metric) for row in rows]
    bounded = all(row["metric"] in SHARES and row["value"] >= 0 for row in rows)
    title = (
        ("share of cases" if picture.plain else TOGETHER_NAME)
        if bounded and by_metric
        else metric(rows[0]["metric"], plain=picture.plain)
    )
    x = column("value", title=title, axis={"tickCount": 6, "grid": True}, scale={"zero": False, "padding": 12})
    if picture.plain and rows[0]["metric"] in RATES:
        x["axis"] = {**x["axis"], "format": ".0%"}
    if by_metric and bounded:
        x["scale"] = {"domain": [0, 1]}
    tips = tooltip(("whole", "of"), ("series", "rows"), ("shown", "value"), ("bounds", "95 %"), ("base", "reference"))
    place: Spec = {"y": names_axis(list(names.values())), "tooltip": tips + tooltip(("count", "count"))}
    if len(series) > 1:
        place["yOffset"] = column("series", "nominal", scale={"domain": series, "padding": 0.4})
    hue = column("series", "nominal", title=None, scale={"domain": series}, legend={"symbolType": "circle"})
    tint = {"color": hue} if len(series) > 1 else {}
    span = {**place, "x": {**x, "field": "low"}, "x2": {"field": "high"}}
    layers = [
        mark("tick", "tick", {**place, "x": {**x, "field": "reference"}}, transform=valid("reference"), size=14),
        mark("rule", "interval", span, transform=valid("low")),
        mark("circle", "point" if tint else "dot", {**place, "x": x, **tint}, size=72, opacity=1),
    ]
    return dots(picture, list(names), layers, values, step=34 if len(series) > 1 else 24)


def _series(row: Row, plain: bool) -> str:
    names = ("new cases", "cases it learned from") if plain else ("rows explained", "training rows")
    segment = row.get("segment")
    return names[0] if segment in (None, "all") else names[1] if segment == "train" else str(segment)


def _value(picture: Picture, row: Row, names: dict[str, str], by_metric: bool) -> dict[str, Any]:
    low, high = bounds(row)
    whole = _name(picture, row, by_metric)
    return {
        "name": names[whole],
        "whole": whole,
        "series": _series(row, picture.plain) if by_metric else whole,
        "value": row["value"],
        "shown": number(row["value"]),
        "low": low,
        "high": high,
        "bounds": "no error known" if low is None else f"{number(low)} to {number(high)}",
        "reference": row.get("reference"),
        "base": number(row.get("reference")) if row.get("reference") is not None else "none",
        "count": "not stated" if row.get("count") is None else f"{row['count']:,}",
    }


def _held(picture: Picture, rows: list[Row]) -> Spec:
    """Checks, each as a multiple of the limit that it is held to, since their own scales differ by magnitudes."""
    least = picture.spec["limit"] == "at least"
    rows = [row for row in rows if row["value"] is not None and row.get("reference")]
    if not rows:
        return empty(picture, "No check could be made.")
    names = unique_names([metric(row["metric"]) for row in rows])
    values = []
    for row, name in zip(rows, names, strict=True):
        ratio = row["value"] / row["reference"]
        word = f"{number(row['value'])}, {picture.spec['limit']} {number(row['reference'])}"
        part = "held" if (ratio >= 1) == least or ratio == 1 else "broken"
        values.append(
            {"name": name, "whole": metric(row["metric"]), "ratio": min(ratio, 2.5), "word": word, "part": part}
        )
    y, tips = names_axis(names), tooltip(("whole", "check"), ("word", "value"), ("part", "limit"))
    scale = {"domain": [0, 6]}  # the right half is for the figures
    x = column("ratio", title="times its limit", scale=scale, axis={"values": [0, 1, 2], "grid": False})
    bar = {"y": y, "x": x, "tooltip": tips}
    layers = [
        mark("bar", "main", bar, transform=only("part", "held"), height={"band": 0.5}),
        mark("bar", "rise", bar, transform=only("part", "broken"), height={"band": 0.5}),
        mark("rule", "reference", {"x": {"datum": 1}}),
        mark("text", "word", {"y": y, "x": {"value": "width"}, "text": column("word", "nominal")}, align="right"),
    ]
    return dots(picture, names, layers, values, step=28)


def matrix(rows: list[Row]) -> dict[tuple[str, str], float]:
    """(actual, decided) → rows, from either way of writing a confusion matrix."""
    binary = {
        "true_positive": ("positive", "positive"),
        "false_positive": ("negative", "positive"),
        "true_negative": ("negative", "negative"),
        "false_negative": ("positive", "negative"),
    }
    cells = {}
    for row in rows:
        if row["metric"] in binary and row["value"] is not None:
            cells[binary[row["metric"]]] = row["value"]
        elif row["metric"].startswith("confusion ") and row["value"] is not None:
            actual, _, decided = row["metric"].removeprefix("confusion ").partition(" → ")
            cells[actual, decided] = row["value"]
    return cells


def _matrix(picture: Picture, rows: list[Row]) -> Spec:
    cells = matrix(rows)
    if not cells:
        return empty(picture, _why(rows))
    labels = list(dict.fromkeys(name for pair in cells for name in pair))[:BARS]
    totals = {actual: sum(v for (a, _), v in cells.items() if a == actual) for actual in labels}
    names = dict(zip(labels, unique_names(labels, 20), strict=True))
    values = [
        {
            "actual": names[actual],
            "decided": names[decided],
            "share": value / totals[actual] if totals[actual] else 0,
            "shown": number(value),
            "deep": bool(totals[actual] and value / totals[actual] > 0.45),
        }
        for (actual, decided), value in cells.items()
        if actual in labels and decided in labels
    ]
    axis = {"labelAngle": 0, "labelLimit": 110, "grid": False}
    scale = {"domain": list(names.values())}
    x = column("decided", "nominal", title="decided", sort=None, scale=scale, axis={**axis, "orient": "top"})
    y = column("actual", "nominal", title="actual", sort=None, scale=scale, axis=axis)
    tips = tooltip(("actual", "actual"), ("decided", "decided"), ("shown", "rows"))
    fill = column("share", scale={"domain": [0, 1], "range": "heatmap"}, legend=None)
    word = {"x": x, "y": y, "text": column("shown", "nominal")}
    layers = [
        mark("rect", "cell", {"x": x, "y": y, "fill": fill, "tooltip": tips}),
        mark("text", "word", word, transform=only("deep", False)),
        mark("text", "inverse", word, transform=only("deep", True)),
    ]
    return chart(picture, layers, max(22, 46 - 2 * len(labels)) * len(labels), values)
