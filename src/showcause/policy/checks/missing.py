"""SC001: see `missing`."""

from __future__ import annotations

from collections.abc import Iterator

from showcause.policy.check import Said, check
from showcause.policy.facts import Facts


@check("SC001", "There is a snapshot", waivable=False)
def missing(facts: Facts) -> Iterator[Said]:
    """The ref, folder or zip leads to a snapshot that can be opened.

    Where it does not: explain the model and publish it (`showcause explain … --name NAME`), or give the right REF. A
    name that a registry or a tag claims is not believed; what counts is what the store holds.
    """
    if facts.snapshot is not None:
        yield Said("met", facts.snapshot.ref, f"snapshot {facts.snapshot.id[:12]}")
    elif any(finding.code == "not-found" for finding in facts.trouble):
        yield Said("not-met", facts.ref, "; ".join(finding.message for finding in facts.trouble))
    else:
        yield Said("not-applicable", facts.ref, "something is there, and it cannot be read as a snapshot")
