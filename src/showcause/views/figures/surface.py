"""Surfaces: a heat map over two features, one pair at a time."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from showcause.core.artifact import Artifact
from showcause.views.picture import POINTS, Picture, Spec, chart, column, distinct, empty, mark, tooltip
from showcause.views.words import number, short

SIDE = 22  # cells along one axis: 22 × 22 is under POINTS


def options(artifact: Artifact) -> dict[str, list[Any]]:
    found = {name: distinct(artifact.table, name) for name in ("feature", "feature_b", "target", "segment")}
    return {name: values for name, values in found.items() if len(values) > 1}


def draw(picture: Picture) -> Spec:
    rows = [row for row in picture.rows if row["value"] is not None]
    if not rows:
        return empty(picture, "This pair was not computed.")
    first, second = rows[0]["feature"], rows[0]["feature_b"]
    rows = [row for row in rows if (row["feature"], row["feature_b"]) == (first, second)]
    across = _places(rows, "at", "at_level")
    down = _places(rows, "at_b", "at_level_b")
    values = []
    for row in rows:
        x, y = _place(row, "at", "at_level"), _place(row, "at_b", "at_level_b")
        if x in across and y in down:
            values.append(
                {
                    "x": picture.words.level(first, x),
                    "y": picture.words.level(second, y),
                    "value": row["value"],
                    "shown": number(row["value"]),
                    "rows": "not stated" if row.get("support") is None else f"{row['support']:,}",
                }
            )
    words = picture.words
    tips = tooltip(("x", "across"), ("y", "up"), ("shown", "value"), ("rows", "rows"))
    encoding = {
        "x": _axis("x", words.axis(first), [words.level(first, v) for v in across]),
        "y": _axis("y", words.axis(second), [words.level(second, v) for v in reversed(down)]),
        "fill": column("value", title=short(str(picture.spec.get("space", "output")), 40), scale={"range": "heatmap"}),
        "tooltip": tips,
    }
    return chart(picture, [mark("rect", "cell", encoding)], min(320, max(90, 24 * len(down))), values[:POINTS])


def _axis(name: str, title: str, domain: list[str]) -> Spec:
    axis = {"labelAngle": 0, "labelLimit": 120, "labelOverlap": True, "grid": False}
    return column(name, "ordinal", title=title, sort=None, scale={"domain": list(dict.fromkeys(domain))}, axis=axis)


def _place(row: dict[str, Any], number_name: str, level_name: str) -> Any:
    value = row.get(number_name)
    return value if value is not None else row.get(level_name)


def _places(rows: list[dict[str, Any]], number_name: str, level_name: str) -> list[Any]:
    """The axis' places: numbers ascending, then levels in order of appearance, missing last; thinned evenly."""
    seen = list(dict.fromkeys(_place(row, number_name, level_name) for row in rows))
    numbers = sorted(v for v in seen if isinstance(v, float))
    rest = [v for v in seen if isinstance(v, str)] + [v for v in seen if v is None]
    places = [*numbers, *rest]
    step = max(1, -(-len(places) // SIDE))
    return places[::step]


def pairs(table: pa.Table) -> int:
    """How many pairs of features the table holds."""
    return int(pc.count_distinct(pc.binary_join_element_wise(table["feature"], table["feature_b"], "\x1f")).as_py())
