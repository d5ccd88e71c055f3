"""A folder to work in, with a small trained model as a module, its data, and a way to call the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from showcause.cli import run

TRAIN = """
import pandas as pd
from sklearn.linear_model import LogisticRegression

data = pd.read_csv("train.csv")
model = LogisticRegression().fit(data[["income", "debt"]], data["paid"])
"""
FEW = """
[require]
artifacts = ["importance/permutation"]
"""
Call = Callable[..., tuple[int, str, str]]


def rows(seed: int, count: int = 80) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"income": rng.normal(50, 10, count), "debt": rng.normal(20, 5, count)})
    frame["sex"] = rng.choice(["female", "male"], count)
    frame["paid"] = np.where(frame["income"] - frame["debt"] + rng.normal(0, 5, count) > 30, "yes", "no")
    return frame


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: train.py with `model`, train.csv, test.csv, few.toml (one artifact is required)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SHOWCAUSE_STORE", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "train", raising=False)
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "few.toml").write_text(FEW)
    rows(0).drop(columns="sex").to_csv("train.csv", index=False)
    rows(1).to_csv("test.csv", index=False)
    return tmp_path


@pytest.fixture
def call(work: Path, capfd: pytest.CaptureFixture[str]) -> Call:
    """(exit code, standard output, standard error) of one command line, in this process."""

    def command(*words: object) -> tuple[int, str, str]:
        code = run([str(word) for word in words])
        out, err = capfd.readouterr()
        return code, out, err

    return command


EXPLAIN = ("explain", "train:model", "--data", "test.csv", "--train", "train.csv", "--label", "paid")
CREDIT = (*EXPLAIN, "--context", "sex", "--protected", "sex", "--name", "credit", "--policy", "few.toml")


def process(*words: object, folder: Path) -> subprocess.Popen[str]:
    """The same as a process of its own."""
    source = str(Path(__file__).parents[2] / "src")
    return subprocess.Popen(
        [sys.executable, "-m", "showcause", *map(str, words)],
        cwd=folder, env={**os.environ, "PYTHONPATH": source}, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
