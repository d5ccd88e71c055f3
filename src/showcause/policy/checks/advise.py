"""SC010: see `advise`."""

from __future__ import annotations

from collections.abc import Iterator

from showcause.policy.check import Said, check
from showcause.policy.facts import Facts


@check("SC010", "The policy is enforced", severity="warn", waivable=False)
def advise(facts: Facts) -> Iterator[Said]:
    """In `mode = "advise"` everything is reported, nothing is refused, and nothing is called blessed, until a day.

    Once what it reports is as it should be, say `mode = "enforce"`, or wait for the day.
    """
    policy = facts.policy
    if policy.mode_on(facts.on) == "advise":
        yield Said("not-met", "policy", f"it only advises, until {policy.until}: nothing is refused, nothing blessed")
    elif policy.mode == "advise":
        yield Said("met", "policy", f"it advised until {policy.until} and is enforced since")
    else:
        yield Said("met", "policy", "enforced")
