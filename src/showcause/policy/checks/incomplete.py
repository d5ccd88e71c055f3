"""SC003: see `incomplete`."""

from __future__ import annotations

from collections.abc import Iterator

from showcause.policy.check import Said, check
from showcause.policy.facts import Facts


@check("SC003", "Everything required is there")
def incomplete(facts: Facts) -> Iterator[Said]:
    """Each artifact that the snapshot or this policy requires has a status in the snapshot, and something is required.

    A snapshot may have been made under another policy, which asked for less: `[require] artifacts` of this one counts.
    Without it, a snapshot that was asked for less than every method there is gets a warning. To mend it, explain again
    with this policy.
    """
    snapshot = facts.snapshot
    if snapshot is None:
        return
    manifest = snapshot.manifest
    wanted = facts.policy.require.get("artifacts")
    if not manifest.required:
        yield Said("not-met", snapshot.ref, "nothing was required of this snapshot, so it is not complete")
    absent = [n for n in (*manifest.required, *(wanted or ())) if n not in manifest.statuses]
    for name in dict.fromkeys(absent):
        yield Said("not-met", name, "it is required, and the snapshot does not know it")
    unasked = [name for name in facts.methods if name not in manifest.statuses]
    if wanted is None and unasked and manifest.required:
        few = ", ".join(unasked[:5]) + (f" and {len(unasked) - 5} more" if len(unasked) > 5 else "")
        said = f"it was made without {few}; [require] artifacts says what must be there"
        yield Said("not-met", snapshot.ref, said, severity="warn")
    elif manifest.required and not absent:
        yield Said("met", snapshot.ref, f"{len(set(manifest.required) | set(wanted or ()))} required, none is absent")
