"""Numbers of an artifact that a rule speaks of, each with the bounds that its error leaves possible.

    rows whose cells equal `where`  →  column  →  as it is | share | rank | gap  →  Number(value, low, high)

Bounds are the row's own `low` and `high`, else value ± 1.96 standard errors, else unknown. A share is a feature's value
over the sum of all features of the same target, segment and retraining (negative importances count as nothing); its
bounds let the feature's own value move and keep the others. A gap is |value - at| of a calibration curve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from showcause.core.artifact import Artifact
from showcause.core.errors import ParameterError, choices
from showcause.core.finding import Evidence
from showcause.core.kinds import COMMON_KEY, kind
from showcause.core.snapshot import Snapshot

Row = Mapping[str, Any]
Z = 1.959963984540054  # 97.5 % point of the normal distribution
WHOLE = "all"  # the segment of every row, also where a table has no segment


@dataclass(frozen=True)
class Number:
    """`note` says why there is no value. `evidence` names the row that it comes from."""

    value: float | None
    low: float | None
    high: float | None
    note: str
    evidence: Evidence

    @property
    def key(self) -> tuple[tuple[str, Any], ...]:
        return tuple(sorted((name, cell) for name, cell in self.evidence.key.items() if cell is not None))


class Undecided(Exception):
    """The evidence does not say; the message says why."""


def artifact_of(snapshot: Snapshot, name: str) -> Artifact:
    """Raises Undecided with the status of an artifact that is not there."""
    if name in snapshot:
        return snapshot[name]
    status = snapshot.manifest.statuses.get(name)
    raise Undecided(f"{name} is {status}" if status else f"the snapshot has no {name}")


def rows(artifact: Artifact, where: Mapping[str, Any]) -> list[Row]:
    """The rows whose cells equal `where`. Raises Undecided where there are none, or no such column."""
    return _picked(artifact, artifact.table.to_pylist(), where)


def _picked(artifact: Artifact, whole: list[Row], where: Mapping[str, Any]) -> list[Row]:
    names = [*artifact.table.column_names, *({"segment"} - set(artifact.table.column_names))]
    for name in where:
        if name not in names:
            raise Undecided(f"{artifact.name} has no column of that name: {choices(name, names)}")
    found = [row for row in whole if all(_equal(name, row.get(name), wanted) for name, wanted in where.items())]
    if not found:
        said = ", ".join(f"{name} = {wanted!r}" for name, wanted in where.items())
        raise Undecided(f"{artifact.name} has no row with {said or 'anything in it'}")
    return found


def _equal(column: str, cell: Any, wanted: Any) -> bool:
    if cell is None:
        return column == "segment" and wanted == WHOLE
    return str(cell) == str(wanted) if isinstance(cell, str) or isinstance(wanted, str) else bool(cell == wanted)


def numbers(artifact: Artifact, rule: Mapping[str, Any]) -> list[Number]:
    """What `rule` (where, column, as) speaks of. Raises Undecided, ParameterError."""
    whole: list[Row] = artifact.table.to_pylist()
    picked = _picked(artifact, whole, rule.get("where", {}))
    column, form = rule.get("column", "value"), rule.get("as", "value")
    if column not in picked[0]:
        raise Undecided(f"{artifact.name} has no column of that name: {choices(column, picked[0])}")
    if isinstance(sample := next((r[column] for r in picked if r[column] is not None), 0.0), str | bool):
        raise Undecided(f"the column {column} of {artifact.name} holds {sample!r}, which is no number")
    if form in ("share", "rank") and artifact.kind != "importance":
        raise Undecided(f"{artifact.name} is of kind {artifact.kind}; only an importance has a {form}")
    if form == "gap" and artifact.kind != "curve":
        raise Undecided(f"{artifact.name} is of kind {artifact.kind}; only a curve has a gap to its diagonal")
    made = {"value": _plain, "share": _share, "rank": _rank, "gap": _gap}[form]
    return [_number(artifact, row, column, *made(whole, row, column)) for row in picked]


Bounds = tuple[float | None, float | None, float | None]


def _number(artifact: Artifact, row: Row, column: str, value: float | None, low: Any, high: Any) -> Number:
    names = [*kind(artifact.kind).key, *COMMON_KEY]
    key = {name: row[name] for name in names if row.get(name) is not None}
    evidence = Evidence(artifact.name, artifact.digest, key, column, value, low, high)
    return Number(value, low, high, str(row.get("note") or "no value, and no reason is stored"), evidence)


def bounds(row: Row, column: str) -> Bounds:
    """(value, low, high) of one cell. Only `value` has bounds in a table; other columns where COLUMN_error is there."""
    value = row[column]
    if value is None:
        return None, None, None
    low, high = (row.get("low"), row.get("high")) if column == "value" else (None, None)
    error = row.get("error" if column == "value" else f"{column}_error")
    if error is not None:
        low = value - Z * error if low is None else low
        high = value + Z * error if high is None else high
    return float(value), low, high


def _plain(_: list[Row], row: Row, column: str) -> Bounds:
    return bounds(row, column)


def _peers(whole: list[Row], row: Row) -> list[Row]:
    """The features that `row` stands among: the same target, segment and retraining, no pairs and no groups."""
    same = [name for name in COMMON_KEY if name in row]
    alone = [name for name in ("feature_b", "group", "term") if name in row]
    return [
        other
        for other in whole
        if all(other[name] == row[name] for name in same)
        and all((other[name] is None) == (row[name] is None) for name in alone)
    ]


def _share(whole: list[Row], row: Row, column: str) -> Bounds:
    value, low, high = bounds(row, column)
    if value is None:
        return None, None, None
    others = [other[column] for other in _peers(whole, row)]
    if any(other is None for other in others):
        raise Undecided("the value of another feature is not there, so nobody knows the total")
    total = sum(max(0.0, other) for other in others)
    rest = total - max(0.0, value)
    if not total:
        raise Undecided("no feature has any weight, so there are no shares")

    def share(part: float | None) -> float | None:
        return None if part is None else _ratio(max(0.0, part), rest)

    return share(value), share(low), share(high)


def _ratio(part: float, rest: float) -> float:
    return part / (part + rest) if part else 0.0


def _rank(whole: list[Row], row: Row, column: str) -> Bounds:
    value = row[column]
    if value is None:
        return None, None, None
    above = sum(other[column] is not None and other[column] > value for other in _peers(whole, row))
    return 1.0 + above, row.get("rank_low"), row.get("rank_high")


def _gap(_: list[Row], row: Row, column: str) -> Bounds:
    value, low, high = bounds(row, column)
    at = row.get("at")
    if value is None or at is None:
        return None, None, None
    if low is None or high is None:
        return abs(value - at), None, None
    ends = abs(low - at), abs(high - at)
    return abs(value - at), 0.0 if low <= at <= high else min(ends), max(ends)


def held(number: Number, side: str, least: float | None, most: float | None) -> bool:
    """Whether the chosen side of the number's error lies within the limits; without bounds the value itself."""
    if side not in ("value", "low", "high", "worst"):
        raise ParameterError(f"side: {choices(side, ('value', 'low', 'high', 'worst'))}")
    value = number.value
    assert value is not None
    low = value if number.low is None else number.low
    high = value if number.high is None else number.high
    taken = {"value": (value, value), "low": (low, low), "high": (high, high), "worst": (low, high)}[side]
    return (least is None or taken[0] >= least) and (most is None or taken[1] <= most)


def unseen(snapshot: Snapshot, where: Mapping[str, Any]) -> str | None:
    """The feature that `where` names, if the snapshot knows it as a column that the model never sees."""
    name = where.get("feature")
    data = snapshot.manifest.data
    beside = data.get("context") or {}
    return str(name) if name is not None and name not in data.get("order", ()) and name in beside else None


def worst(found: Sequence[Number], least: float | None, most: float | None) -> Number:
    """The number that is furthest beyond, or nearest to, a limit."""

    def room(number: Number) -> float:
        value = number.value
        assert value is not None
        ends = [value - least] if least is not None else []
        return min(ends + ([most - value] if most is not None else []))

    return min(found, key=room)


def words(number: Number) -> str:
    """The number with its bounds and where it stands, as a message says it."""
    cells = [cell for cell in number.evidence.key.values() if cell is not None]
    key = ", ".join(f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in cells)
    ends = "" if number.low is None or number.high is None else f" (95 %: {number.low:.4g} to {number.high:.4g})"
    said = "no value" if number.value is None else f"{number.value:.4g}{ends}"
    return f"{key}: {said}" if key else said
