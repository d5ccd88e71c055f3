"""The paths that examples/dvc/dvc.yaml names are those of an export. (DVC itself pins other libraries: run by hand.)"""

from pathlib import Path

import yaml

from showcause.policy.policy import Policy
from showcause.store.export import contents
from showcause.store.memory import MemoryStore
from tests.store.test_store import make

ROOT = Path(__file__).parents[2] / "examples"


def test_the_example_names_files_that_an_export_has() -> None:
    pipeline = yaml.safe_load((ROOT / "dvc" / "dvc.yaml").read_text())
    names = {f"snapshot/{name}" for name in contents(make(MemoryStore()))}
    assert set(pipeline["metrics"]) <= names
    required = Policy.of(ROOT / "credit_review" / "showcause.toml").require["artifacts"]
    (plot,) = pipeline["plots"]
    for path in plot["importance"]["y"]:
        method = path.removeprefix("snapshot/tables/").removesuffix(".json")
        assert method in required
        assert "snapshot/tables/importance/x.json" in names, "tables stand at tables/METHOD.json"
    assert all((ROOT / path).exists() for path in pipeline["stages"]["explain"]["deps"])
