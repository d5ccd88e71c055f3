"""Candidates ranked with ties said as ties, and the history of a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import showcause as sc
from showcause.core.comparison import Comparison, Trend
from showcause.core.snapshot import Snapshot
from showcause.store.memory import MemoryStore
from showcause.store.store import publish
from tests.verbs.test_diff import FEATURES, importance, panel, snapshot
from tests.views import made

ROWS = 400
NOISE = np.random.default_rng(0).normal(size=(5, ROWS))


def candidate(loss: np.ndarray[Any, Any], ref: str, *, paired: bool = True, **given: Any) -> Snapshot:
    """Row-level losses `loss`, and their mean as log-loss."""
    half = 1.96 * loss.std(ddof=1) / np.sqrt(len(loss))
    scores = made.artifact(
        "model/performance", "score", {}, metric=["log_loss"], segment=["all"], value=[loss.mean()],
        low=[loss.mean() - half], high=[loss.mean() + half], noise="rows",
    )  # fmt: skip
    rows = made.artifact("model/predictions", "rows", {}, row=np.arange(len(loss)), prediction=loss, loss=loss)
    parts = [scores, rows] if paired else [scores]
    return snapshot(*parts, digest=ref[-1], ref=ref, model={"space": "probability", "classes": ["a", "b"]}, **given)


BASE = 0.5 + 0.3 * NOISE[0]


def test_a_small_difference_on_the_same_rows_is_seen_row_by_row_and_not_otherwise() -> None:
    losses = [BASE, BASE + 0.02 + 0.05 * NOISE[1], BASE + 0.3]
    for paired, places in ((True, [(1, 1), (2, 2), (3, 3)]), (False, [(1, 2), (1, 2), (3, 3)])):
        found = sc.compare(*(candidate(loss, f"m/{i}", paired=paired) for i, loss in enumerate(losses)))
        assert [(c.place_low, c.place_high) for c in found.candidates] == places
        assert [c.ref for c in found.candidates] == ["m/0", "m/1", "m/2"]
        assert found.candidates[1].paired is paired


def test_a_tie_is_said_as_a_tie() -> None:
    found = sc.compare(candidate(BASE, "m/1"), candidate(BASE + 0.1 * NOISE[2], "m/2"))
    assert "a tie for the first place" in found.headline
    assert "another training could change the order" in found.headline


def test_what_cannot_be_ranked_says_why() -> None:
    other = candidate(BASE, "m/2")
    strange = made.snapshot([], model={"task": "regression", "space": "target"}, ref="m/3")
    found = sc.compare(candidate(BASE + 0.2, "m/1"), other, strange)
    assert [c.ref for c in found.candidates] == ["m/2", "m/1", "m/3"]
    assert found.candidates[-1].reason == "its task is regression, the first one's is classification"
    assert found.candidates[-1].place_low is None
    with pytest.raises(sc.InputError, match="two or more"):
        sc.compare(other)
    with pytest.raises(sc.ParameterError, match="no candidate has the metric"):
        sc.compare(other, other, metric="luck")


def test_equal_candidates_tie_and_the_document_is_read_back() -> None:
    found = sc.compare(candidate(BASE, "m/1"), candidate(BASE, "m/2"))
    assert [(c.place_low, c.place_high, c.delta) for c in found.candidates] == [(1, 2, None), (1, 2, 0.0)]
    assert Comparison.read(found.document) == found
    assert sc.compare(candidate(BASE, "m/1"), candidate(BASE, "m/2")).document == found.document
    with pytest.raises(sc.Corrupt):
        Comparison.read(found.document.replace(b'"metric":"log_loss"', b'"metric":[1]'))


def history(*snapshots: Snapshot) -> MemoryStore:
    """A store with these as credit/1, credit/2, …"""
    store = MemoryStore()
    for one in snapshots:
        for data in one.objects.objects.values():  # type: ignore[attr-defined]
            store.put(data)

        def record(number: int, parent: str | None, one: Snapshot = one) -> Any:
            return sc.Record(one.id, "credit", number, parent, f"2026-01-0{number}T00:00:00+00:00", "Ada", None)

        publish(store, one.manifest, "credit", record)
    return store


def test_a_trend_has_a_point_a_version_with_bands_where_panels_are_and_marks_other_rows() -> None:
    spec = {"rows": {"count": 100, "digest": "s" * 64}}
    store = history(
        snapshot(importance({"income": 0.5, "debt": 0.2})),
        snapshot(importance({"income": 0.4, "debt": 0.6}), panel({"income": 0.4, "debt": 0.6}), digest="2"),
        snapshot(importance({"income": 0.3, "debt": 0.2}, **spec), digest="3"),
        snapshot(importance({"debt": 0.2}, **spec), digest="4", columns=FEATURES[1:]),
    )
    found = sc.trend("credit", feature="income", store=store)
    assert [p.importance is not None for p in found.points] == [True, True, True, False]
    assert [p.place for p in found.points] == [1, 2, 1, None]
    assert [p.noise for p in found.points] == ["rows", "refits", "rows", None]
    assert [p.comparable for p in found.points] == [True, True, False, False]
    assert found.points[2].reason == "other rows stand behind it"
    assert found.points[3].reason == "the model does not have this column"
    assert Trend.read(found.document) == found
    assert sc.trend("credit", store=store, last=2).points[0].ref == "credit/3"
    with pytest.raises(sc.ParameterError, match="no version has the feature"):
        sc.trend("credit", feature="shoe size", store=store)
    with pytest.raises(sc.NotFound):
        sc.trend("other", store=store)
