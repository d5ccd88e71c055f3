"""How a snapshot travels with a model of MLflow.

Beside the model's own files lie `explanation_snapshot/`, the exported snapshot in few files, which `showcause.open`
reads as any other export, and `explanation_report/`, what people look at. Both are registered, copied and downloaded
with the model. The snapshot carries a binding (binding.py) to the bytes of the model that it was logged with. Tags are
set for search only: no answer of ours rests on one.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from showcause.core import canonical
from showcause.core.errors import Conflict, Corrupt, ModelError, NotFound, ParameterError
from showcause.core.snapshot import Snapshot
from showcause.integrations.mlflow import refs
from showcause.integrations.mlflow.artifacts import fetched, listing, put
from showcause.integrations.mlflow.background import settle
from showcause.integrations.mlflow.binding import KIND, Binding, Checked, description, digests
from showcause.integrations.mlflow.refs import REPORT, SNAPSHOT, Located, clear, connect, resolve
from showcause.integrations.mlflow.report import described, pages
from showcause.store.attached import KINDS
from showcause.store.export import INDEX, PACKED, Exported, contents, packed, read_export, with_attached
from showcause.trust import keys

TAGS = ("showcause.id", "showcause.complete", "showcause.model")


def fetch(ref: str | Located, client: Any = None) -> Snapshot:
    """The snapshot that a model version, a logged model or a run carries, every digest checked.

    What is attached to it (a verdict, a signature) goes back to where it came from. Raises NotFound where it carries
    none, Corrupt with every file that is not as it was, StoreError.
    """
    located = ref if isinstance(ref, Located) else resolve(ref, client)
    with fetched(located, SNAPSHOT) as folder:
        if not (folder / SNAPSHOT).is_dir():
            raise NotFound(
                f"{located} carries no {SNAPSHOT}; showcause.mlflow.log(snapshot, …) puts one there, and "
                "showcause backfill explains what is registered already"
            )
        alone = folder / SNAPSHOT / PACKED
        if not located.model and alone.is_file() and not (folder / SNAPSHOT / INDEX).is_file():
            # an evaluation's run, for good: what is attached later belongs to the model's copy
            return replace(read_export(alone), ref=located.ref)
        found = read_export(folder / SNAPSHOT)
    return Snapshot(found.manifest, found.record, Carried(located, found), located.ref)


class Carried:
    """The objects of a snapshot that MLflow carries, and what is attached to it there."""

    def __init__(self, located: Located, snapshot: Snapshot) -> None:
        self.located = located
        self._snapshot = snapshot

    def get(self, digest: str) -> bytes:
        return self._snapshot.objects.get(digest)

    def attached(self, manifest: str, kind: str) -> list[str]:
        return self._snapshot.objects.attached(manifest, kind)

    def attach(self, manifest: str, kind: str, document: bytes) -> str:
        """Add a document and send what is new. Raises NotFound where the snapshot there is another one now, Corrupt,
        Conflict where another writer was faster every time."""
        digest = canonical.digest(document)
        for attempt in range(ATTEMPTS):
            found = _there(self.located, mend=attempt >= PATIENCE)
            if found is None:  # another writer is at it
                time.sleep(0.2)
                continue
            there, form = found
            if there.id != manifest:
                raise NotFound(f"{self.located} carries another snapshot now: {there.id[:12]}, not {manifest[:12]}")
            if digest in there.objects.attached(manifest, kind):
                self._snapshot = there
                return digest
            files = contents(there)
            before, after = form(files), form(with_attached(files, kind, document))
            new = {name: data for name, data in after.items() if before.get(name) != data}
            put(self.located, SNAPSHOT, new, last=INDEX, instead=False)
        raise Conflict(f"{self.located} is being changed by others all the time; try again")


ATTEMPTS, PATIENCE = 20, 5


def _there(located: Located, *, mend: bool) -> tuple[Snapshot, Callable[[dict[str, bytes]], dict[str, bytes]]] | None:
    """The snapshot as it lies there now, and `contents` → files of the form in which it does; None where it does not
    hold together, as while another writer is at it.

    `mend`: two who attached in the same instant left an index that is not about the other's file. Everything else must
    be as the index says; the attachments are then taken as they are, and what is sent next has an index of them all.
    """
    with fetched(located, SNAPSHOT) as work:
        folder = work / SNAPSHOT
        form = packed if (folder / PACKED).is_file() else dict
        try:
            return read_export(folder), form
        except Corrupt:
            if not mend:
                return None
        added = {kind: sorted((folder / "attached" / kind).glob("*.json")) for kind in KINDS}
        documents = {kind: [path.read_bytes() for path in paths] for kind, paths in added.items()}
        shutil.rmtree(folder / "attached")
        index = canonical.loads((folder / INDEX).read_bytes())
        kept = {name: digest for name, digest in index["files"].items() if not name.startswith("attached/")}
        (folder / INDEX).write_bytes(canonical.dumps({**index, "files": kept}))
        found = read_export(folder)
        files = contents(found)
        for kind in KINDS:
            for document in documents[kind]:
                files = with_attached(files, kind, document)
        return replace(found, objects=Exported(files)), form


def send(located: Located, files: Mapping[str, bytes]) -> None:
    """Put the exported folder there, packed, the index last."""
    put(located, SNAPSHOT, packed(files), last=INDEX)


def log(
    snapshot: Snapshot,
    target: Any = None,
    *,
    key: str | os.PathLike[str] | keys.Key | None = None,
    passphrase: str | None = None,
    allow_pickle: bool = False,
    trusted: tuple[str, ...] = (),
    data: Any = None,
    version: str | None = None,
    evaluated: bool = False,
    report: bool = True,
    client: Any = None,
) -> Located:
    """Put a snapshot beside the model that it explains, or under a run.

    target        what `log_model` returned, a LoggedModel, a ModelVersion, a Run, a REF as text (models:/credit/7,
                  models:/m-…, runs:/RUN, runs:/RUN/model), the id of a run; None: the active run
    key           signs the binding of the snapshot to the model's files
    allow_pickle  read a pickled model, which runs whatever code it holds, to see that it is the one explained; the
                  binding records the consent. `trusted`: further types that skops may load, also recorded
    data          the rows explained, X or (X, y): needed where the model has no fingerprint (it is opaque)
    version       where `explain` was given one
    evaluated     the caller had the model from this very place and explained it (MLflow's evaluator); it is not read
                  again
    report        also write explanation_report/, which MLflow's UI shows

    Returns where it lies. Raises ModelError where the logged model is not the one explained or cannot be read to see
    that, NotFound, ParameterError, StoreError, MissingExtra.
    """
    client = connect(client)
    located = where(target, client)
    signer = None if key is None else key if isinstance(key, keys.Key) else keys.load(key, passphrase)
    carried = contents(_Without(snapshot, KIND).snapshot if located.model else snapshot)
    views = pages(snapshot) if report else {}
    if located.model:
        with fetched(located, without=(SNAPSHOT, REPORT)) as folder:
            binding = bind(
                snapshot, folder, views, allow_pickle=allow_pickle, trusted=trusted, data=data, version=version,
                evaluated=evaluated,
            )  # fmt: skip
        carried = with_attached(carried, KIND, (binding if signer is None else binding.signed(signer)).document)
    elif signer is not None:
        raise ParameterError(f"{located} has no model that a signature could bind; log to the model instead")
    put(located, REPORT, views)
    send(located, carried)
    tag(located, snapshot, client, views.get("report.html"))
    return located


def bind(
    snapshot: Snapshot,
    folder: Path,
    views: Mapping[str, bytes] | None = None,
    *,
    allow_pickle: bool = False,
    trusted: tuple[str, ...] = (),
    data: Any = None,
    version: str | None = None,
    evaluated: bool = False,
) -> Binding:
    """The binding of a snapshot to a logged model in a local folder; `views` are what explanation_report/ will hold.

    Raises ModelError where it is another model.
    """
    from showcause.integrations.mlflow import flavours

    files = digests(folder) | {f"{REPORT}/{name}": canonical.digest(data) for name, data in (views or {}).items()}
    model, flavour = str(snapshot.manifest.model.get("digest", "")), flavours.flavour(description(folder / "MLmodel"))
    if not model:
        raise ModelError(f"{snapshot.ref} explains no model; it cannot be bound to one")
    if evaluated:
        return Binding(snapshot.id, model, files, flavour, "evaluated", "MLflow loaded it from here to evaluate it")
    loaded = flavours.read(folder, allow_pickle=allow_pickle, trusted=trusted)
    why = flavours.another(snapshot, loaded, data, version)
    if why:
        raise ModelError(f"the logged model is not the one that {snapshot.ref} explains: {why}")
    checked: Checked = "behaviour" if snapshot.manifest.model.get("opaque") else "fingerprint"
    return Binding(snapshot.id, model, files, flavour, checked, "", loaded.consents)


class _Without:
    """The objects of a snapshot without attachments of one kind: bindings to other places say nothing here."""

    def __init__(self, snapshot: Snapshot, kind: str) -> None:
        self._under, self._kind = snapshot.objects, kind
        self.snapshot = replace(snapshot, objects=self)

    def get(self, digest: str) -> bytes:
        return self._under.get(digest)

    def attached(self, manifest: str, kind: str) -> list[str]:
        return [] if kind == self._kind else self._under.attached(manifest, kind)


def where(target: Any, client: Any) -> Located:
    """Where a target of `log` lies. Raises ParameterError, NotFound."""
    mlflow = refs.package()
    settle()
    if target is None:
        active = mlflow.active_run()
        if active is None:
            raise ParameterError("no run is active; give a run or a model: log(snapshot, model_info)")
        target = active
    with clear(str(target)[:200]):
        if isinstance(target, Located):
            return target
        if isinstance(target, str):
            if not refs.is_ref(target):
                return refs.run(target, client)
            bare = target.removeprefix("runs:/").strip("/")
            return (
                refs.run(bare, client) if target.startswith("runs:/") and "/" not in bare else resolve(target, client)
            )
        if isinstance(target, mlflow.entities.Run):
            return refs.run(target.info.run_id, client)
        if isinstance(target, mlflow.entities.model_registry.ModelVersion):
            return refs.registered(target.name, target.version, client)
        if getattr(target, "model_id", None):
            return refs.logged(target.model_id, client)
        if getattr(target, "model_uri", None):
            return resolve(target.model_uri, client)
    raise ParameterError(f"a {type(target).__name__} is neither a run nor a logged model nor a model version")


def tag(located: Located, snapshot: Snapshot, client: Any, report: bytes | None = None) -> None:
    """Tags on run, logged model and version: for search, never believed. The version's description links to the report;
    what somebody wrote there stays."""
    tags = _tags(snapshot)
    with clear(str(located)):
        if located.model_id:
            client.set_logged_model_tags(located.model_id, tags)
        for key, value in tags.items():
            if located.run_id:
                client.set_tag(located.run_id, key, value)
        link = "" if report is None else _link(located, report, client)
        for name, version in _versions(located, client):
            _announce(name, version, snapshot, None if report is None else link, client)


def announce(located: Located, snapshot: Snapshot, client: Any) -> None:
    """The same for a version alone, which was registered after its model was logged. Raises StoreError."""
    if located.name is None or located.version is None:
        return
    with clear(str(located)):
        link, experiment = "", _experiment(located, client)
        if located.run_id and located.model_id and experiment:
            under = f"{REPORT}/{located.model_id}.html"
            there = under in listing(refs.run(located.run_id, client), REPORT, deep=False)
            run, model = f"runs/{located.run_id}/artifacts/{under}", f"models/{located.model_id}/artifacts"
            link = f"#/experiments/{experiment}/{run if there else model}"
        _announce(located.name, located.version, snapshot, link, client)


def _tags(snapshot: Snapshot) -> dict[str, str]:
    values = (snapshot.id, str(snapshot.complete).lower(), str(snapshot.manifest.model.get("digest", "")))
    return dict(zip(TAGS, values, strict=True))


def _announce(name: str, version: str, snapshot: Snapshot, link: str | None, client: Any) -> None:
    for key, value in _tags(snapshot).items():
        client.set_model_version_tag(name, version, key, value)
    if link is not None:
        before = client.get_model_version(name, version).description
        client.update_model_version(name, version, described(before, snapshot, link))


def _experiment(located: Located, client: Any) -> str:
    return str(client.get_run(located.run_id).info.experiment_id) if located.run_id else ""


def _versions(located: Located, client: Any) -> list[tuple[str, str]]:
    """The registered versions that have this very model: the one meant and, of a logged model, those made from it."""
    if located.name and located.version:
        return [(located.name, located.version)]
    if not located.model_id or not located.run_id:
        return []
    found = client.search_model_versions(f"run_id = '{located.run_id}'")
    return [(one.name, str(one.version)) for one in found if one.source == f"models:/{located.model_id}"]


def _link(located: Located, report: bytes, client: Any) -> str:
    """Where the UI opens the report at one click: of a run it does so, of a logged model it does not, so that the
    report of a model lies under its run too."""
    if not located.run_id or not located.model_id:
        return ""
    name = f"{REPORT}/{located.model_id}.html"
    under = refs.run(located.run_id, client)
    put(under, REPORT, {f"{located.model_id}.html": report}, instead=False)
    return f"#/experiments/{_experiment(located, client)}/runs/{located.run_id}/artifacts/{name}"
