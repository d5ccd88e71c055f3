"""Conditions: said in words, held against cells, written as a row and read again."""

import pytest

from showcause.core.rules import Condition, coarse, read
from tests.views import made

SAID = {
    "a from 1 to under 2.5": Condition("a", at_least=1.0, below=2.5),
    "a from 1 to 2.5": Condition("a", at_least=1.0, up_to=2.5),
    "a above 1 and up to 2.5": Condition("a", above=1.0, up_to=2.5),
    "a is 3": Condition("a", at_least=3.0, up_to=3.0),
    "a at least 30, or missing": Condition("a", at_least=30.0, missing=True),
    "a is missing": Condition("a", missing=True),
    "a is known": Condition("a"),
    "city is Oslo or Rome": Condition("city", levels=("Oslo", "Rome")),
    "city is missing": Condition("city", levels=(), missing=True),
}


@pytest.mark.parametrize(("text", "condition"), SAID.items())
def test_a_condition_is_said_and_read_again(text, condition):
    assert condition.phrase() == text
    assert read(condition.columns) == condition


def test_a_condition_holds_for_the_cells_it_names():
    assert [SAID["a from 1 to under 2.5"].holds(v) for v in (0.9, 1.0, 2.4, 2.5, None)] == [
        False,
        True,
        True,
        False,
        False,
    ]
    assert [SAID["a above 1 and up to 2.5"].holds(v) for v in (1.0, 1.1, 2.5, 2.6)] == [False, True, True, False]
    assert [SAID["a is missing"].holds(v) for v in (1.0, None)] == [False, True]
    assert [SAID["city is Oslo or Rome"].holds(v) for v in ("Oslo", "Bonn", None)] == [True, False, False]
    assert [SAID["city is missing"].holds(v) for v in ("Oslo", None)] == [False, True]


def test_a_coarse_table_rounds_hides_and_is_worded_anew():
    rows = coarse(made.rules("income", "city").table, 1, {"Oslo"}, "(withheld)").to_pylist()
    assert [row["below"] for row in rows] == [None, 2.0, None, None]
    assert rows[0]["text"] == "income from 1 to under 2 and city is (withheld) or missing"
