"""SC011: see `limits`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from showcause.policy.check import Said, check
from showcause.policy.facts import Facts
from showcause.policy.numbers import Number, Undecided, artifact_of, held, numbers, unseen, words, worst

SHOWN = 20  # rows that an outcome names as its evidence
SIDES = {"value": "the value itself", "low": "its lower bound", "high": "its upper bound", "worst": "all of its error"}


@check("SC011", "Numbers lie within their limits")
def limits(facts: Facts) -> Iterator[Said]:
    """Each `[limits.NAME]` with `min` or `max`: every number that `where` selects lies within, on the stated `side` of
    its error.

    side = "value" leaves the error aside; "low" and "high" take that bound; "worst" takes the bound that is nearer to
    breaking the limit, so that the limit is shown to hold. A number without an error is taken as it is, and the message
    says so. A missing artifact, row or value is can't-tell, as the limit's or the policy's `cant_tell` says. A feature
    that the model never sees (a column of the context) has no importance, and needs none.
    """
    if facts.snapshot is None:
        return
    for name, limit in facts.policy.limits.items():
        if "min" in limit or "max" in limit:
            yield _one(facts, name, limit)


def _one(facts: Facts, name: str, limit: Mapping[str, Any]) -> Said:
    snapshot = facts.snapshot
    assert snapshot is not None
    how: dict[str, Any] = {"severity": limit.get("severity"), "doubt": limit.get("cant_tell")}
    least, most, side = limit.get("min"), limit.get("max"), limit["side"]
    try:
        artifact = artifact_of(snapshot, limit["artifact"])
        outside = unseen(snapshot, limit.get("where", {}))
        if outside is not None and artifact.kind == "importance":
            return _never_seen(name, outside, least, how)
        found = numbers(artifact, limit)
    except Undecided as why:
        return Said("cant-tell", name, str(why), **how)
    asked = f"{limit['artifact']}{_form(limit)} must be {_range(least, most)} ({SIDES[side]})"
    there = [number for number in found if number.value is not None]
    empty = [number for number in found if number.value is None]
    beyond = [number for number in there if not held(number, side, least, most)]
    if beyond:
        rest = f"; {len(beyond)} of {len(found)} rows are beyond" if len(found) > 1 else ""
        message = f"{asked}; {_bare(worst(beyond, least, most), side)}{rest}"
        return Said("not-met", name, message, tuple(number.evidence for number in beyond[:SHOWN]), **how)
    if empty:
        rest = f"; {len(empty)} of {len(found)} rows" if len(found) > 1 else ""
        message = f"{asked}; {words(empty[0])}, {empty[0].note}{rest}"
        return Said("cant-tell", name, message, tuple(number.evidence for number in empty[:SHOWN]), **how)
    nearest = worst(there, least, most)
    rest = f", the nearest of {len(found)} rows" if len(found) > 1 else ""
    return Said("met", name, f"{asked}; {_bare(nearest, side)}{rest}", (nearest.evidence,), **how)


def _never_seen(name: str, feature: str, least: float | None, how: Mapping[str, Any]) -> Said:
    said = f"the model never sees {feature}, so its importance is nothing"
    return Said("met" if least is None or least <= 0 else "not-met", name, said, **how)


def _form(limit: Mapping[str, Any]) -> str:
    column, form = limit.get("column", "value"), limit.get("as", "value")
    return "".join([f", {column}" if column != "value" else "", f", {form}" if form != "value" else ""])


def _range(least: float | None, most: float | None) -> str:
    ends = [f"at least {least:g}"] if least is not None else []
    return " and ".join(ends + ([f"at most {most:g}"] if most is not None else []))


def _bare(number: Number, side: str) -> str:
    known = number.low is not None and number.high is not None
    return words(number) + ("" if known or side == "value" else " (no error is stored with it)")
