"""Rows in the form that the user gave them: pandas, polars, pyarrow or numpy, behind one small immutable type.

A perturbed row takes each column's value from some real row, so every perturbation is a gather: types, categories and
dates always stay what the model was trained on. `column` gives the numeric view that methods compute with, and
`digest` the canonical one that identifies the data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcause.core.errors import DataError, choices

Rows = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Column:
    """One column as numbers.

    kind "number": `values` float64, NaN missing. kind "time": days since 1970-01-01. kind "category" (also strings and
    booleans): `values` are positions in `levels`, sorted or in the declared order, NaN missing.
    """

    name: str
    kind: Literal["number", "category", "time"]
    values: Rows
    levels: tuple[str, ...] = ()

    @property
    def is_number(self) -> bool:
        return self.kind != "category"

    def counts(self) -> dict[str, int]:
        """level → rows; empty for numbers and times."""
        codes = self.values[~np.isnan(self.values)].astype(np.int64) if self.levels else np.empty(0, np.int64)
        return dict(zip(self.levels, np.bincount(codes, minlength=len(self.levels)).tolist(), strict=True))

    def cells(self, rows: Rows | None = None) -> tuple[Rows, list[str | None]]:
        """(`at`, `at_level`) of the given rows: numbers in the one, categories in the other, both null if missing."""
        values = self.values if rows is None else self.values[rows]
        if self.is_number:
            return values, [None] * len(values)
        return np.full(len(values), np.nan), [None if np.isnan(v) else self.levels[int(v)] for v in values]


@dataclass(frozen=True)
class Frame:
    """`native` is the user's own object (or a gather of it) with a fresh index; `names` are its columns as text."""

    native: Any
    names: tuple[str, ...]
    _columns: dict[str, Column] = field(default_factory=dict, compare=False, repr=False)
    _digests: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, data: Any, *, what: str = "X", names: Sequence[str] | None = None) -> Frame:
        """Raises DataError for anything that is not a table of one or more uniquely named columns."""
        if isinstance(data, Frame):
            return data
        if isinstance(data, np.ndarray):
            if data.ndim == 1 and data.dtype.names is None:
                raise DataError(f"{what} has one dimension {data.shape}; give a table of rows × columns")
            if data.ndim != 2:
                raise DataError(f"{what} has shape {data.shape}; give a table of rows × columns")
            given = [f"x{j}" for j in range(data.shape[1])] if names is None else [str(name) for name in names]
            if len(given) != data.shape[1]:
                raise DataError(f"{what} has {data.shape[1]} columns, the model was trained on {len(given)}")
            return cls(data, tuple(given))
        if hasattr(data, "to_frame") and not hasattr(data, "columns"):  # a single series
            data = data.to_frame()
        columns = [str(name) for name in getattr(data, "column_names", getattr(data, "columns", ()))]
        if twice := sorted({name for name in columns if columns.count(name) > 1}):
            raise DataError(f"{what} has duplicate column names {twice}; rename them, each feature needs its own name")
        try:
            frame = nw.from_native(data, eager_only=True)
        except TypeError:
            raise DataError(
                f"{what} is a {type(data).__module__}.{type(data).__name__}; give a pandas or polars DataFrame, "
                "a pyarrow Table or a two-dimensional numpy array"
            ) from None
        return cls(_in_full(_fresh(frame.to_native())), tuple(columns))

    @property
    def is_array(self) -> bool:
        return isinstance(self.native, np.ndarray)

    @cached_property
    def _nw(self) -> nw.DataFrame[Any]:
        return nw.from_native(self.native, eager_only=True)

    @cached_property
    def _block(self) -> Rows | None:
        """(rows, columns) of a frame whose columns are all numpy's float64, as one array; None for any other."""
        if self.is_array or not nw.dependencies.is_pandas_dataframe(self.native):
            return None
        alike = len(self.names) and all(kind == np.float64 for kind in set(self.native.dtypes))
        return np.asarray(self.native) if alike else None

    def _of_block(self, block: Rows) -> Frame:
        """The same columns over other rows (rows, columns) of float64. Each column in one piece, as in any other frame:
        the last bits of a product of matrices depend on it."""
        made = type(self.native)(np.asfortranarray(block), columns=self.native.columns, copy=False)
        return Frame(made, self.names)

    def __len__(self) -> int:
        return len(self.native)

    def _position(self, name: str) -> int:
        if name not in self.names:
            raise DataError(f"no such column: {choices(name, self.names)}")
        return self.names.index(name)

    @cached_property
    def _pandas(self) -> list[Any]:
        """The columns of a pandas frame: read one by one, a column costs more than its content. Of any other none."""
        return [column for _, column in self.native.items()] if hasattr(self.native, "iloc") else []

    def _series(self, j: int) -> nw.Series[Any]:
        return self._nw.get_column(self._nw.columns[j])

    def take(self, rows: Rows) -> Frame:
        """The given rows, in that order, repeats allowed."""
        if self.is_array:
            return Frame(self.native[rows], self.names)
        if self._block is not None:
            return self._of_block(self._block.T.take(np.asarray(rows, dtype=np.int64), axis=1).T)
        return Frame(_fresh(self._nw[np.asarray(rows, dtype=np.int64)].to_native()), self.names)

    def select(self, names: Sequence[str]) -> Frame:
        positions = [self._position(name) for name in names]
        if tuple(names) == self.names:
            return self
        if self.is_array:
            return Frame(self.native[:, positions], tuple(names))
        return Frame(self._nw[:, positions].to_native(), tuple(names))  # by place: names need not be text

    def mix(self, rows: Rows, donors: Mapping[str, Rows]) -> Frame:
        """Rows `rows`, but column `name` taken from rows `donors[name]`. All index arrays have one length."""
        if self.is_array:
            out = self.native[rows]
            for name, picks in donors.items():
                j = self._position(name)
                out[:, j] = self.native[picks, j]
            return Frame(out, self.names)
        if nw.dependencies.is_pandas_dataframe(self.native):
            return self._mixed(rows, donors)
        base = self._nw[np.asarray(rows, dtype=np.int64)]
        columns = self._nw.columns
        series = []
        for name, picks in donors.items():
            column = self._nw.get_column(columns[self._position(name)])[np.asarray(picks, dtype=np.int64).tolist()]
            series.append(column)
        return Frame(base.with_columns(*series).to_native() if series else base.to_native(), self.names)

    def _mixed(self, rows: Rows, donors: Mapping[str, Rows]) -> Frame:
        """`mix` of a pandas frame, array by array: estimators ask for many small frames, each costing by the column."""
        native = self.native
        base = np.asarray(rows, dtype=np.int64)
        if self._block is not None:
            block = self._block.T.take(base, axis=1).T
            for name, picks in donors.items():
                j = self._position(name)
                block[:, j] = self._block[picks, j]
            return self._of_block(block)
        cells = {
            j: column.array.take(np.asarray(donors.get(self.names[j], base), dtype=np.int64))
            for j, (_, column) in enumerate(native.items())
        }
        made = type(native)(cells, copy=False)
        made.columns = native.columns
        return Frame(made, self.names)

    def placed(self, name: str, values: Mapping[int, float]) -> Frame:
        """With numbers that no row has in some cells of a numeric column: row → number. Whole numbers leave a column of
        integers one; others make it a column of floats."""
        j = self._position(name)
        rows = np.array(list(values), dtype=np.int64)
        given = np.array(list(values.values()), dtype=np.float64)
        whole = bool((given == np.floor(given)).all())
        if self.is_array:
            kind = self.native.dtype
            kept = kind.kind in "fO" or (kind.kind in "iu" and whole)
            native = self.native.copy() if kept else self.native.astype(np.float64)
            native[rows, j] = given
            return Frame(native, self.names)
        series = self._nw.get_column(self._nw.columns[j])
        integer = series.dtype.is_integer()
        if not integer or not whole:
            series = series.cast(nw.Float32 if series.dtype == nw.Float32 else nw.Float64)
        cells: list[Any] = given.astype(np.int64).tolist() if integer and whole else given.tolist()
        series = series.scatter(rows.tolist(), cells)
        return Frame(self._nw.with_columns(series).to_native(), self.names)

    def beside(self, name: str, source: str, rows: Rows) -> Frame:
        """With one more column at the end: the cells of column `source` at the given rows."""
        if name in self.names:
            raise DataError(f"there is a column {name!r} already")
        if self.is_array:
            copied = self.native[rows, self._position(source)]
            return Frame(np.concatenate([self.native, copied[:, None]], axis=1), (*self.names, name))
        series = self.take(rows)._nw.get_column(self._nw.columns[self._position(source)])
        return Frame(self._nw.with_columns(series.alias(name)).to_native(), (*self.names, name))

    def gather(self, picks: Rows) -> Frame:
        """Cell (i, j) is taken from row picks[i, j] of column j; `picks` is (rows, columns) of integers."""
        if self.is_array:
            return Frame(np.take_along_axis(self.native, picks, axis=0), self.names)
        if self._block is not None:
            return self._of_block(np.take_along_axis(self._block, picks, axis=0))
        first = picks[:, 0]
        moved = {name: picks[:, j] for j, name in enumerate(self.names) if j and (picks[:, j] != first).any()}
        return self.mix(first, moved)

    def stack(self, other: Frame) -> Frame:
        """These rows, then the other's; the columns must agree by name. Categories are united in order."""
        other = other.select(self.names)
        if self.is_array and other.is_array:
            return Frame(np.concatenate([self.native, other.native]), self.names)
        if type(self.native) is not type(other.native):
            raise DataError(
                f"rows of two kinds cannot be stacked: {type(self.native).__name__} and {type(other.native).__name__}; "
                "give X, train and background in the same form"
            )
        mine, theirs = _unite_categories(self.native, other.native)
        frames = [nw.from_native(mine, eager_only=True), nw.from_native(theirs, eager_only=True)]
        try:
            stacked = nw.concat(frames, how="vertical")
        except Exception as error:  # each backend has its own error for columns of other types
            raise DataError(f"X, train and background have columns of different types: {error}") from error
        return Frame(_fresh(stacked.to_native()), self.names)

    def arrow(self, name: str) -> pa.Array:
        """The column as one Arrow array, decoded from any dictionary, NaN as null."""
        j = self._position(name)
        try:
            if self.is_array:
                array = pa.array(self.native[:, j], from_pandas=True)
            else:
                array = pa.array(self._pandas[j], from_pandas=True) if self._pandas else self._series(j).to_arrow()
        except (pa.ArrowException, ValueError, TypeError) as error:
            raise DataError(f"column {name!r} mixes types that cannot stand in one column: {error}") from None
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        if pa.types.is_floating(array.type) and pc.any(pc.is_nan(array)).as_py():
            array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
        return array

    def column(self, name: str) -> Column:
        if name not in self._columns and self._block is not None:
            self._columns[name] = Column(name, "number", self._block[:, self._position(name)].copy())
        if name not in self._columns:
            array = self.arrow(name)
            try:
                self._columns[name] = _read_column(name, array, self._declared(name))
            except pa.ArrowException as error:  # lists and the like
                kinds = "numbers, text, dates nor yes and no"
                raise DataError(f"column {name!r} holds {array.type}, which are neither {kinds}: {error}") from None
        return self._columns[name]

    def _declared(self, name: str) -> list[str] | None:
        """The categories of a pandas categorical or polars Enum, in their declared order."""
        if self.is_array:
            return None
        if self._pandas and isinstance(self._pandas[self._position(name)].dtype, np.dtype):
            return None
        series = self._series(self._position(name))
        if isinstance(series.dtype, nw.Enum):
            return [str(level) for level in series.dtype.categories]
        if series.dtype == nw.Categorical and hasattr(series.to_native(), "cat"):
            accessor = series.to_native().cat
            return [str(level) for level in accessor.categories] if hasattr(accessor, "categories") else None
        return None

    def has_order(self, name: str) -> bool:
        """Whether the column's categories were declared in an order (ordered pandas categories, polars Enum)."""
        return not self.is_array and isinstance(self._nw.schema[self._nw.columns[self._position(name)]], nw.Enum)

    def matrix(self, names: Sequence[str] | None = None, rows: Rows | None = None) -> Rows:
        """float64 (rows, columns): numbers as they are, categories as positions in their levels; of all rows, or of
        these."""
        columns = [self.column(name).values for name in names or self.names]
        return np.column_stack(columns if rows is None else [values[rows] for values in columns])

    def digest(self, name: str) -> str:
        if name not in self._digests and self._block is not None:
            values = self._block[:, self._position(name)]
            gaps = np.isnan(values)
            self._digests[name] = _hashed("number", ~gaps, _doubles(np.where(gaps, 0.0, values)))
        if name not in self._digests:
            self._digests[name] = column_digest(self.arrow(name))
        return self._digests[name]


def _fresh(native: Any) -> Any:
    return native.reset_index(drop=True) if hasattr(native, "reset_index") else native


def _in_full(native: Any) -> Any:
    """Sparse columns of pandas written out: the same values, which Arrow can read."""
    kinds = native.dtypes.items() if hasattr(native, "iloc") else ()
    full = {name: kind.subtype for name, kind in kinds if type(kind).__name__ == "SparseDtype"}
    return native.astype(full) if full else native


def _unite_categories(a: Any, b: Any) -> tuple[Any, Any]:
    """pandas turns categoricals with different categories into text when it stacks them: give both the union first."""
    if not hasattr(a, "dtypes") or not hasattr(a, "iloc"):
        return a, b
    for name in a.columns:
        mine, theirs = getattr(a[name], "cat", None), getattr(b[name], "cat", None)
        if mine is None or theirs is None or mine.categories.equals(theirs.categories):
            continue
        extra = [level for level in theirs.categories if level not in mine.categories]
        a = a.assign(**{name: mine.add_categories(extra)}) if extra else a
        b = b.assign(**{name: theirs.set_categories(a[name].cat.categories)})
    return a, b


def _read_column(name: str, array: pa.Array, declared: list[str] | None) -> Column:
    kind = array.type
    if pa.types.is_temporal(kind) and not pa.types.is_duration(kind) and not pa.types.is_time(kind):
        micros = pc.cast(pc.cast(array, pa.timestamp("us"), safe=False), pa.int64())
        return Column(name, "time", _floats(micros) / 86_400e6)
    if pa.types.is_duration(kind):
        micros = pc.cast(pc.cast(array, pa.duration("us"), safe=False), pa.int64())
        return Column(name, "time", _floats(micros) / 86_400e6)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        if declared is None:
            return Column(name, "number", _floats(pc.cast(array, pa.float64(), safe=False)))
    elif pa.types.is_null(kind):
        return Column(name, "number", np.full(len(array), np.nan))
    texts = pc.cast(array, pa.string()) if not _is_text(kind) else array
    present = {level for level in pc.unique(texts).to_pylist() if level is not None}
    levels = [level for level in declared or [] if level in present] or sorted(present)
    found = pc.index_in(texts, value_set=pa.array(levels, type=texts.type))
    return Column(name, "category", _floats(found), tuple(levels))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _floats(array: pa.Array) -> Rows:
    return np.array(pc.cast(array, pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)


def column_digest(array: pa.Array) -> str:
    """sha256 over a column's values, the same for every container of equal content.

    Numbers are doubles where doubles are exact (so 1 and 1.0 agree, as pandas makes floats of integers with gaps),
    else 64-bit integers; text is length-prefixed UTF-8; times are microseconds, or nanoseconds where needed; a missing
    value is zero bytes with its flag. Chunking, slices, dictionaries and string flavours leave no trace.
    """
    label, values = _canonical_values(array)
    return _hashed(label, array.is_valid().to_numpy(zero_copy_only=False), values)


def _hashed(label: str, valid: Rows, values: bytes) -> str:
    hasher = hashlib.sha256(f"{label}:{len(valid)}:".encode())
    hasher.update(np.packbits(valid).tobytes())
    hasher.update(values)
    return hasher.hexdigest()


def _doubles(values: Rows) -> bytes:
    """Adding zero turns -0.0 into 0.0."""
    return (values + 0.0).astype("<f8").tobytes()


def _canonical_values(array: pa.Array) -> tuple[str, bytes]:
    kind = array.type
    if pa.types.is_null(kind):
        return "number", np.zeros(len(array)).tobytes()
    if pa.types.is_boolean(kind):
        return "boolean", np.packbits(array.fill_null(False).to_numpy(zero_copy_only=False)).tobytes()
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        nanos = pc.cast(pc.cast(array, pa.timestamp("ns"), safe=False), pa.int64()).fill_null(0).to_numpy()
        exact = not (nanos % 1000).any()
        return ("time-us", (nanos // 1000).tobytes()) if exact else ("time-ns", nanos.tobytes())
    if pa.types.is_duration(kind):
        nanos = pc.cast(pc.cast(array, pa.duration("ns"), safe=False), pa.int64()).fill_null(0).to_numpy()
        return "duration-ns", nanos.tobytes()
    if pa.types.is_integer(kind):
        whole = array.fill_null(0).to_numpy(zero_copy_only=False)
        if not len(whole) or (int(whole.max()) <= 2**53 and int(whole.min()) >= -(2**53)):
            return "number", _doubles(whole.astype("<f8"))
        return "integer", whole.astype("<u8" if whole.dtype.kind == "u" else "<i8").tobytes()
    if pa.types.is_floating(kind):
        values = pc.cast(array, pa.float64(), safe=False).fill_null(0.0).to_numpy(zero_copy_only=False)
        return "number", _doubles(values)
    texts = [b"" if v is None else str(v).encode() for v in array.to_pylist()]
    return "text", b"".join(len(t).to_bytes(8, "little") + t for t in texts)
