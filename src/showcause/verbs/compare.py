"""Which candidate is best, and is it more than chance?"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from showcause.core.comparison import Candidate, Comparison
from showcause.core.errors import InputError, ParameterError, choices
from showcause.core.snapshot import Snapshot
from showcause.kernels.changes import changes
from showcause.store.store import Store
from showcause.verbs.differences.panels import matrix
from showcause.verbs.differences.sides import Sides, standard_error
from showcause.verbs.differences.tables import COUNTS, LESS, NEITHER
from showcause.verbs.open import open as open_snapshot
from showcause.views.sentence import say
from showcause.views.words import listed
from showcause.views.words import metric as spoken

Rows = np.ndarray[Any, np.dtype[Any]]

DEFAULT = {"probability": "log_loss", "target": "rmse", "score": "accuracy"}
LEVEL = 0.05
# Of these a row has its own share, so that two candidates on the same rows are compared row by row.
BY_ROW: dict[str, Callable[[dict[str, Rows]], Rows]] = {
    "log_loss": lambda row: row["loss"],
    "rmse": lambda row: row["loss"],  # squared error: the order is that of its mean
    "mae": lambda row: np.abs(row["actual"] - row["prediction"]),
    "accuracy": lambda row: (row["decision"] == row["label"]).astype(np.float64),
}


def compare(
    *candidates: Snapshot | str | os.PathLike[str],
    metric: str | None = None,
    store: str | os.PathLike[str] | Store | None = None,
) -> Comparison:
    """Rank candidates by a metric, the best first, with intervals; ties are said as ties.

    candidates   two or more snapshots or refs
    metric       one of model/performance (default: log_loss, rmse of a regression, accuracy of scores)
    store        where refs are looked up (default .showcause)

    Two candidates are told apart by a two-sided test at 5 %, Holm over all pairs: over retrainings where all hold
    panels (kernels/changes.py); else row by row where both store predictions of the same rows (log_loss, rmse, mae,
    accuracy: Student's t); else as if their rows were independent. `place_low` and `place_high` bound each place. Over
    rows alone another training could change the order: the headline says so. Candidates of another task, other
    classes or output space are not ranked, with the reason.

    Raises InputError for fewer than two candidates, ParameterError for an unknown metric, NotFound, Corrupt.
    """
    if len(candidates) < 2:
        raise InputError(f"give two or more candidates to compare, got {len(candidates)}")
    opened = [c if isinstance(c, Snapshot) else open_snapshot(c, store=store) for c in candidates]
    metric = metric or DEFAULT.get(str(opened[0].manifest.model.get("space")), "accuracy")
    read = [_entry(snapshot, opened[0], metric) for snapshot in opened]
    ranked = [entry for entry in read if not entry.reason]
    if not ranked:
        known = _metrics(opened[0])
        raise ParameterError(f"no candidate has the metric: {choices(metric, known)}")
    ranked = _one_noise(ranked)
    sign = 1.0 if metric in LESS else -1.0
    ranked.sort(key=lambda entry: (sign * (entry.value or 0.0), entry.snapshot.ref, entry.snapshot.id))
    tests = {(i, j): _test(ranked[i], ranked[j], metric) for i, j in combinations(range(len(ranked)), 2)}
    apart = _holm({pair: test.p for pair, test in tests.items()})
    found = [_candidate(ranked, i, tests, apart) for i in range(len(ranked))]
    found += [_unranked(entry) for entry in read if entry.reason]
    better = "less" if metric in LESS else "more"
    return Comparison(metric, better, _headline(found, metric), tuple(found))


@dataclass(frozen=True)
class Entry:
    snapshot: Snapshot
    value: float | None
    low: float | None
    high: float | None
    error: float | None
    panel: Rows | None
    rows: dict[str, Rows]
    reason: str = ""


def _one_noise(ranked: Sequence[Entry]) -> list[Entry]:
    """All by their panels' means where every candidate has a panel of one source, else all by the single training: two
    kinds of numbers would have no common order."""
    panels = [entry.panel for entry in ranked]
    if any(panel is None or np.isfinite(panel).sum() < 2 for panel in panels) or len({_source(e) for e in ranked}) > 1:
        return [replace(entry, panel=None) for entry in ranked]
    found = []
    for entry, panel in zip(ranked, panels, strict=True):
        assert panel is not None
        value, spread = float(np.nanmean(panel)), 1.96 * float(np.nanstd(panel, ddof=1))
        found.append(replace(entry, value=value, low=value - spread, high=value + spread))
    return found


@dataclass(frozen=True)
class Test:
    """Of the second less the first: difference, its error, p and over what."""

    delta: float
    error: float | None
    p: float
    noise: str
    paired: bool


def _metrics(snapshot: Snapshot) -> list[str]:
    """Those of model/performance that rank."""
    if "model/performance" not in snapshot:
        return []
    names = dict.fromkeys(snapshot["model/performance"].table["metric"].to_pylist())
    return [name for name in names if not name.startswith(COUNTS) and name not in NEITHER]


def _entry(snapshot: Snapshot, first: Snapshot, metric: str) -> Entry:
    none = Entry(snapshot, None, None, None, None, None, {})
    for term in ("task", "space", "classes"):
        one, other = first.manifest.model.get(term), snapshot.manifest.model.get(term)
        if one != other:
            return replace(none, reason=f"its {term} is {other}, the first one's is {one}")
    if "model/performance" not in snapshot or metric not in _metrics(snapshot):
        status = snapshot.statuses.get("model/performance")
        why = (
            f"it has no {metric}" if "model/performance" in snapshot else f"model/performance is {status or 'missing'}"
        )
        return replace(none, reason=why)
    row = next(
        row
        for row in snapshot["model/performance"].table.to_pylist()
        if row["metric"] == metric and row["segment"] == "all" and row.get("target") is None
    )
    if row["value"] is None:
        return replace(none, reason=row.get("note") or f"its {metric} is not known")
    return Entry(
        snapshot, row["value"], row.get("low"), row.get("high"), standard_error(row), _panel(snapshot, metric),
        _by_row(snapshot),
    )  # fmt: skip


def _panel(snapshot: Snapshot, metric: str) -> Rows | None:
    """(refits, 1) of the metric over all rows."""
    if "refits/performance" not in snapshot:
        return None
    found, values = matrix(snapshot["refits/performance"], ("metric", "segment", "target", "by", "level"))
    for position, key in enumerate(found):
        named = dict(key)
        if named.get("metric") == metric and named.get("segment", "all") == "all" and "target" not in named:
            return values[:, [position]]
    return None


def _by_row(snapshot: Snapshot) -> dict[str, Rows]:
    if "model/predictions" not in snapshot:
        return {}
    table = snapshot["model/predictions"].table
    wanted = ("row", "loss", "prediction", "decision", "label", "actual")
    return {name: np.array(table[name].to_pylist()) for name in wanted if name in table.column_names}


def _test(one: Entry, other: Entry, metric: str) -> Test:
    assert one.value is not None
    assert other.value is not None
    delta = other.value - one.value
    sides = Sides(one.snapshot, other.snapshot)
    same = sides.same_rows
    if same and one.panel is not None and other.panel is not None:
        found = changes(one.panel, other.panel)
        if np.isfinite(found.p[0]):
            return Test(float(found.delta[0]), float(found.error[0]), float(found.p[0]), "refits", paired=False)
    if same and (moved := _moved(one.rows, other.rows, metric)) is not None:
        error = float(moved.std(ddof=1) / np.sqrt(len(moved)))
        t = 0.0 if not moved.any() else float(moved.mean()) / error if error else np.inf
        p = float(2 * student.sf(abs(t), len(moved) - 1))
        # the root of a mean moves by half its own inverse times as far as the mean (delta method)
        scale = 1 / (one.value + other.value) if metric == "rmse" and one.value + other.value > 0 else 1.0
        return Test(delta, error * scale, p, "rows", paired=True)
    if one.error is None or other.error is None:
        return Test(delta, None, 1.0, "not known", paired=False)
    error = float(np.hypot(one.error, other.error))
    z = 0.0 if delta == 0 else delta / error if error else np.inf
    return Test(delta, error, float(2 * norm.sf(abs(z))), "rows", paired=False)


def _source(entry: Entry) -> Any:
    panel = entry.snapshot.head("refits/performance")["spec"].get("panel")
    return panel.get("source") if isinstance(panel, dict) else None


def _moved(one: dict[str, Rows], other: dict[str, Rows], metric: str) -> Rows | None:
    """Row by row, how much more the second has of what the metric is the mean of; None where it is no mean over rows or
    the rows are others."""
    share = BY_ROW.get(metric)
    if share is None or "row" not in one or not np.array_equal(one["row"], other.get("row", ())) or len(one["row"]) < 2:
        return None
    try:
        return np.asarray(share(other) - share(one), dtype=np.float64)
    except KeyError:
        return None


def _holm(p: dict[tuple[int, int], float]) -> set[tuple[int, int]]:
    """Pairs that are told apart at LEVEL."""
    found: set[tuple[int, int]] = set()
    for position, (pair, value) in enumerate(sorted(p.items(), key=lambda item: (item[1], item[0]))):
        if value > LEVEL / (len(p) - position):
            break
        found.add(pair)
    return found


def _candidate(
    ranked: Sequence[Entry], i: int, tests: dict[tuple[int, int], Test], apart: set[tuple[int, int]]
) -> Candidate:
    """Pairs are (better, worse) by value."""
    entry = ranked[i]
    low = 1 + sum((j, i) in apart for j in range(i))
    high = len(ranked) - sum((i, j) in apart for j in range(i + 1, len(ranked)))
    test = tests.get((0, i))
    noise = None if entry.low is None else "rows" if entry.panel is None else "refits"
    family = str(entry.snapshot.manifest.model.get("family", ""))
    return Candidate(
        entry.snapshot.ref, entry.snapshot.id, family, entry.value, entry.low, entry.high, noise,
        low, high, None if test is None else test.delta, None if test is None else test.error,
        test is not None and test.paired,
    )  # fmt: skip


def _unranked(entry: Entry) -> Candidate:
    family = str(entry.snapshot.manifest.model.get("family", ""))
    return Candidate(
        entry.snapshot.ref,
        entry.snapshot.id,
        family,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        False,
        entry.reason,
    )


def _headline(found: Sequence[Candidate], metric: str) -> str:
    ranked = [candidate for candidate in found if not candidate.reason]
    first, said = ranked[0], []
    tied = [candidate.ref for candidate in ranked[1:] if candidate.place_low == 1]
    what = spoken(metric)
    if tied:
        template = "By {what} a tie for the first place: {names} cannot be told apart."
        said.append(say(template, what=what, names=listed([first.ref, *tied])).text)
    elif len(ranked) > 1:
        said.append(say("{ref} is best by {what} ({value}).", ref=first.ref, what=what, value=first.value or 0.0).text)
    else:
        said.append("There is nothing to rank it against.")
    if any(candidate.noise == "rows" for candidate in ranked):
        said.append("This is over rows: another training could change the order.")
    if left := len(found) - len(ranked):
        said.append(say("Not ranked: {n}, with the reason.", n=left).text)
    return " ".join(said)
