"""Examples: each chosen case at its prediction, a band for each role. The page adds the table and the waterfalls."""

from __future__ import annotations

from showcause.views.picture import Picture, Spec, column, dots, empty, mark, names_axis, tooltip, unique_names
from showcause.views.words import number

OPTIONS = ("target", "segment")


def draw(picture: Picture) -> Spec:
    rows = [row for row in picture.rows if row.get("prediction") is not None]
    if not rows:
        return empty(picture, "No prediction was stored with these cases.")
    roles = list(dict.fromkeys(row["role"] for row in rows))
    names = dict(zip(roles, unique_names(roles), strict=True))
    values = [
        {
            "name": names[row["role"]],
            "whole": row["role"],
            "value": row["prediction"],
            "shown": number(row["prediction"]),
            "row": row.get("id") or f"{row['example']:,}",
            "label": picture.words.target(row["label"]) if row.get("label") else number(row.get("actual")),
            "decision": picture.words.target(row["decision"]) if row.get("decision") else "none",
        }
        for row in rows
    ]
    tips = tooltip(
        ("row", "row"), ("whole", "role"), ("shown", "prediction"), ("label", "actual"), ("decision", "decided")
    )
    x = column("value", title="prediction", axis={"tickCount": 6, "grid": True}, scale={"zero": False, "padding": 12})
    layers = [
        mark("circle", "dot", {"y": names_axis(list(names.values())), "x": x, "tooltip": tips}, size=80, opacity=0.8)
    ]
    return dots(picture, roles, layers, values, step=30)
