"""What a letter shows below its words: how every fact counted, as a bar, a waterfall and a path, what alone was enough,
and what would be.

Plain numbers for a template without any script: lengths are parts of a thousand. Laws: the bars of a case add up from
where the others stand to where the case does; only the person's own values are told, and of a change what the letter
advises; names wrap, so that fifty facts with long names are read on a telephone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from showcause.core.snapshot import Snapshot
from showcause.views.messages import Translate
from showcause.views.reasons import Row, Wording
from showcause.views.words import number

MOST = 12  # facts shown one by one; the others stand together
WIDTH = 1000.0
TINY = 1e-9  # of the whole, below which a fact did not count
ANCHOR = "rules/anchor"
FEW = 8  # facts of a rule that a person can take in at once


@dataclass(frozen=True)
class Bar:
    """One fact: from `start` to `end` along the way from the others to the case; `mine` the person's value in words."""

    label: str
    mine: str
    amount: str
    start: float
    end: float

    @property
    def left(self) -> float:
        return min(self.start, self.end)

    @property
    def length(self) -> float:
        return max(abs(self.end - self.start), 2.0)

    @property
    def side(self) -> str:
        return "up" if self.end >= self.start else "down"


@dataclass(frozen=True)
class Shown:
    """`bars` in the order in which they are laid end to end; `begin`: where the others stand;
    `force`: what pulls up and what pulls down, meeting at `now`, where the case stands."""

    heading: str
    said: tuple[str, ...]
    head: tuple[str, str, str]
    bars: tuple[Bar, ...]
    force: tuple[Bar, ...]
    path: str
    begin: float
    now: float

    @property
    def sentences(self) -> list[str]:
        return [self.heading, *self.said, self.path]


def shown(rows: Sequence[Row], wording: Wording, toward: str | None) -> Shown | None:
    """Of one person's rows of an attribution; `toward`: the answer that bars to the right speak for, None for a
    result. None where nothing counted."""
    _ = wording.translate
    whole = sum(abs(row["value"] or 0.0) for row in rows)
    counted = [row for row in rows if abs(row["value"] or 0.0) > TINY * whole]
    if not counted or whole == 0:
        return None
    ranked = sorted(counted, key=lambda row: -abs(row["value"]))
    steps = [(wording.label(row["feature"]), _mine(row, wording), float(row["value"])) for row in ranked[:MOST]]
    if len(ranked) > MOST:
        steps.append((_("All other facts together"), "", float(sum(row["value"] for row in ranked[MOST:]))))
    ends, at = [0.0], 0.0
    for *_names, value in steps:
        at += value
        ends.append(at)
    way = _Scale.of(ends)
    bars = [
        Bar(label, mine, _signed(value), way.place(start), way.place(start + value))
        for (label, mine, value), start in zip(steps, ends, strict=False)
    ]
    force, now = _force(steps)
    said = _told(_, toward)
    head = (_("Fact"), _("Yours"), _("How it counted"))
    path = _("Step by step")
    return Shown(_("How each fact counted"), said, head, tuple(bars), tuple(force), path, way.place(0.0), now)


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float

    @classmethod
    def of(cls, ends: Sequence[float]) -> _Scale:
        return cls(min(ends), max(ends))

    def place(self, value: float) -> float:
        return round(WIDTH * (value - self.low) / (self.high - self.low), 1)


def _force(steps: Sequence[tuple[str, str, float]]) -> tuple[list[Bar], float]:
    """What pulls up to the left of where the case stands, what pulls down to the right, the largest next to it; and
    where that is."""
    up, down = [s for s in steps if s[2] >= 0], [s for s in steps if s[2] < 0]
    scale = _Scale(-sum(s[2] for s in up), -sum(s[2] for s in down))
    found = []
    for side in (up, down):
        at = 0.0
        for label, mine, value in side:
            found.append(Bar(label, mine, _signed(value), scale.place(at - value), scale.place(at)))
            at -= value
    return found, scale.place(0.0)


def _told(_: Translate, toward: str | None) -> tuple[str, ...]:
    first = _("The way begins where the others stand. It ends at you.")
    if toward is None:
        return (first, _("A step to the right raised the result. A step to the left lowered it."))
    return first, _("A step to the right speaks for “{answer}”. A step to the left speaks against it.").format(
        answer=toward
    )


def _mine(row: Row, wording: Wording) -> str:
    if "input" not in row and "input_level" not in row:
        return ""
    return wording.value(row["feature"], row.get("input"), row.get("input_level"))


def _signed(value: float) -> str:
    return f"{'+' if value >= 0 else '−'}{number(abs(value))}"


def sufficed(snapshot: Snapshot, wording: Wording, rows: Sequence[Row]) -> tuple[str, tuple[str, ...]] | None:
    """(what is said, the facts with the person's own values) of the rule that was enough for the decision; None where
    the snapshot has none for the case, or one of too many facts. The rule's bounds are not told: they may be another
    person's value."""
    _ = wording.translate
    artifact = snapshot.get(ANCHOR)
    if artifact is None:
        return None
    first = rows[0]
    found = [row for row in artifact.table.to_pylist() if row.get("example") == first["example"]]
    heads = [row for row in found if row.get("condition") is None and row.get("decision") == first.get("decision")]
    if not heads:
        return None
    own: Mapping[str, Row] = {row["feature"]: row for row in rows}
    parts = [row for row in found if row["rule"] == heads[0]["rule"] and row.get("condition") is not None]
    names = [row["feature"] for row in parts if row.get("role") != "absent" and row["feature"] in own]
    if not 0 < len(set(names)) <= FEW:
        return None
    told = (
        _("These facts alone were enough for the answer. No other fact could have changed it.")
        if heads[0].get("proven")
        else _("These facts alone were nearly always enough for the answer.")
    )
    facts = []
    for name in dict.fromkeys(names):
        mine = _mine(own[name], wording)
        facts.append(f"{wording.label(name)}: {mine}" if mine else wording.label(name))
    return told, tuple(facts)
