"""What a store is, and how a snapshot is published into one.

Objects are immutable bytes under their sha256. A ref is a numbered, create-only list of record digests: "credit" holds
the versions credit/1, credit/2, …; "credit@champion" holds the log of this alias (promotion.py): its last entry counts.
Appending number n+1 succeeds for one writer only, which is the whole of the locking. What is attached to a snapshot
later (verdicts, signatures) is such a list too, one for each manifest and kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from showcause.core import canonical
from showcause.core.errors import Conflict, Corrupt, NotFound, ParameterError, choices
from showcause.core.finding import Finding
from showcause.core.snapshot import Manifest, Record, Snapshot
from showcause.store.promotion import Promotion, named

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
RESERVED = frozenset({"con", "prn", "aux", "nul", "latest", *(f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10))})


class Store(Protocol):
    def put(self, data: bytes) -> str: ...

    def get(self, digest: str) -> bytes:
        """Verified bytes. Raises NotFound, Corrupt."""
        ...

    def has(self, digest: str) -> bool: ...

    def refs(self) -> list[str]: ...

    def entries(self, ref: str) -> list[str]:
        """Record digests in order: entry n is at position n-1. Empty where there is no such ref."""
        ...

    def append(self, ref: str, number: int, record: bytes) -> None:
        """Store the record and make it entry `number`. Raises Conflict where that number is taken or not next."""
        ...

    def attach(self, manifest: str, kind: str, document: bytes) -> str:
        """Add a document to what is attached to a manifest of this store and return its digest.

        Create-only: nothing attached is ever changed or taken away; the same bytes again add nothing. `kind` is
        "verdict", "signature" or "binding". Raises NotFound where the store has no such manifest, ParameterError.
        """
        ...

    def attached(self, manifest: str, kind: str) -> list[str]:
        """Digests of the documents attached, in order. Raises Corrupt where the list is not as it was written."""
        ...

    def remembered(self, key: str) -> str | None:
        """The artifact digest that an earlier run stored under this digest of all its inputs, if it is still whole."""
        ...

    def remember(self, key: str, digest: str) -> None: ...

    def verify(self) -> Iterable[Finding]: ...


@dataclass(frozen=True)
class Ref:
    """`name` and either a version number or an alias; "latest" is the alias that follows the versions."""

    name: str
    version: int | None = None
    alias: str | None = None

    @classmethod
    def parse(cls, text: str) -> Ref:
        """credit/7, credit@champion, credit@latest, credit (the same). Raises ParameterError."""
        name, at, alias = text.partition("@")
        name, slash, version = name.partition("/")
        check_name(name)
        if at and slash:
            raise ParameterError(f"{text!r} names both a version and an alias; give one")
        if slash:
            if not version.isascii() or not version.isdigit() or not 0 < int(version) < 10**9:
                raise ParameterError(f"{text!r}: the version after / must be a number from 1")
            return cls(name, version=int(version))
        if at and alias != "latest":
            check_name(alias)
        return cls(name, alias=alias or "latest")


def check_name(name: str) -> str:
    """Ids never become paths unchecked: one small alphabet, safe on every file system."""
    if not NAME.fullmatch(name) or name in RESERVED or name.endswith("."):
        near = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._")
        hint = f"; {near!r} would do" if NAME.fullmatch(near) and near not in RESERVED else ""
        raise ParameterError(
            f"the name {name!r} cannot be used; give 1 to 64 of the characters a-z 0-9 . _ -, beginning with a letter "
            f"or digit, and none of the reserved {', '.join(sorted(RESERVED)[:4])} …{hint}"
        )
    return name


def publish(store: Store, manifest: Manifest, name: str, record: Callable[[int, str | None], Record]) -> Snapshot:
    """Store the manifest and append a record for it to `name`; the artifacts must be in the store already.

    `record(version, parent)` makes the record; it is asked again when another writer took the version.
    """
    check_name(name)
    store.put(manifest.document)
    while True:
        entries = store.entries(name)
        made = record(len(entries) + 1, entries[-1] if entries else None)
        try:
            store.append(name, made.version, made.document)
        except Conflict:
            continue
        return Snapshot(manifest, made, store, f"{name}/{made.version}")


def open_ref(store: Store, text: str) -> Snapshot:
    """The snapshot that a ref names. Raises NotFound, Corrupt, ParameterError."""
    ref = Ref.parse(text)
    key = ref.name if ref.alias in (None, "latest") else f"{ref.name}@{ref.alias}"
    entries = store.entries(key)
    if not entries:
        raise NotFound(f"no snapshot {text!r} in this store: {choices(key, store.refs())}")
    number = ref.version or len(entries)
    if number > len(entries):
        raise NotFound(f"{ref.name} has versions 1 to {len(entries)}, not {number}")
    record = Record.read(store.get(named(store, entries[number - 1])))
    if record.name != ref.name or (key == ref.name and record.version != number):
        raise Corrupt(f"{text} names the record of {record.name}/{record.version}")
    manifest = Manifest.read(store.get(record.manifest))
    return Snapshot(manifest, record, store, f"{record.name}/{record.version}")


def point(store: Store, text: str, alias: str, by: str = "", **said: Any) -> Promotion:
    """Let `name@alias` name the snapshot of a ref, whatever the gate says; `said` are further fields of the entry,
    `sign` a function from the entry to its envelope. Raises Conflict where another writer was first."""
    snapshot = open_ref(store, text)
    key = f"{snapshot.record.name}@{check_name(alias)}"
    entries, sign = store.entries(key), said.pop("sign", None)
    entry = Promotion(
        key, len(entries) + 1, entries[-1] if entries else None, snapshot.ref, snapshot.record.digest, snapshot.id,
        said.pop("at", None) or datetime.now(UTC).isoformat(timespec="seconds"), by, **said,
    )  # fmt: skip
    if sign is not None:
        entry = replace(entry, envelope=sign(entry))
    store.append(key, entry.number, entry.document)
    return entry


def reachable(store: Store, record_digest: str) -> set[str]:
    """Digests of the record (or entry of an alias) and everything it leads to. Raises NotFound, Corrupt."""
    from showcause.core.artifact import read_head

    behind = named(store, record_digest)
    record = Record.read(store.get(behind))
    manifest = Manifest.read(store.get(record.manifest))
    found = {record_digest, behind, record.manifest, *manifest.artifacts.values()}
    for digest in manifest.artifacts.values():
        head = read_head(store.get(digest))
        found |= {head["table"]["digest"], *head["blobs"].values()}
    return found


def verified(data: bytes, digest: str) -> bytes:
    if canonical.digest(data) != digest:
        raise Corrupt(f"object {digest} has other bytes than its digest says")
    return data
