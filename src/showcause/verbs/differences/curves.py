"""Curves: how far apart they are in shape, how far retraining alone would part them, and whether they turned.

Both curves are read at the before side's places, within the range that both cover (linear between places), and each is
centred: their distance is the root of the mean squared difference over rows, so that a shift of the level, which the
scores tell, is not told twice. The band is what the errors of the places amount to on the same scale.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from showcause.core.diff import Change, Scalar, Verdict
from showcause.kernels.changes import changes
from showcause.verbs.differences.panels import SHARE
from showcause.verbs.differences.sides import NO_PANEL, PANEL, Pair, Sides, refused, standard_error
from showcause.views.sentence import say

Rows = np.ndarray[Any, np.dtype[Any]]
Line = dict[str, Any]

FLAT = 0.05  # of the largest range of all curves: a curve that moves less has no direction
STEEP = 0.5  # a curve rises or falls where its trend covers this share of its own range
DRAWN = 40  # curves in the document's tables


@dataclass(frozen=True)
class Course:
    """One curve: `places` (numbers or levels; None the missing value) with values and errors (refits, places), the
    rows behind each place. A curve that is no panel has one refit."""

    places: tuple[float | str | None, ...]
    values: Rows
    errors: Rows
    support: Rows

    @cached_property
    def numbers(self) -> Rows:
        """(places,) whether it is a number."""
        return np.array([isinstance(place, int | float) for place in self.places], dtype=bool)

    @cached_property
    def mean(self) -> Rows:
        """(places,) over retrainings."""
        seen = np.isfinite(self.values)
        return np.where(seen, self.values, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)

    @property
    def range(self) -> float:
        return float(np.ptp(self.mean)) if len(self.mean) else 0.0


@dataclass(frozen=True)
class Compared:
    """Two courses at shared places, centred: (refits, places) each; weights (places,) that sum to one."""

    places: tuple[float | str | None, ...]
    before: Rows
    after: Rows
    error: Rows
    weight: Rows

    @property
    def distance(self) -> float:
        apart = self.after.mean(axis=0) - self.before.mean(axis=0)
        return float(np.sqrt((self.weight * apart**2).sum()))

    def band(self, error: Rows) -> float | None:
        known = np.isfinite(error)
        return float(np.sqrt((self.weight[known] * error[known] ** 2).sum())) if known.any() else None


def curves(sides: Sides) -> Iterator[Change]:
    for pair in _pairs(sides):
        if pair.reason:
            yield refused("curves", pair)
        else:
            yield from _changes(sides, pair)


def _pairs(sides: Sides) -> Iterator[Pair]:
    for pair in sides.pairs("curve"):
        folder = pair.name.partition("/")[0]
        if folder in ("dependence", PANEL.rstrip("/")) and "example" not in pair.before.table.column_names:
            yield pair


def _changes(sides: Sides, pair: Pair) -> Iterator[Change]:
    one, other = courses(pair.before.table.to_pylist()), courses(pair.after.table.to_pylist())
    both = {key: aligned(one[key], other[key]) for key in one if key in other}
    usable = {key: found for key, found in both.items() if found is not None}
    largest = max((one[key].range for key in one), default=0.0)
    margin = SHARE * largest
    panel = pair.name.startswith(PANEL)
    decided = _judged(usable, margin) if panel else {}
    for key, found in both.items():
        if found is None:
            said = say("The curves of {name} have no place in common.", name=_name(sides, pair, key)).text
            yield Change(
                "curves", pair.name, dict(key), None, None, None, None, None, None, None, "not-comparable", said, True
            )
            continue
        ranges = one[key].range, other[key].range
        facts = _turns(one[key], other[key], found, FLAT * largest, panel=panel)
        yield _change(sides, pair, key, found, ranges, facts, margin, decided.get(key))


Key = tuple[tuple[str, str], ...]
Decision = tuple[Verdict, float | None, float | None]  # verdict, q, error of the distance


def _judged(found: Mapping[Key, Compared], margin: float) -> dict[Key, Decision]:
    """One family over all places of all curves. A curve has changed where some place has and its distance is beyond the
    margin; it is unchanged where every place is."""
    if not found:
        return {}
    sizes = [len(one.places) for one in found.values()]
    before = [one.before for one in found.values()]
    after = [one.after for one in found.values()]
    judged = changes(np.concatenate(before, axis=1), np.concatenate(after, axis=1), margin)
    ends = np.cumsum([0, *sizes])
    decided: dict[Key, Decision] = {}
    for (key, one), start, end in zip(found.items(), ends[:-1], ends[1:], strict=True):
        words, q = judged.verdict[start:end], judged.q[start:end]
        verdict: Verdict = "inconclusive"
        if (words == "changed").any() and one.distance > margin:
            verdict = "changed"
        elif (words == "unchanged").all():
            verdict = "unchanged"
        least = float(np.nanmin(q)) if np.isfinite(q).any() else None
        decided[key] = (verdict, least, one.band(judged.error[start:end]))
    return decided


def _change(
    sides: Sides,
    pair: Pair,
    key: Key,
    found: Compared,
    ranges: tuple[float, float],
    facts: dict[str, Scalar],
    margin: float,
    decided: Decision | None,
) -> Change:
    distance = found.distance
    if decided is not None:
        verdict, q, error = decided
        noise: str | None = "refits"
    else:
        error, q = found.band(found.error), None
        noise = "rows" if error is not None else None
        verdict = "inconclusive"
        if sides.same_model and (distance == 0 or (error is not None and distance <= 3 * error)):
            verdict = "unchanged"
    text = _sentence(_name(sides, pair, key), verdict, distance, error, facts, sides.same_model, decided is not None)
    return Change(
        "curves", pair.name, dict(key), *ranges, distance, error, noise, q, margin, verdict, text,
        verdict == "changed", facts,
    )  # fmt: skip


def _name(sides: Sides, pair: Pair, key: Key) -> str:
    parts = dict(key)
    name = sides.words.label(parts["feature"])
    return f"{name}, {sides.words.target(parts['target'])}" if "target" in parts and pair.several else name


def _sentence(
    name: str,
    verdict: Verdict,
    distance: float,
    error: float | None,
    facts: Mapping[str, Scalar],
    same: bool,
    panel: bool,
) -> str:
    one, other = facts.get("slope_before"), facts.get("slope_after")
    turned = " It {one} and now {other}." if one and other and one != other else ""
    band = "" if error is None else " (retraining: {error})" if panel else " (other rows: {error})"
    templates = {
        "changed": "The curve of {name} moved by {distance}" + band + "." + turned,
        "unchanged": "The curve of {name} is as it was: {distance} apart" + band + ".",
    }
    tail = "" if same else " Retraining alone may move it as far." if panel else f" {NO_PANEL}"
    template = templates.get(verdict, "The curves of {name} are {distance} apart" + band + "." + turned + tail)
    words = {"one": _verb(one, past=True), "other": _verb(other, past=False)}
    return say(template, name=name, distance=distance, error=0.0 if error is None else error, **words).text


def _verb(slope: Scalar, *, past: bool) -> str:
    verbs = {"rises": ("rose", "rises"), "falls": ("fell", "falls"), "flat": ("was flat", "is flat")}
    return verbs.get(str(slope), ("went up and down", "goes up and down"))[0 if past else 1]


def courses(rows: Sequence[Line]) -> dict[Key, Course]:
    """Every curve of a table, by feature (and target, segment); without the rows that have no value."""
    grouped: dict[Key, list[Line]] = {}
    for row in rows:
        if row["value"] is not None and row.get("example") is None:
            key = tuple((n, str(row[n])) for n in ("feature", "target", "segment") if row.get(n) is not None)
            grouped.setdefault(key, []).append(row)
    return {key: _course(lines) for key, lines in grouped.items()}


def _course(lines: Sequence[Line]) -> Course:
    refits = list(dict.fromkeys(line.get("refit") for line in lines))
    places = list(dict.fromkeys(_place(line) for line in lines))
    places.sort(key=lambda place: (not isinstance(place, int | float), place is None, 0))
    numbers = sorted(place for place in places if isinstance(place, int | float))
    places[: len(numbers)] = numbers
    values = np.full((len(refits), len(places)), np.nan)
    errors, support = np.full(len(places), np.nan), np.full(len(places), np.nan)
    for line in lines:
        i, j = refits.index(line.get("refit")), places.index(_place(line))
        values[i, j] = line["value"]
        error = standard_error(line)
        errors[j] = np.nan if error is None else error
        support[j] = np.nan if line.get("support") is None else line["support"]
    return Course(tuple(places), values, errors, support)


def _place(line: Line) -> float | str | None:
    return line["at"] if line.get("at") is not None else line.get("at_level")


def aligned(one: Course, other: Course) -> Compared | None:
    """Both at `one`'s places that `other` covers; None where there are none."""
    kept, after, errors = [], [], []
    for j, place in enumerate(one.places):
        read = _read(other, place)
        if read is not None:
            kept.append(j)
            after.append(read[0])
            errors.append(read[1])
    if not kept:
        return None
    weight = np.where(np.isfinite(one.support[kept]), one.support[kept], 0.0)
    weight = weight / weight.sum() if weight.sum() > 0 else np.full(len(kept), 1 / len(kept))
    before, moved = one.values[:, kept], np.column_stack(after)
    error = np.hypot(one.errors[kept], np.array(errors))
    return Compared(
        tuple(one.places[j] for j in kept), _centred(before, weight), _centred(moved, weight), error, weight
    )


def _read(course: Course, place: float | str | None) -> tuple[Rows, float] | None:
    """(refits,) values and the error at a place; None where the curve does not reach."""
    if not isinstance(place, int | float):
        if place not in course.places:
            return None
        j = course.places.index(place)
        return course.values[:, j], float(course.errors[j])
    at = np.array([p for p in course.places if isinstance(p, int | float)], dtype=np.float64)
    if not len(at) or not at[0] <= place <= at[-1]:
        return None
    values = course.values[:, : len(at)]
    read = np.array([np.interp(place, at, line) for line in values])
    return read, float(np.interp(place, at, course.errors[: len(at)]))


def _centred(values: Rows, weight: Rows) -> Rows:
    seen = np.isfinite(values)
    total = np.where(seen, weight, 0.0).sum(axis=1, keepdims=True)
    middle = np.where(seen, values * weight, 0.0).sum(axis=1, keepdims=True) / np.where(total > 0, total, 1.0)
    return np.asarray(values - middle)


def _turns(one: Course, other: Course, found: Compared, flat: float, *, panel: bool) -> dict[str, Scalar]:
    """Directions of both curves, the share of rows where the two go opposite ways, of panels how many rise."""
    facts: dict[str, Scalar] = {"distance": found.distance}
    at = np.array([p for p in found.places if isinstance(p, int | float)], dtype=np.float64)
    if len(at) < 2:
        return facts
    kept = slice(0, len(at))
    for side, values in (("before", found.before[:, kept]), ("after", found.after[:, kept])):
        facts[f"slope_{side}"] = _slope(at, values.mean(axis=0), found.weight[kept], flat)
        if panel:
            words = [_slope(at, line, found.weight[kept], flat) for line in values]
            facts |= {f"rising_{side}": words.count("rises"), f"refits_{side}": len(words)}
    steps = [np.diff(values[:, kept].mean(axis=0)) for values in (found.before, found.after)]
    opposite = (steps[0] * steps[1] < 0) & (np.minimum(np.abs(steps[0]), np.abs(steps[1])) > 0.01 * flat / FLAT)
    weight = found.weight[1 : len(at)]
    facts["opposite"] = float(weight[opposite].sum() / weight.sum()) if weight.sum() > 0 else 0.0
    return facts


def _slope(at: Rows, values: Rows, weight: Rows, flat: float) -> str:
    """Direction of the weighted straight line through the curve."""
    if np.ptp(values) <= flat or np.ptp(at) == 0 or weight.sum() <= 0:
        return "flat"
    middle = np.average(at, weights=weight)
    spread = float((weight * (at - middle) ** 2).sum())
    if spread == 0:
        return "flat"
    trend = float((weight * (at - middle) * values).sum()) / spread * float(np.ptp(at))
    if abs(trend) < STEEP * float(np.ptp(values)):
        return "turns"
    return "rises" if trend > 0 else "falls"


def drawn(sides: Sides, ordered: Sequence[Change]) -> tuple[list[dict[str, Scalar]], int]:
    """(rows of the document's table "curves", how many curves were left out), in the order of `ordered`."""
    pairs = {pair.name: pair for pair in _pairs(sides) if not pair.reason}
    wanted = [c for c in ordered if c.section == "curves" and c.verdict != "not-comparable" and c.artifact in pairs]
    found: list[dict[str, Scalar]] = []
    read: dict[tuple[str, str], dict[Key, Course]] = {}
    for change in wanted[:DRAWN]:
        pair, key = pairs[change.artifact], tuple((name, str(value)) for name, value in change.key.items())
        for side, artifact in (("before", pair.before), ("after", pair.after)):
            if (pair.name, side) not in read:
                read[pair.name, side] = courses(artifact.table.to_pylist())
            found += _points(pair.name, dict(key), side, read[pair.name, side][key])
    return found, max(0, len(wanted) - DRAWN)


def _points(name: str, key: Mapping[str, str], side: str, course: Course) -> list[dict[str, Scalar]]:
    weight = np.where(np.isfinite(course.support), course.support, 0.0)
    weight = weight / weight.sum() if weight.sum() > 0 else np.full(len(course.places), 1 / len(course.places))
    centred = _centred(course.values, weight)
    panel = len(centred) > 1
    shown = replace(course, values=centred)
    spread = centred.std(axis=0, ddof=1) if panel else course.errors
    points: list[dict[str, Scalar]] = []
    for j, place in enumerate(course.places):
        number = isinstance(place, int | float)
        known = bool(np.isfinite(spread[j]))
        value = float(shown.mean[j])
        points.append(
            {
                "artifact": name,
                **key,
                "side": side,
                "at": float(place) if number else None,  # type: ignore[arg-type]
                "at_level": None if number else place,
                "value": value,
                "low": value - 1.96 * float(spread[j]) if known else None,
                "high": value + 1.96 * float(spread[j]) if known else None,
                "noise": "refits" if panel else "rows" if known else None,
            }
        )
    return points
