"""Neighbours: the rows behind one case, a band each, coloured by how they relate to it; without a case, those that
concern all rows together."""

from __future__ import annotations

from typing import Any

from showcause.core.artifact import Artifact
from showcause.views.picture import (
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
from showcause.views.words import number, short

TOGETHER = ("example",)
SHOWN = 24  # rows drawn


def options(artifact: Artifact) -> dict[str, list[Any]]:
    found = {name: distinct(artifact.table, name) for name in ("target", "example")}
    return {name: values for name, values in found.items() if len(values) > 1 or (name == "example" and values)}


def shown(picture: Picture) -> list[Row]:
    """The rows of the case chosen, in the order of their ranks; without a case those about all rows together, or else
    every case's own."""
    rows = [row for row in picture.rows if row["value"] is not None]
    if "example" not in picture.choice:
        rows = [row for row in rows if row["example"] is None] or rows
    return sorted(rows, key=lambda row: (-1 if row["example"] is None else row["example"], row["rank"]))


def draw(picture: Picture) -> Spec:
    rows = shown(picture)[:SHOWN]
    if not rows:
        return empty(picture, "No other row stands behind it.")
    several = len({row["example"] for row in rows}) > 1
    texts = [place(row) if not several else f"{row['example']:,} ← {place(row)}" for row in rows]
    names = unique_names(texts)
    values = [
        {
            "name": name,
            "whole": text,
            "value": row["value"],
            "shown": number(row["value"]),
            "relation": short(row["relation"], 40),
            "said": row["relation"],
            "label": outcome(picture, row),
            "decision": "none" if row.get("decision") is None else picture.words.target(row["decision"]),
            "prediction": "none" if row.get("prediction") is None else number(row["prediction"]),
        }
        for name, text, row in zip(names, texts, rows, strict=True)
    ]
    tips = tooltip(
        ("whole", "row"), ("said", "relation"), ("shown", "value"), ("label", "came out"),
        ("prediction", "prediction"), ("decision", "decided"),
    )  # fmt: skip
    relations = list(dict.fromkeys(value["relation"] for value in values))
    y = names_axis(names)
    x = column("value", title=short(str(picture.spec.get("value") or "value"), 60), axis={"tickCount": 6})
    colour = column("relation", "nominal", title=None, scale={"domain": relations}, sort=None)
    encoding: Spec = {"y": y, "x": x, "tooltip": tips}
    if len(relations) > 1:
        encoding["color"] = colour
    layers = [
        mark("bar", "plain" if len(relations) > 1 else "main", encoding, height={"band": 0.55}),
        mark("rule", "zero", {"x": {"datum": 0}}),
    ]
    return dots(picture, names, layers, values, step=24)


def place(row: Row) -> str:
    """Where the row stands: "training row 12"."""
    where = {"train": "training row", "explained": "row"}.get(row["source"], f"{row['source']} row")
    return f"{where} {row['row']:,}"


def outcome(picture: Picture, row: Row) -> str:
    """What came out for the row: its label in words, or its number."""
    if row.get("label") is not None:
        return picture.words.target(row["label"])
    return "not known" if row.get("actual") is None else number(row["actual"])
