"""`showcause verify REF --model M --data D`: files in, as the snapshot's manifest names their columns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from showcause.cli.load import Roles, load_model, read_table, recast, split
from showcause.core.errors import DataError
from showcause.core.snapshot import Snapshot


def given(
    snapshot: Snapshot,
    model: str,
    data: Path,
    *,
    train: Path | None,
    background: Path | None,
    label: str | None,
    version: str | None,
    allow_pickle: bool,
) -> dict[str, Any]:
    """What `showcause.verify` takes beside the snapshot. Raises InputError."""
    facts = snapshot.manifest.data
    if not facts:
        raise DataError(f"{snapshot.ref} explains nothing: its run ended before it had data")
    loaded = load_model(model, allow_pickle=allow_pickle)
    X, y, context, ids = _rows(data, facts, label, loaded.native)
    found: dict[str, Any] = {"model": loaded.native, "data": (X, y), "context": context, "ids": ids, "version": version}
    if train is not None:
        rows, labels, _, _ = _rows(train, facts, label, loaded.native)
        found["train"] = rows if labels is None else (rows, labels)
    if background is not None:
        found["background"] = _rows(background, facts, label, loaded.native)[0]
    return found


def _rows(path: Path, facts: Mapping[str, Any], label: str | None, model: Any) -> tuple[Any, Any, Any, Any]:
    """The features in the manifest's order, labels, context and ids: those of them that the file has."""
    roles = facts["roles"]
    table = read_table(path, times=[roles["time"]] if "time" in roles else [])
    if missing := [name for name in facts["order"] if name not in table.column_names]:
        raise DataError(f"{path} lacks the columns {missing[:12]} that were explained")
    wanted = label or roles.get("label")
    beside = [name for name in facts["context"] or {} if name in table.column_names]
    whole = len(beside) == len(facts["context"] or {})
    named = roles.get("id") if roles.get("id") in table.column_names else None
    kept = [*facts["order"], *beside, *(n for n in (wanted, named) if n in table.column_names and n not in beside)]
    rows = split(table.select(list(dict.fromkeys(kept))), Roles(wanted, named, tuple(beside)))
    return recast(model, rows.X), rows.y, rows.context if whole else None, rows.ids
