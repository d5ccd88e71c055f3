"""Odd data: each a clear error or a stated status, never a crash and never silence."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

import showcause as sc

RNG = np.random.default_rng(3)
X = pd.DataFrame(RNG.normal(size=(160, 3)), columns=["a", "b", "c"])
Y = (X["a"] + X["b"] > 0).astype(int)
MODEL = RandomForestClassifier(10, max_depth=3, random_state=0).fit(X, Y)


def explained(model, rows, labels=None, **options):
    snapshot = sc.explain(model, rows, labels, **options)
    failed = {name: str(status) for name, status in snapshot.statuses.items() if status.state == "failed"}
    assert failed == {}
    for name in snapshot:
        assert snapshot[name].table.num_rows, name
    return snapshot


def test_one_row():
    snapshot = explained(MODEL, X[:1], Y[:1], train=(X, Y))
    assert snapshot.complete
    table = snapshot["attribution/tree_shap"].to_pandas()
    assert table["value"].sum() + table["base"][0] == pytest.approx(MODEL.predict_proba(X[:1])[0, 1])


def test_two_rows_without_training_rows():
    assert explained(MODEL, X[:2], Y[:2]).complete


def test_one_class_among_the_labels():
    rows = Y[Y == 1].index
    snapshot = explained(MODEL, X.loc[rows], Y.loc[rows], train=(X, Y))
    table = snapshot["model/performance"].to_pandas().query("segment == 'all'").set_index("metric")
    assert pd.isna(table.loc["roc_auc", "value"])
    assert "class" in table.loc["roc_auc", "note"]


def test_constant_columns_get_nothing():
    rows = X.assign(flat=1.0, text="same")
    model = LogisticRegression().fit(X, Y)
    snapshot = explained(lambda f: model.predict_proba(f[["a", "b", "c"]]), rows, Y, task="classification", version="1")
    for name in ("importance/permutation", "importance/shap"):
        table = snapshot[name].to_pandas().set_index("feature")["value"]
        assert table["flat"] == table["text"] == 0


def test_five_hundred_columns_stay_within_their_caps(tmp_path):
    wide = pd.DataFrame(RNG.normal(size=(200, 500)), columns=[f"column {j}" for j in range(500)])
    labels = (wide["column 7"] > 0).astype(int)
    model = RandomForestClassifier(20, max_depth=4, random_state=0).fit(wide, labels)
    snapshot = explained(model, wide, labels, train=(wide, labels), name="wide", store=tmp_path / "s")
    assert snapshot["importance/shap"].to_pandas()["feature"][0] == "column 7"
    assert snapshot["dependence/ale"].to_pandas()["feature"].nunique() == 12
    assert sum(p.stat().st_size for p in (tmp_path / "s").rglob("*") if p.is_file()) < 20e6
    page = snapshot.report(tmp_path / "wide.html")
    assert page.stat().st_size < 6e6


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "💥 amount", 'quote " and \\', "a=b", "{{ 7 * 7 }}", "ñ", "a/../b"]
)
def test_names_with_markup_or_emoji(name, tmp_path):
    rows = X.rename(columns={"a": name})
    model = LogisticRegression().fit(rows, Y)
    snapshot = explained(model, rows, Y, train=(rows, Y), segments=[name], name="odd", store=tmp_path / "s")
    assert name in set(snapshot["importance/shap"].to_pandas()["feature"])
    page = snapshot.report(tmp_path / "page.html").read_text()
    assert "<script>alert" not in page
    assert sc.open(snapshot.export(tmp_path / "folder")).id == snapshot.id


def test_columns_named_by_numbers():
    rows = pd.DataFrame(X.to_numpy())
    model = LogisticRegression().fit(rows, Y)
    snapshot = explained(model, rows, Y, train=(rows, Y))
    assert set(snapshot["importance/shap"].to_pandas()["feature"]) == {"0", "1", "2"}


def test_a_single_feature():
    model = LogisticRegression().fit(X[["a"]], Y)
    assert explained(model, X[["a"]], Y, train=(X[["a"]], Y)).complete


def test_a_column_that_is_always_missing():
    from lightgbm import LGBMClassifier

    rows = X.assign(void=np.nan)
    model = LGBMClassifier(n_estimators=10, verbose=-1).fit(rows, Y)
    assert explained(model, rows, Y, train=(rows, Y)).complete


def test_constant_predictions():
    model = LinearRegression().fit(X * 0, np.full(len(X), 3.0))
    assert explained(model, X, np.full(len(X), 3.0) + X["a"], train=(X, np.full(len(X), 3.0))).complete


def test_a_segment_with_hundreds_of_levels_is_gathered_and_said():
    context = pd.DataFrame({"zip": [f"{n % 90:05d}" for n in range(160)]})
    snapshot = explained(MODEL, X, Y, context=context, segments=["zip"])
    levels = set(snapshot["segments/performance"].to_pandas()["level"].dropna())
    assert any(level.startswith("other (") for level in levels)


def test_gaps_in_a_protected_attribute_are_a_group_of_their_own():
    context = pd.DataFrame({"sex": np.where(np.arange(160) % 3 == 0, None, np.where(X["c"] > 0, "f", "m"))})
    snapshot = explained(MODEL, X, Y, context=context, protected=["sex"])
    assert "missing" in set(snapshot["segments/fairness"].to_pandas()["level"].dropna())
