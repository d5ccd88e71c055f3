"""Rows: a table of the first of them."""

from __future__ import annotations

from showcause.views.picture import Picture, Spec, chart, column, empty, mark
from showcause.views.words import number, short

OPTIONS = ("target", "segment")
SHOWN = 15
COLUMNS = 8


def draw(picture: Picture) -> Spec:
    table = picture.table.slice(0, SHOWN)
    names = [name for name in table.column_names if name != "row"][:COLUMNS]
    if not names or not table.num_rows:
        return empty(picture, "No rows are stored.")
    labels = {name: short(picture.words.label(name), 16) for name in names}
    values = [
        {"row": str(row["row"]), "column": f"{at}", "text": _cell(row[name])}
        for row in table.to_pylist()
        for at, name in enumerate(names)
    ]
    heads = [{"row": "row", "column": f"{at}", "text": labels[name]} for at, name in enumerate(names)]
    lines = ["row", *dict.fromkeys(value["row"] for value in values)]
    x = column("column", "nominal", axis=None, scale={"domain": [f"{at}" for at in range(len(names))]})
    y = column("row", "nominal", title=None, sort=None, scale={"domain": lines})
    word = mark("text", "word", {"x": x, "y": y, "text": column("text", "nominal")})
    return chart(picture, [word], 20 * len(lines), [*heads, *values])


def _cell(value: object) -> str:
    if isinstance(value, float):
        return number(value)
    return "missing" if value is None else short(str(value), 16)
