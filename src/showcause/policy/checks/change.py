"""SC022: see `change`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from showcause.core.diff import Change
from showcause.policy.check import Said, check
from showcause.policy.facts import Facts
from showcause.policy.numbers import Number, Undecided, artifact_of, numbers, words


@check("SC022", "Numbers stay near those of the baseline")
def change(facts: Facts) -> Iterator[Said]:
    """Each `[limits.NAME]` with `max_change`: no number that `where` selects differs by more from the baseline's.

    Where the diff has looked at the number, its verdict counts: unchanged holds; changed holds up to `max_change`;
    inconclusive is can't-tell, since retraining alone may make such a difference. Elsewhere (shares, ranks, gaps) the
    two intervals decide: the change holds if it lies within `max_change` for all that they leave possible, does not
    hold if for none, and is can't-tell between. Without a baseline there is nothing to check; `[require] check =
    ["baseline"]` makes one necessary.
    """
    if facts.snapshot is None:
        return
    for name, limit in facts.policy.limits.items():
        if "max_change" in limit:
            yield _one(facts, name, limit)


def _one(facts: Facts, name: str, limit: Mapping[str, Any]) -> Said:
    how: dict[str, Any] = {"severity": limit.get("severity"), "doubt": limit.get("cant_tell")}
    assert facts.snapshot is not None
    if facts.baseline is None:
        return Said("not-applicable", name, f"no baseline: {facts.no_baseline}", **how)
    try:
        after = numbers(artifact_of(facts.snapshot, limit["artifact"]), limit)
        before = {n.key: n for n in numbers(artifact_of(facts.baseline, limit["artifact"]), limit)}
    except Undecided as why:
        return Said("cant-tell", name, str(why), **how)
    results = [_compared(facts, limit, before.get(number.key), number) for number in after]
    lost = set(before) - {number.key for number in after}
    if lost:
        results.append(("cant-tell", f"{len(lost)} rows of the baseline are not there any more", ()))
    order = {"not-met": 0, "cant-tell": 1, "met": 2}
    result, message, evidence = min(results, key=lambda one: order[one[0]])
    few = sum(one[0] == result for one in results)
    rest = f"; so are {few - 1} more of {len(results)} rows" if few > 1 and result != "met" else ""
    said = f"{limit['artifact']} must change by no more than {limit['max_change']:g}; {message}{rest}"
    return Said(result, name, said, evidence, **how)


def _compared(facts: Facts, limit: Mapping[str, Any], before: Number | None, after: Number) -> tuple[Any, str, Any]:
    most = float(limit["max_change"])
    evidence = (after.evidence,) if before is None else (before.evidence, after.evidence)
    if before is None or before.value is None or after.value is None:
        return (
            "cant-tell",
            f"{words(after)}, and the baseline has {'no such row' if before is None else words(before)}",
            evidence,
        )
    delta = after.value - before.value
    moved = f"{words(after)}, before {before.value:.4g}"
    if delta == 0:
        return "met", f"{moved}: the very same", evidence
    found = _found(facts, limit, after)
    if found is not None:
        if found.verdict == "unchanged" or (found.verdict == "changed" and abs(delta) <= most):
            return "met", f"{moved}: {found.verdict}", evidence
        return "not-met" if found.verdict == "changed" else "cant-tell", f"{moved}: {found.message}", evidence
    if limit.get("column", "value") == "value" and limit.get("as", "value") == "value":
        said = "the diff has not looked at it, and only a panel of retrainings tells change from their noise"
        return "cant-tell", f"{moved}: {said}", evidence
    low = (after.value if after.low is None else after.low) - (before.value if before.high is None else before.high)
    high = (after.value if after.high is None else after.high) - (before.value if before.low is None else before.low)
    if max(abs(low), abs(high)) <= most:
        return "met", moved, evidence
    if low > most or high < -most:
        return "not-met", moved, evidence
    return "cant-tell", f"{moved}: the errors leave both possible", evidence


def _found(facts: Facts, limit: Mapping[str, Any], after: Number) -> Change | None:
    """The diff's own change of this number, where it has looked at it."""
    if facts.diff is None or limit.get("as", "value") != "value" or limit.get("column", "value") != "value":
        return None
    key = {name: str(cell) for name, cell in after.evidence.key.items()}
    for one in facts.diff.changes:
        known = {name: str(cell) for name, cell in one.key.items() if cell is not None}
        told = {name: cell for name, cell in known.items() if name in key or name not in ("by", "level")}
        if one.artifact == after.evidence.artifact and told == key:
            return one
    return None
