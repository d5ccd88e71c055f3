"""Universal Binary JSON, as XGBoost saves its models in it: arrays of one type come as numpy's, without a number made.

Law: what is read equals the same model's JSON, value for value. Anything that is no such document raises NotAForest.
Source: the UBJSON specification, draft 12.
"""

import struct
from typing import Any

import numpy as np

from showcause.kernels.trees.forest import NotAForest

NUMBERS = {b"i": ">i1", b"U": ">u1", b"I": ">i2", b"l": ">i4", b"L": ">i8", b"d": ">f4", b"D": ">f8"}  # for numpy
SINGLE = {code: struct.Struct(">" + form) for code, form in zip(NUMBERS, "bBhiqfd", strict=True)}
WORDS = {b"T": True, b"F": False, b"Z": None}


def loads(data: bytes) -> Any:
    """The value of a whole document."""
    try:
        value, end = _value(data, 0)
    except (IndexError, KeyError, ValueError, struct.error, RecursionError) as error:
        raise NotAForest(f"the model's document is no UBJSON: {type(error).__name__}: {error}") from error
    if end != len(data):
        raise NotAForest(f"the model's document of {len(data):,} bytes should end at byte {end:,}")
    return value


def _value(data: bytes, at: int) -> tuple[Any, int]:
    """(the value whose type stands at `at`, where the next one begins)."""
    code = data[at : at + 1]
    at += 1
    if code in SINGLE:
        return SINGLE[code].unpack_from(data, at)[0], at + SINGLE[code].size
    if code == b"S":
        return _text(data, at)
    if code == b"{":
        return _object(data, at)
    if code == b"[":
        return _array(data, at)
    return WORDS[code], at


def _text(data: bytes, at: int) -> tuple[str, int]:
    size, at = _value(data, at)
    return data[at : at + size].decode(), at + size


def _object(data: bytes, at: int) -> tuple[dict[str, Any], int]:
    found = {}
    while data[at : at + 1] != b"}":
        key, at = _text(data, at)
        found[key], at = _value(data, at)
    return found, at + 1


def _array(data: bytes, at: int) -> tuple[Any, int]:
    """A list; where the document says that all are numbers of one type, numpy's array."""
    if data[at : at + 1] == b"$":
        form, (count, at) = np.dtype(NUMBERS[data[at + 1 : at + 2]]), _value(data, at + 3)
        return np.frombuffer(data, form, count, at).astype(form.newbyteorder("=")), at + count * form.itemsize
    known, found = data[at : at + 1] == b"#", list[Any]()
    count, at = _value(data, at + 1) if known else (-1, at)
    while len(found) != count and (known or data[at : at + 1] != b"]"):
        value, at = _value(data, at)
        found.append(value)
    return found, at if known else at + 1
