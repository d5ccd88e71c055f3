"""SC021: see `data`."""

from __future__ import annotations

from collections.abc import Iterator

from showcause.policy.check import Said, check
from showcause.policy.facts import Facts


@check("SC021", "The data are those that were explained")
def data(facts: Facts) -> Iterator[Said]:
    """Every column of the data that were given has the digest that the manifest records.

    Give the very rows that were explained, in their order; with other rows the model's behaviour cannot be held to what
    was recorded.
    """
    snapshot, given = facts.snapshot, facts.data
    if snapshot is None:
        return
    if given is None:
        yield Said("not-applicable", snapshot.ref, "no data were given (--data): nobody looked at them")
        return
    named = {"changed": given.changed, "not there": given.missing}
    said = [f"{', '.join(columns[:8])}: {word}" for word, columns in named.items() if columns]
    if said:
        yield Said("not-met", snapshot.ref, "; ".join(said))
    else:
        yield Said("met", snapshot.ref, f"{given.rows} rows, every column as explained")
