"""SC020: see `quality`."""

from __future__ import annotations

from collections.abc import Iterator

from showcause.core.finding import Evidence
from showcause.policy.check import Said, check
from showcause.policy.facts import Facts


@check("SC020", "Explanations pass their own checks")
def quality(facts: Facts) -> Iterator[Said]:
    """Each `quality/…` artifact of the snapshot says that the explanations it looked at hold: contributions add up, a
    column without use gets nothing. One that says otherwise makes the numbers of that explanation worthless.

    `showcause show REF quality/NAME` says by how much; a library that rounds, or a model that is not deterministic, is
    a common cause.
    """
    snapshot = facts.snapshot
    if snapshot is None:
        return
    for name in snapshot:
        if not name.startswith("quality/"):
            continue
        spec = snapshot.head(name)["spec"]
        evidence = (Evidence(name, snapshot.manifest.artifacts[name]),)
        about = str(spec.get("of") or name)
        if spec.get("passed") is False:
            yield Said("not-met", name, f"{about} did not pass it: its numbers cannot be relied on", evidence)
        elif spec.get("passed") is True:
            yield Said("met", name, f"{about} passed it", evidence)
        else:
            yield Said("not-applicable", name, "it states numbers, and no limit to them", evidence)
