"""A signed document: DSSE (Dead Simple Signing Envelope, protocol 1.0.0) over an in-toto Statement (v1).

The signature is over PAE(type, payload), so that the type cannot be exchanged. Envelopes are kept as canonical JSON.
Laws: Envelope.read(e.document) == e; what was signed here verifies with securesystemslib, and the other way round.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from showcause.core import canonical
from showcause.core.errors import Corrupt, InputError
from showcause.trust import ed25519

PAYLOAD = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
MAX_SIGNATURES = 64


@dataclass(frozen=True)
class Signature:
    keyid: str
    sig: bytes


@dataclass(frozen=True)
class Envelope:
    payload: bytes
    signatures: tuple[Signature, ...]

    @cached_property
    def document(self) -> bytes:
        return canonical.dumps(
            {
                "payload": _text(self.payload),
                "payloadType": PAYLOAD,
                "signatures": [{"keyid": s.keyid, "sig": _text(s.sig)} for s in self.signatures],
            }
        )

    @classmethod
    def read(cls, document: bytes) -> Envelope:
        """Raises Corrupt where it is not an envelope over an in-toto Statement in its one spelling."""
        value = canonical.loads(document)
        try:
            if value["payloadType"] != PAYLOAD:
                raise Corrupt(f"the payload is of type {value['payloadType']!r}, not {PAYLOAD}")
            signed = [Signature(one["keyid"], _bytes(one["sig"])) for one in value["signatures"]]
            made = cls(_bytes(value["payload"]), tuple(signed))
            good = 0 < len(signed) <= MAX_SIGNATURES and made.document == document
        except (KeyError, TypeError, AttributeError, InputError) as error:
            raise Corrupt(f"not a signed envelope: {error!r}") from None
        if not good:
            raise Corrupt("not a signed envelope: a field is missing, unknown or of the wrong type")
        return made

    @cached_property
    def statement(self) -> Statement:
        return Statement.read(self.payload)

    def signed_by(self, public: bytes, signature: Signature) -> bool:
        return ed25519.verify(public, signature.sig, pae(PAYLOAD, self.payload))


@dataclass(frozen=True)
class Statement:
    """`subject`: name → sha256; `kind`: the predicate's type; `predicate`: what is said about the subjects."""

    subject: Mapping[str, str]
    kind: str
    predicate: Mapping[str, Any]

    @cached_property
    def document(self) -> bytes:
        return canonical.dumps(
            {
                "_type": STATEMENT,
                "subject": [{"name": name, "digest": {"sha256": d}} for name, d in sorted(self.subject.items())],
                "predicateType": self.kind,
                "predicate": self.predicate,
            }
        )

    @classmethod
    def read(cls, document: bytes) -> Statement:
        value = canonical.loads(document)
        try:
            subject = {one["name"]: one["digest"]["sha256"] for one in value["subject"]}
            made = cls(subject, value["predicateType"], value["predicate"])
            good = (
                all(canonical.is_digest(digest) for digest in subject.values())
                and isinstance(made.predicate, dict)
                and isinstance(made.kind, str)
                and made.document == document
            )
        except (KeyError, TypeError, AttributeError, InputError) as error:
            raise Corrupt(f"not an in-toto Statement: {error!r}") from None
        if not good:
            raise Corrupt("not an in-toto Statement: a field is missing, unknown or of the wrong type")
        return made


def pae(kind: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: what is signed."""
    named = kind.encode()
    return b"DSSEv1 %d %b %d %b" % (len(named), named, len(payload), payload)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Corrupt(f"not base64: {error}") from None
