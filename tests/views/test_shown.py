"""How every fact counted, below the words of a letter."""

import re

import pytest

from showcause.views.letter import letter
from showcause.views.page import html
from showcause.views.reasons import Wording
from showcause.views.shown import MOST, shown, sufficed
from tests.views import made
from tests.views.test_letter import bank, decided, people


def rows(values, **more):
    return [
        {"example": 3, "feature": f"a long name of a fact, number {n}", "value": value, "input": float(n), **more}
        for n, value in enumerate(values)
    ]


def wording():
    return Wording.of(made.snapshot([made.attribution(["a"])]), {})


def test_bars_lie_end_to_end_and_in_the_bar_of_forces_what_pulls_up_meets_what_pulls_down():
    found = shown(rows([3.0, -1.0, 2.0]), wording(), "yes")
    assert [(b.start, b.end, b.side, b.amount) for b in found.bars] == [
        (0.0, 600.0, "up", "+3"),
        (600.0, 1000.0, "up", "+2"),
        (1000.0, 800.0, "down", "−1"),
    ]
    assert found.begin == 0.0
    up = [b for b in found.force if b.side == "down" or b.start < found.now]
    assert len(up) == 3
    assert [(b.left, round(b.length, 1)) for b in found.force] == [(333.3, 500.0), (0.0, 333.3), (833.3, 166.7)]
    assert found.now == 833.3


def test_of_fifty_facts_the_largest_are_shown_and_the_others_stand_together():
    values = [(-1) ** n * (50.0 - n) for n in range(50)]
    found = shown(rows(values), wording(), None)
    assert len(found.bars) == MOST + 1
    assert found.bars[-1].label == "All other facts together"
    whole = sum(float(b.amount.replace("−", "-")) for b in found.bars)
    assert whole == pytest.approx(sum(values), abs=1e-6)


def test_facts_that_count_for_nothing_are_no_chart():
    assert shown(rows([0.0, 0.0]), wording(), "yes") is None


def test_what_was_enough_is_said_with_the_persons_own_values_alone():
    first = {"example": 3, "feature": "x", "input": 4.5, "decision": "no", "value": 1.0}
    columns = {
        "rule": [0, 0], "condition": [None, 1], "text": ["x above 4.2471", "x above 4.2471"], "precision": [1.0, None],
        "coverage": [0.2, None], "decision": ["no", "no"], "example": [3, 3], "role": [None, "present"],
        "feature": [None, "x"], "above": [None, 4.2471], "proven": [True, None],
    }  # fmt: skip
    snapshot = made.snapshot([made.artifact("rules/anchor", "rule", {}, **columns)])
    said, facts = sufficed(snapshot, Wording.of(snapshot, {}), [first])
    assert said == "These facts alone were enough for the answer. No other fact could have changed it."
    assert facts == ("x: 4.5",)
    assert sufficed(snapshot, Wording.of(snapshot, {}), [{**first, "decision": "yes"}]) is None


def test_the_page_has_them_all_without_a_script():
    page = html(bank(), audience="subject", example=decided(bank(), "0"))
    body = page[page.index("<body") :]
    assert body.count('<svg class="force"') == 1
    assert "<details>" in body
    assert "Step by step" in body
    assert "<script" not in page
    assert "style=" not in body


def test_the_bars_are_of_the_persons_own_record():
    table = bank()["reasons/cutoff"].to_pandas()
    for example in people(bank())[:10]:
        mine = table[table["example"] == example]
        part = next(p for p in letter(bank(), example=example).parts if p.key == "counting")
        total = sum(float(re.sub(",", "", b.amount.replace("−", "-"))) for b in part.shown.bars)
        assert total == pytest.approx(mine["value"].sum(), abs=0.03 * mine["value"].abs().sum())
