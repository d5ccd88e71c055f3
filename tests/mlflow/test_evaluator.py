"""`mlflow.models.evaluate` against a real server: a snapshot comes of it, and nothing goes wrong in silence."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

import showcause as sc
from tests.mlflow.conftest import FEW, rows

ROOT = Path(__file__).parents[2]
QUICK = {"policy": FEW, "report": False}


@pytest.fixture(autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry points of pyproject.toml, found as those of an installed package are."""
    from mlflow.models.evaluation.evaluator_registry import _model_evaluation_registry as registry

    folder = tmp_path_factory.mktemp("site")
    info = folder / "showcause_here-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: showcause-here\nVersion: 0.1.0\n")
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["mlflow.model_evaluator"]
    lines = "".join(f"{name} = {where}\n" for name, where in points.items())
    (info / "entry_points.txt").write_text(f"[mlflow.model_evaluator]\n{lines}")
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))  # as it was, when the test has ended
    monkeypatch.delitem(sys.modules, "showcause.integrations.mlflow.entry", raising=False)
    registry.register_entrypoints()


def data(count: int = 120) -> pd.DataFrame:
    made = rows(1, count)
    return made.X.assign(paid=made.y)


@pytest.fixture
def logged(mlflow: Any) -> Any:
    """A classifier in MLflow."""
    made = rows()
    mlflow.set_experiment("evaluator")
    with mlflow.start_run():
        return mlflow.sklearn.log_model(LogisticRegression().fit(made.X, made.y), name="model", pip_requirements=[])


def evaluate(mlflow: Any, model: Any, frame: Any = None, **options: Any) -> Any:
    given = {"targets": "paid", "model_type": "classifier", "evaluators": "showcause", "evaluator_config": QUICK}
    return mlflow.models.evaluate(model, data() if frame is None else frame, **{**given, **options})


@pytest.mark.filterwarnings("ignore")  # of MLflow's own evaluators and what they import
def test_an_evaluation_yields_a_snapshot_beside_mlflows_own_evaluators(mlflow: Any, logged: Any) -> None:
    with mlflow.start_run() as run:
        result = evaluate(mlflow, logged.model_uri, evaluators=None, evaluator_config=None)
    assert result.metrics["showcause_complete"] == 1
    assert result.metrics["accuracy_score"] > 0.5
    snapshot = sc.open(logged.model_uri)
    assert snapshot.complete
    assert sc.open(f"runs:/{run.info.run_id}").id == snapshot.id == result.artifacts["showcause"].content["snapshot"]
    with mlflow.start_run():
        result = evaluate(mlflow, logged.model_uri, evaluator_config={"report": True})
    assert snapshot.id[:12] in result.artifacts["showcause_report"].content


def test_its_metrics_and_tags_reach_run_and_logged_model(mlflow: Any, logged: Any) -> None:
    with mlflow.start_run() as run:
        result = evaluate(mlflow, logged.model_uri)
    client = mlflow.MlflowClient()
    wanted = {
        "showcause_complete": 1, "showcause_required": 2, "showcause_ok": 2, "showcause_not_applicable": 0,
        "showcause_failed": 0, "showcause_coverage": 1,
    }  # fmt: skip
    assert result.metrics == wanted
    there = client.get_run(run.info.run_id).data
    assert there.metrics == wanted
    assert there.tags["showcause.id"] == result.artifacts["showcause"].content["snapshot"]
    model = client.get_logged_model(logged.model_id)
    assert {metric.key: metric.value for metric in model.metrics} == wanted
    assert there.tags["showcause.evaluation"] == model.tags["showcause.evaluation"] == "complete"


def test_a_complete_snapshot_passes_mlflows_validation_and_an_incomplete_one_does_not(mlflow: Any, logged: Any) -> None:
    from mlflow.models import MetricThreshold
    from mlflow.models.evaluation.validation import ModelValidationFailedException

    threshold = {"showcause_complete": MetricThreshold(threshold=1, greater_is_better=True)}
    mlflow.validate_evaluation_results(
        validation_thresholds=threshold, candidate_result=evaluate(mlflow, logged.model_uri)
    )
    lacking = {**FEW, "methods": {"importance/permutation": {"repeats": "many"}}}
    failed = evaluate(mlflow, logged.model_uri, evaluator_config={"policy": lacking})
    with pytest.raises(ModelValidationFailedException, match="showcause_complete"):
        mlflow.validate_evaluation_results(validation_thresholds=threshold, candidate_result=failed)


def test_what_fails_is_told_by_metric_tag_and_reasons(mlflow: Any, logged: Any) -> None:
    with mlflow.start_run() as run:
        result = evaluate(mlflow, logged.model_uri, evaluator_config={**QUICK, "threshold": 7})
    assert result.metrics["showcause_complete"] == 0
    client = mlflow.MlflowClient()
    there = client.get_run(run.info.run_id).data
    assert there.metrics["showcause_complete"] == 0
    assert there.tags["showcause.evaluation"] == "failed"
    path = client.download_artifacts(run.info.run_id, "showcause_evaluation.json")
    error = json.loads(Path(path).read_bytes())["error"]
    assert error == {"code": "bad-parameter", "message": "threshold must lie between 0 and 1, got 7"}


def test_it_can_end_the_evaluation_and_then_it_is_told_too(mlflow: Any, logged: Any) -> None:
    config = {**QUICK, "on_failure": "raise", "policy": {**FEW, "methods": {"model/performance": {"x": 1}}}}
    with mlflow.start_run() as run, pytest.raises(sc.IncompleteRun, match="model/performance: failed"):
        evaluate(mlflow, logged.model_uri, evaluator_config=config)
    client = mlflow.MlflowClient()
    there = client.get_run(run.info.run_id).data
    assert (there.metrics["showcause_complete"], there.tags["showcause.evaluation"]) == (0, "incomplete")
    assert client.get_logged_model(logged.model_id).tags["showcause.evaluation"] == "incomplete"
    assert not sc.open(f"runs:/{run.info.run_id}").complete


class Breaks:
    """An evaluator that comes later and raises, as MLflow's own does on a column of strings."""

    @classmethod
    def can_evaluate(cls, **given: Any) -> bool:
        return True

    def evaluate(self, **given: Any) -> Any:
        raise RuntimeError("not today")


def test_another_evaluator_that_raises_costs_no_snapshot(mlflow: Any, logged: Any) -> None:
    from mlflow.models.evaluation.evaluator_registry import _model_evaluation_registry as registry

    registry.register("breaks", Breaks)
    config = {"showcause": QUICK, "breaks": {}}
    with mlflow.start_run() as run, pytest.raises(RuntimeError, match="not today"):
        evaluate(mlflow, logged.model_uri, evaluators=["showcause", "breaks"], evaluator_config=config)
    assert (
        sc.open(logged.model_uri).id == sc.open(f"runs:/{run.info.run_id}").id
    )  # opening waits for what is being sent
    assert mlflow.MlflowClient().get_run(run.info.run_id).data.metrics["showcause_complete"] == 1


def test_a_program_that_ends_at_once_has_sent_it_all(mlflow: Any, logged: Any, tmp_path: Path) -> None:
    program = f"""
import mlflow, time
from mlflow.models.evaluation.evaluator_registry import _model_evaluation_registry as registry
from showcause.integrations.mlflow import publish
from showcause.integrations.mlflow.evaluator import Evaluator
from tests.mlflow.test_evaluator import QUICK, Breaks, data

mlflow.set_tracking_uri({mlflow.get_tracking_uri()!r})
registry.register("showcause", Evaluator)
registry.register("breaks", Breaks)
send = publish.publish
publish.publish = lambda *given: (time.sleep(2), send(*given))[1]  # the program has ended before it begins
mlflow.models.evaluate({logged.model_uri!r}, data(), targets="paid", model_type="classifier",
    evaluators=["showcause", "breaks"], evaluator_config={{"showcause": QUICK, "breaks": {{}}}})
"""
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    assert "RuntimeError: not today" in ended.stderr.splitlines()[-1], ended.stderr
    assert sc.open(logged.model_uri).complete


def test_an_incomplete_snapshot_never_replaces_a_complete_one(mlflow: Any, logged: Any) -> None:
    evaluate(mlflow, logged.model_uri)
    good = sc.open(logged.model_uri)
    lacking = {**FEW, "methods": {"model/performance": {"x": 1}}}
    evaluate(mlflow, logged.model_uri, evaluator_config={"policy": lacking, "report": False})
    assert sc.open(logged.model_uri).id == good.id


@pytest.mark.parametrize("word", ["tresholds", "evaluators", "Policy"])
def test_an_unknown_setting_is_a_clear_error(mlflow: Any, logged: Any, word: str) -> None:
    with pytest.raises(sc.ParameterError, match=f"evaluator_config says '{word}', which showcause does not know"):
        evaluate(mlflow, logged.model_uri, evaluator_config={word: 1})


def test_the_words_of_mlflows_own_evaluators_and_metrics_are_left_alone() -> None:
    import mlflow
    from mlflow.models import make_metric

    from showcause.integrations.mlflow.settings import MLFLOW, settings

    package = Path(mlflow.__file__).parent / "models" / "evaluation"
    said = {w for p in package.rglob("*.py") for w in re.findall(r"evaluator_config\.get\(\s*\"(\w+)\"", p.read_text())}
    assert len(said) > 10
    assert said <= MLFLOW
    metric = make_metric(eval_fn=lambda predictions, targets, metrics, cut: 1.0, greater_is_better=True, name="mine")
    told = settings({"pos_label": 1, "cut": 0.2, "calibration_n_bins": 5, "threshold": 0.3}, [metric])
    assert (dict(told.options), told.unheeded) == ({"threshold": 0.3}, ("pos_label",))


def test_settings_come_from_the_policy_file_and_evaluator_config_wins(
    mlflow: Any, logged: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = 'name = "credit"\nreport = false\non_failure = "raise"\n'
    Path("showcause.toml").write_text(f'[require]\nartifacts = ["model/performance"]\n[mlflow]\n{words}')
    result = evaluate(mlflow, logged.model_uri, evaluator_config={"name": "loans"})
    assert result.artifacts["showcause"].content["content"] == "policy"
    snapshot = sc.open(logged.model_uri)
    assert (snapshot.record.name, list(snapshot)) == ("loans", ["model/performance"])
    with pytest.raises(sc.IncompleteRun):
        evaluate(mlflow, logged.model_uri, evaluator_config={"threshold": 7})
    Path("showcause.toml").write_text("[mlflow]\nspeed = 3\n")
    with pytest.raises(sc.PolicyError, match=r"\[mlflow\]: unknown word"):
        evaluate(mlflow, logged.model_uri, evaluator_config={})


def test_it_can_be_switched_off(mlflow: Any, logged: Any) -> None:
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match="could not be evaluated by any"):
        evaluate(mlflow, logged.model_uri, evaluator_config={"enabled": False})


def test_a_registered_version_and_a_loaded_model_lead_to_the_logged_model(mlflow: Any, logged: Any) -> None:
    mlflow.register_model(logged.model_uri, "evaluated")
    first = evaluate(mlflow, "models:/evaluated/1")
    assert sc.open("models:/evaluated/1").id == first.artifacts["showcause"].content["snapshot"]
    assert mlflow.MlflowClient().get_logged_model(logged.model_id).metrics
    second = evaluate(mlflow, mlflow.pyfunc.load_model(logged.model_uri))
    assert second.artifacts["showcause"].content["snapshot"] == first.artifacts["showcause"].content["snapshot"]


def test_a_function_that_returns_labels_is_explained_under_the_run(mlflow: Any) -> None:
    def decide(frame: pd.DataFrame) -> Any:
        return np.where(frame["income"] - frame["debt"] > 30, "yes", "no")

    frame = data().replace({"paid": {0: "no", 1: "yes"}})
    with mlflow.start_run() as run:
        result = evaluate(mlflow, decide, frame)
    assert result.metrics["showcause_complete"] == 1
    snapshot = sc.open(f"runs:/{run.info.run_id}")
    assert (snapshot.manifest.model["classes"], snapshot.manifest.model["space"]) == (["no", "yes"], "score")
    table = snapshot["model/performance"].to_pandas().set_index("metric")["value"]
    assert table["accuracy"] == pytest.approx((decide(frame) == frame["paid"]).mean())


def test_a_regressor_and_a_data_set_of_mlflow(mlflow: Any) -> None:
    made = rows()
    line = LinearRegression().fit(made.X[["debt"]], made.X["income"])
    with mlflow.start_run():
        info = mlflow.sklearn.log_model(line, name="line", pip_requirements=[])
        dataset = mlflow.data.from_pandas(made.X, targets="income", name="incomes")
        result = evaluate(mlflow, info.model_uri, dataset, targets=None, model_type="regressor")
    assert result.metrics["showcause_complete"] == 1
    assert sc.open(info.model_uri).manifest.model["task"] == "regression"


def test_a_pyfunc_model_of_ones_own_and_the_named_column_of_its_output(mlflow: Any) -> None:
    class Chance(mlflow.pyfunc.PythonModel):
        def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
            chance = 1 / (1 + np.exp(30 - model_input["income"] + model_input["debt"]))
            return pd.DataFrame({"note": "n", "chance": chance})

    with mlflow.start_run():
        info = mlflow.pyfunc.log_model(name="own", python_model=Chance(), pip_requirements=[])
    result = evaluate(mlflow, info.model_uri, predictions="chance")
    assert result.metrics["showcause_complete"] == 1, result.artifacts["showcause"].content
    assert sc.open(info.model_uri).manifest.model["space"] == "probability"


def test_predictions_without_a_model_are_told_to_be_inexplicable(mlflow: Any) -> None:
    frame = data().assign(said=1)
    result = evaluate(mlflow, None, frame, predictions="said")
    assert result.metrics["showcause_complete"] == 0
    assert "no model" in result.artifacts["showcause"].content["error"]["message"]


def test_columns_that_the_model_never_sees_may_name_segments(mlflow: Any, logged: Any) -> None:
    frame = data().assign(region=["north", "south"] * 60)
    config = {"policy": {"require": {"artifacts": ["segments/performance"]}}, "segments": ["region"], "report": False}
    evaluate(mlflow, logged.model_uri, frame, evaluator_config=config)
    segments = sc.open(logged.model_uri)["segments/performance"].to_pandas()["segment"]
    assert {"region = north", "region = south"} <= set(segments)


def test_training_rows_and_a_baseline_may_be_handed_over(mlflow: Any, logged: Any) -> None:
    made = rows()
    evaluate(mlflow, logged.model_uri, evaluator_config={**QUICK, "train": (made.X, made.y)})
    first = sc.open(logged.model_uri)
    assert first.statuses["input/train"].state == "ok"
    evaluate(mlflow, logged.model_uri, evaluator_config={**QUICK, "baseline": logged.model_uri})
    assert sc.open(logged.model_uri).record.configuration["baseline"] == logged.model_uri


def test_arrays_get_the_names_that_they_are_given(mlflow: Any) -> None:
    made = rows()
    with mlflow.start_run():
        info = mlflow.sklearn.log_model(
            LogisticRegression().fit(made.X.to_numpy(), made.y), name="plain", pip_requirements=[]
        )
    named = evaluate(mlflow, info.model_uri, made.X.to_numpy(), targets=made.y.to_numpy(), feature_names=["a", "b"])
    assert named.metrics["showcause_complete"] == 1
    assert sc.open(info.model_uri).manifest.data["order"] == ["a", "b"]


def test_what_cannot_be_logged_is_a_failure_that_is_told(
    mlflow: Any, logged: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from showcause.integrations.mlflow import carry

    def full(located: Any, snapshot: Any) -> None:
        raise sc.Corrupt("the disk is full")

    monkeypatch.setattr(carry, "send", full)
    with mlflow.start_run() as run:
        result = evaluate(mlflow, logged.model_uri)
    assert result.metrics["showcause_complete"] == 0
    there = mlflow.MlflowClient().get_run(run.info.run_id).data
    assert there.tags["showcause.evaluation"] == "failed"
    assert "could not be logged: the disk is full" in result.artifacts["showcause"].content["error"]["message"]


def test_a_result_is_saved_and_loaded_as_mlflow_does(mlflow: Any, logged: Any, tmp_path: Path) -> None:
    result = evaluate(mlflow, logged.model_uri, evaluator_config={"policy": FEW})
    result.save(str(tmp_path / "saved"))
    again = mlflow.models.EvaluationResult.load(str(tmp_path / "saved"))
    assert again.metrics == result.metrics
    assert again.artifacts["showcause"].content == result.artifacts["showcause"].content


def test_autologging_records_nothing_of_the_work_inside(mlflow: Any, logged: Any) -> None:
    mlflow.sklearn.autolog()
    try:
        with mlflow.start_run() as run:
            config = {"policy": {"require": {"artifacts": ["model/surrogate_tree"]}}, "report": False}
            result = evaluate(mlflow, logged.model_uri, evaluator_config=config)
    finally:
        mlflow.sklearn.autolog(disable=True)
    assert result.metrics["showcause_complete"] == 1
    assert mlflow.MlflowClient().get_run(run.info.run_id).data.params == {}


def test_lightgbms_columns_are_found_by_the_names_that_the_data_have() -> None:
    """It keeps "mean radius" as "mean_radius"."""
    from showcause.integrations.mlflow.subject import split

    data = pd.DataFrame({"mean radius": [1.0], "age": [2.0], "group": ["a"]})
    own, others = split(data, ("mean_radius", "age"))
    assert (list(own), list(others)) == (["mean radius", "age"], ["group"])
