import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.svm import LinearSVC

import showcause as sc
from showcause.adapters.dataset import dataset
from showcause.adapters.frame import Column, Frame
from showcause.adapters.kept import pack, unpack
from showcause.adapters.model import adapt
from showcause.adapters.reasons import usual
from showcause.core.errors import NotApplicable
from showcause.methods.method import Decision, Job
from showcause.methods.reasons.cutoff import reference
from tests import oracles

RNG = np.random.default_rng(3)
COLUMNS = ["a", "b", "c", "d"]
X = pd.DataFrame(RNG.normal(size=(300, 4)), columns=COLUMNS)
SIGNAL = X["a"] + X["b"] * (X["c"] > 0) + RNG.normal(size=300) * 0.3
Y = np.where(SIGNAL > 0.3, "yes", "no")
GRADES = np.select([SIGNAL > 0.8, SIGNAL > -0.5], ["high", "middle"], "low")


def by_hand(model, artifact, outputs, row):
    """{column: (outputs,)} by counting all coalitions, against the reference rows that the artifact keeps."""
    kept = unpack(artifact.blobs["reference"], artifact.spec["kinds"], Frame.of(X)).native
    assert len(kept) == artifact.spec["background"]["count"]
    return oracles.shapley(outputs, X.iloc[[row]], kept)


def stored(artifact, row):
    table = artifact.to_pandas()
    return table[table["example"] == row].set_index("feature")


@pytest.mark.parametrize("favourable", ["yes", "no"])
def test_of_trees_they_are_shapley_values_of_the_margin_against_rows_at_the_cutoff(favourable):
    model = GradientBoostingClassifier(n_estimators=8, random_state=0).fit(X, Y)
    artifact = sc.compute("reasons/cutoff", model, X, favourable=favourable)
    sign = 1 if favourable == "yes" else -1
    for row in (0, 7):
        wanted = by_hand(model, artifact, model.decision_function, row)
        found = stored(artifact, row)
        assert [found["value"][c] for c in COLUMNS] == pytest.approx([sign * wanted[c][0] for c in COLUMNS], abs=1e-9)
        assert found["prediction"].iloc[0] == pytest.approx(sign * model.decision_function(X.iloc[[row]])[0], abs=1e-9)
        assert found["score"].iloc[0] == pytest.approx(
            dict(zip(model.classes_, model.predict_proba(X.iloc[[row]])[0], strict=True))[favourable]
        )


def test_of_linear_models_they_are_weights_times_distances_in_log_odds():
    model = LogisticRegression().fit(X, Y)
    artifact = sc.compute("reasons/cutoff", model, X)
    assert artifact.spec["estimator"] == "linear"
    wanted = by_hand(model, artifact, model.decision_function, 5)
    assert stored(artifact, 5)["value"].tolist() == pytest.approx([wanted[c][0] for c in COLUMNS], abs=1e-9)


def test_of_anything_else_they_are_shapley_values_of_its_own_output():
    model = MLPClassifier((4,), max_iter=5_000, tol=1e-3, random_state=0).fit(X, Y)
    artifact = sc.compute("reasons/cutoff", model, X.head(3), train=X)
    assert artifact.spec["space"] == "probability"
    wanted = by_hand(model, artifact, lambda rows: model.predict_proba(rows)[:, 1], 2)
    assert stored(artifact, 2)["value"].tolist() == pytest.approx([wanted[c][0] for c in COLUMNS], abs=1e-9)


def test_of_many_columns_orders_are_sampled_and_the_error_covers_the_truth():
    wide = pd.DataFrame(RNG.normal(size=(60, 12)), columns=[f"x{j}" for j in range(12)])
    weights = np.arange(12.0) - 5
    artifact = sc.compute("reasons/cutoff", lambda f: np.tanh(np.asarray(f) @ weights / 9), wide, task="regression")
    assert artifact.spec["estimator"] == "orders"
    values = artifact.to_pandas()
    assert values.groupby("example")["value"].sum().to_numpy() == pytest.approx(
        values.groupby("example")["prediction"].first() - values["base"].iloc[0], abs=1e-9
    )


def test_of_three_classes_it_is_the_lead_over_the_class_decided_for():
    model = RandomForestClassifier(5, max_depth=3, random_state=0).fit(X, GRADES)
    artifact = sc.compute("reasons/cutoff", model, X, favourable="high")
    row = int(np.flatnonzero(model.predict(X) == "low")[0])
    where = {name: j for j, name in enumerate(model.classes_)}
    wanted = by_hand(model, artifact, model.predict_proba, row)
    lead = [wanted[c][where["high"]] - wanted[c][where["low"]] for c in COLUMNS]
    found = stored(artifact, row)
    assert found["value"].tolist() == pytest.approx(lead, abs=1e-9)
    assert set(found["target"]) == {"high"}
    assert set(found["decision"]) == {"low"}


def test_of_a_regression_reasons_are_what_moves_it_most_from_a_sample_of_all():
    model = RandomForestRegressor(5, max_depth=3, random_state=0).fit(X, SIGNAL)
    artifact = sc.compute("reasons/cutoff", model, X)
    assert artifact.spec["population"]["rule"] == "a sample of all rows"
    wanted = by_hand(model, artifact, model.predict, 4)
    found = stored(artifact, 4)
    assert found["value"].tolist() == pytest.approx([wanted[c][0] for c in COLUMNS], abs=1e-9)
    assert found["value"].abs().idxmax() == found["rank"].idxmin()


def test_a_score_without_probabilities_has_its_cutoff_at_zero():
    model = LinearSVC().fit(X, Y)
    artifact = sc.compute("reasons/cutoff", model, X)
    table = artifact.to_pandas()
    assert ((table["score"] > 0) == (table["decision"] == "yes")).all()


@pytest.mark.parametrize(("favourable", "side"), [("yes", 1), ("no", -1)])
def test_the_reference_are_the_rows_nearest_to_the_cutoff_that_were_favoured(favourable, side):
    model = LogisticRegression().fit(X, Y)
    frame = Frame.of(X)
    adapted = adapt(model, frame)
    job = Job(adapted, dataset(adapted, frame), Decision(0.6, favourable, "given"))
    away = side * (model.predict_proba(X)[:, 1] - 0.6)
    inside = np.sort(away[away >= 0])
    found = reference(job, 24)
    assert sorted(away[found.rows]) == pytest.approx(inside[:24])
    with pytest.raises(NotApplicable, match="0 of 300 rows were decided favourably"):
        reference(Job(adapted, dataset(adapted, frame), Decision(0.9999999, "yes", "given")), 24)


def test_unfavourable_reasons_are_negative_favourable_ones_positive_four_at_most():
    model = GradientBoostingClassifier(n_estimators=20, random_state=0).fit(X, Y)
    table = sc.compute("reasons/cutoff", model, X).to_pandas()
    ranked = table[table["rank"].notna()]
    assert (np.sign(ranked["value"]) == np.where(ranked["decision"] == "yes", 1, -1)).all()
    assert ranked.groupby("example").size().max() <= 4
    assert table.groupby("example")["rank"].min().eq(1).all()


NUMBERS = np.array([10.0] * 3 + [11.0] * 9 + [12.34567, 13.0, 15.0, 18.0])


@pytest.mark.parametrize(
    ("column", "number", "level"),
    [
        (Column("n", "number", NUMBERS), 11.0, None),  # nine rows have the median
        (Column("n", "number", np.arange(16.0) + 0.123456), 7.12, None),  # nobody's: the middle's mean, rounded
        (Column("n", "number", np.array([0.0] * 4 + [1.0] * 12)), 1.0, None),
        (Column("n", "number", np.array([1.0] * 4 + [np.nan] * 12)), None, None),
        (Column("c", "category", np.array([0.0] * 9 + [1.0] * 7), ("x", "y")), None, "x"),
        (Column("c", "category", np.arange(16.0), tuple("abcdefghijklmnop")), None, None),
        (Column("t", "time", np.arange(16.0) + 40), 31.0, None),  # the first of February 1970
    ],
)
def test_what_is_usual_is_never_one_rows_own(column, number, level):
    found = usual(column, np.arange(16), coded=False)
    assert (found.number, found.level) == (number, level)


@pytest.mark.parametrize(("middle", "number"), [(71.2, 71.0), (70.0, None)])
def test_a_mean_that_happens_to_be_somebodys_own_value_is_rounded_further(middle, number):
    values = np.array([1, 2, 3, 4, *(middle + np.array([-0.5, -0.25, 0, 0.25, 0.5])), 96, 97, 98, 99])
    assert usual(Column("n", "number", values), np.arange(13), coded=False).number == number


def test_sides_say_how_a_row_lies_to_what_is_usual():
    pool = Column("n", "number", np.array([2.0] * 9))
    here = Column("n", "number", np.array([1.0, 2.0, 3.0, np.nan]))
    assert usual(pool, np.arange(9), coded=False).side(here) == ["lower", "same", "higher", "missing"]
    words = Column("c", "category", np.array([0.0] * 9), ("x",))
    mine = Column("c", "category", np.array([0.0, 1.0, np.nan]), ("w", "x"))
    assert usual(words, np.arange(9), coded=False).side(mine) == ["other", "same", "missing"]


def test_reference_rows_come_back_in_the_form_of_the_users_own():
    frame = pd.DataFrame(
        {
            "i": [1, 2, 3],
            "f": [1.5, None, 3.0],
            "s": ["x", None, "<b>"],
            "b": [True, False, True],
            "c": pd.Categorical(["u", "v", "u"], categories=["v", "u"]),
            "t": pd.to_datetime(["2020-01-01", None, "2021-05-06"]),
        }
    )
    for native in (frame, Frame.of(frame).native):
        kept = Frame.of(native)
        back = unpack(*pack(kept), like=kept)
        assert [back.digest(n) for n in kept.names] == [kept.digest(n) for n in kept.names]
        assert back.native.dtypes.tolist() == frame.dtypes.tolist()


def test_the_same_bytes_again_and_in_the_default_snapshot():
    model = LogisticRegression().fit(X, Y)
    one, two = (sc.compute("reasons/cutoff", model, X) for _ in range(2))
    assert one.digest == two.digest
    policy = {"require": {"artifacts": ["reasons/cutoff"]}, "privacy": {"rows": "omit"}}
    assert sc.explain(model, X, policy=policy)["reasons/cutoff"].blobs == {}
