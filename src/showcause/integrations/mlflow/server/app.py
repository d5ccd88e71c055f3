"""Where requests come in: before MLflow's own functions, and after whoever MLflow's app lets in.

Under uvicorn MLflow serves files by FastAPI and everything else by Flask inside of it; under gunicorn and waitress by
Flask alone. Flask is guarded by a hook that runs after the hooks of the app around which we stand, so that nobody
learns anything who may not; FastAPI by the innermost middleware. Whatever goes wrong in a guard refuses.
"""

from __future__ import annotations

import json
import logging
import os
from typing import Any

from showcause.core.errors import Conflict, ParameterError, Refused, ShowcauseError, spoken
from showcause.core.finding import Finding
from showcause.integrations.mlflow import ledger
from showcause.integrations.mlflow.promote import GUARDED
from showcause.integrations.mlflow.server import desk
from showcause.integrations.mlflow.server.artifacts import untouched
from showcause.integrations.mlflow.server.guards import GUARDS, Asked, Follow, no
from showcause.integrations.mlflow.server.routes import HARMLESS, HARMLESS_PATHS, NATIVE, NATIVE_GUARDED, SAFE
from showcause.integrations.mlflow.server.settings import APP

logger = logging.getLogger("showcause")
MARK = "/mlflow-artifacts/artifacts/"
ENTRY, WARNING = "Showcause-Entry", "Showcause-Warning"
GRAPHQL = "_graphql"


def build(*given: Any) -> Any:
    """MLflow's app, or the one that SHOWCAUSE_MLFLOW_APP names, guarded.

    Raises ParameterError where that cannot be: workspaces, an app that is no entry point of MLflow.
    """
    from mlflow.environment_variables import MLFLOW_ENABLE_WORKSPACES
    from mlflow.server import app as flask

    if MLFLOW_ENABLE_WORKSPACES.get():
        raise ParameterError("the plugin does not guard workspaces yet; start MLflow without them, or without us")
    inner = _inner(given)
    _guard_flask(flask)
    if inner is not flask:
        _guard_native(inner)
    return inner


def _inner(given: tuple[Any, ...]) -> Any:
    """The app around which we stand, made as MLflow makes it."""
    from importlib import import_module

    from mlflow.environment_variables import _MLFLOW_SGI_NAME
    from mlflow.server import _find_app, _is_factory

    named = os.environ.get(APP, "").strip()
    if named == "showcause":
        raise ParameterError(f"{APP} names the app around which showcause stands, not showcause itself")
    if named:
        module, _, attribute = _find_app(named).rpartition(":")
        made = getattr(import_module(module), attribute)
        return made() if _is_factory(f"{module}:{attribute}") else made
    if _MLFLOW_SGI_NAME.get() == "uvicorn":
        return import_module("mlflow.server.fastapi_app").app
    return import_module("mlflow.server").app


# -- Flask


def _guard_flask(flask: Any) -> None:
    if flask.extensions.get("showcause"):
        return
    flask.extensions["showcause"] = True
    flask.before_request(_before)
    flask.after_request(_after)


def _before() -> Any:
    from flask import g, request

    if request.url_rule is None:
        return None
    name, path = str(request.endpoint), str(request.url_rule.rule)
    if name != GRAPHQL and (request.method in SAFE or name in HARMLESS or path in HARMLESS_PATHS):
        return None
    guard = GUARDS.get(name)
    if guard is None:
        return _answer(_unknown(request.method, path))
    user = str(g.get("mlflow_authenticated_user") or "somebody without a name")
    try:
        follow = guard(Asked(user, request.view_args or {}, _body))
    except Exception as error:
        return _answer(error)
    if follow is not None:
        g.showcause = follow
    return None


def _body() -> Any:
    """The request's JSON as MLflow will read it."""
    from mlflow.server.handlers import _get_normalized_request_json

    return _get_normalized_request_json()


def _after(response: Any) -> Any:
    """Say that the gate is here, and hold the alias to its log, whoever else moved it meanwhile."""
    from flask import g

    response.headers[GUARDED] = "on"
    follow: Follow | None = g.pop("showcause", None)
    if follow is None:
        return response
    if follow.warning:
        response.headers[WARNING] = follow.warning.encode("ascii", "replace").decode().replace("\n", " ")[:2_000]
        logger.warning("%s", follow.warning)
    if follow.alias is not None and response.status_code == 200:
        name, alias = follow.alias
        client = desk.client()
        try:
            ledger.follow(client, name, alias, lambda number: client.set_registered_model_alias(name, alias, number))
        except Exception:
            logger.exception("%s@%s may not stand where its log says; showcause verify models:/%s", name, alias, name)
    if follow.entry and response.status_code == 200:
        response.headers[ENTRY] = follow.entry
    return response


# -- FastAPI


def _guard_native(app: Any) -> None:
    from starlette.middleware import Middleware

    if any(one.cls is Native for one in app.user_middleware):
        return
    app.user_middleware.append(Middleware(Native, routes=app))  # the last is the innermost: behind who lets people in


class Native:
    """Guards what FastAPI serves itself; whatever Flask serves is guarded there."""

    def __init__(self, app: Any, routes: Any) -> None:
        self.app, self.routes = app, routes

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        from anyio.to_thread import run_sync

        if scope["type"] not in ("http", "websocket") or scope.get("method") in SAFE:
            await self.app(scope, receive, send)
            return
        module = native(self.routes, scope)
        if module is None or module in NATIVE:
            await self.app(scope, receive, send)
            return
        try:
            if module != NATIVE_GUARDED or scope["type"] != "http":
                raise _unknown(scope.get("method", "websocket"), scope["path"])
            await run_sync(_file, scope["path"])
        except Exception as error:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            status, text = _said(error)
            headers = [(b"content-type", b"application/json"), (GUARDED.lower().encode(), b"on")]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": text.encode()})
            return
        await self.app(scope, receive, send)


def native(app: Any, scope: Any) -> str | None:
    """The module of the route of FastAPI's own that will serve this; None where the mounted Flask app will."""
    from starlette.routing import Match, Mount

    for route in app.routes:
        if not isinstance(route, Mount) and route.matches(scope)[0] is not Match.NONE:
            return module_of(route)
    return None


def module_of(route: Any) -> str:
    """Where a route, or the routes of an included router, are written."""
    router = getattr(route, "original_router", None)
    routes = [route] if router is None else router.routes
    modules = {str(getattr(getattr(one, "endpoint", None), "__module__", "")) for one in routes}
    return modules.pop() if len(modules) == 1 else ""


def _file(path: str) -> None:
    """What is uploaded touches nothing that is served."""
    from mlflow.utils.uri import validate_path_is_safe

    _, mark, rest = path.partition(MARK)
    if not mark:
        raise _unknown("PUT", path)
    untouched(desk.proxied(str(validate_path_is_safe(rest))))


# -- answers


def _unknown(method: str, path: str) -> Refused:
    return no("unknown-route", f"{method} {path}", "nobody has looked at what this route changes; it is refused")


def _answer(error: Exception) -> Any:
    from flask import Response

    status, text = _said(error)
    return Response(text, status, mimetype="application/json")


def _said(error: Exception) -> tuple[int, str]:
    """Status and body: a refusal as MLflow's client shows it, with the findings; MLflow's own errors as they are."""
    from mlflow.exceptions import MlflowException

    cause = error.__cause__
    if isinstance(error, MlflowException) or (isinstance(error, ShowcauseError) and isinstance(cause, MlflowException)):
        told = error if isinstance(error, MlflowException) else cause
        status = int(told.get_http_status_code())  # type: ignore[union-attr]
        if 400 <= status < 500:
            return status, str(told.serialize_as_json())  # type: ignore[union-attr]
    if isinstance(error, Refused) and error.findings:
        findings = error.findings
    else:
        code = "conflict" if isinstance(error, Conflict) else getattr(error, "code", "gate-failed")
        if not isinstance(error, ShowcauseError):
            logger.error("the gate failed", exc_info=error)
            code = "gate-failed"
        findings = (Finding(str(code), "fail", "the gate", spoken(error)),)
    body = {
        "error_code": "RESOURCE_CONFLICT",
        "message": "refused by showcause\n" + (str(error) if isinstance(error, Refused) else spoken(error)),
        "findings": [vars(finding) for finding in findings],
    }
    return 409, json.dumps(body)
