"""Snapshots in MLflow: they travel with the logged model, and a REF may say `models:/credit@champion` or `runs:/…`.

    sc.mlflow.log(snapshot, model_info)       the snapshot beside a logged model (or under a run), bound to its files
    sc.mlflow.fetch("models:/credit/7")       the snapshot that a version carries; `sc.open` does the same
    sc.mlflow.load("models:/credit/7")        the model, by flavour, in its native format
    sc.mlflow.backfill("models:/credit", X, y)   snapshots for the versions that are registered already
    sc.mlflow.trusted_types(model)            what MLflow's log_model must be told to accept a forest
    sc.mlflow.resolve("models:/credit/7")     where all that is

Needs the extra [mlflow]; nothing of MLflow is imported before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from showcause.integrations.mlflow.binding import Binding
    from showcause.integrations.mlflow.carry import fetch, log
    from showcause.integrations.mlflow.filling import Filled, backfill
    from showcause.integrations.mlflow.flavours import load, trusted_types
    from showcause.integrations.mlflow.refs import Located, resolve

_HOMES = {
    "Binding": "binding",
    "Filled": "filling",
    "Located": "refs",
    "backfill": "filling",
    "fetch": "carry",
    "load": "flavours",
    "log": "carry",
    "resolve": "refs",
    "trusted_types": "flavours",
}

__all__ = ["Binding", "Filled", "Located", "backfill", "fetch", "load", "log", "resolve", "trusted_types"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"showcause.mlflow has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
