"""Reasons in words: the code and the sentence of each column that speaks for a decision.

A reason states two facts, the person's value and what is usual in the reference population, and never that one would
cause the other. What is usual is an aggregate that the artifact vouches for (its spec's k); no other row is ever said.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from showcause.core.snapshot import Snapshot
from showcause.views.messages import Translate
from showcause.views.words import Words, clean, short

Row = Mapping[str, Any]
NAME, VALUE = 60, 80  # characters of a label and of a value: what people type has no end
FALLS_TO = {"higher": "high", "lower": "low"}


@dataclass(frozen=True)
class Wording:
    """`texts`: the policy's [reasons]; `kinds`: the columns' types, as the artifact's spec has them."""

    words: Words
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    translate: Translate = str
    _fixed: dict[Any, tuple[str, str]] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, snapshot: Snapshot, spec: Mapping[str, Any], translate: Translate = str) -> Wording:
        return cls(
            Words.of(snapshot.dictionary), snapshot.manifest.data.get("reasons", {}), spec.get("kinds", {}), translate
        )

    def code(self, feature: str, side: str) -> str:
        """The policy's code; without one the column's name, with "-high" or "-low" where its value is."""
        given = self.texts.get(feature, {})
        which = FALLS_TO.get(side, "")
        own = given.get(f"code_{which}") or given.get("code")
        return str(own or (f"{feature}-{which}" if which else f"{feature}-missing" if side == "missing" else feature))

    def fixed(self, row: Row) -> tuple[str, str]:
        """(label, what is usual) of the row's feature, which are the same for every person."""
        key = (row["feature"], row.get("reference"), row.get("reference_level"))
        if key not in self._fixed:
            self._fixed[key] = (self.label(row["feature"]), self.usual(row))
        return self._fixed[key]

    def label(self, feature: str) -> str:
        return short(self.words.label(feature), NAME)

    def value(self, feature: str, number: float | None, level: str | None) -> str:
        """A cell in words, with its unit; dates as ISO 8601 has them."""
        _ = self.translate
        kind = self.kinds.get(feature)
        coded = self.words.entry(feature).get("values", {})
        if level is not None:
            if kind == "bool" and level not in coded:
                return _("yes") if level == "true" else _("no")
            return short(str(coded.get(level, level)), VALUE)
        if number is None:
            return _("not known")
        if kind in ("date", "timestamp"):
            return _day(number)
        if kind == "duration":
            return _("{n} days").format(n=self.words.amount(feature, number))
        said = short(self.words.level(feature, number), VALUE)
        unit = "" if self.words.coded(feature, [float(number)]) else str(self.words.entry(feature).get("unit", ""))
        return _with(said, short(unit, 30), _)

    def quoted(self, feature: str, number: float | None, level: str | None) -> str:
        said = self.value(feature, number, level)
        return said if level is None or self.kinds.get(feature) == "bool" else f"“{said}”"

    def usual(self, row: Row) -> str:
        """What is usual among the others; of a time its month; "" where nothing is."""
        number, level = row.get("reference"), row.get("reference_level")
        if number is None and level is None:
            return ""
        if self.kinds.get(row["feature"]) in ("date", "timestamp") and number is not None:
            return _day(number)[:7]
        return self.quoted(row["feature"], number, level)

    def sentence(self, row: Row) -> str:
        """The reason as one line of short sentences, with both values as far as they are known."""
        _ = self.translate
        feature, side = row["feature"], row["side"]
        own = self.texts.get(feature, {})
        head = own.get(f"text_{FALLS_TO.get(side, '')}") or own.get("text")
        known = "input" in row or "input_level" in row
        mine = self.quoted(feature, row.get("input"), row.get("input_level")) if known else ""
        label, theirs = self.fixed(row)
        parts = {"label": head or label, "mine": mine, "theirs": theirs}
        usual = row.get("reference")
        if usual is not None and not self.words.coded(feature, [float(usual)]):
            told = _of_number(_, side, known, parts)
        else:
            told = _of_level(_, side, known, parts)
        return str(clean(told.format(**parts)))


def _of_number(_: Translate, side: str, known: bool, parts: Mapping[str, str]) -> str:
    if side == "missing":
        return _("{label}: yours is not known. Theirs is about {theirs}.")
    if not known:
        templates = {
            "higher": _("{label}: yours is higher than theirs. Theirs is about {theirs}."),
            "lower": _("{label}: yours is lower than theirs. Theirs is about {theirs}."),
        }
        return templates.get(side, _("{label}: yours is close to the middle of theirs, {theirs}."))
    if side == "same":
        return _("{label}: yours is {mine}. That is the middle of theirs.")
    if parts["mine"] == parts["theirs"]:
        higher, lower = (
            _("{label}: yours is {mine}. Theirs is slightly lower."),
            _("{label}: yours is {mine}. Theirs is slightly higher."),
        )
        return higher if side == "higher" else lower
    return _("{label}: yours is {mine}. Theirs is about {theirs}.")


def _of_level(_: Translate, side: str, known: bool, parts: Mapping[str, str]) -> str:
    if side == "missing":
        if parts["theirs"]:
            return _("{label}: yours is not known. Most often, theirs is {theirs}.")
        return _("{label}: yours is not known.")
    if not parts["theirs"]:
        return _("{label}: yours is {mine}. Theirs vary.") if known else _("{label}: theirs vary.")
    if side == "same":
        if known:
            return _("{label}: yours is {mine}. That is common among theirs, but not all have it.")
        return _("{label}: yours is common among theirs, but not all have it.")
    if known:
        return _("{label}: yours is {mine}. Most often, theirs is {theirs}.")
    return _("{label}: yours is not what theirs most often is: {theirs}.")


def _day(days: float) -> str:
    return (datetime.date(1970, 1, 1) + datetime.timedelta(days=int(days // 1))).isoformat()


def _with(said: str, unit: str, _: Translate) -> str:
    """A number with its unit: "45 %", "$2,300 a month", "360 months", "128 (in $1,000)"."""
    if not unit:
        return said
    if unit[0] in "$€£¥" and not any(character.isdigit() for character in unit):
        return f"{unit[0]}{said}{unit[1:]}" if unit[1:2] in ("", " ") else f"{said} {unit}"
    if any(character.isdigit() for character in unit):
        return _("{n} (in {unit})").format(n=said, unit=unit)
    return f"{said}\u00a0{unit}"


def ordered(rows: Sequence[Row]) -> list[Row]:
    """The reasons of one row, the weightiest first; of a tie the larger value, then the column's place."""
    ranked = [row for row in rows if row.get("rank") is not None]
    return sorted(ranked, key=lambda row: (row["rank"], -abs(row["value"])))


def ties(places: Sequence[int], more: bool, translate: Translate) -> list[str]:
    """Which of the reasons, numbered as they are listed, weigh the same; whether one that is not listed does."""
    _ = translate
    found = []
    for place in dict.fromkeys(places):
        same = [number for number, other in enumerate(places, 1) if other == place]
        if len(same) == len(places) > 1:
            found.append(_("All of these count about the same."))
        elif len(same) == 2:
            found.append(_("Reasons {a} and {b} count about the same.").format(a=same[0], b=same[1]))
        elif len(same) > 2:
            found.append(_("Reasons {a} to {b} count about the same.").format(a=same[0], b=same[-1]))
    if more:
        found.append(_("Other facts count as much as the last of these."))
    return found
