"""SC006: see `foreign`."""

from __future__ import annotations

from collections.abc import Iterator

from showcause.policy.check import Said, check
from showcause.policy.facts import Facts
from showcause.policy.identity import belongs_elsewhere


@check("SC006", "It is this model's own snapshot", waivable=False)
def foreign(facts: Facts) -> Iterator[Said]:
    """The snapshot is not another model's: family, task, classes and columns are those of the model that was given, and
    no snapshot of another name explains that model.

    Give the snapshot that was made of this model, or explain it.
    """
    snapshot, model = facts.snapshot, facts.model
    if snapshot is None:
        return
    if model is None:
        yield Said("not-applicable", snapshot.ref, "no model was given (--model): nobody looked at it")
    elif reason := belongs_elsewhere(snapshot, model):
        yield Said("not-met", snapshot.ref, f"this snapshot is another model's: {reason}")
    else:
        yield Said("met", snapshot.ref, f"{model.family}, {model.task}: as explained")
