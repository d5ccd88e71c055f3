"""What changed since the last version, and is it more than noise?"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

from showcause.core.diff import SECTIONS, Change, Diff, Scalar
from showcause.core.errors import InputError
from showcause.core.snapshot import Snapshot
from showcause.policy.policy import Policy
from showcause.store.store import Store
from showcause.verbs.differences import curves, flips, manifest, others, panels, tables
from showcause.verbs.differences.policy import findings
from showcause.verbs.differences.sides import NO_PANEL, Sides
from showcause.verbs.open import open as open_snapshot
from showcause.views.sentence import say

FIRST = 3  # flagged changes that the headline repeats
LIMIT = 3_000  # changes in a document; what is flagged comes first, and `cut` counts the rest
PARTS: tuple[Callable[[Sides], Iterator[Change]], ...] = (
    manifest.statuses,
    manifest.model,
    manifest.data,
    manifest.decision,
    tables.scores,
    tables.importance,
    curves.curves,
    flips.flips,
    others.others,
)


def diff(
    before: Snapshot | str | os.PathLike[str],
    after: Snapshot | str | os.PathLike[str],
    *,
    policy: Policy | str | os.PathLike[str] | Mapping[str, Any] | None = None,
    store: str | os.PathLike[str] | Store | None = None,
    on: str | date | None = None,
) -> Diff:
    """What changed from `before` to `after`: statuses, data, model, decision, performance, importance, curves, segments
    and fairness, outcomes that flipped.

    before, after   snapshots, or what `showcause.open` takes: "credit/6", "credit@champion", an exported folder or zip
    policy          showcause.toml, or the same as a mapping: findings that are new under it, and those that are gone
    store           where refs are looked up (default .showcause)
    on              the day that waivers are judged on (default: today, UTC)

    Each Change is "changed" (beyond retraining noise and margin), "unchanged" (equivalence shown), "inconclusive" or
    "not-comparable" (other rows, background, game or output space; the message says which). Verdicts on numbers need a
    panel of retrainings on both sides (explain with refits=K); without one they are inconclusive, with before, after
    and row-level error. The very same snapshot twice: no change at all. Changes stand in a reviewer's order.

    Raises NotFound, Corrupt, ParameterError where a ref cannot be opened, PolicyError.
    """
    sides = Sides(_opened(before, store), _opened(after, store))
    facts = [_identity(snapshot) for snapshot in (sides.before, sides.after)]
    if sides.before.id == sides.after.id:
        same = "Nothing changed: both are the same snapshot."
        return Diff(facts[0], facts[1], same, (), {"compared": False, "reason": "the snapshots are one"})
    found = [] if policy is None else list(findings(sides, policy, store, on))
    for part in PARTS:
        found += part(sides)
    ordered = sorted(found, key=_order)
    state = panels.state(sides)
    kept, cut = ordered[:LIMIT], max(0, len(ordered) - LIMIT)
    drawn, curves_cut = curves.drawn(sides, kept)
    flipped, flips_cut = flips.listed(sides)
    left = {name: n for name, n in (("changes", cut), ("curves", curves_cut), ("flips", flips_cut)) if n}
    charts = {"curves": tuple(drawn), "flips": tuple(flipped)}
    return Diff(
        facts[0], facts[1], _headline(kept, state, sides), tuple(kept), state, charts,
        sides.dictionary, left,
    )  # fmt: skip


def _opened(given: Snapshot | str | os.PathLike[str], store: Any) -> Snapshot:
    if isinstance(given, Snapshot):
        return given
    if not isinstance(given, str | os.PathLike):
        raise InputError(f"give a snapshot or a ref such as 'credit/7', got {type(given).__name__}")
    return open_snapshot(given, store=store)


def _identity(snapshot: Snapshot) -> dict[str, Scalar]:
    model, data = snapshot.manifest.model, snapshot.manifest.data
    return {
        "ref": snapshot.ref,
        "id": snapshot.id,
        "complete": snapshot.complete,
        "model": str(model.get("digest", "")),
        "family": model.get("family"),
        "task": model.get("task"),
        "rows": data.get("rows", {}).get("explained"),
    }


# What a reviewer must see first: what the policy refuses, what is missing, what the model is now given and asked;
# then what got worse for people, why (importance, curves), and what got better.
FLAGGED = ("policy", "failed", "model", "data", "decision", "statuses", "worse", "importance", "curves", "flips")
REST = ("policy", "statuses", "model", "data", "decision", "performance", "importance", "flips", "fairness", "curves")


def _order(change: Change) -> tuple[Any, ...]:
    """Flagged first, then refusals, facts, what could not be told, what did not change; the strongest first within a
    section, panels before single trainings, all rows before segments and training rows."""
    section = change.section
    if section == "statuses" and change.after in ("failed", "incomplete"):
        section = "failed"
    scored = section in ("performance", "fairness", "segments") and change.delta is not None
    if change.flag and scored and tables.worse(str(change.key.get("metric")), change.delta or 0.0):
        section = "worse"
    places = (*(FLAGGED if change.flag else REST), *SECTIONS)
    refused = change.verdict == "not-comparable"
    levels = {"changed": 2, "inconclusive": 3, "unchanged": 4, "not-comparable": 5}
    level = 1 if change.flag and refused else 0 if change.flag else levels[change.verdict]
    panel = 0 if change.noise == "refits" else 1
    part = {"all": 0, "train": 2}.get(change.key.get("segment") or "all", 1)
    part += change.key.get("target") is not None and section in ("performance", "worse")
    artifact = (tables.ORDER.index(change.artifact) if change.artifact in tables.ORDER else 99, change.artifact)
    return (level, places.index(section), panel, part, artifact, -_strength(change), _spelled(change))


def _strength(change: Change) -> float:
    """How much of a change: of importance its size, since all are in one unit; else in standard errors."""
    size = abs(change.delta or 0.0)
    if change.delta is None and isinstance(change.before or change.after, float):
        size = abs(float(change.before or change.after or 0.0))  # a column that is new, or gone
    if change.section == "importance" or not change.error:
        return size
    return size / change.error


def _spelled(change: Change) -> str:
    return "\x00".join(f"{name}={value}" for name, value in change.key.items())


def _headline(changes: list[Change], state: dict[str, Any], sides: Sides) -> str:
    """One paragraph: how much is flagged and the first of it, what could not be compared, what cannot be told."""
    flags = [change for change in changes if change.flag and change.verdict == "changed"]
    refused = [change for change in changes if change.flag and change.verdict == "not-comparable"]
    unsure = [change for change in changes if change.verdict == "inconclusive"]
    said = []
    if flags:
        said.append(say("{n} change{s} to look at.", n=len(flags), s="" if len(flags) == 1 else "s").text)
        said += [change.message for change in flags[:FIRST]]
    elif state["compared"]:
        said.append("Nothing changed beyond what retraining moves.")
    elif sides.same_model:
        said.append("The model is the same, and nothing that can be told has changed.")
    else:
        said.append("Among what can be told, nothing changed that needs a look.")
    if refused:
        template = "{n} could not be compared, first: {names}" if len(refused) > 1 else "{names}"
        said.append(say(template, n=len(refused), names=refused[0].message).text)
    if unsure and not state["compared"] and not sides.same_model:
        said += [change.message.removesuffix(f" {NO_PANEL}") for change in _leading(unsure)]
        template = "{n} difference{s} cannot be told from retraining noise: {names}."
        said.append(say(template, n=len(unsure), s="s" if len(unsure) > 1 else "", names=str(state["reason"])).text)
    return " ".join(said)


def _leading(unsure: list[Change]) -> list[Change]:
    """The main metric, and the importance that moved most."""
    whole = [c for c in unsure if c.section == "performance" and set(c.key) <= {"metric", "segment"}]
    whole = [c for c in whole if c.key.get("segment") in (None, "all")]
    scores = [c for name in tables.PRIMARY for c in whole if c.key.get("metric") == name]
    return [*scores[:1], *[c for c in unsure if c.section == "importance"][:1]]
