"""Is a registered version as it was logged, and does every alias of its name stand where its log says?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from showcause.core.errors import ShowcauseError, spoken
from showcause.core.finding import Finding
from showcause.integrations.mlflow import ledger
from showcause.integrations.mlflow.gate import carried
from showcause.integrations.mlflow.refs import connect, resolve
from showcause.trust.logged import findings as of_log
from showcause.trust.sign_off import findings as of_signatures
from showcause.trust.trust import Trust


def verify(
    ref: str, trust: Trust | None = None, *, at: str | None = None, heads: Mapping[str, str] | None = None,
    client: Any = None,
) -> list[Finding]:  # fmt: skip
    """Findings about the snapshot, the model's files, the signatures and (of a registered version) the aliases' logs.

    heads   alias → the digest of an entry that you remember ("credit@champion": …): it must still be there

    Raises NotFound, StoreError, ParameterError.
    """
    client = connect(client)
    located = resolve(ref, client)
    found = carried(located, trust=trust, at=at)
    bare = not located.model  # a run's own snapshot is bound to no files
    findings = [one for one in found.findings if not (bare and one.code == "SC005")]
    if found.snapshot is not None:
        findings += of_signatures(found.snapshot, trust, at=at)
    if located.name is not None:
        findings += logs(client, located.name, trust, at=at, heads=heads)
    return findings


def logs(
    client: Any, name: str, trust: Trust | None = None, *, at: str | None = None, heads: Mapping[str, str] | None = None
) -> Iterator[Finding]:
    """What is wrong with the logs of a registered model's aliases, and with aliases that are elsewhere."""
    now = client.get_registered_model(name).aliases
    for alias in sorted({*ledger.logged(client, name), *now}):
        said = f"{name}@{alias}"
        try:
            entries = ledger.entries(client, name, alias)
        except ShowcauseError as error:
            yield Finding("corrupt", "fail", said, spoken(error))
            continue
        remembered = (heads or {}).get(said)
        if remembered is not None and remembered not in {entry.digest for entry in entries}:
            yield Finding("cut-off", "fail", said, f"its log no longer holds the entry {remembered[:12]}")
        if not entries:
            yield Finding("unlogged", "note", said, f"names version {now[alias]}, and no log says why")
            continue
        yield from of_log(entries, trust, at=at)
        if alias not in now and not alias.startswith(ledger.STAGE):
            yield Finding("alias-moved", "fail", said, f"the alias is gone; its log says {entries[-1].ref}")
        elif alias in now and str(now[alias]) != ledger.version_of(entries[-1], name):
            yield Finding("alias-moved", "fail", said, f"names version {now[alias]}; its log says {entries[-1].ref}")
