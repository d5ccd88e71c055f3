"""A sign-off: somebody, in a role, vouches for a snapshot of a model under a verdict. And who has vouched for one.

An in-toto Statement: its subjects are the manifest and the model (the digests of their canonical bytes) and, where it
is known, the file the model is stored in; its predicate says role, comment, time, record, verdict and policy. A
sign-off is bound to all of them, so it cannot be replayed onto another snapshot, model or verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from showcause.core.errors import Corrupt, ParameterError
from showcause.core.finding import Finding
from showcause.core.snapshot import Snapshot
from showcause.core.verdict import Verdict
from showcause.trust.dsse import Envelope, Signature, Statement
from showcause.trust.trust import ROLE, Trust

SIGN_OFF = "urn:showcause:sign-off:1"
MAX_COMMENT = 10_000
PREDICATE = {"role", "comment", "time", "ref", "record", "verdict", "policy", "blessed"}


@dataclass(frozen=True)
class Vouch:
    """One signature, and whether it counts. `code` is "" where it does; else it says why not, `problem` in words.

    `who` is the name in the trust file, "" where the key is in none.
    """

    number: int
    who: str
    keyid: str
    code: str
    problem: str
    said: Mapping[str, Any]

    @property
    def counts(self) -> bool:
        return not self.code

    @property
    def role(self) -> str:
        return str(self.said.get("role", ""))

    def __str__(self) -> str:
        """Who vouched for what under which policy."""
        verdict, policy = self.said.get("verdict"), self.said.get("policy")
        under = f"under policy {policy[:12]}, verdict {verdict[:12]}" if verdict and policy else "without a verdict"
        blessed = (" (blessed)" if self.said.get("blessed") else " (NOT blessed)") if verdict else ""
        comment = f': "{self.said["comment"]}"' if self.said.get("comment") else ""
        who = self.who or f"key {self.keyid[:12]}"
        return f"{who} as {self.role}, {self.said.get('time', '')}, {under}{blessed}{comment}"


def statement(
    snapshot: Snapshot, role: str, comment: str, verdict: Verdict | None, time: str | None = None
) -> Statement:
    """What is to be signed. Raises ParameterError: no model, a role that is none, a verdict on another snapshot."""
    if not ROLE.fullmatch(role):
        raise ParameterError(f"the role {role!r} cannot be used; give a lower-case word such as reviewer")
    if len(comment) > MAX_COMMENT:
        raise ParameterError(f"the comment has {len(comment)} characters, more than {MAX_COMMENT}")
    if verdict is not None and verdict.manifest != snapshot.id:
        raise ParameterError("the verdict is about another snapshot")
    if "model" not in subjects(snapshot):
        raise ParameterError(f"{snapshot.ref} explains no model; there is nothing to sign for")
    predicate = {
        "role": role,
        "comment": comment,
        "time": time or now(),
        "ref": snapshot.ref,
        "record": snapshot.record.digest,
        "verdict": verdict and verdict.digest,
        "policy": verdict and verdict.policy,
        "blessed": verdict and verdict.blessed,
    }
    return Statement(subjects(snapshot), SIGN_OFF, predicate)


def subjects(snapshot: Snapshot) -> dict[str, str]:
    """What a signature about a snapshot binds: name → digest. "model" is missing where it explains none."""
    found = {"manifest": snapshot.id}
    if model := snapshot.manifest.model.get("digest"):
        found["model"] = model
    if stored := snapshot.record.configuration.get("model_file"):
        found["model file"] = stored["sha256"]
    return found


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def verdicts(snapshot: Snapshot) -> dict[str, Verdict]:
    """Digest → verdict of all that are attached to a snapshot, in order. Raises Corrupt."""
    found = {}
    for document in snapshot.attached("verdict"):
        verdict = Verdict.read(document)
        if verdict.manifest != snapshot.id:
            raise Corrupt(f"a verdict about {verdict.manifest} is attached to {snapshot.id}")
        found[verdict.digest] = verdict
    return found


def vouched(snapshot: Snapshot, trust: Trust, *, at: str | None = None) -> list[Vouch]:
    """Every signature attached to a snapshot, in order, held to the operator's trust at the time `at` (default: now).

    Never raises for what a signature says: one that does not count says why in `code`: malformed-signature,
    unknown-key, bad-signature, replayed, other-verdict, role-not-granted, revoked-key, expired-key, bad-time,
    duplicate.
    """
    known = _known_verdicts(snapshot)
    found: list[Vouch] = []
    for number, document in enumerate(snapshot.attached("signature"), 1):
        try:
            envelope = Envelope.read(document)
            said = envelope.statement
        except Corrupt as error:
            found.append(Vouch(number, "", "", "malformed-signature", str(error), {}))
            continue
        for signature in envelope.signatures:
            vouch = _judged(number, envelope, signature, said, snapshot, known, trust, at or now())
            found.append(_once(vouch, found))
    return found


def _known_verdicts(snapshot: Snapshot) -> dict[str, Verdict]:
    try:
        return verdicts(snapshot)
    except Corrupt:
        return {}


def _judged(
    number: int, envelope: Envelope, signature: Signature, said: Statement, snapshot: Snapshot,
    known: Mapping[str, Verdict], trust: Trust, at: str,
) -> Vouch:  # fmt: skip
    holder = trust.holders.get(signature.keyid)
    code, problem = next(_objections(said, snapshot, known), ("", ""))
    if code:
        pass
    elif holder is None:
        code, problem = "unknown-key", f"the key {signature.keyid[:12]} is in no entry of the trust file"
    elif not envelope.signed_by(holder.public, signature):
        code, problem = "bad-signature", f"this is not what the key of {holder.name} signed"
    else:
        code, problem = standing(trust, signature.keyid, said.predicate["role"], said.predicate["time"], at)
    return Vouch(number, holder.name if holder else "", signature.keyid, code, problem, said.predicate)


def _objections(said: Statement, snapshot: Snapshot, known: Mapping[str, Verdict]) -> Iterator[tuple[str, str]]:
    predicate = said.predicate
    texts = ("role", "comment", "time", "ref", "record")
    if said.kind != SIGN_OFF or set(predicate) != PREDICATE or not all(isinstance(predicate[t], str) for t in texts):
        yield "malformed-signature", f"it says something else than a sign-off of this version ({SIGN_OFF})"
        return
    for name in ("manifest", "model"):
        given, here = said.subject.get(name, "none"), subjects(snapshot).get(name, "none")
        if given != here or given == "none":
            yield "replayed", f"it was given to another {name}: {given[:12]}, not {here[:12]}"
            return
    verdict = predicate["verdict"]
    if verdict is None:
        return
    if verdict not in known:
        yield "other-verdict", f"it rests on the verdict {str(verdict)[:12]}, which is not attached"
    elif (known[verdict].policy, known[verdict].blessed) != (predicate["policy"], predicate["blessed"]):
        yield "other-verdict", "it says something else about its verdict than the verdict does"


def standing(trust: Trust, key: str, role: str | None, time: str, at: str) -> tuple[str, str]:
    """(code, problem) of a key acting in a role at a time that it claims; ("", "") where nothing is against it."""
    holder = trust.holders[key]
    try:
        moment = datetime.fromisoformat(time)
        late = moment > datetime.fromisoformat(at)
    except (TypeError, ValueError):
        return "bad-time", f"its time {time!r} cannot be read"
    day = moment.astimezone(UTC).date().isoformat()
    if holder.revoked:
        return "revoked-key", f"the key of {holder.name} was revoked" + (f": {holder.reason}" if holder.reason else "")
    if role is not None and role not in holder.roles:
        return "role-not-granted", f"{holder.name} is not trusted as {role}"
    if late:
        return "bad-time", f"it claims {time}, which is still to come"
    if holder.begins and day < holder.begins:
        return "expired-key", f"the key of {holder.name} holds from {holder.begins}; this is of {day}"
    if holder.until and day > holder.until:
        return "expired-key", f"the key of {holder.name} held until {holder.until}; this is of {day}"
    return "", ""


def _once(vouch: Vouch, before: list[Vouch]) -> Vouch:
    """The same person in the same role under the same verdict counts once."""
    same = [
        other.number
        for other in before
        if other.counts
        and (other.keyid, other.role, other.said.get("verdict")) == (vouch.keyid, vouch.role, vouch.said.get("verdict"))
    ]
    if vouch.counts and same:
        problem = f"{vouch.who} said so before, in signature {same[0]}"
        return Vouch(vouch.number, vouch.who, vouch.keyid, "duplicate", problem, vouch.said)
    return vouch


def findings(snapshot: Snapshot, trust: Trust | None, *, at: str | None = None) -> Iterator[Finding]:
    """What is wrong with the verdicts and signatures attached to a snapshot, and (as notes) who vouched for it.

    Without a trust file nobody is known: each signature is a note that says so, unless it cannot be one at all or was
    given to another snapshot.
    """
    try:
        verdicts(snapshot)
    except Corrupt as error:
        yield Finding("corrupt", "fail", f"{snapshot.ref} verdict", str(error))
    for vouch in vouched(snapshot, trust or Trust(), at=at):
        subject = f"{snapshot.ref} signature {vouch.number}"
        if vouch.counts:
            yield Finding("vouched", "note", subject, str(vouch))
        elif vouch.code == "duplicate":
            yield Finding("duplicate", "note", subject, vouch.problem)
        elif vouch.code == "unknown-key" and trust is None:
            message = f"key {vouch.keyid[:12]} says it is by a {vouch.role}; without a trust file nobody is known"
            yield Finding("unknown-key", "note", subject, message)
        else:
            yield Finding(vouch.code, "fail", subject, vouch.problem)
