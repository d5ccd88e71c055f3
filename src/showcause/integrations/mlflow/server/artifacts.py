"""No file changes under a version that is served."""

from __future__ import annotations

import os
import posixpath
import re
from urllib.parse import unquote, urlparse

from showcause.core.errors import NotFound, Refused
from showcause.core.finding import Finding
from showcause.integrations.mlflow.refs import clear
from showcause.integrations.mlflow.server import desk

RUN = re.compile(r"[0-9a-f]{32}")
MODEL = re.compile(r"m-[0-9a-f]{32}")


def untouched(uri: str, *, removing: bool = False) -> None:
    """Nothing served lies at this storage, or (what is written) above it, or (what is removed) below it.

    Raises Refused. Whose files they are is read off the ids of run and logged model in the path; where there is none,
    every served version is looked at. Only what can be found so is ever served (`findable`).
    """
    target = folded(uri)
    runs = runs_in(target)
    for served in desk.all_served() if runs is None else desk.of_runs(runs):
        there = folded(served.uri)
        if target == there or target.startswith(f"{there}/") or (removing and there.startswith(f"{target}/")):
            message = f"the files of {served}, are not changed"
            raise Refused.of(f"{uri} is refused", [Finding("served", "fail", served.uri, message)])


def findable(name: str, uri: str) -> bool:
    """Whether files at this storage are known to be those of a version of this registered model."""
    runs = runs_in(folded(uri))
    return runs is None or name in desk.made_by(runs)


def runs_in(path: str) -> set[str] | None:
    """The runs whose ids, or whose logged models' ids, stand in a path; None where that does not say whose it is."""
    parts = [part.lower() for part in path.split("/")]
    runs = {part for part in parts if RUN.fullmatch(part)}
    for model in (part for part in parts if MODEL.fullmatch(part)):
        try:
            with clear(model):
                source = desk.client().get_logged_model(model).source_run_id
        except NotFound:  # no such model, so no version of it
            continue
        if not source:
            return None
        runs.add(source)
    return runs if runs or any(MODEL.fullmatch(part) for part in parts) else None


def folded(uri: str) -> str:
    """One spelling for one place: no dots, no doubled slashes, no percent signs, links followed on this machine."""
    while (plain := unquote(uri)) != uri:
        uri = plain
    parsed = urlparse(uri)
    if parsed.scheme in ("", "file"):
        return os.path.realpath(parsed.path if parsed.scheme else uri)
    return f"{parsed.scheme}://{parsed.netloc}{posixpath.normpath('/' + parsed.path.lstrip('/'))}"
