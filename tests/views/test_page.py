"""The page as text: whole, deterministic, honest about what is missing, and nobody's row when shared."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from showcause.core.errors import ParameterError
from showcause.core.snapshot import Snapshot, Status
from showcause.views.page import html, json_for_html, limits, report

from . import made

FEATURES = [f"feature_{i}" for i in range(30)]
MISSING = {
    "importance/shap": Status("failed", "it ran out of patience", "internal"),
    "model/residuals": Status("not-applicable", "the model is a classifier"),
    "input/train": Status("not-given", "the gap to training is unknown"),
}


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return made.snapshot(made.every(FEATURES), statuses=MISSING)


class Words(HTMLParser):
    """The text that a reader sees, and each tag with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.hidden = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.said.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.said))


@pytest.mark.parametrize("audience", ["engineer", "officer"])
def test_the_same_snapshot_gives_the_same_page(snapshot: Snapshot, audience: str) -> None:
    again = made.snapshot(made.every(FEATURES), statuses=MISSING)
    assert html(snapshot, audience=audience) == html(again, audience=audience)


def test_another_audience_is_refused_with_those_there_are(snapshot: Snapshot, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="possible: engineer, officer, subject"):
        report(snapshot, tmp_path / "r.html", audience="lawyer")
    assert not list(tmp_path.iterdir())


def test_every_status_stands_on_the_engineers_page_with_its_reason(snapshot: Snapshot) -> None:
    said = Words(html(snapshot)).text
    for name, status in snapshot.statuses.items():
        assert name in said
        assert status.reason in said
    assert "incomplete" in said
    assert "internal" in said


def test_every_artifact_has_a_card_and_a_table(snapshot: Snapshot) -> None:
    page = Words(html(snapshot))
    ids = {attributes.get("data-chart") for _, attributes in page.tags}
    assert {name.replace("/", "-") for name in snapshot} <= ids
    assert sum((tag, of.get("class")) == ("details", "data") for tag, of in page.tags) == len(snapshot)


def test_what_was_sampled_or_capped_is_said_at_the_top(snapshot: Snapshot) -> None:
    said = Words(html(snapshot)).text
    assert "Permutation importance: 100 of 1,000 rows" in said
    assert "Partial dependence: 3 of 99 features" in said


def test_the_officer_reads_what_the_model_is_for_and_what_is_missing(snapshot: Snapshot) -> None:
    said = Words(html(snapshot, audience="officer")).text
    assert "To test." in said
    assert "Not stated by the owner: owner, limits." in said
    assert "Evidence is missing: what moves its outputs most." in said
    assert "The training data were not given." in said
    assert not re.search(r"log-loss|ROC|SHAP|importance|permutation", said)


def test_a_shared_page_holds_nobodys_row() -> None:
    """Each row's own cells are made unmistakable; none may be in the page, in any number of digits that is telling."""
    rows = made.attribution(["age", "income"], 12)
    cells = {"input": [73123.25 + i for i in range(24)], "input_level": None}
    columns = {name: rows.table[name].to_pylist() for name in rows.table.column_names}
    single = made.artifact(rows.name, rows.kind, dict(rows.spec), **{**columns, **cells})
    rare = made.artifact(
        "dependence/ale", "curve", {}, feature="town", at_level=["Boston", "Hamlet"], value=[0.1, 0.2], support=[90, 2]
    )
    chosen = made.examples(["right", "wrong"], id=["patient-4711", "patient-4712"])
    near = made.neighbours(["like", "unlike"])
    page = html(made.snapshot([single, rare, chosen, near, made.individual("age"), made.curve(["age"])]), share=True)
    for trace in ("73123", "73,123", "patient-47", "Hamlet", '"example"', "4,711"):
        assert trace not in page
    assert "Boston" in page
    said = Words(page).text
    for name in ("attribution/tree_shap", "dependence/ice", "examples/representative", "examples/similar"):
        assert name in said.partition("everything about single rows is left out")[2][:220]


def test_shared_trees_and_segments_hold_no_group_of_under_five_rows() -> None:
    small = {"node": [0, 1, 2], "parent": [None, 0, 0], "feature": ["x", None, None], "count": [50, 46, 4]}
    tree = made.artifact("model/tree", "tree", {}, **small, threshold=[73123.4, None, None], value=[0.5, 0.4, 0.987])
    page = html(made.snapshot([tree, made.segments("sex", ["f", "m", "intersex"])]), share=True)
    assert "46 rows" in page
    for trace in ("0.987", "intersex", "73123", "73,123"):
        assert trace not in page


def test_nothing_is_said_about_explanations_that_failed_their_check() -> None:
    parts = [made.attribution(["a", "b"]), made.importance(["a", "b"], [2.0, 1.0], name="importance/shap")]
    assert "a matters most" in html(made.snapshot([*parts, made.checks()]))
    doubted = html(made.snapshot([*parts, made.checks(passed=False)]))
    assert "a matters most" not in doubted
    assert "Additivity failed its check; nothing is said about these numbers." in doubted


def test_labels_units_and_value_labels_are_spoken() -> None:
    words = {"x": {"label": "Loan to value", "unit": "%"}, "approve": {"values": {"yes": "granted"}}}
    data = {"features": words, "roles": {"label": "approve"}}
    page = html(made.snapshot([made.curve(["x"]), made.examples(["right"] * 2)], data=data), audience="engineer")
    assert "Loan to value [%]" in page
    assert "<td>granted</td>" in page


def test_three_hundred_classes_are_drawn_as_far_as_the_page_can_carry_and_that_is_said() -> None:
    classes = [f"class {i}" for i in range(300)]
    many = made.artifact("importance/shap", "importance", {}, feature=["a"] * 300, target=classes, value=1.0)
    assert "240 of 300 choices are drawn here" in Words(html(made.snapshot([many]))).text


def test_an_empty_snapshot_still_has_a_page() -> None:
    for audience in ("engineer", "officer"):
        assert "incomplete" in Words(html(made.snapshot([]), audience=audience)).text


def test_json_in_the_page_cannot_end_its_element() -> None:
    value = {"</script><!--": "\u2028\u2029&<script>"}
    written = json_for_html(value)
    assert not set(written) & set("<>&\u2028\u2029")
    assert json.loads(written) == value


def test_the_policy_allows_nothing_but_the_texts_of_the_page(snapshot: Snapshot) -> None:
    page = html(snapshot)
    policy = next(a["content"] for tag, a in Words(page).tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert not [
        a for _, a in Words(page).tags if "style" in a or "onclick" in a or str(a.get("src")).startswith("http")
    ]
    assert len(page.encode()) < 3_000_000


def test_a_cap_of_rows_is_listed_once() -> None:
    class Capped(dict[str, Any]):
        def head(self, name: str) -> Any:
            return self[name]

    spec = {"rows": {"count": 4, "sampled_from": 796}, "cap": {"rows": 4, "of_rows": 796, "cells": 9, "of_cells": 12}}
    assert limits(Capped({"rules/anchor": {"spec": spec}}))[0][1] == "4 of 796 rows, 9 of 12 cells"  # type: ignore[arg-type]
