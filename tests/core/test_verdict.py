"""A verdict is a document: what it says follows from its outcomes, and it vouches for one snapshot under one policy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from showcause.core import canonical
from showcause.core.errors import Corrupt
from showcause.core.finding import RESULTS, Evidence, Outcome
from showcause.core.verdict import Baseline, Verdict, Waiver

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
NUMBER = Evidence("importance/shap", A, {"feature": "sex"}, "value", 0.2, 0.1, None)


def outcome(result: Any = "pass", severity: Any = "fail", **rest: Any) -> Outcome:
    severity = result if result in ("fail", "warn") else severity
    return Outcome(**{"code": "SC010", "subject": "sex", "message": "m", "evidence": (NUMBER,), **rest},
                   outcome=result, severity=severity)  # fmt: skip


def verdict(*outcomes: Outcome, **rest: Any) -> Verdict:
    given = {"ref": "credit/2", "manifest": A, "record": B, "policy": C, "date": "2026-11-22", "baseline": None,
             "mode": "enforce", "outcomes": outcomes or (outcome(),)}  # fmt: skip
    return Verdict(**{**given, **rest})


OUTCOMES = st.builds(
    outcome, st.sampled_from(RESULTS), st.sampled_from(["fail", "warn"]), subject=st.text(), message=st.text()
)
WAIVERS = st.builds(Waiver, st.text(), st.none() | st.text(), st.text(), st.text(), st.dates().map(str))
VERDICTS = st.builds(
    Verdict, st.text(), st.none() | st.just(A), st.none() | st.just(B), st.sampled_from(["", C]), st.dates().map(str),
    st.none() | st.just(Baseline("credit/1", B)), st.sampled_from(["enforce", "advise"]),
    st.lists(OUTCOMES, max_size=4).map(tuple), st.lists(WAIVERS, max_size=2).map(tuple),
)  # fmt: skip


@given(VERDICTS)
def test_reading_a_document_gives_the_verdict_and_nothing_is_blessed_against_its_outcomes(made: Verdict) -> None:
    again = Verdict.read(made.document)
    assert again == made
    assert again.digest == made.digest
    bad = any(o.outcome == "fail" or (o.outcome == "cant-tell" and o.severity == "fail") for o in made.outcomes)
    possible = made.mode == "enforce" and made.manifest and made.policy and made.outcomes
    assert made.blessed == bool(possible and not bad)


@pytest.mark.parametrize(
    ("result", "severity", "blessed"),
    [
        ("pass", "fail", True),
        ("fail", "fail", False),
        ("warn", "warn", True),
        ("cant-tell", "fail", False),
        ("cant-tell", "warn", True),
        ("waived", "fail", True),
        ("not-applicable", "fail", True),
    ],
)
def test_what_refuses(result: str, severity: str, blessed: bool) -> None:
    assert verdict(outcome(result, severity)).blessed is blessed


def test_advise_mode_refuses_nothing_and_blesses_nothing() -> None:
    made = verdict(outcome("fail"), mode="advise")
    assert (made.blessed, made.refused) == (False, False)
    assert verdict(mode="advise").blessed is False
    assert verdict(mode="advise", manifest=None).refused


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("blessed", True),
        ("reasons", []),
        ("mode", "relaxed"),
        ("date", "yesterday"),
        ("date", "20261122"),
        ("policy", "x"),
        ("extra", 1),
        ("outcomes", [{}]),
        ("format", "showcause-verdict/2"),
    ],
)
def test_a_document_that_says_otherwise_is_corrupt(field: str, value: Any) -> None:
    document = canonical.loads(verdict(outcome("fail")).document)
    with pytest.raises(Corrupt):
        Verdict.read(canonical.dumps({**document, field: value}))


def test_a_waiver_covers_its_code_and_subject_until_its_day() -> None:
    waiver = Waiver("SC010", "sex", "Ada", "known", "2026-11-22")
    assert waiver.covers(outcome("fail"))
    assert not waiver.covers(outcome("fail", subject="age"))
    assert not waiver.covers(outcome("fail", code="SC011"))
    assert replace(waiver, subject=None).covers(outcome("fail", subject="age"))
    assert (waiver.runs("2026-11-22"), waiver.runs("2026-11-23")) == (True, False)


def test_a_verdict_vouches_for_its_own_snapshot_under_its_own_policy_only() -> None:
    made = verdict(waivers=(Waiver("SC010", None, "Ada", "known", "2026-12-01"),))

    def codes(**other: str) -> list[str]:
        return [o.code for o in made.objections(**{"manifest": A, "policy": C, "on": "2026-11-22", **other})]

    assert codes() == []
    assert codes(manifest=B) == ["SC007"]
    assert codes(policy=B) == ["SC019"]
    assert codes(on="2026-12-02") == ["SC016"]
    assert [o.code for o in verdict(mode="advise").objections(manifest=A, policy=C, on="2026-11-22")] == ["SC018"]
