"""The semantic identity of a fitted object: what decides its predictions, not how it happens to be stored.

A pickle's hash is no identity (it changes on reload and with n_jobs). Here an object is walked field by field:
parameters and fitted state, arrays by type, shape and values (structured ones field by field, since padding bytes are
random), anything else by what it reduces to. Threads, verbosity, caches, timings and random generators are left out.
Nothing is called but an object's own `__reduce_ex__`, and nothing is ever loaded.
"""

from __future__ import annotations

import hashlib
import types
from collections.abc import Mapping
from typing import Any

import numpy as np

# Circumstances of training: none of them changes a prediction.
LEFT_OUT = frozenset(
    {"n_jobs", "nthread", "thread_count", "n_threads", "num_threads", "verbose", "verbosity", "warm_start", "memory"}
    | {"random_state", "_random_seed", "_rng", "random_state_", "_random_state", "pre_dispatch", "callbacks"}
    | {"_sklearn_version", "cv_results_", "refit_time_", "scorer_", "_scorer", "_feature_subsample_rng", "copy_X"}
)
MAX_DEPTH = 200

Seen = dict[int, tuple[int, Any]]


class NotWalkable(Exception):
    """The object holds something whose content cannot be read (an open handle, a lambda, a C pointer)."""


def fingerprint(value: Any) -> str:
    """sha256 of the object's semantic content. Raises NotWalkable."""
    hasher = hashlib.sha256()
    _walk(value, hasher, {}, 0)
    return hasher.hexdigest()


def _walk(value: Any, hasher: Any, seen: Seen, depth: int) -> None:
    def feed(label: str, data: bytes = b"") -> None:
        hasher.update(f"{label}:{len(data)}:".encode())
        hasher.update(data)

    if depth > MAX_DEPTH:
        raise NotWalkable("nested too deep")
    if value is None or isinstance(value, bool | int | str | bytes | complex):
        feed(type(value).__name__, value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass"))
        return
    if isinstance(value, float | np.number | np.bool_):
        feed("scalar", repr(value.item() if isinstance(value, np.generic) else value).encode())
        return
    if isinstance(value, np.ndarray) and value.dtype.names:
        feed("structured", str(value.shape).encode())
        for name in value.dtype.names:
            feed("field", name.encode())
            _walk(np.ascontiguousarray(value[name]), hasher, seen, depth + 1)
        return
    if isinstance(value, np.ndarray) and value.dtype.kind != "O":
        feed("array", f"{value.dtype.str}{value.shape}".encode())
        feed("values", np.ascontiguousarray(value).tobytes())
        return
    if isinstance(value, np.random.Generator | np.random.RandomState):
        return
    if id(value) in seen:
        feed("again", str(seen[id(value)][0]).encode())
        return
    seen[id(value)] = (len(seen), value)  # the reference keeps the id from being given to another object
    if isinstance(value, np.ndarray):
        feed("objects", str(value.shape).encode())
        for item in value.ravel().tolist():
            _walk(item, hasher, seen, depth + 1)
    elif isinstance(value, Mapping):
        feed("mapping", str(len(value)).encode())
        for key, item in value.items():
            _walk(key, hasher, seen, depth + 1)
            _walk(item, hasher, seen, depth + 1)
    elif isinstance(value, list | tuple):
        feed("sequence", str(len(value)).encode())
        for item in value:
            _walk(item, hasher, seen, depth + 1)
    elif isinstance(value, set | frozenset):
        feed("set", "".join(sorted(fingerprint(item) for item in value)).encode())
    elif isinstance(value, type | types.BuiltinFunctionType | np.ufunc | np.dtype):
        feed("name", str(getattr(value, "__qualname__", value)).encode())
    elif isinstance(value, types.FunctionType):
        _walk_function(value, hasher, seen, depth)
    else:
        feed("object", f"{type(value).__module__}.{type(value).__qualname__}".encode())
        for name, item in _state(value):
            feed("attribute", name.encode())
            _walk(item, hasher, seen, depth + 1)


def _walk_function(value: types.FunctionType, hasher: Any, seen: Seen, depth: int) -> None:
    """A function is its code, constants, defaults and what it closes over."""
    code = value.__code__
    hasher.update(f"function:{value.__qualname__}:".encode() + code.co_code)
    constants = [c for c in code.co_consts if not isinstance(c, types.CodeType)]
    inner = [c.co_code for c in code.co_consts if isinstance(c, types.CodeType)]
    closed = [cell.cell_contents for cell in value.__closure__ or ()]
    for part in (constants, inner, code.co_names, value.__defaults__, closed):
        _walk(part, hasher, seen, depth + 1)


def _state(value: Any) -> list[tuple[str, Any]]:
    """(name, content) pairs in a fixed order."""
    if hasattr(value, "get_params") and hasattr(value, "__dict__"):
        state = dict(vars(value))
    else:
        try:
            reduced = value.__reduce_ex__(2)
        except (TypeError, AttributeError, ValueError) as error:
            raise NotWalkable(f"{type(value).__name__}: {error}") from error
        if isinstance(reduced, str):
            return [("name", reduced)]
        parts = list(reduced) + [None] * (5 - len(reduced))
        state = parts[2] if isinstance(parts[2], dict) else {"state": parts[2]}
        state = {**state, "args": [a for a in parts[1] or () if not isinstance(a, type)]}
        if parts[3] is not None:
            state["items"] = list(parts[3])
        if parts[4] is not None:
            state["pairs"] = list(parts[4])
    return sorted((str(k), v) for k, v in state.items() if k not in LEFT_OUT)
