"""Which part of a snapshot speaks to which provision: present or absent, never more than that."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import showcause
from showcause.core.snapshot import Manifest, Record, Snapshot
from showcause.methods import find
from showcause.policy import evidence as module
from showcause.policy.evidence import ENTRIES, SOURCES, evidence
from showcause.store.attached import KINDS as ATTACHED
from tests.cli.conftest import rows
from tests.verbs.test_check import MODEL, X, Y, Z

ROOT = Path(__file__).parents[2]
JUDGEMENTS = re.compile(r"complian(t|ce)|complies|conform(s|ity|ant)|fulfil|satisfies|certif", re.IGNORECASE)


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    policy = {"require": {"artifacts": ["model/performance", "segments/fairness"]}, "model": {"purpose": "Lends"}}
    return showcause.explain(MODEL, X, Y, context=Z, protected=["sex"], policy=policy, train=(X, Y), progress=False)


def test_no_word_of_it_judges() -> None:
    for path in (ROOT / "docs" / "evidence.md", Path(str(module.__file__)), ROOT / "docs" / "governance.md"):
        assert JUDGEMENTS.findall(path.read_text(encoding="utf-8")) == [], path


def test_every_field_names_something_that_there_is(snapshot: Snapshot) -> None:
    for entry in ENTRIES:
        assert entry.source in SOURCES
        for field in entry.fields:
            form, _, name = field.partition(" ")
            if form == "artifact":
                assert set(name.split("|")) <= set(find()), field
            elif form == "attached":
                assert name in ATTACHED
            else:
                kind = {"manifest": Manifest, "record": Record}[form]
                assert name.split(".")[0] in kind.__dataclass_fields__, field


def test_every_source_that_is_named_has_entries() -> None:
    assert {entry.source for entry in ENTRIES} == set(SOURCES)
    provisions = {entry.provision for entry in ENTRIES if entry.source == "EU AI Act"}
    assert {text.split("(")[0].split(" 1")[0][:10] for text in provisions} >= {"Article", "Annex IV"}
    for wanted in ("Article 11", "Article 12", "Article 13", "Article 14", "Article 86", "Annex IV"):
        assert any(text.startswith(wanted) for text in provisions), wanted


def test_a_snapshot_has_some_and_lacks_some(snapshot: Snapshot) -> None:
    found = {item.entry: item for item in evidence(snapshot)}
    assert list(found) == list(ENTRIES)
    assert {item.state for item in found.values()} == {"evidence present", "evidence absent"}
    states = {(e.provision, e.asks): item for e, item in found.items()}
    assert states["Article 13(3)(b)(i)", "The intended purpose"].where == ("manifest model.card.purpose",)
    fairness = states["MEASURE 2.11", "Fairness and bias are evaluated"]
    assert fairness.where == (f"artifact segments/fairness {snapshot['segments/fairness'].digest[:12]}",)
    assert states["Article 86(1)", "Its role in a decision and the main elements of that decision"].where == ()
    assert states["Annex IV 2(e)", "Human oversight that its output needs"].state == "evidence absent"


def test_a_verdict_beside_it_is_evidence(tmp_path: Path) -> None:
    few = {"require": {"artifacts": ["importance/permutation"]}}
    frame = rows(1)
    made = showcause.explain(MODEL, frame[["income", "debt"]], frame["paid"], policy=few, name="credit", store=tmp_path)

    def state() -> str:
        return next(i.state for i in evidence(made) if i.entry.asks == "Policies say what must hold")

    assert state() == "evidence absent"
    showcause.check(made, few)
    assert state() == "evidence present"
