"""The semantic identity of a fitted object: what decides its predictions, not how it happens to be stored.

A pickle's hash is no identity (it changes on reload and with n_jobs). Here an object is walked field by field:
parameters and fitted state, arrays by type, shape and values (structured ones field by field, since padding bytes are
random), anything else by what it reduces to. Threads, verbosity, caches, timings and random generators are left out.
Nothing is called but an object's own `__reduce_ex__` (and CatBoost's own writer), and nothing is ever loaded.
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
    | {"_skl_callbacks", "_skl_callbacks_to_teardown", "_callback_fit_ctx", "_parent_callback_ctx"}
    | {"_sklearn_version", "cv_results_", "refit_time_", "scorer_", "_scorer", "_feature_subsample_rng", "copy_X"}
)
MAX_DEPTH = 200


class NotWalkable(Exception):
    """The object holds something whose content cannot be read (an open handle, a lambda, a C pointer)."""


def fingerprint(value: Any) -> str:
    """sha256 of the object's semantic content, the same whether its parts are shared or copies. Raises NotWalkable."""
    return _digest(value, {}, []).hex()


# id → (object, digest); the reference keeps the id from being given to another object.
Known = dict[int, tuple[Any, bytes]]


def _digest(value: Any, known: Known, path: list[int]) -> bytes:
    if id(value) in known:
        return known[id(value)][1]
    if id(value) in path:  # a circle: its place on the way down is what it is
        return _leaf("circle", str(len(path) - path.index(id(value))).encode())
    if len(path) > MAX_DEPTH:
        raise NotWalkable("nested too deep")
    label, data, parts = _content(value)
    path.append(id(value))
    hasher = hashlib.sha256(_leaf(label, data))
    for part in parts:
        hasher.update(_digest(part, known, path))
    path.pop()
    known[id(value)] = value, hasher.digest()
    return hasher.digest()


def _leaf(label: str, data: bytes) -> bytes:
    return hashlib.sha256(f"{label}:{len(data)}:".encode() + data).digest()


def _content(value: Any) -> tuple[str, bytes, list[Any]]:
    """(what it is, its own bytes, its parts in a fixed order)."""
    if value is None or isinstance(value, bool | int | str | bytes | complex):
        own = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
        return type(value).__name__, own, []
    if isinstance(value, float | np.number | np.bool_):
        return "scalar", repr(value.item() if isinstance(value, np.generic) else value).encode(), []
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, np.random.Generator | np.random.RandomState):
        return "random", b"", []
    if isinstance(value, Mapping):
        return "mapping", b"", [part for pair in value.items() if pair[0] not in LEFT_OUT for part in pair]
    if isinstance(value, list | tuple):
        return "sequence", str(len(value)).encode(), list(value)
    if isinstance(value, set | frozenset):
        return "set", "".join(sorted(fingerprint(item) for item in value)).encode(), []
    if isinstance(value, type | types.BuiltinFunctionType | np.ufunc | np.dtype):
        return "name", str(getattr(value, "__qualname__", value)).encode(), []
    if isinstance(value, types.FunctionType):
        return _function(value)
    if type(value).__module__.startswith("catboost.") and hasattr(value, "is_fitted"):
        return _catboost(value)
    state = _state(value)
    name = f"{type(value).__module__}.{type(value).__qualname__}"
    return "object", name.encode(), [part for pair in state for part in pair]


def _catboost(value: Any) -> tuple[str, bytes, list[Any]]:
    """Its trees lie in memory that nothing can walk: what its own adapter takes for its identity."""
    name, identity = type(value).__qualname__, ""
    if value.is_fitted():
        from showcause.adapters.catboost import identity as of

        identity = of(value)
        if not identity:
            raise NotWalkable(f"{name} has text or embedding features")
    params = {key: given for key, given in value.get_params().items() if key not in LEFT_OUT | {"allow_writing_files"}}
    return "object", f"catboost.{name}:{identity}".encode(), [part for pair in sorted(params.items()) for part in pair]


def _array(value: np.ndarray[Any, Any]) -> tuple[str, bytes, list[Any]]:
    shape = f"{value.dtype.str}{value.shape}".encode()
    if value.dtype.names:  # field by field: the bytes between fields are whatever was in memory
        return "structured", str(value.shape).encode(), [p for n in value.dtype.names for p in (n, value[n].copy())]
    if value.dtype.kind == "O":
        return "objects", shape, value.ravel().tolist()
    return "array", shape + np.ascontiguousarray(value).tobytes(), []


def _function(value: types.FunctionType) -> tuple[str, bytes, list[Any]]:
    """A function is its code, constants, defaults and what it closes over."""
    code = value.__code__
    constants = [c for c in code.co_consts if not isinstance(c, types.CodeType)]
    inner = [c.co_code for c in code.co_consts if isinstance(c, types.CodeType)]
    closed = [cell.cell_contents for cell in value.__closure__ or ()]
    own = f"{value.__qualname__}:".encode() + code.co_code
    return "function", own, [constants, inner, list(code.co_names), value.__defaults__, closed]


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
