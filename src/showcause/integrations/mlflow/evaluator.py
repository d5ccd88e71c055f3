"""`mlflow.models.evaluate` makes a snapshot: MLflow finds this class by its entry point `mlflow.model_evaluator`.

    mlflow.models.evaluate(model_uri, data, targets="paid", model_type="classifier")      beside MLflow's own evaluators
    mlflow.models.evaluate(…, evaluators=["default", "showcause"], evaluator_config={"showcause": {…}})

Law: an evaluation never ends without a word. Whatever happens, the metric `showcause_complete` is 1 or 0, and the run
has the tag `showcause.evaluation` and the artifact showcause_evaluation.json with the state of all that was asked for.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from showcause.core.errors import ShowcauseError, spoken
from showcause.core.snapshot import Snapshot
from showcause.integrations.mlflow import background, publish
from showcause.integrations.mlflow.settings import Settings, settings
from showcause.integrations.mlflow.subject import TASKS, Subject, subject
from showcause.methods import find

log = logging.getLogger("showcause")


@dataclass(frozen=True)
class Outcome:
    """What became of an evaluation: a snapshot, or (code, message) of the error that left none."""

    snapshot: Snapshot | None
    subject: Subject | None
    error: tuple[str, str] | None = None

    @property
    def complete(self) -> bool:
        return self.error is None and self.snapshot is not None and self.snapshot.complete

    def document(self, told: Settings) -> dict[str, Any]:
        """showcause_evaluation.json."""
        found, error = self.snapshot, self.error
        statuses = {} if found is None else found.statuses
        return {
            "format": "showcause-evaluation/1",
            "complete": self.complete,
            "content": told.content,
            "snapshot": None if found is None else found.id,
            "error": None if error is None else {"code": error[0], "message": error[1]},
            "statuses": {name: {k: v for k, v in asdict(s).items() if v} for name, s in statuses.items()},
            "rows": None if found is None else dict(found.manifest.data["rows"]),
            "unheeded": list(told.unheeded),
        }

    def metrics(self, told: Settings) -> dict[str, float]:
        """Flat numbers, for run, logged model and `mlflow.validate_evaluation_results`."""
        found = self.snapshot
        if found is None:
            required = told.policy.require.get("artifacts", find())
            numbers = {"required": len(required), "ok": 0, "not_applicable": 0, "failed": len(required), "coverage": 0}
        else:
            states = [found.statuses[name].state for name in found.manifest.required if name in found.statuses]
            rows = found.manifest.data["rows"]
            numbers = {
                "required": len(found.manifest.required),
                "ok": states.count("ok"),
                "not_applicable": states.count("not-applicable"),
                "failed": states.count("failed"),
                "coverage": rows["explained"] / rows["given"],
            }
        return {f"{told.prefix}showcause_{k}": float(v) for k, v in {"complete": self.complete, **numbers}.items()}

    @property
    def reasons(self) -> list[str]:
        """Why it is not complete."""
        if self.error is not None:
            return [f"{self.error[1]} [{self.error[0]}]"]
        statuses = {} if self.snapshot is None else self.snapshot.statuses
        return [f"{name}: {status}" for name, status in statuses.items() if status.state == "failed"]


class Evaluator:
    """What MLflow asks of an evaluator. It is made anew for each evaluation and keeps nothing."""

    @classmethod
    def can_evaluate(cls, *, model_type: str, evaluator_config: Mapping[str, Any], **more: Any) -> bool:
        """Classifiers and regressors, unless `enabled` says no. A wrong setting is an error of `evaluate`."""
        try:
            return model_type in TASKS and settings(evaluator_config, lenient=True).enabled
        except ShowcauseError:
            return True

    def evaluate(
        self,
        *,
        model_type: str,
        dataset: Any,
        run_id: str,
        evaluator_config: Mapping[str, Any],
        model: Any = None,
        extra_metrics: Sequence[Any] | None = None,
        predictions: str | None = None,
        **more: Any,
    ) -> Any:
        """MLflow's EvaluationResult: metrics `showcause_*`, artifacts `showcause` (what became of it) and
        `showcause_report`.

        What was explained is sent while MLflow's other evaluators work; whoever reads the result waits for it. Raises
        ParameterError or PolicyError for wrong settings at once; reading the result raises IncompleteRun where
        on_failure = "raise" and the snapshot is not complete, after all of it was recorded.
        """
        told = settings(evaluator_config, extra_metrics)
        with contextlib.ExitStack() as stack:
            found = stack.enter_context(publish.places(run_id, getattr(model, "model_id", None)))
            outcome = explained(model, dataset, model_type, predictions, told)
            kept = stack.pop_all()  # until all is sent

        def send() -> publish.Sent:
            with kept:
                return publish.publish(outcome, told, found.result())

        return publish.awaited(background.begin(send), run_id, told.raises)


def explained(model: Any, dataset: Any, model_type: str, predictions: str | None, told: Settings) -> Outcome:
    """The snapshot, or why there is none: nothing that goes wrong in explaining ends the evaluation by itself."""
    import showcause

    found: Subject | None = None
    try:
        found = subject(model, dataset, model_type, predictions)
        options = dict(told.options)
        if isinstance(options.get("baseline"), str) and "store" not in options:
            options["baseline"] = showcause.open(options["baseline"])
        context = options.pop("context", found.context)
        snapshot = showcause.explain(
            found.model,
            found.X,
            found.y,
            context=context,
            task=found.task,
            policy=told.policy,
            name=told.name,
            **options,
        )
        return Outcome(snapshot, found)
    except ShowcauseError as error:
        return Outcome(None, found, (error.code, str(error)))
    except Exception as error:  # the model's own code, or a library's
        log.error("showcause: explaining failed", exc_info=error)
        return Outcome(None, found, ("internal", spoken(error)))
