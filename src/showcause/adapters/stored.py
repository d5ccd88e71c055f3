"""Rows as a snapshot stores them, and back into the form in which a model takes them.

Law: a frame that is stored and restored has the same digest, column by column; where it cannot (a category that the
template's form does not know), the digests tell.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcause.adapters.frame import Frame
from showcause.core.errors import DataError

FEATURE, CONTEXT, LABEL = "x.", "context.", "y"  # beginnings of the columns of data/rows, so that no name collides
EXACT = 2**53


def stored(frame: Frame, name: str) -> pa.Array:
    """A column as one of the types that a table may have: times and durations are microseconds since 1970-01-01 (or
    nanoseconds, where their digest needs them), whole numbers beyond 2**53 are text."""
    array = frame.arrow(name)
    kind = array.type
    if pa.types.is_boolean(kind):
        return array
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        nanos = pa.duration("ns") if pa.types.is_duration(kind) else pa.timestamp("ns")
        return pc.cast(pc.cast(pc.cast(array, nanos, safe=False), pa.int64()), pa.string())
    if pa.types.is_integer(kind):
        ends = pc.min_max(array).as_py()
        small = ends["min"] is None or (ends["min"] >= -EXACT and ends["max"] <= EXACT)
        return pc.cast(array, pa.float64() if small else pa.string(), safe=False)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return pc.cast(array, pa.float64(), safe=False)
    return pc.cast(array, pa.string())


def restored(columns: dict[str, pa.Array], template: Frame) -> Frame:
    """The stored columns, named as the template's, in the template's container and types. Raises DataError."""
    try:
        arrays = {name: _typed(columns[name], template.arrow(name).type) for name in template.names}
        return Frame.of(_native(arrays, template), names=template.names)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise DataError(f"stored rows do not fit the columns of X: {' '.join(str(error).split())[:200]}") from None


def _typed(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    if pa.types.is_date(wanted) or pa.types.is_timestamp(wanted):
        moments = pc.cast(pc.cast(array, pa.int64()), pa.timestamp("ns"))
        zone = getattr(wanted, "tz", None)
        return pc.cast(moments if zone is None else pc.cast(moments, pa.timestamp("ns", zone)), wanted, safe=False)
    if pa.types.is_duration(wanted):
        return pc.cast(pc.cast(pc.cast(array, pa.int64()), pa.duration("ns")), wanted, safe=False)
    if pa.types.is_null(wanted):
        return array
    if pa.types.is_integer(wanted) and pa.types.is_floating(array.type) and _broken(array):
        return array  # there are no such integers: the numbers stay what they are
    return pc.cast(array, wanted, safe=False)


def _broken(array: pa.Array) -> bool:
    return bool(pc.any(pc.not_equal(pc.floor(array), array), min_count=0).as_py())


def _native(arrays: dict[str, pa.Array], template: Frame) -> Any:
    if template.is_array:
        whole = [array.to_numpy(zero_copy_only=False) for array in arrays.values()]
        if template.native.dtype == object:
            return np.column_stack([np.array(array.to_pylist(), dtype=object) for array in arrays.values()])
        return np.column_stack(whole).astype(template.native.dtype)
    table = pa.table(arrays)
    if isinstance(template.native, pa.Table):
        return table
    if hasattr(template.native, "iloc"):
        return _pandas(arrays, template)
    import polars

    made = polars.from_arrow(table)
    assert isinstance(made, polars.DataFrame)
    own = dict(zip(template.names, template.native.schema.values(), strict=True))
    return made.with_columns(
        [polars.col(n).cast(t) for n, t in own.items() if made.schema[n] != t and not made.schema[n].is_float()]
    )


def _pandas(arrays: dict[str, pa.Array], template: Frame) -> Any:
    import pandas

    columns = {}
    for place, (name, array) in enumerate(arrays.items()):
        wanted = template.native.dtypes.iloc[place]
        if isinstance(wanted, pandas.CategoricalDtype):
            values = array.to_pylist()
            known = list(wanted.categories)
            more = sorted({v for v in values if v is not None and v not in set(known)}, key=str)
            columns[name] = pandas.Series(
                pandas.Categorical(values, categories=[*known, *more], ordered=wanted.ordered)
            )
            continue
        series = array.to_pandas()
        fits = not (series.isna().any() and wanted.kind in "iub") and not (
            array.type == pa.float64() and _broken(array)
        )
        columns[name] = series.astype(wanted) if fits or wanted.kind == "f" else series
    frame = pandas.DataFrame(columns)
    frame.columns = template.native.columns
    return frame
