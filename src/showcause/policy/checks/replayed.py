"""SC007: see `replayed`."""

from __future__ import annotations

from collections.abc import Iterator

from showcause.core.verdict import REPLAYED
from showcause.policy.check import Said, check
from showcause.policy.facts import Facts


@check(REPLAYED, "Nothing old is offered as new", waivable=False)
def replayed(facts: Facts) -> Iterator[Said]:
    """A record stands under the name and version that it says; it is not older than the baseline; an export is what
    the store has under that version; and verdicts kept beside the snapshot are about this snapshot.

    To go back to an older version on purpose, point the alias back (a rollback is on record there), or give no newer
    baseline.
    """
    snapshot = facts.snapshot
    for finding in facts.trouble:
        if finding.code == "replayed":
            yield Said("not-met", finding.subject, finding.message)
    if snapshot is None:
        return
    record = snapshot.record
    bad = list(facts.strangers)
    if facts.stored is not None and facts.stored != record.digest:
        bad.append(f"the store has another record under {record.name}/{record.version}")
    base = None if facts.baseline is None else facts.baseline.record
    if base is not None and base.name == record.name and record.version and record.version < base.version:
        bad.append(f"version {record.version} is older than the baseline, version {base.version}")
    others = [verdict for verdict in facts.verdicts if verdict.manifest != snapshot.id]
    bad += [f"a verdict beside it is about another snapshot, {verdict.ref}" for verdict in others]
    old = [one for one in facts.signed or () if one.state == "other-snapshot"]
    bad += [f"a signature beside it is about something else: {one.message}" for one in old]
    for message in bad:
        yield Said("not-met", snapshot.ref, message)
    if not bad and not any(finding.code == "replayed" for finding in facts.trouble):
        yield Said(
            "met", snapshot.ref, f"made {record.made_at}" + (f", version {record.version}" if record.version else "")
        )
