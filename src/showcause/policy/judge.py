"""From facts to a verdict: every check, then waivers, then the checks that look at what the others said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from showcause.core.finding import Outcome
from showcause.core.verdict import Baseline, Verdict, Waiver
from showcause.policy.check import Check
from showcause.policy.checks import find
from showcause.policy.facts import Facts


def judge(facts: Facts) -> Verdict:
    """The verdict on `facts`: its outcomes stand in the order of their codes."""
    checks = find()
    facts = replace(facts, codes=frozenset(checks))
    used: dict[Waiver, None] = {}
    said: list[Outcome] = []
    for last in (False, True):
        seen = replace(facts, said=tuple(said))
        for one in checks.values():
            if one.last is last:
                said += _waived(one, one(seen), facts, used)
    said.sort(key=lambda outcome: outcome.code)
    snapshot, base = facts.snapshot, facts.baseline
    return Verdict(
        ref=snapshot.ref if snapshot is not None else facts.ref,
        manifest=None if snapshot is None else snapshot.id,
        record=None if snapshot is None else snapshot.record.digest,
        policy=facts.policy.digest,
        date=facts.on,
        baseline=None if base is None else Baseline(base.ref, base.id),
        mode=facts.policy.mode_on(facts.on),
        outcomes=tuple(said),
        waivers=tuple(used),
    )


def _waived(one: Check, outcomes: Iterable[Outcome], facts: Facts, used: dict[Waiver, None]) -> list[Outcome]:
    running = [waiver for waiver in facts.policy.waivers if waiver.runs(facts.on)] if one.waivable else []
    found = []
    for outcome in outcomes:
        waiver = next((w for w in running if w.covers(outcome)), None)
        if waiver is None or outcome.outcome not in ("fail", "warn", "cant-tell"):
            found.append(outcome)
            continue
        used[waiver] = None
        accepted = f"{outcome.message} (accepted by {waiver.by} until {waiver.until}: {waiver.reason})"
        found.append(replace(outcome, outcome="waived", message=accepted))
    return found
