"""SC008: see `inputs`."""

from __future__ import annotations

from collections.abc import Iterator

from showcause.policy.check import Said, check
from showcause.policy.facts import Facts


@check("SC008", "Required inputs were given")
def inputs(facts: Facts) -> Iterator[Said]:
    """What `[require] inputs` names was given to explain, and what `[require] check` names is given to check.

    Without labels nobody can say how often the model is right; without the model nobody can say whether it is still the
    one that was explained. Explain again with the missing input, or give check what it asks for.
    """
    snapshot, require = facts.snapshot, facts.policy.require
    if snapshot is None:
        return
    statuses = snapshot.manifest.statuses
    wanted = [f"input/{name}" for name in require.get("inputs", ())]
    wanted += [name for name in snapshot.manifest.required if name.startswith("input/") and name not in wanted]
    given = {"model": facts.model, "data": facts.data, "baseline": facts.baseline}
    for name in wanted:
        status = statuses.get(name)
        if status is None or status.state != "ok":
            yield Said("not-met", name, str(status) if status else "the snapshot does not say that it was given")
        else:
            yield Said("met", name, "given")
    for name in require.get("check", ()):
        if given[name] is None:
            why = facts.no_baseline if name == "baseline" else f"give check --{name}"
            yield Said("not-met", f"check/{name}", f"the policy requires it at the check: {why}")
        else:
            yield Said("met", f"check/{name}", "given")
