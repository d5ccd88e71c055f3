"""An entry in the log of an alias: from now on credit@champion names this version; by whom, why, on what grounds.

The log of an alias is a numbered, create-only list of the store. Each entry names the one before it, so a log that was
edited, reordered, thinned out or filled up does not verify. Cutting its end off leaves the cut entry behind in the
store; where that was removed too, whoever remembers the last entry's digest sees it.

Law: Promotion.read(p.document) == p.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from showcause.core import canonical
from showcause.core.errors import Corrupt
from showcause.core.snapshot import Record

if TYPE_CHECKING:
    from showcause.store.store import Store

PROMOTION = "showcause-promotion/1"


@dataclass(frozen=True)
class Promotion:
    """`alias` ("credit@champion") names the version `ref` from `at` on.

    record, manifest   digests of what it names
    previous           digest of the entry before, None for number 1
    verdict, policy    the grounds: digests, None where the alias was moved without (a rollback, or by hand)
    break_glass        a version that was served before was restored at once; `review_by`: the day by which the gate
                       must have been passed after all
    envelope           a DSSE envelope over an in-toto Statement that says all of this, None where nobody signed
    """

    alias: str
    number: int
    previous: str | None
    ref: str
    record: str
    manifest: str
    at: str  # UTC, ISO 8601
    by: str
    reason: str = ""
    verdict: str | None = None
    policy: str | None = None
    break_glass: bool = False
    review_by: str | None = None
    nonce: str = field(default_factory=lambda: uuid.uuid4().hex)
    envelope: Mapping[str, Any] | None = None

    @property
    def said(self) -> dict[str, Any]:
        """Everything but the signature: what the signature is about."""
        return asdict(replace(self, envelope=None)) | {"envelope": None}

    @cached_property
    def document(self) -> bytes:
        return canonical.dumps({"format": PROMOTION, **self.said, "envelope": self.envelope})

    @cached_property
    def digest(self) -> str:
        return canonical.digest(self.document)

    @classmethod
    def read(cls, document: bytes) -> Promotion:
        value = canonical.loads(document)
        try:
            if value.pop("format") != PROMOTION:
                raise Corrupt(f"not an entry of an alias that this version reads ({PROMOTION})")
            made = cls(**value)
            good = _well_formed(made) and made.document == document
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise Corrupt(f"not an entry of an alias: {error!r}") from None
        if not good:
            raise Corrupt("not an entry of an alias: a field is missing, unknown or of the wrong type")
        return made


def _well_formed(made: Promotion) -> bool:
    needed, optional = (made.record, made.manifest), (made.previous, made.verdict, made.policy)
    return (
        all(canonical.is_digest(digest) for digest in needed)
        and all(digest is None or canonical.is_digest(digest) for digest in optional)
        and all(isinstance(text, str) for text in (made.alias, made.ref, made.at, made.by, made.reason, made.nonce))
        and isinstance(made.number, int)
        and isinstance(made.break_glass, bool)
        and made.break_glass == (made.review_by is not None)
        and isinstance(made.envelope, Mapping | None)
    )


def named(store: Store, digest: str) -> str:
    """The record digest that an entry of an alias names; those of the first stores are record digests themselves."""
    data = store.get(digest)
    return Promotion.read(data).record if f'"format":"{PROMOTION}"'.encode() in data else digest


def log(store: Store, alias: str) -> Iterator[Promotion | Record]:
    """The entries of an alias, each held to its place. Raises Corrupt, NotFound.

    Entries of the first stores are plain records; they may only stand before all others.
    """
    before: str | None = None
    chained = False
    for number, digest in enumerate(store.entries(alias), 1):
        data = store.get(digest)
        if not chained and f'"format":"{PROMOTION}"'.encode() not in data:
            yield Record.read(data)
        else:
            chained = True
            entry = Promotion.read(data)
            if (entry.alias, entry.number) != (alias, number):
                raise Corrupt(f"entry {number} of {alias} is entry {entry.number} of {entry.alias}")
            if entry.previous != before:
                raise Corrupt(f"entry {number} of {alias} was written after another entry than the one before it")
            record = Record.read(store.get(entry.record))
            if (entry.manifest, entry.ref) != (record.manifest, f"{record.name}/{record.version}"):
                raise Corrupt(f"entry {number} of {alias} says {entry.ref}, its record {record.name}/{record.version}")
            yield entry
        before = digest
