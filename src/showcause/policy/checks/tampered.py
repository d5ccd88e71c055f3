"""SC002: see `tampered`."""

from __future__ import annotations

from collections.abc import Iterator

from showcause.policy.check import Said, check
from showcause.policy.facts import Facts


@check("SC002", "Every byte is as it was stored", waivable=False)
def tampered(facts: Facts) -> Iterator[Said]:
    """Every object that the snapshot leads to is read again and held to its digest, its format and its place.

    Where one differs, restore the store or export from a copy, or explain the model again. Never repair by hand.
    """
    found = [finding for finding in facts.trouble if finding.code not in ("not-found", "replayed")]
    for finding in found:
        yield Said("not-met", finding.subject, f"{finding.message} [{finding.code}]")
    if not found and facts.snapshot is not None:
        yield Said("met", facts.snapshot.ref, f"{len(facts.snapshot)} artifacts are whole and unchanged")
