"""Reasons for any number of further rows, by the model and against the reference population of a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from showcause.adapters.dataset import Dataset, finite, frame_digest
from showcause.adapters.frame import Frame, Rows
from showcause.adapters.kept import pack, unpack
from showcause.adapters.model import Model, Task, adapt, one_thread, ordered
from showcause.adapters.reasons import FOLDS, Engine, Usual, engine_of, split
from showcause.adapters.recast import native, recast, worded
from showcause.core.artifact import Artifact
from showcause.core.errors import DataError, ModelError, NotFound, ParameterError, ShowcauseError
from showcause.core.snapshot import Snapshot
from showcause.methods.method import Decision, Job
from showcause.methods.reasons.cutoff import Explained, behaviour, explain_rows, reference_of
from showcause.progress import bar
from showcause.views.reasons import Wording, ties

SOURCE = "reasons/cutoff"
BATCH = 8_192
BUFFER = 1 << 18  # bytes of each column read ahead, however large its row groups are
SAID = 2_000  # sentences remembered of one column between batches: values repeat, and memory stays flat


def reasons(
    snapshot: Snapshot,
    model: Any,
    X: Any,
    *,
    ids: str | None = None,
    reference: Any = None,
    task: Task | None = None,
    version: str | None = None,
    batch: int = BATCH,
    progress: bool | None = None,
) -> pa.RecordBatchReader:
    """Codes, text and snapshot id for every row of X, as a stream of Arrow batches: memory stays flat.

    model       the model that the snapshot explains; any other is refused
    X           a frame (pandas, polars, pyarrow, numpy), the path of a parquet file, or an iterable of frames; columns
                that the model does not see are left aside
    ids         a column of X that identifies rows; it is carried over
    reference   the rows that the snapshot compared with, or the training rows it took them from; only where it keeps
                none (`[privacy] rows = "omit"`). Checked by digest
    batch       rows at a time; results do not depend on it

    Columns: row, [id], decision, score, codes, features, places (equal: a tie), text, snapshot. `.read_all()` gives a
    table, iterating gives batches. Raises NotFound where the snapshot has no reasons, ModelError for another model,
    ParameterError for another reference, DataError for rows that the model cannot read.
    """
    if batch < 1:
        raise ParameterError(f"batch must be at least 1, got {batch}")
    source = _Source.of(X, ids, batch)
    chunks = source.chunks(snapshot.manifest.data["order"], model)
    first = next(chunks, None)
    judge = None
    if first is not None:
        judge = Judge.of(snapshot, model, first[0], reference=reference, task=task, version=version)

    def made() -> Iterator[pa.RecordBatch]:
        row = 0
        with bar(progress) as tell:
            for frame, names in _again(first, chunks):
                assert judge is not None
                yield judge.batch(frame, names, row)
                row += len(frame)
                tell(f"reasons for {row:,} rows", row / source.total if source.total else 0.0)

    return pa.RecordBatchReader.from_batches(schema(ids is not None), made())


def schema(with_ids: bool) -> pa.Schema:
    """The columns of the stream."""
    fields = [("row", pa.int64()), *([("id", pa.string())] if with_ids else []), ("decision", pa.string())]
    fields += [("score", pa.float64()), ("codes", pa.list_(pa.string())), ("features", pa.list_(pa.string()))]
    return pa.schema([*fields, ("places", pa.list_(pa.int64())), ("text", pa.string()), ("snapshot", pa.string())])


Chunk = tuple[Frame, list[str] | None]


def _again(first: Chunk | None, rest: Iterator[Chunk]) -> Iterator[Chunk]:
    if first is not None:
        yield first
    yield from rest


@dataclass(frozen=True)
class _Source:
    """`frames` gives native frames; `total` rows where that is known."""

    frames: Callable[[list[str]], Iterable[Any]]
    total: int | None
    ids: str | None
    batch: int

    @classmethod
    def of(cls, X: Any, ids: str | None, batch: int) -> _Source:
        if isinstance(X, str | PathLike):
            file = _parquet(Path(X))
            return cls(lambda wanted: _read(file, Path(X), wanted, batch), file.metadata.num_rows, ids, batch)
        if isinstance(X, pa.RecordBatchReader) or (isinstance(X, Iterable) and not hasattr(X, "__len__")):
            return cls(lambda wanted: X, None, ids, batch)
        if isinstance(X, list | tuple):
            return cls(lambda wanted: X, None, ids, batch)
        return cls(lambda wanted: [X], len(X), ids, batch)

    def chunks(self, order: list[str], model: Any) -> Iterator[Chunk]:
        """Frames of at most `batch` rows in the model's columns, with their ids."""
        wanted = [*order, *([self.ids] if self.ids else [])]
        for given in self.frames(wanted):
            table = pa.Table.from_batches([given]) if isinstance(given, pa.RecordBatch) else given
            arrow = isinstance(given, pa.RecordBatch)
            whole = Frame.of(native(table) if arrow else table, names=order if _bare(table) else None)
            names = None
            if self.ids is not None:
                if self.ids not in whole.names:
                    raise DataError(f"X has no column {self.ids!r} for the ids")
                names = [str(value) for value in whole.arrow(self.ids).to_pylist()]
            if lacking := [name for name in order if name not in whole.names]:
                raise DataError(f"X lacks the model's columns {lacking[:12]}")
            frame = whole.select(order)
            frame = Frame.of(recast(model, frame.native) if arrow else worded(model, frame.native))
            for start in range(0, len(frame), self.batch):
                rows = np.arange(start, min(start + self.batch, len(frame)))
                part = frame if len(rows) == len(frame) else frame.take(rows)
                yield finite(part, "X"), None if names is None else names[start : start + len(rows)]


def _bare(given: Any) -> bool:
    return isinstance(given, np.ndarray) and given.ndim == 2


def _parquet(path: Path) -> Any:
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False)  # not a whole row group at once
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read as parquet: {error}") from None


def _read(file: Any, path: Path, wanted: list[str], batch: int) -> Iterator[pa.RecordBatch]:
    """The wanted columns alone, a few thousand rows at a time."""
    if lacking := [name for name in wanted if name not in file.schema_arrow.names]:
        raise DataError(f"{path} lacks the columns {lacking[:12]}")
    try:
        yield from file.iter_batches(batch_size=batch, columns=wanted)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None


@dataclass
class Judge:
    """All that it takes to give reasons for further rows."""

    snapshot: Snapshot
    artifact: Artifact
    job: Job
    engine: Engine
    folds: list[Frame]
    usual: Mapping[str, Usual]
    wording: Wording
    said: dict[str, dict[Any, tuple[str, str]]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, snapshot: Snapshot, model: Any, X: Frame, *, reference: Any, task: Task | None, version: str | None
    ) -> Judge:
        """Raises as `reasons` does."""
        artifact = stored(snapshot)
        adapted = _adapted(snapshot, model, X, task, version)
        given = snapshot.manifest.decision
        decision = Decision(given.get("threshold"), given.get("favourable"), str(given.get("source", "")))
        X = ordered(adapted, X)
        job = Job(adapted, Dataset(X, np.arange(len(X)), given=len(X)), decision, int(artifact.spec["seed"]))
        with one_thread():
            behind = _reference(snapshot, artifact, job, reference)
            _same(snapshot, artifact, adapted, behind)
            engine = engine_of(adapted, behind)
        if engine.name != artifact.spec["estimator"]:
            raise ModelError(f"the snapshot's reasons are by {artifact.spec['estimator']}, here only {engine.name} do")
        if engine.pairs:
            engine = replace(engine, pairs=artifact.spec["orders"] // (2 * FOLDS))
        return cls(
            snapshot,
            artifact,
            job,
            engine,
            split(behind),
            _usual(snapshot, artifact),
            Wording.of(snapshot, artifact.spec),
        )

    def explained(self, frame: Frame) -> Explained:
        with one_thread():
            try:
                outputs = self.job.model.predict(frame)
            except ShowcauseError:
                raise
            except Exception as error:
                raise ModelError(f"the model cannot predict these rows: {type(error).__name__}: {error}") from error
            return explain_rows(self.job, self.engine, frame, outputs, self.folds, self.artifact.spec["reasons"])

    def batch(self, frame: Frame, ids: list[str] | None, start: int) -> pa.RecordBatch:
        """One batch of the stream; `start` is the number of its first row."""
        found = self.explained(frame)
        codes, features, places, texts = self._words(frame, found)
        n, classes = len(frame), self.job.model.classes
        decided = None if found.decided is None else [classes[c] for c in found.decided.tolist()]
        columns: dict[str, Any] = {
            "row": np.arange(start, start + n),
            **({} if ids is None else {"id": ids}),
            "decision": decided or [None] * n,
            "score": found.score,
            "codes": codes,
            "features": features,
            "places": places,
            "text": texts,
            "snapshot": [self.snapshot.id] * n,
        }
        kinds = schema(ids is not None)
        return pa.RecordBatch.from_arrays([pa.array(columns[f.name], type=f.type) for f in kinds], schema=kinds)

    def _words(self, frame: Frame, found: Explained) -> tuple[list[Any], list[Any], list[Any], list[str]]:
        cells: dict[int, list[tuple[str, str]]] = {}
        for j in np.unique(found.order[found.order >= 0]).tolist():
            cells[j] = self._sentences(frame, j, np.flatnonzero((found.order == j).any(axis=1)))
        codes: list[Any] = []
        features: list[Any] = []
        texts: list[str] = []
        places = [[place for place in row if place] for row in found.places_in_order.tolist()]
        for row, (order, more) in enumerate(zip(found.order.tolist(), found.more.tolist(), strict=True)):
            chosen = [j for j in order if j >= 0]
            told = [cells[j][row] for j in chosen]
            codes.append([code for code, _ in told])
            features.append([frame.names[j] for j in chosen])
            lines = [f"{number}. {sentence}" for number, (_, sentence) in enumerate(told, 1)]
            texts.append(" ".join([*lines, *ties(places[row], more, str)]))
        return codes, features, places, texts

    def _sentences(self, frame: Frame, j: int, rows: Rows) -> Any:
        """row → (code, sentence) of column j, for the rows where it is a reason."""
        name = frame.names[j]
        column = frame.column(name)
        usual = self.usual[name]
        sides = usual.side(column)
        numbers, levels = column.cells(rows)
        known = self.said.setdefault(name, {})
        if len(known) > SAID:
            known.clear()
        told: dict[int, tuple[str, str]] = {}
        for row, given, level in zip(rows.tolist(), numbers.tolist(), levels, strict=True):
            value = None if given != given else given
            key = (sides[row], value, level)
            if key not in known:
                cell = {"feature": name, "side": sides[row], "input": value, "input_level": level}
                cell |= {"reference": usual.number, "reference_level": usual.level}
                known[key] = (self.wording.code(name, sides[row]), self.wording.sentence(cell))
            told[row] = known[key]
        return told


def stored(snapshot: Snapshot) -> Artifact:
    """The snapshot's own reasons. Raises NotFound."""
    if SOURCE not in snapshot:
        status = snapshot.statuses.get(SOURCE)
        raise NotFound(f"{snapshot.ref} has no {SOURCE}: {status or 'it was not asked for'}")
    return snapshot[SOURCE]


def _adapted(snapshot: Snapshot, model: Any, X: Frame, task: Task | None, version: str | None) -> Model:
    """The model, with the snapshot's task and classes where it does not say them itself."""
    facts = snapshot.manifest.model
    callable_only = str(facts.get("family", "")).startswith("callable ")
    with one_thread():
        adapted = adapt(model, X, task=task or (facts["task"] if callable_only else None), version=version)
    if callable_only and len(facts["classes"]) == len(adapted.classes):
        adapted = replace(adapted, classes=tuple(facts["classes"]), labels=tuple(facts["classes"]))
    return adapted


def _same(snapshot: Snapshot, artifact: Artifact, model: Model, behind: Frame) -> None:
    """The model is the snapshot's. An opaque one is known by what it answers, here for the reference rows."""
    facts = snapshot.manifest.model
    if facts.get("opaque"):
        same = model.opaque and behaviour(model.predict(behind)) == artifact.spec["behaviour"]
    else:
        same = model.digest == facts["digest"]
    if not same or (model.task, list(model.classes)) != (facts["task"], list(facts["classes"])):
        raise ModelError(
            f"this is not the model that {snapshot.ref} explains: its fingerprint is {model.digest[:12]}, not "
            f"{str(facts['digest'])[:12]}; explain it first, or give the snapshot's own model"
        )


def _reference(snapshot: Snapshot, artifact: Artifact, job: Job, given: Any) -> Frame:
    wanted = artifact.spec["background"]
    if given is not None:
        pool = finite(ordered(job.model, Frame.of(given, what="reference", names=job.data.X.names)), "reference")
        if frame_digest(pool) == wanted["digest"]:
            return pool
        chosen = reference_of(replace(job, data=replace(job.data, train=pool)), wanted["count"])
        if frame_digest(chosen) == wanted["digest"]:
            return chosen
        raise ParameterError(
            f"these are not the rows that {snapshot.ref} compared with, nor the rows that it took them from: "
            f"another digest than {wanted['digest'][:12]}"
        )
    if "reference" not in artifact.blobs:
        raise ParameterError(
            f"{snapshot.ref} keeps no rows, as its policy says: give the rows it took its reference from "
            "(the training rows) as reference="
        )
    kept = unpack(artifact.blobs["reference"], artifact.spec["kinds"], job.data.X)
    if frame_digest(kept) != wanted["digest"]:
        raise DataError(_other_types(artifact.spec["kinds"], job.data.X))
    return kept


def _other_types(kept: Mapping[str, str], X: Frame) -> str:
    kinds = pack(X.take(np.arange(min(1, len(X)))))[1]
    told = [f"{name} is {kinds[name]}, was {kind}" for name, kind in kept.items() if kinds[name] != kind]
    return f"the rows are of other types than the rows explained: {'; '.join(told[:6]) or 'their values do not fit'}"


def _usual(snapshot: Snapshot, artifact: Artifact) -> dict[str, Usual]:
    """What is usual in each column, as the artifact's table says it beside any of its rows."""
    dictionary = snapshot.manifest.data.get("features", {})
    rows = artifact.table.select(["feature", "reference", "reference_level"]).to_pylist()
    coded = {name for name, entry in dictionary.items() if entry.get("values")}
    return {row["feature"]: Usual(row["reference"], row["reference_level"], row["feature"] in coded) for row in rows}
