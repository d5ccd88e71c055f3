"""What is wrong with the log of an alias: entries that nobody signed who may, and reviews that are overdue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from showcause.core import canonical
from showcause.core.errors import Corrupt
from showcause.core.finding import Finding
from showcause.trust.dsse import Envelope, Statement
from showcause.trust.keys import Key
from showcause.trust.sign_off import now, standing
from showcause.trust.trust import Rule, Trust

KIND = "urn:showcause:promotion:1"


class Entry(Protocol):
    """An entry of an alias's log, as the store reads it."""

    @property
    def alias(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def ref(self) -> str: ...
    @property
    def manifest(self) -> str: ...
    @property
    def at(self) -> str: ...
    @property
    def break_glass(self) -> bool: ...
    @property
    def review_by(self) -> str | None: ...
    @property
    def said(self) -> dict[str, Any]: ...
    @property
    def envelope(self) -> Mapping[str, Any] | None: ...


def signed(entry: Entry, model: str, key: Key) -> dict[str, Any]:
    """The envelope of an entry: its signature binds every field of it, the manifest and the model."""
    statement = Statement({"manifest": entry.manifest, "model": model}, KIND, entry.said)
    return dict(canonical.loads(key.sign(statement).document))


def signer(entry: Entry, trust: Trust, *, at: str | None = None) -> tuple[str, str, str]:
    """(name, code, problem) of who signed an entry; code "" where it counts, whatever the role.

    unsigned, malformed-signature, unknown-key, bad-signature, replayed, revoked-key, expired-key, bad-time.
    """
    if entry.envelope is None:
        return "", "unsigned", "nobody signed it"
    try:
        envelope = Envelope.read(canonical.dumps(entry.envelope))
        statement = envelope.statement
    except Corrupt as error:
        return "", "malformed-signature", str(error)
    (signature, *more) = envelope.signatures
    if more:
        return "", "malformed-signature", "an entry has one signature"
    holder = trust.holders.get(signature.keyid)
    if holder is None:
        return "", "unknown-key", f"the key {signature.keyid[:12]} is in no entry of the trust file"
    if not envelope.signed_by(holder.public, signature):
        return holder.name, "bad-signature", f"this is not what the key of {holder.name} signed"
    same = statement.kind == KIND and dict(statement.predicate) == entry.said
    if not same or statement.subject.get("manifest") != entry.manifest:
        return holder.name, "replayed", f"{holder.name} signed another entry"
    return holder.name, *standing(trust, signature.keyid, None, entry.at, at or now())


def granted(rule: Rule, entry: Entry) -> tuple[str, ...]:
    """The roles of which a signer of this entry needs one."""
    return rule.break_glass if entry.break_glass else rule.promote


def allowed(entry: Entry, trust: Trust, *, at: str | None = None) -> tuple[str, str]:
    """(code, problem): whether the entry was made by somebody who may; ("", "") where it was."""
    rule = trust.rule(entry.alias.rpartition("@")[2])
    roles = granted(rule, entry)
    who, code, problem = signer(entry, trust, at=at)
    if entry.break_glass and not roles:
        return "role-not-granted", "the trust file lets nobody break the glass"
    if code == "unsigned" and not roles and not entry.break_glass:
        return "", ""
    if code:
        return code, problem
    holder = next(holder for holder in trust.holders.values() if holder.name == who)
    if roles and not set(roles) & set(holder.roles):
        return "role-not-granted", f"{who} has none of the roles {', '.join(roles)}"
    return "", ""


def overdue(entries: Sequence[Entry], at: str) -> tuple[str, bool]:
    """(what review is owed, whether it is overdue); "" where none is. A later regular entry settles it."""
    last = entries[-1] if entries else None
    if last is None or not last.break_glass or last.review_by is None:
        return "", False
    day = datetime.fromisoformat(at).date().isoformat()
    return (
        f"{last.ref} was restored by breaking the glass; it must pass the gate by {last.review_by}",
        day > last.review_by,
    )


def findings(entries: Sequence[Entry], trust: Trust | None, *, at: str | None = None) -> Iterator[Finding]:
    """Of one alias's log, its entries in order. Without a trust file signatures are not judged."""
    moment = at or now()
    for entry in entries if trust is not None else ():
        code, problem = allowed(entry, trust or Trust(), at=moment)
        if code:
            yield Finding(code, "fail", f"{entry.alias} entry {entry.number}", problem)
    owed, late = overdue(entries, moment)
    if owed:
        code = "review-overdue" if late else "review-due"
        yield Finding(code, "fail" if late else "note", entries[-1].alias, owed)
