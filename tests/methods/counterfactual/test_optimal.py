"""The optimal counterfactual is that of enumerating every combination of values with the model itself."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier

import showcause as sc
from showcause.adapters import optimal
from showcause.adapters.distance import measure
from tests import families

SPARSITY = 0.5
RNG = np.random.default_rng(3)
ROWS = 300
X = pd.DataFrame(
    {
        "a": RNG.integers(0, 8, ROWS).astype(float),
        "b": RNG.integers(0, 6, ROWS).astype(float),
        "c": np.exp(RNG.integers(0, 6, ROWS)).round(),
        "city": pd.Categorical(RNG.choice(["Accra", "Bogotá", "Chennai"], ROWS)),
    }
)
SCORE = X["a"] - 0.8 * X["b"] + np.log(X["c"]) / 2 * (X["city"] == "Accra") + RNG.normal(size=ROWS)
BINARY = (SCORE > 2).astype(int)
THREE = np.digitize(SCORE, [0.0, 3.0])
GAPS = X.assign(b=X["b"].where(RNG.random(ROWS) > 0.2))


def plain(frame):
    return frame.assign(city=frame["city"].cat.codes.astype(float))


def xgb(kind, **options):
    return families._xgb(kind, 1, **options)


# name → (rows, labels, model, how it is decided, options of compute)
CASES = {
    "xgboost, native categories": (
        X, BINARY, xgb("XGBClassifier", enable_categorical=True), "binary", {"threshold": 0.35}
    ),
    "xgboost, gaps": (GAPS, BINARY, xgb("XGBClassifier", enable_categorical=True), "binary", {"threshold": 0.6}),
    "xgboost, three classes": (plain(X), THREE, xgb("XGBClassifier"), "class", {"target": "2"}),
    "lightgbm, native categories": (X, BINARY, families._lgb("LGBMClassifier", 1), "binary", {"threshold": 0.35}),
    "lightgbm, three classes": (plain(GAPS), THREE, families._lgb("LGBMClassifier", 1), "class", {"target": "0"}),
    "catboost": (plain(X), BINARY, families._cat("CatBoostClassifier", 1), "binary", {"threshold": 0.7}),
    "forest": (plain(X), BINARY, RandomForestClassifier(9, max_depth=3, random_state=0), "binary", {"threshold": 0.45}),
    "forest, three classes": (
        plain(X), THREE, RandomForestClassifier(9, max_depth=3, random_state=0), "class", {"target": "1"}
    ),
    "histogram boosting, regression": (
        plain(GAPS), SCORE, HistGradientBoostingRegressor(max_iter=12, random_state=0), "range",
        {"at_least": 3.0, "at_most": 4.0},
    ),
}  # fmt: skip
LIMITS = {
    "free": ({}, lambda rows, own: np.ones(len(rows), bool)),
    "immutable and one way": (
        {"immutable": ["a"], "features": {"b": {"monotone": "increase"}}},
        lambda rows, own: same(rows["a"], own["a"]) & (rows["b"].isna() | ~(rows["b"] < own["b"])),
    ),
    "range and linear": (
        {"features": {"a": {"range": [1, 6]}}, "constraints": ["a + 2 * b <= 11", "c - 3 * b >= -9"]},
        lambda rows, own: (
            (same(rows["a"], own["a"]) | rows["a"].between(1, 6))
            & ~(rows["a"] + 2 * rows["b"] > 11)
            & ~(rows["c"] - 3 * rows["b"] < -9)
        ),
    ),
}


def same(column, value):
    return column.isna() if pd.isna(value) else column == value


def decided(model, rows, how, options):
    if how == "binary":
        return (model.predict_proba(rows)[:, 1] >= options["threshold"]).astype(int)
    if how == "class":
        return (model.predict_proba(rows).argmax(axis=1) == int(options["target"])).astype(int)
    return ((p := model.predict(rows)) >= options["at_least"]) & (p <= options["at_most"])


def every_row(frame, own):
    """Every combination of the values seen; what is known never becomes missing."""
    known = {name: frame[name].dropna().unique().tolist() for name in frame}
    values = [[*known[n], *([own[n]] if pd.isna(own[n]) else [])] for n in frame]
    rows = pd.DataFrame(list(product(*values)), columns=list(frame))
    return rows.astype({n: frame[n].dtype for n in frame})


def distances(frame, rows, own):
    total = np.zeros(len(rows))
    for name in frame:
        if frame[name].dtype == float and pd.isna(own[name]):
            unit, _ = measure(frame[name].to_numpy())
            away = 1 + (rows[name] - frame[name].median()).abs() / unit
        elif frame[name].dtype == float:
            away = (rows[name] - own[name]).abs() / measure(frame[name].to_numpy())[0]
        else:
            away = (rows[name].astype(object) != own[name]).astype(float)
        total += np.where(same(rows[name], own[name]), 0.0, away + SPARSITY)
    return total


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("name", CASES)
def test_the_distance_is_that_of_enumeration(name, limit):
    frame, y, model, how, options = CASES[name]
    model.fit(frame, y)
    roles, holds = LIMITS[limit]
    asked = frame[:8]
    found = sc.compute(
        "counterfactual/optimal", model, asked, train=frame, alternatives=1, sparsity=SPARSITY, **options, **roles
    ).to_pandas()
    for example in range(len(asked)):
        own, rows = asked.iloc[example], every_row(frame, asked.iloc[example])
        already = int(decided(model, asked.iloc[[example]], how, options)[0])
        wanted = (
            (decided(model, rows, how, options) != already) if how == "binary" else decided(model, rows, how, options)
        )
        good = np.asarray(wanted, dtype=bool) & np.asarray(holds(rows, own))
        mine = found[found["example"] == example]
        if how != "binary" and already:
            assert mine["note"].tolist() == ["it has the wanted outcome already"]
        elif not good.any():
            assert mine["note"].str.contains("proven").all()
        else:
            least = distances(frame, rows[good], own).min()
            assert mine["optimal"].all()
            assert mine["distance"].iloc[0] == pytest.approx(least, abs=2e-4)
            assert mine["cost"].sum() == pytest.approx(least, abs=2e-4)


@pytest.mark.parametrize("name", ["xgboost, native categories", "forest"])
def test_alternatives_are_valid_different_and_keep_what_is_protected(name):
    frame, y, model, how, options = CASES[name]
    model.fit(frame, y)
    found = sc.compute(
        "counterfactual/optimal", model, frame[:12], train=frame, alternatives=3, protected=["city"], **options
    ).to_pandas()
    several = 0
    for example, rows in found.dropna(subset=["feature"]).groupby("example"):
        before = int(decided(model, frame.iloc[[example]], how, options)[0])
        sets = []
        for _, of in rows.groupby("alternative"):
            changed = frame.iloc[[example]].copy()
            for row in of.itertuples():
                changed[row.feature] = row.after
                assert row.after in set(frame[row.feature])
            assert int(decided(model, changed, how, options)[0]) != before
            sets.append(frozenset(of["feature"]))
            assert "city" not in sets[-1]
        assert not any(a <= b for i, a in enumerate(sets) for b in sets[i + 1 :])
        several += len(sets) > 1
    assert several


def test_the_solver_alone_finds_what_branch_and_bound_finds(monkeypatch):
    for name in ("xgboost, gaps", "catboost", "forest"):
        frame, y, model, _, options = CASES[name]
        model.fit(frame, y)
        both = []
        for effort in (optimal.EFFORT, 0):
            monkeypatch.setattr(optimal, "EFFORT", effort)
            monkeypatch.setattr(optimal, "TRIED", optimal.TRIED if effort else 0)
            found = sc.compute("counterfactual/optimal", model, frame[:10], train=frame, **options).to_pandas()
            both.append(found.groupby(["example", "alternative"])["distance"].first())
            assert found["optimal"].dropna().all()
        assert both[0].to_numpy() == pytest.approx(both[1].to_numpy(), abs=2e-4)
        monkeypatch.undo()


def test_without_time_the_gap_is_stated_and_nothing_is_claimed(monkeypatch):
    monkeypatch.setattr(optimal, "TRIED", 0)
    frame, y, model, _, options = CASES["xgboost, native categories"]
    model.fit(frame, y)
    for time in (0.0, 1e-6):  # the solver not asked, and stopped at once
        found = sc.compute(
            "counterfactual/optimal", model, frame[:6], train=frame, effort=1, time=time, **options
        ).to_pandas()
        known = found.dropna(subset=["feature"])
        assert (known["bound"] <= known["distance"]).all()
        assert not known["optimal"].all()


def test_one_hot_columns_change_together():
    frame = pd.get_dummies(X, columns=["city"], dtype=float)
    model = xgb("XGBClassifier").fit(frame, BINARY)
    group = [name for name in frame if name.startswith("city_")]
    others = [name for name in frame if name not in group]
    found = (
        sc.compute(
            "counterfactual/optimal", model, frame[:30], train=frame, threshold=0.5, one_hot=[group], immutable=others
        )
        .to_pandas()
        .dropna(subset=["feature"])
    )
    assert len(found)
    for _, rows in found.groupby(["example", "alternative"]):
        assert sorted(rows["after"]) == [0.0, 1.0]


def test_what_cannot_be_meant_is_refused():
    frame, y, model, _, _ = CASES["catboost"]
    model.fit(frame, y)
    for options in ({"target": "nobody"}, {"at_least": 1.0}, {"alternatives": 0}, {"time": -1.0}, {"sparsity": -1.0}):
        with pytest.raises(sc.ParameterError):
            sc.compute("counterfactual/optimal", model, frame[:1], **options)
    with pytest.raises(sc.NotApplicable, match="no sum of trees"):
        sc.compute(
            "counterfactual/optimal", lambda rows: np.zeros(len(rows)), frame[:1], task="regression", at_least=1.0
        )
