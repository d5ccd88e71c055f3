"""From now on the alias of a registered model names this version, in MLflow itself."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from showcause.core.errors import Conflict, NotFound, ParameterError, Refused, StoreError
from showcause.core.finding import Finding
from showcause.core.snapshot import Snapshot
from showcause.environment import author
from showcause.integrations.mlflow import ledger
from showcause.integrations.mlflow.carry import announce
from showcause.integrations.mlflow.gate import Judged, carried, judge
from showcause.integrations.mlflow.refs import clear, connect, resolve
from showcause.store.promotion import Promotion
from showcause.trust import keys
from showcause.trust.trust import Trust
from showcause.verbs.gate import answerable, owed, permitted

GUARDED = "Showcause-Gate"  # a header of every answer of a server with our plugin
FIELD = "showcause"  # beside MLflow's own fields of the alias request: the entry that the client signed
TRIES = 20
Path = str | os.PathLike[str]


def promote(
    ref: str,
    alias: str = "champion",
    *,
    policy: Any = None,
    baseline: Snapshot | Path | None = None,
    model: Any = None,
    data: Any = None,
    trust: Trust | Path | Mapping[str, Any] | None = None,
    key: Path | keys.Key | None = None,
    passphrase: str | None = None,
    reason: str = "",
    break_glass: bool = False,
    at: str | None = None,
    client: Any = None,
) -> Promotion:
    """What `showcause.promote` does for a version of MLflow's registry; the arguments are described there.

    The gate runs here first. A server with our plugin runs it again, under its own policy and trust, writes the entry
    and sets the alias in one request; without, this client writes the entry, then sets the alias. Either way a client
    that loses the race for an entry's number is told, and tries again on top of the other's.

    Raises Refused with every finding, those of the server too; ParameterError, NotFound, StoreError, TrustError.
    """
    if model is not None:
        raise ParameterError("a registered version has its model beside it; do not give another")
    client, trusted = connect(client), None if trust is None else Trust.of(trust)
    signing = key if isinstance(key, keys.Key) or key is None else keys.load(key, passphrase)
    moment = at or datetime.now(UTC).isoformat(timespec="seconds")
    located = resolve(ref, client)
    if located.name is None or located.version is None:
        raise ParameterError(f"{ref} is no version of the registry; give models:/NAME/VERSION")
    if break_glass:
        answerable(reason, signing)
        judged, said = carried(located, at=moment), owed(moment)
    else:
        if policy is None:
            raise Refused(f"{located} is not promoted without a policy: give one (showcause.toml)")
        base = _opened(baseline)
        judged = judge(located, policy, alias=alias, baseline=base, data=data, trust=trusted, at=moment, client=client)
        grounds = judged.grounds
        said = {} if grounds is None else {"verdict": grounds.digest, "policy": grounds.policy}
    if not judged.passes:
        raise judged.refusal
    assert judged.snapshot is not None
    sign = permitted(judged.snapshot, signing, trusted, moment)
    guarded = is_guarded(client, located.name)
    for _ in range(TRIES):
        log = ledger.entries(client, located.name, alias)
        if break_glass:
            before(log, judged)
        entry = entered(judged, alias, log, by=author(), at=moment, reason=reason, **said)
        entry = replace(entry, envelope=sign(entry))
        try:
            (_ask if guarded else _write)(client, entry, located.name, located.version)
            _announced(judged, client)
            return entry
        except Conflict:
            continue
    raise Conflict(f"{located.name}@{alias} is being changed by others all the time; try again")


def _announced(judged: Judged, client: Any) -> None:
    """Tags and description of the version, for people. The alias stands: what fails here is said and undoes nothing."""
    assert judged.snapshot is not None
    try:
        announce(judged.located, judged.snapshot, client)
    except StoreError as error:
        logging.getLogger("showcause").warning("%s is promoted, and not described: %s", judged.located, error)


def entered(judged: Judged, alias: str, log: list[Promotion], *, by: str, at: str, **said: Any) -> Promotion:
    """The entry that comes next in the log, not signed yet."""
    located, snapshot = judged.located, judged.snapshot
    assert snapshot is not None
    previous = log[-1].digest if log else None
    return Promotion(
        f"{located.name}@{alias}", len(log) + 1, previous, located.ref, snapshot.record.digest, snapshot.id, at, by,
        **said,
    )  # fmt: skip


def before(log: list[Promotion], judged: Judged) -> None:
    """The alias named this very version, with this very snapshot, before. Raises Refused."""
    assert judged.snapshot is not None
    if not ledger.served(log, judged.located.ref, judged.snapshot.id):
        said = f"the alias never named {judged.located}; only what was served before is restored without the gate"
        raise Refused.of(f"{judged.located} is refused", [Finding("never-served", "fail", judged.located.ref, said)])


def _opened(given: Snapshot | Path | None) -> Snapshot | None:
    from showcause.verbs.open import open as open_ref

    return given if given is None or isinstance(given, Snapshot) else open_ref(given)


def _write(client: Any, entry: Promotion, name: str, version: str) -> None:
    """Entry and alias, by this client. Raises Conflict."""
    alias = entry.alias.rpartition("@")[2]
    ledger.append(client, name, entry)
    with clear(f"{name}@{alias}"):
        ledger.follow(client, name, alias, lambda number: client.set_registered_model_alias(name, alias, number))


def is_guarded(client: Any, name: str) -> bool:
    """Whether the registry is behind a server with our plugin. Raises StoreError, NotFound."""
    answer = _request(client, "GET", "registered-models/get", {"name": name})
    return answer is not None and GUARDED in answer.headers


def _ask(client: Any, entry: Promotion, name: str, version: str) -> None:
    """One request to a server with our plugin: the alias, and the entry that says why. Raises Conflict, Refused."""
    fields = {"name": name, "alias": entry.alias.rpartition("@")[2], "version": version}
    _request(client, "POST", "registered-models/alias", {**fields, FIELD: entry.document.decode()})


def _request(client: Any, method: str, what: str, fields: dict[str, str]) -> Any:
    """MLflow's REST, with the address and credentials that its client has; None where it talks to no server."""
    from mlflow.utils.rest_utils import http_request

    store = client._get_registry_client().store
    credentials = getattr(store, "get_host_creds", None)
    if credentials is None:
        return None
    body = {"params": fields} if method == "GET" else {"json": fields}
    with clear(what):
        answer = http_request(credentials(), f"/api/2.0/mlflow/{what}", method, raise_on_status=False, **body)
    if answer.status_code == 200:
        return answer
    raise _said(answer, what)


def _said(answer: Any, what: str) -> Exception:
    """The error that an answer comes to."""
    try:
        told = json.loads(answer.text)
        said, code = str(told["message"])[:10_000], str(told.get("error_code", ""))
        findings = [Finding(**finding) for finding in told.get("findings", ())]
    except (ValueError, KeyError, TypeError):
        said, code, findings = f"{answer.status_code} {answer.text[:500]}", "", []
    if any(finding.code == "conflict" for finding in findings):
        return Conflict(said)
    if answer.status_code == 409:
        return Refused.of("the server refuses", findings) if findings else Refused(said)
    if code == "RESOURCE_DOES_NOT_EXIST":
        return NotFound(f"MLflow has no such thing: {said}")
    return StoreError(f"{what}: MLflow says: {said}")
