"""The registry as the server itself sees it: its own database and its own artifacts, not itself over HTTP."""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from showcause.core.errors import NotFound, ParameterError, StoreError
from showcause.core.snapshot import Manifest
from showcause.integrations.mlflow import ledger
from showcause.integrations.mlflow.artifacts import repository
from showcause.integrations.mlflow.refs import SNAPSHOT, SOURCES, Located, clear, resolve
from showcause.integrations.mlflow.server.settings import Settings, settings
from showcause.store.export import PACKED, read_export

PROXIED = ("mlflow-artifacts", "http", "https")
PAGE = 1_000


@functools.cache
def client() -> Any:
    """A client on the server's own database. Raises ParameterError where the server has none."""
    import mlflow
    from mlflow.server.constants import BACKEND_STORE_URI_ENV_VAR, REGISTRY_STORE_URI_ENV_VAR

    tracking = os.environ.get(BACKEND_STORE_URI_ENV_VAR)
    if not tracking:
        raise ParameterError("MLflow's server has no database: give mlflow server --backend-store-uri")
    return mlflow.MlflowClient(tracking, os.environ.get(REGISTRY_STORE_URI_ENV_VAR) or tracking)


def registry() -> Any:
    """The same for registered models, prompts among them, which the client above says are not there."""
    return client()._get_registry_client()


def log_location() -> str | None:
    """Where experiments made here keep artifacts, as the server would choose it."""
    from mlflow.server.constants import ARTIFACT_ROOT_ENV_VAR

    root = os.environ.get(ARTIFACT_ROOT_ENV_VAR)
    return None if not root else f"{root.rstrip('/')}/{ledger.EXPERIMENT}"


def place(located: Located) -> Located:
    """The same, read from where the server keeps artifacts. Raises StoreError, NotFound."""
    return replace(located, artifact_uri=real(located.artifact_uri))


def real(uri: str) -> str:
    """The storage behind an artifact URI. Raises StoreError where it leads nowhere."""
    for _ in range(SOURCES):
        scheme = urlparse(uri).scheme
        if scheme in ("runs", "models"):
            uri = resolve(uri, client()).artifact_uri
        elif scheme in PROXIED:
            return proxied(_path(uri))
        else:
            return uri
    raise StoreError(f"{uri} leads from one source to the next for ever")


def _path(uri: str) -> str:
    from mlflow.server.handlers import (
        _get_proxied_run_artifact_destination_path,
        _is_servable_proxied_run_artifact_root,
    )

    if not _is_servable_proxied_run_artifact_root(uri):
        raise StoreError(f"{uri} is kept by another server, which is not asked")
    try:
        return str(_get_proxied_run_artifact_destination_path(uri))
    except AssertionError:
        raise StoreError(f"{uri} is no address of artifacts") from None


def proxied(path: str) -> str:
    """The storage behind a path that clients see under /mlflow-artifacts/artifacts/. Raises StoreError."""
    from mlflow.server.constants import ARTIFACTS_DESTINATION_ENV_VAR
    from mlflow.utils.uri import append_to_uri_path

    destination = os.environ.get(ARTIFACTS_DESTINATION_ENV_VAR)
    if not destination:
        raise StoreError("this server keeps no artifacts")
    return str(append_to_uri_path(destination, path.strip("/"))) if path.strip("/") else destination


@dataclass(frozen=True)
class Served:
    """A version that a guarded alias or stage names; `via` says which, `uri` where its files really are."""

    name: str
    version: str
    via: str
    uri: str
    run_id: str | None

    def __str__(self) -> str:
        return f"models:/{self.name}/{self.version}, which {self.via} names"


def serving(name: str, rules: Settings | None = None) -> Iterator[Served]:
    """The versions of a registered model that are served. Raises what MLflow raises for a model that is not there."""
    yield from _of(registry().get_registered_model(name), rules or settings(name))


def all_served() -> Iterator[Served]:
    """Of every registered model."""
    token = None
    while True:
        page = registry().search_registered_models(max_results=PAGE, page_token=token)
        for found in page:
            yield from _of(found, settings(found.name))
        token = page.token
        if not token:
            return


def _of(found: Any, rules: Settings) -> Iterator[Served]:
    named = {str(version): f"{found.name}@{alias}" for alias, version in found.aliases.items() if rules.guards(alias)}
    for version in found.latest_versions:
        if rules.guards_stage(version.current_stage or "None"):
            named.setdefault(str(version.version), f"{found.name} in {version.current_stage}")
    for number, via in named.items():
        version = registry().get_model_version(found.name, number)
        if is_prompt(version):
            continue
        uri = registry().get_model_version_download_uri(found.name, number)
        try:
            there = real(uri)
        except (StoreError, NotFound):
            there = uri
        yield Served(found.name, number, via, there, version.run_id or None)


def is_prompt(version: Any) -> bool:
    """Whether a version is a prompt's: it has no files at all, whatever its tags say."""
    from mlflow.server.handlers import _PROMPT_SOURCE_PLACEHOLDERS

    return version.source in _PROMPT_SOURCE_PLACEHOLDERS


def of_runs(run_ids: set[str]) -> Iterator[Served]:
    """The served versions of the models that have a version from one of these runs."""
    for name in sorted(made_by(run_ids)):
        yield from serving(name)


def made_by(run_ids: set[str]) -> set[str]:
    """The registered models that have a version from one of these runs."""
    names: set[str] = set()
    for run_id in run_ids:
        token = None
        while True:
            page = registry().search_model_versions(f"run_id='{run_id}'", max_results=PAGE, page_token=token)
            names |= {version.name for version in page}
            token = page.token
            if not token:
                break
    return names


def manifest(located: Located) -> Manifest:
    """Of what a model or a run carries, as a folder of all files or packed."""
    with clear(str(located)), tempfile.TemporaryDirectory(prefix="showcause-") as work:
        source = repository(located)
        names = {entry.path for entry in source.list_artifacts(SNAPSHOT)}
        if f"{SNAPSHOT}/{PACKED}" in names:
            return read_export(source.download_artifacts(f"{SNAPSHOT}/{PACKED}", dst_path=work)).manifest
        return Manifest.read(Path(source.download_artifacts(f"{SNAPSHOT}/manifest.json", dst_path=work)).read_bytes())
