"""SC009: see `empty`."""

from __future__ import annotations

from collections.abc import Iterator

from showcause.policy.check import Said, check
from showcause.policy.facts import Facts


@check("SC009", "The policy asks something", waivable=False)
def empty(facts: Facts) -> Iterator[Said]:
    """A policy that requires, limits and reviews nothing never blesses: nothing was held to anything.

    Write `[require]`, `[limits.NAME]`, `[review.NAME]` or `[[requirement]]`; see governance.md.
    """
    policy = facts.policy
    if policy.asks:
        parts = {"limit": policy.limits, "review": policy.review, "requirement": policy.requirement}
        said = [f"{len(part)} {name}{'s' if len(part) > 1 else ''}" for name, part in parts.items() if part]
        yield Said("met", "policy", ", ".join([*said, *(["[require]"] if any(policy.require.values()) else [])]))
    else:
        given = "the policy asks nothing" if policy.digest else "there is no policy"
        yield Said("not-met", "policy", f"{given}, so nothing can be blessed")
