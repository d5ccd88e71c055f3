"""A callback of scikit-learn (1.9 and later): the end of a fit is the beginning of an explanation.

    pipe.set_callbacks(sc.sklearn.Snapshot(X_test, y_test, name="credit", store=".showcause"))
    pipe.fit(X_train, y_train)                      publishes credit/1, or raises IncompleteRun

Not every estimator has callbacks: a bare RandomForestClassifier has none, and before 1.9 none has.
`Snapshot(…).on(model)` sets the callback where it can be set, and else says what to do: the run guard,
`with showcause.run(…)`, serves any model.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from showcause.core.errors import ModelError, NotApplicable
from showcause.verbs.explain import DEFAULT_NAME
from showcause.verbs.run import run

if TYPE_CHECKING:
    from os import PathLike

    from showcause.core.snapshot import Snapshot as Made
    from showcause.store.store import Store

GUARD = (
    "guard its training instead, which works with any model: with showcause.run({name!r}, store=…) as guard: "
    "model.fit(X_train, y_train); guard.explain(model, X_test, y_test, train=(X_train, y_train))"
)


class Snapshot:
    """Explains the estimator that it is set on, once its fit has ended; a run that does not show cause does not end
    quietly.

    X, y      held-out rows (n × p) and labels; the rows of the fit itself are taken as `train`
    name      published as version name/1, name/2, …; `store`: its folder, else the snapshot lives in memory
    options   of `showcause.explain`: policy, segments, protected, threshold, refits, baseline, …

    `snapshot` holds what was made. One fit, one snapshot: the callback then takes itself off the estimator, so that
    what is stored of the model holds no trace of it, and copies of the model (refits) are not explained again. Set it
    on the outermost estimator: on a step of a Pipeline or inside a search the fit raises ModelError.
    """

    def __init__(
        self,
        X: Any,
        y: Any = None,
        *,
        name: str = DEFAULT_NAME,
        store: str | PathLike[str] | Store | None = None,
        **options: Any,
    ) -> None:
        from showcause.store.memory import MemoryStore

        self.X, self.y, self.options = X, y, options
        self.guard = run(name, store=MemoryStore() if store is None else store)
        self._trained: dict[Any, Any] = {}

    @property
    def snapshot(self) -> Made | None:
        """The last snapshot made, complete or not; None before a fit has ended."""
        return self.guard.snapshot

    def on(self, estimator: Any) -> Any:
        """The estimator with this callback set beside its others. Raises NotApplicable where it can have none."""
        set_callbacks = getattr(estimator, "set_callbacks", None)
        if set_callbacks is None:
            from sklearn import __version__

            kind = type(estimator).__name__
            raise NotApplicable(
                f"{kind} takes no callbacks in scikit-learn {__version__} (Pipelines and searches do, from 1.9 on); "
                + GUARD.format(name=self.guard.name)
            )
        return set_callbacks(*getattr(estimator, "_skl_callbacks", ()), self)

    def setup(self, estimator: Any, context: Any) -> None:
        """Before the fit: whether this is the whole model."""
        if context.parent is not None:
            self._leave(estimator)
            raise ModelError(
                f"showcause's Snapshot is set on {type(estimator).__name__}, which is fitted inside of another; "
                "set it on the outermost one, which is the model that decides"
            )

    def on_fit_task_begin(self, estimator: Any, context: Any, *, X: Any = None, y: Any = None) -> None:
        """The rows of the outermost task are the training rows."""
        if context.parent is None and X is not None:
            self._trained[context.root_uuid] = X if y is None else (X, y)

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        """Nothing: steps and iterations are not the model."""

    def teardown(self, estimator: Any, context: Any) -> None:
        """After the fit, also after one that failed. Raises IncompleteRun, and what `showcause.explain` raises."""
        error = sys.exc_info()[1]
        train = self._trained.pop(context.root_uuid, None)
        if context.parent is not None:
            return  # setup said so already
        self._leave(estimator)
        self.guard.snapshot = None
        if error is not None:
            self.guard.__exit__(type(error), error, error.__traceback__)
            return
        with self.guard as guard:
            guard.explain(estimator, self.X, self.y, **{"train": train, **self.options})

    def _leave(self, estimator: Any) -> None:
        """Take itself off. Other callbacks stay; clones keep a list of their own."""
        estimator.set_callbacks(*(c for c in getattr(estimator, "_skl_callbacks", ()) if c is not self))

    def __getstate__(self) -> dict[str, Any]:
        """A copy in another process or in a pickle of an unfitted model would hold the rows: it is refused."""
        raise NotApplicable(
            "a model with showcause's Snapshot set on it cannot be pickled before it is fitted, as the rows to explain "
            "would be in the pickle; set it on the outermost estimator, or fit in this process"
        )
