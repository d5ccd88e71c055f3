"""SC012: see `monotone`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from showcause.core.artifact import Artifact
from showcause.core.finding import Evidence
from showcause.core.kinds import COMMON_KEY
from showcause.policy.check import Said, check
from showcause.policy.facts import Facts
from showcause.policy.numbers import Row, Undecided, artifact_of, bounds, rows, unseen

CURVE = ("feature", "example", *COMMON_KEY)  # what tells one curve of a table from another


@check("SC012", "Curves do not turn round")
def monotone(facts: Facts) -> Iterator[Said]:
    """Each `[limits.NAME]` with `monotone`: no place of the curve lies further below (increasing) or above (decreasing)
    an earlier one than `tolerance`, in the curve's own units.

    The whole way counts, not single steps: many small steps the wrong way add up. With side = "low" (of the doubt) only
    a fall that is larger than both places' errors counts; with "high" or "worst" one that their errors leave possible;
    default: the values. Missing values stand apart, and levels of a category have no order, which is can't-tell.
    """
    if facts.snapshot is None:
        return
    for name, limit in facts.policy.limits.items():
        if "monotone" in limit:
            yield _one(facts, name, limit)


def _one(facts: Facts, name: str, limit: Mapping[str, Any]) -> Said:
    snapshot = facts.snapshot
    assert snapshot is not None
    how: dict[str, Any] = {"severity": limit.get("severity"), "doubt": limit.get("cant_tell")}
    sign = 1.0 if limit["monotone"] == "increasing" else -1.0
    tolerance, side = float(limit.get("tolerance", 0.0)), str(limit.get("side", "value"))
    try:
        artifact = artifact_of(snapshot, limit["artifact"])
        if outside := unseen(snapshot, limit.get("where", {})):
            return Said("not-applicable", name, f"the model never sees {outside}", **how)
        curves = _curves(artifact, limit.get("where", {}))
        falls = [(_fall(curve, sign, side), curve) for curve in curves]
    except Undecided as why:
        return Said("cant-tell", name, str(why), **how)
    (size, start, end), curve = max(falls, key=lambda fall: fall[0][0])
    who = ", ".join(str(curve[0][column]) for column in CURVE if curve[0].get(column) is not None)
    evidence = tuple(_evidence(artifact, row) for row in (start, end))
    if size > tolerance:
        turned = f"from {start['at']:.6g} to {end['at']:.6g} it goes {size:.4g} the other way"
        said = f"{who} must be {limit['monotone']}; {turned} (allowed: {tolerance:g})"
        return Said("not-met", name, said, evidence, **how)
    return Said("met", name, f"{who} is {limit['monotone']} at {len(curve)} places (allowed: {tolerance:g})", **how)


def _curves(artifact: Artifact, where: Mapping[str, Any]) -> list[list[Row]]:
    """Each curve's rows with a number, in the order of `at`. Raises Undecided for less than two places."""
    if artifact.kind != "curve":
        raise Undecided(f"{artifact.name} is of kind {artifact.kind}; only a curve can be monotone")
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows(artifact, where):
        if row.get("at_level") is not None:
            raise Undecided(f"{row['feature']} has levels ({row['at_level']!r}, …), which have no order")
        if row.get("at") is not None:
            if row["value"] is None:
                raise Undecided(f"{row['feature']} has no value at {row['at']:.6g}: {row.get('note')}")
            found.setdefault(tuple(row.get(column) for column in CURVE), []).append(row)
    curves = [sorted(curve, key=lambda row: row["at"]) for curve in found.values()]
    if not curves or any(len(curve) < 2 for curve in curves):
        raise Undecided(f"{artifact.name} has a curve with less than two places, which cannot turn round")
    return curves


def _fall(curve: list[Row], sign: float, side: str) -> tuple[float, Row, Row]:
    """(size, from, to) of the largest fall of sign * value from an earlier to a later place."""

    def ends(row: Row) -> tuple[float, float]:
        value, low, high = bounds(row, "value")
        assert value is not None
        low, high = (value if low is None else low), (value if high is None else high)
        return (low, high) if sign > 0 else (-high, -low)

    best = (float("-inf"), curve[0], curve[0])
    top, top_row = float("-inf"), curve[0]
    for row in curve:
        low, high = ends(row)
        value = sign * row["value"]
        here, there = {"value": (value, value), "low": (high, low)}.get(side, (low, high))
        if top - here > best[0]:
            best = (top - here, top_row, row)
        if there > top:
            top, top_row = there, row
    return best


def _evidence(artifact: Artifact, row: Row) -> Evidence:
    key = {name: row[name] for name in (*CURVE, "at") if row.get(name) is not None}
    return Evidence(artifact.name, artifact.digest, key, "value", *bounds(row, "value"))
