"""Everything public shows itself in a notebook, and nothing that it holds can run there."""

from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import showcause as sc
from showcause.core.verdict import Verdict
from showcause.trust.trust import Holder, Trust

EVIL = "<script>alert(1)</script>"
X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=[EVIL, "b"])
SNAPSHOT = sc.explain(LogisticRegression().fit(X, X["b"] > 0), X, X["b"] > 0)
OUTCOME = sc.Outcome("SC001", "fail", "fail", EVIL, EVIL)
CANDIDATE = sc.Candidate(EVIL, "1", EVIL, 1.0, 0.5, 2.0, "rows", 1, 2, None, None, False, EVIL)
POINT = sc.Point(EVIL, "1", 1, EVIL, 1.0, None, None, None, 1, 2, 0.5, None, None, None, False, EVIL)
CHANGE = sc.Change(EVIL, EVIL, {EVIL: EVIL}, EVIL, 1.0, None, None, None, None, None, "changed", EVIL, True)
SHOWN = {
    "Snapshot": SNAPSHOT,
    "Manifest": SNAPSHOT.manifest,
    "Record": SNAPSHOT.record,
    "Status": sc.Status("failed", EVIL, "code"),
    "Finding": sc.Finding("SC001", "fail", EVIL, EVIL),
    "Outcome": OUTCOME,
    "Policy": sc.Policy.of({"require": {"artifacts": ["model/performance"]}, "features": {EVIL: {"label": EVIL}}}),
    "Trust": Trust({EVIL: Holder(EVIL, b"", (EVIL,))}),
    "Candidate": CANDIDATE,
    "Comparison": sc.Comparison("log_loss", "less", EVIL, (CANDIDATE,)),
    "Point": POINT,
    "Trend": sc.Trend("credit", EVIL, "importance/shap", "log_loss", EVIL, (POINT,), {}),
    "Change": CHANGE,
    "Diff": sc.Diff({"ref": EVIL, "id": "1"}, {"ref": EVIL, "id": "2"}, EVIL, (CHANGE,)),
    "Verdict": Verdict(EVIL, None, None, "", "2026-01-01", None, "advise", (OUTCOME,)),
    "Listing": sc.methods(),
}


class Tags(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.seen, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("name", SHOWN)
def test_it_shows_itself_and_escapes(name):
    shown = Tags(SHOWN[name]._repr_html_())
    assert shown.seen
    assert "script" not in shown.seen
    assert len(shown.text) > 20


@pytest.mark.parametrize("name", sorted(SNAPSHOT))
def test_every_artifact_shows_itself(name):
    shown = Tags(SNAPSHOT[name]._repr_html_())
    assert {"div", "img", "table"} <= set(shown.seen)
    assert name in shown.text


def test_no_public_type_is_left_out():
    types = {n for n in sc.__all__ if isinstance(getattr(sc, n), type) and not issubclass(getattr(sc, n), Exception)}
    assert types - {"Artifact", "Why", "run"} <= set(
        SHOWN
    )  # run is used as a verb; a Why needs reasons, and has its tests


def test_a_status_says_what_is_wrong_and_a_method_what_it_answers():
    assert EVIL in Tags(SHOWN["Status"]._repr_html_()).text
    assert "How much worse do predictions get" in Tags(SHOWN["Listing"]._repr_html_()).text
