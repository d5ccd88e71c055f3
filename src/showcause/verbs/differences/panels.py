"""Panels of retrainings on both sides, brought into one form and judged (kernels/changes.py).

`Judged` is the decision about one key: means over refits, the difference's error over refits, q, margin and verdict.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from showcause.core.artifact import Artifact
from showcause.core.diff import Verdict
from showcause.kernels.changes import changes
from showcause.verbs.differences.sides import Number, Pair, Sides, keys

Rows = np.ndarray[Any, np.dtype[Any]]
Key = tuple[tuple[str, str | None], ...]

NAMES = ("refits/importance", "refits/performance", "refits/dependence")
SHARE = 0.05  # of the largest importance, or of the largest range of the curves: less does not matter in practice
POINTS = 0.005  # of a metric between 0 and 1
MARGINS = {
    "importance": f"{SHARE:.0%} of the largest importance before",
    "score": f"{POINTS:g} of a metric between 0 and 1; {SHARE:.0%} of any other",
    "curve": f"{SHARE:.0%} of the largest range before",
}


@dataclass(frozen=True)
class Judged:
    before: Number
    after: Number
    error: Number
    q: Number
    margin: Number
    verdict: Verdict


def state(sides: Sides) -> dict[str, Any]:
    """What stands behind the verdicts, for the document: whether panels were compared, of what, how many, why not."""
    found = [_panel(sides, after=False), _panel(sides, after=True)]
    facts: dict[str, Any] = {"compared": False, "reason": "", "source": None, "margins": dict(MARGINS)}
    for side, panel in zip(("before", "after"), found, strict=True):
        if panel is None:
            missing = "neither snapshot has a" if found == [None, None] else f"the {side} side has no"
            facts["reason"] = f"{missing} panel of retrainings (explain with refits=K)"
            return facts
        facts[f"{side}_count"] = panel.get("count")
    sources = [str(panel.get("source")) for panel in found if panel]
    if sources[0] != sources[1]:
        return {**facts, "reason": f"the panel before is of {sources[0]}, the one after of {sources[1]}"}
    return {**facts, "compared": True, "source": sources[0]}


def _panel(sides: Sides, *, after: bool) -> dict[str, Any] | None:
    snapshot = sides.after if after else sides.before
    for name in NAMES:
        if name in snapshot:
            panel = snapshot.head(name)["spec"].get("panel")
            return dict(panel) if isinstance(panel, dict) else {}
    return None


def matrix(artifact: Artifact, names: Sequence[str], value: str = "value") -> tuple[list[Key], Rows]:
    """(keys in order of appearance, values (refits, keys)): NaN where a retraining has no such key."""
    table = artifact.table.to_pylist()
    found: dict[Key, dict[int, float]] = {}
    refits: dict[int, int] = {}
    for row in table:
        if row.get("refit") is None:
            continue
        refits.setdefault(row["refit"], len(refits))
        cells = found.setdefault(tuple(keys(names, row).items()), {})
        if row[value] is not None:
            cells[refits[row["refit"]]] = row[value]
    filled = np.full((len(refits), len(found)), np.nan)
    for column, cells in enumerate(found.values()):
        for line, number in cells.items():
            filled[line, column] = number
    return list(found), filled


def judge(pair: Pair, names: Sequence[str], absent: tuple[Collection[str], Collection[str]]) -> dict[Key, Judged]:
    """Key → decision. All rows are one family, segments another. `absent`: features that only the other side's
    model has; a model that does not see a column gives it no importance."""
    one, before = matrix(pair.before, names)
    other, after = matrix(pair.after, names)
    every = list(dict.fromkeys([*one, *other]))
    decided: dict[Key, Judged] = {}
    for whole in (True, False):
        both = [key for key in every if (dict(key).get("segment", "all") == "all") is whole]
        decided |= _judge(pair, both, (one, before), (other, after), absent)
    return {key: decided[key] for key in every}


def _judge(
    pair: Pair,
    both: Sequence[Key],
    given: tuple[Sequence[Key], Rows],
    now: tuple[Sequence[Key], Rows],
    absent: tuple[Collection[str], Collection[str]],
) -> dict[Key, Judged]:
    if not both:
        return {}
    (one, before), (other, after) = given, now
    zero = pair.kind == "importance"
    panels = [
        _aligned(both, known, values, missing if zero else ())
        for known, values, missing in ((one, before, absent[0]), (other, after, absent[1]))
    ]
    margin = _margins(pair, both, panels[0], panels[1])
    found = changes(panels[0], panels[1], margin)
    means = [_means(panel) for panel in panels]
    decided = {}
    for j, key in enumerate(both):
        one_mean, other_mean, error, q, least = (
            _number(x) for x in (means[0][j], means[1][j], found.error[j], found.q[j], margin[j])
        )
        decided[key] = Judged(one_mean, other_mean, error, q, least, found.verdict[j])
    return decided


def _aligned(both: Sequence[Key], known: Sequence[Key], values: Rows, absent: Collection[str]) -> Rows:
    where = {key: j for j, key in enumerate(known)}
    columns = []
    for key in both:
        if key in where:
            columns.append(values[:, where[key]])
        else:
            gone = any(name in ("feature", "feature_b") and text in absent for name, text in key)
            columns.append(np.full(len(values), 0.0 if gone else np.nan))
    return np.column_stack(columns) if columns else np.empty((len(values), 0))


def _means(panel: Rows) -> Rows:
    seen = np.isfinite(panel)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(seen, panel, 0.0).sum(axis=0) / np.where(seen.any(axis=0), seen.sum(axis=0), np.nan)


def _number(value: Any) -> Number:
    return float(value) if np.isfinite(value) else None


def _margins(pair: Pair, both: Sequence[Key], before: Rows, after: Rows) -> Rows:
    """(keys,) the difference below which nothing matters."""
    means = np.abs(_means(before))
    if pair.kind != "score":
        largest = np.nanmax(means) if np.isfinite(means).any() else 0.0
        return np.full(len(both), SHARE * float(largest))
    spread = np.fmax(means, np.abs(_means(after)))
    within = np.array([np.nanmax([*np.abs(before[:, j]), *np.abs(after[:, j]), 0.0]) <= 1 for j in range(len(both))])
    return np.where(within, POINTS, SHARE * np.where(np.isfinite(spread), spread, 0.0)) if len(both) else spread
