"""A store in memory: where a snapshot lives when no store is given, and the model that tests hold the others to."""

from __future__ import annotations

from collections.abc import Iterable

from showcause.core import canonical
from showcause.core.errors import Conflict, NotFound
from showcause.core.finding import Finding
from showcause.store.attached import Entry, chain, check_kind
from showcause.store.store import verified


class MemoryStore:
    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.lists: dict[str, list[str]] = {}
        self.attachments: dict[tuple[str, str], list[str]] = {}

    def put(self, data: bytes) -> str:
        digest = canonical.digest(data)
        self.objects[digest] = data
        return digest

    def get(self, digest: str) -> bytes:
        if digest not in self.objects:
            raise NotFound(f"no object {digest} in this store")
        return verified(self.objects[digest], digest)

    def has(self, digest: str) -> bool:
        return digest in self.objects

    def refs(self) -> list[str]:
        return sorted(self.lists)

    def entries(self, ref: str) -> list[str]:
        return list(self.lists.get(ref, []))

    def append(self, ref: str, number: int, record: bytes) -> None:
        entries = self.lists.setdefault(ref, [])
        if number != len(entries) + 1:
            raise Conflict(f"{ref} has {len(entries)} entries; number {number} is not the next")
        entries.append(self.put(record))

    def attach(self, manifest: str, kind: str, document: bytes) -> str:
        known = self.attached(manifest, kind)
        self.get(manifest)
        digest = self.put(document)
        if digest not in known:
            entries = self.attachments.setdefault((manifest, kind), [])
            entry = Entry(manifest, kind, len(entries) + 1, entries[-1] if entries else None, digest)
            entries.append(self.put(entry.document))
        return digest

    def attached(self, manifest: str, kind: str) -> list[str]:
        entries = self.attachments.get((manifest, check_kind(kind)), [])
        return [entry.attached for entry in chain(manifest, kind, entries, self.get)]

    def remembered(self, key: str) -> str | None:
        return None

    def remember(self, key: str, digest: str) -> None:
        return None

    def verify(self) -> Iterable[Finding]:
        return []
