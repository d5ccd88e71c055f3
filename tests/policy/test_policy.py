"""One definition makes the parser and the schema: what the one takes the other takes, what it refuses it refuses."""

from __future__ import annotations

import datetime as dt
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from showcause.core.errors import PolicyError
from showcause.policy.grammar import Section, Word, plain
from showcause.policy.policy import SECTIONS, TOP, Policy, schema

VALIDATOR = Draft202012Validator(schema(), format_checker=FormatChecker())
LIMIT = {"artifact": "importance/shap", "max": 0.1, "side": "high"}
WAIVER = {"code": "SC011", "by": "Ada", "reason": "known", "until": dt.date(2026, 12, 31)}
REVIEW = {"when": ["changed", "warn"], "role": "reviewer"}
REQUIREMENT = {"asked_by": "subject", "question": "Why me?", "artifacts": ["attribution/tree_shap"]}

GOOD: list[dict[str, Any]] = [
    {},
    {"mode": "enforce"},
    {"mode": "advise", "until": dt.date(2026, 12, 31)},
    {"mode": "advise", "until": "2026-12-31"},
    {"cant_tell": "warn", "baseline": "champion"},
    {"limits": {"small": LIMIT}},
    {"limits": {"up": {"artifact": "dependence/ale", "monotone": "increasing", "tolerance": 0}}},
    {"limits": {"steady": {"artifact": "importance/shap", "max_change": 0.1, "where": {"feature": "sex", "rank": 1}}}},
    {"review": {"second": REVIEW}},
    {"waiver": [WAIVER, {**WAIVER, "subject": "small"}]},
    {"requirement": [{**REQUIREMENT, "rows": 3, "errors": True, "law": "GDPR 15(1)(h)"}]},
    {"require": {"inputs": ["y"], "check": ["model"]}, "decision": {"threshold": 0.5, "favourable": 1}},
    {"features": {"sex": {"values": {"f": "women"}}}, "methods": {"dependence/ale": {"bins": 4, "rows": [1, {}]}}},
]
BAD: list[dict[str, Any]] = [
    {"mode": "strict"},
    {"mode": "advise"},
    {"until": "soon"},
    {"until": "2026-02"},
    {"until": 3},
    {"unknown": {}},
    {"limits": {"none": {"artifact": "importance/shap"}}},
    {"limits": {"sided": {"artifact": "importance/shap", "max": 1}}},
    {"limits": {"typo": {**LIMIT, "maxx": 1}}},
    {"limits": {"nameless": {"max": 1, "side": "low"}}},
    {"limits": {"side": {**LIMIT, "side": "left"}}},
    {"limits": {"text": {**LIMIT, "max": "1"}}},
    {"limits": {"flag": {**LIMIT, "max": True}}},
    {"limits": {"nested": {**LIMIT, "where": {"feature": ["a"]}}}},
    {"limits": {"alone": {"artifact": "a", "min": 0, "side": "low", "tolerance": 1}}},
    {"limits": LIMIT},
    {"limits": []},
    {"review": {"who": {"when": ["changed"]}}},
    {"review": {"who": {**REVIEW, "when": ["sometimes"]}}},
    {"review": {"who": {**REVIEW, "count": 0}}},
    {"waiver": WAIVER},
    {"waiver": [{**WAIVER, "until": "never"}]},
    {"waiver": [{key: WAIVER[key] for key in ("code", "by", "until")}]},
    {"requirement": [{**REQUIREMENT, "asked_by": "nobody"}]},
    {"requirement": [{**REQUIREMENT, "artifacts": "attribution/tree_shap"}]},
    {"requirement": [{**REQUIREMENT, "rows": 1.5}]},
    {"decision": {"threshold": 1}},
    {"decision": {"threshold": 0}},
    {"require": {"inputs": ["labels"]}},
    {"require": {"check": ["everything"]}},
    {"privacy": {"rows": "some"}},
    {"model": "credit"},
    {"data": {"protected": [1]}},
    {"features": {"sex": "f"}},
    {"methods": {"dependence/ale": 3}},
]


@pytest.mark.parametrize("value", GOOD, ids=str)
def test_parser_and_schema_take(value: dict[str, Any]) -> None:
    assert Policy.of(value).digest
    assert list(VALIDATOR.iter_errors(plain(value))) == []


@pytest.mark.parametrize("value", BAD, ids=str)
def test_parser_and_schema_refuse(value: dict[str, Any]) -> None:
    with pytest.raises(PolicyError):
        Policy.of(value)
    assert list(VALIDATOR.iter_errors(plain(value)))


def _values(word: Word) -> st.SearchStrategy[Any]:
    right = {
        "text": st.sampled_from(word.choices) if word.choices else st.text(max_size=3),
        "texts": st.lists(st.sampled_from(word.choices) if word.choices else st.text(max_size=3), max_size=2),
        "number": st.floats(-2, 2),
        "whole": st.integers(-1, 3),
        "flag": st.booleans(),
        "date": st.dates(),
        "scalar": st.one_of(st.text(max_size=3), st.booleans(), st.integers(0, 3)),
        "pairs": st.dictionaries(st.text(max_size=2), st.integers(0, 3), max_size=2),
        "range": st.lists(st.integers(0, 3), max_size=3).map(sorted),
        "groups": st.lists(st.lists(st.text(max_size=2), max_size=3), max_size=2),
    }[word.type]
    return st.one_of(right, right, right, st.sampled_from(["x", True, 5, [], {}, [3], {"a": [1]}]))


def _entries(section: Section) -> st.SearchStrategy[Any]:
    if section.words is None:
        return st.just({})
    words = {name: _values(word) for name, word in section.words.items()}
    needed = {name: words.pop(name) for name, word in section.words.items() if word.required}
    one = st.fixed_dictionaries(needed, optional=words)
    shapes = {"one": one, "named": st.dictionaries(st.just("n"), one), "list": st.lists(one, max_size=2)}
    return shapes[section.shape]


FILES = st.fixed_dictionaries(
    {},
    optional={
        **{name: _values(word) for name, word in TOP.items()},
        **{name: _entries(section) for name, section in SECTIONS.items()},
    },
)


@settings(max_examples=400, deadline=None)
@given(FILES)
def test_parser_and_schema_agree_on_any_file(value: dict[str, Any]) -> None:
    try:
        Policy.of(value)
        taken = True
    except PolicyError:
        taken = False
    assert taken == VALIDATOR.is_valid(plain(value))


def test_the_schema_is_a_schema_and_every_word_of_it_says_what_it_means() -> None:
    Draft202012Validator.check_schema(schema())
    words = [word for section in SECTIONS.values() for word in (section.words or {}).values()]
    assert all(word.doc.endswith(".") for word in [*words, *TOP.values()])


@pytest.mark.parametrize("number", ["nan", "inf", "1e400"])
def test_numbers_that_json_cannot_write_are_refused_by_the_parser(number: str) -> None:
    with pytest.raises(PolicyError, match="must be a finite number"):
        Policy.of(tomllib.loads(f'[limits.a]\nartifact = "b"\nside = "low"\nmin = {number}'))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"mode": "advise"}, 'mode = "advise" asks for until'),
        ({"limits": {"a": {"artifact": "b", "max": 1}}}, r"\[limits.a\]: max asks for side beside it: Which side"),
        ({"limits": {"a": {"artifact": "b"}}}, r"\[limits.a\] must say one of: min, max, monotone, max_change"),
        ({"waiver": [{}]}, r"\[\[waiver\]\] number 1: code is missing"),
        ({"limit": {}}, "did you mean 'limits'"),
    ],
)
def test_an_error_says_where_and_what_to_do(value: dict[str, Any], said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        Policy.of(value)


def test_a_day_in_toml_and_as_text_are_one_policy() -> None:
    toml = tomllib.loads('mode = "advise"\nuntil = 2026-12-31')
    assert Policy.of(toml).digest == Policy.of({"mode": "advise", "until": "2026-12-31"}).digest


def test_advise_ends_with_its_day() -> None:
    policy = Policy.of({"mode": "advise", "until": "2026-12-31"})
    assert [policy.mode_on(day) for day in ("2026-12-31", "2027-01-01")] == ["advise", "enforce"]


def test_what_asks_nothing_is_known_as_such() -> None:
    says = {"model": {"owner": "Ada"}, "data": {"label": "y"}, "waiver": [WAIVER]}
    assert not Policy.of(says).asks
    assert not Policy.of({"limits": {}, "require": {"artifacts": []}}).asks
    assert all(Policy.of(value).asks for value in ({"limits": {"a": LIMIT}}, {"require": {"inputs": ["y"]}}))


def test_what_is_no_policy_is_said_by_its_type() -> None:
    with pytest.raises(PolicyError, match="not a int"):
        Policy.of(3)  # type: ignore[arg-type]
