"""Where an evaluation's outcome goes: a snapshot beside the logged model and under the run; metrics, tags, reasons."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from showcause.core import canonical
from showcause.core.errors import Corrupt, IncompleteRun, NotFound, ShowcauseError, StoreError
from showcause.core.snapshot import Snapshot
from showcause.integrations.mlflow import carry, refs
from showcause.integrations.mlflow.artifacts import fetched, put, repository, safe
from showcause.integrations.mlflow.binding import KIND
from showcause.integrations.mlflow.refs import REPORT, SNAPSHOT, Located, clear
from showcause.integrations.mlflow.report import pages
from showcause.integrations.mlflow.settings import Settings
from showcause.store.export import PACKED, contents, with_attached, zipped

if TYPE_CHECKING:
    from showcause.integrations.mlflow.evaluator import Outcome

TAG = "showcause.evaluation"  # complete, incomplete or failed; for search, never believed
DOCUMENT = "showcause_evaluation.json"
log = logging.getLogger("showcause")


@dataclass(frozen=True)
class Sent:
    """MLflow's EvaluationResult, and the outcome with what went wrong on the way."""

    result: Any
    outcome: Outcome


@dataclass(frozen=True)
class Places:
    """The run, the logged model that was evaluated (None where there is none), and a local copy of its files."""

    client: Any
    run: Located
    model: Located | None
    folder: Path | None


@contextlib.contextmanager
def places(run_id: str, model_id: str | None) -> Iterator[Future[Places]]:
    """Found and fetched while the model is being explained."""

    def find() -> Places:
        client = refs.connect()
        model = refs.logged(model_id, client) if model_id else None
        folder = None if model is None else stack.enter_context(fetched(model, without=(SNAPSHOT, REPORT)))
        return Places(client, refs.run(run_id, client), model, folder)

    with contextlib.ExitStack() as stack, ThreadPoolExecutor(1) as ahead:
        yield ahead.submit(find)


def publish(outcome: Outcome, told: Settings, found: Places) -> Sent:
    """Send all there is. A snapshot that cannot be logged is a failure of the evaluation, told like any other, here
    too: the one who would wait for it may be gone, where another evaluator raised. Raises StoreError only where that
    cannot be told to MLflow either."""
    views: dict[str, bytes] = {}
    carried = False
    try:
        if outcome.snapshot is not None:
            views = _views(outcome.snapshot, told)
            carried = _carry(outcome.snapshot, views, found)
    except ShowcauseError as error:
        outcome = replace(outcome, error=(error.code, f"the snapshot could not be logged: {error}"))
    if not outcome.complete:
        log.warning("showcause: the snapshot of %s is not complete:%s", found.run, _lines(outcome))
    own = found.model.model_id if found.model is not None else None
    speaks = carried or (found.model is not None and _speaks_of(found.model, outcome))
    try:
        _tell(outcome, told, found.run, own, found.client, speaks)
    except StoreError as error:
        log.error("showcause: what became of the evaluation of %s is not on record: %s", found.run, error)
        raise
    return Sent(_result(outcome, told, found.run, views), outcome)


def _views(snapshot: Snapshot, told: Settings) -> dict[str, bytes]:
    """explanation_report/: all of it, the report alone where the content is the essential one, or nothing."""
    if not told.report or told.content != "essential":
        return pages(snapshot) if told.report else {}
    with tempfile.TemporaryDirectory(prefix="showcause-") as work:
        return {"report.html": snapshot.report(Path(work) / "report.html").read_bytes()}


def _carry(snapshot: Snapshot, views: dict[str, bytes], found: Places) -> bool:
    """Beside the logged model, bound to its files, unless a complete one would give way to an incomplete one; and under
    the run: in one file where the model carries the folder. Whether the model does now. Raises StoreError."""
    run, model, folder, files = found.run, found.model, found.folder, contents(snapshot)
    if model is None or folder is None or not (snapshot.complete or not _complete(model)):
        put(run, REPORT, views)
        carry.send(run, files)
        return False

    def to_run() -> None:
        put(run, SNAPSHOT, {PACKED: zipped(files)})
        if views:
            put(run, REPORT, views)

    with ThreadPoolExecutor(2) as others:
        done, seen = others.submit(to_run), others.submit(put, model, REPORT, views)
        binding = carry.bind(snapshot, folder, views, evaluated=True)
        try:
            carry.send(model, with_attached(files, KIND, binding.document))
            seen.result()
            carried = True
        except StoreError:
            if not _complete(model):  # what is served takes nothing more: it keeps what it was gated with
                raise
            carried = False
        done.result()
    return carried


def _complete(model: Located) -> bool:
    try:
        return carry.fetch(model).complete
    except (NotFound, Corrupt):
        return False


def _tell(outcome: Outcome, told: Settings, run: Located, own: str | None, client: Any, speaks: bool) -> None:
    """Tags, metrics and reasons. MLflow logs the metrics that an evaluator returns too, but only where it was given the
    model's own id and no other evaluator raised."""
    from mlflow.entities import Metric, RunTag
    from mlflow.utils.time import get_current_time_millis

    snapshot, now = outcome.snapshot, get_current_time_millis()
    state = "complete" if outcome.complete else "failed" if snapshot is None or outcome.error else "incomplete"
    tags = {TAG: state, "showcause.complete": str(outcome.complete).lower()}
    if snapshot is not None and outcome.error is None:
        tags |= {"showcause.id": snapshot.id, "showcause.model": str(snapshot.manifest.model.get("digest", ""))}
    metrics = outcome.metrics(told)
    document = canonical.dumps(outcome.document(told))
    entries = [Metric(k, v, now, 0, model_id=own, run_id=run.run_id) for k, v in metrics.items()]
    with clear(str(run)), ThreadPoolExecutor(2) as others:
        done = [others.submit(put_one, run, told.prefix + DOCUMENT, document)]
        done += [others.submit(client.set_logged_model_tags, own, tags)] if own and speaks else []
        client.log_batch(run.run_id, metrics=entries, tags=[RunTag(key, value) for key, value in tags.items()])
        for one in done:
            one.result()


def _speaks_of(model: Located, outcome: Outcome) -> bool:
    """Whether the logged model carries this evaluation's snapshot, or none: another's tags stay as they are."""
    try:
        there = carry.fetch(model).id
    except NotFound:
        return True
    except Corrupt:
        return False
    return outcome.snapshot is not None and there == outcome.snapshot.id


def put_one(located: Located, name: str, data: bytes) -> None:
    """One file, which replaces what is called so. Raises StoreError."""
    path = PurePosixPath(safe(name))
    with clear(str(located)), tempfile.TemporaryDirectory(prefix="showcause-") as work:
        file = Path(work) / path.name
        file.write_bytes(data)
        repository(located).log_artifact(str(file), str(path.parent) if path.parent.name else None)


def _lines(outcome: Outcome) -> str:
    return "".join(f"\n  {reason}" for reason in outcome.reasons)


def awaited(sending: Future[Sent], run_id: str, raises: bool) -> Any:
    """MLflow's EvaluationResult of what is still being sent: MLflow reads it when all other evaluators are through, and
    waits here. Raises IncompleteRun then, where `raises` and the snapshot is not complete, and StoreError."""
    from mlflow.models.evaluation import EvaluationResult

    def arrived() -> Any:
        sent = sending.result()
        if raises and not sent.outcome.complete:
            raise IncompleteRun(f"the snapshot is incomplete and the model does not ship:{_lines(sent.outcome)}")
        return sent.result

    class Awaited(EvaluationResult):  # type: ignore[misc]  # a class of MLflow's, untyped
        def __init__(self) -> None:
            self._run_id = run_id

        @property
        def metrics(self) -> dict[str, Any]:
            return dict(arrived().metrics)

        @property
        def artifacts(self) -> dict[str, Any]:
            return dict(arrived().artifacts)

        _artifacts = artifacts  # by which `tables` goes

    return Awaited()


def _result(outcome: Outcome, told: Settings, run: Located, views: dict[str, bytes]) -> Any:
    from mlflow.models.evaluation import EvaluationResult
    from mlflow.models.evaluation.artifacts import JsonEvaluationArtifact, TextEvaluationArtifact

    base, name = run.artifact_uri.rstrip("/"), told.prefix + DOCUMENT
    document = canonical.loads(canonical.dumps(outcome.document(told)))
    artifacts: dict[str, Any] = {f"{told.prefix}showcause": JsonEvaluationArtifact(f"{base}/{name}", document)}
    if "report.html" in views and outcome.error is None:
        text = views["report.html"].decode()
        artifacts[f"{told.prefix}showcause_report"] = TextEvaluationArtifact(f"{base}/{REPORT}/report.html", text)
    return EvaluationResult(metrics=outcome.metrics(told), artifacts=artifacts, run_id=run.run_id)
