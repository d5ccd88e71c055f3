"""Panels of retrainings in reports."""

import pytest
from scipy import stats

from showcause.views.page import html
from showcause.views.panel import UNKNOWN, spread, steadiness
from tests.views.made import artifact, importance, snapshot

VALUES = {"income": [3.0, 3.0, 1.0], "debt": [2.0, 2.0, 2.0], "age": [1.0, 1.0, 0.5], "zip": [0.0, 0.0, 0.6]}


def panel(source="refits", values=VALUES):
    rows = [(name, number + 1, value) for name, given in values.items() for number, value in enumerate(given)]
    spec = {"panel": {"source": source, "count": 3}, "of": {"method": "importance/permutation"}, "loss": "log-loss"}
    names, members, cells = zip(*rows, strict=True)
    return artifact("refits/importance", "importance", spec, feature=names, value=cells, refit=members)


def test_the_spread_bounds_one_further_training():
    found = spread(panel()).table.to_pylist()
    income, debt = found[0], found[1]
    half = stats.t.ppf(0.975, 2) * (4 / 3) ** 0.5 * (1 + 1 / 3) ** 0.5  # values 3, 3, 1: variance 4/3
    assert income["value"] == pytest.approx(7 / 3)
    assert (income["low"], income["high"]) == (pytest.approx(7 / 3 - half), pytest.approx(7 / 3 + half))
    assert (debt["value"], debt["low"], debt["high"], debt["noise"]) == (2.0, 2.0, 2.0, "refits")
    assert "refit" not in income


def test_the_spread_of_curves_keeps_places_and_support():
    given = artifact(
        "refits/dependence", "curve", {"panel": {}}, feature="a", at=[1.0, 2.0] * 2, value=[0.0, 1.0, 0.0, 3.0],
        support=[5, 6] * 2, refit=[1, 1, 2, 2],
    )  # fmt: skip
    found = spread(given).table.to_pylist()
    assert [(row["at"], row["value"], row["support"]) for row in found] == [(1.0, 0.0, 5), (2.0, 2.0, 6)]


def test_scores_of_all_rows_alone_are_drawn_and_what_no_member_has_says_why():
    given = artifact(
        "refits/performance", "score", {"panel": {}}, metric=["a", "b", "a"] * 2, segment=["all", "all", "x = 1"] * 2,
        value=[1.0, None, 5.0] * 2, note=[None, "undefined", None] * 2, refit=[1, 1, 1, 2, 2, 2],
    )  # fmt: skip
    found = spread(given).table.to_pylist()
    assert [(row["metric"], row["value"], row["note"]) for row in found] == [("a", 1.0, None), ("b", None, "undefined")]


@pytest.mark.parametrize(
    ("source", "what"),
    [("refits", "retrainings"), ("folds", "folds of the cross-validation"), ("nights", "nights")],
)
def test_how_steady_the_ranking_is_in_words(source, what):
    said = [sentence.text for sentence in steadiness(snapshot([panel(source)]))]
    assert said == [f"income comes first in 2 of 3 {what}.", "income, debt and age lead in 2 of 3 of them."]


def test_without_a_panel_it_is_said_what_cannot_be_told():
    assert [sentence.text for sentence in steadiness(snapshot([importance(["a"], [1.0])]))] == [UNKNOWN]


def test_the_page_says_it_once_beside_the_importance_that_was_repeated():
    own = importance(list(VALUES), [3.0, 2.0, 1.0, 0.5])
    page = html(snapshot([own, panel()]))
    assert "income comes first in 2 of 3 retrainings." in page
    assert "Intervals say how far another training would move the value." in page
    assert "Importance over retrainings" in page
    assert UNKNOWN in html(snapshot([own]))
    assert UNKNOWN not in page


def test_artifacts_of_the_baselines_rows_are_not_shown():
    own, other = importance(["a"], [1.0]), importance(["a"], [2.0], name="baseline/importance/permutation")
    assert 'id="baseline-importance-permutation"' not in html(snapshot([own, other]))
    assert 'id="importance-permutation"' in html(snapshot([own, other]))
