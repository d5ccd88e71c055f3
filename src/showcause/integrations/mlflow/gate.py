"""May an alias name this registered version? The one answer that client and server give.

The snapshot that travels with the version is read with every digest checked; the binding that travels with it must be
about this snapshot and fit every file of the model; then the policy judges, and the operator's trust says whose
signatures count. No tag is believed. A model is never unpickled here, and on a server never loaded at all: that these
bytes are the model explained was seen when the snapshot was logged, and the binding says so (binding.py). Where that
must not rest on whoever could write the artifacts, `bind` in the trust file names roles, one of which must have signed.

Whatever cannot be read refuses.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from showcause.core.errors import MissingExtra, NotFound, Refused, ShowcauseError, StoreError, spoken
from showcause.core.finding import Finding, Outcome
from showcause.core.snapshot import Snapshot
from showcause.core.verdict import NOT_BLESSED, REPLAYED, Verdict
from showcause.integrations.mlflow import ledger
from showcause.integrations.mlflow.artifacts import fetched
from showcause.integrations.mlflow.binding import MLMODEL, Binding, bindings, description, digests
from showcause.integrations.mlflow.carry import Carried, fetch
from showcause.integrations.mlflow.flavours import flavour
from showcause.integrations.mlflow.refs import SNAPSHOT, Located, connect, parsed, resolve
from showcause.policy.facts import Facts, ModelFacts
from showcause.policy.judge import judge as by_policy
from showcause.policy.policy import Policy
from showcause.store.export import read_export
from showcause.store.memory import MemoryStore
from showcause.trust.dsse import Envelope, Signature
from showcause.trust.logged import overdue
from showcause.trust.sign_off import now, standing, verdicts, vouched
from showcause.trust.trust import Trust
from showcause.verbs.check import check, keep_verdict
from showcause.verbs.gate import day, signed_off

# The codes of the checks (docs/checks.md) that speak of the same.
MISSING, TAMPERED, STALE, FOREIGN, REVIEW, SIGNATURES = "SC001", "SC002", "SC005", "SC006", "SC014", "SC015"
PAGE = 1_000
TROUBLE = {MISSING: "not-found", TAMPERED: "corrupt"}


@dataclass(frozen=True)
class Judged:
    """What the gate found; nothing with severity "fail" among `findings` means that it may pass.

    verdict   under the policy, None where it was not asked
    grounds   the verdict that an entry rests on: this one or, where the policy asks for the data, which a registry does
              not have, the signed verdict that had them; None where nothing lets it pass
    model     as it was read from its native format, None where it was not
    """

    located: Located
    snapshot: Snapshot | None = None
    binding: Binding | None = None
    verdict: Verdict | None = None
    grounds: Verdict | None = None
    findings: tuple[Finding, ...] = ()
    model: Any = None

    @property
    def passes(self) -> bool:
        return self.snapshot is not None and not any(finding.severity == "fail" for finding in self.findings)

    @property
    def refusal(self) -> Refused:
        return Refused.of(f"{self.located} is refused", self.findings)


def judge(
    ref: str | Located,
    policy: Any = None,
    *,
    alias: str = "champion",
    baseline: Snapshot | None = None,
    data: Any = None,
    trust: Trust | None = None,
    at: str | None = None,
    on: str | None = None,
    client: Any = None,
    place: Callable[[Located], Located] = lambda located: located,
    load: bool = True,
) -> Judged:
    """The whole gate over a registered version.

    ref       models:/credit/7, models:/credit@champion
    baseline  what the policy compares with; default: what the policy's `baseline`, else the alias, names now, if it
              is an older version
    data      the rows explained, as X or (X, y), where they are at hand
    at, on    the time that trust, and the day that the policy is judged at; default: now
    place     where an artifact URI is read from; a server reads its own store, not itself over HTTP
    load      read the model in its native format too, where it has one, and take its fingerprint again

    Raises nothing for what it finds, errors of the policy apart.
    """
    client, moment = connect(client), at or datetime.now(UTC).isoformat(timespec="seconds")
    rules, today = Policy.of(policy), on or day(moment)
    located = place(ref if isinstance(ref, Located) else resolve(ref, client))
    found = carried(located, trust=trust, alias=alias, at=moment, load=load)
    snapshot = found.snapshot
    if snapshot is None:
        trouble = tuple(replace(one, code=TROUBLE[one.code]) for one in found.findings)
        verdict = by_policy(Facts(located.ref, today, rules, trouble=trouble))
        return replace(found, verdict=verdict, findings=tuple(_refusing(verdict)))
    if baseline is None:
        baseline = standing_now(located, rules.baseline or alias, client, place)
    bad = [finding for finding in found.findings if finding.severity == "fail"]
    model = None if bad else found.model if found.model is not None else facts(snapshot)
    store = MemoryStore()  # nothing around it: what lies in the working directory says nothing here
    judged = check(
        snapshot, rules, baseline=baseline, model=model, data=data, trust=trust, store=store, on=today, keep=False
    )
    verdict = _with(judged, [*bad, *_sign_offs(snapshot, alias, rules.digest, trust, moment)])
    grounds = _grounds(snapshot, verdict, trust, moment)
    more = [] if grounds is not None else list(_refusing(verdict))
    notes = [finding for finding in found.findings if finding.severity != "fail"]
    return replace(found, verdict=verdict, grounds=grounds, findings=(*more, *notes))


def verdict_on(
    ref: str, policy: Any = None, *, baseline: Snapshot | None = None, data: Any = None, trust: Trust | None = None,
    on: str | None = None, keep: bool = True, client: Any = None,
) -> Verdict:  # fmt: skip
    """What `showcause.check` says of a version, an alias or a logged model of MLflow, its files held to the binding.

    Of an alias its rules in the trust file are asked too, and a review that is overdue refuses. Raises PolicyError,
    TrustError, StoreError.
    """
    client, alias = connect(client), (parsed(ref).alias or "") if ref.startswith("models:/") else ""
    rules, today = Policy.of(policy), on or day(now())
    try:
        located = resolve(ref, client)
    except NotFound as error:
        return by_policy(Facts(ref, today, rules, trouble=(Finding("not-found", "fail", ref, str(error)),)))
    if not located.model:  # a run's own snapshot is bound to no files
        return check(fetch(located, client), rules, baseline=baseline, data=data, trust=trust, on=today, keep=keep)
    judged = judge(located, rules, alias=alias, baseline=baseline, data=data, trust=trust, on=today, client=client)
    verdict = judged.verdict
    assert verdict is not None
    if alias and located.name is not None:
        owed, late = overdue(ledger.entries(client, located.name, alias), today)
        verdict = _with(verdict, [Finding(REVIEW, "fail", ref, owed)]) if late else verdict
    if keep and judged.snapshot is not None:
        keep_verdict(replace(judged.snapshot, objects=Carried(located, judged.snapshot)), verdict)
    return verdict


def everything(client: Any = None) -> list[str]:
    """What aliases name, and the newest version of every registered model that no alias names."""
    client, found, token = connect(client), [], None
    while True:
        page = client.search_registered_models(max_results=PAGE, page_token=token)
        for model in page:
            found += [f"models:/{model.name}@{alias}" for alias in sorted(model.aliases)]
            newest = max((int(version.version) for version in model.latest_versions), default=0)
            if newest and str(newest) not in {str(version) for version in model.aliases.values()}:
                found.append(f"models:/{model.name}/{newest}")
        token = page.token
        if not token:
            return found


def _with(verdict: Verdict, bad: Sequence[Finding]) -> Verdict:
    """What was found about the model's files, in the place of the check that could not know."""
    codes = {finding.code for finding in bad}
    kept = [outcome for outcome in verdict.outcomes if outcome.code not in codes or outcome.refuses]
    new = [Outcome(one.code, "fail", "fail", one.subject, one.message) for one in bad]
    return replace(verdict, outcomes=tuple(sorted([*kept, *new], key=lambda outcome: outcome.code)))


def _refusing(verdict: Verdict) -> Iterator[Finding]:
    """Every reason of a verdict as a finding."""
    refusing = [outcome for outcome in verdict.outcomes if outcome.refuses]
    for one in refusing:
        yield Finding(one.code, "fail", one.subject, one.message)
    if not refusing and not verdict.blessed:
        yield Finding(NOT_BLESSED, "fail", verdict.ref, "; ".join(map(str, verdict.reasons)))


def carried(
    located: Located, *, trust: Trust | None = None, alias: str = "", at: str | None = None, load: bool = False
) -> Judged:
    """What a model's folder carries, and whether it is whole and this model's; no policy is asked."""
    moment = at or datetime.now(UTC).isoformat(timespec="seconds")
    try:
        with fetched(located) as folder:
            snapshot, trouble = _snapshot(folder, located)
            if snapshot is None:
                return Judged(located, findings=trouble)
            binding, problems = _binding(snapshot, folder)
            if binding is not None:
                problems += tuple(_signed(binding, snapshot, alias, trust, moment))
            model, unread = _model(folder, binding, load and not problems)
    except (ShowcauseError, OSError) as error:  # the store cannot be reached, or lists what it must not
        code = MISSING if isinstance(error, NotFound) else TAMPERED
        return Judged(located, findings=(Finding(code, "fail", located.ref, spoken(error)),))
    return Judged(located, snapshot, binding, findings=(*problems, *unread), model=model)


def _snapshot(folder: Path, located: Located) -> tuple[Snapshot | None, tuple[Finding, ...]]:
    ref = located.ref
    if not (folder / SNAPSHOT).is_dir():
        said = f"it carries no {SNAPSHOT}; showcause.mlflow.log(snapshot, …) puts one there"
        return None, (Finding(MISSING, "fail", ref, said),)
    try:
        found = read_export(folder / SNAPSHOT)
    except (ShowcauseError, OSError) as error:
        return None, (Finding(TAMPERED, "fail", ref, str(error)[:2_000]),)
    return replace(found, ref=ref), ()


def _binding(snapshot: Snapshot, folder: Path) -> tuple[Binding | None, tuple[Finding, ...]]:
    """The newest binding, held to this snapshot and to the files beside it."""
    ref = snapshot.ref

    def no(code: str, said: str) -> tuple[Finding, ...]:
        return (Finding(code, "fail", ref, said),)

    try:
        found = bindings(snapshot)
    except StoreError as error:
        return None, no(REPLAYED, str(error))
    if not found:
        return None, no(STALE, "nothing says that this snapshot explains this model; log it with showcause.mlflow")
    binding = found[-1]
    if not binding.model or binding.model != snapshot.manifest.model.get("digest"):
        return binding, no(FOREIGN, "the binding is of another model than the snapshot explains")
    try:
        there = digests(folder)
    except (ShowcauseError, OSError) as error:
        return binding, no(TAMPERED, str(error))
    problems = binding.differences(there)
    if problems and (said := _elsewhere(snapshot, binding, folder, there)):
        return binding, no(FOREIGN, f"this snapshot is another model's: {said}")
    if problems:
        more = f" and {len(problems) - 10} more" if len(problems) > 10 else ""
        return binding, no(STALE, f"the model is not as it was explained: {'; '.join(problems[:10])}{more}")
    if binding.checked == "not":
        said = f"nobody saw that these bytes are the model explained: {binding.why}"
        return binding, no(STALE, said)
    return binding, ()


def _elsewhere(snapshot: Snapshot, binding: Binding, folder: Path, there: Mapping[str, str]) -> str:
    """Why a snapshot whose files do not fit is another model's, rather than this one's before it was changed."""
    if not set(binding.files.values()) & set(there.values()):
        return "none of the files is one that was bound"
    try:
        described = description(folder / MLMODEL)
    except ShowcauseError:
        return ""
    if (found := flavour(described)) != binding.flavour:
        return f"it is of flavour {found}, the snapshot's of {binding.flavour}"
    order, columns = set(snapshot.manifest.data.get("order") or ()), _columns(described)
    if columns and columns != order:
        return f"their columns differ: {', '.join(sorted(columns ^ order)[:6])}"
    return ""


def _columns(described: Mapping[str, Any]) -> set[str]:
    """The names of the columns that the model's signature asks for; empty where it has none."""
    said = described.get("signature")
    try:
        inputs = json.loads(said["inputs"]) if isinstance(said, Mapping) else []
        return {str(column["name"]) for column in inputs}
    except (KeyError, TypeError, ValueError):
        return set()


def _signed(binding: Binding, snapshot: Snapshot, alias: str, trust: Trust | None, at: str) -> Iterator[Finding]:
    """Whose word the binding is, where the trust file asks, or somebody signed."""
    if trust is None:
        return
    roles = trust.rule(alias).bind
    if binding.envelope is None:
        if roles:
            said = f"nobody signed for the model's files; {alias} asks for one of the roles {', '.join(roles)}"
            yield Finding(REVIEW, "fail", snapshot.ref, said)
        return
    for signature in binding.envelope.signatures:
        if problem := _doubt(binding.envelope, signature, snapshot, trust, at):
            yield Finding(SIGNATURES, "fail", f"{snapshot.ref} binding", problem)
            return
    holders = [trust.holders[signature.keyid] for signature in binding.envelope.signatures]
    if roles and not any(set(roles) & set(holder.roles) for holder in holders):
        said = (
            f"{', '.join(holder.name for holder in holders)}, who signed for the model's files, has none of the roles"
        )
        yield Finding(REVIEW, "fail", f"{snapshot.ref} binding", f"{said} {', '.join(roles)}")


def _doubt(envelope: Envelope, signature: Signature, snapshot: Snapshot, trust: Trust, at: str) -> str:
    """Why a signature under a binding does not count; "" where it does."""
    holder = trust.holders.get(signature.keyid)
    if holder is None:
        return f"the key {signature.keyid[:12]} is in no entry of the trust file [unknown-key]"
    if not envelope.signed_by(holder.public, signature):
        return f"this is not what the key of {holder.name} signed [bad-signature]"
    code, problem = standing(trust, signature.keyid, None, snapshot.record.made_at, at)
    return f"{problem} [{code}]" if code else ""


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
        return None, (Finding(TAMPERED, "fail", "model", spoken(error)),)


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
    if located.name is None or located.version is None or not alias:
        return None
    try:
        base = place(resolve(f"models:/{located.name}@{alias}", client))
    except ShowcauseError:
        return None
    if int(base.version or 0) >= int(located.version):  # going back is on record, and not compared
        return None
    try:
        with fetched(base, SNAPSHOT) as folder:
            return replace(read_export(folder / SNAPSHOT), ref=base.ref)
    except (ShowcauseError, OSError):
        return None


def _grounds(snapshot: Snapshot, verdict: Verdict, trust: Trust | None, at: str) -> Verdict | None:
    """The verdict that an entry rests on, None where there is none.

    A registry has no data. Where they are all that the policy misses, a verdict that had them counts: kept beside the
    snapshot, under this very policy, blessed, and signed by somebody whom the operator trusts.
    """
    if verdict.blessed:
        return verdict
    refusing = [outcome for outcome in verdict.outcomes if outcome.refuses]
    if trust is None or not refusing or verdict.mode != "enforce":
        return None
    if any(outcome.subject != "check/data" for outcome in refusing):
        return None
    known = verdicts(snapshot)
    for vouch in vouched(snapshot, trust, at=at):
        kept = known.get(str(vouch.said.get("verdict")))
        if not vouch.counts or kept is None:
            continue
        if not kept.objections(manifest=snapshot.id, policy=verdict.policy, on=day(at)):
            return kept
    return None


def _sign_offs(snapshot: Snapshot, alias: str, policy: str, trust: Trust | None, at: str) -> list[Finding]:
    try:
        signed_off(snapshot, alias, policy, trust, at)
    except Refused as error:
        return [Finding(REVIEW, "fail", snapshot.ref, str(error))]
    return []
