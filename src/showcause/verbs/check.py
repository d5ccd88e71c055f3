"""Does this snapshot ship under this policy?"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from showcause.adapters.model import Task
from showcause.core.diff import Diff
from showcause.core.errors import Corrupt, InputError, NotFound, ShowcauseError, StoreError
from showcause.core.finding import Finding
from showcause.core.snapshot import Snapshot
from showcause.core.verdict import Verdict
from showcause.methods import find
from showcause.policy.facts import Facts, ModelFacts, Signed
from showcause.policy.judge import judge
from showcause.policy.policy import Policy
from showcause.store.store import Store
from showcause.trust.sign_off import vouched
from showcause.trust.trust import Trust
from showcause.verbs import facts as gather
from showcause.verbs.open import SCHEMES
from showcause.verbs.open import open as open_snapshot

Given = Snapshot | str | os.PathLike[str]


def check(
    snapshot: Given,
    policy: Policy | str | os.PathLike[str] | Mapping[str, Any] | None = None,
    *,
    baseline: Given | None = None,
    model: Any = None,
    data: Any = None,
    model_file: str | os.PathLike[str] | None = None,
    task: Task | None = None,
    version: str | None = None,
    trust: Trust | str | os.PathLike[str] | Mapping[str, Any] | None = None,
    store: str | os.PathLike[str] | Store | None = None,
    on: str | date | None = None,
    keep: bool = True,
) -> Verdict:
    """Judge a snapshot under a policy, and keep the verdict beside it.

    snapshot    a Snapshot, a ref of the store as text, or the path of an exported folder or zip; one that cannot be
                opened is refused, not an error. Of MLflow ("models:/credit/7") the model's files are held to what was
                bound to the snapshot, without a model being given
    policy      showcause.toml, or the same as a mapping; without one nothing is ever blessed
    baseline    what to compare with; default: the alias that the policy names as `baseline`, where the store has it
    model       the model that is to ship: is it the one that was explained? Where it must not be loaded: ModelFacts,
                what is known of it
    data        the very rows that were explained, as X or (X, y): does the model still predict the same?
    model_file, task, version   the model's file, and what a bare callable needs, as for `explain`
    trust       the operator's trust file: whose signatures count; without one nobody's do
    on          the day to judge on (default: today, UTC)
    keep        whether the verdict is attached to the snapshot; an export stays as it was written

    Returns the Verdict: `blessed`, `reasons`, `outcomes` with stable codes (docs/checks.md). Raises PolicyError,
    TrustError, ParameterError, and NotFound for a baseline that is named and not there.
    """
    rules = Policy.of(policy)
    day = _day(on)
    if isinstance(snapshot, str) and snapshot.startswith(SCHEMES) and model is None:
        from showcause.integrations.mlflow.gate import verdict_on  # lazy, listed in the layer test

        against = open_snapshot(baseline) if isinstance(baseline, str | os.PathLike) else baseline
        known = None if trust is None else Trust.of(trust)
        return verdict_on(snapshot, rules, baseline=against, data=data, trust=known, on=day, keep=keep)
    subject, trouble = _opened(snapshot, store)
    named = subject.ref if subject is not None else str(snapshot)
    if subject is None:
        return judge(Facts(named, day, rules, trouble=trouble))
    home = gather.home(subject, store)
    base, why = _baseline(subject, baseline, rules, home, store)
    trouble = (*trouble, *gather.damage(subject, home))
    verdicts, strangers = gather.verdicts(subject)
    told = model if isinstance(model, ModelFacts) else None
    given = None
    if model is not None and told is None:
        given = gather.Given(model, data, task, version or rules.model.get("version"), model_file)
    model_facts, data_facts = gather.model_and_data(subject, given, data, home)
    verdict = judge(
        Facts(
            named,
            day,
            rules,
            subject,
            trouble,
            base,
            why,
            diff=None if base is None or trouble else _diff(base, subject),
            model=told or model_facts,
            data=data_facts,
            stored=gather.stored(subject, home),
            signed=None if trust is None else _signed(subject, Trust.of(trust)),
            verdicts=verdicts,
            strangers=strangers,
            methods=tuple(find()),
        )
    )
    if keep:
        keep_verdict(subject, verdict)
    return verdict


def keep_verdict(snapshot: Snapshot, verdict: Verdict) -> bool:
    """Attach the verdict; False where the snapshot lives in an export or where nothing may be added, or what is kept
    beside it is damaged."""
    attach = getattr(snapshot.objects, "attach", None)
    if attach is None or verdict.manifest is None:
        return False
    try:
        attach(verdict.manifest, "verdict", verdict.document)
    except StoreError:  # damage: the verdict says so itself. A registry that guards what serves takes nothing more
        return False
    return True


def _day(given: str | date | None) -> str:
    if given is None:
        return datetime.now(UTC).date().isoformat()
    try:
        return date.fromisoformat(str(given)).isoformat()
    except ValueError:
        raise InputError(f"on must be a day such as 2026-12-31, got {given!r}") from None


def _opened(given: Given, store: Any) -> tuple[Snapshot | None, tuple[Finding, ...]]:
    """The snapshot, or why there is none to judge."""
    if isinstance(given, Snapshot):
        return given, ()
    if isinstance(given, os.PathLike) and not Path(given).exists():
        return None, (Finding("not-found", "fail", str(given), f"there is no export at {given}"),)
    try:
        return open_snapshot(given, store=None if isinstance(given, os.PathLike) else store), ()
    except NotFound as error:
        lost = gather.named(given, store)
        return None, (Finding("lost" if lost else "not-found", "fail", str(given), str(error)),)
    except Corrupt as error:
        code = "replayed" if gather.misplaced(given, store) else error.code
        return None, (Finding(code, "fail", str(given), str(error)),)


def _baseline(
    snapshot: Snapshot, given: Given | None, rules: Policy, home: Store | None, store: Any
) -> tuple[Snapshot | None, str]:
    """What to compare with, or why there is nothing. Raises NotFound, Corrupt for one that is named."""
    if isinstance(given, Snapshot):
        return given, ""
    if given is not None:
        return open_snapshot(given, store=store), ""
    if not rules.baseline:
        return None, "none was given"
    ref = f"{snapshot.record.name}@{rules.baseline}"
    if home is None or not snapshot.record.name or not home.entries(ref):
        return None, f"no baseline yet: nothing is called {ref}"
    return open_snapshot(ref, store=home), ""


def _diff(before: Snapshot, after: Snapshot) -> Diff | None:
    """None where the two cannot be held against each other; the checks that need it then say that they cannot tell."""
    from showcause.verbs.diff import diff

    try:
        return diff(before, after)
    except (ShowcauseError, OSError):
        return None


STATES = {"": "good", "unknown-key": "unknown-key", "replayed": "other-snapshot", "other-verdict": "other-snapshot"}


def _signed(snapshot: Snapshot, trust: Trust) -> tuple[Signed, ...] | None:
    """Every signature beside the snapshot; what somebody said twice counts once, and is no fault."""
    found = []
    try:
        vouches = vouched(snapshot, trust)
    except (ShowcauseError, OSError):  # damage, which is found apart
        return ()
    for vouch in vouches:
        if vouch.code == "duplicate":
            continue
        state: Any = STATES.get(vouch.code, "bad")
        who = vouch.who or f"key {vouch.keyid[:12]}"
        policy = str(vouch.said.get("policy") or "")
        found.append(Signed(state, who, vouch.role, policy, f"{vouch.problem} [{vouch.code}]"))
    return tuple(found)
