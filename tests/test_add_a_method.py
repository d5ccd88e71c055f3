"""A method is one file: the file on docs/add-a-method.md, put into a copy of the package, is everywhere at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.test_docs import ROOT, Block, blocks

USE = """
import numpy as np, pandas as pd
import showcause as sc

rng = np.random.default_rng(0)
X = pd.DataFrame({"used": rng.normal(size=60), "idle": rng.normal(size=60)})
artifact = sc.compute("importance/prediction_change", lambda rows: rows["used"], X, task="regression", repeats=2)
few = {"require": {"artifacts": ["importance/prediction_change"]},
       "methods": {"importance/prediction_change": {"repeats": 2}}}
snapshot = sc.explain(lambda rows: rows["used"], X, task="regression", policy=few)
assert "importance/prediction_change" in sc.explain(lambda rows: rows["used"], X.head(40), task="regression")
assert snapshot.complete and snapshot["importance/prediction_change"].digest == artifact.digest
assert sc.methods()["importance/prediction_change"].parameters == {"repeats": 3}
artifact.figure().to_dict()
rows = artifact.table.to_pylist()
print(sc.__file__, rows[0]["feature"], round(rows[0]["value"], 3), rows[1]["value"])
"""


def example() -> Block:
    return next(b for b in blocks(ROOT / "docs" / "add-a-method.md") if b.mark.startswith("method: "))


def use(path: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", USE], env={**os.environ, "PYTHONPATH": str(path)},
        capture_output=True, text=True, check=False, cwd=path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_one_file_is_a_method_everywhere(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src" / "showcause", tmp_path / "showcause", ignore=shutil.ignore_patterns("__pycache__"))
    name = example().mark.removeprefix("method: ")
    (tmp_path / "showcause" / "methods" / name).write_text(example().code)
    file, first, value, idle = use(tmp_path)
    assert Path(file).is_relative_to(tmp_path)
    assert (first, float(idle)) == ("used", 0.0)
    assert 0.9 < float(value) < 1.3, "two independent standard normals are 2/sqrt(pi) = 1.128 apart on average"


def test_another_package_brings_one_by_an_entry_point(tmp_path: Path) -> None:
    (tmp_path / "yours.py").write_text(example().code)
    info = tmp_path / "yours-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: yours\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[showcause.methods]\nprediction_change = yours:compute\n")
    shutil.copytree(ROOT / "src" / "showcause", tmp_path / "showcause", ignore=shutil.ignore_patterns("__pycache__"))
    assert use(tmp_path)[1] == "used"
