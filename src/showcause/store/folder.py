"""The local store: plain files, readable without showcause.

    showcause-store      the format's name and number
    objects/ab/cdef…     bytes, named by their sha256
    refs/NAME/000001     the record digest of version 1; create-only
    refs/NAME@ALIAS/…    the same for an alias
    attached/KIND/MANIFEST/000001   the first verdict or signature given to a snapshot; create-only
    memo/ab/cdef…        digest of all inputs of an artifact → its digest; a cache, safe to delete
    staging/             files being written; what a crash leaves here is cleared by gc

An object is staged, synced, renamed, and its folder synced. An entry (of a ref, or of what is attached) is a staged
file given its second name by link(2), which fails where the name is taken: publishing is atomic and no lock can be left
behind. The staged file of an entry exists from before its record is stored until after the entry is named, so a record
that no entry and no staged file names is an entry that somebody removed, not an interrupted publish.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from showcause.core import canonical
from showcause.core.artifact import Artifact
from showcause.core.errors import Conflict, Corrupt, NotFound, ParameterError, ShowcauseError, StoreError
from showcause.core.finding import Finding
from showcause.core.snapshot import Manifest, Record
from showcause.store.attached import KINDS, Entry, chain, check_kind, placed
from showcause.store.filesystem import FileSystem
from showcause.store.promotion import Promotion, log, named
from showcause.store.store import Ref, check_name, reachable, verified

FORMAT = b"showcause-store 1\n"
MARK = "showcause-store"
LIMIT = 2**32  # bytes of one object
GRACE = 3_600.0  # seconds that gc leaves an unreachable file alone: a run may be about to name it


class FolderStore:
    def __init__(self, root: str | os.PathLike[str], *, create: bool = True, files: FileSystem | None = None) -> None:
        self.root = Path(root).absolute()
        self.files = files or FileSystem()
        mark = self.root / MARK
        if not self.files.exists(mark):
            if not create:
                raise NotFound(f"there is no store at {self.root}; showcause explain makes one, or give --store")
            others = self.files.names(self.root) not in ([], ["staging"])
            if not others:
                self.files.make(self.root / "staging")
                self._rename_into(FORMAT, mark)
            elif not self.files.exists(mark):  # looked at again: another writer may have made the store meanwhile
                raise ParameterError(f"{self.root} is a folder with other files in it; give an empty or a new one")
        if self.files.read(mark) != FORMAT:
            raise Corrupt(f"{self.root} is a store of another format; this version reads {FORMAT.decode().strip()}")

    # -- objects

    def _object(self, digest: str) -> Path:
        if not canonical.is_digest(digest):
            raise Corrupt(f"not a digest: {digest!r}")
        return self.root / "objects" / digest[:2] / digest[2:]

    def put(self, data: bytes) -> str:
        digest = canonical.digest(data)
        path = self._object(digest)
        if self._whole(path, digest):
            self.files.touch(path)  # a fresh time keeps gc away until the ref is there
        else:
            self._rename_into(data, path)
        return digest

    def _whole(self, path: Path, digest: str) -> bool:
        try:
            return canonical.digest(self.files.read(path)) == digest
        except FileNotFoundError:
            return False

    def get(self, digest: str) -> bytes:
        try:
            return verified(self.files.read(self._object(digest)), digest)
        except FileNotFoundError:
            raise NotFound(f"no object {digest} in {self.root}") from None

    def has(self, digest: str) -> bool:
        return self.files.exists(self._object(digest))

    def _stage(self, data: bytes) -> Path:
        self.files.make(self.root / "staging")
        path = self.root / "staging" / uuid.uuid4().hex
        try:
            self.files.write(path, data)
        except BaseException:
            self.files.remove(path)
            raise
        return path

    def _rename_into(self, data: bytes, path: Path) -> None:
        self.files.make(path.parent)
        staged = self._stage(data)
        try:
            self.files.rename(staged, path)
        except BaseException:
            self.files.remove(staged)
            raise
        self.files.sync(path.parent)

    # -- refs

    def refs(self) -> list[str]:
        return self.files.names(self.root / "refs")

    def entries(self, ref: str) -> list[str]:
        return self._entries(self._ref(ref))

    def _entries(self, folder: Path) -> list[str]:
        found = []
        for number, name in enumerate(self.files.names(folder), 1):
            if name != f"{number:06d}":
                raise Corrupt(f"{folder.relative_to(self.root)}: {name} stands where {number:06d} must stand")
            found.append(self._entry(folder / name))
        return found

    def _ref(self, ref: str) -> Path:
        name, at, alias = ref.partition("@")
        check_name(name)
        if at:
            check_name(alias)
        return self.root / "refs" / ref

    def _entry(self, path: Path) -> str:
        text = self.files.read(path).decode("ascii", "replace")
        if not canonical.is_digest(text[:-1]) or text[-1:] != "\n":
            raise Corrupt(f"{path.relative_to(self.root)} does not hold one digest and a newline")
        return text[:-1]

    def append(self, ref: str, number: int, record: bytes) -> None:
        if number != len(self.entries(ref)) + 1:
            raise Conflict(f"{ref} has other entries than expected; number {number} is not the next")
        self._append(self._ref(ref), number, record, ref)

    def _append(self, folder: Path, number: int, record: bytes, what: str) -> None:
        digest = canonical.digest(record)
        staged = self._stage(f"{digest}\n".encode())
        try:
            self.files.sync(staged.parent)
            self.put(record)
            self.files.make(folder)
            self.files.link(staged, folder / f"{number:06d}")
            self.files.sync(folder)
        except BaseException as error:
            if digest not in self._entries(folder):  # a nonce makes it this writer's own: nobody else needs it
                self.files.remove(self._object(digest))
            if isinstance(error, FileExistsError):
                raise Conflict(f"{what} got entry {number} from another writer") from None
            raise
        finally:
            self.files.remove(staged)

    # -- what is attached

    def _attached(self, manifest: str, kind: str) -> Path:
        if not canonical.is_digest(manifest):
            raise ParameterError(f"not a manifest's digest: {manifest!r}")
        return self.root / "attached" / check_kind(kind) / manifest

    def attach(self, manifest: str, kind: str, document: bytes) -> str:
        folder = self._attached(manifest, kind)
        self.get(manifest)
        digest = self.put(document)
        while digest not in self.attached(manifest, kind):
            entries = self._entries(folder)
            entry = Entry(manifest, kind, len(entries) + 1, entries[-1] if entries else None, digest)
            with contextlib.suppress(Conflict):  # another writer took the number: look again
                self._append(folder, entry.number, entry.document, f"{kind} of {manifest[:12]}")
        return digest

    def attached(self, manifest: str, kind: str) -> list[str]:
        digests = self._entries(self._attached(manifest, kind))
        return [entry.attached for entry in chain(manifest, kind, digests, self.get)]

    def _lists(self) -> Iterator[tuple[str, str]]:
        """(manifest, kind) of everything attached."""
        for kind in KINDS:
            for manifest in self.files.names(self.root / "attached" / kind):
                yield manifest, kind

    # -- memo

    def _memo(self, key: str) -> Path:
        return self.root / "memo" / key[:2] / key[2:]

    def remembered(self, key: str) -> str | None:
        try:
            digest = self._entry(self._memo(key))
            Artifact.read(self.get(digest), self)
        except (FileNotFoundError, StoreError):
            return None
        return digest

    def remember(self, key: str, digest: str) -> None:
        self._rename_into(f"{digest}\n".encode(), self._memo(key))

    # -- care

    def verify(self) -> Iterator[Finding]:
        """Read every byte. Each finding names the file or record that is not as it must be."""
        reached: set[str] = set()
        for ref in self.refs():
            yield from self._verify_ref(ref, reached)
        for manifest, kind in self._lists():
            yield from self._verify_attached(manifest, kind, reached)
        staged = {
            self.files.read(path).decode("ascii", "replace").strip() for path in self.files.files(self.root / "staging")
        }
        for path in self.files.files(self.root):
            yield from self._verify_file(path, reached, staged)

    def _verify_ref(self, ref: str, reached: set[str]) -> Iterator[Finding]:
        before: str | None = None
        try:
            entries = self.entries(ref)
        except (ShowcauseError, OSError) as error:
            yield Finding("bad-ref", "fail", f"refs/{ref}", str(error))
            return
        for number, digest in enumerate(entries, 1):
            subject = f"{ref}/{number}" if "@" not in ref else f"{ref} entry {number}"
            try:
                found = reachable(self, digest)
                record = Record.read(self.get(named(self, digest)))
                manifest = Manifest.read(self.get(record.manifest))
                for name, artifact in manifest.artifacts.items():
                    if Artifact.read(self.get(artifact), self).name != name:
                        raise Corrupt(f"the artifact stored as {name} has another name")
                reached |= found
                if record.name != Ref.parse(ref).name:
                    raise Corrupt(f"it names the record of {record.name}/{record.version}")
                if "@" not in ref and (record.version, record.parent) != (number, before):
                    raise Corrupt(f"it names the record of {record.name}/{record.version}, or of another history")
            except (ShowcauseError, OSError) as error:
                code = getattr(error, "code", "unreadable")
                yield Finding(str(code), "fail", subject, str(error))
            before = digest
        if "@" in ref:
            try:
                list(log(self, ref))
            except (ShowcauseError, OSError) as error:
                yield Finding("bad-log", "fail", ref, str(error))

    def _verify_attached(self, manifest: str, kind: str, reached: set[str]) -> Iterator[Finding]:
        folder = f"attached/{kind}/{manifest}"
        try:
            digests = self._entries(self._attached(manifest, kind))
        except (ShowcauseError, OSError) as error:
            yield Finding("bad-ref", "fail", folder, str(error))
            return
        if manifest not in reached:
            yield Finding("foreign", "fail", folder, f"a {kind} of a snapshot that no version names")
        before: str | None = None
        for number, digest in enumerate(digests, 1):
            reached.add(digest)
            try:
                entry = placed(Entry.read(self.get(digest)), manifest, kind, number, before)
                self.get(entry.attached)
                reached.add(entry.attached)
            except (ShowcauseError, OSError) as error:
                yield Finding(str(getattr(error, "code", "unreadable")), "fail", f"{folder}/{number:06d}", str(error))
            before = digest

    def _verify_file(self, path: Path, reached: set[str], staged: set[str]) -> Iterator[Finding]:
        parts = path.relative_to(self.root).parts
        subject = "/".join(parts)
        listed = (parts[0] in ("refs", "memo") and len(parts) == 3) or (parts[0] == "attached" and len(parts) == 4)
        if parts == (MARK,) or (listed and (parts[0] != "attached" or parts[1] in KINDS) and not path.is_symlink()):
            return
        if parts[0] == "staging" and len(parts) == 2:
            yield Finding("staged", "note", subject, "left by an interrupted run, or being written; gc clears it")
            return
        digest = "".join(parts[1:])
        if parts[0] != "objects" or len(parts) != 3 or not canonical.is_digest(digest) or path.is_symlink():
            yield Finding("extra", "fail", subject, "this file does not belong to the store")
            return
        try:
            data = self.get(digest)
        except (ShowcauseError, OSError) as error:
            yield Finding("corrupt", "fail", subject, str(error))
            return
        if digest in reached:
            return
        record = _recorded(data)
        if record is None:
            yield Finding("unreachable", "note", subject, "no ref reaches this object; gc removes it")
        elif digest not in staged:
            message = f"this is the record of {record}, and no entry names it: the entry was removed"
            yield Finding("missing-ref", "fail", subject, message)

    def gc(self, *, grace: float = GRACE) -> tuple[list[str], list[str]]:
        """(removed, kept): files that no ref reaches, removed where older than `grace` seconds, else kept.

        Raises Corrupt, and removes nothing, where what a ref reaches cannot be told.
        """
        reached: set[str] = set()
        for ref in self.refs():
            for digest in self.entries(ref):
                reached |= reachable(self, digest)
        for manifest, kind in self._lists():
            digests = self._entries(self._attached(manifest, kind))
            reached |= {*digests, *(entry.attached for entry in chain(manifest, kind, digests, self.get))}
        now = time.time()
        removed: list[str] = []
        kept: list[str] = []
        for path in self.files.files(self.root):
            parts = path.relative_to(self.root).parts
            loose = parts[0] == "objects" and "".join(parts[1:]) not in reached
            dangling = parts[0] == "memo" and len(parts) == 3 and self._entry(path) not in reached
            if loose or dangling or parts[0] == "staging":
                old = self.files.age(path, now) >= grace
                (removed if old else kept).append("/".join(parts))
                if old:
                    self.files.remove(path)
        return removed, kept


def _recorded(data: bytes) -> str | None:
    """Which entry this object is the record of, where it is one."""
    try:
        record = Record.read(data)
        return f"{record.name}/{record.version}"
    except Corrupt:
        pass
    try:
        return str(Entry.read(data))
    except Corrupt:
        pass
    try:
        entry = Promotion.read(data)
        return f"{entry.alias} entry {entry.number}"
    except Corrupt:
        return None
