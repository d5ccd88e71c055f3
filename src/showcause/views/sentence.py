"""Sentences made of a template and the numbers and names that it says, and what a row's interval lets be said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from showcause.views.picture import Row, bounds
from showcause.views.words import clean, number, percent, short


@dataclass(frozen=True)
class Share:
    """A number to be said as a percentage."""

    value: float


@dataclass(frozen=True)
class Place:
    """A number in its feature's own words, such as an input or a place on an axis."""

    text: str
    value: float


@dataclass(frozen=True)
class Sentence:
    """`numbers`: what was said and the value it stands for; `names`: the parts that users typed."""

    text: str
    numbers: tuple[tuple[str, float], ...] = ()
    names: tuple[str, ...] = ()


def say(template: str, **parts: float | int | str | Share | Place) -> Sentence:
    """Fill the template. Its own text holds no digit but in "95 %": every other number is a part."""
    said: dict[str, str] = {}
    numbers: list[tuple[str, float]] = []
    names: list[str] = []
    for name, part in parts.items():
        if f"{{{name}}}" not in template:
            continue
        if isinstance(part, str):
            said[name] = part if name == "names" else short(part, 60)
            names.append(said[name])
        elif isinstance(part, Place):
            said[name] = part.text
            numbers.append((part.text, part.value))
        elif isinstance(part, Share):
            said[name] = percent(part.value)
            numbers.append((said[name], part.value))
        else:
            said[name] = number(part)
            numbers.append((said[name], float(part)))
    return Sentence(clean(template.format(**said)), tuple(numbers), tuple(clean(name) for name in names))


def measured(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["value"] is not None]


def surely(row: Row) -> bool:
    """The value's interval excludes zero; without an interval the value itself decides."""
    low, high = bounds(row)
    if low is None or high is None:
        return bool(row["value"])
    return low > 0 or high < 0


def apart(one: Row, other: Row) -> bool:
    """Both intervals are known and do not overlap."""
    a, b = bounds(one), bounds(other)
    if a[0] is None or a[1] is None or b[0] is None or b[1] is None:
        return False
    return a[0] > b[1] or b[0] > a[1]
