"""A snapshot as a plain folder, or the same in one zip: the forms in which it travels.

    snapshot.json             the index: format, ref, id, and every file with its sha256
    manifest.json record.json
    artifacts/NAME.json       the artifact's document
    tables/NAME.json|.arrow   its table
    blobs/DIGEST              its arrays
    metrics.json              flat numbers for trackers: metric → value
    attached/KIND/000001.json what was attached to the snapshot later: verdicts and signatures, in order

Where every file has its price, as behind a server, the folder is packed: the index, the attachments, and `snapshot.zip`
with everything else, a whole export itself.

Laws: `read_export(export(s))` has the id of `s`; any byte changed, any file dropped, added, renamed or swapped is
named; exporting twice gives the same bytes, the zip's too.
"""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from showcause.core import canonical
from showcause.core import table as tables
from showcause.core.artifact import Artifact, read_head
from showcause.core.errors import Corrupt, NotFound, ParameterError
from showcause.core.finding import Finding
from showcause.core.snapshot import Manifest, Record, Snapshot
from showcause.store.attached import KINDS, check_kind

FORMAT = "showcause-export/1"
INDEX = "snapshot.json"
PACKED = "snapshot.zip"
MAX_FILES = 10_000
MAX_BYTES = 2**31


def export(snapshot: Snapshot, path: str | os.PathLike[str]) -> Path:
    """Write the folder, or the zip where `path` ends in .zip. Raises ParameterError where something is there."""
    target = Path(path)
    if target.is_dir() and not any(target.iterdir()):
        target.rmdir()
    if target.exists():
        raise ParameterError(f"{target} is there already; give a new path")
    files = contents(snapshot)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as work:
        staged = Path(work) / "staged"
        if target.suffix == ".zip":
            staged.write_bytes(zipped(files))
        else:
            for name, data in files.items():
                file = staged.joinpath(*name.split("/"))
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
        staged.rename(target)
    return target


def contents(snapshot: Snapshot) -> dict[str, bytes]:
    """File name → bytes, the index last."""
    files = {"manifest.json": snapshot.manifest.document, "record.json": snapshot.record.document}
    for name in snapshot:
        document, table, *blobs = held(snapshot, name)
        files[f"artifacts/{name}.json"] = document
        files[_table_name(name, read_head(document)["table"]["media"])] = table
        files |= {f"blobs/{canonical.digest(blob)}": blob for blob in blobs}
    files["metrics.json"] = canonical.dumps(metrics(snapshot))
    for kind in KINDS:
        files |= {_attached_name(kind, n): document for n, document in enumerate(snapshot.attached(kind), 1)}
    return _indexed(files, snapshot.ref, snapshot.id)


def with_attached(files: Mapping[str, bytes], kind: str, document: bytes) -> dict[str, bytes]:
    """The same `contents` with one more document attached, the index last."""
    count = sum(name.startswith(f"attached/{kind}/") for name in files)
    index = canonical.loads(files[INDEX])
    more = {name: data for name, data in files.items() if name != INDEX} | {_attached_name(kind, count + 1): document}
    return _indexed(more, index["ref"], index["id"])


def packed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The same `contents` in few files: one zip, which is an export without attachments, and these beside it; the index
    last."""
    index = canonical.loads(files[INDEX])
    own = {name: data for name, data in files.items() if name != INDEX and not name.startswith("attached/")}
    attached = {name: data for name, data in files.items() if name.startswith("attached/")}
    return _indexed({PACKED: zipped(_indexed(own, index["ref"], index["id"])), **attached}, index["ref"], index["id"])


def _unpacked(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """`contents` of either form, with the index of the one given. Raises Corrupt."""
    rest = dict(files)
    data = rest.pop(PACKED, None)
    return rest if data is None else {**_unzipped(data), **rest}


def _indexed(files: dict[str, bytes], ref: str, identity: str) -> dict[str, bytes]:
    digests = {name: canonical.digest(data) for name, data in files.items()}
    return {**files, INDEX: canonical.dumps({"format": FORMAT, "ref": ref, "id": identity, "files": digests})}


def held(snapshot: Snapshot, name: str) -> list[bytes]:
    """What is stored of an artifact, as it is: its document, its table and its blobs, by verified digest."""
    document = snapshot.document(name)
    head = read_head(document)
    return [document, *(snapshot.objects.get(d) for d in (head["table"]["digest"], *head["blobs"].values()))]


def _table_name(name: str, media: str) -> str:
    return f"tables/{name}.{'json' if media == tables.JSON else 'arrow'}"


def _attached_name(kind: str, number: int) -> str:
    return f"attached/{kind}/{number:06d}.json"


def metrics(snapshot: Snapshot) -> dict[str, float]:
    """Flat numbers for trackers: scores of the whole population, importance of each feature, completeness."""
    flat: dict[str, float] = {"showcause_complete": float(snapshot.complete)}
    for name in snapshot:
        if snapshot.head(name)["kind"] not in ("score", "importance"):
            continue
        artifact = snapshot[name]
        key = "metric" if artifact.kind == "score" else "feature"
        for row in artifact.table.to_pylist():
            if row["value"] is None or row.get("segment") not in (None, "all") or row.get("refit") is not None:
                continue
            extra = [str(row[c]) for c in ("feature_b", "group", "term", "target") if row.get(c) is not None]
            flat["/".join([name, str(row[key]), *extra])] = row["value"]
    return flat


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Deterministic: sorted names, stored, one date."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), files[name])
    return out.getvalue()


class Exported:
    """The objects of an exported snapshot, by digest, and what is attached to it."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._objects = {canonical.digest(data): data for data in files.values()}
        self._manifest = canonical.digest(files["manifest.json"])
        self._attached = {
            kind: [canonical.digest(files[name]) for name in sorted(files) if name.startswith(f"attached/{kind}/")]
            for kind in KINDS
        }

    def get(self, digest: str) -> bytes:
        if digest not in self._objects:
            raise NotFound(f"the export has no object {digest}")
        return self._objects[digest]

    def attached(self, manifest: str, kind: str) -> list[str]:
        return list(self._attached[check_kind(kind)]) if manifest == self._manifest else []


def read_export(path: str | os.PathLike[str]) -> Snapshot:
    """Verify an exported folder or zip and read it. Raises Corrupt with every finding, NotFound."""
    findings = list(verify_export(path))
    if findings:
        more = "".join(f"\n  {finding}" for finding in findings[:20])
        raise Corrupt(f"{path} is not as it was exported:{more}")
    files = _unpacked(_read(Path(path)))
    index = canonical.loads(files[INDEX])
    manifest, record = Manifest.read(files["manifest.json"]), Record.read(files["record.json"])
    return Snapshot(manifest, record, Exported(files), index["ref"])


def verify_export(path: str | os.PathLike[str]) -> Iterator[Finding]:
    """Findings name each file that was changed, is missing, or does not belong."""
    try:
        files = _read(Path(path))
        if INDEX not in files:
            yield Finding("missing", "fail", INDEX, "an export without its index")
            return
        index = _index(files[INDEX])
    except Corrupt as error:
        yield Finding("corrupt", "fail", INDEX if Path(path).is_dir() else str(path), str(error))
        return
    listed: dict[str, str] = index["files"]
    for name in sorted(set(files) - set(listed) - {INDEX}):
        yield Finding("extra", "fail", name, "this file does not belong to the export")
    damaged = False
    for name, digest in listed.items():
        if name not in files:
            damaged = True
            yield Finding("missing", "fail", name, "the index lists this file and it is not there")
        elif canonical.digest(files[name]) != digest:
            damaged = True
            yield Finding("changed", "fail", name, "this file has other bytes than the index says")
    if not damaged:
        yield from _verify_meaning(files, index)


def _index(data: bytes) -> dict[str, Any]:
    index = canonical.loads(data)
    try:
        good = (
            index["format"] == FORMAT
            and set(index) == {"format", "ref", "id", "files"}
            and isinstance(index["ref"], str)
            and all(canonical.is_digest(digest) for digest in index["files"].values())
        )
    except (KeyError, TypeError, AttributeError):
        good = False
    if not good:
        raise Corrupt(f"the index is not of the format {FORMAT}")
    return dict(index)


def _verify_meaning(given: Mapping[str, bytes], index: Mapping[str, Any]) -> Iterator[Finding]:
    """The files agree with the index; now they must agree with each other: rebuild all and compare."""
    try:
        files = _unpacked(given)
        manifest, record = Manifest.read(files["manifest.json"]), Record.read(files["record.json"])
        snapshot = Snapshot(manifest, record, Exported(files), index["ref"])
        if index["id"] != snapshot.id or record.manifest != snapshot.id:
            raise Corrupt(f"the manifest's digest is {snapshot.id}, index and record must say the same")
        if record.version and index["ref"] != f"{record.name}/{record.version}":
            raise Corrupt(f"the index calls it {index['ref']}, the record {record.name}/{record.version}")
        rebuilt = contents(snapshot)
        rebuilt |= {f"artifacts/{name}.json": artifact.document for name, artifact in snapshot.items()}
        rebuilt = packed(rebuilt) if PACKED in given else rebuilt
    except (Corrupt, NotFound, KeyError) as error:
        yield Finding("corrupt", "fail", PACKED if PACKED in given else "manifest.json", str(error))
        return
    for name in sorted({*rebuilt, *given}):
        if rebuilt.get(name) != given.get(name):
            yield Finding("corrupt", "fail", name, "this file is not what the manifest leads to")


def _read(path: Path) -> dict[str, bytes]:
    if path.is_dir():
        return _read_folder(path)
    if not path.is_file():
        raise NotFound(f"there is no export at {path}")
    return _unzipped(path.read_bytes())


def _unzipped(data: bytes) -> dict[str, bytes]:
    if len(data) > MAX_BYTES:
        raise Corrupt(f"{len(data)} bytes, more than the limit of {MAX_BYTES}")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            if len(infos) > MAX_FILES or sum(info.file_size for info in infos) > MAX_BYTES:
                raise Corrupt(f"more than {MAX_FILES} files or {MAX_BYTES} bytes in the zip")
            if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
                raise Corrupt("the zip holds compressed files; an export stores them as they are")
            files = {info.filename: archive.read(info) for info in infos}
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise Corrupt(f"not a zip that showcause wrote: {error}") from None
    if zipped(files) != data:
        raise Corrupt("the zip has bytes that showcause did not write")
    return files


def _read_folder(path: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    total = 0
    for top, folders, names in os.walk(path):
        links = [Path(top) / name for name in (*folders, *names) if (Path(top) / name).is_symlink()]
        if links:
            raise Corrupt(f"{links[0]} is a symbolic link; an export has none")
        for name in names:
            file = Path(top) / name
            total += file.stat().st_size
            if len(files) >= MAX_FILES or total > MAX_BYTES:
                raise Corrupt(f"more than {MAX_FILES} files or {MAX_BYTES} bytes in the folder")
            files[file.relative_to(path).as_posix()] = file.read_bytes()
    return files


def artifact_json(artifact: Artifact) -> bytes:
    """The bytes that every door gives for `--json`: the spec, and the table as JSON whatever its size."""
    head = canonical.loads(artifact.document)
    rows = tables.to_json(artifact.table).decode().strip()
    return canonical.dumps(head)[:-1] + b',"records":' + rows.encode() + b"}\n"
