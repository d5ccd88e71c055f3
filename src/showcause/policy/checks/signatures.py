"""SC015: see `signatures`."""

from __future__ import annotations

from collections.abc import Iterator

from showcause.policy.check import Said, check
from showcause.policy.facts import Facts


@check("SC015", "Every signature is somebody's whom the operator trusts", waivable=False)
def signatures(facts: Facts) -> Iterator[Said]:
    """Each signature kept beside the snapshot verifies and is by a key that the operator's trust file knows and that
    holds. Trust comes from that file alone, never from the snapshot.

    Add the key to the trust file if it is known from elsewhere; else find out who put the signature there.
    """
    if facts.snapshot is None:
        return
    if facts.signed is None:
        said = "no trust file was given (--trust): nobody's signature counts, and none was looked at"
        yield Said("not-applicable", facts.snapshot.ref, said)
        return
    for one in facts.signed:
        who = one.signer or "a signature"
        if one.state == "other-snapshot":
            continue  # a replay, which is said there
        if one.state == "good":
            yield Said("met", who, f"signed as {one.role}")
        else:
            yield Said("not-met", who, one.message)
