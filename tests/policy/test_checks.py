"""Checks are found, have codes of their own and documentation; another package brings one by an entry point."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from showcause.core.errors import ParameterError
from showcause.core.verdict import CODES
from showcause.policy.check import Check, Said, check
from showcause.policy.checks import find
from showcause.policy.facts import Facts
from showcause.policy.policy import Policy

ROOT = Path(__file__).parents[2]
YOURS = '''
"""A house rule."""
from showcause.policy.check import Said, check

@check("HOUSE001", "The owner is named")
def owner(facts):
    """Each model has somebody who answers for it: [model] owner."""
    named = facts.policy.model.get("owner")
    yield Said("met" if named else "not-met", "owner", named or "nobody")
'''
USE = """
import numpy as np, pandas as pd
import showcause as sc

rng = np.random.default_rng(0)
X = pd.DataFrame({"used": rng.normal(size=60), "idle": rng.normal(size=60)})
few = {"require": {"artifacts": ["importance/permutation"]}}
snapshot = sc.explain(lambda rows: rows["used"], X, X["used"], task="regression", policy=few)
verdict = sc.check(snapshot, few)
waived = sc.check(snapshot, {**few, "waiver": [
    {"code": "HOUSE001", "subject": "owner", "by": "Ada", "reason": "new", "until": "9999-12-31"}]})
named = sc.check(snapshot, {**few, "model": {"owner": "Ada"}})
print(verdict.blessed, waived.blessed, named.blessed, [o.code for o in verdict.outcomes if o.refuses])
"""


def installed(folder: Path, entry: str, code: str = YOURS) -> Path:
    """A tiny package, as pip leaves one behind."""
    (folder / "yours.py").write_text(code)
    info = folder / "yours-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: yours\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[showcause.checks]\nowner = {entry}\n")
    return folder


def use(folder: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(folder), str(ROOT / "src")])
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", USE], env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip


def test_another_package_brings_a_check_by_an_entry_point(tmp_path: Path) -> None:
    done = use(installed(tmp_path, "yours:owner"))
    assert done.stdout.strip() == "False True True ['HOUSE001']", done.stderr


def test_an_entry_point_that_is_no_check_is_said(tmp_path: Path) -> None:
    assert "the entry point 'owner' gives a type, not a Check" in use(installed(tmp_path, "yours:Said")).stderr


def test_a_code_that_is_taken_is_said(tmp_path: Path) -> None:
    done = use(installed(tmp_path, "yours:owner", YOURS.replace("HOUSE001", "SC001")))
    assert "two checks have the code SC001" in done.stderr


def test_every_check_has_a_file_a_code_a_title_and_documentation() -> None:
    files = {path.stem for path in (ROOT / "src/showcause/policy/checks").glob("*.py")} - {"__init__"}
    assert len(find()) == len(files)
    for one in find().values():
        assert one.documentation.count("\n\n") >= 1, f"{one.code} says what it looks at and what to do"
        assert one.title
    page = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    assert all(code in page for code in (*find(), *CODES))


def test_the_codes_are_these_and_stay() -> None:
    numbers = [*range(1, 18), 20, 21, 22]
    assert [code for code in find() if code.startswith("SC")] == [f"SC{number:03d}" for number in numbers]


@pytest.mark.parametrize("code", ["sc001", "SC1", "S001", "SC0001", "SC001 ", ""])
def test_a_code_has_one_form(code: str) -> None:
    with pytest.raises(ParameterError, match="must be letters A-Z and three digits"):
        check(code, "title")


def test_a_check_without_a_word_is_none() -> None:
    def silent(facts: Facts) -> list[Said]:
        return []

    with pytest.raises(ParameterError, match="says nowhere what it looks at"):
        check("XX001", "title")(silent)


def test_a_check_that_says_nothing_has_not_passed() -> None:
    (found,) = Check("XX001", "title", lambda facts: [])(Facts("made", "2026-11-22", Policy()))
    assert found.outcome == "not-applicable"
