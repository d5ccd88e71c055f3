"""Registered versions to hold a gate to: models with their snapshots, people with their keys."""

from __future__ import annotations

import functools
import uuid
from pathlib import Path
from typing import Any

from sklearn.linear_model import LogisticRegression

import showcause as sc
from showcause.trust import keys
from tests.mlflow.conftest import FEW, rows, snapshot_of

POLICY = FEW
ROLES = {"alice": ["reviewer"], "bob": ["release"], "carol": ["on-call"], "dave": ["engineer"]}


def fresh(stem: str = "credit") -> str:
    return f"{stem}-{uuid.uuid4().hex[:8]}"


@functools.cache
def made(C: float = 1.0, seed: int = 0) -> tuple[LogisticRegression, Any]:
    """A model and its snapshot, each C made once."""
    data = rows(seed)
    model = LogisticRegression(C=C).fit(data.X, data.y)
    return model, snapshot_of(model, data)


def register(mlflow: Any, name: str, C: float | None = 1.0, *, snapshot: Any = "its own", **options: Any) -> str:
    """One more version of `name`, with its snapshot; `snapshot=None`: without. Returns its REF."""
    model, own = made(C or 1.0)
    with mlflow.start_run():
        info = mlflow.sklearn.log_model(model, name="model", pip_requirements=["scikit-learn"])
    if snapshot is not None:
        sc.mlflow.log(own if snapshot == "its own" else snapshot, info, report=False, **options)
    version = mlflow.register_model(info.model_uri, name)
    return f"models:/{name}/{version.version}"


def people(folder: Path) -> dict[str, keys.Key]:
    return {name: keys.create(folder / f"{name}.key") for name in (*ROLES, "mallory")}


def trusting(known: dict[str, keys.Key], **rule: list[str]) -> dict[str, Any]:
    """A trust file's content in which `champion` has this rule; mallory is nobody."""
    holders = {name: {"public": known[name].public.hex(), "roles": roles} for name, roles in ROLES.items()}
    return {"keys": holders, "aliases": {"champion": rule}}
