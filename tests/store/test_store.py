"""One suite for every store, then what only the folder can do: crashes, faults, tampering, many writers."""

import multiprocessing
import os
from pathlib import Path

import pytest

from showcause.core import canonical, kinds
from showcause.core.artifact import Artifact
from showcause.core.errors import Conflict, Corrupt, NotFound, ParameterError
from showcause.core.snapshot import Manifest, Record, Status
from showcause.store.filesystem import FileSystem
from showcause.store.folder import FolderStore
from showcause.store.memory import MemoryStore
from showcause.store.store import Ref, open_ref, point, publish

ARTIFACT = Artifact(
    "importance/x",
    "importance",
    {"seed": 0},
    kinds.build("importance", {"feature": ["a"], "value": [1.0]}),
    {"b": b"!"},
)


def make(store, name="credit", seed=0):
    for data in ARTIFACT.objects():
        store.put(data)
    status = {"importance/x": Status("ok")}
    manifest = Manifest({"seed": seed}, {}, {}, ("importance/x",), status, {"importance/x": ARTIFACT.digest})

    def record(version, parent):
        return Record(manifest.digest, name, version, parent, "2026-01-01T00:00:00+00:00", "me", None)

    return publish(store, manifest, name, record)


@pytest.fixture(params=["memory", "folder"])
def store(request, tmp_path):
    return MemoryStore() if request.param == "memory" else FolderStore(tmp_path / "store")


def test_versions_count_up_and_open_by_version_alias_and_latest(store):
    first, second = make(store), make(store, seed=1)
    assert (first.ref, second.ref) == ("credit/1", "credit/2")
    assert second.record.parent == first.record.digest
    assert open_ref(store, "credit/1").id == first.id
    assert open_ref(store, "credit@latest").id == open_ref(store, "credit").id == second.id
    point(store, "credit/1", "champion")
    assert open_ref(store, "credit@champion").id == first.id
    point(store, "credit/2", "champion")
    assert open_ref(store, "credit@champion").id == second.id
    assert list(store.verify()) == []


def test_what_is_not_there_is_not_found(store):
    make(store)
    for ref in ("credit/2", "credit@champion", "other"):
        with pytest.raises(NotFound):
            open_ref(store, ref)
    with pytest.raises(NotFound):
        store.get("0" * 64)


def test_a_number_is_given_once(store):
    record = make(store).record.document
    with pytest.raises(Conflict):
        store.append("credit", 1, record)
    with pytest.raises(Conflict):
        store.append("credit", 3, record)


@pytest.mark.parametrize("name", ["", "../x", "A", "a/b", "a b", ".a", "con", "latest", "a" * 65, "é", "a\n", "a@b"])
def test_ids_never_become_paths(name, tmp_path):
    with pytest.raises(ParameterError):
        make(FolderStore(tmp_path / "store"), name)
    assert {p.name for p in tmp_path.iterdir()} <= {"store"}


@pytest.mark.parametrize("text", ["credit/0", "credit/x", "credit/1@a", "credit/-1", "credit/٣", "credit/1e3"])
def test_refs_have_one_form(text):
    with pytest.raises(ParameterError):
        Ref.parse(text)


def test_a_folder_with_other_files_does_not_become_a_store(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ParameterError, match="other files"):
        FolderStore(tmp_path)
    with pytest.raises(NotFound, match="no store"):
        FolderStore(tmp_path / "none", create=False)


def test_attached_documents_stay_in_order_and_are_added_once(store):
    one, two = make(store), make(store, seed=1)
    digests = [store.attach(one.id, "verdict", text) for text in (b"a", b"b", b"a")]
    assert store.attached(one.id, "verdict") == [canonical.digest(b"a"), canonical.digest(b"b")]
    assert digests == [canonical.digest(text) for text in (b"a", b"b", b"a")]
    assert store.attached(one.id, "signature") == store.attached(two.id, "verdict") == []
    assert open_ref(store, "credit/1").attached("verdict") == [b"a", b"b"]
    assert one.id == open_ref(store, "credit/1").id
    assert list(store.verify()) == []


def test_nothing_is_attached_to_what_is_not_there(store):
    snapshot = make(store)
    with pytest.raises(NotFound):
        store.attach("0" * 64, "verdict", b"a")
    for manifest, kind in [(snapshot.id, "opinion"), (snapshot.id, "../x")]:
        with pytest.raises(ParameterError, match="possible: verdict, signature"):
            store.attach(manifest, kind, b"a")


def files(root):
    return sorted(p for p in Path(root).rglob("*") if p.is_file())


def attach(store):
    """Two verdicts and a signature on credit/1, a verdict on credit/2."""
    one, two = open_ref(store, "credit/1"), open_ref(store, "credit/2")
    for snapshot, kind, text in [(one, "verdict", b"{}"), (one, "verdict", b"[]"), (one, "signature", b"{}")]:
        store.attach(snapshot.id, kind, text)
    store.attach(two.id, "verdict", b'"no"')


def test_every_changed_byte_is_found_and_named(tmp_path):
    store = FolderStore(tmp_path / "s")
    make(store)
    make(store, seed=1)
    point(store, "credit/1", "champion")
    attach(store)
    for path in files(store.root):
        data = path.read_bytes()
        for position in range(0, len(data), max(1, len(data) // 40)):
            path.write_bytes(data[:position] + bytes([data[position] ^ 4]) + data[position + 1 :])
            findings = [f for f in _findings(store) if f.severity == "fail"]
            assert findings, (path, position)
        path.write_bytes(data)
    assert list(store.verify()) == []


def _findings(store):
    try:
        return list(FolderStore(store.root, create=False).verify())
    except Corrupt as error:  # the store's own mark was changed
        from showcause.core.finding import Finding

        return [Finding("format", "fail", "showcause-store", str(error))]


def test_every_dropped_swapped_or_added_file_is_found(tmp_path):
    store = FolderStore(tmp_path / "s")
    make(store)
    make(store, seed=1)
    attach(store)
    for path in files(store.root / "objects") + files(store.root / "refs") + files(store.root / "attached"):
        data = path.read_bytes()
        path.unlink()
        assert any(f.severity == "fail" for f in store.verify()), path
        path.write_bytes(data)
    one, two = files(store.root / "refs")
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second), two.write_bytes(first)
    assert {f.subject for f in store.verify() if f.severity == "fail"} >= {"credit/1", "credit/2"}
    one.write_bytes(first), two.write_bytes(second)
    (store.root / "objects" / "extra").write_text("x")
    assert [f.subject for f in store.verify() if f.code == "extra"] == ["objects/extra"]


def test_attached_entries_that_moved_are_named(tmp_path):
    store = FolderStore(tmp_path / "s")
    make(store), make(store, seed=1)
    attach(store)
    entries = files(store.root / "attached")
    for one in entries:
        for two in entries:
            first, second = one.read_bytes(), two.read_bytes()
            one.write_bytes(second), two.write_bytes(first)
            named = {f.subject for f in store.verify() if f.severity == "fail"}
            moved = {p.relative_to(store.root).as_posix() for p in (one, two)} if one != two else set()
            assert named >= moved
            assert bool(named) == bool(moved)
            one.write_bytes(first), two.write_bytes(second)
    last = entries[-1]  # dropped from the end of its list
    data = last.read_bytes()
    last.unlink()
    assert {f.code for f in store.verify() if f.severity == "fail"} == {"missing-ref"}
    last.write_bytes(data)
    foreign = store.root / "attached" / "verdict" / ("0" * 64)
    foreign.mkdir()
    (foreign / "000001").write_bytes(data)
    assert {f.code for f in store.verify() if f.severity == "fail"} == {"foreign", "corrupt"}


def test_gc_keeps_what_is_attached(tmp_path):
    store = FolderStore(tmp_path / "s")
    make(store), make(store, seed=1)
    attach(store)
    assert store.gc(grace=0) == ([], [])
    assert open_ref(store, "credit/1").attached("verdict") == [b"{}", b"[]"]


def test_reads_are_verified_before_they_are_parsed(tmp_path):
    store = FolderStore(tmp_path / "s")
    snapshot = make(store)
    path = store._object(snapshot.manifest.artifacts["importance/x"])
    path.write_bytes(b"{}")
    with pytest.raises(Corrupt, match="other bytes"):
        open_ref(store, "credit")["importance/x"]


def test_putting_again_heals_a_damaged_object(tmp_path):
    store = FolderStore(tmp_path / "s")
    digest = store.put(b"data")
    store._object(digest).write_bytes(b"dat")
    store.put(b"data")
    assert store.get(digest) == b"data"


def test_gc_removes_only_what_no_ref_reaches(tmp_path):
    store = FolderStore(tmp_path / "s")
    snapshot = make(store)
    loose = store.put(b"nobody's")
    store.remember("1" * 64, snapshot.manifest.artifacts["importance/x"])
    store.remember("2" * 64, "3" * 64)
    removed, kept = store.gc()
    assert removed == []
    assert len(kept) == 2
    removed, kept = store.gc(grace=0)
    assert sorted(removed) == sorted([f"objects/{loose[:2]}/{loose[2:]}", f"memo/22/{'2' * 62}"])
    assert kept == []
    assert open_ref(store, "credit")["importance/x"] == ARTIFACT
    assert list(store.verify()) == []


def test_gc_removes_nothing_where_a_ref_is_damaged(tmp_path):
    store = FolderStore(tmp_path / "s")
    snapshot = make(store)
    store._object(snapshot.manifest.digest).unlink()
    before = files(store.root)
    with pytest.raises(NotFound):
        store.gc(grace=0)
    assert files(store.root) == before


class Failing(FileSystem):
    """The real file system, but call number `at` fails."""

    def __init__(self, at, error):
        self.left, self.error = at, error

    def _count(self):
        self.left -= 1
        if self.left == 0:
            raise self.error

    def read(self, path):
        self._count()
        return super().read(path)

    def write(self, path, data):
        if self.left == 1:
            path.write_bytes(data[: len(data) // 2])  # a short write before the error
        self._count()
        super().write(path, data)

    def link(self, source, target):
        self._count()
        super().link(source, target)

    def rename(self, source, target):
        self._count()
        super().rename(source, target)

    def sync(self, folder):
        self._count()
        super().sync(folder)


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), OSError(5, "I/O error"), KeyboardInterrupt()]
)
def test_any_failing_call_leaves_a_whole_store_and_a_retry_succeeds(tmp_path, error):
    number, failures = 0, 0
    while True:
        number += 1
        root = tmp_path / str(number)
        try:
            make(FolderStore(root, files=Failing(number, error)))
        except type(error):
            failures += 1
        else:
            break
        store = FolderStore(root)
        assert not [f for f in store.verify() if f.severity == "fail"], number
        before = len(store.entries("credit"))
        make(store)
        assert len(store.entries("credit")) == before + 1
    assert failures > 20


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_any_failing_call_leaves_what_is_attached_whole(tmp_path, error):
    number, failures = 0, 0
    while True:
        number += 1
        store = FolderStore(tmp_path / str(number))
        snapshot = make(store)
        store.attach(snapshot.id, "verdict", b"first")
        try:
            FolderStore(store.root, files=Failing(number, error)).attach(snapshot.id, "verdict", b"second")
        except type(error):
            failures += 1
        else:
            break
        assert not [f for f in store.verify() if f.severity == "fail"], number
        store.attach(snapshot.id, "verdict", b"second")
        assert snapshot.attached("verdict") == [b"first", b"second"]
    assert failures > 15


def _publish_many(root, count):
    for seed in range(count):
        snapshot = make(FolderStore(root), seed=seed)
        snapshot.objects.attach(snapshot.id, "verdict", f"{os.getpid()}".encode())


def test_many_writers_lose_nothing(tmp_path):
    context = multiprocessing.get_context("fork" if os.name == "posix" else "spawn")
    workers = [context.Process(target=_publish_many, args=(tmp_path / "s", 6)) for _ in range(8)]
    [w.start() for w in workers]
    [w.join() for w in workers]
    store = FolderStore(tmp_path / "s")
    assert len(store.entries("credit")) == 48
    assert {len(open_ref(store, f"credit/{number}").attached("verdict")) for number in range(1, 49)} == {8}
    assert [f for f in store.verify() if f.severity == "fail"] == []


def test_objects_are_named_by_sha256(tmp_path):
    store = FolderStore(tmp_path / "s")
    digest = store.put(b"abc")
    assert digest == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" == canonical.digest(b"abc")
    assert (store.root / "objects" / "ba" / digest[2:]).read_bytes() == b"abc"
