"""SC004: see `failed`."""

from __future__ import annotations

from collections.abc import Iterator

from showcause.policy.check import Said, check
from showcause.policy.facts import Facts


@check("SC004", "No required artifact failed")
def failed(facts: Facts) -> Iterator[Said]:
    """Each artifact that was computed is ok, or does not apply to this model and data and says why.

    A failed one carries the error; `showcause show REF` lists them. A failed artifact that this policy does not require
    is a warning.
    """
    snapshot = facts.snapshot
    if snapshot is None:
        return
    manifest = snapshot.manifest
    required = {*manifest.required, *facts.policy.require.get("artifacts", ())}
    artifacts = {n: s for n, s in manifest.statuses.items() if not n.startswith("input/")}
    bad = {n: s for n, s in artifacts.items() if s.state not in ("ok", "not-applicable")}
    for name, status in sorted(bad.items()):
        yield Said("not-met", name, str(status), severity="fail" if name in required else "warn")
    if not bad:
        ok = sum(status.state == "ok" for status in artifacts.values())
        yield Said("met", snapshot.ref, f"{ok} ok, {len(artifacts) - ok} do not apply")
