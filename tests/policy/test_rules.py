"""What limits, curves, requirements and changes come to, on tables with known answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from showcause.core import kinds
from showcause.core.artifact import Artifact
from showcause.core.diff import Change, Diff
from showcause.core.finding import Outcome
from showcause.core.snapshot import Manifest, Record, Snapshot, Status
from showcause.policy.checks import find
from showcause.policy.facts import Facts
from showcause.policy.policy import Policy
from showcause.store.memory import MemoryStore

IMPORTANCE = {
    "feature": ["income", "debt", "sex"], "value": [0.6, 0.3, 0.1],
    "low": [0.5, 0.2, 0.05], "high": [0.7, 0.4, 0.2], "noise": "rows", "rank_low": [1, 1, 3], "rank_high": [2, 2, 3],
}  # fmt: skip
CURVE = {
    "feature": ["income"] * 4, "at": [3.0, 1.0, 2.0, 4.0], "value": [0.3, 0.1, 0.25, 0.2],
    "low": [0.2, 0.0, 0.15, 0.1], "high": [0.4, 0.2, 0.35, 0.3],
}  # fmt: skip
SCORE = {"segment": ["sex", "all"], "metric": ["disparate_impact", "accuracy"], "value": [0.85, 0.9],
         "low": [0.7, 0.88], "high": [1.0, 0.92]}  # fmt: skip
CALIBRATION = {"feature": ["prediction"] * 2, "segment": ["sex = f"] * 2, "at": [0.2, 0.6], "value": [0.25, 0.5],
               "low": [0.1, 0.4], "high": [0.4, 0.58]}  # fmt: skip


def snapshot(context: Mapping[str, str] | None = None, **tables: tuple[str, Mapping[str, Any]]) -> Snapshot:
    """Of artifacts made by hand: name → (kind, columns)."""
    store = MemoryStore()
    digests = {}
    for name, (kind, columns) in tables.items():
        artifact = Artifact(name.replace("__", "/"), kind, {"rows": {"count": 80}}, kinds.build(kind, dict(columns)))
        for data in artifact.objects():
            store.put(data)
        digests[artifact.name] = artifact.digest
    data = {"order": ["income", "debt", "sex"], "context": dict(context or {"race": "d"})}
    statuses = {**{name: Status("ok") for name in digests}, "model/roc": Status("not-applicable", "a regression")}
    manifest = Manifest({}, data, {}, tuple(digests), statuses, digests)
    store.put(manifest.document)
    record = Record(manifest.digest, "", 0, None, "2026-11-22T00:00:00+00:00", "me", None)
    return Snapshot(manifest, record, store, "made")


MADE = snapshot(
    importance__shap=("importance", IMPORTANCE),
    dependence__ale=("curve", CURVE),
    segments__fairness=("score", SCORE),
    segments__calibration=("curve", CALIBRATION),
)


def said(code: str, rules: Mapping[str, Any], made: Snapshot = MADE, **facts: Any) -> Outcome:
    (found,) = find()[code](Facts("made", "2026-11-22", Policy.of(rules), made, **facts))
    return found


def limit(**words: Any) -> Outcome:
    words = {"side": "value", **words} if {"min", "max"} & set(words) else words
    code = "SC012" if "monotone" in words else "SC011"
    return said(code, {"limits": {"it": {"artifact": "importance/shap", **words}}})


SEX = {"feature": "sex"}


@pytest.mark.parametrize(
    ("words", "result"),
    [
        ({"where": SEX, "max": 0.1}, "pass"),
        ({"where": SEX, "max": 0.09}, "fail"),
        ({"where": SEX, "max": 0.1, "side": "high"}, "fail"),
        ({"where": SEX, "max": 0.2, "side": "worst"}, "pass"),
        ({"where": SEX, "max": 0.1001, "as": "share"}, "pass"),
        ({"where": SEX, "max": 0.18, "as": "share", "side": "high"}, "fail"),  # 0.2 / (0.2 + 0.9) = 0.1818
        ({"where": SEX, "max": 0.182, "as": "share", "side": "high"}, "pass"),
        ({"where": SEX, "min": 3, "as": "rank"}, "pass"),
        ({"where": {"feature": "debt"}, "min": 2, "as": "rank"}, "pass"),
        ({"where": {"feature": "debt"}, "min": 2, "as": "rank", "side": "low"}, "fail"),  # it may be the first
        ({"max": 0.5}, "fail"),  # every row must hold
        ({"max": 0.6}, "pass"),
        ({"min": 0.1, "max": 0.6}, "pass"),
        ({"where": {"feature": "race"}, "max": 0.0}, "pass"),  # a column that the model never sees
        ({"where": {"feature": "race"}, "min": 0.1}, "fail"),
        ({"where": {"feature": "rase"}, "max": 0.0}, "cant-tell"),
        ({"where": {"colour": "red"}, "max": 0.0}, "cant-tell"),
        ({"column": "nothing", "max": 0.0}, "cant-tell"),
        ({"column": "feature", "max": 0.0}, "cant-tell"),
        ({"column": "rank_high", "max": 3}, "pass"),
        ({"artifact": "importance/gone", "max": 1}, "cant-tell"),
        ({"artifact": "model/roc", "max": 1}, "cant-tell"),
        ({"artifact": "segments/fairness", "as": "share", "max": 1}, "cant-tell"),
        ({"artifact": "segments/fairness", "where": {"metric": "disparate_impact"}, "min": 0.8, "max": 1.25}, "pass"),
        (
            {"artifact": "segments/fairness", "where": {"metric": "disparate_impact"}, "min": 0.8, "side": "low"},
            "fail",
        ),
        ({"artifact": "segments/fairness", "where": {"segment": "all"}, "min": 0.9}, "pass"),
        ({"artifact": "segments/calibration", "as": "gap", "max": 0.1}, "pass"),
        ({"artifact": "segments/calibration", "as": "gap", "max": 0.19, "side": "worst"}, "fail"),  # 0.2 off, each
        ({"artifact": "segments/calibration", "as": "gap", "max": 0.021, "side": "low"}, "pass"),
        ({"artifact": "segments/calibration", "as": "gap", "max": 0.01, "side": "low"}, "fail"),  # 0.6 against 0.58
        ({"where": SEX, "max": 0.0, "severity": "warn"}, "warn"),
    ],
    ids=str,
)
def test_a_limit(words: dict[str, Any], result: str) -> None:
    assert limit(**words).outcome == result, limit(**words)


@pytest.mark.parametrize(
    ("words", "result"),
    [
        ({"monotone": "increasing"}, "fail"),  # 0.1, 0.25, 0.3, 0.2: it falls by 0.1 at the end
        ({"monotone": "increasing", "tolerance": 0.0999}, "fail"),
        ({"monotone": "increasing", "tolerance": 0.1001}, "pass"),
        ({"monotone": "decreasing", "tolerance": 0.19}, "fail"),  # it rises by 0.2 all in all, by 0.15 at most at once
        ({"monotone": "decreasing", "tolerance": 0.201}, "pass"),
        ({"monotone": "increasing", "side": "low"}, "pass"),  # 0.2 at least, 0.3 at most: the errors overlap
        ({"monotone": "increasing", "side": "worst", "tolerance": 0.29}, "fail"),  # 0.4 at most, 0.1 at least
        ({"monotone": "increasing", "side": "worst", "tolerance": 0.31}, "pass"),
        ({"monotone": "increasing", "where": {"feature": "race"}}, "not-applicable"),
        ({"monotone": "increasing", "where": {"feature": "debt"}}, "cant-tell"),
        ({"monotone": "increasing", "artifact": "importance/shap"}, "cant-tell"),
    ],
    ids=str,
)
def test_a_curve_that_must_not_turn_round(words: dict[str, Any], result: str) -> None:
    found = limit(**{"artifact": "dependence/ale", **words})
    assert found.outcome == result, found


def test_small_steps_the_wrong_way_add_up() -> None:
    columns = {"feature": ["a"] * 11, "at": list(range(11)), "value": [1 - 0.01 * i for i in range(11)]}
    made = snapshot(dependence__ale=("curve", columns))
    rule = {"artifact": "dependence/ale", "monotone": "increasing", "tolerance": 0.05}
    found = said("SC012", {"limits": {"it": rule}}, made)
    assert found.outcome == "fail"
    assert "from 0 to 10 it goes 0.1 the other way" in found.message


def test_levels_have_no_order_and_missing_values_stand_apart() -> None:
    levels = {"feature": ["a", "a"], "at_level": ["x", "y"], "value": [1.0, 0.0]}
    rule = {"limits": {"it": {"artifact": "dependence/ale", "monotone": "increasing"}}}
    assert said("SC012", rule, snapshot(dependence__ale=("curve", levels))).outcome == "cant-tell"
    gap = {"feature": ["a"] * 3, "at": [1.0, 2.0, None], "value": [0.0, 1.0, -5.0]}
    assert said("SC012", rule, snapshot(dependence__ale=("curve", gap))).outcome == "pass"


def test_a_value_that_is_not_there_is_cant_tell_with_its_note() -> None:
    few = {"segment": ["a", "b"], "metric": "accuracy", "value": [None, 0.9], "note": ["insufficient: 3 rows", None]}
    rule = {"limits": {"it": {"artifact": "segments/performance", "min": 0.5, "side": "value"}}}
    found = said("SC011", rule, snapshot(segments__performance=("score", few)))
    assert (found.outcome, found.refuses) == ("cant-tell", True)
    assert "insufficient: 3 rows; 1 of 2 rows" in found.message
    beyond = {"limits": {"it": {"artifact": "segments/performance", "min": 0.95, "side": "value"}}}
    assert said("SC011", beyond, snapshot(segments__performance=("score", few))).outcome == "fail"


def test_a_side_without_an_error_is_said() -> None:
    bare = {"feature": ["a"], "value": [0.5]}
    rule = {"limits": {"it": {"artifact": "model/gain", "max": 0.6, "side": "worst"}}}
    found = said("SC011", rule, snapshot(model__gain=("importance", bare)))
    assert found.outcome == "pass"
    assert "no error is stored with it" in found.message


def test_the_evidence_names_the_number() -> None:
    found = limit(where=SEX, max=0.05)
    (number,) = found.evidence
    assert (number.artifact, number.digest) == ("importance/shap", MADE["importance/shap"].digest)
    assert (dict(number.key), number.value, number.low, number.high) == ({"feature": "sex"}, 0.1, 0.05, 0.2)


QUESTION = {"asked_by": "subject", "question": "Why?", "artifacts": ["importance/shap"]}


@pytest.mark.parametrize(
    ("words", "result"),
    [
        ({}, "pass"),
        ({"artifacts": ["importance/gone|importance/shap"]}, "pass"),
        ({"artifacts": ["importance/shap", "importance/gone"]}, "fail"),
        ({"artifacts": ["model/roc"]}, "fail"),
        ({"rows": 3, "explained": 80, "errors": True, "features": True}, "pass"),
        ({"rows": 4}, "fail"),
        ({"explained": 81}, "fail"),
        ({"artifacts": ["dependence/ale"], "features": True}, "fail"),
        ({"artifacts": ["segments/fairness"], "by": ["sex"]}, "fail"),
        ({"artifacts": ["input/y"]}, "fail"),
        ({"rows": 4, "severity": "warn"}, "warn"),
    ],
    ids=str,
)
def test_a_requirement(words: dict[str, Any], result: str) -> None:
    assert said("SC013", {"requirement": [{**QUESTION, **words}]}).outcome == result


def test_a_requirement_says_who_asks_by_which_law_and_what_answers() -> None:
    asked = {**QUESTION, "when": "after a refusal", "law": "GDPR 15(1)(h)"}
    found = said("SC013", {"requirement": [asked]})
    assert found.subject == "Why?"
    assert found.message == "asked by the subject after a refusal (GDPR 15(1)(h)): answered by importance/shap"
    assert [item.artifact for item in found.evidence] == ["importance/shap"]


def moved(**values: float) -> Snapshot:
    columns = {
        **IMPORTANCE,
        "value": [values.get(f, v) for f, v in zip(("income", "debt", "sex"), (0.6, 0.3, 0.1), strict=True)],
    }
    return snapshot(importance__shap=("importance", {k: columns[k] for k in ("feature", "value")}))


def diff(verdict: Any) -> Diff:
    made = Change("importance", "importance/shap", {"feature": "sex"}, 0.1, 0.2, 0.1, 0.01, "refits", 0.01, 0.01,
                  verdict, "it moved")  # fmt: skip
    return Diff({"ref": "a", "id": "a"}, {"ref": "b", "id": "b"}, "", (made,))


@pytest.mark.parametrize(
    ("verdict", "most", "result"),
    [("changed", 0.05, "fail"), ("changed", 0.15, "pass"), ("unchanged", 0.0, "pass"), ("inconclusive", 9, "cant-tell"),
     ("not-comparable", 9, "cant-tell")],
)  # fmt: skip
def test_a_change_is_what_the_diff_says(verdict: str, most: float, result: str) -> None:
    rule = {"limits": {"it": {"artifact": "importance/shap", "where": SEX, "max_change": most}}}
    found = said("SC022", rule, moved(sex=0.2), baseline=moved(), diff=diff(verdict))
    assert found.outcome == result, found


def test_a_change_without_a_diff_or_baseline() -> None:
    rule = {"limits": {"it": {"artifact": "importance/shap", "where": SEX, "max_change": 0.01}}}
    assert said("SC022", rule, moved(sex=0.2)).outcome == "not-applicable"
    assert said("SC022", rule, moved(sex=0.2), baseline=moved()).outcome == "cant-tell"
    assert said("SC022", rule, moved(), baseline=moved()).outcome == "pass"


@pytest.mark.parametrize(("most", "result"), [(0.3, "pass"), (0.01, "fail")])
def test_shares_are_compared_by_their_bounds(most: float, result: str) -> None:
    rule = {"limits": {"it": {"artifact": "importance/shap", "where": SEX, "as": "share", "max_change": most}}}
    assert said("SC022", rule, moved(sex=0.3), baseline=moved()).outcome == result  # 0.25 against 0.1


def test_a_check_that_breaks_refuses() -> None:
    from showcause.policy.check import check

    @check("XX001", "It holds")
    def broken(facts: Facts) -> list[Any]:
        """It breaks."""
        raise RuntimeError("boom")

    (found,) = broken(Facts("made", "2026-11-22", Policy.of({"cant_tell": "warn"}), MADE))
    assert found.refuses
    assert found.message == "the check broke: RuntimeError: boom"
