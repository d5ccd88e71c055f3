"""Every block of code in README.md and docs/ is run, or says why not.

The blocks of one page share a namespace and an empty folder. They are given `model` (a fitted classifier of "yes" and
"no"), `X_train`, `y_train`, `X_test`, `y_test` (columns income, debt), `Z_test` (column sex), and the files train.csv
and test.csv of the same rows. A comment above a block says more:

    <!-- run -->               shell: each line that begins with `showcause` must exit with 0
    <!-- file: NAME -->        it is a file's content
    <!-- method: PATH -->      it is a method, which test_add_a_method puts in its place
    <!-- not run: REASON -->
"""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import TRAIN, rows

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^>]*) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    mark: str
    language: str
    code: str
    line: int


def blocks(path: Path) -> list[Block]:
    text = path.read_text(encoding="utf-8")
    found = BLOCK.finditer(text)
    return [Block(m["mark"] or "", m["language"], m["code"], text[: m.start("code")].count("\n")) for m in found]


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SHOWCAUSE_STORE", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "train", raising=False)
    train, test = rows(0), rows(1, 120)
    train.to_csv("train.csv", index=False)
    test.to_csv("test.csv", index=False)
    names: dict[str, Any] = {}
    exec(TRAIN, names)
    columns = ["income", "debt"]
    return {
        "model": names["model"], "X_train": train[columns], "y_train": train["paid"],
        "X_test": test[columns], "y_test": test["paid"], "Z_test": test[["sex"]],
    }  # fmt: skip


def execute(block: Block, names: dict[str, Any]) -> None:
    from showcause.cli import run
    from showcause.policy.policy import Policy

    if block.mark.startswith("file: "):
        Path(block.mark.removeprefix("file: ")).write_text(block.code)
    elif block.language == "python":
        exec(compile(block.code, f"block at line {block.line}", "exec"), names)
    elif block.language == "toml":
        Policy.of(tomllib.loads(block.code))
    elif block.language == "sh" and block.mark == "run":
        for line in block.code.splitlines():
            words = shlex.split(line, comments=True)
            assert words[:1] in (["showcause"], []), f"line {line!r} cannot be run here"
            assert not words or run(words[1:]) == 0, line
    else:
        pytest.fail(f"the {block.language} block at line {block.line} is not run and does not say why")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_block_of_code_runs(path: Path, given: dict[str, Any], request: pytest.FixtureRequest) -> None:
    if "import mlflow" in path.read_text(encoding="utf-8"):
        request.getfixturevalue("no_mlflow_left")
    for block in blocks(path):
        if block.mark.startswith(("not run: ", "method: ")) or block.language == "text":
            continue
        execute(block, given)


@pytest.fixture
def no_mlflow_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a page sets in MLflow ends with the page; the warnings of its libraries are not ours."""
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    mlflow.set_tracking_uri(None)
    mlflow.set_registry_uri(None)
    mlflow.tracking.fluent._active_experiment_id = None


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_within_the_docs_leads_somewhere(path: Path) -> None:
    text = BLOCK.sub("", path.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_the_generated_pages_are_up_to_date() -> None:
    import importlib.util

    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    stale = [path.name for path, text in module.pages().items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "run: python docs/generate.py"


def test_a_block_that_fails_is_found(given: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        execute(Block("", "python", "assert model is None", 1), given)
    with pytest.raises(AssertionError):
        execute(Block("run", "sh", "showcause show nothing", 1), given)


def test_every_method_says_its_formula_assumptions_traps_and_cost() -> None:
    from showcause.methods import find

    wanted = [ROOT / "docs" / "methods" / f"{name}.md" for name in find()]
    assert sorted((ROOT / "docs" / "methods").rglob("*.md")) == sorted(wanted)
    for path in wanted:
        text = path.read_text(encoding="utf-8")
        for heading in ("Formula", "Source", "What it assumes", "When it misleads", "What it costs", "An example"):
            assert re.search(rf"^## {heading}\n\n\S", text, re.MULTILINE), (path.name, heading)
        assert not re.search(r"^\| `\w+` .*\|\s*\|$", text, re.MULTILINE), f"{path}: a parameter is not described"


def test_the_list_of_methods_names_every_page() -> None:
    listed = re.findall(r"^\| \[(\S+)\]\(methods/(\S+)\.md\)", (ROOT / "docs" / "methods.md").read_text(), re.MULTILINE)
    pages = [path.relative_to(ROOT / "docs" / "methods").with_suffix("") for path in PAGES if "methods" in path.parts]
    assert [name for name, _ in listed] == [page for _, page in listed] == sorted(page.as_posix() for page in pages)
