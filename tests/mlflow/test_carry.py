"""A snapshot travels with its model: logged, registered, copied, downloaded."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression

import showcause as sc
from showcause.integrations.mlflow.binding import bindings, digests, problem
from tests.mlflow.conftest import rows, snapshot_of


def trained(**options: Any) -> LogisticRegression:
    data = rows()
    return LogisticRegression(**options).fit(data.X, data.y)


def logged(mlflow: Any, model: Any, **options: Any) -> Any:
    with mlflow.start_run():
        return mlflow.sklearn.log_model(model, name="model", pip_requirements=[], **options)


@pytest.fixture
def name() -> str:
    return f"credit-{uuid.uuid4().hex[:8]}"


def test_it_is_there_after_registration_copy_and_download(mlflow: Any, name: str) -> None:
    model = trained()
    snapshot = snapshot_of(model)
    info = logged(mlflow, model)
    sc.mlflow.log(snapshot, info)
    client = mlflow.MlflowClient()
    mlflow.register_model(info.model_uri, name)
    client.copy_model_version(f"models:/{name}/1", f"{name}-prod")
    client.set_registered_model_alias(f"{name}-prod", "champion", "1")
    for ref in (info.model_uri, f"models:/{name}/1", f"models:/{name}-prod/1", f"models:/{name}-prod@champion"):
        assert sc.open(ref).id == snapshot.id
        folder = mlflow.artifacts.download_artifacts(ref)
        assert sc.open(f"{folder}/explanation_snapshot").id == snapshot.id
        (binding,) = bindings(sc.open(ref))
        assert (binding.manifest, binding.model) == (snapshot.id, snapshot.manifest.model["digest"])
        assert problem(binding, folder) == ""
        assert "explanation_report/report.html" in digests(folder)


def test_another_model_is_refused(mlflow: Any) -> None:
    info = logged(mlflow, trained(C=0.01))
    with pytest.raises(sc.ModelError, match="not the one that"):
        sc.mlflow.log(snapshot_of(trained()), info)
    with pytest.raises(sc.NotFound, match="carries no explanation_snapshot"):
        sc.open(info.model_uri)


def test_a_run_carries_one_too(mlflow: Any) -> None:
    snapshot = snapshot_of(trained())
    with mlflow.start_run() as run:
        sc.mlflow.log(snapshot)
    assert sc.open(f"runs:/{run.info.run_id}").id == snapshot.id
    assert mlflow.MlflowClient().get_run(run.info.run_id).data.tags["showcause.id"] == snapshot.id
