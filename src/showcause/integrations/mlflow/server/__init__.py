"""`mlflow server --app-name showcause`: the gate on the server, on every route that changes what is served.

    SHOWCAUSE_POLICY       showcause.toml, or a folder with NAME.toml for a registered model and default.toml for the
                           others; default: showcause.toml where the server was started
    SHOWCAUSE_TRUST        the operator's trust file; default: showcause-trust.toml there, if any
    SHOWCAUSE_MLFLOW_APP   another app of MLflow to stand around, such as basic-auth

`[registry]` in the policy says which aliases and stages are guarded, and what a new version must carry. Files are read
again for each guarded request, so that what is edited counts at once, and what cannot be read refuses.

settings.py   those settings            routes.py   every route that changes something: its guard, or why it needs none
desk.py       the registry, read from inside the server
guards.py     aliases, stages, versions, deletions, tags, the log; artifacts.py: files; app.py: where requests come in
"""

from __future__ import annotations

from typing import Any


def create_app(*given: Any) -> Any:
    """The app that `mlflow server --app-name showcause` starts: MLflow's own, guarded. See app.py."""
    from showcause.integrations.mlflow.server.app import build

    return build(*given)
