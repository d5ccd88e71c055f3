"""May an alias name this registered version? The one answer that client and server give.

The snapshot that travels with the version is read with every digest checked; the binding that travels with it must be
about this snapshot and fit every file of the model; then the policy judges, and the operator's trust says whose
signatures count. No tag is believed. A model is never unpickled here, and on a server never loaded at all: that these
bytes are the model explained was seen when the snapshot was logged, and the binding says so (binding.py). Where that
must not rest on whoever could write the artifacts, `bind` in the trust file names roles, one of which must have signed.

Whatever cannot be read refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from showcause.core.errors import MissingExtra, NotFound, Refused, ShowcauseError, StoreError, spoken
from showcause.core.finding import Finding
from showcause.core.snapshot import Snapshot
from showcause.core.verdict import Verdict
from showcause.integrations.mlflow.artifacts import fetched
from showcause.integrations.mlflow.binding import Binding, bindings, digests
from showcause.integrations.mlflow.refs import SNAPSHOT, Located, connect, resolve
from showcause.policy.facts import ModelFacts
from showcause.policy.policy import Policy
from showcause.store.export import read_export
from showcause.store.memory import MemoryStore
from showcause.trust.sign_off import standing, verdicts, vouched
from showcause.trust.trust import Trust
from showcause.verbs.check import check
from showcause.verbs.gate import day, signed_off

ABSENT = "absent"


@dataclass(frozen=True)
class Judged:
    """What the gate found; nothing with severity "fail" among `findings` means that it may pass.

    verdict   under the policy, None where it was not asked, or there was nothing to judge; where the policy asks for the
              data, which a registry does not have, the signed verdict that had them
    """

    located: Located
    snapshot: Snapshot | None = None
    binding: Binding | None = None
    verdict: Verdict | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def passes(self) -> bool:
        return self.snapshot is not None and not any(finding.severity == "fail" for finding in self.findings)

    @property
    def refusal(self) -> Refused:
        return refused(f"{self.located} is refused", self.findings)


def refused(head: str, findings: tuple[Finding, ...]) -> Refused:
    """The error that carries findings: its message lists those that refuse, `findings` are all of them."""
    failing = [f"  {finding}" for finding in findings if finding.severity == "fail"]
    error = Refused("\n".join([head, *failing]))
    error.findings = findings
    return error


def judge(
    ref: str | Located,
    policy: Any = None,
    *,
    alias: str = "champion",
    baseline: Snapshot | None = None,
    data: Any = None,
    trust: Trust | None = None,
    at: str | None = None,
    client: Any = None,
    place: Callable[[Located], Located] = lambda located: located,
    load: bool = True,
) -> Judged:
    """The whole gate over a registered version.

    ref       models:/credit/7, models:/credit@champion
    baseline  what the policy compares with; default: what the policy's `baseline`, else the alias, names now, if that is
              an older version
    data      the rows explained, as X or (X, y), where they are at hand
    place     where an artifact URI is read from; a server reads its own store, not itself over HTTP
    load      read the model in its native format too, where it has one, and take its fingerprint again

    Raises nothing for what it finds, errors of the policy apart.
    """
    client, moment = connect(client), at or datetime.now(UTC).isoformat(timespec="seconds")
    rules = Policy.of(policy)
    located = place(ref if isinstance(ref, Located) else resolve(ref, client))
    found = carried(located, trust=trust, alias=alias, at=moment, load=load)
    snapshot = found.snapshot
    if snapshot is None:
        return found
    if baseline is None:
        baseline = standing_now(located, rules.baseline or alias, client, place)
    model = found.model if found.model is not None else facts(snapshot)
    store = MemoryStore()  # nothing around it: what lies in the working directory says nothing here
    verdict = check(
        snapshot, rules, baseline=baseline, model=model, data=data, trust=trust, store=store, on=day(moment), keep=False
    )
    grounds, reasons = _grounds(snapshot, verdict, trust, moment)
    more = [*reasons, *_sign_offs(snapshot, alias, verdict.policy, trust, moment)]
    return replace(found, verdict=grounds, findings=(*found.findings, *more), model=None)


@dataclass(frozen=True)
class Carrying(Judged):
    """`model`: as it was read from its native format; None where it was not."""

    model: Any = None


def carried(
    located: Located, *, trust: Trust | None = None, alias: str = "", at: str | None = None, load: bool = False
) -> Carrying:
    """What a model's folder carries, and whether it is whole and this model's; no policy is asked."""
    moment = at or datetime.now(UTC).isoformat(timespec="seconds")
    try:
        with fetched(located) as folder:
            snapshot, trouble = _snapshot(folder, located)
            if snapshot is None:
                return Carrying(located, findings=trouble)
            binding, problems = _binding(snapshot, folder)
            if binding is not None:
                problems += tuple(_signed(binding, snapshot, alias, trust, moment))
            model, unread = _model(folder, binding, load and not problems)
    except (ShowcauseError, OSError) as error:  # the store cannot be reached, or lists what it must not
        code = "unreadable" if not isinstance(error, NotFound) else "missing"
        return Carrying(located, findings=(Finding(code, "fail", located.ref, spoken(error)),))
    return Carrying(located, snapshot, binding, findings=(*problems, *unread), model=model)


def _snapshot(folder: Path, located: Located) -> tuple[Snapshot | None, tuple[Finding, ...]]:
    ref = located.ref
    if not (folder / SNAPSHOT).is_dir():
        said = f"it carries no {SNAPSHOT}; showcause.mlflow.log(snapshot, …) puts one there"
        return None, (Finding("missing", "fail", ref, said),)
    try:
        found = read_export(folder / SNAPSHOT)
    except (ShowcauseError, OSError) as error:
        return None, (Finding("tampered", "fail", ref, str(error)[:2_000]),)
    return replace(found, ref=ref), ()


def _binding(snapshot: Snapshot, folder: Path) -> tuple[Binding | None, tuple[Finding, ...]]:
    """The newest binding, held to this snapshot and to the files beside it."""
    ref = snapshot.ref

    def no(code: str, said: str) -> tuple[Finding, ...]:
        return (Finding(code, "fail", ref, said),)

    try:
        found = bindings(snapshot)
    except StoreError as error:
        return None, no("replayed", str(error))
    if not found:
        return None, no("unbound", "nothing says that this snapshot explains this model; log it with showcause.mlflow")
    binding = found[-1]
    if not binding.model or binding.model != snapshot.manifest.model.get("digest"):
        return binding, no("foreign", "the binding is of another model than the snapshot explains")
    try:
        there = digests(folder)
    except (ShowcauseError, OSError) as error:
        return binding, no("tampered", str(error))
    problems = binding.differences(there)
    if problems and not set(binding.files.values()) & set(there.values()):
        return binding, no("foreign", "it was logged with another model: none of the files is the one that was bound")
    if problems:
        more = f" and {len(problems) - 10} more" if len(problems) > 10 else ""
        return binding, no("stale", f"the model is not as it was explained: {'; '.join(problems[:10])}{more}")
    if binding.checked == "not":
        said = f"nobody saw that these bytes are the model explained: {binding.why}"
        return binding, no("unchecked", said)
    return binding, ()


def _signed(binding: Binding, snapshot: Snapshot, alias: str, trust: Trust | None, at: str) -> Iterator[Finding]:
    """Whose word the binding is, where the trust file asks, or somebody signed."""
    if trust is None:
        return
    roles = trust.rule(alias).bind
    if binding.envelope is None:
        if roles:
            said = f"nobody signed for the model's files; {alias} asks for one of the roles {', '.join(roles)}"
            yield Finding("unsigned", "fail", snapshot.ref, said)
        return
    good = False
    for signature in binding.envelope.signatures:
        holder = trust.holders.get(signature.keyid)
        code, problem = "", ""
        if holder is None:
            code, problem = "unknown-key", f"the key {signature.keyid[:12]} is in no entry of the trust file"
        elif not binding.envelope.signed_by(holder.public, signature):
            code, problem = "bad-signature", f"this is not what the key of {holder.name} signed"
        else:
            code, problem = standing(trust, signature.keyid, None, snapshot.record.made_at, at)
            good = good or (not code and (not roles or bool(set(roles) & set(holder.roles))))
        if code:
            yield Finding(code, "fail", f"{snapshot.ref} binding", problem)
            return
    if not good:
        said = f"who signed for the model's files has none of the roles {', '.join(roles)}"
        yield Finding("role-not-granted", "fail", f"{snapshot.ref} binding", said)


def _model(folder: Path, binding: Binding | None, load: bool) -> tuple[Any, tuple[Finding, ...]]:
    """The model itself, where its format runs no code; None where it is not read."""
    from showcause.core.errors import Corrupt, ModelError
    from showcause.integrations.mlflow.flavours import read

    if not load or binding is None:
        return None, ()
    try:
        return read(folder).native, ()
    except (ModelError, MissingExtra) as error:  # a pickle, or its library is not here: the binding stands for it
        return None, (Finding("not-loaded", "note", "model", spoken(error)),)
    except Corrupt as error:
        return None, (Finding("tampered", "fail", "model", spoken(error)),)


def facts(snapshot: Snapshot) -> ModelFacts:
    """What is known of a model whose bytes are those that were bound to its snapshot."""
    known: Mapping[str, Any] = snapshot.manifest.model
    return ModelFacts(
        str(known.get("digest", "")), bool(known.get("opaque")), str(known.get("family", "")),
        str(known.get("task", "")), tuple(known.get("classes") or ()),
        untried="a registry does not load the model; its files are those that were bound to the snapshot",
    )  # fmt: skip


def standing_now(
    located: Located, alias: str, client: Any, place: Callable[[Located], Located] = lambda located: located
) -> Snapshot | None:
    """The snapshot of the older version that an alias names now; None where there is none to compare with."""
    if located.name is None or located.version is None:
        return None
    try:
        now = place(resolve(f"models:/{located.name}@{alias}", client))
    except ShowcauseError:
        return None
    if int(now.version or 0) >= int(located.version):  # going back is on record; it is not compared with what it replaces
        return None
    try:
        with fetched(now, SNAPSHOT) as folder:
            return replace(read_export(folder / SNAPSHOT), ref=now.ref)
    except (ShowcauseError, OSError):
        return None


def _grounds(
    snapshot: Snapshot, verdict: Verdict, trust: Trust | None, at: str
) -> tuple[Verdict, list[Finding]]:
    """The verdict that the entry rests on, and why not.

    A registry has no data. Where they are all that the policy misses, a verdict that had them counts: kept beside the
    snapshot, under this very policy, blessed, and signed by somebody whom the operator trusts.
    """
    if verdict.blessed:
        return verdict, []
    refusing = [outcome for outcome in verdict.outcomes if outcome.refuses]
    if refusing and all(outcome.subject == "check/data" for outcome in refusing) and verdict.mode == "enforce":
        known = {} if trust is None else verdicts(snapshot)
        for vouch in vouched(snapshot, trust or Trust(), at=at):
            kept = known.get(str(vouch.said.get("verdict")))
            if vouch.counts and kept is not None:
                if not kept.objections(manifest=snapshot.id, policy=verdict.policy, on=day(at)):
                    return kept, []
    found = [Finding(one.code, "fail", one.subject, one.message) for one in refusing]
    return verdict, found or [Finding("not-blessed", "fail", snapshot.ref, "; ".join(map(str, verdict.reasons)))]


def _sign_offs(snapshot: Snapshot, alias: str, policy: str, trust: Trust | None, at: str) -> list[Finding]:
    try:
        signed_off(snapshot, alias, policy, trust, at)
    except Refused as error:
        return [Finding("sign-off", "fail", snapshot.ref, str(error))]
    return []
