"""Snapshots for what is registered already.

The registry itself remembers how far it got: a version that carries a snapshot is left alone, so that an interrupted
run goes on where it stopped, and nothing is ever overwritten. Artifacts that were finished lie in the store and are not
made again. Law: after any interruption and one more run every version is as after a run without interruption.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from showcause.adapters.recast import recast
from showcause.core.errors import ParameterError, ShowcauseError, spoken
from showcause.core.snapshot import Snapshot
from showcause.integrations.mlflow import carry, flavours, refs
from showcause.integrations.mlflow.artifacts import listing
from showcause.integrations.mlflow.refs import SNAPSHOT, Located, clear, connect
from showcause.progress import bar
from showcause.store.export import INDEX
from showcause.store.store import Store
from showcause.trust import keys
from showcause.verbs.explain import explain

State = Literal["explained", "incomplete", "there already", "not explained"]
PAGE = 1_000


@dataclass(frozen=True)
class Filled:
    """What became of one version. `code` and `reason` say why where it was not explained, or not wholly."""

    ref: str
    state: State
    code: str = ""
    reason: str = ""
    id: str = ""

    @property
    def good(self) -> bool:
        return self.state in ("explained", "there already")

    def __str__(self) -> str:
        return f"{self.ref}: {self.state}" + (f" [{self.code}] {self.reason}" if self.code else "")


def backfill(
    ref: str,
    X: Any,
    y: Any = None,
    *,
    train: Any = None,
    store: str | os.PathLike[str] | Store | None = None,
    allow_pickle: bool = False,
    trusted: Sequence[str] = (),
    key: str | os.PathLike[str] | keys.Key | None = None,
    progress: bool | None = None,
    client: Any = None,
    **options: Any,
) -> list[Filled]:
    """Explain every registered version that carries no snapshot yet, and log the snapshot beside it.

    ref      models:/NAME for all its versions, models:/NAME/7 or models:/NAME@champion for one
    X, y, train, options   as for `showcause.explain`; each version is explained on the same rows
    store    keeps finished artifacts, so that an interrupted run makes none of them again
    allow_pickle, trusted, key   as for `log`

    Returns one line for each version, the oldest first. What one version cannot do is a line that says why, not an
    exception. Raises NotFound, ParameterError, StoreError where the registry itself cannot be read.
    """
    return list(
        filling(
            ref, X, y, train=train, store=store, allow_pickle=allow_pickle, trusted=trusted, key=key,
            progress=progress, client=client, **options,
        )
    )  # fmt: skip


def filling(
    ref: str,
    X: Any,
    y: Any = None,
    *,
    train: Any = None,
    store: Any = None,
    progress: bool | None = None,
    client: Any = None,
    allow_pickle: bool = False,
    trusted: Sequence[str] = (),
    key: Any = None,
    **options: Any,
) -> Iterator[Filled]:
    """`backfill`, a version at a time: each line is given when its version is done."""
    client = connect(client)
    signer = None if key is None else key if isinstance(key, keys.Key) else keys.load(key)
    found = versions(ref, client)
    consent: dict[str, Any] = {"allow_pickle": allow_pickle, "trusted": tuple(trusted)}
    with bar(progress) as tell:
        for number, (name, version) in enumerate(found):
            tell(f"{name}/{version}", number / len(found))
            made = _filled(name, version, X, y, consent, {"train": train, "store": store, **options}, signer, client)
            tell(f"{name}/{version}", (number + 1) / len(found), str(made))
            yield made


def _filled(
    name: str, version: str, X: Any, y: Any, consent: dict[str, Any], given: dict[str, Any], signer: Any, client: Any
) -> Filled:
    at = f"models:/{name}/{version}"
    try:
        located = refs.registered(name, version, client)
        if there := already(located):
            return there
        loaded = flavours.load(located, **consent)
        rows = _as(loaded.native, X)
        made = _explained(loaded, rows, y, {"name": plain(name), **given})
        carry.log(made, located, key=signer, client=client, data=rows, version=given.get("version"), **consent)
        return _line(at, made)
    except Exception as error:  # the model, its library and the data are other people's
        return Filled(at, "not explained", str(getattr(error, "code", "failed")), spoken(error))


def versions(ref: str, client: Any) -> list[tuple[str, str]]:
    """(name, version) of what a REF means, the oldest first. Raises NotFound, ParameterError."""
    name = ref.removeprefix("models:/").strip("/")
    if not ref.startswith("models:/") or not name:
        raise ParameterError(f"{ref!r} is no registered model; give models:/NAME, or models:/NAME/VERSION for one")
    if "/" in name or "@" in name:
        one = refs.resolve(ref, client)
        if one.name is None or one.version is None:
            raise ParameterError(f"{ref} is no registered version")
        return [(one.name, one.version)]
    found: list[str] = []
    token = None
    with clear(ref):
        client.get_registered_model(name)  # no such name is said, and not taken for one without versions
        quoted = f"'{name}'" if "'" not in name else f'"{name}"'
        asked = f"name={quoted}" if quoted[0] not in name else None  # MLflow's filters know no escape for quotes
        while True:
            page = client.search_model_versions(asked, max_results=PAGE, page_token=token)
            found += [str(one.version) for one in page if one.name == name]
            token = page.token
            if not token:
                return [(name, version) for version in sorted(found, key=int)]


def already(located: Located) -> Filled | None:
    """What a version carries already, whole or not: it is not ours to overwrite. An upload that was interrupted has no
    index, can be opened by nobody, and counts as nothing."""
    if f"{SNAPSHOT}/{INDEX}" not in listing(located, SNAPSHOT, deep=False):
        return None
    try:
        found = carry.fetch(located)
    except ShowcauseError as error:
        return Filled(located.ref, "not explained", error.code, f"it carries a snapshot that cannot be read: {error}")
    return Filled(located.ref, "there already", id=found.id)


def _explained(loaded: flavours.Loaded, X: Any, y: Any, given: Any) -> Snapshot:
    train = given["train"]
    if isinstance(train, tuple) and len(train) == 2:
        train = _as(loaded.native, train[0]), train[1]
    elif train is not None:
        train = _as(loaded.native, train)
    options = {**given, "train": train, "progress": False, "consents": loaded.consents}
    if options["store"] is None:
        del options["name"]
    return explain(loaded.native, X, y, **options)


def _as(native: Any, X: Any) -> Any:
    """X with the categories that this version was trained with."""
    return recast(native, X) if hasattr(X, "columns") or hasattr(X, "column_names") else X


def _line(ref: str, made: Snapshot) -> Filled:
    missing = [f"{name}: {made.manifest.statuses[name]}" for name in made.manifest.required if not _done(made, name)]
    if made.complete:
        return Filled(ref, "explained", id=made.id)
    return Filled(ref, "incomplete", "incomplete", "; ".join(missing[:6]), made.id)


def _done(made: Snapshot, name: str) -> bool:
    status = made.manifest.statuses.get(name)
    return status is not None and status.state in ("ok", "not-applicable")


def plain(name: str) -> str:
    """A registered name in the characters that a store allows."""
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._")[:64] or "model"
