"""Policy findings that are new, and those that are gone: both snapshots checked under one policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from showcause.core.diff import Change
from showcause.core.finding import Outcome
from showcause.core.snapshot import Snapshot
from showcause.verbs.differences.sides import Sides, fact

BAD = ("fail", "cant-tell", "warn")
SAID = {"fail": "fails", "warn": "warns", "cant-tell": "cannot be told"}


def findings(sides: Sides, policy: Any, store: Any, on: Any) -> Iterator[Change]:
    """A change for each finding (by code and subject) that only one side has, and one that counts those of both.
    Nothing is attached to either snapshot. Raises PolicyError."""
    one, other = (_outcomes(snapshot, policy, store, on) for snapshot in (sides.before, sides.after))
    same = 0
    for code, subject in sorted({*one, *other}):
        was, is_ = one.get((code, subject)), other.get((code, subject))
        key: dict[str, str | None] = {"code": code, "subject": subject}
        states = was.outcome if was else None, is_.outcome if is_ else None
        if states[0] == states[1]:
            same += 1
        elif is_ is not None:
            template = "New under the policy: {code} " + SAID[is_.outcome] + " for {names}"
            yield fact("policy", key, states, template, flag=True, code=code, names=f"{subject}: {is_.message}")
        else:
            template = "Gone under the policy: {code} for {names}."
            yield fact("policy", key, states, template, code=code, names=subject)
    template = "Policy findings that both have: {same}."
    yield fact("policy", {}, (same, same), template, verdict="unchanged", same=same)


def _outcomes(snapshot: Snapshot, policy: Any, store: Any, on: Any) -> Mapping[tuple[str, str], Outcome]:
    from showcause.verbs.check import check

    verdict = check(snapshot, policy, store=store, on=on, keep=False)
    return {(outcome.code, outcome.subject): outcome for outcome in verdict.outcomes if outcome.outcome in BAD}
