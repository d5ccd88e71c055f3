"""The history as PROV-JSON: another implementation reads it, writes it again, and nothing is lost."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

import showcause
from showcause.core import canonical
from showcause.core.snapshot import Snapshot
from showcause.trust.keys import create
from showcause.verbs.prov import prov as export
from tests.verbs.test_check import ASKS, MODEL, X, Y, Z


def read(data: bytes) -> Any:
    with warnings.catch_warnings():  # prov's own dependencies warn on import
        warnings.simplefilter("ignore")
        from prov.model import ProvDocument
    return ProvDocument.deserialize(content=data.decode(), format="json")


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    """credit/2 with training data, a verdict and a signature."""
    for seed in (0, 1):
        made = showcause.explain(
            MODEL, X, Y, train=(X, Y), context=Z, policy=ASKS, name="credit", store=tmp_path / "store", seed=seed
        )
    showcause.check(made, ASKS, baseline="credit/1", store=tmp_path / "store", on="2026-11-22")
    create(tmp_path / "alice.key")
    showcause.sign(made, key=tmp_path / "alice.key", role="reviewer", comment="<b>looks</b> fine")
    return made


def test_another_implementation_reads_it_and_writes_the_same(snapshot: Snapshot) -> None:
    document = read(export(snapshot))
    again = read(document.serialize(format="json").encode())
    assert again == document
    assert export(snapshot) == export(showcause.open("credit/2", store=snapshot.objects))  # type: ignore[arg-type]


def test_it_tells_data_model_training_explaining_judging_reviewing_and_by_whom(snapshot: Snapshot) -> None:
    from prov.model import ProvActivity, ProvAgent, ProvEntity

    document = read(export(snapshot))

    def types(kind: Any) -> set[str]:
        return {str(t) for record in document.get_records(kind) for t in record.get_asserted_types()}

    assert types(ProvActivity) == {f"showcause:{t}" for t in ("Training", "Explaining", "Judging", "Reviewing")}
    assert types(ProvEntity) >= {
        f"showcause:{t}" for t in ("Data", "Model", "Policy", "Artifact", "Verdict", "Signature")
    }
    assert types(ProvAgent) == {"prov:Person", "prov:SoftwareAgent", "prov:Agent"}
    labels = {str(record.label) for record in document.get_records(ProvAgent)}
    assert snapshot.record.by in labels


def test_every_relation_leads_to_something_that_is_there(snapshot: Snapshot) -> None:
    value = canonical.loads(export(snapshot))
    known = {id_ for kind in ("entity", "activity", "agent") for id_ in value[kind]}
    relations = set(value) - {"entity", "activity", "agent", "prefix"}
    assert relations == {
        "wasGeneratedBy",
        "used",
        "wasAssociatedWith",
        "wasAttributedTo",
        "wasDerivedFrom",
        "hadMember",
    }
    ends = [
        e for kind in relations for one in value[kind].values() for e in one.values() if str(e).startswith("showcause:")
    ]
    assert set(ends) <= known
    artifacts = [e for e in value["entity"] if e.startswith("showcause:artifact-")]
    assert len(artifacts) == len(value["hadMember"]) == len(snapshot)


def test_without_training_data_nothing_is_said_about_training() -> None:
    few = {"require": {"artifacts": ["importance/permutation"]}}
    value = canonical.loads(export(showcause.explain(MODEL, X, Y, policy=few)))
    assert [a for a in value["activity"] if "training" in a] == []


def test_names_never_become_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("showcause.verbs.explain.author", lambda: 'eve"}\n<script>')
    few = {"require": {"artifacts": ["importance/permutation"]}, "model": {"owner": "{$:}", "purpose": "a\u2028b"}}
    made = export(showcause.explain(MODEL, X, Y, policy=few))
    assert read(made) == read(read(made).serialize(format="json").encode())
    assert all("eve" not in id_ for id_ in canonical.loads(made)["agent"])
