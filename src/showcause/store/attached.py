"""What is said about a snapshot after it was made, kept beside it: verdicts, signatures and bindings to stored models.

A snapshot never changes, so these are documents of their own in a numbered list for each manifest and kind. Each entry
names the one before it: a list that was reordered, or that lacks an entry in the middle, is found by reading it.

Law: Entry.read(e.document) == e.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property

from showcause.core import canonical
from showcause.core.errors import Corrupt, ParameterError, choices

ATTACHED = "showcause-attached/1"
KINDS = ("verdict", "signature", "binding")


@dataclass(frozen=True)
class Entry:
    """Number `number` of what is attached to `manifest` as `kind`: the digest of a document.

    `previous` is the digest of the entry before; `nonce` makes every entry its own: two writers never share one.
    """

    manifest: str
    kind: str
    number: int
    previous: str | None
    attached: str
    nonce: str = field(default_factory=lambda: uuid.uuid4().hex)

    @cached_property
    def document(self) -> bytes:
        return canonical.dumps({"format": ATTACHED, **asdict(self)})

    @cached_property
    def digest(self) -> str:
        return canonical.digest(self.document)

    def __str__(self) -> str:
        return f"{self.kind} {self.number} of {self.manifest[:12]}"

    @classmethod
    def read(cls, document: bytes) -> Entry:
        value = canonical.loads(document)
        try:
            if value.pop("format") != ATTACHED:
                raise Corrupt(f"not an entry that this version reads ({ATTACHED})")
            entry = cls(**value)
            good = (
                canonical.is_digest(entry.manifest)
                and canonical.is_digest(entry.attached)
                and (entry.previous is None or canonical.is_digest(entry.previous))
                and entry.kind in KINDS
                and isinstance(entry.nonce, str)
                and entry.document == document
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise Corrupt(f"not an entry: {error!r}") from None
        if not good:
            raise Corrupt("not an entry: a field is missing, unknown or of the wrong type")
        return entry


def check_kind(kind: str) -> str:
    if kind not in KINDS:
        raise ParameterError(f"nothing of this kind can be attached: {choices(kind, KINDS)}")
    return kind


def chain(manifest: str, kind: str, digests: Sequence[str], get: Callable[[str], bytes]) -> Iterator[Entry]:
    """The entries of one list, each held to its place. Raises Corrupt, NotFound."""
    for number, digest in enumerate(digests, 1):
        yield placed(Entry.read(get(digest)), manifest, kind, number, digests[number - 2] if number > 1 else None)


def placed(entry: Entry, manifest: str, kind: str, number: int, previous: str | None) -> Entry:
    """The entry, if it is the one that belongs at this place. Raises Corrupt."""
    if (entry.manifest, entry.kind, entry.number) != (manifest, kind, number):
        raise Corrupt(f"it must name {kind} {number} of {manifest[:12]} and names {entry}")
    if entry.previous != previous:
        raise Corrupt(f"{entry} was written after another entry than the one before it")
    return entry
