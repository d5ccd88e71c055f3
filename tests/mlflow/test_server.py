"""The plugin on a real server: nothing that is not whole, complete, its own and blessed becomes what is served."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import showcause as sc
from showcause.integrations.mlflow import ledger
from showcause.integrations.mlflow.promote import is_guarded
from tests.mlflow.conftest import Server, connected
from tests.mlflow.guarded import ask, codes, guarded
from tests.mlflow.registry import POLICY, fresh, register

API = "/api/2.0/mlflow"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with guarded(tmp_path_factory.mktemp("guarded")) as started:
        yield started


@pytest.fixture
def mlflow(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    yield from connected(server, monkeypatch)


@pytest.fixture
def name() -> str:
    return fresh()


def alias(server: Server, name: str, version: str, prefix: str = API, **more: Any) -> Any:
    fields = {"name": name, "alias": "champion", "version": version, **more}
    return ask(server, "POST", f"{prefix}/registered-models/alias", fields)


def test_a_good_version_passes_and_every_move_is_in_the_log(mlflow: Any, server: Server, name: str) -> None:
    client = mlflow.MlflowClient()
    first, second = register(mlflow, name), register(mlflow, name, 0.1)
    assert is_guarded(client, name)
    client.set_registered_model_alias(name, "champion", "1")
    entry = sc.promote(second, policy=POLICY, reason="better")
    log = ledger.entries(client, name, "champion")
    assert [(one.ref, one.reason) for one in log] == [(first, "set without showcause"), (second, "better")]
    assert log[1] == entry
    assert client.get_model_version_by_alias(name, "champion").version == "2"


def test_the_client_shows_why(mlflow: Any, name: str) -> None:
    register(mlflow, name, snapshot=None)
    with pytest.raises(mlflow.exceptions.RestException) as caught:
        mlflow.MlflowClient().set_registered_model_alias(name, "champion", "1")
    assert "refused by showcause" in str(caught.value)
    assert "carries no explanation_snapshot" in str(caught.value)
    assert caught.value.error_code == "RESOURCE_CONFLICT"


def test_every_prefix(mlflow: Any, server: Server, name: str) -> None:
    register(mlflow, name, snapshot=None)
    for prefix in (API, "/ajax-api/2.0/mlflow"):
        assert codes(alias(server, name, "1", prefix)) == {"SC001"}
        stage = {"name": name, "version": "1", "stage": "production", "archive_existing_versions": False}
        assert codes(ask(server, "POST", f"{prefix}/model-versions/transition-stage", stage)) == {"SC001"}
