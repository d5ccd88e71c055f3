"""docs/format.md is enough: a reader written from that page alone reads and verifies what showcause writes, importing
nothing of it. Canonical spelling is checked with the independent implementation `rfc8785`."""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import rfc8785
from sklearn.linear_model import LinearRegression

import showcause

TYPES = {"string": pa.string(), "int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_()}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def canonical(data: bytes) -> Any:
    value = json.loads(data)
    assert rfc8785.dumps(value) == data
    return value


def table(data: bytes, media: str, columns: list[list[str]]) -> pa.Table:
    names = [name for name, _ in columns]
    if media == "application/json":
        assert data == b"[]\n" or (data.startswith(b"[\n{") and data.endswith(b"}\n]\n"))
        rows = canonical(data.replace(b"\n", b""))
        assert all(set(row) == set(names) for row in rows)
        return pa.table({name: pa.array([row[name] for row in rows], TYPES[kind]) for name, kind in columns})
    assert media == "application/vnd.apache.arrow.file"
    reader = pa.ipc.open_file(pa.BufferReader(data))
    assert reader.num_record_batches == 1
    assert [[f.name, TYPES[k]] for f, (_, k) in zip(reader.schema, columns, strict=True)] == [
        [f.name, f.type] for f in reader.schema
    ]
    return pa.Table.from_batches([reader.get_batch(0)])


def read(get: Any, record_digest: str) -> tuple[dict[str, Any], dict[str, pa.Table]]:
    """(manifest with its id, artifact name → table). `get` gives the bytes of a digest."""

    def checked(digest: str) -> bytes:
        data = get(digest)
        assert sha256(data) == digest
        return bytes(data)

    record = canonical(checked(record_digest))
    assert record["format"] == "showcause-record/1"
    manifest = canonical(checked(record["manifest"]))
    assert manifest["format"] == "showcause-manifest/1"
    assert {n for n, s in manifest["statuses"].items() if s["state"] == "ok" and not n.startswith("input/")} == set(
        manifest["artifacts"]
    )
    tables = {}
    for name, digest in manifest["artifacts"].items():
        head = canonical(checked(digest))
        assert (head["format"], head["name"]) == ("showcause-artifact/1", name)
        data = checked(head["table"]["digest"])
        assert len(data) == head["table"]["size"]
        tables[name] = table(data, head["table"]["media"], head["columns"])
        assert len(tables[name]) == head["rows"]
        assert all(sha256(get(blob)) == blob for blob in head["blobs"].values())
    return {**manifest, "id": record["manifest"], "record": record}, tables


def column_digest(values: pd.Series) -> str:
    """Of floats and of text, as the page says."""
    valid = values.notna().to_numpy()
    if values.dtype.kind == "f":
        label, data = "number", values.fillna(0.0).to_numpy("<f8").tobytes()
    else:
        texts = [b"" if not ok else str(v).encode() for v, ok in zip(values, valid, strict=True)]
        label, data = "text", b"".join(struct.pack("<Q", len(text)) + text for text in texts)
    return sha256(f"{label}:{len(values)}:".encode() + np.packbits(valid).tobytes() + data)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, showcause.Snapshot, pd.DataFrame]:
    """A store with two versions; the second has a table above 5,000 rows."""
    store = tmp_path_factory.mktemp("format") / "store"
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=3_000), "é\n<b>": rng.normal(size=3_000), "c": -0.0})
    X.loc[3, "c"] = 1e-7
    words = pd.DataFrame({"town": rng.choice(["Åre", "", "x"], 3_000)})
    y = X["a"] * 2 + rng.normal(size=3_000)
    model = LinearRegression().fit(X, y)
    whole = {"max_rows": None, "max_cells": None, "evaluations": None}
    policy = {
        "require": {"artifacts": ["importance/permutation", "attribution/shapley"]},
        "methods": {"attribution/shapley": whole},
    }
    for few in ({"require": {"artifacts": ["importance/permutation"]}}, policy):
        snapshot = showcause.explain(
            model, X, y, context=words, segments=["town"], name="towns", store=store, policy=few
        )
    return store, snapshot, X


def test_the_store_is_read_without_showcause(made: tuple[Path, showcause.Snapshot, pd.DataFrame]) -> None:
    store, snapshot, _ = made
    assert (store / "showcause-store").read_bytes() == b"showcause-store 1\n"
    entries = sorted((store / "refs" / "towns").iterdir())
    assert [entry.name for entry in entries] == ["000001", "000002"]
    latest = entries[-1].read_text()
    assert latest.endswith("\n")
    manifest, tables = read(lambda d: (store / "objects" / d[:2] / d[2:]).read_bytes(), latest.strip())
    assert (manifest["id"], manifest["record"]["version"]) == (snapshot.id, 2)
    assert manifest["record"]["parent"] == entries[0].read_text().strip()
    assert tables == {name: artifact.table for name, artifact in snapshot.items()}
    assert max(map(len, tables.values())) > 5_000, "both forms of a table were read"


@pytest.mark.parametrize("form", ["folder", "towns.zip"])
def test_an_export_is_read_without_showcause(
    made: tuple[Path, showcause.Snapshot, pd.DataFrame], tmp_path: Path, form: str
) -> None:
    _, snapshot, _ = made
    target = snapshot.export(tmp_path / form)
    if target.is_dir():
        files = {p.relative_to(target).as_posix(): p.read_bytes() for p in target.rglob("*") if p.is_file()}
    else:
        with zipfile.ZipFile(target) as archive:
            assert archive.namelist() == sorted(archive.namelist())
            files = {name: archive.read(name) for name in archive.namelist()}
    index = canonical(files["snapshot.json"])
    assert (index["format"], index["ref"]) == ("showcause-export/1", "towns/2")
    assert index["files"] == {name: sha256(data) for name, data in files.items() if name != "snapshot.json"}
    objects = {sha256(data): data for data in files.values()}
    manifest, tables = read(objects.__getitem__, sha256(files["record.json"]))
    assert manifest["id"] == index["id"] == sha256(files["manifest.json"]) == snapshot.id
    assert sha256(files["artifacts/importance/permutation.json"]) == manifest["artifacts"]["importance/permutation"]
    rows = tables["importance/permutation"].to_pylist()
    metrics = canonical(files["metrics.json"])
    expected = {f"importance/permutation/{row['feature']}": row["value"] for row in rows}
    assert metrics == {"showcause_complete": 1, **expected}


def test_column_digests_are_those_of_the_page(made: tuple[Path, showcause.Snapshot, pd.DataFrame]) -> None:
    _, snapshot, X = made
    data = snapshot.manifest.data
    assert {name: fact["digest"] for name, fact in data["columns"].items()} == {
        name: column_digest(X[name] + 0.0) for name in X
    }
    from showcause.adapters.frame import Frame

    gaps = pd.DataFrame({"n": [1.5, np.nan, -2.0], "t": ["ä", None, ""]})
    assert [Frame.of(gaps).digest(name) for name in gaps] == [column_digest(gaps[name]) for name in gaps]


def test_the_page_names_every_format_state_and_member() -> None:
    from showcause.core import artifact, snapshot
    from showcause.store import attached, export, promotion

    page = (Path(__file__).parents[1] / "docs" / "format.md").read_text(encoding="utf-8")
    formats = [
        artifact.FORMAT,
        snapshot.MANIFEST,
        snapshot.RECORD,
        export.FORMAT,
        attached.ATTACHED,
        promotion.PROMOTION,
    ]
    members = [*snapshot.Manifest.__dataclass_fields__, *snapshot.Record.__dataclass_fields__]
    members += [*attached.Entry.__dataclass_fields__, *promotion.Promotion.__dataclass_fields__]
    assert [word for word in formats if f'"{word}"' not in page] == []
    assert [word for word in (*members, *snapshot.STATES) if f"`{word}`" not in page] == []
