"""The plugin in a pytest of its own, as people use it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

import showcause as sc

FEW = {"require": {"artifacts": ["importance/permutation"]}}
PLUGIN = ["-p", "showcause.integrations.pytest", "-p", "no:cacheprovider", "-q"]


def run(folder: Path, *words: object, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(
        "from showcause.integrations.pytest import assert_blessed, assert_complete, assert_unchanged\n" + text
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(sc.__file__).parents[1]), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *PLUGIN, *map(str, words)],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with credit/1 and credit/2 (another column matters), the first also as one.zip; no.zip is incomplete."""
    work = tmp_path_factory.mktemp("plugin")
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 2)), columns=["income", "debt"])
    for column in ("income", "debt"):
        y = X[column]
        snapshot = sc.explain(
            LinearRegression().fit(X, y), X, y, policy=FEW, name="credit", store=work / "store", progress=False
        )
        if column == "income":
            snapshot.export(work / "one.zip")
    strict = {"require": {"artifacts": ["importance/permutation"], "inputs": ["train"]}}
    sc.explain(LinearRegression().fit(X, y), X, y, policy=strict, progress=False).export(work / "no.zip")
    return work


def test_a_whole_and_unchanged_snapshot_passes(stored: Path, tmp_path: Path) -> None:
    given = (
        "--showcause",
        "credit/1",
        "--showcause-store",
        stored / "store",
        "--showcause-baseline",
        stored / "one.zip",
    )
    done = run(tmp_path, *given, text=(
        "def test_it(snapshot, baseline):\n"
        "    assert_complete(snapshot)\n"
        "    assert_unchanged(snapshot, baseline)\n"
        "    assert_blessed(snapshot, {'require': {'artifacts': ['importance/permutation']}})\n"
    ))  # fmt: skip
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout + done.stderr


def test_what_is_incomplete_changed_or_refused_fails_and_says_why(stored: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "--showcause", stored / "no.zip", "--showcause-baseline", stored / "one.zip", text=(
        "def test_complete(snapshot):\n    assert_complete(snapshot)\n"
        "def test_unchanged(snapshot, baseline):\n    assert_unchanged(snapshot, baseline)\n"
        "def test_blessed(snapshot):\n    assert_blessed(snapshot, {})\n"
        "def test_no_baseline(snapshot):\n    assert_unchanged(snapshot, None)\n"
    ))  # fmt: skip
    assert "4 failed" in done.stdout, done.stdout + done.stderr
    for said in ("input/train: failed [missing-input]", "is not as credit/1 was", "SC009", "no baseline"):
        assert said in done.stdout


def test_the_configuration_may_name_them(stored: Path, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nshowcause = {stored / 'one.zip'}\n")
    done = run(tmp_path, text="def test_it(snapshot, baseline):\n    assert baseline is None and snapshot.complete\n")
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_the_option_there_are_no_fixtures_in_anybodys_way(tmp_path: Path) -> None:
    text = (
        "import pytest\n@pytest.fixture\ndef snapshot():\n    return 1\ndef test_it(snapshot):\n    assert snapshot\n"
    )
    assert run(tmp_path, text=text).returncode == 0
    done = run(tmp_path, text="def test_it(snapshot):\n    pass\n")
    assert "fixture 'snapshot' not found" in done.stdout


def test_starting_pytest_imports_nothing_heavy(tmp_path: Path) -> None:
    heavy = "{'numpy', 'pyarrow', 'pandas', 'sklearn', 'numba', 'altair', 'typer'}"
    text = f"import sys\ndef test_it():\n    assert not {heavy} & set(sys.modules)\n"
    done = run(tmp_path, "--showcause", "credit", text=text)
    assert done.returncode == 0, done.stdout
