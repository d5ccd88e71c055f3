"""From now on the alias names this version."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from showcause.core.errors import Conflict, ParameterError, Refused
from showcause.core.snapshot import Snapshot
from showcause.core.verdict import Verdict
from showcause.environment import author
from showcause.policy.policy import Policy
from showcause.store.promotion import Promotion, log
from showcause.store.store import Store, check_name, point
from showcause.trust import keys
from showcause.trust.logged import allowed, signed
from showcause.trust.sign_off import verdicts, vouched
from showcause.trust.trust import BREAK_GLASS_DAYS, Trust, unmet
from showcause.verbs.check import check
from showcause.verbs.open import at_home
from showcause.verbs.open import open as open_ref

Path = str | os.PathLike[str]


def promote(
    ref: str | Snapshot,
    alias: str = "champion",
    *,
    policy: Policy | Path | Mapping[str, Any] | None = None,
    baseline: Snapshot | Path | None = None,
    model: Any = None,
    data: Any = None,
    trust: Trust | Path | Mapping[str, Any] | None = None,
    key: Path | keys.Key | None = None,
    passphrase: str | None = None,
    reason: str = "",
    break_glass: bool = False,
    at: str | None = None,
    store: Path | Store | None = None,
) -> Promotion:
    """Let `NAME@alias` name a version, if the gate lets it through, and put it on the alias's log.

    policy, baseline, model, data   the gate: `check` runs with them, and must bless (baseline: default what the alias
                  names now). Without a policy the newest verdict kept beside the snapshot must bless it
    trust         the operator's trust file: which roles must have signed off under that policy, and who may promote
    key           signs the entry; needed where the trust file says who may
    break_glass   restore, at once and whatever the gate says, a version that the alias named before. Needs a `reason`
                  and a `key`, and where there is a trust file a role in its break_glass; the gate must be passed
                  within seven days, or `verify` fails
    at            the time of the entry (ISO 8601); default: now

    Returns the entry. Raises Refused with every reason, ParameterError, NotFound, Corrupt, TrustError.
    """
    snapshot = ref if isinstance(ref, Snapshot) else open_ref(ref, store=store)
    home, trusted = at_home(snapshot), None if trust is None else Trust.of(trust)
    if not snapshot.record.version:
        raise ParameterError("only a version of a store can be promoted; explain with name= and store=")
    name = f"{snapshot.record.name}@{check_name(alias)}"
    signing = key if isinstance(key, keys.Key) or key is None else keys.load(key, passphrase)
    moment = at or datetime.now(UTC).isoformat(timespec="seconds")
    _whole(snapshot)
    if break_glass:
        said = _broken(snapshot, name, home, reason, signing, moment)
    else:
        before = None if isinstance(baseline, Snapshot) or baseline is not None else _named(home, name)
        verdict = _blessed(snapshot, policy, baseline or before, model, data, trusted, moment)
        _signed_off(snapshot, alias, verdict, trusted, moment)
        said = {"verdict": verdict.digest, "policy": verdict.policy}
    made = _signing(snapshot, signing)
    for _ in range(100):  # another writer may take the number first
        try:
            return point(
                home, snapshot.ref, alias, author(), at=moment, reason=reason, sign=_permitted(made, trusted, moment),
                **said,
            )  # fmt: skip
        except Conflict:
            continue
    raise Conflict(f"{name} is being changed by others all the time; try again")


def _whole(snapshot: Snapshot) -> None:
    """Every artifact can be read. Raises Corrupt, NotFound."""
    for name in snapshot:
        snapshot[name]


def _named(home: Store, name: str) -> Snapshot | None:
    """What the alias names now."""
    return open_ref(name, store=home) if home.entries(name) else None


def _blessed(
    snapshot: Snapshot, policy: Any, baseline: Any, model: Any, data: Any, trust: Trust | None, at: str
) -> Verdict:
    """The verdict that lets it through. Raises Refused."""
    day = datetime.fromisoformat(at).astimezone(UTC).date().isoformat()
    if policy is not None:
        newer = baseline if not isinstance(baseline, Snapshot) or _before(baseline, snapshot) else None
        verdict = check(snapshot, policy, baseline=newer, model=model, data=data, trust=trust, on=day)
        if verdict.blessed:
            return verdict
        raise Refused(_lines(f"{snapshot.ref} is not blessed", verdict.reasons))
    kept = verdicts(snapshot)
    if not kept:
        raise Refused(f"{snapshot.ref} has no verdict; give a policy, or run showcause check {snapshot.ref}")
    verdict = kept[next(reversed(kept))]
    found = verdict.objections(manifest=snapshot.id, policy=verdict.policy, on=day)
    if found:
        raise Refused(_lines(f"the verdict on {snapshot.ref} of {verdict.date} does not let it through", found))
    return verdict


def _before(baseline: Snapshot, snapshot: Snapshot) -> bool:
    """Going back to an older version is on record here; it is not compared with what replaces it."""
    return baseline.record.name != snapshot.record.name or baseline.record.version <= snapshot.record.version


def _signed_off(snapshot: Snapshot, alias: str, verdict: Verdict, trust: Trust | None, at: str) -> None:
    """The roles that the trust file asks for have vouched under this policy, each by another person."""
    if trust is None:
        return
    persons: dict[str, list[str]] = {}
    for vouch in vouched(snapshot, trust, at=at):
        if vouch.counts and vouch.said["policy"] == verdict.policy:
            persons.setdefault(vouch.who, []).append(vouch.role)
    if missing := unmet(trust.rule(alias).sign_off, persons):
        there = ", ".join(f"{who} as {' and '.join(roles)}" for who, roles in sorted(persons.items())) or "nobody"
        raise Refused(
            f"{snapshot.ref} lacks a sign-off by the role{'s' if len(missing) > 1 else ''} {', '.join(missing)} under "
            f"this policy, each by another person; signed: {there}"
        )


def _broken(snapshot: Snapshot, name: str, home: Store, reason: str, key: keys.Key | None, at: str) -> dict[str, Any]:
    """The fields of an entry made by breaking the glass. Raises ParameterError, Refused."""
    if not reason.strip():
        raise ParameterError("breaking the glass needs a reason")
    if key is None:
        raise ParameterError("breaking the glass needs a key: somebody must answer for it")
    served = {getattr(entry, "record", None) or getattr(entry, "digest", "") for entry in log(home, name)}
    if snapshot.record.digest not in served:
        raise Refused(
            f"{name} never named {snapshot.ref}; only what was served before can be restored without the gate"
        )
    day = datetime.fromisoformat(at).astimezone(UTC).date() + timedelta(days=BREAK_GLASS_DAYS)
    return {"break_glass": True, "review_by": day.isoformat()}


def _signing(snapshot: Snapshot, key: keys.Key | None) -> Callable[[Promotion], dict[str, Any] | None]:
    model = snapshot.manifest.model.get("digest", "")
    return lambda entry: None if key is None else signed(entry, model, key)


def _permitted(
    sign: Callable[[Promotion], dict[str, Any] | None], trust: Trust | None, at: str
) -> Callable[[Promotion], dict[str, Any] | None]:
    """The envelope, once the trust file lets its signer make this entry. Raises Refused."""

    def made(entry: Promotion) -> dict[str, Any] | None:
        envelope = sign(entry)
        if trust is not None:
            code, problem = allowed(replace(entry, envelope=envelope), trust, at=at)
            if code:
                raise Refused(f"{entry.alias} cannot be set by this: {problem} [{code}]")
        return envelope

    return made


def _lines(head: str, reasons: Any) -> str:
    return "\n".join([head, *(f"  {reason}" for reason in reasons)])
