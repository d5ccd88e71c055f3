"""Anchors: on trees no draw inside a rule is decided otherwise and no condition can go; elsewhere the stated precision
holds and the budget is kept."""

import json

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

import showcause as sc
from showcause.core.rules import read
from tests import families
from tests.data import loans

DRAWS = 100_000
WIDE = 1e6


def plain_xgboost(X, y):
    return families._xgb("XGBClassifier", 1, enable_categorical=True).fit(X, y)


def lightgbm(X, y):
    return families._lgb("LGBMClassifier", 1).fit(X, y)


def catboost(X, y):
    return families._cat("CatBoostClassifier", 1).fit(X, y)


def forest(X, y):
    return families.forest(1).fit(X, y)


def pipeline(X, y):
    return make_pipeline(families._encoder(), families.forest(1)).fit(X, y)


CASES = {
    "xgboost, native categories, threshold 0.4": (
        families.categories,
        families.BINARY,
        plain_xgboost,
        {"threshold": 0.4},
    ),
    "lightgbm, gaps, threshold 0.6": (
        lambda: families.mixed()[["a", "b", "c"]],
        families.BINARY,
        lightgbm,
        {"threshold": 0.6},
    ),
    "catboost, gaps": (lambda: families.mixed()[["a", "b", "c"]], families.BINARY, catboost, {}),
    "forest, three classes": (families.plain, families.THREE, forest, {}),
    "histogram boosting, regression": (
        families.plain,
        families.SCORE,
        lambda X, y: HistGradientBoostingRegressor(max_iter=12, random_state=0).fit(X, y),
        {},
    ),
    "pipeline, mixed columns": (families.mixed, families.BINARY, pipeline, {}),
}


def rules(artifact):
    """[(head row, present conditions, their rows)] of an artifact."""
    rows = artifact.table.to_pylist()
    heads = [row for row in rows if row["condition"] is None]
    of = {h["rule"]: [r for r in rows if r["rule"] == h["rule"] and r["condition"] is not None] for h in heads}
    return [(h, [r for r in of[h["rule"]] if r["role"] == "present"], of[h["rule"]]) for h in heads]


def drawn(X, conditions, domain, size, rng):
    """Rows that meet the conditions, everything else anywhere in the domain that the artifact states."""
    made = {}
    for name in X.columns:
        condition = conditions.get(name)
        values = X[name]
        numeric = pd.api.types.is_float_dtype(values)
        if numeric and domain.get(name, "").startswith("any number"):
            low, high = -WIDE, WIDE
            if condition is not None:
                low = max(low, *(v for v in (condition.at_least, condition.above) if v is not None), -WIDE)
                high = min(high, *(v for v in (condition.below, condition.up_to) if v is not None), WIDE)
            cells = rng.uniform(low, high, size)
            spread = np.where(rng.random(size) < 0.5, cells, rng.choice(values.dropna(), size))
            cells = spread if condition is None else cells
            if "missing" in domain[name] and (condition is None or condition.missing):
                cells = np.where(rng.random(size) < 0.2, np.nan, cells)
            made[name] = cells
            continue
        able = [i for i, v in enumerate(cells_of(values)) if condition is None or condition.holds(v)]
        made[name] = values.iloc[rng.choice(able, size)].reset_index(drop=True)
    return pd.DataFrame(made)[list(X.columns)]


def cells_of(values):
    if pd.api.types.is_datetime64_any_dtype(values):
        values = (values - pd.Timestamp("1970-01-01")) / pd.Timedelta("1D")
    if values.dtype == bool:
        values = values.map({True: "true", False: "false"})
    return [None if pd.isna(v) else v if isinstance(v, str) else float(v) for v in values]


def outcomes(model, rows, options, spec):
    if spec["task"] == "regression":
        return model.predict(rows)
    chances = model.predict_proba(rows)
    if chances.shape[1] > 2:
        return chances.argmax(axis=1)
    at = options.get("threshold")
    return (chances[:, 1] >= at) if at is not None else chances[:, 1] > 0.5


@pytest.mark.parametrize("name", CASES)
def test_no_draw_inside_a_proven_rule_is_decided_otherwise(name):
    data, y, make, options = CASES[name]
    X = data()
    model = make(X, y)
    found = sc.compute("rules/anchor", model, X, y, max_rows=4, **options)
    spec, rng = found.spec, np.random.default_rng(0)
    assert rules(found)
    for head, present, _ in rules(found):
        assert head["proven"]
        assert head["precision"] == 1.0
        own = X.iloc[[head["example"]]]
        conditions = {row["feature"]: read(row) for row in present}
        assert all(c.holds(cells_of(own[n])[0]) for n, c in conditions.items())
        got = outcomes(model, drawn(X, conditions, spec["domain"], DRAWS, rng), options, spec)
        wanted = outcomes(model, own, options, spec)[0]
        if spec["task"] == "regression":
            assert np.abs(got - wanted).max() <= spec["tolerance"] + 1e-9
        else:
            assert (got == wanted).all()


@pytest.mark.parametrize("name", CASES)
def test_without_any_one_condition_a_witness_is_decided_otherwise(name):
    data, y, make, options = CASES[name]
    X = data()
    model = make(X, y)
    found = sc.compute("rules/anchor", model, X, y, max_rows=4, **options)
    for head, present, _ in rules(found):
        assert head["minimal"]
        own = X.iloc[[head["example"]]].reset_index(drop=True)
        wanted = outcomes(model, own, options, found.spec)[0]
        conditions = {row["feature"]: read(row) for row in present}
        for row in present:
            changed = json.loads(row["witness"])
            witness = own.copy()
            for feature, value in changed.items():
                if not pd.api.types.is_datetime64_any_dtype(X[feature]):
                    witness[feature] = in_column(X[feature], value)
                assert feature == row["feature"] or feature not in conditions or conditions[feature].holds(value)
            if any(pd.api.types.is_datetime64_any_dtype(X[f]) for f in changed):
                continue
            got = outcomes(model, witness, options, found.spec)[0]
            if found.spec["task"] == "regression":
                assert abs(got - wanted) > found.spec["tolerance"]
            else:
                assert got != wanted


def in_column(column, value):
    if value is None or column.dtype == float:
        return np.nan if value is None else float(value)
    if column.dtype == bool:
        return value == "true"
    return pd.Categorical([value], categories=column.cat.categories) if hasattr(column, "cat") else value


def test_what_is_absent_would_lead_to_the_other_decision():
    X = families.plain()
    model = families.forest(1).fit(X, families.THREE)
    found = sc.compute("rules/anchor", model, X, max_rows=6, rather_than="high")
    seen = 0
    for head, _, every in rules(found):
        absent = {row["feature"]: read(row) for row in every if row["role"] == "absent"}
        if head["contrast"] != "high" or not absent:
            continue
        own = X.iloc[head["example"]]
        assert all(not c.holds(float(own[f])) for f, c in absent.items())
        near = X[np.logical_and.reduce([[c.holds(float(v)) for v in X[f]] for f, c in absent.items()])]
        if len(absent) == 1 and len(near):
            changed = pd.DataFrame([{**own, **{f: near[f].iloc[0] for f in absent}}])
            assert model.predict(changed)[0] == "high"
            seen += 1
    assert seen


def test_a_model_that_uses_one_column_needs_one_condition():
    X = pd.DataFrame({"used": np.arange(200.0), "idle": np.arange(200.0)[::-1]})
    model = RandomForestClassifier(3, max_features=None, bootstrap=False, random_state=0).fit(
        X[["used", "idle"]], X["used"] > 99
    )
    for head, present, _ in rules(sc.compute("rules/anchor", model, X, max_rows=5)):
        assert [row["feature"] for row in present] in (["used"], ["idle"])
        assert head["coverage"] == 0.5


class Counted:
    def __init__(self, model):
        self.model, self.rows = model, 0

    def __call__(self, rows):
        self.rows += len(rows)
        return self.model.predict_proba(rows)


def test_sampled_rules_keep_their_budget_and_their_precision():
    X, y = loans()
    X = X.drop(columns="race")
    model = LogisticRegression(max_iter=5_000).fit(X, y)
    asked = Counted(model)
    found = sc.compute("rules/anchor", asked, X[:6], y[:6], train=X, task="classification", evaluations=3_000)
    assert asked.rows <= 6 * 3_000 + 20  # and a few rows to see what the callable is
    assert sum(found.spec["evaluations"]["used"]) + found.spec["evaluations"]["shared"] <= 6 * 3_000
    rng, missed = np.random.default_rng(1), 0
    for head, present, _ in rules(found):
        conditions = {row["feature"]: read(row) for row in present}
        rows = drawn(X, conditions, {}, 20_000, rng)
        joint = X.iloc[rng.integers(len(X), size=20_000)].reset_index(drop=True)
        rows[[c for c in X if c not in conditions]] = joint[[c for c in X if c not in conditions]]
        right = (model.predict(rows) == int(head["decision"])).mean()
        missed += not head["low"] <= right <= head["high"]
    assert missed <= 1


def test_what_cannot_be_meant_is_refused():
    X = families.plain()
    model = families.forest(1).fit(X, families.BINARY)
    for options in ({"rather_than": "nobody"}, {"precision": 1.0}, {"tolerance": 0.1}, {"evaluations": 0}):
        with pytest.raises(sc.ParameterError):
            sc.compute("rules/anchor", model, X[:1], **options)


def test_a_witness_in_a_place_that_no_row_holds_is_not_claimed():
    """Behind a scaler the trees' thresholds are not the user's: between two without a row there is no value to show."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    y = X[:, 0] * X[:, 1] + X[:, 2] > 0
    model = make_pipeline(StandardScaler(), RandomForestClassifier(10, random_state=0)).fit(X, y)
    found = sc.compute("rules/anchor", model, X[:12]).to_pandas()
    heads = found[found["minimal"].notna()]
    assert heads["proven"].all()
    assert 0 < heads["minimal"].sum() < len(heads) == 12
    assert found["witness"].notna().any()


@pytest.mark.parametrize("make", [ExtraTreesClassifier, XGBClassifier])
def test_a_bound_holds_to_the_last_bit_where_the_model_rounds_to_single_precision(make):
    """scikit-learn holds rounded values against thresholds in double precision, XGBoost against rounded ones."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.integers(0, 40, (400, 3)) / 10.0, columns=list("abc"))
    model = make(n_estimators=15, max_depth=4, random_state=0).fit(X, (X["a"] + X["b"] > 4).astype(int))
    outermost = {"at_least": 0.0, "above": np.inf, "below": -np.inf, "up_to": 0.0}
    tried = 0
    for _head, present, _ in rules(sc.compute("rules/anchor", model, X[:40])):
        row = X.iloc[[present[0]["example"]]]
        for found in present:
            assert read(found).holds(float(row[found["feature"]].iloc[0]))
            for word, toward in outermost.items():
                if (bound := found.get(word)) is not None:
                    edge = float(np.nextafter(bound, toward)) if toward else bound
                    assert read(found).holds(edge)
                    assert model.predict(row.assign(**{found["feature"]: edge}))[0] == model.predict(row)[0]
                    tried += 1
    assert tried > 40


def test_a_split_that_tells_missing_values_alone_is_no_bound():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=400), "b": rng.normal(size=400)})
    frame.loc[rng.random(400) < 0.4, "b"] = np.nan
    label = (frame["b"].isna() ^ (frame["a"] > 0)).astype(int)
    model = LGBMClassifier(n_estimators=20, num_leaves=4, verbose=-1, n_jobs=1).fit(frame, label)
    assert " inf" in model.booster_.model_to_string()
    found = sc.compute("rules/anchor", model, frame[:20], train=frame).to_pandas()
    assert found.loc[found["condition"].isna(), "proven"].all()
    assert "inf" not in found["text"].str.cat()
