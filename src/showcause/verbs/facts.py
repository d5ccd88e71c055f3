"""What a check must know of a snapshot, its store and the model that is to ship."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from showcause.adapters.dataset import SAMPLE_ROWS, Dataset, dataset, frame_digest, values_digest
from showcause.adapters.frame import Frame
from showcause.adapters.model import Model, Task, adapt, encode_labels, one_thread
from showcause.core import canonical
from showcause.core.artifact import Artifact
from showcause.core.errors import InputError, ParameterError, ShowcauseError, StoreError
from showcause.core.finding import Finding
from showcause.core.snapshot import Manifest, Record, Snapshot
from showcause.core.verdict import Verdict
from showcause.policy.facts import DataFacts, ModelFacts
from showcause.store.attached import KINDS
from showcause.store.folder import MARK, FolderStore
from showcause.store.promotion import named as behind
from showcause.store.store import Ref, Store
from showcause.verbs.compute import read_model
from showcause.verbs.open import DEFAULT_STORE


@dataclass(frozen=True)
class Given:
    """The model that is to ship, and what is needed to read it."""

    model: Any
    data: Any
    task: Task | None
    version: str | None
    file: str | os.PathLike[str] | None


def home(snapshot: Snapshot, store: str | os.PathLike[str] | Store | None) -> Store | None:
    """The store to look around in: the snapshot's own, else the one that was named, else the one of this folder."""
    if hasattr(snapshot.objects, "entries"):
        return cast(Store, snapshot.objects)
    if store is None or isinstance(store, str | os.PathLike):
        where = Path(DEFAULT_STORE if store is None else store)
        return FolderStore(where, create=False) if (where / MARK).is_file() else None
    return store


def damage(snapshot: Snapshot, store: Store | None) -> Iterator[Finding]:
    """Everything that the snapshot leads to is read again, whatever was read before."""
    objects, manifest, record = snapshot.objects, snapshot.manifest, snapshot.record
    try:
        if Manifest.read(objects.get(snapshot.id)) != manifest or record.manifest != snapshot.id:
            yield Finding("corrupt", "fail", snapshot.ref, "manifest and record do not belong together")
        if record.version:
            Record.read(objects.get(record.digest))
    except (ShowcauseError, OSError) as error:
        yield Finding(
            getattr(error, "code", "unreadable").replace("not-found", "lost"), "fail", snapshot.ref, str(error)
        )
    for name, digest in manifest.artifacts.items():
        try:
            artifact = Artifact.read(objects.get(digest), objects)
            if artifact.name != name:
                yield Finding("corrupt", "fail", name, f"the artifact stored as {name} says it is {artifact.name}")
        except (ShowcauseError, OSError) as error:
            yield Finding(getattr(error, "code", "unreadable").replace("not-found", "lost"), "fail", name, str(error))
    for kind in KINDS:
        try:
            snapshot.attached(kind)
        except (ShowcauseError, OSError) as error:
            yield Finding(getattr(error, "code", "unreadable").replace("not-found", "lost"), "fail", kind, str(error))
    yield from _history(snapshot, store)


def _history(snapshot: Snapshot, store: Store | None) -> Iterator[Finding]:
    """The version's record stands behind the record of the version before."""
    record = snapshot.record
    if store is None or snapshot.objects is not store or not record.version:
        return
    try:
        entries = store.entries(record.name)
    except (ShowcauseError, OSError) as error:
        yield Finding("bad-ref", "fail", f"refs/{record.name}", str(error))
        return
    before = entries[record.version - 2] if 1 < record.version <= len(entries) + 1 else None
    if record.version <= len(entries) and record.parent != before:
        yield Finding("replayed", "fail", snapshot.ref, "its record belongs to another history of versions")


def misplaced(given: Any, store: str | os.PathLike[str] | Store | None) -> bool:
    """Whether a ref leads to a whole record of another name or version: an old snapshot in the place of a new one."""
    try:
        name, alias, number, digest, found = _entry(given, store)
        record = Record.read(found.get(digest))
    except (ShowcauseError, OSError, IndexError, UnicodeError):
        return False
    return record.name != name or (not alias and record.version != number)


def named(given: Any, store: str | os.PathLike[str] | Store | None) -> bool:
    """Whether the store names a record under this ref, so that what is lost lies behind it."""
    try:
        return bool(_entry(given, store))
    except (ShowcauseError, OSError, IndexError, UnicodeError):
        return False


def _entry(given: Any, store: str | os.PathLike[str] | Store | None) -> tuple[str, bool, int, str, Store]:
    """(name, whether by an alias, number, record digest, store) of a ref."""
    ref = Ref.parse(str(given))
    where = DEFAULT_STORE if store is None else store
    found = FolderStore(where, create=False) if isinstance(where, str | os.PathLike) else where
    alias = ref.alias not in (None, "latest")
    entries = found.entries(f"{ref.name}@{ref.alias}" if alias else ref.name)
    number = ref.version or len(entries)
    return ref.name, alias, number, behind(found, entries[number - 1]), found


def stored(snapshot: Snapshot, store: Store | None) -> str | None:
    """The record digest that the store has under the snapshot's own version, None where it has none."""
    record = snapshot.record
    if store is None or not record.version:
        return None
    try:
        entries = store.entries(record.name)
    except (ShowcauseError, OSError):
        return None
    return entries[record.version - 1] if record.version <= len(entries) else None


def verdicts(snapshot: Snapshot) -> tuple[tuple[Verdict, ...], tuple[str, ...]]:
    """Verdicts kept beside the snapshot, and what else was kept there as one."""
    found, strangers = [], []
    try:
        documents = snapshot.attached("verdict")
    except (StoreError, OSError):  # damage, which is found apart
        return (), ()
    for document in documents:
        try:
            found.append(Verdict.read(document))
        except StoreError as error:
            strangers.append(f"what is kept beside it as a verdict is none: {error}")
    return tuple(found), tuple(strangers)


def model_and_data(
    snapshot: Snapshot, given: Given | None, data: Any, store: Store | None
) -> tuple[ModelFacts | None, DataFacts | None]:
    """The model as it is now, and whether the data are those that were explained. Raises InputError for data that are
    no table; a model that cannot be read or that cannot predict them is another one."""
    if given is None:
        return None, None if data is None else _data_facts(snapshot, *_pair(data))
    X, y = _pair(data)
    known = snapshot.manifest.model
    with one_thread():
        model = _adapted(given, known, X, y, snapshot)
    if model is None:
        family = f"{type(given.model).__module__.split('.')[0]}.{type(given.model).__name__}"
        return ModelFacts("", True, family, "unreadable"), None
    data_facts = None if X is None else _data_facts(snapshot, X, y)
    behaviour, untried = _behaviour(snapshot, model, X, y, data_facts)
    task = given.task or model.task
    file = None if given.file is None else canonical.digest(Path(given.file).read_bytes())
    names = _known_as(model.digest, snapshot, store)
    facts = ModelFacts(
        model.digest, model.opaque, model.family, task, model.classes, model.features, behaviour, untried, names, file
    )
    return facts, data_facts


def _pair(data: Any) -> tuple[Any, Any]:
    return data if isinstance(data, tuple) and len(data) == 2 else (data, None)


def _adapted(given: Given, known: Any, X: Any, y: Any, snapshot: Snapshot) -> Model | None:
    """The model, None where nothing can be made of it. A callable without data is opaque, with no identity at all."""
    import pyarrow as pa

    order = list(snapshot.manifest.data.get("order") or ())
    task = given.task or (known.get("task") if not hasattr(given.model, "get_params") else None)
    frame = Frame.of(pa.table({name: pa.array([], pa.float64()) for name in order}) if X is None else X)
    if frame.is_array and order and len(order) == len(frame.names):
        frame = Frame.of(X, names=tuple(order))
    labels = list(known.get("classes") or ()) if y is None and callable(given.model) else y
    try:
        return adapt(given.model, frame, task=task, version=given.version, y=labels)
    except Exception:  # what a foreign model raises on these rows is its own
        return _without_rows(given, known) if X is None else None


def _without_rows(given: Given, known: Any) -> Model | None:
    """A callable whose identity needs rows, and there are none: only its name can be told."""
    name = f"callable {getattr(given.model, '__qualname__', type(given.model).__name__)}"
    if not callable(given.model) or not str(known.get("family", "")).startswith("callable"):
        return None
    classes = tuple(known.get("classes") or ())
    return Model(given.model, name, known["task"], known.get("space", "target"), given.model, classes, opaque=True)


def _data_facts(snapshot: Snapshot, X: Any, y: Any) -> DataFacts:
    """Columns whose digest is not the manifest's. Above 20,000 rows the same sample is drawn, which needs labels."""
    told = snapshot.manifest.data
    raw = Frame.of(X)
    order = tuple(told.get("order") or ())
    frame = Frame.of(X, names=order) if raw.is_array and len(order) == len(raw.names) else raw
    missing = tuple(name for name in order if name not in frame.names)
    there = frame.select([name for name in order if name not in missing])
    if missing:
        return DataFacts((), missing, len(frame))
    rows = told.get("rows") or {}
    if len(there) > SAMPLE_ROWS and "sampled" in rows:
        return _sampled_facts(snapshot, there, y)
    known = told.get("columns") or {}
    changed = [name for name in order if there.digest(name) != known[name]["digest"]]
    return DataFacts((*changed, *_other_labels(snapshot, there, y)), (), len(there))


def _other_labels(snapshot: Snapshot, frame: Frame, y: Any) -> list[str]:
    """["labels"] where labels were given that are not those of the snapshot."""
    if y is None:
        return []
    known = snapshot.manifest.data.get("labels")
    try:
        same = known is not None and values_digest(encode_labels(_labels_only(snapshot, frame), y)) == known
    except InputError:
        same = False
    return [] if same else ["labels"]


def _sampled_facts(snapshot: Snapshot, frame: Frame, y: Any) -> DataFacts:
    data = sampled(snapshot, None, frame, y)
    known = snapshot.manifest.data["columns"]
    changed = [name for name in data.X.names if data.X.digest(name) != known[name]["digest"]]
    if snapshot.manifest.data["rows"].get("positions") != values_digest(data.positions):
        changed.append("the sample's positions")
    if data.y is not None and values_digest(data.y) != snapshot.manifest.data.get("labels"):
        changed.append("labels")
    return DataFacts(tuple(changed), (), len(frame))


def sampled(snapshot: Snapshot, model: Model | None, frame: Frame, y: Any) -> Dataset:
    """The sample that explain drew of so many rows. Raises ParameterError without the labels that it was drawn by."""
    if snapshot.manifest.data.get("labels") is not None and y is None:
        raise ParameterError("above 20,000 rows the labels decide the sample: give data=(X, y)")
    seed = int(snapshot.record.configuration.get("seed", 0))
    stand_in = model or _labels_only(snapshot, frame)
    return dataset(stand_in, frame, y, limit=SAMPLE_ROWS, seed=seed)


def _labels_only(snapshot: Snapshot, frame: Frame) -> Model:
    """Of the model only what reading labels needs."""
    known = snapshot.manifest.model
    classes = tuple(known.get("classes") or ())
    labels = tuple(_number(text) for text in classes)
    return Model(None, "", known["task"], known["space"], lambda rows: rows, classes, labels, frame.names)


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return {"True": True, "False": False}.get(text, text)


def _behaviour(snapshot: Snapshot, model: Model, X: Any, y: Any, data: DataFacts | None) -> tuple[float | None, str]:
    """The largest difference from the recorded predictions of the probe rows, or why it is not known."""
    probe = snapshot.manifest.model.get("probe") or {}
    if X is None or data is None:
        return None, "no data were given (--data)"
    if not probe:
        return None, "the snapshot recorded no predictions"
    if data.missing:
        return None, "the data lack columns"
    try:
        order = tuple(snapshot.manifest.data["order"])
        raw = Frame.of(X)
        frame = Frame.of(X, names=order) if raw.is_array else raw.select(order)
        if len(frame) > SAMPLE_ROWS and "sampled" in snapshot.manifest.data["rows"]:
            frame = sampled(snapshot, model, frame, y).X
        rows = frame.take(np.arange(min(int(probe["rows"]), len(frame))))
        if frame_digest(rows) != probe["digest"]:
            return None, "the data are not those that were explained"
        with one_thread():
            adapted, rows = read_model(model, rows.native, task=model.task)
            outputs = adapted.predict(rows)
        recorded = np.asarray(probe["outputs"], dtype=np.float64).reshape(len(rows), -1)
    except InputError as error:
        return None, str(error)
    except Exception as error:  # a foreign model's own words
        return None, f"it cannot predict these rows: {type(error).__name__}: {error}"
    if recorded.shape != outputs.shape:
        return float("inf"), ""
    return float(np.abs(recorded - outputs).max(initial=0.0)), ""


def _known_as(digest: str, snapshot: Snapshot, store: Store | None) -> tuple[str, ...]:
    """Versions of other names in the store that explain this very model."""
    if store is None or not digest:
        return ()
    found = []
    for name in store.refs():
        if "@" in name or name == snapshot.record.name:
            continue
        try:
            for number, entry in enumerate(store.entries(name), 1):
                manifest = Manifest.read(store.get(Record.read(store.get(entry)).manifest))
                if manifest.model.get("digest") == digest:
                    found.append(f"{name}/{number}")
        except (ShowcauseError, OSError):  # another name's damage is that name's trouble
            continue
    return tuple(found)
