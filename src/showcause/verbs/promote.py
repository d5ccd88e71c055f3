"""From now on the alias names this version."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from showcause.core.errors import Conflict, ParameterError, Refused
from showcause.core.snapshot import Snapshot
from showcause.environment import author
from showcause.policy.policy import Policy
from showcause.store.promotion import Promotion, log
from showcause.store.store import Store, check_name, point
from showcause.trust import keys
from showcause.trust.trust import Trust
from showcause.verbs.gate import answerable, blessed, owed, permitted, signed_off
from showcause.verbs.open import SCHEMES, at_home
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

    ref           a version of a store ("credit/7"), or of MLflow's registry ("models:/credit/7", extra [mlflow]): there
                  the files of the model are held to what was bound to the snapshot, and MLflow's own alias is set
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
    if isinstance(ref, str) and ref.startswith(SCHEMES):
        from showcause.integrations.mlflow.promote import promote as registered  # lazy, listed in the layer test

        return registered(
            ref, alias, policy=policy, baseline=baseline, model=model, data=data, trust=trust, key=key,
            passphrase=passphrase, reason=reason, break_glass=break_glass, at=at,
        )  # fmt: skip
    snapshot = ref if isinstance(ref, Snapshot) else open_ref(ref, store=store)
    home, trusted = at_home(snapshot), None if trust is None else Trust.of(trust)
    if not snapshot.record.version:
        raise ParameterError("only a version of a store can be promoted; explain with name= and store=")
    name = f"{snapshot.record.name}@{check_name(alias)}"
    signing = key if isinstance(key, keys.Key) or key is None else keys.load(key, passphrase)
    moment = at or datetime.now(UTC).isoformat(timespec="seconds")
    _whole(snapshot)
    if break_glass:
        answerable(reason, signing)
        _served(snapshot, name, home)
        said = owed(moment)
    else:
        base = _named(home, name) if baseline is None else baseline
        newer = base if not isinstance(base, Snapshot) or _before(base, snapshot) else None
        verdict = blessed(snapshot, policy, newer, model, data, trusted, moment)
        signed_off(snapshot, alias, verdict.policy, trusted, moment)
        said = {"verdict": verdict.digest, "policy": verdict.policy}
    sign = permitted(snapshot, signing, trusted, moment)
    for _ in range(100):  # another writer may take the number first
        try:
            return point(home, snapshot.ref, alias, author(), at=moment, reason=reason, sign=sign, **said)
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


def _before(baseline: Snapshot, snapshot: Snapshot) -> bool:
    """Going back to an older version is on record here; it is not compared with what replaces it."""
    return baseline.record.name != snapshot.record.name or baseline.record.version <= snapshot.record.version


def _served(snapshot: Snapshot, name: str, home: Store) -> None:
    """The alias named this very version before. Raises Refused."""
    served = {getattr(entry, "record", None) or getattr(entry, "digest", "") for entry in log(home, name)}
    if snapshot.record.digest not in served:
        raise Refused(
            f"{name} never named {snapshot.ref}; only what was served before can be restored without the gate"
        )
