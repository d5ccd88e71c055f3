"""SC016: see `expired`."""

from __future__ import annotations

from collections.abc import Iterator

from showcause.core.verdict import WAIVER_EXPIRED
from showcause.policy.check import Said, check
from showcause.policy.facts import Facts


@check(WAIVER_EXPIRED, "No waiver has run out", waivable=False)
def expired(facts: Facts) -> Iterator[Said]:
    """Each `[[waiver]]` still runs. One that has run out waives nothing, and fails by itself, so that what was accepted
    for a time is looked at again.

    Mend what it waived and take it out, or have somebody accept it anew, with a later day and a reason.
    """
    for waiver in facts.policy.waivers:
        about = f"{waiver.code}" + (f" {waiver.subject}" if waiver.subject else "")
        if waiver.runs(facts.on):
            yield Said("met", about, f"accepted by {waiver.by} until {waiver.until}: {waiver.reason}")
        else:
            yield Said("not-met", about, f"what {waiver.by} accepted ran out on {waiver.until}: {waiver.reason}")
