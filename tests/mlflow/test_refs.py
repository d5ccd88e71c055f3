"""A REF of MLflow is accepted wherever a REF is, and leads to the same snapshot in every spelling."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from xgboost import XGBClassifier

import showcause as sc
from showcause.cli import run
from showcause.cli.app import app
from showcause.core.snapshot import Snapshot
from showcause.integrations.mlflow.refs import Parsed, parsed
from tests.mlflow.conftest import Server, connected, rows, snapshot_of

POLICY = {"require": {"artifacts": ["importance/permutation", "model/performance", "reasons/cutoff"]}}


@dataclass(frozen=True)
class Registered:
    """Two versions of a registered model, `first` the champion, each with its snapshot."""

    name: str
    runs: tuple[str, str]
    models: tuple[str, str]
    snapshots: tuple[Snapshot, Snapshot]


@pytest.fixture(scope="module")
def registered(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registered]:
    patch = pytest.MonkeyPatch()
    for mlflow in connected(server, patch):
        name, runs, models, snapshots = f"credit-{uuid.uuid4().hex[:8]}", [], [], []
        for number in (1, 2):
            data = rows()
            model = XGBClassifier(n_estimators=5 * number).fit(data.X, data.y)
            with mlflow.start_run() as active:
                info = mlflow.xgboost.log_model(model, name="model", pip_requirements=[])
            store = tmp_path_factory.getbasetemp() / "store"
            snapshots.append(snapshot_of(model, data, name="credit", store=store, policy=POLICY))
            sc.mlflow.log(snapshots[-1], info)
            mlflow.register_model(info.model_uri, name)
            runs.append(active.info.run_id)
            models.append(info.model_id)
        mlflow.MlflowClient().set_registered_model_alias(name, "champion", "1")
        sc.promote(f"models:/{name}/2", "canary", policy=POLICY)  # so that there is a log
        yield Registered(name, tuple(runs), tuple(models), tuple(snapshots))
    patch.undo()


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SHOWCAUSE_STORE", raising=False)
    data = rows()
    data.X.assign(paid=data.y).to_csv("test.csv", index=False)
    data.X.to_parquet("rows.parquet")
    Path("few.toml").write_text('[require]\nartifacts = ["importance/permutation"]\n')
    return tmp_path


def test_every_spelling_leads_to_the_same_snapshot(mlflow: Any, registered: Registered) -> None:
    name, first, second = registered.name, *registered.snapshots
    for ref, wanted in {
        f"models:/{name}/1": first,
        f"models:/{name}@champion": first,
        f"models:/{registered.models[0]}": first,
        f"runs:/{registered.runs[0]}": first,
        f"runs:/{registered.runs[0]}/model": first,
        f"models:/{name}/1/explanation_snapshot": first,
        f"models:/{name}": second,
        f"models:/{name}/latest": second,
        f"models:/{name}/2": second,
    }.items():
        assert sc.open(ref).id == wanted.id, ref
    assert sc.mlflow.resolve(f"models:/{name}@champion").ref == f"models:/{name}/1"


@pytest.mark.parametrize(
    ("ref", "error"),
    [
        ("models:/nobody/1", sc.NotFound),
        ("models:/NAME/99", sc.NotFound),
        ("models:/NAME@nobody", sc.NotFound),
        ("models:/m-0123", sc.NotFound),
        ("runs:/0123456789abcdef", sc.NotFound),
        ("runs:/RUN/other", sc.NotFound),
        ("models:/", sc.ShowcauseError),
        ("runs:/", sc.ShowcauseError),
        ("models:/a/b/c/d", sc.ShowcauseError),
        ("models:/../../etc/passwd", sc.ShowcauseError),
        ("runs:/RUN/../..", sc.ShowcauseError),
    ],
)
def test_what_is_not_there_is_said(mlflow: Any, registered: Registered, ref: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        sc.open(ref.replace("NAME", registered.name).replace("RUN", registered.runs[0]))


@pytest.mark.parametrize(
    ("ref", "wanted"),
    [
        ("models:/credit/7", Parsed("credit", version="7")),
        ("models:/credit/latest", Parsed("credit")),
        ("models:/credit/Production/", Parsed("credit", stage="Production")),
        ("models:/a b?c#d%20e/7/explanation_snapshot", Parsed("a b?c#d%20e", version="7")),
        ("models:/me@home@champion", Parsed("me@home", alias="champion")),
        ("models:/me@home/7", Parsed("me@home", version="7")),
        ("models:/me@my home", Parsed("me@my home")),
        ("models:/m-12", Parsed("m-12", model_id="m-12")),
    ],
)
def test_a_name_is_read_as_mlflow_allows_it(ref: str, wanted: Parsed) -> None:
    assert parsed(ref) == wanted


# command → words of one call, A and B stand for two REFs of MLflow; and every parameter that takes a REF.
CALLS = {
    "show": "show A importance/permutation --json",
    "report": "report A --out r.html",
    "export": "export A a.zip",
    "methods": "methods A",
    "prov": "prov A",
    "reasons": "reasons A --model A --data rows.parquet --out o.parquet",
    "check": "check B --baseline A --policy few.toml --model B --data test.csv",
    "diff": "diff A B",
    "compare": "compare A B",
    "explain": "explain A --data test.csv --label paid --policy few.toml --baseline A --name again",
    "sign": "sign A --role reviewer --key alice.key",
    "review": "review A --role reviewer --key alice.key --yes --comment read",
    "verify": "verify A",
    "promote": "promote B --alias canary --policy few.toml --baseline A",
    "log": "log C",  # a NAME, or NAME@ALIAS
}
OK = {"diff": (0, 1), "check": (0, 1)}
TAKES = {
    *(("show", "ref"), ("report", "ref"), ("export", "ref"), ("methods", "ref"), ("prov", "ref"), ("check", "ref")),
    *(("diff", "before"), ("diff", "after"), ("compare", "candidates"), ("explain", "baseline"), ("explain", "panel")),
    *(("sign", "ref"), ("review", "ref"), ("check", "baseline"), ("reasons", "ref"), ("promote", "baseline")),
    *(("verify", "what"), ("promote", "ref")),
}


def test_these_are_all_the_places_that_take_a_ref() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    found = {
        (name, parameter.name)
        for name, command in commands.items()
        for parameter in getattr(command, "params", [])
        if "REF" in f"{parameter.metavar} {parameter.help}" and "a REF" not in f"{parameter.help}".replace("A REF", "")
    }
    assert found == TAKES
    assert {name for name, _ in TAKES} == set(CALLS) - {"log"}


@pytest.mark.parametrize("command", CALLS)
def test_every_command_takes_a_ref_of_mlflow(
    command: str, mlflow: Any, registered: Registered, work: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from showcause.trust.keys import create

    create(work / "alice.key")
    names = {"A": f"models:/{registered.name}@champion", "B": f"models:/{registered.name}/2"}
    names["C"] = f"models:/{registered.name}@canary"
    words = [names.get(word, word) for word in CALLS[command].split()]
    code = run(words)
    said = capfd.readouterr()
    assert code in OK.get(command, (0,)), said.err
    assert "no such thing" not in said.err
    assert "internal error" not in said.err


def test_what_is_signed_by_ref_is_kept_in_the_registry(mlflow: Any, registered: Registered, work: Path) -> None:
    from showcause.trust.keys import create

    create(work / "alice.key")
    before = len(sc.open(f"models:/{registered.name}/2").attached("signature"))
    assert run(["sign", f"models:/{registered.name}/2", "--role", "reviewer", "--key", "alice.key"]) == 0
    assert len(sc.open(f"models:/{registered.name}/2").attached("signature")) == before + 1


def test_a_model_is_explained_from_the_registry(mlflow: Any, registered: Registered, work: Path) -> None:
    words = ["--data", "test.csv", "--label", "paid", "--policy", "few.toml", "--name", "again"]
    assert run(["explain", f"models:/{registered.name}/2", *words]) == 0
    assert sc.open("again/1").manifest.model["digest"] == registered.snapshots[1].manifest.model["digest"]
