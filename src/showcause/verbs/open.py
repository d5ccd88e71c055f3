"""A snapshot from wherever it is: a store's version or alias, an exported folder or zip."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

from showcause.core.errors import ParameterError
from showcause.core.snapshot import Snapshot
from showcause.store.export import INDEX, read_export
from showcause.store.folder import FolderStore
from showcause.store.store import Store, open_ref

DEFAULT_STORE = ".showcause"
SCHEMES = ("models:/", "runs:/")  # whatever else is open, these are MLflow's


def open(ref: str | os.PathLike[str], *, store: str | os.PathLike[str] | Store | None = None) -> Snapshot:
    """The snapshot that `ref` names, verified.

    ref     "credit/7", "credit@champion", "credit@latest", "credit"; the path of an exported folder or .zip; of MLflow
            "models:/credit/7", "models:/credit@champion", "runs:/RUN" (extra [mlflow])
    store   the store's folder (default .showcause)

    Raises NotFound, Corrupt (with the file that is not as it was), ParameterError.
    """
    if isinstance(ref, str) and ref.startswith(SCHEMES):
        return _carried(ref)
    path = Path(ref)
    if store is None and (path.suffix == ".zip" or (path / INDEX).is_file() or path.is_dir()):
        return read_export(path)
    where = store if store is not None else DEFAULT_STORE
    found = FolderStore(where, create=False) if isinstance(where, str | os.PathLike) else where
    return open_ref(found, str(ref))


def _carried(ref: str) -> Snapshot:
    from showcause.integrations.mlflow.carry import fetch  # lazy delegation upwards, listed in the layer test

    return fetch(ref)


def at_home(snapshot: Snapshot) -> Store:
    """The store that a snapshot can be added to. Raises ParameterError for an export, which is as it was written."""
    home = snapshot.objects
    if hasattr(home, "attach"):
        return cast(Store, home)
    raise ParameterError(
        f"{snapshot.ref} was opened from an export, which stays as it was written; name it in its store instead, "
        "then export it again"
    )
