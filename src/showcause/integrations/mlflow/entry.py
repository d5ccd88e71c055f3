"""What MLflow loads by the entry point `mlflow.model_evaluator`; nothing else imports it.

MLflow runs evaluators in the order in which they are registered, and one that raises ends the evaluation. Its own SHAP
evaluator does raise (on a column of strings, with pandas 3), so showcause takes the first place: the snapshot is made
and logged before anybody else can fail. Where MLflow keeps its evaluators otherwise than 3.17, the order is its own.
"""

from __future__ import annotations

from showcause.integrations.mlflow.evaluator import Evaluator as Evaluator

NAME = "showcause"


def _take_the_first_place() -> None:
    from mlflow.models.evaluation.evaluator_registry import _model_evaluation_registry

    known = getattr(_model_evaluation_registry, "_registry", None)
    if isinstance(known, dict):
        others = {name: evaluator for name, evaluator in known.items() if name != NAME}
        known.clear()
        known.update({NAME: Evaluator, **others})


_take_the_first_place()
