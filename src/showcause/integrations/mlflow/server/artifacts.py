"""No file changes under a version that is served."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator
from urllib.parse import unquote, urlparse

from showcause.core.errors import Refused
from showcause.core.finding import Finding
from showcause.integrations.mlflow.refs import clear
from showcause.integrations.mlflow.server import desk

RUN = re.compile(r"[0-9a-f]{32}")
MODEL = re.compile(r"m-[0-9a-f]{32}")


def untouched(uri: str, *, removing: bool = False) -> None:
    """Nothing served lies at this storage, or (what is written) above it, or (what is removed) below it.

    Raises Refused. Whose files they are is read off the ids of run and logged model in the path, for MLflow keeps no
    file elsewhere; where there is none, or something is removed, every served version is looked at.
    """
    target = folded(uri)
    for served in _near(target, removing):
        there = folded(served.uri)
        if target == there or target.startswith(f"{there}/") or (removing and there.startswith(f"{target}/")):
            message = f"the files of {served}, are not changed"
            raise Refused.of(f"{uri} is refused", [Finding("served", "fail", served.uri, message)])


def _near(target: str, removing: bool) -> Iterator[desk.Served]:
    parts = [part.lower() for part in target.split("/")]
    runs = {part for part in parts if RUN.fullmatch(part)}
    models = [part for part in parts if MODEL.fullmatch(part)]
    if removing or not (runs or models):
        yield from desk.all_served()
        return
    for model in models:
        try:
            with clear(model):
                source = desk.client().get_logged_model(model).source_run_id
        except KeyError:  # no such model, so no version of it
            continue
        if not source:
            yield from desk.all_served()
            return
        runs.add(source)
    yield from desk.of_runs(runs)


def folded(uri: str) -> str:
    """One spelling for one place: no dots, no doubled slashes, no percent signs, links followed on this machine."""
    while (plain := unquote(uri)) != uri:
        uri = plain
    parsed = urlparse(uri)
    if parsed.scheme in ("", "file"):
        return os.path.realpath(parsed.path if parsed.scheme else uri)
    return f"{parsed.scheme}://{parsed.netloc}{posixpath.normpath('/' + parsed.path.lstrip('/'))}"
