"""examples/mlflow as anybody runs it: a real server, three versions, a refusal, a mend, a roll-back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.mlflow.guarded import installed

ROOT = Path(__file__).parents[2]


def test_train_evaluate_register_refuse_mend_promote_roll_back(tmp_path: Path) -> None:
    commands, work = tmp_path / "bin", tmp_path / "work"
    commands.mkdir()
    work.mkdir()
    for name, module in (("showcause", "-m showcause"), ("mlflow", "-m mlflow"), ("python", "")):
        (commands / name).write_text(f'#!/bin/sh\nexec {sys.executable} {module} "$@"\n')
        (commands / name).chmod(0o755)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SHOWCAUSE", "MLFLOW"))}
    path = os.pathsep.join([str(ROOT / "src"), str(installed(tmp_path / "site"))])
    environment = {**kept, "PATH": f"{commands}:{kept['PATH']}", "PYTHONPATH": path, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        ["sh", str(ROOT / "examples" / "mlflow" / "run.sh")], cwd=work, env=environment, capture_output=True, text=True,
        check=False, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    said = done.stdout
    for version, number in ((1, 1), (3, 2), (1, 3)):
        assert f"credit@champion names models:/credit/{version}: entry {number}" in said
    assert "models:/credit/2 is refused" in done.stderr
    assert "no_column_decides_alone" in said.partition("--- version 2")[2].partition("--- version 3")[0]  # by HTTP
    assert "names models:/credit/2" not in said
    assert "models:/credit@champion is whole and unchanged" in said
    assert (work / "diff.html").is_file()
