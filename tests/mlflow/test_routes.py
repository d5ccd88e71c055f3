"""Every route of the installed MLflow that changes something is guarded, or written down with why it needs no guard."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from showcause.integrations.mlflow.server.app import module_of, native
from showcause.integrations.mlflow.server.guards import GUARDS
from showcause.integrations.mlflow.server.queries import mutations
from showcause.integrations.mlflow.server.routes import (
    HARMLESS,
    HARMLESS_PATHS,
    MUTATIONS,
    NATIVE,
    NATIVE_GUARDED,
    SAFE,
)

# In a process of its own, for MLflow's app is one object for a whole process, and basic-auth changes it.
WALK = """
import json, os, sys, warnings
warnings.simplefilter("ignore")
from showcause.integrations.mlflow.server import create_app
from showcause.integrations.mlflow.server.app import module_of
app = create_app()
from mlflow.server import app as flask
from mlflow.server.graphql.graphql_schema_extensions import schema
rules = [[r.rule, r.endpoint, sorted(r.methods)] for r in flask.url_map.iter_rules()]
native = [module_of(r) for r in getattr(app, "routes", []) if hasattr(r, "original_router") or hasattr(r, "endpoint")]
hooks = [f.__module__ + "." + f.__name__ for f in flask.before_request_funcs[None]]
inner = [m.cls.__name__ for m in getattr(app, "user_middleware", [])]
print(json.dumps([rules, native, hooks, inner, sorted(schema.graphql_schema.mutation_type.fields)]))
"""


def walk(tmp_path: Any, **environment: str) -> Any:
    said = {
        **os.environ, "PYTHONPATH": os.pathsep.join(["src", os.environ.get("PYTHONPATH", "")]),
        "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{tmp_path}/m.db", "_MLFLOW_SERVER_ARTIFACT_ROOT": str(tmp_path),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "k" * 32, "MLFLOW_AUTH_CONFIG_PATH": str(tmp_path / "auth.ini"),
        **environment,
    }  # fmt: skip
    (tmp_path / "auth.ini").write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{tmp_path}/auth.db\n"
        "admin_username = admin\nadmin_password = a-long-password-1\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    done = subprocess.run([sys.executable, "-c", WALK], env=said, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("inside", ["", "basic-auth"])
@pytest.mark.parametrize("gateway", ["uvicorn", "gunicorn"])
def test_every_route_that_changes_something_is_known(tmp_path: Any, inside: str, gateway: str) -> None:
    rules, natives, hooks, inner, fields = walk(tmp_path, SHOWCAUSE_MLFLOW_APP=inside, _MLFLOW_SGI_NAME=gateway)
    changing = [(path, name) for path, name, methods in rules if set(methods) - SAFE]
    unknown = [
        (path, name)
        for path, name in changing
        if name not in GUARDS and name not in HARMLESS and path not in HARMLESS_PATHS
    ]
    assert unknown == []
    assert len(changing) > 200  # both prefixes of more than a hundred
    assert {module for module in natives if module not in NATIVE} <= {NATIVE_GUARDED}
    assert set(fields) == MUTATIONS
    assert hooks[-1] == "showcause.integrations.mlflow.server.app._before"  # behind whoever lets people in
    assert any("auth" in hook for hook in hooks) == bool(inside)
    assert (inner[-1:] == ["Native"]) == (gateway == "uvicorn")
    assert (NATIVE_GUARDED in natives) == (gateway == "uvicorn")


def test_no_route_stands_in_both_lists() -> None:
    assert not set(GUARDS) & set(HARMLESS)
    assert all(reason for reason in (*HARMLESS.values(), *HARMLESS_PATHS.values(), *NATIVE.values()))


def test_a_name_in_the_lists_is_a_route_of_mlflow() -> None:
    """So that a function that MLflow renames is noticed, and not guarded under its old name."""
    from mlflow.server import app as flask

    auth = {name for name, reason in HARMLESS.items() if reason.startswith("users")}
    known = {rule.endpoint for rule in flask.url_map.iter_rules()}
    assert set(GUARDS) - known == set()
    assert set(HARMLESS) - known - auth == set()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("{ test(inputString: \"x\") { output } }", []),
        ("mutation { testMutation(inputString: \"x\") { output } }", ["testMutation"]),
        ("mutation { calm: setAlias { output } }", ["setAlias"]),
        ("mutation M { ... on Mutation { a } ...F } fragment F on Mutation { b ...F }", ["b", "a"]),
        ("query Q { q } mutation M { m }", ["m"]),
        ("subscription S { s }", ["s"]),
    ],
)  # fmt: skip
def test_mutations_are_found_through_names_and_fragments(query: str, found: list[str]) -> None:
    from graphql import parse

    assert sorted(mutations(parse(query))) == sorted(found)


def test_a_router_that_nobody_has_looked_at_is_unknown() -> None:
    from fastapi import APIRouter, FastAPI

    app, router = FastAPI(), APIRouter()
    router.add_api_route("/api/2.0/mlflow/new-registry/{name}", lambda name: name, methods=["POST"])
    app.include_router(router)
    scope = {"type": "http", "method": "POST", "path": "/api/2.0/mlflow/new-registry/x", "root_path": "", "headers": []}
    assert native(app, scope) == __name__
    assert module_of(app.routes[-1]) not in NATIVE
    assert native(app, {**scope, "path": "/else"}) is None
