"""Is everything still as it was stored, and who vouches for it?"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from showcause.core.errors import Corrupt, ParameterError, ShowcauseError
from showcause.core.finding import Finding
from showcause.core.snapshot import Snapshot
from showcause.store.export import INDEX, read_export, verify_export
from showcause.store.folder import MARK, FolderStore
from showcause.store.promotion import Promotion, log
from showcause.store.store import Store, open_ref
from showcause.trust.logged import findings as of_log
from showcause.trust.sign_off import findings
from showcause.trust.trust import Trust
from showcause.verbs.open import DEFAULT_STORE, SCHEMES, open
from showcause.verbs.recheck import Given, recheck


def verify(
    where: str | os.PathLike[str] | Store | Snapshot = DEFAULT_STORE,
    *,
    trust: Trust | str | os.PathLike[str] | Mapping[str, Any] | None = None,
    at: str | None = None,
    heads: Mapping[str, str] | None = None,
    store: str | os.PathLike[str] | Store | None = None,
    model: Any = None,
    data: Any = None,
    train: Any = None,
    background: Any = None,
    context: Any = None,
    ids: Sequence[Any] | None = None,
    version: str | None = None,
    rerun: int = 50,
    seed: int | None = None,
) -> list[Finding]:
    """Read every byte again; each finding names the file, record or signature that is not as it must be.

    where   a store or its folder, an exported folder or zip, a Snapshot, a REF such as "credit/7" in `store`, or one of
            MLflow ("models:/credit/7"): its snapshot, the model's files and the logs of its aliases
    trust   the operator's trust file (a path, or its content): whose signatures count. Notes say who vouched for what
            under which policy; without it nobody is known
    at      the time that trust is judged at, ISO 8601; default: now
    heads   alias → the digest of an entry of its log that you remember ("credit@champion": …): it must still be there

    With a model and its data the stored explanations are also made again (verbs/recheck.py), which finds a forger who
    has rewritten the digests too:

    model, data     of one snapshot: the model, and X, (X, y) or one frame with all columns
    train, background, context, ids, version   as they were given to `explain`; what rests on one that is left out
                    cannot be made again, and is named
    rerun, seed     how many pieces are made again, and the seed of their choice (default: drawn)

    No finding of severity "fail" means: whole and unchanged. Raises NotFound where there is nothing, TrustError,
    ParameterError, InputError where the model or the data cannot be used.
    """
    if (model is None) != (data is None):
        raise ParameterError("to make explanations again give both model= and data=")
    if model is not None:
        snapshot = where if isinstance(where, Snapshot) else _opened(where, store)
        given = Given(model, data, train, background, context, ids, version)
        found = verify(snapshot, trust=trust, at=at)
        broken = any(finding.severity == "fail" and finding.code == "corrupt" for finding in found)
        return found if broken else [*found, *recheck(snapshot, given, rerun=rerun, seed=seed)]
    trusted = None if trust is None else Trust.of(trust)
    if isinstance(where, Snapshot):
        return [*_artifacts(where), *findings(where, trusted, at=at)]
    if not isinstance(where, str | os.PathLike):
        return [*where.verify(), *_all_signatures(where, trusted, at), *_logs(where, trusted, at, heads or {})]
    if str(where).startswith(SCHEMES):
        from showcause.integrations.mlflow.verify import verify as registered  # lazy, listed in the layer test

        return registered(str(where), trusted, at=at, heads=heads)
    path = Path(where)
    if store is None and (path.suffix == ".zip" or (path / INDEX).exists() or (path / "manifest.json").exists()):
        found = list(verify_export(path))
        return found if found else list(findings(read_export(path), trusted, at=at))
    if store is None and (
        (path / MARK).exists() or path.exists() or str(where).startswith((".", "~")) or path.is_absolute()
    ):
        return verify(FolderStore(path, create=False), trust=trusted, at=at, heads=heads)
    home = DEFAULT_STORE if store is None else store
    home = FolderStore(home, create=False) if isinstance(home, str | os.PathLike) else home
    try:
        snapshot = open_ref(home, str(where))
    except Corrupt as error:
        return [Finding(error.code, "fail", str(where), str(error))]
    return verify(snapshot, trust=trusted, at=at)


def _opened(where: str | os.PathLike[str] | Store, store: str | os.PathLike[str] | Store | None) -> Snapshot:
    if not isinstance(where, str | os.PathLike):
        raise ParameterError("explanations are made again for one snapshot; name it, such as credit/7")
    return open(where, store=store)


def _artifacts(snapshot: Snapshot) -> Iterator[Finding]:
    for name in snapshot:
        try:
            snapshot[name]
        except (ShowcauseError, OSError) as error:
            code = str(getattr(error, "code", "unreadable"))
            yield Finding(code, "fail", f"{snapshot.ref} {name}", str(error))


def _logs(store: Store, trust: Trust | None, at: str | None, heads: Mapping[str, str]) -> Iterator[Finding]:
    """Of every alias in a store; a log that does not hold together was named when it was read."""
    for alias, digest in heads.items():
        try:
            there = digest in store.entries(alias)
        except ShowcauseError:
            there = False
        if not there:
            yield Finding("cut-off", "fail", alias, f"its log no longer holds the entry {digest[:12]}")
    for alias in store.refs():
        if "@" in alias:
            try:
                entries = [entry for entry in log(store, alias) if isinstance(entry, Promotion)]
            except (ShowcauseError, OSError):
                continue
            yield from of_log(entries, trust, at=at)


def _all_signatures(store: Store, trust: Trust | None, at: str | None) -> Iterator[Finding]:
    """Of every version in a store; what cannot be opened was named when its bytes were read."""
    for name in store.refs():
        if "@" in name:
            continue
        try:
            for number in range(1, len(store.entries(name)) + 1):
                yield from findings(open_ref(store, f"{name}/{number}"), trust, at=at)
        except (ShowcauseError, OSError):
            continue
