"""Tables to bytes and back. Small tables are JSON that people can read and git can compare, large ones are Arrow IPC.

Law: decode(encode(table), media, columns) equals the table, and equal tables have equal bytes, however they were
chunked, sliced or built. Bytes that encode would not have written are Corrupt.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa

from showcause.core import canonical
from showcause.core.errors import Corrupt
from showcause.core.kinds import TYPES

JSON = "application/json"
ARROW = "application/vnd.apache.arrow.file"
JSON_ROWS = 5_000  # above this many rows a table is Arrow IPC
MAX_ROWS = 50_000_000
MAX_COLUMNS = 10_000


def columns(table: pa.Table) -> list[list[str]]:
    """[[name, type], …] in order, with the type names of `kinds.TYPES`."""
    names = {arrow: name for name, arrow in TYPES.items()}
    return [[field.name, names[field.type]] for field in table.schema]


def encode(table: pa.Table) -> tuple[bytes, str]:
    """(bytes, media type)."""
    return (to_json(table), JSON) if table.num_rows <= JSON_ROWS else (to_arrow(table), ARROW)


def decode(data: bytes, media: str, schema: list[list[str]]) -> pa.Table:
    """The table; Corrupt unless `data` is exactly what `encode` writes for it."""
    table = _from_json(data, schema) if media == JSON else _from_arrow(data, schema) if media == ARROW else None
    if table is None:
        raise Corrupt(f"unknown media type of a table: {media!r}")
    if encode(table) != (data, media):
        raise Corrupt("the table's bytes are not in canonical form")
    return table


def to_json(table: pa.Table) -> bytes:
    """An array with one RFC 8785 object on each line, whatever the number of rows."""
    order = sorted(table.column_names, key=lambda name: name.encode("utf-16-be"))
    cells = [_members(name, table[name].to_pylist()) for name in order]
    lines = ",\n".join("{" + ",".join(row) + "}" for row in zip(*cells, strict=True))
    return f"[\n{lines}\n]\n".encode() if lines else b"[]\n"


def _members(name: str, values: list[Any]) -> list[str]:
    """The column's members of every object; equal values, of one type as they are, are spelt once."""
    head = canonical.encode(name)
    spelt = {value: f"{head}:{canonical.encode(value)}" for value in set(values)}
    return [spelt[value] for value in values]


def to_arrow(table: pa.Table) -> bytes:
    """One uncompressed record batch: nulls zeroed, no dictionaries, no metadata."""
    schema = pa.schema([pa.field(f.name, f.type) for f in table.schema])
    arrays = [_plain(table[f.name]) for f in schema]
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return sink.getvalue()


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """The same values in fresh buffers, so that slices and garbage under nulls leave no trace in the bytes."""
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if array.type == pa.float64() and array.null_count == 0:
        return pa.array(np.where(array.to_numpy() == 0, 0.0, array.to_numpy()))  # -0.0 is 0
    if array.type in (pa.float64(), pa.int64()):
        valid = array.is_valid().to_numpy(zero_copy_only=False)
        values = array.fill_null(0).to_numpy()
        return pa.array(np.where(valid, np.where(values == 0, values.dtype.type(0), values), 0), mask=~valid)
    return pa.array(array.to_pylist(), type=array.type)


def _from_json(data: bytes, schema: list[list[str]]) -> pa.Table:
    rows: Any = canonical.parsed(data)  # that it is spelt as `encode` spells it, is seen there
    names = {name for name, _ in schema}
    if not isinstance(rows, list) or not all(isinstance(row, dict) and set(row) == names for row in rows):
        raise Corrupt(f"the table is not a list of rows with the columns {sorted(names)}")
    try:
        arrays = {name: pa.array([row[name] for row in rows], type=_type(kind)) for name, kind in schema}
    except (pa.ArrowException, OverflowError, ValueError) as error:
        raise Corrupt(f"a column's values are not of its type: {error}") from None
    return pa.table(arrays)


def _from_arrow(data: bytes, schema: list[list[str]]) -> pa.Table:
    expected = pa.schema([pa.field(name, _type(kind)) for name, kind in schema])
    try:
        reader = pa.ipc.open_file(pa.BufferReader(data))
        if not reader.schema.equals(expected, check_metadata=True) or reader.num_record_batches != 1:
            raise Corrupt("the Arrow file is not one batch of the stated columns")
        batch = reader.get_batch(0)
        batch.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Corrupt(f"not an Arrow file: {error}") from None
    return pa.Table.from_batches([batch])


def _type(name: str) -> pa.DataType:
    if name not in TYPES:
        raise Corrupt(f"unknown column type {name!r}")
    return TYPES[name]
