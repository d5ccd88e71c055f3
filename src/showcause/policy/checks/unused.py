"""SC017: see `unused`."""

from __future__ import annotations

from collections.abc import Iterator

from showcause.policy.check import Said, check
from showcause.policy.facts import Facts


@check("SC017", "Every waiver waives something", severity="warn", waivable=False, last=True)
def unused(facts: Facts) -> Iterator[Said]:
    """A `[[waiver]]` that covers nothing here is out of date, misspelt, or names a code that cannot be waived (missing,
    tampered, stale, foreign and replayed snapshots, sign-offs and signatures, an empty policy).

    Take it out, or write the code and subject as `check` prints them.
    """
    for waiver in facts.policy.waivers:
        if not waiver.runs(facts.on):
            continue
        about = f"{waiver.code}" + (f" {waiver.subject}" if waiver.subject else "")
        here = [outcome for outcome in facts.said if waiver.covers(outcome)]
        if waiver.code not in facts.codes:
            yield Said("not-met", about, "no check has this code")
        elif any(outcome.outcome == "waived" for outcome in here):
            yield Said("met", about, "it is in use")
        elif any(outcome.refuses or outcome.outcome == "warn" for outcome in here):
            yield Said("not-met", about, "this code cannot be waived")
        else:
            yield Said("not-met", about, "there is nothing here that it waives")
