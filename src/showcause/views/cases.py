"""One case on a page: what stands behind its decision, as tables and cards of words. Pages place them where they like.

Each function gives plain text for templates that escape it, or None where the snapshot has nothing of the case. A table
is {"caption", "head", "rows", "numeric", "note"}; a cell is {"text", "whole"}: shortened, and as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from showcause.core.artifact import Artifact
from showcause.views.figures import counterfactual as changed
from showcause.views.figures import neighbour as near
from showcause.views.figures import rule as rules
from showcause.views.figures.tree import question
from showcause.views.picture import Picture, Row
from showcause.views.words import Words, clean, number, percent, short

Table = dict[str, Any]
NAME = 40  # characters of a cell; the whole stands in its tooltip
ROWS = 10
FEW = 5  # neighbours are said as numbers of this many at least, where nobody's row may show
CAPTIONS = {
    "like": "Decided like this",
    "unlike": "Nearly the same, decided otherwise",
    "supports": "Training rows that speak for it",
    "opposes": "Training rows that speak against it",
    "raises": "Training rows that pull it up",
    "lowers": "Training rows that pull it down",
}


def picture_of(artifact: Artifact, example: int) -> Picture:
    return Picture(artifact, Words.of(artifact.dictionary), {"example": str(example)})


def neighbours(artifact: Artifact, example: int) -> list[Table]:
    """A table for each relation to the case: where the row stands, what came out, what was decided, and its value."""
    picture = picture_of(artifact, example)
    found: list[Table] = []
    rows = near.shown(picture)
    for relation in dict.fromkeys(row["relation"] for row in rows):
        of = [row for row in rows if row["relation"] == relation]
        body = [_neighbour(picture, row) for row in of[:ROWS]]
        means = artifact.spec.get("relations", {})
        said = str(means.get(relation, "")) if isinstance(means, Mapping) else ""
        note = f"{said[:1].upper()}{said[1:]}. Value: {artifact.spec.get('value', '')}."
        head = ["row", "came out", "decided", "prediction", "value"]
        found.append(_table(CAPTIONS.get(relation, relation), head, body, [False, False, False, True, True], note))
    return found


def _neighbour(picture: Picture, row: Row) -> list[str]:
    decided = "" if row.get("decision") is None else picture.words.target(row["decision"])
    prediction = "" if row.get("prediction") is None else number(row["prediction"])
    return [near.place(row), near.outcome(picture, row), decided, prediction, number(row["value"])]


def aggregate(artifact: Artifact, example: int) -> str | None:
    """One sentence without anybody's row: how the nearest cases came out; None for fewer than FEW of them."""
    picture = picture_of(artifact, example)
    rows = [row for row in near.shown(picture) if row["relation"] == "like" and row.get("label") is not None]
    if len(rows) < FEW:
        return None
    labels = [picture.words.target(row["label"]) for row in rows]
    most = max(dict.fromkeys(labels), key=labels.count)
    return str(
        clean(f"Of the {len(rows)} most similar past cases, {labels.count(most)} came out as {short(most, 60)}.")
    )


def counterfactuals(artifacts: Sequence[Artifact], example: int) -> list[Table]:
    """A table for each alternative: feature, what it is, what it would be; the outcome then in the note. One that
    several methods found stands once, as the one tells it that knows most."""
    ways: dict[frozenset[tuple[str, ...]], tuple[list[list[str]], list[str]]] = {}
    for artifact in artifacts:
        picture = picture_of(artifact, example)
        rows = changed.changes(picture.rows)
        for alternative in dict.fromkeys(row["alternative"] for row in rows):
            of = [row for row in rows if row["alternative"] == alternative]
            body = [
                [picture.words.axis(r["feature"]), changed.before(picture, r), changed.after(picture, r)] for r in of
            ]
            facts, same = _outcome(picture, of[0]), frozenset(map(tuple, body))
            if same not in ways or len(facts) > len(ways[same][1]):
                ways[same] = body, facts
    head = ["feature", "is", "would be"]
    return [
        _table(f"What would change it, way {count}", head, body, [False] * 3, f"{'; '.join(facts)}.")
        for count, (body, facts) in enumerate(ways.values(), 1)
    ]


def _outcome(picture: Picture, way: Row) -> list[str]:
    facts = [f"output then {number(way['prediction'])}"]
    if way.get("decision") is not None:
        facts.insert(0, f"decided then: {picture.words.target(way['decision'])}")
    if way.get("optimal") is not None:
        facts.append("no smaller change does" if way["optimal"] else "a smaller change may do")
    if way.get("agree") is not None and way.get("refits") is not None:
        facts.append(f"valid in {number(way['agree'])} of {number(way['refits'])} retrainings")
    return facts


def rule_cards(artifact: Artifact, example: int | None = None) -> list[dict[str, Any]]:
    """Of each rule (of the case): its conditions in words, what is absent, what it decides, how right it is."""
    chosen = {} if example is None else {"example": str(example)}
    picture = Picture(artifact, Words.of(artifact.dictionary), chosen)
    found = []
    for head in rules.heads(picture)[:ROWS]:
        conditions = rules.conditions(picture, head) or [rules.text(picture, head)]
        decides = number(head.get("prediction"))
        if head.get("decision") is not None:
            decides = picture.words.target(head["decision"])
        facts = []
        if head.get("proven"):
            facts.append("proven: no values of the other inputs change it")
        elif head["precision"] is not None:
            least = f", at least {percent(head['low'])} (95 %)" if head.get("low") is not None else ""
            facts.append(f"right in {percent(head['precision'])}{least}")
        if head["coverage"] is not None:
            facts.append(f"covers {percent(head['coverage'])} of the rows")
        absent = rules.conditions(picture, head, "absent")
        against = picture.words.target(head["contrast"]) if head.get("contrast") else ""
        parts = {"conditions": [_cell(c, 120) for c in conditions], "decides": decides, "facts": facts}
        found.append(clean({**parts, "absent": [_cell(c, 120) for c in absent], "against": against}))
    return found


def tree_path(artifact: Artifact, example: int, cells: Mapping[str, Any], output: float | None) -> list[Row] | None:
    """The questions that one row meets in a single tree, from the root to its leaf, with the answers.

    cells    feature → the row's own value (a number, or a level as text; None where missing)
    output   what the model says of the row: a path that ends elsewhere is not told

    None where a question cannot be answered from the cells: an encoded column, a missing value, an unknown category.
    """
    words = Words.of(artifact.dictionary)
    rows = artifact.table.to_pylist()
    if len({row.get("target") for row in rows}) > 1 or len({row.get("tree") for row in rows}) > 1:
        return None
    below: dict[Any, dict[str, Row]] = {}
    for row in rows:
        below.setdefault(row.get("parent"), {})[str(row.get("branch"))] = row
    at = next(iter(below.get(None, {}).values()), None)
    steps: list[Row] = []
    while at is not None and at.get("feature"):
        answer = _answer(at, cells)
        if answer is None or answer not in below.get(at["node"], {}):
            return None
        given = cells[at["feature"]]
        said = words.level(at["feature"], given)
        steps.append({"question": question(words, at), "answer": answer, "given": said, "output": number(at["value"])})
        at = below[at["node"]][answer]
    if at is None or at["value"] is None or output is None or abs(at["value"] - output) > 1e-9 * max(1.0, abs(output)):
        return None
    steps.append({"question": "", "answer": "", "given": "", "output": number(at["value"])})
    return list(clean(steps))


def _answer(node: Row, cells: Mapping[str, Any]) -> str | None:
    given = cells.get(node["feature"])
    if given is None or node.get("note"):
        return None
    if node.get("categories"):
        return "yes" if str(given) in node["categories"].split(" or ") else "no"
    if node.get("threshold") is None or isinstance(given, str):
        return None
    return "yes" if given <= node["threshold"] else "no"


def _table(caption: str, head: list[str], body: list[list[str]], numeric: list[bool], note: str) -> Table:
    rows = [[_cell(text, NAME) for text in line] for line in body]
    return dict(clean({"caption": caption, "head": head, "rows": rows, "numeric": numeric, "note": note}))


def _cell(text: str, limit: int) -> dict[str, str]:
    return {"text": short(text, limit), "whole": text}
