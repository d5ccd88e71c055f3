"""One file per check. Nothing central to edit: this walks the folder, and the entry-point group `showcause.checks` for
those that other packages bring."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points

from showcause.core.errors import ParameterError
from showcause.policy.check import Check


@cache
def find() -> dict[str, Check]:
    """code → Check, sorted. Raises ParameterError where two share a code, or an entry point gives something else."""
    found: dict[str, Check] = {}

    def add(value: object, where: str) -> None:
        if not isinstance(value, Check):
            raise ParameterError(f"the entry point {where!r} gives a {type(value).__name__}, not a Check")
        if value.code in found:
            raise ParameterError(f"two checks have the code {value.code}: {found[value.code].title!r}, {value.title!r}")
        found[value.code] = value

    for info in pkgutil.iter_modules(__path__, f"{__name__}."):
        for value in vars(importlib.import_module(info.name)).values():
            if isinstance(value, Check):
                add(value, info.name)
    for point in entry_points(group="showcause.checks"):
        add(point.load(), point.name)
    return dict(sorted(found.items()))
