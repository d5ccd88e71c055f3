"""Canonical JSON (RFC 8785) and digests: one value has one sequence of bytes.

Laws, tested:
    loads(dumps(value)) == value                     for every value that dumps accepts
    dumps(a) == dumps(b)  if and only if  a == b     (so -0.0 is written 0, and 1.0 is written 1)
    dumps(loads(data)) == data                       or loads raises Corrupt: one value, one spelling

NaN, infinities and integers beyond 2**53 have no spelling and are refused. Names are kept as typed (no Unicode
normalisation). Compared in tests with the independent implementation `rfc8785`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any

from showcause.core.errors import Corrupt, InputError

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 64


def digest(data: bytes) -> str:
    """sha256 in lower-case hexadecimal: the only digest in showcause."""
    return hashlib.sha256(data).hexdigest()


def is_digest(text: object) -> bool:
    return isinstance(text, str) and len(text) == 64 and all(c in "0123456789abcdef" for c in text)


def dumps(value: Any) -> bytes:
    """Canonical UTF-8 bytes of None, bool, int, float, str, sequences and mappings with string keys."""
    try:
        return encode(value).encode()
    except UnicodeEncodeError as error:
        raise InputError(f"text with a lone surrogate cannot be written as UTF-8: {error.object!r}") from None


def encode(value: Any, depth: int = 0) -> str:
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise InputError(f"the integer {value} is beyond 2**53 and has no canonical spelling; give it as text")
        return str(int(value))
    if isinstance(value, float):
        return number(value)
    if depth >= MAX_DEPTH:
        raise InputError(f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise InputError(f"keys must be text, got {key!r}")
        names = sorted(value, key=None if "".join(value).isascii() else _units)
        return "{" + ",".join([f"{encode_basestring(name)}:{encode(value[name], depth + 1)}" for name in names]) + "}"
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return "[" + ",".join([encode(item, depth + 1) for item in value]) + "]"
    raise InputError(f"a {type(value).__name__} has no canonical spelling: {value!r}")


def _units(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")


def number(value: float) -> str:
    """A double as ECMAScript's Number::toString prints it: the shortest digits that read back."""
    if not math.isfinite(value):
        raise InputError(f"{value} has no canonical spelling; store null with a note that says why")
    if value == 0:
        return "0"
    text = repr(float(value))
    if "e" not in text and not text.endswith(".0"):
        return text  # between 1e-4 and 1e16 the two languages agree, but for whole numbers
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = text.lstrip("-").partition("e")
    whole, _, part = mantissa.partition(".")
    point = len(whole) + int(exponent or 0)  # where the decimal point stands, counted from the first digit
    digits = (whole + part).rstrip("0")
    size = len(digits)
    if size <= point <= 21:
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    tail = f".{digits[1:]}" if size > 1 else ""
    return f"{sign}{digits[0]}{tail}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def loads(data: bytes, *, limit: int = 256 * 2**20) -> Any:
    """Read canonical bytes; anything else that JSON would tolerate is Corrupt."""
    value = parsed(data, limit=limit)
    try:
        same = dumps(value) == data
    except (InputError, RecursionError) as error:
        raise Corrupt(f"not canonical JSON: {error}") from None
    if not same:
        raise Corrupt("not canonical JSON: the same value has another spelling (white space, key order or numbers)")
    return value


def parsed(data: bytes, *, limit: int = 256 * 2**20) -> Any:
    """The value of JSON that may be spelt otherwise: for a reader who writes it anew and compares."""
    if len(data) > limit:
        raise Corrupt(f"{len(data)} bytes of JSON, more than the limit of {limit}")
    try:
        return json.loads(data.decode(), parse_constant=_refuse_constant, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise Corrupt(f"not canonical JSON: {error}") from None


def _integer(text: str) -> int | float:
    """Whole numbers beyond 2**53 were doubles when they were written."""
    return int(text) if len(text) < 16 or abs(int(text)) <= MAX_INTEGER else float(text)


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")
