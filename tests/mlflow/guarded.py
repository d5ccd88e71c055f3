"""A server with the plugin on: its entry points as an installation has them, its policy and trust as an operator's."""

from __future__ import annotations

import json
import os
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.mlflow.conftest import Server, serve, stop

ROOT = Path(__file__).parents[2]
POLICY_TOML = '[require]\nartifacts = ["importance/permutation", "model/performance"]\n'


def installed(folder: Path) -> Path:
    """A folder for PYTHONPATH that holds what an installation says of its entry points."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    info = folder / "showcause-0.1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: showcause\nVersion: 0.1.0\n")
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()) for group, points in groups.items()]
    (info / "entry_points.txt").write_text("\n".join(lines))
    return folder


@contextmanager
def guarded(
    folder: Path,
    *words: str,
    policy: str = POLICY_TOML,
    trust: str = "",
    environment: Mapping[str, str] | None = None,
    health: str = "/health",
) -> Iterator[Server]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "showcause.toml").write_text(policy)
    if trust:
        (folder / "showcause-trust.toml").write_text(trust)
    path = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(installed(folder / "installed")), path]))
    try:
        server = serve(folder, "--app-name", "showcause", *words, environment=environment, health=health)
    finally:
        os.environ.pop("PYTHONPATH")
        if path is not None:
            os.environ["PYTHONPATH"] = path
    try:
        yield server
    finally:
        stop(server.process)


def ask(server: Server | str, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, Any]:
    """(status, JSON or text, headers) of one request."""
    base = server if isinstance(server, str) else server.uri
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    kind = {} if isinstance(body, bytes) or body is None else {"Content-Type": "application/json"}
    request = urllib.request.Request(base + path, data, {**kind, **headers}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            status, text, said = answer.status, answer.read().decode(errors="replace"), answer.headers
    except urllib.error.HTTPError as error:
        status, text, said = error.code, error.read().decode(errors="replace"), error.headers
    try:
        return status, json.loads(text), said
    except ValueError:
        return status, text, said


def codes(answer: tuple[int, Any, Any]) -> set[str]:
    """The codes of a refusal; it fails where it is none."""
    status, told, _ = answer
    assert status == 409, (status, told)
    assert told["error_code"] == "RESOURCE_CONFLICT"
    assert told["message"].startswith("refused by showcause")
    return {finding["code"] for finding in told["findings"]}
