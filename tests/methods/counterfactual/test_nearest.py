"""Counterfactuals of any model: valid or none, within the budget and the rules, never nearer than the optimum."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import showcause as sc
from tests.data import loans
from tests.methods.counterfactual.test_optimal import BINARY, GAPS, X, xgb

NUMBERS = X[["a", "b", "c"]]


def encoder():
    return make_column_transformer((OneHotEncoder(sparse_output=False), ["race"]), remainder="passthrough")


def replayed(frame, rows):
    """The row with the changes that the table tells."""
    changed = frame.iloc[[rows["example"].iloc[0]]].copy()
    for row in rows.itertuples():
        level = getattr(row, "after_level", None)
        value = row.after if level is None or pd.isna(level) else level
        own = frame[row.feature]
        changed[row.feature] = pd.Categorical([value], own.cat.categories) if hasattr(own, "cat") else value
    return changed


def alternatives(found):
    return [rows for _, rows in found.dropna(subset=["feature"]).groupby(["example", "alternative"])]


class Counted:
    def __init__(self, model):
        self.model, self.rows = model, 0

    def __call__(self, rows):
        self.rows += len(rows)
        return self.model.predict_proba(rows)


def test_every_alternative_is_valid_and_the_budget_is_kept():
    frame, y = loans()
    model = Counted(make_pipeline(encoder(), LogisticRegression(max_iter=5_000)).fit(frame, y))
    model.rows = 0
    found = sc.compute(
        "counterfactual/nearest",
        model,
        frame[:15],
        train=frame,
        task="classification",
        evaluations=300,
        protected=["race"],
    )
    asked, table = model.rows, found.to_pandas()
    assert asked <= 15 * 300 + len(frame) + 15 + 20  # the pool, the rows themselves, a few to see what the callable is
    assert max(found.spec["evaluations"]["used"]) <= 300
    assert alternatives(table)
    for rows in alternatives(table):
        own = model.model.predict(frame.iloc[[rows["example"].iloc[0]]])[0]
        assert model.model.predict(replayed(frame, rows))[0] != own
        assert "race" not in set(rows["feature"])
        assert rows["cost"].sum() == pytest.approx(rows["distance"].iloc[0])


def test_directions_ranges_and_constraints_hold():
    model = LogisticRegression(max_iter=5_000).fit(NUMBERS, BINARY)
    roles = {
        "features": {"a": {"monotone": "increase"}, "b": {"range": [1, 4]}},
        "immutable": ["c"],
        "constraints": ["a + b <= 9"],
    }
    found = sc.compute("counterfactual/nearest", model, NUMBERS[:40], train=NUMBERS, **roles).to_pandas()
    assert alternatives(found)
    for rows in alternatives(found):
        changed = replayed(NUMBERS, rows).iloc[0]
        assert changed["a"] + changed["b"] <= 9
        for row in rows.itertuples():
            assert row.feature in ("a", "b")
            assert row.after > row.before if row.feature == "a" else 1 <= row.after <= 4


def test_it_is_never_nearer_than_the_optimum_and_rarely_much_farther():
    model = xgb("XGBClassifier", enable_categorical=True).fit(GAPS, BINARY)
    best, near = (
        sc.compute(f"counterfactual/{name}", model, GAPS[:25], train=GAPS, alternatives=1, threshold=0.5)
        .to_pandas().drop_duplicates("example").set_index("example")["distance"]
        for name in ("optimal", "nearest")
    )  # fmt: skip
    assert (near >= best - 1e-9).all()
    assert (near <= 1.5 * best).mean() >= 0.8


def test_where_nothing_may_change_none_is_found_and_it_is_said():
    model = LogisticRegression(max_iter=5_000).fit(NUMBERS, BINARY)
    found = sc.compute("counterfactual/nearest", model, NUMBERS[:3], actionable=[]).to_pandas()
    assert found["feature"].isna().all()
    assert found["note"].str.startswith("none was found").all()


def test_a_range_of_a_regression_is_reached_and_kept_where_it_is():
    model = KNeighborsRegressor(3).fit(NUMBERS, NUMBERS["a"])
    found = sc.compute("counterfactual/nearest", model, NUMBERS[:20], at_least=4.0, at_most=6.0).to_pandas()
    for rows in alternatives(found):
        assert 4 <= model.predict(replayed(NUMBERS, rows))[0] <= 6
    predicted = model.predict(NUMBERS[:20])
    already = found[found["note"] == "it has the wanted outcome already"]["example"].tolist()
    assert already == np.flatnonzero((predicted >= 4) & (predicted <= 6)).tolist()
    with pytest.raises(sc.NotApplicable):
        sc.compute("counterfactual/nearest", model, NUMBERS[:2])
