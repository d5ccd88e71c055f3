"""Where a REF of MLflow leads.

    models:/credit/7   models:/credit@champion   models:/credit/latest   models:/credit     a registered version
    models:/m-0123…                                                                          a logged model
    runs:/RUN/model                                                                          a run's logged model
    runs:/RUN          what was logged to the run itself, else its only logged model

Everything goes through MLflow's client, so that it works over HTTP as on a database; names and ids never become paths
here. Laws: a version and its copies lead to the same folder; no answer rests on a tag.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from showcause.core.errors import MissingExtra, NotFound, ParameterError, StoreError, choices
from showcause.integrations.mlflow.background import settle

SCHEMES = ("models:/", "runs:/")
SNAPSHOT = "explanation_snapshot"  # the exported snapshot's folder, beside the model's own files
REPORT = "explanation_report"  # what people look at
ALIAS = re.compile(r"[\w-]+")
SOURCES = 16  # copies of copies are followed so far


@dataclass(frozen=True)
class Located:
    """What a REF names.

    ref            in its firm form: models:/credit/7 for an alias too, models:/m-…, runs:/RUN
    artifact_uri   of the model's folder; of the run's artifacts where `model` is False
    """

    ref: str
    artifact_uri: str
    tracking_uri: str
    registry_uri: str | None = None
    model: bool = True
    model_id: str | None = None
    run_id: str | None = None
    name: str | None = None
    version: str | None = None

    def __str__(self) -> str:
        return self.ref


@dataclass(frozen=True)
class Parsed:
    """The parts of a models:/ REF: a logged model's id, or a name with at most one of the others; the name alone: its
    newest version."""

    name: str
    version: str | None = None
    alias: str | None = None
    stage: str | None = None
    model_id: str | None = None


def parsed(ref: str) -> Parsed:
    """Read by what MLflow allows in a name, anything but "/" and ":", and in an alias, words and dashes: MLflow's own
    reading takes a "?" in a name for the beginning of a query. Raises ParameterError."""
    parts = ref.removeprefix("models:/").strip("/").removesuffix(f"/{SNAPSHOT}").split("/")
    name, suffix = parts[0], "".join(parts[1:])
    if len(parts) > 2 or not name.strip() or (len(parts) == 2 and not suffix.strip()):
        raise ParameterError(
            f"{ref!r} is no REF of MLflow; give models:/NAME/VERSION, models:/NAME@ALIAS or models:/ID"
        )
    if len(parts) == 2:
        if suffix.isdigit():
            return Parsed(name, version=suffix)
        return Parsed(name) if suffix.lower() == "latest" else Parsed(name, stage=suffix)
    before, at, alias = name.rpartition("@")
    if at and before.strip() and ALIAS.fullmatch(alias):
        return Parsed(before, alias=alias)
    return Parsed(name, model_id=name if name.startswith("m-") else None)


def is_ref(ref: object) -> bool:
    """Whether MLflow is meant, by the scheme alone."""
    return isinstance(ref, str) and ref.startswith(SCHEMES)


def package() -> Any:
    """The module mlflow. Raises MissingExtra."""
    try:
        import mlflow
    except ImportError:
        raise MissingExtra.of("mlflow", "mlflow") from None
    return mlflow


def connect(client: Any = None) -> Any:
    """The client given, or one for the tracking server that MLflow is set to."""
    mlflow = package()
    return mlflow.MlflowClient() if client is None else client


@contextlib.contextmanager
def clear(what: str) -> Iterator[None]:
    """MLflow's errors as ours: NotFound where there is no such thing, else StoreError."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        code = str(getattr(error, "error_code", ""))
        said = " ".join(str(error).split())[:500]
        if code in ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND") or "not found" in said.lower():
            raise NotFound(f"{what}: MLflow has no such thing: {said}") from error
        raise StoreError(f"{what}: MLflow says: {said}") from error
    except OSError as error:
        raise StoreError(f"{what}: {error}") from error


def resolve(ref: str, client: Any = None) -> Located:
    """Where `ref` leads. Raises NotFound, ParameterError (no REF of MLflow), StoreError, MissingExtra."""
    if not is_ref(ref):
        raise ParameterError(f"{ref!r} is no REF of MLflow; give models:/NAME/VERSION, models:/NAME@ALIAS or runs:/RUN")
    client = connect(client)
    settle()
    with clear(ref):
        return _model(ref, client) if ref.startswith("models:/") else _run(ref, client)


def _model(ref: str, client: Any) -> Located:
    from mlflow.store.artifact.utils.models import _get_latest_model_version

    meant = parsed(ref)
    if meant.model_id is not None:
        return logged(meant.model_id, client)
    if meant.version is not None:
        return registered(meant.name, meant.version, client)
    if meant.alias is not None:
        return registered(meant.name, client.get_model_version_by_alias(meant.name, meant.alias).version, client)
    return registered(meant.name, _get_latest_model_version(client, meant.name, meant.stage), client)


def registered(name: str, version: str | int, client: Any) -> Located:
    """A version of the registry."""
    found = client.get_model_version(name, str(version))
    uri = client.get_model_version_download_uri(name, str(version))
    model_id = _source(found, client)
    if model_id is not None and client.get_logged_model(model_id).artifact_location.rstrip("/") != uri.rstrip("/"):
        model_id = None  # its bytes come from elsewhere: they count, not what it says of its source
    return _located(
        client, f"models:/{name}/{version}", uri, model_id=model_id, run_id=found.run_id or None, name=name,
        version=str(version),
    )  # fmt: skip


def _source(version: Any, client: Any) -> str | None:
    """The logged model that a version was made from, through copies of copies; None where there is none."""
    from mlflow.exceptions import MlflowException

    for _ in range(SOURCES):
        source = version.source or ""
        if not source.startswith("models:/"):
            return None
        try:
            meant = parsed(source)
            if meant.model_id is not None:
                return str(client.get_logged_model(meant.model_id).model_id)
            version = client.get_model_version(meant.name, meant.version)
        except (MlflowException, ParameterError):  # the source was deleted: what it left can still be read
            return None
    return None


def logged(model_id: str, client: Any) -> Located:
    """A logged model."""
    found = client.get_logged_model(model_id)
    return _located(
        client, f"models:/{model_id}", found.artifact_location, model_id=model_id, run_id=found.source_run_id or None
    )


def _run(ref: str, client: Any) -> Located:
    from mlflow.store.artifact.runs_artifact_repo import RunsArtifactRepository

    from showcause.integrations.mlflow.artifacts import listing

    run_id, path = RunsArtifactRepository.parse_runs_uri(ref)
    path = (path or "").rstrip("/").removesuffix(SNAPSHOT).rstrip("/")
    itself = run(run_id, client)
    models = [client.get_logged_model(one) for one in _outputs(run_id, client)]
    if path:
        for model in models:
            if model.name == path:
                return logged(model.model_id, client)
        at = replace(itself, ref=f"runs:/{run_id}/{path}", artifact_uri=f"{itself.artifact_uri.rstrip('/')}/{path}")
        if "MLmodel" in listing(at, "", deep=False):  # models of MLflow 2 lie among the run's artifacts
            return replace(at, model=True)
        raise NotFound(f"{ref}: the run has no such model: {choices(path, [model.name for model in models])}")
    if listing(itself, SNAPSHOT, deep=False) or len(models) != 1:
        return itself
    return logged(models[0].model_id, client)


def run(run_id: str, client: Any) -> Located:
    """A run itself, whatever models it logged."""
    found = client.get_run(run_id)
    return _located(client, f"runs:/{run_id}", found.info.artifact_uri, run_id=run_id, model=False)


def _outputs(run_id: str, client: Any) -> list[str]:
    """Ids of the models that a run logged."""
    outputs = client.get_run(run_id).outputs
    return [output.model_id for output in (outputs.model_outputs if outputs else [])]


def _located(client: Any, ref: str, uri: str, **more: Any) -> Located:
    registry = getattr(client, "_registry_uri", None)
    return Located(ref, uri, client.tracking_uri, registry, **more)
