"""The guard around training: a run that does not show cause does not end quietly."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any

from showcause.core.errors import IncompleteRun
from showcause.core.snapshot import Manifest, Record, Snapshot, Status
from showcause.store.folder import FolderStore
from showcause.store.store import Store, check_name, publish
from showcause.verbs.explain import DEFAULT_NAME, explain


class run:  # noqa: N801 - it reads as a verb: `with showcause.run("credit", store=…) as run:`
    """`with run(name, store=…) as r: …; r.explain(model, X, y, …)`.

    On leaving without a complete snapshot it raises IncompleteRun, and publishes an incomplete snapshot where none was
    made, so that the record says so. An exception from the block stays the user's own exception; the run is then
    recorded as incomplete too.
    """

    def __init__(self, name: str = DEFAULT_NAME, *, store: str | os.PathLike[str] | Store) -> None:
        self.name = check_name(name)
        self.store: Store = FolderStore(store) if isinstance(store, str | os.PathLike) else store
        self.snapshot: Snapshot | None = None

    def explain(self, model: Any, X: Any, y: Any = None, **options: Any) -> Snapshot:
        """`showcause.explain` with the run's name and store."""
        self.snapshot = explain(model, X, y, name=self.name, store=self.store, **options)
        return self.snapshot

    def __enter__(self) -> run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.snapshot is not None and (self.snapshot.complete or error is not None):
            return
        if self.snapshot is None:
            why = f"the run ended with {kind.__name__}" if kind else "the run made no snapshot"
            self.snapshot = self._nothing(why)
        if error is None:
            missing = {n: s for n, s in self.snapshot.manifest.statuses.items() if s.state == "failed"}
            lines = "".join(f"\n  {name}: {status}" for name, status in missing.items())
            raise IncompleteRun(f"{self.snapshot.ref} is incomplete and does not ship:{lines}")

    def _nothing(self, why: str) -> Snapshot:
        from datetime import UTC, datetime

        from showcause.environment import author, commit

        status = {"run": Status("failed", why, IncompleteRun.code)}
        manifest = Manifest({}, {}, {}, ("run",), status, {})

        def record(number: int, parent: str | None) -> Record:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            return Record(manifest.digest, self.name, number, parent, now, author(), commit())

        return publish(self.store, manifest, self.name, record)
