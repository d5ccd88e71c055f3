"""The engineer's page: everything the snapshot holds, what is wrong first."""

from __future__ import annotations

from typing import Any

import pyarrow.compute as pc

from showcause.core.artifact import Artifact
from showcause.views import cases
from showcause.views.narrative import NOISE
from showcause.views.page import EXAMPLES, INSIDE, SECTIONS, Card, Page, findings, limits, statuses
from showcause.views.words import number

NEIGHBOURS = ("examples/similar", "examples/influence")
FEATURE = "x."  # what data/rows puts before a feature's name


def content(page: Page) -> dict[str, Any]:
    sections = [section for section in (_section(page, *entry) for entry in SECTIONS) if section["cards"]]
    rest = _rest(page, {card.name for section in sections for card in section["cards"]})
    if rest:
        sections.append({"id": "further", "title": "Further evidence", "cards": rest})
    return {
        "sections": sections,
        "statuses": statuses(page.snapshot),
        "noise": NOISE["rows"],
        "findings": findings(page.snapshot),
        "limits": limits(page.snapshot),
        "provenance": page.provenance(),
        "columns": sorted(page.snapshot.manifest.data.get("columns", {}).items()),
    }


def _section(page: Page, key: str, heading: str, first: tuple[str, ...], folders: str) -> dict[str, Any]:
    names = [name for name in first if name in page.snapshot]
    names += [name for name in page.snapshot if name.partition("/")[0] in folders.split() and name not in names]
    if key == "performance":
        names = [name for name in names if name not in INSIDE and page.snapshot.head(name)["kind"] != "rows"]
    cards: list[Card] = []
    for name in names:
        artifact = page.artifact(name)
        if artifact is None:
            continue
        cards.append(page.card(artifact))
        if name == "examples/representative":
            cards += _cases(page, artifact)
    return {"id": key, "title": heading, "cards": cards}


def _cases(page: Page, chosen: Artifact) -> list[Card]:
    """The waterfall of each chosen example that has one."""
    source = next((n for n in ("attribution/tree_shap", "attribution/shapley") if n in page.snapshot), None)
    artifact = page.artifact(source) if source else None
    if artifact is None:
        return []
    stored = set(artifact.table["example"].to_pylist())
    targets = set(artifact.table["target"].to_pylist()) if "target" in artifact.table.column_names else set()
    cards: list[Card] = []
    seen: set[int] = set()
    for row in chosen.table.to_pylist():
        if row["example"] not in stored or row["example"] in seen or len(cards) == EXAMPLES:
            continue
        seen.add(row["example"])
        target = {"target": row["decision"]} if len(targets) > 1 and row.get("decision") in targets else {}
        name = row.get("id") or f"row {number(row['example'])}"
        heading = f"{row['role'][:1].upper()}{row['role'][1:]} · {name}"
        card = page.forms(artifact, f"case-{row['example']}", heading, example=row["example"], **target)
        words = page.words
        facts = [("actual", row.get("label") or row.get("actual")), ("decided", row.get("decision"))]
        known = [
            f"{fact} {number(v) if isinstance(v, float) else words.target(v)}" for fact, v in facts if v is not None
        ]
        card.remark = ", ".join(known)
        _behind(page, card, row["example"], row.get("prediction"))
        cards.append(card)
    return cards


def _behind(page: Page, card: Card, example: int, output: float | None) -> None:
    """What else the snapshot knows of the case: similar and influential rows, what would change it, what sufficed."""
    for name in NEIGHBOURS:
        artifact = page.artifact(name)
        card.tables += cases.neighbours(artifact, example) if artifact is not None else []
    found: dict[str, list[Artifact]] = {"counterfactual": [], "rule": []}
    for name in (n for n in page.snapshot if page.snapshot.head(n)["kind"] in found):
        artifact = page.artifact(name)
        if artifact is not None and "example" in artifact.table.column_names:
            found[artifact.kind].append(artifact)
    card.tables += cases.counterfactuals(found["counterfactual"], example)
    card.rules += [rule for artifact in found["rule"] for rule in cases.rule_cards(artifact, example)]
    tree, cells = page.artifact("model/tree"), page.artifact("data/rows")
    if tree is not None and cells is not None:
        row = cells.table.filter(pc.equal(cells.table["row"], example)).slice(0, 1).to_pylist()
        given = {name.removeprefix(FEATURE): value for name, value in row[0].items()} if row else {}
        card.path = cases.tree_path(tree, example, given, output) or []


def _rest(page: Page, shown: set[str]) -> list[Card]:
    found = []
    for name in page.snapshot:
        apart = name.startswith(("baseline/", "refits/"))  # for diffs; and told where they bear
        artifact = page.artifact(name) if name not in shown and not apart else None
        if artifact is not None:
            found.append(page.card(artifact))
    return found
