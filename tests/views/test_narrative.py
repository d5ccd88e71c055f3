"""Sentences: every number comes from the record, and nothing is said that the numbers do not carry."""

from __future__ import annotations

import re

import pytest

from showcause.core.artifact import Artifact
from showcause.views.figure import every_choice
from showcause.views.narrative import sentences
from showcause.views.words import number

from . import made

EVERY = made.every([f"feature_{i}" for i in range(30)])
SINGLE = ("attribution", "counterfactual")  # of which a sentence may tell one example
NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?(?:\u00a0%)?")


def texts(artifact: Artifact, audience: str = "engineer", **choice: str) -> list[str]:
    return [s.text for s in sentences(artifact, audience=audience, choice=choice)]


def stated(value: object) -> set[float]:
    """All numbers in a spec."""
    if isinstance(value, dict):
        return set().union(*(stated(v) for v in value.values()))
    return {float(value)} if isinstance(value, int | float) else set()


def record(artifact: Artifact) -> set[str]:
    """Every number of the table and spec, and every possible count of their rows, as it would be said."""
    table = artifact.table
    cells = {abs(v) for name in table.column_names for v in table[name].to_pylist() if isinstance(v, int | float)}
    cells |= {v for name in table.column_names for v in table[name].to_pylist() if isinstance(v, int | float)}
    cells |= stated(dict(artifact.spec)) | {float(i) for i in range(table.num_rows + 1)}
    return {number(v) for v in cells} | {f"{number(float(f'{100 * v:.3g}'))}\u00a0%" for v in cells}


@pytest.mark.parametrize("audience", ["engineer", "officer"])
@pytest.mark.parametrize("artifact", EVERY, ids=lambda a: a.name)
def test_every_number_in_a_sentence_stands_in_the_record(artifact: Artifact, audience: str) -> None:
    known = record(artifact)
    choices = every_choice(artifact)[0]
    for choice in [*choices, {**choices[0], "example": "3"}] if artifact.kind in SINGLE else choices:
        for sentence in sentences(artifact, audience=audience, choice={k: str(v) for k, v in choice.items()}):
            text = sentence.text.replace("95 %", "")
            for name in sorted(sentence.names, key=len, reverse=True):
                text = text.replace(name, "")
            assert set(NUMBER.findall(text)) <= known, sentence.text
            assert all(said in sentence.text for said, _ in sentence.numbers)


def test_the_first_feature_and_its_interval_are_said() -> None:
    said = texts(made.importance(["a", "b"], [0.5, 0.2], half=0.05))
    assert said[0] == "a matters most: 0.5 (95 % from 0.45 to 0.55)."
    assert "Computed on 100 of 1,000 rows." in said


def test_nothing_is_said_to_matter_where_the_interval_includes_zero() -> None:
    said = texts(made.importance(["a", "b"], [0.5, 0.2], half=1.0))
    assert said[0] == "None of them can be told from zero."
    assert not any("matters most" in line for line in said)


def test_overlapping_intervals_leave_the_first_place_open() -> None:
    assert "Which of a and b comes first is not settled." in texts(made.importance(["a", "b"], [0.5, 0.45], half=0.1))
    assert not any("settled" in line for line in texts(made.importance(["a", "b"], [0.5, 0.2], half=0.1)))


def test_stored_ranks_say_what_is_certain() -> None:
    ranked = made.importance(["a", "b", "c"], [0.5, 0.3, 0.2], rank_low=[1, 2, 2], rank_high=[1, 3, 3])
    assert "Ranks that are certain: 1 of 3." in texts(ranked)
    assert "b may stand anywhere from place 2 to 3." in texts(ranked)


def test_a_curve_within_noise_is_not_said_to_change() -> None:
    flat = made.artifact(
        "dependence/pdp",
        "curve",
        {},
        feature="x",
        at=[0.0, 1.0],
        value=[0.1, 0.2],
        low=[0.0, 0.1],
        high=[0.2, 0.3],
        noise="rows",
    )
    assert texts(flat)[0] == "The output does not change with x beyond noise."


def test_an_officer_reads_percentages_and_no_jargon() -> None:
    said = texts(made.curve(["Income"]), "officer")
    assert said == ["The higher Income, the higher the chance of yes: between 10\u00a0% and 50\u00a0%."]
    assert texts(made.performance(), "officer")[0] == "It decides 80\u00a0% of cases correctly."


@pytest.mark.parametrize("artifact", EVERY, ids=lambda a: a.name)
def test_an_officers_sentences_are_short(artifact: Artifact) -> None:
    for line in texts(artifact, "officer"):
        assert all(len(part.split()) <= 20 for part in re.split(r"[.;:] ", line)), line


def test_the_three_noises_are_told_apart() -> None:
    found = set()
    for noise in ("rows", "monte-carlo", "refits"):
        one = made.artifact("importance/shap", "importance", {}, feature="x", value=1.0, low=0.9, high=1.1, noise=noise)
        found |= {line for line in texts(one) if line.startswith("Intervals")}
    assert len(found) == 3


def test_a_waterfall_says_what_raised_and_lowered_the_output() -> None:
    said = texts(made.attribution(["a", "b"], 5), example="4")
    assert said[:3] == [
        "The output is 0.1; without knowing this case it would be 0.5.",
        "b (4) lowers it by 0.8.",
        "a (4) raises it by 0.4.",
    ]


def test_groups_that_overlap_may_differ_by_chance() -> None:
    close = made.artifact(
        "segments/performance",
        "score",
        {},
        segment=["s = a", "s = b"],
        by="s",
        level=["a", "b"],
        metric="accuracy",
        value=[0.5, 0.52],
        low=[0.4, 0.42],
        high=[0.6, 0.62],
    )
    assert (
        texts(close, metric="accuracy")[0]
        == "Accuracy: lowest for s: a (0.5), highest for s: b (0.52); this may be chance."
    )
    assert "1 group has too few rows to say anything." in texts(made.segments("sex", ["f", "m", "x"]))


def test_groups_are_compared_within_one_column_and_those_without_a_value_are_none() -> None:
    names, values = [("s", "a"), ("s", "b"), ("t", "c"), ("t", "missing")], [0.5, 0.7, 0.1, 0.9]
    rows = {
        "by": [by for by, _ in names],
        "level": [level for _, level in names],
        "segment": [f"{b} = {v}" for b, v in names],
    }
    mixed = made.artifact("segments/performance", "score", {}, **rows, metric="accuracy", value=values)
    assert texts(mixed)[0] == "Accuracy: lowest for s: a (0.5), highest for s: b (0.7)."
