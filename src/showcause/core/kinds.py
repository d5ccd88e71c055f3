"""The closed vocabulary between methods and views: every artifact's table is of one kind.

A kind is a key and typed columns. Law: `check(kind, table)` accepts a table only if

- it has the kind's required columns, no column that the kind does not know, and each in its one type;
- its key (with `target`, `segment`, `refit` where present) identifies each row;
- no number is NaN or infinite, and a null in `value` has a `note` that says why.

Numbers stand in `at`, `input`, `before`, `after`; categories in `at_level`, `input_level`, …; both null means a missing
value. `low` and `high` bound 95 %, `error` is one standard error, and `noise` says of what: "monte-carlo", "rows" or
"refits". What the rows of a `rule` are, core/rules.py says.
A new kind is a decision (docs/decisions/) and brings its figure, sentence and diff. A new method is a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcause.core.errors import InputError, choices

TYPES = {"string": pa.string(), "int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_()}
NOISES = ("monte-carlo", "rows", "refits")

# What every kind may carry besides its own columns.
COMMON = {
    "target": "string",  # the class explained; classes_[1] for binary, absent for regression
    "segment": "string",  # a population, "all" or "column = level"
    "by": "string",  # the column that defines the segment
    "level": "string",  # its level or band
    "refit": "int64",  # number of the retraining
    "low": "float64",
    "high": "float64",
    "error": "float64",
    "noise": "string",
    "id": "string",  # the user's own id of an example or row
    "note": "string",  # why a number is null, or what a reader must know of this row
}
COMMON_KEY = ("target", "segment", "refit")


@dataclass(frozen=True)
class Kind:
    """`key` and `columns` map names to types; a key column in `optional` may be absent."""

    name: str
    question: str
    key: dict[str, str]
    columns: dict[str, str]
    optional: frozenset[str] = frozenset()
    open: bool = False  # further columns of any known type (only `rows`)

    @property
    def types(self) -> dict[str, str]:
        return {**self.key, **self.columns, **COMMON}


def _kind(name: str, question: str, key: str, columns: str, optional: str = "", *, open: bool = False) -> Kind:
    short = {"s": "string", "i": "int64", "f": "float64", "b": "bool"}

    def parse(text: str) -> dict[str, str]:
        pairs = [item.split(":") for item in text.split()]
        return {column: short[letter] for column, letter in pairs}

    return Kind(name, question, parse(key), parse(columns), frozenset(optional.split()), open)


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        _kind(
            "importance",
            "How much does each feature matter?",
            "feature:s feature_b:s group:s term:s",
            "value:f scale:f error_rate:f absolute_error:f h2:f h2_error:f rank_low:i rank_high:i",
            "feature_b group term scale error_rate absolute_error h2 h2_error rank_low rank_high",
        ),
        _kind(
            "attribution",
            "What did each feature add to each prediction?",
            "example:i feature:s",
            "value:f input:f input_level:s base:f prediction:f background_error:f slope:f fit:f"
            " decision:s score:f rank:i side:s reference:f reference_level:s",
            "input input_level background_error slope fit decision score rank side reference reference_level",
        ),
        _kind(
            "curve",
            "How does the output change along a feature?",
            "feature:s at:f at_level:s example:i",
            "value:f support:i",
            "at at_level example support",
        ),
        _kind(
            "surface",
            "How does the output change along two features together?",
            "feature:s feature_b:s at:f at_level:s at_b:f at_level_b:s",
            "value:f support:i",
            "at at_level at_b at_level_b support",
        ),
        _kind("score", "How well, and for whom?", "metric:s", "value:f count:i reference:f", "count reference"),
        _kind(
            "example",
            "Which cases show how the model decides?",
            "example:i role:s",
            "label:s actual:f prediction:f decision:s rank:i",
            "label actual decision rank",
        ),
        _kind(
            "neighbour",
            "Which other cases stand behind a decision?",
            "example:i rank:i",
            "source:s row:i value:f relation:s label:s actual:f prediction:f decision:s",
            "label actual prediction decision",
        ),
        _kind(
            "tree",
            "Which questions does the tree ask?",
            "tree:i node:i",
            "parent:i branch:s feature:s threshold:f categories:s value:f count:i",
            "tree parent branch feature threshold categories count",
        ),
        _kind(
            "counterfactual",
            "What would have to be different for another outcome?",
            "example:i alternative:i feature:s",
            "before:f before_level:s after:f after_level:s prediction:f prediction_before:f decision:s "
            "decision_before:s cost:f distance:f bound:f optimal:b nearest:f typical:f agree:i refits:i",
            "before_level after_level prediction_before decision decision_before cost distance bound optimal nearest "
            "typical agree refits",
        ),
        _kind(
            "rule",
            "Which conditions go with which decision?",
            "rule:i condition:i",
            "text:s precision:f coverage:f count:i prediction:f decision:s order:i example:i role:s contrast:s "
            "feature:s at_least:f above:f below:f up_to:f levels:s missing:b proven:b minimal:b witness:s",
            "condition count prediction decision order example role contrast feature at_least above below up_to levels "
            "missing proven minimal witness",
        ),
        _kind("rows", "Which rows stand behind this?", "row:i", "", open=True),
    )
}


def kind(name: str) -> Kind:
    if name not in KINDS:
        raise InputError(f"unknown kind: {choices(name, KINDS)}")
    return KINDS[name]


def build(name: str, columns: dict[str, Any]) -> pa.Table:
    """A checked table of kind `name` from columns (sequences of equal length, or one scalar for all rows).

    NaN becomes null; columns stand in the kind's order. Raises InputError as `check` does.
    """
    shape = kind(name)
    order = [column for column in shape.types if column in columns]
    order += [column for column in columns if column not in shape.types]
    sizes = {len(v) for v in columns.values() if not isinstance(v, str) and hasattr(v, "__len__")}
    if len(sizes) > 1:
        raise InputError(f"columns of a {name} table have different lengths: {sorted(sizes)}")
    size = sizes.pop() if sizes else 1
    arrays = {column: _array(columns[column], shape.types.get(column), size) for column in order}
    table = pa.table(arrays)
    check(name, table)
    return table


def _array(values: Any, type_name: str | None, size: int) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if isinstance(values, str) or not hasattr(values, "__len__"):
        values = [values] * size
    wanted = TYPES[type_name] if type_name else None
    if isinstance(values, np.ndarray) and values.dtype.kind == "f" and wanted in (pa.int64(), pa.string()):
        values = [None if np.isnan(v) else v for v in values.tolist()]
    array = pa.array(values, type=wanted, from_pandas=True)
    if wanted is None and array.type not in TYPES.values():
        array = array.cast(_nearest(array.type))
    return array


def _nearest(given: pa.DataType) -> pa.DataType:
    if pa.types.is_integer(given):
        return pa.int64()
    if pa.types.is_floating(given):
        return pa.float64()
    return pa.string()


def check(name: str, table: pa.Table) -> None:
    """Raise InputError where `table` is not of kind `name`; see the module's law."""
    shape = kind(name)
    present = set(table.column_names)
    required = {*shape.key, *shape.columns} - shape.optional
    if missing := sorted(required - present):
        raise InputError(f"a {name} table needs the columns {missing}; it has {sorted(present)}")
    if not shape.open and (unknown := sorted(present - set(shape.types))):
        raise InputError(f"a {name} table knows no column {unknown}; it knows {sorted(shape.types)}")
    for field in table.schema:
        allowed = [TYPES[shape.types[field.name]]] if field.name in shape.types else list(TYPES.values())
        if field.type not in allowed:
            raise InputError(f"column {field.name!r} of a {name} table is {field.type}, it must be {allowed[0]}")
        if field.type == pa.float64() and not pc.all(pc.is_finite(table[field.name]), min_count=0).as_py():
            raise InputError(f"column {field.name!r} of a {name} table holds NaN or an infinity; give null and a note")
    if "value" in present:
        empty = pc.is_null(table["value"])
        noted = pc.is_valid(table["note"]) if "note" in present else pa.scalar(False)
        if pc.any(pc.and_(empty, pc.invert(noted)), min_count=0).as_py():
            raise InputError(f"a null value in a {name} table needs a note that says why")
    if "noise" in present and not set(pc.unique(table["noise"]).to_pylist()) <= {*NOISES, None}:
        raise InputError(f"noise must be one of {NOISES}")
    keys = [column for column in (*shape.key, *COMMON_KEY) if column in present]
    if table.num_rows and table.group_by(keys, use_threads=False).aggregate([]).num_rows != table.num_rows:
        raise InputError(f"rows of a {name} table are not identified by their key {keys}")
