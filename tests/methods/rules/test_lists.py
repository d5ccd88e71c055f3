"""Rule lists and surrogate rules: coverage and precision are counts that anyone can repeat from what is stored."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier

import showcause as sc
from showcause.core.rules import read
from tests import families
from tests.data import loans
from tests.methods.rules.test_anchor import cells_of

X = families.categories()
X.loc[::9, "b"] = np.nan
MODEL = families._xgb("XGBClassifier", 1, enable_categorical=True).fit(X, families.BINARY)


def rules(artifact):
    """[(head row, its conditions)]"""
    rows = artifact.table.to_pylist()
    return [
        (h, [read(r) for r in rows if r["rule"] == h["rule"] and r["condition"] is not None])
        for h in rows
        if h["condition"] is None
    ]


def meets(conditions, frame):
    cells = {name: cells_of(frame[name]) for name in frame}
    return np.array([all(c.holds(cells[c.feature][i]) for c in conditions) for i in range(len(frame))])


def held_out():
    fresh = X.sample(len(X), random_state=1).reset_index(drop=True)
    return fresh, MODEL.predict(fresh)


def test_a_list_is_read_from_top_to_bottom():
    fresh, decided = held_out()
    found = sc.compute("rules/list", MODEL, fresh, train=X)
    left, agree = np.ones(len(fresh), bool), 0
    for head, conditions in rules(found):
        inside = left & meets(conditions, fresh)
        right = (decided[inside] == int(head["decision"])).sum()
        assert head["count"] == inside.sum()
        assert head["coverage"] == pytest.approx(inside.mean())
        assert head["precision"] == pytest.approx(right / inside.sum())
        assert head["low"] <= head["precision"] <= head["high"]
        left, agree = left & ~inside, agree + right
    assert not left.any()
    assert found.spec["fidelity"]["held out"] == {"rows": len(fresh), "agreement": pytest.approx(agree / len(fresh))}


def test_a_model_that_is_a_list_is_found_again():
    frame = pd.DataFrame({"a": np.arange(400) % 10, "b": np.arange(400) // 40.0, "c": np.arange(400) % 3})

    def model(rows):
        yes = np.where(rows["a"] > 7, 1, np.where(rows["b"] < 2, 1, 0))
        return np.column_stack([1 - yes, yes]).astype(float)

    found = sc.compute("rules/list", model, frame, task="classification", rules=4)
    assert found.spec["fidelity"]["held out"]["agreement"] == 1.0
    assert {c.feature for _, conditions in rules(found) for c in conditions} == {"a", "b"}


@pytest.mark.parametrize("case", ["binary", "three classes", "regression"])
def test_exactly_one_surrogate_rule_holds_for_any_row(case):
    labels = {"binary": families.BINARY, "three classes": families.THREE, "regression": families.SCORE}[case]
    kind = "Regressor" if case == "regression" else "Classifier"
    codes = np.unique(labels, return_inverse=True)[1] if case == "three classes" else labels
    model = families._xgb(f"XGB{kind}", 1, enable_categorical=True).fit(X, codes)
    fresh = X.sample(len(X), random_state=1).reset_index(drop=True)
    found = sc.compute("rules/surrogate", model, fresh, train=X)
    inside = np.array([meets(conditions, fresh) for _, conditions in rules(found)])
    assert (inside.sum(axis=0) == 1).all()
    for (head, _), of in zip(rules(found), inside, strict=True):
        assert head["count"] == of.sum()
        if case != "regression" and of.any():
            assert head["precision"] == pytest.approx((model.predict(fresh)[of] == int(head["decision"])).mean())
    assert found.spec["fidelity"] == sc.compute("model/surrogate_tree", model, fresh, train=X).spec["fidelity"]


def test_lists_of_a_real_model_say_more_than_the_commonest_decision():
    frame, y = loans()
    numbers = frame.drop(columns="race")
    model = RandomForestClassifier(40, max_depth=5, random_state=0, class_weight="balanced").fit(
        numbers[:1200], y[:1200]
    )
    found = sc.compute("rules/list", model, numbers[1200:].reset_index(drop=True), train=numbers[:1200])
    decided = model.predict(numbers[1200:])
    assert found.spec["fidelity"]["held out"]["agreement"] > max(decided.mean(), 1 - decided.mean()) + 0.05
    assert len(rules(found)) <= 9


def test_what_has_no_rules_says_why():
    constant = lambda rows: np.full((len(rows), 2), 0.5)  # noqa: E731
    with pytest.raises(sc.NotApplicable, match="alike"):
        sc.compute("rules/list", constant, X, task="classification")
    with pytest.raises(sc.NotApplicable, match="do not vary"):
        sc.compute("rules/surrogate", constant, X, task="classification")
    with pytest.raises(sc.NotApplicable, match="regression"):
        sc.compute("rules/list", lambda rows: np.arange(len(rows)), X, task="regression")
    with pytest.raises(sc.ParameterError):
        sc.compute("rules/list", MODEL, X, length=4)
