"""One file per method, in folders by what it answers. Nothing central to edit: this walks the folder, and the
entry-point group `showcause.methods` for those that other packages bring."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from functools import cache
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any

from showcause.core.errors import ParameterError, choices
from showcause.methods.method import Method


@cache
def find() -> dict[str, Method]:
    """name → Method, sorted. Raises ParameterError where two share a name or one is not named as its file."""
    found: dict[str, Method] = {}
    for info in pkgutil.walk_packages(__path__, f"{__name__}."):
        if info.ispkg or info.name.count(".") < 3:
            continue
        path = "/".join(info.name.split(".")[2:])
        for value in vars(importlib.import_module(info.name)).values():
            if isinstance(value, Method):
                if value.name != path:
                    raise ParameterError(f"the method in {path}.py calls itself {value.name!r}; the two must agree")
                found[value.name] = value
    for point in entry_points(group="showcause.methods"):
        value = point.load()
        if not isinstance(value, Method):
            raise ParameterError(f"the entry point {point.name!r} gives a {type(value).__name__}, not a Method")
        if value.name in found:
            raise ParameterError(f"two methods are called {value.name!r}")
        found[value.name] = value
    return dict(sorted(found.items()))


def named(name: str) -> Method:
    if name not in find():
        raise ParameterError(f"no such method: {choices(name, find())}")
    return find()[name]


class _Callable(ModuleType):
    """`showcause.methods` is this folder and, called, the list of what is in it: `showcause.methods()`."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        from showcause.verbs.methods import methods  # lazy delegation upwards, listed in the layer test

        return methods(*args, **options)


sys.modules[__name__].__class__ = _Callable
