"""A panel of retrainings in reports: the spread over its members, and how steady the ranking is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from showcause.core.artifact import Artifact
from showcause.core.kinds import build, kind
from showcause.core.snapshot import Snapshot
from showcause.views.sentence import Sentence, say
from showcause.views.words import Words, listed

SPREAD = ("importance", "curve", "score")  # kinds whose members can be drawn as one value with a band
MEMBERS = {"refits": "retrainings", "folds": "folds of the cross-validation", "nights": "nights"}
FEW = 3  # leading features that are compared as a set
UNKNOWN = "Whether another training would say the same cannot be told: there is no panel of retrainings."


def is_panel(artifact: Artifact) -> bool:
    return artifact.kind in SPREAD and "panel" in artifact.spec and "refit" in artifact.table.column_names


def spread(artifact: Artifact) -> Artifact:
    """The members of a panel as one: `value` is their mean; `low` and `high` bound one further training at 95 %
    (Student's t, the mean's own uncertainty in it), noise "refits". Of scores only those over all rows."""
    table = artifact.table
    names = [n for n in (*kind(artifact.kind).key, "target", "segment") if n in table.column_names]
    kept = [n for n in ("by", "level", "support", "count") if n in table.column_names]
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        if artifact.kind != "score" or row.get("segment") in (None, "all"):
            groups.setdefault(tuple(row[name] for name in names), []).append(row)
    columns: dict[str, list[Any]] = {name: [] for name in (*names, *kept, "value", "low", "high", "noise", "note")}
    for key, rows in groups.items():
        values = np.array([row["value"] for row in rows if row["value"] is not None])
        low, high = _further(values)
        line = {**dict(zip(names, key, strict=True)), **{name: rows[0][name] for name in kept}}
        line |= {"value": float(values.mean()) if len(values) else None, "low": low, "high": high}
        line |= {"noise": None if low is None else "refits", "note": None if len(values) else _why(rows)}
        for name, cells in columns.items():
            cells.append(line[name])
    if not groups:
        return replace(artifact, table=table.slice(0, 0))
    return replace(artifact, table=build(artifact.kind, columns))


def _why(rows: list[dict[str, Any]]) -> str:
    return next((row["note"] for row in rows if row.get("note")), "no member has a value")


def _further(values: np.ndarray[Any, Any]) -> tuple[float | None, float | None]:
    from scipy.special import stdtrit

    n = len(values)
    if n < 2:
        return None, None
    half = float(stdtrit(n - 1, 0.975)) * float(values.std(ddof=1)) * float(np.sqrt(1 + 1 / n))
    return float(values.mean()) - half, float(values.mean()) + half


def steadiness(snapshot: Snapshot) -> list[Sentence]:
    """In how many members the same feature, and the same leading features, come first; without a panel, that this
    cannot be told. Nothing for panels of more than one class, whose rankings differ by class."""
    if "refits/importance" not in snapshot:
        return [Sentence(UNKNOWN)]
    artifact = snapshot["refits/importance"]
    rows = artifact.table.to_pylist()
    if len({row.get("target") for row in rows}) > 1:
        return []
    members: dict[int, dict[str, float]] = {}
    for row in rows:
        members.setdefault(row["refit"], {})[row["feature"]] = row["value"]
    words, source = Words.of(snapshot.dictionary), MEMBERS[artifact.spec["panel"]["source"]]
    order = _order({f: sum(m[f] for m in members.values()) for f in next(iter(members.values()))})
    if len(order) < 2:
        return []
    leads = [_order(member) for member in members.values()]
    first = sum(lead[0] == order[0] for lead in leads)
    template = "{name} comes first in {n} of {of} {what}."
    found = [say(template, name=words.label(order[0]), n=first, of=len(leads), what=source)]
    if len(order) > FEW:
        same = sum(set(lead[:FEW]) == set(order[:FEW]) for lead in leads)
        names = listed([words.label(name) for name in order[:FEW]])
        found.append(say("{names} lead in {n} of {of} of them.", names=names, n=same, of=len(leads)))
    return found


def _order(values: Mapping[str, float]) -> list[str]:
    return sorted(values, key=lambda name: (-values[name], name))
