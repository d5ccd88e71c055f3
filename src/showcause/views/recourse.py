"""What a person could change, from the counterfactuals that the snapshot holds for the case.

No alternative is said that touches a protected or immutable feature, or one that is not among the actionable ones: such
an alternative is left out as a whole, since the rest of it would not do. Numbers are said in two digits: an exact one
may be the value of somebody in the training data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from showcause.core.snapshot import Snapshot
from showcause.views.reasons import Wording

SOURCES = ("counterfactual/optimal", "counterfactual/nearest")
MOST = 3  # alternatives
CHANGES = 4  # in one alternative: more cannot be acted on, and come close to being somebody else's row


@dataclass(frozen=True)
class Advice:
    """`told`: one text for each alternative that is open to the person; `votes`: of how many retrained models how many
    agree with each, None where none were asked; `long`: some were left out because they change too much at once."""

    told: list[str]
    votes: list[tuple[int, int] | None]
    long: bool
    tables: list[list[tuple[str, str, str]]]  # (label, what it is, what it would be) of each change


def advice(snapshot: Snapshot, wording: Wording, example: int, favourable: str) -> Advice | None:
    """None where nothing was worked out for this row."""
    _ = wording.translate
    barred = forbidden(snapshot)
    asked, long, found = False, False, dict[str, tuple[int, int] | None]()
    tables: dict[str, list[tuple[str, str, str]]] = {}
    for name in SOURCES:
        artifact = snapshot.get(name)
        rows = [] if artifact is None else [r for r in artifact.table.to_pylist() if r["example"] == example]
        asked = asked or bool(rows)
        for number in dict.fromkeys(row["alternative"] for row in rows):
            changes = [row for row in rows if row["alternative"] == number and _changed(row)]
            if not changes or any(barred(row["feature"]) for row in changes):
                continue
            if any(row.get("decision") not in (None, favourable) for row in changes):
                continue
            if len(changes) > CHANGES:
                long = True
                continue
            parts = [_parts(wording, row) for row in changes]
            told = " ".join(_said(wording, *of) for of in parts)
            if len(changes) > 1:
                told = _("Together: {changes}").format(changes=told)
            first = changes[0]
            known = first.get("agree") is not None and first.get("refits")
            tables.setdefault(told, [(of["label"], of["before"], of["after"]) for of, _about in parts])
            found.setdefault(told, (first["agree"], first["refits"]) if known else None)
        if found:
            break
    return Advice(list(found)[:MOST], list(found.values())[:MOST], long, list(tables.values())) if asked else None


def forbidden(snapshot: Snapshot) -> Any:
    """feature → whether nobody may be told to change it."""
    data: Mapping[str, Any] = snapshot.manifest.data
    roles = data.get("roles", {})
    actionable = roles.get("actionable")
    barred = {*data.get("protected", ()), *roles.get("immutable", ())}
    return lambda feature: feature in barred or (actionable is not None and feature not in actionable)


def _changed(row: Mapping[str, Any]) -> bool:
    before = (row.get("before"), row.get("before_level"))
    after = (row.get("after"), row.get("after_level"))
    return after != before and after != (None, None)


def _said(wording: Wording, parts: Mapping[str, str], about: bool) -> str:
    _ = wording.translate
    if about:
        return _("{label}: about {after} instead of {before}.").format(**parts)
    return _("{label}: {after} instead of {before}.").format(**parts)


def _parts(wording: Wording, row: Mapping[str, Any]) -> tuple[dict[str, str], bool]:
    """What is told of one change, and whether its number was rounded."""
    feature, before, after = row["feature"], row.get("before"), row.get("after")
    rounded = after
    if after is not None and wording.kinds.get(feature) not in ("date", "timestamp", "bool"):
        rounded = outward(after, before)
    parts = {
        "label": wording.label(feature),
        "before": wording.quoted(feature, before, row.get("before_level")),
        "after": wording.quoted(feature, rounded, row.get("after_level")),
    }
    return parts, rounded != after


def outward(after: float, before: float | None) -> float:
    """To two digits, away from `before`: an exact value may be another person's own, and nobody's is said."""
    if after == 0 or not math.isfinite(after):
        return after
    step = 10.0 ** (math.floor(math.log10(abs(after))) - 1)
    up = before is None or after > before
    steps = after / step
    whole = math.ceil(steps - 1e-9) if up else math.floor(steps + 1e-9)
    return float(f"{whole * step:.12g}")
