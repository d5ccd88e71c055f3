"""`showcause reasons`: a file of rows in, a parquet file of reasons out, whole or not at all."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from showcause.cli.load import Roles, load_model, read_table, recast, split
from showcause.core.errors import DataError, ParameterError
from showcause.core.snapshot import Snapshot

PARQUET = (".parquet", ".pq")


def run(
    snapshot: Snapshot,
    model: str,
    data: Path,
    out: Path,
    *,
    id: str | None,
    reference: Path | None,
    allow_pickle: bool,
    **options: Any,
) -> tuple[int, float]:
    """(rows written, seconds). Staged beside `out`, synced, and named once it is whole."""
    import showcause

    if out.suffix.lower() not in PARQUET:
        raise ParameterError(f"--out {out}: give a file that ends in .parquet")
    if out.resolve() in {given.resolve() for given in (data, reference) if given is not None}:
        raise ParameterError(f"--out {out} is what is read; give another file, or the rows would be gone")
    began = time.perf_counter()
    native = load_model(model, allow_pickle=allow_pickle).native
    order = snapshot.manifest.data["order"]
    rows: Any = data
    if data.suffix.lower() not in PARQUET:
        wanted = [*order, *([id] if id else [])]
        table = read_table(data)
        if lacking := [name for name in wanted if name not in table.column_names]:
            raise DataError(f"{data} lacks the columns {lacking[:12]}")
        rows = iter([table.select(wanted).combine_chunks().to_batches()[0]]) if len(table) else iter(())
    behind = None
    if reference is not None:
        behind = recast(native, split(read_table(reference).select(order), Roles()).X)
    reader = showcause.reasons(snapshot, native, rows, ids=id, reference=behind, **options)
    return write(reader, out), time.perf_counter() - began


def write(reader: Any, out: Path) -> int:
    """The stream as one parquet file; whatever happens on the way leaves nothing behind. Returns its rows."""
    import pyarrow.parquet

    out.parent.mkdir(parents=True, exist_ok=True)
    staged = out.with_name(f".{out.name}.{os.getpid()}.partial")
    rows = 0
    try:
        with pyarrow.parquet.ParquetWriter(staged, reader.schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch)
                rows += len(batch)
        with staged.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(staged, out)
    finally:
        staged.unlink(missing_ok=True)
    return rows
