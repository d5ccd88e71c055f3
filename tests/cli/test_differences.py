"""`showcause diff`, `compare` and `trend`, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import showcause
from showcause.core.diff import Diff
from tests.cli.conftest import CREDIT, Call


def test_diff_of_a_version_with_itself_and_with_another_threshold(call: Call, work: Path) -> None:
    call(*CREDIT)
    call(*CREDIT, "--threshold", "0.9")
    code, out, _ = call("diff", "credit/1", "credit/1")
    assert (code, out) == (
        0,
        "credit/1 → credit/1: the same snapshot\n\nNothing changed: both are the same snapshot.\n",
    )
    code, out, _ = call("diff", "credit/1", "credit/2")
    assert code == 1
    assert "The threshold was 0.5 and is 0.9." in out
    code, out, _ = call("diff", "credit/1", "credit/2", "--format", "json")
    assert Diff.read(out.encode().rstrip(b"\n")) == showcause.diff("credit/1", "credit/2", store=".showcause")
    code, out, _ = call("diff", "credit/1", "credit/2", "--format", "markdown", "--out", "out/diff.md")
    assert (code, out) == (1, "out/diff.md\n")
    assert (work / "out" / "diff.md").read_text().startswith("## credit/1 → credit/2: 1 change to look at")
    code, out, _ = call("diff", "credit/1", "credit/2", "--format", "html")
    assert (code, out) == (1, "credit-1-credit-2.html\n")
    assert "<!doctype html>" in (work / "credit-1-credit-2.html").read_text()


def test_diff_names_policy_findings_that_are_new(call: Call, work: Path) -> None:
    call(*CREDIT)
    call(*CREDIT, "--threshold", "0.9")
    rules = {"require": {"artifacts": ["importance/permutation", "model/roc"]}}
    found = showcause.diff("credit/1", "credit/2", policy=rules, store=".showcause")
    both = [change for change in found.changes if change.section == "policy"]
    assert [change.verdict for change in both] == ["unchanged"]
    assert both[0].after


def test_bad_words_are_bad_input(call: Call) -> None:
    call(*CREDIT)
    for words in (("diff", "credit/1", "credit/9"), ("diff", "credit/1"), ("compare", "credit/1"), ("trend", "other"),
                  ("trend", "credit", "--feature", "shoes")):  # fmt: skip
        assert call(*words)[0] == 2, words


def test_trend_draws_every_version(call: Call, work: Path) -> None:
    call(*CREDIT)
    call(*CREDIT, "--threshold", "0.9")
    code, out, _ = call("trend", "credit", "--feature", "debt")
    assert code == 0
    assert "importance  ▄▄" in out
    code, out, _ = call("trend", "credit", "--format", "json")
    assert [point["ref"] for point in json.loads(out)["points"]] == ["credit/1", "credit/2"]
    assert call("trend", "credit", "--format", "html", "--out", "t.html")[:2] == (0, "t.html\n")
