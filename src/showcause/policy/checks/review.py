"""SC014: see `review`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from showcause.policy.check import Said, check
from showcause.policy.facts import Facts


@check("SC014", "Who must sign off has signed off", waivable=False, last=True)
def review(facts: Facts) -> Iterator[Said]:
    """Each `[review.NAME]`: on the occasions that it names, enough different people of its role have signed this
    snapshot and a verdict on it under this policy.

    Occasions: always; first-version (nothing to compare with); changed (the diff from the baseline flags something, or
    cannot be made); warn, cant-tell, waived (some other check came to that). Roles are what the operator's trust file
    says; a signature by a key that is not in it counts for nothing. Sign with `showcause sign REF --role ROLE`.
    """
    if facts.snapshot is None:
        return
    for name, rule in facts.policy.review.items():
        how: dict[str, Any] = {"severity": rule.get("severity"), "doubt": rule.get("cant_tell")}
        occasions = [reason for when in rule["when"] if (reason := _occasion(facts, when))]
        if not occasions:
            yield Said("not-applicable", name, f"none of its occasions is here: {', '.join(rule['when'])}", **how)
            continue
        yield _signed(facts, name, rule, occasions[0], how)


def _signed(facts: Facts, name: str, rule: Mapping[str, Any], why: str, how: Mapping[str, Any]) -> Said:
    role, count = rule["role"], rule.get("count", 1)
    asked = f"{why}, so {count} sign-off{'s' if count > 1 else ''} by the role {role} must be there"
    if facts.signed is None:
        return Said("cant-tell", name, f"{asked}; no trust file says whose signatures count", **how)
    there = [one for one in facts.signed if one.state == "good" and one.role == role]
    signers = sorted({one.signer for one in there if one.policy == facts.policy.digest})
    if len(signers) >= count:
        return Said("met", name, f"{asked}; signed by {', '.join(signers)}", **how)
    late = sorted({one.signer for one in there} - set(signers))
    said = f"only {', '.join(signers)} signed" if signers else "there is none"
    said += f"; {', '.join(late)} signed without a verdict, or under another policy" if late else ""
    return Said("not-met", name, f"{asked}; {said}", **how)


def _occasion(facts: Facts, when: str) -> str:
    """Why the occasion is here, "" where it is not."""
    snapshot, base = facts.snapshot, facts.baseline
    assert snapshot is not None
    if when == "always":
        return "every version is reviewed"
    if when == "first-version":
        return "" if base is not None else f"there is nothing to compare with ({facts.no_baseline})"
    if when == "changed":
        if base is None or base.id == snapshot.id:
            return ""
        if facts.diff is None:
            return "the snapshot is another one than the baseline"
        flags = facts.diff.flags
        return f"{len(flags)} changes from the baseline want a look" if flags or facts.diff.refused else ""
    hits = [outcome for outcome in facts.said if outcome.outcome == when and outcome.code != "SC010"]
    return f"{len(hits)} outcomes are {when}" if hits else ""
