"""The pipeline of examples/credit_review, as a fresh runner runs it: version 1 ships, the leak is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
GATE = ROOT / "examples" / "credit_review" / "gate.sh"


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory):
    """A function: version, baseline → (exit code, folder it ran in)."""
    work = tmp_path_factory.mktemp("gate")
    commands = work / "bin"
    commands.mkdir()
    for name, module in (("showcause", "-m showcause"), ("python", "")):
        (commands / name).write_text(f'#!/bin/sh\nexec {sys.executable} {module} "$@"\n')
        (commands / name).chmod(0o755)
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SHOWCAUSE")}

    def run(version: int, baseline: str = "") -> tuple[int, Path]:
        folder = work / f"runner-{version}"
        folder.mkdir()
        environment = {
            **kept, "PATH": f"{commands}:{kept['PATH']}", "PYTHONPATH": str(ROOT / "src"),
            "GITHUB_STEP_SUMMARY": str(folder / "step.md"),
        }  # fmt: skip
        done = subprocess.run(
            ["sh", GATE, str(version), baseline],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, folder

    return run


def test_the_second_version_is_refused_and_the_first_lines_say_why(gate) -> None:
    code, first = gate(1)
    assert code == 0, (first / "verdict.md").read_text()
    assert "blessed" in (first / "step.md").read_text().splitlines()[0]
    code, second = gate(2, "../runner-1/snapshot.zip")
    assert code == 1
    lines = (second / "step.md").read_text().splitlines()
    assert "changes to look at" in lines[0]
    top = "\n".join(lines[:9])
    assert "guideline is a new column of the model" in top
    assert "SC011 fails for no" in top
    assert "## credit/1: REFUSED" in lines
    assert "Precision rose" in "\n".join(lines), "the leak makes scores better; that is what misleads"
    page = (second / "report.html").read_text()
    assert "guideline" in page
    assert (second / "step.md").stat().st_size < 60_000


def test_the_demo_ends_by_showing_it() -> None:
    makefile = (ROOT / "Makefile").read_text()
    target = makefile.split("\ndemo:")[1].split("\n\n")[0]
    assert target.splitlines()[-1].endswith("sh examples/credit_review/show.sh demo/review")


def test_the_recipe_for_github_runs_the_same_script_and_always_keeps_the_report() -> None:
    recipe = yaml.safe_load((ROOT / "examples" / "github-actions" / "showcause.yml").read_text())
    steps = recipe["jobs"]["gate"]["steps"]
    (judged,) = [step for step in steps if "gate.sh" in step.get("run", "")]
    assert judged["run"].split()[1] == GATE.relative_to(ROOT).as_posix()
    assert "continue-on-error" not in judged
    kept, linked = steps[steps.index(judged) + 1 :]
    assert kept["if"] == linked["if"] == "always()"
    assert "report.html" in kept["with"]["path"]
    assert "GITHUB_STEP_SUMMARY" in linked["run"]
