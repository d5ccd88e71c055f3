"""What an alias demands before it names a version: a verdict that blesses it, sign-offs, a signer who may say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from showcause.core.errors import ParameterError, Refused
from showcause.core.snapshot import Snapshot
from showcause.core.verdict import Verdict
from showcause.store.promotion import Promotion
from showcause.trust import keys
from showcause.trust.logged import allowed, signed
from showcause.trust.sign_off import verdicts, vouched
from showcause.trust.trust import BREAK_GLASS_DAYS, Trust, unmet
from showcause.verbs.check import check

Sign = Callable[[Promotion], dict[str, Any] | None]


def day(at: str) -> str:
    """The day (UTC) of a time in ISO 8601. Raises ParameterError."""
    try:
        return datetime.fromisoformat(at).astimezone(UTC).date().isoformat()
    except (TypeError, ValueError):
        raise ParameterError(f"at must be a time such as 2026-12-31T12:00:00+00:00, got {at!r}") from None


def blessed(
    snapshot: Snapshot, policy: Any, baseline: Any, model: Any, data: Any, trust: Trust | None, at: str,
    *, store: Any = None, keep: bool = True,
) -> Verdict:  # fmt: skip
    """The verdict that lets it through: `check` under the policy or, without one, the newest that is kept beside it.
    Raises Refused."""
    if policy is not None:
        verdict = check(
            snapshot, policy, baseline=baseline, model=model, data=data, trust=trust, store=store, on=day(at), keep=keep
        )
        if verdict.blessed:
            return verdict
        raise Refused(lines(f"{snapshot.ref} is not blessed", verdict.reasons))
    kept = verdicts(snapshot)
    if not kept:
        raise Refused(f"{snapshot.ref} has no verdict; give a policy, or run showcause check {snapshot.ref}")
    verdict = kept[next(reversed(kept))]
    found = verdict.objections(manifest=snapshot.id, policy=verdict.policy, on=day(at))
    if found:
        raise Refused(lines(f"the verdict on {snapshot.ref} of {verdict.date} does not let it through", found))
    return verdict


def signed_off(snapshot: Snapshot, alias: str, policy: str, trust: Trust | None, at: str) -> None:
    """The roles that the trust file asks for have vouched under this policy, each by another person. Raises Refused."""
    if trust is None:
        return
    persons: dict[str, list[str]] = {}
    for vouch in vouched(snapshot, trust, at=at):
        if vouch.counts and vouch.said["policy"] == policy:
            persons.setdefault(vouch.who, []).append(vouch.role)
    if missing := unmet(trust.rule(alias).sign_off, persons):
        there = ", ".join(f"{who} as {' and '.join(roles)}" for who, roles in sorted(persons.items())) or "nobody"
        raise Refused(
            f"{snapshot.ref} lacks a sign-off by the role{'s' if len(missing) > 1 else ''} {', '.join(missing)} under "
            f"this policy, each by another person; signed: {there}"
        )


def answerable(reason: str, key: object) -> None:
    """Whoever breaks the glass gives a reason and answers for it. Raises ParameterError."""
    if not reason.strip():
        raise ParameterError("breaking the glass needs a reason")
    if key is None:
        raise ParameterError("breaking the glass needs a key: somebody must answer for it")


def owed(at: str) -> dict[str, Any]:
    """The fields of an entry made by breaking the glass."""
    until = datetime.fromisoformat(day(at)) + timedelta(days=BREAK_GLASS_DAYS)
    return {"break_glass": True, "review_by": until.date().isoformat()}


def permitted(snapshot: Snapshot, key: keys.Key | None, trust: Trust | None, at: str) -> Sign:
    """A function from an entry to its envelope, once the trust file lets its signer make it. It raises Refused."""
    model = snapshot.manifest.model.get("digest", "")

    def made(entry: Promotion) -> dict[str, Any] | None:
        envelope = None if key is None else signed(entry, model, key)
        if trust is not None:
            code, problem = allowed(replace(entry, envelope=envelope), trust, at=at)
            if code:
                raise Refused(f"{entry.alias} cannot be set by this: {problem} [{code}]")
        return envelope

    return made


def lines(head: str, reasons: Any) -> str:
    return "\n".join([head, *(f"  {reason}" for reason in reasons)])
