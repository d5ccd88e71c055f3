"""Files of a run or a logged model, wherever MLflow keeps them: listed, fetched and put.

What a server lists is not trusted: names that climb out of the folder are refused, and sizes are bounded before a byte
is fetched.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

from showcause.core.errors import Corrupt
from showcause.integrations.mlflow.refs import Located, clear

THREADS = 8
PAUSES = (0.1, 0.5)  # seconds before a file that broke off is asked for again
BARS = "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"
MAX_FILES = 10_000
MAX_BYTES = 2**34  # of a model's folder


def repository(located: Located) -> Any:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(located.artifact_uri, tracking_uri=located.tracking_uri)


def listing(located: Located, path: str = "", *, deep: bool = True, without: tuple[str, ...] = ()) -> dict[str, int]:
    """Name → size of the files below `path`, by names relative to the model's (or the run's) folder, but for the
    top-level names in `without`.

    `deep=False`: what lies in `path` itself, folders too (size 0). Raises Corrupt, StoreError.
    """
    found: dict[str, int] = {}
    with clear(str(located)):
        source = repository(located)
        folders = [path]
        while folders:
            for entry in source.list_artifacts(folders.pop() or None):
                name = safe(entry.path)
                if PurePosixPath(name).parts[0] in without:
                    continue
                if entry.is_dir and deep:
                    folders.append(name)
                    continue
                found[name] = int(entry.file_size or 0)
                if len(found) > MAX_FILES or sum(found.values()) > MAX_BYTES:
                    raise Corrupt(f"{located} holds more than {MAX_FILES} files or {MAX_BYTES} bytes")
    return found


def safe(name: str) -> str:
    """A name below the folder. Raises Corrupt."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
        raise Corrupt(f"the server lists a file named {name!r}, which lies outside of the folder")
    return name


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without MLflow's own progress bars; the last of several threads sets the variable back."""
    with _lock:
        if not _within:
            _within.append(os.environ.get(BARS))
        _within.append(None)
        os.environ[BARS] = "false"
    try:
        yield
    finally:
        with _lock:
            _within.pop()
            if len(_within) == 1:
                before = _within.pop()
                os.environ.pop(BARS, None) if before is None else os.environ.update({BARS: before})


_lock = threading.Lock()
_within: list[str | None] = []  # what the variable was, then one entry for each that is within


@contextlib.contextmanager
def fetched(located: Located, path: str = "", *, without: tuple[str, ...] = ()) -> Iterator[Path]:
    """A temporary folder with a copy of what lies below `path`, but for the top-level names in `without`.

    The copy is laid out as in the model's folder. Raises Corrupt, StoreError.
    """
    with tempfile.TemporaryDirectory(prefix="showcause-") as work:
        into = Path(work)
        names = listing(located, path, without=without)
        with clear(str(located)):
            _download(repository(located), list(names), into)
        yield into


def _download(source: Any, names: Sequence[str], into: Path) -> None:
    """Each file by name, several at a time: `download_artifacts` would list a folder again for every file.

    A server writes a file in place: one that breaks off is being written by another client, and is asked for again.
    """
    from requests.exceptions import ChunkedEncodingError

    def one(name: str) -> None:
        target = into / name
        target.parent.mkdir(parents=True, exist_ok=True)
        for pause in PAUSES:
            try:
                source._download_file(name, str(target))
                return
            except ChunkedEncodingError:
                time.sleep(pause)
        source._download_file(name, str(target))

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(one, names))


def put(located: Located, folder: str, files: Mapping[str, bytes], *, last: str = "", instead: bool = True) -> None:
    """Send `files` into `folder`, instead of what lies there or beside it; the file named `last` when all others are
    there.

    What is interrupted leaves a folder without that file, which nobody takes for whole. Raises StoreError.
    """
    with _quiet(), clear(str(located)), tempfile.TemporaryDirectory(prefix="showcause-") as work:
        target = repository(located)
        if instead and target.list_artifacts(folder):
            target.delete_artifacts(folder)
        staged = Path(work) / "staged"
        staged.mkdir()
        for name, data in files.items():
            file = (staged if name != last else Path(work)).joinpath(*name.split("/"))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        _upload(target, staged, folder)
        if last:
            target.log_artifact(str(Path(work) / last), folder)


def _upload(target: Any, staged: Path, folder: str) -> None:
    """Every file below `staged`, several at a time: over HTTP `log_artifacts` waits for one after the other."""

    def one(file: Path) -> None:
        inside = file.parent.relative_to(staged).as_posix()
        target.log_artifact(str(file), folder if inside == "." else f"{folder}/{inside}")

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(one, sorted(path for path in staged.rglob("*") if path.is_file())))
