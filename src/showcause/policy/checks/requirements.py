"""SC013: see `requirements`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from showcause.core.artifact import Artifact
from showcause.core.finding import Evidence
from showcause.core.snapshot import Snapshot
from showcause.policy.check import Said, check
from showcause.policy.facts import Facts


@check("SC013", "Every question that may be asked has its answer")
def requirements(facts: Facts) -> Iterator[Said]:
    """Each `[[requirement]]`: every artifact that it names is in the snapshot and answers with what it asks at least.

    Of alternatives ("a|b") the first that is there answers. An artifact that does not apply answers nothing, whatever
    its reason. `rows`, `explained`, `errors`, `features` and `by` say what an answer must have. Source: Huynh et al.,
    "Explainability-by-Design" (2022): requirements are analysed, designed into the system, and validated.
    """
    snapshot = facts.snapshot
    if snapshot is None:
        return
    for entry in facts.policy.requirement:
        how: dict[str, Any] = {"severity": entry.get("severity"), "doubt": entry.get("cant_tell")}
        lacks: list[str] = []
        evidence: list[Evidence] = []
        for wanted in entry["artifacts"]:
            problems, found = answer(snapshot, wanted, entry)
            lacks += problems
            evidence += found
        who = f"asked by the {entry['asked_by']}" + (f" {entry['when']}" if entry.get("when") else "")
        law = f" ({entry['law']})" if entry.get("law") else ""
        if lacks:
            yield Said("not-met", entry["question"], f"{who}{law}: {'; '.join(lacks)}", tuple(evidence), **how)
        else:
            names = ", ".join(item.artifact for item in evidence) or "inputs"
            yield Said("met", entry["question"], f"{who}{law}: answered by {names}", tuple(evidence), **how)


def answer(snapshot: Snapshot, wanted: str, entry: Mapping[str, Any]) -> tuple[list[str], list[Evidence]]:
    """What is missing from the answer, and what it rests on."""
    names = wanted.split("|")
    statuses = snapshot.manifest.statuses
    name = next((n for n in names if n in statuses and statuses[n].state == "ok"), None)
    if name is None:
        said = [f"{n} is {statuses[n]}" if n in statuses else f"the snapshot has no {n}" for n in names]
        return [" and ".join(said)], []
    if name.startswith("input/"):
        return [], []
    artifact = snapshot[name]
    return list(_lacks(snapshot, artifact, entry)), [Evidence(name, artifact.digest)]


def _lacks(snapshot: Snapshot, artifact: Artifact, entry: Mapping[str, Any]) -> Iterator[str]:
    table, name = artifact.table, artifact.name
    if (least := max(entry.get("rows", 1), 1)) > table.num_rows:
        yield f"{name} has {table.num_rows} rows, at least {least} are asked for"
    if least := entry.get("explained"):
        facts = artifact.spec.get("rows")
        count = facts.get("count") if isinstance(facts, Mapping) else None
        if count is None or count < least:
            yield f"{name} rests on {'an unknown number of' if count is None else count} rows, {least} are asked for"
    if entry.get("errors") and (unknown := _without_error(artifact)):
        yield f"{name} has {unknown} numbers without an error"
    if entry.get("features"):
        there = set(table["feature"].to_pylist()) if "feature" in table.column_names else set()
        if lost := [f for f in snapshot.manifest.data.get("order", ()) if f not in there]:
            yield f"{name} says nothing about {len(lost)} features: {', '.join(lost[:5])}"
    for by in entry.get("by", ()):
        told = [row for row in table.to_pylist() if row.get("by") == by and row.get("level") is not None]
        bare = sorted({str(row["level"]) for row in told if row.get("value") is None})
        if not told:
            yield f"{name} does not tell the levels of {by} apart"
        elif bare:
            yield f"{name} has no number for {by} = {', '.join(bare)}"


def _without_error(artifact: Artifact) -> int:
    """How many numbers stand in `value` without a bound or standard error beside them."""
    found = artifact.table.to_pylist()
    return sum(
        row.get("value") is not None
        and row.get("error") is None
        and (row.get("low") is None or row.get("high") is None)
        for row in found
    )
