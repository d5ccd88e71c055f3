"""One zip with all that a version of one day rests on, and a verifier that needs Python alone."""

from __future__ import annotations

import inspect
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from showcause.core import canonical
from showcause.core.errors import NotFound, ParameterError
from showcause.core.snapshot import Manifest, Record, Snapshot
from showcause.policy import grammar
from showcause.policy.evidence import evidence as mapped
from showcause.policy.policy import Policy
from showcause.store.export import contents, zipped
from showcause.store.folder import FolderStore
from showcause.store.promotion import Promotion, log
from showcause.store.store import Store, check_name
from showcause.trust import ed25519, standalone
from showcause.trust.trust import Trust
from showcause.verbs.open import DEFAULT_STORE

FORMAT = "showcause-evidence/1"
README = """Evidence for {alias} on {on}: {ref}

verify.py            checks all of this with Python 3.11 alone: python -I -S verify.py THIS.zip --trust YOUR-TRUST.toml
snapshot/            the snapshot as it was exported, with verdicts and signatures in attached/
log/                 what the alias named up to that day; each entry names the one before
policy.*             the policy of the verdict; absent where it was not at hand
keys.json            public keys as the trust file had them when this was packed; yours decides
reports/             for the engineer, for the officer
model-card.md        for people and for the Hugging Face Hub
mapping.json         which part speaks to which provision of law; present or absent, never compliant
evidence.json        the digest of every file
"""


@dataclass(frozen=True)
class Day:
    """The log of an alias up to a day: bytes of its entries, and the record that the last one names."""

    entries: tuple[bytes, ...]
    record: Record


def evidence(
    name: str,
    out: str | os.PathLike[str] | None = None,
    *,
    on: str | date | None = None,
    alias: str = "champion",
    policy: str | os.PathLike[str] | None = None,
    trust: Trust | str | os.PathLike[str] | Mapping[str, Any] | None = None,
    store: str | os.PathLike[str] | Store | None = None,
) -> Path:
    """Write the zip for the version that `name@alias` named at the end of a day (UTC), and return its path.

    on       the day; default: today. out: default NAME-DAY.zip
    policy   showcause.toml as it was; packed where its digest is that of a verdict beside the snapshot
    trust    whose public keys are packed, so that signatures can be checked at all

    The same store, day and files give the same bytes. Raises NotFound where the alias named nothing on that day,
    ParameterError for a policy of another digest or a file that is there already, Corrupt.
    """
    day = _day(on)
    home = DEFAULT_STORE if store is None else store
    found = FolderStore(home, create=False) if isinstance(home, str | os.PathLike) else home
    key = f"{check_name(name)}@{check_name(alias)}"
    that = _on(found, key, day)
    snapshot = Snapshot(
        Manifest.read(found.get(that.record.manifest)), that.record, found, f"{name}/{that.record.version}"
    )
    target = Path(out or f"{name}-{day}.zip")
    if target.exists():
        raise ParameterError(f"{target} is there already; give a new path")
    files = {f"snapshot/{path}": data for path, data in contents(snapshot).items()}
    files |= {f"log/{number:06d}.json": data for number, data in enumerate(that.entries, 1)}
    files |= _policy(snapshot, policy) | _reports(snapshot)
    files["keys.json"] = canonical.dumps(_keys(Trust.of(trust)))
    files["mapping.json"] = canonical.dumps([one.fields for one in mapped(snapshot)])
    files["model-card.md"] = snapshot.card().encode()
    files["README.txt"] = README.format(alias=key, on=day, ref=snapshot.ref).encode()
    files["verify.py"] = verifier().encode()
    index = {
        "format": FORMAT, "alias": key, "on": day, "ref": snapshot.ref, "id": snapshot.id,
        "files": {path: canonical.digest(data) for path, data in files.items()},
    }  # fmt: skip
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(zipped({**files, "evidence.json": canonical.dumps(index)}))
    return target


def verifier() -> str:
    """The verifier as one file: its own source, and that of Ed25519 within it."""
    inner = f"ed25519 = types.ModuleType('ed25519')\nexec({inspect.getsource(ed25519)!r}, ed25519.__dict__)\n"
    source = inspect.getsource(standalone)
    return source.replace("from showcause.trust import ed25519\n", f"import types\n\n{inner}")


def _day(given: str | date | None) -> str:
    from datetime import UTC, datetime

    try:
        return (datetime.now(UTC).date() if given is None else date.fromisoformat(str(given))).isoformat()
    except ValueError:
        raise ParameterError(f"on must be a day such as 2026-03-03, got {given!r}") from None


def _on(store: Store, alias: str, day: str) -> Day:
    """The entries of days up to `day`. Raises NotFound, Corrupt."""
    kept: list[bytes] = []
    record: Record | None = None
    for entry in log(store, alias):
        moment = entry.at if isinstance(entry, Promotion) else entry.made_at
        if moment[:10] > day:
            break
        kept.append(entry.document)
        record = Record.read(store.get(entry.record)) if isinstance(entry, Promotion) else entry
    if record is None:
        raise NotFound(f"{alias} named nothing on {day}; see showcause log {alias}")
    return Day(tuple(kept), record)


def _policy(snapshot: Snapshot, path: str | os.PathLike[str] | None) -> dict[str, bytes]:
    """The policy as written and in canonical form, whose digest verdicts name. Raises ParameterError."""
    if path is None:
        return {}
    import tomllib

    text = Path(path).read_bytes()
    plain = grammar.plain(tomllib.loads(text.decode()))
    if "features" in plain:
        plain["features"] = {name: entry for name, entry in plain["features"].items() if entry}
    data = canonical.dumps(plain)
    rules = Policy.of(path)
    named = {canonical.loads(document)["policy"] for document in snapshot.attached("verdict")}
    if rules.digest not in named or canonical.digest(data) != rules.digest:
        raise ParameterError(
            f"{path} is the policy {rules.digest[:12]}; the verdicts on {snapshot.ref} are under others"
        )
    return {"policy.toml": text, "policy.json": data}


def _reports(snapshot: Snapshot) -> dict[str, bytes]:
    found = {}
    with tempfile.TemporaryDirectory(prefix="showcause-") as work:
        for audience in ("engineer", "officer"):
            page = snapshot.report(Path(work) / f"{audience}.html", audience=audience)
            found[f"reports/{audience}.html"] = page.read_bytes()
    return found


def _keys(trust: Trust) -> dict[str, Any]:
    return {
        key: {
            "name": one.name,
            "public": one.public.hex(),
            "roles": list(one.roles),
            "revoked": one.revoked,
            "until": one.until,
        }
        for key, one in trust.holders.items()
    }
