"""The officer's page says what the verdict beside the snapshot says: every question with its evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import showcause
from showcause.core.snapshot import Snapshot
from showcause.views.page import html
from tests.verbs.test_check import MODEL, X, Y, Z

MAKE: dict[str, Any] = {"require": {"artifacts": ["importance/permutation", "segments/fairness"]}}
QUESTION = {"asked_by": "officer", "question": "Are <b>groups</b> treated alike?", "law": "ECOA"}
ASKS: dict[str, Any] = {
    **MAKE,
    "limits": {"debt": {"artifact": "importance/permutation", "max": 0, "side": "value"}},
    "requirement": [
        {**QUESTION, "artifacts": ["segments/fairness"]},
        {**QUESTION, "question": "Why me?", "artifacts": ["attribution/tree_shap"]},
    ],
}


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    return showcause.explain(
        MODEL, X, Y, context=Z, protected=["sex"], policy=MAKE, name="credit", store=tmp_path, progress=False
    )


def test_without_a_verdict_it_says_so(snapshot: Snapshot) -> None:
    assert "Nobody has judged this version yet." in html(snapshot, audience="officer")


def test_every_question_stands_there_with_its_evidence(snapshot: Snapshot) -> None:
    verdict = showcause.check(snapshot, ASKS)
    page = html(snapshot, audience="officer")
    assert "Are &lt;b&gt;groups&lt;/b&gt; treated alike?" in page
    assert "Why me?" in page
    assert f"Whether groups are treated alike ({snapshot['segments/fairness'].digest[:12]})" in page
    assert "the snapshot has no attribution/tree_shap" in page
    assert '<span class="pill failed">refused</span>' in page
    assert verdict.digest[:12] in page
    assert "importance/permutation must be at most 0" in page


def test_the_newest_verdict_counts(snapshot: Snapshot) -> None:
    showcause.check(snapshot, ASKS)
    showcause.check(snapshot, MAKE)
    page = html(snapshot, audience="officer")
    assert '<span class="pill ok">blessed</span>' in page
    assert "The policy lists no questions" in page


def test_a_shared_page_names_what_was_judged_and_leaves_out_the_sentences(snapshot: Snapshot) -> None:
    showcause.check(snapshot, ASKS)
    page = html(snapshot, audience="officer", share=True)
    assert "Why me?" in page
    assert "must be at most 0" not in page


def test_an_export_brings_its_verdict_along(snapshot: Snapshot, tmp_path: Path) -> None:
    showcause.check(snapshot, ASKS)
    path = snapshot.export(tmp_path / "credit.zip")
    assert html(showcause.open(path), audience="officer") == html(snapshot, audience="officer")
