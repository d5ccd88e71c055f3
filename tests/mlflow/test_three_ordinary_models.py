"""The three ordinary models of tests/test_three_ordinary_models.py, explained by MLflow itself and by showcause beside
it, in one and the same `mlflow.models.evaluate`. What MLflow does with them is held fast here, as in docs/mlflow.md."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import pytest

import showcause as sc
from tests.mlflow.test_evaluator import installed as installed
from tests.test_three_ordinary_models import MAKERS, ROWS

pytestmark = pytest.mark.filterwarnings("ignore")  # of MLflow's own evaluators and what they import


@dataclass(frozen=True)
class Both:
    """`shap`: the plots that MLflow logged of its own explainability; `raised`: what ended its evaluation."""

    model: Any
    rows: Any
    run: Any
    uri: str
    raised: Exception | None
    shap: list[str]


def both(mlflow: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> Both:
    """The no-code-change call: no evaluator is named, and nothing is configured."""
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")
    model, frame, labels = MAKERS[name]()
    X, y = frame[-ROWS:].reset_index(drop=True), labels[-ROWS:]
    model.fit(frame[:-ROWS], labels[:-ROWS])
    mlflow.set_experiment("ordinary")
    raised: Exception | None = None
    with mlflow.start_run() as run:
        info = mlflow.sklearn.log_model(model, name="model", pip_requirements=[], serialization_format="cloudpickle")
        try:
            mlflow.models.evaluate(info.model_uri, X.assign(approved=y), targets="approved", model_type="classifier")
        except TypeError as error:
            raised = error
    files = [file.path for file in mlflow.MlflowClient().list_artifacts(run.info.run_id)]
    return Both(model, X, run.info.run_id, info.model_uri, raised, sorted(f for f in files if f.startswith("shap_")))


def explained(mlflow: Any, found: Both) -> Any:
    """The snapshot beside the logged model; metrics and tags of the run say that it is complete."""
    data = mlflow.MlflowClient().get_run(found.run).data
    assert (data.metrics["showcause_complete"], data.tags["showcause.evaluation"]) == (1, "complete")
    snapshot = sc.open(found.uri)
    name = next(n for n in ("attribution/tree_shap", "attribution/shapley") if n in snapshot)
    table = snapshot[name].to_pandas()
    assert set(table["feature"]) == set(found.rows.columns)
    total = table.groupby("example").agg(value=("value", "sum"), base=("base", "first"))
    expected = found.model.predict_proba(found.rows)[total.index, 1]
    assert abs(total.value + total.base - expected).max() < 1e-9
    return snapshot


def test_a_string_column_crashes_mlflows_evaluation_and_is_explained(
    mlflow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = both(mlflow, "string column", monkeypatch)
    assert str(found.raised) == "Cannot interpret '<StringDtype(na_value=nan)>' as a data type"
    assert found.shap == []
    assert "race" in set(explained(mlflow, found)["importance/shap"].to_pandas()["feature"])


def test_a_forest_gets_one_wrong_chart_of_three_and_is_explained(
    mlflow: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="mlflow"):
        found = both(mlflow, "numeric forest", monkeypatch)
    assert found.raised is None
    # Its two classes are taken for pairs of features: a chart of the "SHAP interaction value" of the first two columns.
    assert found.shap == ["shap_summary_plot.png"]
    assert "does not support plotting explanations with instances that have more than one dimension" in caplog.text
    assert "Failed to log image artifact 'shap_feature_importance_plot'" in caplog.text
    assert len(explained(mlflow, found)["importance/shap"].table) == found.rows.shape[1]


def test_string_labels_are_skipped_by_mlflow_and_explained(
    mlflow: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="mlflow"):
        found = both(mlflow, "string labels", monkeypatch)
    assert (found.raised, found.shap) == (None, [])
    assert "requires all label values to be numeric or boolean" in caplog.text
    assert explained(mlflow, found).manifest.model["classes"] == ["approved", "rejected"]
