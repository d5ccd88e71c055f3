"""What recourse may change in a row, and how far: the roles and the dictionary of a Dataset as rules on cells.

Law: a change that `Allowed` permits leaves every protected, immutable and not actionable feature as it is, goes only
the way that its feature can, stays within its range and among the values seen, and keeps every linear constraint.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from showcause.adapters.dataset import Dataset
from showcause.adapters.frame import Rows
from showcause.core.errors import DataError, choices

DIRECTIONS = {"increase": 1, "decrease": -1}
TERM = re.compile(r"\s*([+-])?\s*(?:(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*(\*)?\s*)?(`[^`]+`|[^\W\d][\w.]*)?")
SENSE = re.compile(r"<=|>=|==|=")
SLACK = 1e-9  # of a linear constraint, relative to its terms: sums are rounded


@dataclass(frozen=True)
class Linear:
    """sum of coefficient × feature <= most, and >= least where that is finite."""

    text: str
    terms: Mapping[str, float]
    least: float
    most: float

    def holds(self, values: Mapping[str, Rows]) -> Rows:
        """(rows,) whether it holds; True where a value that it speaks of is missing."""
        total: Any = sum(coefficient * values[name] for name, coefficient in self.terms.items())
        size: Any = sum(np.abs(coefficient * values[name]) for name, coefficient in self.terms.items())
        slack = SLACK * (size + 1.0)
        return np.asarray(np.isnan(total) | ((total <= self.most + slack) & (total >= self.least - slack)))


@dataclass(frozen=True)
class Allowed:
    """`frozen` name → why it never changes; `direction` name → 1 or -1; `ranges` name → (least, most)."""

    frozen: Mapping[str, str]
    direction: Mapping[str, int]
    ranges: Mapping[str, tuple[float, float]]
    linear: tuple[Linear, ...]

    @property
    def document(self) -> dict[str, Any]:
        """For the spec."""
        words = {sign: word for word, sign in DIRECTIONS.items()}
        return {
            "never_changed": dict(self.frozen),
            "direction": {name: words[sign] for name, sign in self.direction.items()},
            "range": {name: list(ends) for name, ends in self.ranges.items()},
            "linear": [rule.text for rule in self.linear],
        }


def allowed(data: Dataset) -> Allowed:
    """The rules that the data were given with. Raises DataError for one that cannot be meant."""
    names = data.X.names
    frozen = {name: "not actionable" for name in names if data.actionable is not None and name not in data.actionable}
    frozen |= {name: "immutable" for name in data.immutable if name in names}
    frozen |= {name: "protected" for name in data.protected if name in names}
    direction: dict[str, int] = {}
    ranges: dict[str, tuple[float, float]] = {}
    for name in names:
        entry = data.features.get(name, {})
        for word in ("monotone", "range"):
            if word in entry and not data.X.column(name).is_number:
                raise DataError(f"{name} is no number: it can have no {word}")
        if "monotone" in entry:
            if entry["monotone"] not in DIRECTIONS:
                raise DataError(f"monotone of {name}: {choices(entry['monotone'], DIRECTIONS)}")
            direction[name] = DIRECTIONS[entry["monotone"]]
        if "range" in entry:
            least, most = (float(end) for end in entry["range"])
            if not least <= most:
                raise DataError(f"range of {name}: the least, {least:g}, is above the most, {most:g}")
            ranges[name] = (least, most)
    rules = [linear(text, data) for text in data.constraints]
    rules += [_one_of(group, data) for group in data.one_hot]
    return Allowed(frozen, direction, ranges, tuple(rules))


def _one_of(group: tuple[str, ...], data: Dataset) -> Linear:
    for name in group:
        values = data.X.column(name).values
        if not np.isin(values[~np.isnan(values)], (0.0, 1.0)).all():
            raise DataError(f"one_hot: {name} holds other values than 0 and 1")
    return linear(f"{' + '.join(f'`{name}`' for name in group)} = 1", data)


def linear(text: str, data: Dataset) -> Linear:
    """ "a + 2 * b <= 0.5 * c + 10" over numeric features of X; names that are no words stand in backticks.

    Raises DataError.
    """
    parts = SENSE.split(text)
    if len(parts) != 2:
        raise DataError(f"constraint {text!r}: give two sums with one of <=, >= or = between them")
    sense = SENSE.findall(text)[0]
    left, right = (_sum(part, text) for part in parts)
    terms = {name: left[0].get(name, 0.0) - right[0].get(name, 0.0) for name in {**left[0], **right[0]}}
    for name in terms:
        if name not in data.X.names:
            raise DataError(f"constraint {text!r}: no such feature: {choices(name, data.X.names)}")
        if not data.X.column(name).is_number and set(data.X.column(name).levels) - {"false", "true"}:
            raise DataError(f"constraint {text!r}: {name} is no number")
    if not terms:
        raise DataError(f"constraint {text!r} speaks of no feature")
    bound = right[1] - left[1]
    least = -np.inf if sense == "<=" else bound
    most = np.inf if sense == ">=" else bound
    return Linear(text, terms, least, most)


def _sum(text: str, whole: str) -> tuple[dict[str, float], float]:
    """(feature → coefficient, constant) of a sum of terms."""
    terms: dict[str, float] = {}
    constant, at, text = 0.0, 0, text.strip()
    while at < len(text):
        found = TERM.match(text, at)
        sign, factor, star, name = found.groups() if found else (None, None, None, None)
        if (
            found is None
            or (factor is None and name is None)
            or (at and not sign)
            or bool(star) != bool(factor and name)
        ):
            raise DataError(f"constraint {whole!r}: cannot read {text[at:]!r}; write sums such as a + 2 * b")
        value = (-1.0 if sign == "-" else 1.0) * (1.0 if factor is None else float(factor))
        if name is None:
            constant += value
        else:
            terms[name.strip("`")] = terms.get(name.strip("`"), 0.0) + value
        at = found.end()
        while at < len(text) and text[at].isspace():
            at += 1
    return terms, constant
