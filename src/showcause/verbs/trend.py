"""How did a feature's importance and the performance go, from version to version?"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from showcause.core.artifact import Artifact
from showcause.core.comparison import Point, Trend
from showcause.core.errors import NotFound, ParameterError, choices
from showcause.core.snapshot import Snapshot
from showcause.store.folder import FolderStore
from showcause.store.store import Store, check_name, open_ref
from showcause.verbs.compare import DEFAULT
from showcause.verbs.differences.panels import matrix
from showcause.verbs.differences.sides import Sides
from showcause.verbs.open import DEFAULT_STORE
from showcause.views.picture import bounds
from showcause.views.sentence import say

MEASURES = ("importance/permutation", "importance/shap")
PANEL = "refits/importance"
LAST = 50

Band = tuple[float | None, float | None, float | None, str | None]  # value, low, high, over what


def trend(
    name: str,
    *,
    feature: str | None = None,
    metric: str | None = None,
    last: int = LAST,
    store: str | os.PathLike[str] | Store | None = None,
) -> Trend:
    """The history of `name`: a feature's importance, its place, and a metric, one point a version, the oldest first.

    feature   default: the one that matters most in the newest version
    metric    of model/performance; default: log_loss, rmse of a regression, accuracy of scores
    last      at most so many versions, the newest
    store     the store's folder (default .showcause)

    Importance is by permutation (by SHAP values where the newest version has none). Where a version holds a panel of
    retrainings, its mean and 1.96 standard deviations over them stand in place of the single training's value with its
    95 % over rows. A point that explains other rows, or another game, than the one before is marked, with the reason.

    Raises NotFound for a name without versions, ParameterError for a feature that no version has, Corrupt.
    """
    if last < 1:
        raise ParameterError(f"last must be at least 1, got {last}")
    given = DEFAULT_STORE if store is None else store
    where: Store = FolderStore(given, create=False) if isinstance(given, str | os.PathLike) else given
    versions = where.entries(check_name(name))
    if not versions:
        raise NotFound(f"no snapshot of that name in this store: {choices(name, where.refs())}")
    numbers = range(max(1, len(versions) - last + 1), len(versions) + 1)
    snapshots = [open_ref(where, f"{name}/{number}") for number in numbers]
    newest = snapshots[-1]
    measure = next((m for m in MEASURES if m in newest), MEASURES[0])
    wanted = feature if feature is not None else _first(newest, measure)
    known = {n for snapshot in snapshots for n in snapshot.manifest.data.get("columns", {})}
    if wanted is None or wanted not in known:
        raise ParameterError(f"no version has the feature: {choices(wanted, sorted(known))}")
    metric = metric or DEFAULT.get(str(newest.manifest.model.get("space")), "accuracy")
    points = []
    for position, snapshot in enumerate(snapshots):
        reason = _apart(snapshots[position - 1], snapshot, measure) if position else ""
        points.append(_point(snapshot, wanted, measure, metric, reason))
    if all(point.score is None for point in points) and any("model/performance" in s for s in snapshots):
        every = dict.fromkeys(newest["model/performance"].table["metric"].to_pylist())
        raise ParameterError(f"no version has the metric: {choices(metric, every)}")
    return Trend(name, wanted, measure, metric, _headline(points, wanted, newest), tuple(points), newest.dictionary)


def _first(snapshot: Snapshot, measure: str) -> str | None:
    values = _singles(snapshot[measure]) if measure in snapshot else {}
    return max(values, key=lambda name: abs(values[name][0] or 0.0)) if values else None


def _singles(artifact: Artifact) -> dict[str, Band]:
    """Feature → value with bounds over all rows; over several classes the sum, without bounds."""
    found: dict[str, Band] = {}
    for row in artifact.table.to_pylist():
        if row["value"] is None or row.get("segment") not in (None, "all"):
            continue
        low, high = bounds(row)
        band: Band = (row["value"], low, high, (row.get("noise") or "rows") if low is not None else None)
        if row["feature"] in found:
            band = ((found[row["feature"]][0] or 0.0) + row["value"], None, None, None)
        found[row["feature"]] = band
    return found


def _importances(snapshot: Snapshot, measure: str) -> dict[str, Band]:
    """Feature → band: over retrainings where a panel of the same measure is there, else of the one training."""
    single = _singles(snapshot[measure]) if measure in snapshot else {}
    if PANEL not in snapshot or (snapshot.head(PANEL)["spec"].get("of") or {}).get("method", measure) != measure:
        return single
    found: dict[str, list[Any]] = {}
    keys, values = matrix(snapshot[PANEL], ("feature", "target"))
    for position, key in enumerate(keys):
        found.setdefault(str(dict(key)["feature"]), []).append(values[:, position])
    return {name: _spread(np.sum(columns, axis=0)) for name, columns in found.items()}


def _spread(values: Any) -> Band:
    known = values[np.isfinite(values)]
    if not len(known):
        return None, None, None, None
    mean = float(known.mean())
    if len(known) < 2:
        return mean, None, None, None
    spread = 1.96 * float(known.std(ddof=1))
    return mean, mean - spread, mean + spread, "refits"


def _score(snapshot: Snapshot, metric: str) -> Band:
    if "refits/performance" in snapshot:
        keys, values = matrix(snapshot["refits/performance"], ("metric", "segment", "target", "by", "level"))
        for position, key in enumerate(keys):
            named = dict(key)
            if named.get("metric") == metric and named.get("segment", "all") == "all" and "target" not in named:
                return _spread(values[:, position])
    if "model/performance" not in snapshot:
        return None, None, None, None
    for row in snapshot["model/performance"].table.to_pylist():
        if row["metric"] == metric and row["segment"] == "all" and row.get("target") is None:
            return row["value"], row.get("low"), row.get("high"), row.get("noise")
    return None, None, None, None


def _point(snapshot: Snapshot, feature: str, measure: str, metric: str, reason: str) -> Point:
    every = _importances(snapshot, measure)
    value, low, high, noise = every.get(feature, (None, None, None, None))
    sizes = [abs(band[0]) for band in every.values() if band[0] is not None]
    place = None if value is None else 1 + sum(size > abs(value) for size in sizes)
    score = _score(snapshot, metric)
    if value is None and not reason:
        has = feature in snapshot.manifest.data.get("columns", {})
        reason = f"{measure} is not there" if has else "the model does not have this column"
    record = snapshot.record
    return Point(
        snapshot.ref, snapshot.id, record.version, record.made_at, value, low, high, noise, place, len(sizes) or None,
        *score, not reason, reason,
    )  # fmt: skip


def _apart(before: Snapshot, after: Snapshot, measure: str) -> str:
    """Why two neighbours cannot be compared; "" where they can."""
    if measure not in before or measure not in after:
        return f"{measure} is missing in one of the two"
    return Sides(before, after).refusal(before.head(measure), after.head(measure))


def _headline(points: list[Point], feature: str, newest: Snapshot) -> str:
    from showcause.views.words import Words

    name = Words.of(newest.dictionary).label(feature)
    known = [point for point in points if point.importance is not None]
    said = []
    if len(known) > 1:
        one, other = known[0], known[-1]
        template = "{name}: importance {a} in {one}, {b} in {other}."
        parts = {"a": one.importance or 0.0, "b": other.importance or 0.0}
        said.append(say(template, name=name, one=one.ref, other=other.ref, **parts).text)
    elif known:
        said.append(
            say("{name}: importance {a} in {one}.", name=name, a=known[0].importance or 0.0, one=known[0].ref).text
        )
    if apart := sum(not point.comparable for point in points):
        said.append(say("Versions that cannot be compared with the one before: {n}.", n=apart).text)
    if not all(point.noise == "refits" for point in known):
        said.append("Without retrainings, a step cannot be told from retraining noise.")
    return " ".join(said)
