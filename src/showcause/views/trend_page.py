"""The history of a model as one self-contained HTML file: importance and performance over its versions."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from showcause.core.comparison import Point, Trend
from showcause.views.page import Card, rendered
from showcause.views.picture import SCHEMA, Spec, column, mark, only, tooltip, valid
from showcause.views.words import Words, metric, number

OVER = {"refits": "retrainings", "rows": "rows", "monte-carlo": "sampling"}


def report(trend: Trend, path: str | PathLike[str]) -> Path:
    """Write the page to `path` and return it."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(html(trend), encoding="utf-8", newline="\n")
    return target


def html(trend: Trend) -> str:
    """The page as text; the same history gives the same text."""
    feature = Words.of(trend.dictionary).label(trend.feature)
    what = metric(trend.metric)
    importance = [(p, p.importance, p.low, p.high, p.noise) for p in trend.points]
    scores = [(p, p.score, p.score_low, p.score_high, p.score_noise) for p in trend.points]
    charts: dict[str, Any] = {
        "importance": {
            "options": [],
            "specs": {"": {"spec": _chart(importance, "importance"), "say": [trend.headline]}},
        },
        "score": {"options": [], "specs": {"": {"spec": _chart(scores, "score"), "say": [f"{what} of each version."]}}},
    }
    cards = [
        Card("importance", trend.measure, f"Importance of {feature}", [trend.headline]),
        Card("score", "model/performance", what, [f"{what} of each version."]),
    ]
    lines = [_line(point) for point in trend.points]
    page = {"audience": "trend"}
    return rendered("trend.html", charts, page=page, trend=trend, feature=feature, what=what, cards=cards, lines=lines)


def _line(point: Point) -> dict[str, str]:
    def band(low: float | None, high: float | None, noise: str | None) -> str:
        return "" if low is None else f"{number(low)} to {number(high)} over {OVER.get(noise or '', 'rows')}"

    return {
        "ref": point.ref,
        "made_at": point.made_at,
        "importance": number(point.importance),
        "band": band(point.low, point.high, point.noise),
        "place": "–" if point.place is None else f"{point.place} of {point.of}",
        "score": number(point.score),
        "score_band": band(point.score_low, point.score_high, point.score_noise),
        "reason": point.reason,
    }


Series = list[tuple[Point, float | None, float | None, float | None, str | None]]


def _chart(series: Series, axis: str) -> Spec:
    """A line over versions with its 95 % band; a point that cannot be compared with the one before is hollow."""
    values = [
        {
            "version": p.version,
            "ref": p.ref,
            "value": float(value),  # a document that was read holds 1 for 1.0
            "shown": number(value),
            "low": None if low is None else float(low),
            "high": None if high is None else float(high),
            "bounds": "not known" if low is None else f"{number(low)} to {number(high)}",
            "over": OVER.get(noise or "", "not known"),
            "comparable": p.comparable,
            "why": p.reason or "yes",
        }
        for p, value, low, high, noise in series
        if value is not None
    ]
    x = column("version", title="version", axis={"tickMinStep": 1, "format": "d", "grid": False}, scale={"zero": False})
    y = column("value", title=axis, axis={"tickCount": 5, "grid": True}, scale={"zero": False})
    tips = tooltip(("ref", "version"), ("shown", "value"), ("bounds", "95 %"), ("over", "over"), ("why", "comparable"))
    where = {"x": x, "y": y, "tooltip": tips}
    span = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}
    layers = [
        mark("area", "band", span, transform=valid("low")),
        mark("rule", "interval", span, transform=valid("low")),
        mark("line", "line", {"x": x, "y": y}),
        mark("circle", "dot", where, transform=only("comparable", True), size=70, opacity=1),
        mark("point", "thin", where, transform=only("comparable", False), size=80),
    ]
    bounded = any(value["low"] is not None for value in values)
    kinds = {value["comparable"] for value in values}
    kept = [layers[0], layers[1]] if bounded else []
    kept += [layers[2], *([layers[3]] if True in kinds else []), *([layers[4]] if False in kinds else [])]
    size = {"width": "container", "height": 240, "autosize": {"type": "fit-x", "contains": "padding"}}
    return {"$schema": SCHEMA, **size, "data": {"values": values}, "layer": kept}
