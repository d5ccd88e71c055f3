"""What a table of neighbours says: in sentences here, as a table of one case's neighbours for the pages."""

from __future__ import annotations

from showcause.views.figures.neighbour import place, shown
from showcause.views.picture import Picture, Row
from showcause.views.sentence import Sentence, say

PLAIN = {"like": "decided alike", "unlike": "decided otherwise"}


def said(picture: Picture, plain: bool) -> list[Sentence]:
    """How many rows of each relation there are, what came out for them, and which comes first."""
    rows = shown(picture)
    if not rows:
        return []
    by: dict[str, list[Row]] = {}
    for row in rows:
        by.setdefault(row["relation"], []).append(row)
    if "example" not in picture.choice and rows[0]["example"] is not None:
        cases = len({row["example"] for row in rows})
        return [say("{n} rows stand behind {cases} cases.", n=len(rows), cases=cases)]
    found = []
    for relation, of in by.items():
        found.append(_group(picture, relation, of))
        if not plain:
            found.append(say("First: {name} ({value}).", name=place(of[0]), value=of[0]["value"]))
    return found


def _group(picture: Picture, relation: str, of: list[Row]) -> Sentence:
    """How many there are, and what most often came out for them."""
    said = PLAIN.get(relation, relation)
    labels = [picture.words.target(row["label"]) for row in of if row.get("label") is not None]
    if len(labels) < len(of):
        return say("{relation}: {n}.", relation=_upper(said), n=len(of))
    most = max(dict.fromkeys(labels), key=labels.count)
    template = "{relation}: {n}, of which {k} came out as {label}."
    return say(template, relation=_upper(said), n=len(of), k=labels.count(most), label=most)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
