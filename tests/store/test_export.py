import shutil
import zipfile
from pathlib import Path

import pytest

import showcause as sc
from showcause.core import canonical
from showcause.core.errors import Corrupt, NotFound, ParameterError
from showcause.store.export import contents, packed, read_export, verify_export
from showcause.store.memory import MemoryStore
from tests.store.test_store import ARTIFACT, make


@pytest.fixture
def snapshot():
    return make(MemoryStore())


def test_a_folder_and_a_zip_open_to_the_same_snapshot(snapshot, tmp_path):
    folder, archive = snapshot.export(tmp_path / "folder"), snapshot.export(tmp_path / "one.zip")
    for path in (folder, archive):
        opened = sc.open(path)
        assert opened.id == snapshot.id
        assert opened.ref == "credit/1"
        assert opened["importance/x"] == ARTIFACT
        assert sc.verify(path) == []
    assert snapshot.export(tmp_path / "two.zip").read_bytes() == archive.read_bytes()


def test_file_names_are_fixed(snapshot, tmp_path):
    folder = snapshot.export(tmp_path / "f")
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    fixed = {"snapshot.json", "manifest.json", "record.json", "metrics.json"}
    tables = {"artifacts/importance/x.json", "tables/importance/x.json"}
    assert {n for n in names if not n.startswith("blobs/")} == fixed | tables


def test_what_is_attached_travels_along(snapshot, tmp_path):
    bare = snapshot.export(tmp_path / "bare")
    for text in (b"{}", b"[]"):
        snapshot.objects.attach(snapshot.id, "verdict", text)
    snapshot.objects.attach(snapshot.id, "signature", b"{}")
    for path in (snapshot.export(tmp_path / "folder"), snapshot.export(tmp_path / "one.zip")):
        opened = sc.open(path)
        assert opened.id == snapshot.id
        assert (opened.attached("verdict"), opened.attached("signature")) == ([b"{}", b"[]"], [b"{}"])
    names = {p.relative_to(tmp_path / "folder").as_posix() for p in (tmp_path / "folder/attached").rglob("*.json")}
    assert names == {f"attached/{n}.json" for n in ("verdict/000001", "verdict/000002", "signature/000001")}
    assert sc.open(bare).attached("verdict") == []


def test_attached_files_that_were_dropped_added_or_swapped_are_named(snapshot, tmp_path):
    for text in (b"{}", b"[]"):
        snapshot.objects.attach(snapshot.id, "verdict", text)
    folder = snapshot.export(tmp_path / "f")
    one, two = (folder / f"attached/verdict/00000{n}.json" for n in (1, 2))
    one.write_bytes(b"[]"), two.write_bytes(b"{}")
    assert [(f.code, f.subject[-11:]) for f in verify_export(folder)] == [
        ("changed", "000001.json"),
        ("changed", "000002.json"),
    ]
    one.write_bytes(b"{}"), two.rename(folder / "attached/verdict/000003.json")
    assert {(f.code, f.subject[-11:]) for f in verify_export(folder)} == {
        ("missing", "000002.json"),
        ("extra", "000003.json"),
    }


def test_every_changed_byte_is_found(snapshot, tmp_path):
    snapshot.objects.attach(snapshot.id, "verdict", b"{}")
    folder = snapshot.export(tmp_path / "f")
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        data = path.read_bytes()
        for position in range(0, len(data), max(1, len(data) // 60)):
            path.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
            named = [f.subject for f in verify_export(folder)]
            assert named, (path, position)
            with pytest.raises(Corrupt):
                read_export(folder)
        path.write_bytes(data)
    assert list(verify_export(folder)) == []


def test_a_packed_folder_is_the_same_snapshot_and_every_changed_byte_is_found(snapshot, tmp_path):
    given = snapshot.objects.attach(snapshot.id, "verdict", b"{}")
    files = packed(contents(snapshot))
    assert list(files) == ["snapshot.zip", "attached/verdict/000001.json", "snapshot.json"]
    folder = write(files, tmp_path / "f")
    read = read_export(folder)
    assert (read.id, read.objects.attached(read.id, "verdict")) == (snapshot.id, [given])
    assert contents(read) == contents(snapshot)
    for name, data in files.items():
        for position in range(0, len(data), max(1, len(data) // 60)):
            (folder / name).write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
            assert list(verify_export(folder)), (name, position)
        (folder / name).write_bytes(data)
    assert read_export(folder / "snapshot.zip").id == snapshot.id  # by itself, without what was attached


def test_a_packed_folder_with_other_contents_and_a_mended_index_is_refused(snapshot, tmp_path):
    loose = contents(snapshot)
    forged = loose["tables/importance/x.json"].replace(b'"value":1', b'"value":9')
    more = {**loose, "manifest.json": loose["record.json"]}
    for name, wrong in [
        ("a", {**loose, "tables/importance/x.json": forged}),
        ("b", {**loose, "more": b""}),
        ("c", more),
    ]:
        index = canonical.loads(wrong["snapshot.json"])
        index["files"] = {file: canonical.digest(data) for file, data in wrong.items() if file != "snapshot.json"}
        found = verify_export(write(packed({**wrong, "snapshot.json": canonical.dumps(index)}), tmp_path / name))
        assert {f.code for f in found} == {"corrupt"}, name
    stale = {**packed(loose), "snapshot.zip": packed({**loose, "metrics.json": b"{}"})["snapshot.zip"]}
    assert [f.code for f in verify_export(write(stale, tmp_path / "d"))] == ["changed"]


def write(files, folder):
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def test_dropped_added_renamed_and_swapped_files_are_named(snapshot, tmp_path):
    folder = snapshot.export(tmp_path / "f")
    table, manifest = folder / "tables/importance/x.json", folder / "manifest.json"
    table.rename(folder / "tables/importance/y.json")
    assert {(f.code, f.subject) for f in verify_export(folder)} == {
        ("missing", "tables/importance/x.json"),
        ("extra", "tables/importance/y.json"),
    }
    (folder / "tables/importance/y.json").rename(table)
    record = folder / "record.json"
    one, two = manifest.read_bytes(), record.read_bytes()
    manifest.write_bytes(two), record.write_bytes(one)
    assert {f.subject for f in verify_export(folder)} == {"manifest.json", "record.json"}


def test_a_changed_file_with_a_mended_index_is_still_found(snapshot, tmp_path):
    folder = snapshot.export(tmp_path / "f")
    forged = (folder / "tables/importance/x.json").read_bytes().replace(b'"value":1', b'"value":9')
    (folder / "tables/importance/x.json").write_bytes(forged)
    index = canonical.loads((folder / "snapshot.json").read_bytes())
    index["files"]["tables/importance/x.json"] = canonical.digest(forged)
    (folder / "snapshot.json").write_bytes(canonical.dumps(index))
    assert [f.severity for f in verify_export(folder)] == ["fail"]


def test_zips_that_showcause_did_not_write_are_refused(snapshot, tmp_path):
    archive = snapshot.export(tmp_path / "one.zip")
    for name, data in [("tail.zip", archive.read_bytes() + b"x"), ("head.zip", b"x" + archive.read_bytes())]:
        (tmp_path / name).write_bytes(data)
        assert list(verify_export(tmp_path / name))
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("snapshot.json", b"0" * 10_000_000)
    with pytest.raises(Corrupt, match="compressed"):
        read_export(tmp_path / "bomb.zip")


def test_links_are_refused(snapshot, tmp_path):
    folder = snapshot.export(tmp_path / "f")
    (folder / "blobs").joinpath("link").symlink_to("/etc/passwd")
    with pytest.raises(Corrupt, match="symbolic link"):
        read_export(folder)


def test_nothing_is_overwritten(snapshot, tmp_path):
    folder = snapshot.export(tmp_path / "f")
    with pytest.raises(ParameterError, match="there already"):
        snapshot.export(folder)
    shutil.rmtree(folder)
    with pytest.raises(NotFound):
        read_export(Path(folder))
