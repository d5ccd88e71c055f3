"""What `import showcause` gives, and what it costs."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import showcause

NAMES = [  # one a line: many hands add to it
    "Artifact",
    "Candidate",
    "Change",
    "Comparison",
    "Corrupt",
    "DataError",
    "Diff",
    "Finding",
    "IncompleteRun",
    "InputError",
    "Manifest",
    "MissingExtra",
    "ModelError",
    "NotApplicable",
    "NotFound",
    "Outcome",
    "ParameterError",
    "Point",
    "Policy",
    "PolicyError",
    "Record",
    "Refused",
    "ShowcauseError",
    "Snapshot",
    "Status",
    "Trend",
    "Trust",
    "TrustError",
    "Verdict",
    "Why",
    "check",
    "compare",
    "compute",
    "diff",
    "evidence",
    "explain",
    "from_shap",
    "methods",
    "open",
    "promote",
    "prov",
    "reasons",
    "run",
    "sign",
    "trend",
    "verify",
]


def test_the_public_names_are_these() -> None:
    assert showcause.__all__ == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_there_and_says_what_it_is(name: str) -> None:
    assert getattr(showcause, name).__doc__


@pytest.mark.parametrize("name", [name for name in NAMES if name.islower()])
def test_a_verb_stays_callable_whatever_was_imported(name: str) -> None:
    code = (
        "import showcause, showcause.verbs.explain, showcause.verbs.run, showcause.methods.method, showcause.cli.app\n"
        f"assert callable(showcause.{name})"
    )
    done = subprocess.run([sys.executable, "-c", code], env=_environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_unknown_name_says_what_there_is() -> None:
    with pytest.raises(AttributeError, match="no attribute 'explian'; it has Artifact"):
        showcause.explian  # noqa: B018


def test_the_version_is_that_of_the_package() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert showcause.__version__ == project["version"]


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(Path(showcause.__file__).parents[1])}


def _seconds(code: str) -> float:
    """Process time (user and system) of a fresh interpreter: steadier than the clock where others work too."""
    timed = f"{code}\nimport os; t = os.times(); print(t.user + t.system)"
    return float(
        subprocess.run([sys.executable, "-c", timed], env=_environment(), capture_output=True, check=True).stdout
    )


def _ratio(one: str, other: str, seconds: Callable[[str], float] = _seconds) -> float:
    """Median cost of `one` over `other`, run in turn so that a busy machine slows both."""
    pairs = [(seconds(one), seconds(other)) for _ in range(7)]
    return statistics.median(a for a, _ in pairs) / statistics.median(b for _, b in pairs)


def test_importing_showcause_costs_at_most_twice_pyarrow() -> None:
    assert _ratio("import showcause; showcause.Artifact", "import pyarrow") <= 2


def test_importing_showcause_brings_no_heavy_library() -> None:
    code = "import showcause, sys; showcause.Snapshot; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env=_environment(), capture_output=True, text=True, check=True)
    heavy = {"sklearn", "pandas", "scipy", "numba", "altair", "narwhals", "xgboost", "rich", "typer", "jinja2"}
    assert heavy & set(done.stdout.split()) == set()
