"""Candidates ranked, and the history of one model: documents that their views are made from.

Law, tested: Comparison.read(c.document) == c, Trend.read(t.document) == t; equal ones have equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from showcause.core import canonical
from showcause.core.errors import Corrupt

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

COMPARISON = "showcause-comparison/1"
TREND = "showcause-trend/1"


@dataclass(frozen=True)
class Candidate:
    """`value` of the metric with its 95 % interval; `place_low` and `place_high` bound its place: equal ones are
    certain. `delta` ± `error` is its difference from the first; `paired`: measured row by row. One that cannot be
    ranked has a `reason` and no place."""

    ref: str
    id: str
    family: str
    value: float | None
    low: float | None
    high: float | None
    noise: str | None
    place_low: int | None
    place_high: int | None
    delta: float | None
    error: float | None
    paired: bool
    reason: str = ""

    def _repr_html_(self) -> str:
        from showcause.views.notebook import facts_html  # lazy delegation upwards, listed in the layer test

        return facts_html(self)


@dataclass(frozen=True)
class Comparison:
    """Candidates, the best first and those not ranked last; `better` is "less" or "more" of the metric."""

    metric: str
    better: str
    headline: str
    candidates: tuple[Candidate, ...]

    @cached_property
    def document(self) -> bytes:
        return _document(COMPARISON, self, "candidates")

    @classmethod
    def read(cls, document: bytes) -> Comparison:
        """Raises Corrupt for bytes that `document` would not have written."""
        value = _value(COMPARISON, document)
        return _checked(document, lambda: cls(**{**value, "candidates": _each(Candidate, value["candidates"])}))

    def _repr_html_(self) -> str:
        from showcause.views.notebook import facts_html  # lazy delegation upwards, listed in the layer test

        return facts_html(self)


@dataclass(frozen=True)
class Point:
    """One version: the feature's importance with a 95 % band, its place among `of`, and a metric with its interval.
    `noise` says over what each band goes. `comparable` with the point before, or the `reason` why not."""

    ref: str
    id: str
    version: int
    made_at: str
    importance: float | None
    low: float | None
    high: float | None
    noise: str | None
    place: int | None
    of: int | None
    score: float | None
    score_low: float | None
    score_high: float | None
    score_noise: str | None
    comparable: bool
    reason: str = ""

    def _repr_html_(self) -> str:
        from showcause.views.notebook import facts_html  # lazy delegation upwards, listed in the layer test

        return facts_html(self)


@dataclass(frozen=True)
class Trend:
    """The versions of `name`, the oldest first; `measure` is the artifact that the importance comes from."""

    name: str
    feature: str
    measure: str
    metric: str
    headline: str
    points: tuple[Point, ...]
    dictionary: Mapping[str, Any]

    @cached_property
    def document(self) -> bytes:
        return _document(TREND, self, "points")

    @classmethod
    def read(cls, document: bytes) -> Trend:
        """Raises Corrupt for bytes that `document` would not have written."""
        value = _value(TREND, document)
        return _checked(document, lambda: cls(**{**value, "points": _each(Point, value["points"])}))

    def report(self, path: str | PathLike[str]) -> Path:
        """Write the history as one self-contained HTML file and return its path."""
        from showcause.views.trend_page import report  # lazy delegation upwards, listed in the layer test

        return report(self, path)

    def _repr_html_(self) -> str:
        from showcause.views.notebook import facts_html  # lazy delegation upwards, listed in the layer test

        return facts_html(self)


T = TypeVar("T")


def _document(form: str, noun: Any, rows: str) -> bytes:
    body = {field.name: getattr(noun, field.name) for field in fields(noun) if field.name != rows}
    return canonical.dumps({"format": form, **body, rows: [asdict(row) for row in getattr(noun, rows)]})


def _value(form: str, document: bytes) -> dict[str, Any]:
    value = canonical.loads(document)
    if not isinstance(value, dict) or value.pop("format", None) != form:
        raise Corrupt(f"not a document of the format {form}")
    return value


def _each(row: type[T], values: Any) -> tuple[T, ...]:
    return tuple(row(**value) for value in values)


def _checked(document: bytes, make: Any) -> Any:
    try:
        made = make()
        rows = made.candidates if isinstance(made, Comparison) else made.points
        good = all(_typed(noun) for noun in (made, *rows)) and made.document == document
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Corrupt(f"a field is missing, unknown or of the wrong type: {error!r}") from None
    if not good:
        raise Corrupt("a field is of the wrong type")
    return made


TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "bool": (bool,),
    "str | None": (str, type(None)),
    "int | None": (int, type(None)),
    "float | None": (float, int, type(None)),
}


def _typed(noun: Any) -> bool:
    """Whether every plain field holds what its annotation says."""
    wanted = {field.name: TYPES.get(str(field.type), (object,)) for field in fields(noun)}
    return all(isinstance(getattr(noun, name), types) for name, types in wanted.items())
