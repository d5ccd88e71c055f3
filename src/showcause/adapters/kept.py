"""Rows as bytes, and back in the form that a model is used to.

Law: `frame_digest(unpack(*pack(frame), like=frame)) == frame_digest(frame)`; equal rows have equal bytes, whatever held
them. No pickle: the bytes are the canonical table of `core.table`, and the types of its columns stand beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcause.adapters.frame import Frame
from showcause.core import table as tables
from showcause.core.errors import DataError

TIMES = ("date", "timestamp", "duration")


def pack(frame: Frame) -> tuple[bytes, dict[str, str]]:
    """(bytes, type of each column by name): "bool", "int64", "float64", "string" or one of `TIMES`."""
    plain = [_plain(frame.arrow(name), name) for name in frame.names]
    columns = {name: values for name, (values, _) in zip(frame.names, plain, strict=True)}
    kinds = {name: kind for name, (_, kind) in zip(frame.names, plain, strict=True)}
    return tables.to_json(pa.table(columns)), kinds


def _plain(array: pa.Array, name: str) -> tuple[pa.Array, str]:
    kind = array.type
    if pa.types.is_boolean(kind):
        return array, "bool"
    if pa.types.is_integer(kind):
        return pc.cast(array, pa.int64()), "int64"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return pc.cast(array, pa.float64(), safe=False), "float64"
    if pa.types.is_date(kind):
        return pc.cast(pc.cast(array, pa.date32()), pa.int32()).cast(pa.int64()), "date"
    if pa.types.is_timestamp(kind):
        return pc.cast(pc.cast(array, pa.timestamp("us"), safe=False), pa.int64()), "timestamp"
    if pa.types.is_duration(kind):
        return pc.cast(pc.cast(array, pa.duration("us"), safe=False), pa.int64()), "duration"
    try:
        return pc.cast(array, pa.string()), "string"
    except pa.ArrowException:
        raise DataError(f"column {name!r} holds {kind}, which cannot be kept") from None


ARROW = {
    "bool": pa.bool_(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "string": pa.string(),
    "timestamp": pa.timestamp("us"),
    "duration": pa.duration("us"),
}


def cell(value: Any, kind: str, name: str) -> pa.Array:
    """One value as a column of the type `kind`, as `pack` says it; None is a missing value of it. Days and times may be
    text in the form of ISO 8601; what stands for a level keeps its own type. Raises DataError for any other value."""
    try:
        given = pa.array([value], from_pandas=True)
        own, nothing = given.type, pa.types.is_null(given.type)
        if kind in ("int64", "float64"):
            fits = pa.types.is_integer(own) or pa.types.is_floating(own) or pa.types.is_decimal(own)
            wanted = pa.int64() if kind == "int64" and pa.types.is_integer(own) else pa.float64()
        elif kind in TIMES:
            fits = pa.types.is_temporal(own) or pa.types.is_string(own)
            wanted = pa.timestamp("us") if kind == "date" else ARROW[kind]
        else:
            fits = pa.types.is_boolean(own) or (kind == "string" and not pa.types.is_nested(own))
            wanted = ARROW[kind] if nothing else own
        if fits or nothing:
            made = pc.cast(given, wanted)
            return pc.cast(made, pa.date32()) if kind == "date" else made
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        pass
    raise DataError(f"column {name!r} holds {kind} values, not {str(value)[:80]!r}")


def unpack(data: bytes, kinds: Mapping[str, str], like: Frame) -> Frame:
    """The rows, in the container and column types of `like`. Raises Corrupt where the bytes are not of these types."""
    stored = {name: "int64" if kind in TIMES else kind for name, kind in kinds.items()}
    table = tables.decode(data, tables.JSON, [[name, kind] for name, kind in stored.items()])
    arrays = {name: _typed(table[name].combine_chunks(), kind) for name, kind in kinds.items()}
    return shaped(pa.table(arrays), like)


def _typed(array: pa.Array, kind: str) -> pa.Array:
    return pc.cast(pc.cast(array, pa.int32()), pa.date32()) if kind == "date" else pc.cast(array, ARROW[kind])


def shaped(table: pa.Table, like: Frame) -> Frame:
    """An Arrow table with the columns of `like`, in its container and column types as far as the values allow."""
    table = table.select(list(like.names))
    native = like.native
    if like.is_array:
        columns = [column.to_numpy(zero_copy_only=False) for column in table.columns]
        return Frame.of(np.column_stack(columns).astype(native.dtype), names=like.names)
    if isinstance(native, pa.Table):
        fields = zip(table.columns, native.schema, strict=True)
        return Frame.of(pa.table({field.name: _cast(column, field.type) for column, field in fields}))
    if hasattr(native, "iloc"):
        return Frame.of(_as_pandas(table, native))
    import polars  # the frames are polars's own

    made: Any = polars.from_arrow(table)
    wanted = [(name, like_type) for name, like_type in native.schema.items() if not isinstance(like_type, polars.Enum)]
    return Frame.of(made.with_columns([polars.col(name).cast(kind) for name, kind in wanted]))


def _cast(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    plain = wanted.value_type if pa.types.is_dictionary(wanted) else wanted
    try:
        cast = pc.cast(column, plain)
    except pa.ArrowException:
        return column
    return cast.dictionary_encode() if pa.types.is_dictionary(wanted) else cast


def _as_pandas(table: pa.Table, like: Any) -> Any:
    """Each column in the other's type. Levels that the other's categories lack are added to them."""
    import pandas

    made = {}
    for position, name in enumerate(table.column_names):
        values, kind = table[name].to_pandas(), like.dtypes.iloc[position]
        if isinstance(kind, pandas.CategoricalDtype):
            known = list(kind.categories)
            values = values.astype(kind.categories.dtype) if values.notna().all() else values
            extra = sorted(set(values.dropna().unique()) - set(known), key=str)
            kind = pandas.CategoricalDtype([*known, *extra], kind.ordered)
        try:
            made[name] = values.astype(kind)
        except (TypeError, ValueError):  # such as gaps in a column of integers
            made[name] = values
    found = pandas.DataFrame(made)
    found.columns = like.columns
    return found
