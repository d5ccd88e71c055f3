"""What a policy may say: one definition, from which the parser and the published JSON Schema are both made.

A `Word` is one line of a section, a `Section` the words that may stand in it. Laws, tested with jsonschema on examples
of both sorts: what the parser takes, the schema takes; what the one refuses, the other refuses. (Three things are left
to the parser alone: numbers that JSON cannot write, whether dates exist, and the order of a range.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from showcause.core.errors import choices

Type = Literal["text", "texts", "number", "whole", "flag", "date", "scalar", "pairs", "range", "groups"]
Shape = Literal["one", "named", "list"]
SCHEMA_ID = "urn:showcause:policy:1"

NAMES: dict[str, tuple[Any, ...]] = {
    "text": (str,),
    "texts": (list, tuple),
    "number": (int, float),
    "whole": (int,),
    "flag": (bool,),
    "date": (date, str),
    "scalar": (str, int, float, bool),
    "pairs": (Mapping,),
    "range": (list, tuple),
    "groups": (list, tuple),
}
SAID = {
    "texts": "a list of text",
    "pairs": "a table",
    "whole": "a whole number",
    "flag": "true or false",
    "range": "two numbers, the least and the most",
    "groups": "a list of lists of text",
}
SCALAR: dict[str, Any] = {"type": ["string", "number", "boolean"]}


@dataclass(frozen=True)
class Word:
    """`type` of its value; `choices` of a text or of each text in a list; numbers from `least`, or strictly between
    `above` and `below`."""

    type: Type
    doc: str
    choices: tuple[str, ...] = ()
    required: bool = False
    least: float | None = None
    above: float | None = None
    below: float | None = None


@dataclass(frozen=True)
class Section:
    """`words` that may stand in it; None: any, with any values. One of `any_of` must be there; a word in `needs` asks
    for others beside it. Shape "named" is a table of such sections by name, "list" a list of them (`[[name]]`)."""

    doc: str
    words: Mapping[str, Word] | None
    shape: Shape = "one"
    any_of: tuple[str, ...] = ()
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def problems(section: Section, value: Any, where: str) -> Iterator[str]:
    """Everything in `value` that `section` does not allow, each in words that begin with `where`."""
    if section.shape == "list":
        if not isinstance(value, list | tuple):
            yield f"{where} must be a list of sections, written [{where.rpartition(' ')[2]}], got {value!r}"
            return
        for number, entry in enumerate(value, 1):
            yield from _entry(section, entry, f"{where} number {number}")
        return
    if not isinstance(value, Mapping):
        yield f"{where} must be a section, got {value!r}"
    elif section.shape == "named":
        for name, entry in value.items():
            yield from _entry(section, entry, f"{where.removesuffix(']')}.{name}]")
    else:
        yield from _entry(section, value, where)


def _entry(section: Section, value: Any, where: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{where} must be a section, got {value!r}"
        return
    if section.words is None:
        return
    for word, given in value.items():
        if word in section.words:
            yield from word_problems(section.words[word], given, f"{where}: {word} = {given!r}")
        else:
            yield f"{where}: unknown word: {choices(word, section.words)}"
    for word, known in section.words.items():
        if known.required and word not in value:
            yield f"{where}: {word} is missing: {known.doc}"
    if section.any_of and not any(word in value for word in section.any_of):
        yield f"{where} must say one of: {', '.join(section.any_of)}"
    for word, others in section.needs.items():
        for other in others if word in value else ():
            if other not in value:
                yield f"{where}: {word} asks for {other} beside it: {section.words[other].doc}"


def word_problems(word: Word, given: Any, where: str) -> Iterator[str]:
    """What is wrong with one value."""
    wanted = NAMES[word.type]
    if not isinstance(given, wanted) or (isinstance(given, bool) and bool not in wanted):
        yield f"{where} must be {SAID.get(word.type) or ' or '.join(t.__name__ for t in wanted)}"
        return
    if word.type == "texts" and not all(isinstance(item, str) for item in given):
        yield f"{where} must be a list of text"
    elif word.type == "pairs" and not all(isinstance(v, str | int | float) for v in given.values()):
        yield f"{where} must be a table of text, numbers, true or false"
    elif word.type == "date" and not is_date(given):
        yield f"{where} must be a day such as 2026-12-31"
    elif word.type == "range" and not _is_range(given):
        yield f"{where} must be {SAID['range']}"
    elif word.type == "groups" and not all(_is_group(group) for group in given):
        yield f"{where} must be {SAID['groups']}, at least two in each"
    for item in given if word.type == "texts" else [given]:
        if word.choices and item not in word.choices:
            yield f"{where}: {choices(item, word.choices)}"
    if isinstance(given, int | float) and not isinstance(given, bool):
        yield from _range_problems(word, given, where)


def _range_problems(word: Word, given: float, where: str) -> Iterator[str]:
    if not math.isfinite(given):
        yield f"{where} must be a finite number"
    elif word.least is not None and given < word.least:
        yield f"{where} must be at least {word.least:g}"
    elif (word.above is not None and given <= word.above) or (word.below is not None and given >= word.below):
        ends = [f"above {word.above:g}"] if word.above is not None else []
        ends += [f"below {word.below:g}"] if word.below is not None else []
        yield f"{where} must lie {' and '.join(ends)}"


def _is_range(given: Any) -> bool:
    real = all(isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in given)
    return real and len(given) == 2 and bool(given[0] <= given[1])


def _is_group(given: Any) -> bool:
    return isinstance(given, list | tuple) and len(given) > 1 and all(isinstance(item, str) for item in given)


def is_date(given: Any) -> bool:
    """A day without a time, as TOML or ISO 8601 text has it."""
    if isinstance(given, str):
        try:
            return date.fromisoformat(given).isoformat() == given
        except ValueError:
            return False
    return isinstance(given, date) and not isinstance(given, datetime)


def plain(value: Any) -> Any:
    """The same as JSON has it: dates as text, sequences as lists."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def schema(top: Mapping[str, Word], sections: Mapping[str, Section], rules: list[dict[str, Any]]) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the whole file."""
    properties = {name: _word_schema(word) for name, word in top.items()}
    properties |= {name: _section_schema(section) for name, section in sections.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "showcause.toml",
        "description": "What showcause should know of a model and its data, and what must hold before it ships.",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "allOf": rules,
    }


def _section_schema(section: Section) -> dict[str, Any]:
    one = _entry_schema(section)
    if section.shape == "named":
        return {"type": "object", "description": section.doc, "additionalProperties": one}
    if section.shape == "list":
        return {"type": "array", "description": section.doc, "items": one}
    return {**one, "description": section.doc}


def _entry_schema(section: Section) -> dict[str, Any]:
    if section.words is None:
        return {"type": "object"}
    made: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _word_schema(word) for name, word in section.words.items()},
    }
    if required := [name for name, word in section.words.items() if word.required]:
        made["required"] = required
    if section.any_of:
        made["anyOf"] = [{"required": [word]} for word in section.any_of]
    if section.needs:
        made["dependentRequired"] = {word: list(others) for word, others in section.needs.items()}
    return made


def _word_schema(word: Word) -> dict[str, Any]:
    chosen: dict[str, Any] = {"enum": list(word.choices)} if word.choices else {}
    made: dict[str, Any] = {
        "text": {"type": "string", **chosen},
        "texts": {"type": "array", "items": {"type": "string", **chosen}},
        "number": {"type": "number"},
        "whole": {"type": "integer"},
        "flag": {"type": "boolean"},
        "date": {"type": "string", "format": "date", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
        "scalar": dict(SCALAR),
        "pairs": {"type": "object", "additionalProperties": dict(SCALAR)},
        "range": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
        "groups": {"type": "array", "items": {"type": "array", "items": {"type": "string"}, "minItems": 2}},
    }[word.type]
    ends = {"minimum": word.least, "exclusiveMinimum": word.above, "exclusiveMaximum": word.below}
    return {**made, **{key: end for key, end in ends.items() if end is not None}, "description": word.doc}
