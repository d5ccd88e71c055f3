"""The founding acceptance test, on real mortgage decisions: a Pipeline with a string column, a numeric random forest,
and string labels. Each yields a complete snapshot whose explanations agree with brute force."""

from functools import cache

import numpy as np
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import showcause as sc
from tests import oracles
from tests.data import loans

ROWS = 400


def _string_column():
    frame, approved = loans()
    encode = make_column_transformer((OneHotEncoder(), ["race"]), remainder=StandardScaler())
    return make_pipeline(encode, LogisticRegression(max_iter=1000)), frame, approved


def _numeric_forest():
    frame, approved = loans()
    return RandomForestClassifier(60, max_depth=6, random_state=0, n_jobs=2), frame.drop(columns="race"), approved


def _string_labels():
    frame, approved = loans()
    encode = make_column_transformer((OneHotEncoder(), ["race"]), remainder="passthrough")
    forest = RandomForestClassifier(60, max_depth=6, random_state=0)
    return make_pipeline(encode, forest), frame, np.where(approved == 1, "approved", "rejected")


MAKERS = {"string column": _string_column, "numeric forest": _numeric_forest, "string labels": _string_labels}


@cache
def case(name):
    model, frame, labels = MAKERS[name]()
    train, test = (frame[:-ROWS], labels[:-ROWS]), (frame[-ROWS:].reset_index(drop=True), labels[-ROWS:])
    model.fit(*train)
    snapshot = sc.explain(model, *test, train=train, segments=[frame.columns[0]])
    return model, train, test, snapshot


@pytest.fixture(params=MAKERS)
def ordinary(request):
    return case(request.param)


def test_the_snapshot_is_complete_and_nothing_failed(ordinary):
    *_, snapshot = ordinary
    assert snapshot.complete
    assert {n: str(s) for n, s in snapshot.statuses.items() if s.state == "failed"} == {}


def test_its_attributions_equal_two_to_the_p_enumeration(ordinary):
    model, train, (X, _), snapshot = ordinary
    name = next(n for n in ("attribution/tree_shap", "attribution/shapley") if n in snapshot)
    background = train[0].sample(25, random_state=0)
    rows = X.iloc[[3, 250]]
    artifact = sc.compute(name, model, rows, background=background)
    table = artifact.to_pandas().set_index(["example", "feature"])["value"]
    space = artifact.spec["space"]
    assert space in ("probability", "log-odds")
    for position in range(len(rows)):
        expected = oracles.shapley(lambda f: model.predict_proba(f)[:, 1], rows.iloc[[position]], background)
        for feature, value in expected.items():
            assert table[position, feature] == pytest.approx(value.item(), abs=1e-9), (position, feature)


def test_its_attributions_add_up_to_the_predictions_in_raw_columns(ordinary):
    model, _, (X, _), snapshot = ordinary
    table = snapshot[next(n for n in ("attribution/tree_shap", "attribution/shapley") if n in snapshot)].to_pandas()
    assert set(table["feature"]) == set(X.columns)
    total = table.groupby("example").agg(
        value=("value", "sum"), base=("base", "first"), prediction=("prediction", "first")
    )
    np.testing.assert_allclose(total.value + total.base, total.prediction, atol=1e-9)
    np.testing.assert_allclose(total.prediction, model.predict_proba(X)[total.index, 1], atol=1e-9)


def test_its_permutation_importance_equals_many_shuffles_by_hand(ordinary):
    model, _, (X, y), snapshot = ordinary
    table = snapshot["importance/permutation"].to_pandas().set_index("feature")
    labels = (np.asarray(y) == model.classes_[1]).astype(int)
    before = oracles.log_loss_rows(model.predict_proba(X)[:, 1], labels)
    rng = np.random.default_rng(1)
    feature = table["value"].idxmax()
    differences = []
    for _ in range(20):
        shuffled = X.assign(**{feature: X[feature].to_numpy()[rng.permutation(len(X))]})
        differences.append(oracles.log_loss_rows(model.predict_proba(shuffled)[:, 1], labels) - before)
    spread = np.std([d.mean() for d in differences]) / np.sqrt(5) * np.sqrt(1 + 5 / 20)
    assert table.loc[feature, "value"] == pytest.approx(np.mean(differences), abs=5 * spread)


def test_its_partial_dependence_equals_brute_force(ordinary):
    model, _, (X, _), snapshot = ordinary
    table = snapshot["dependence/pdp"].to_pandas()
    for feature in table["feature"].unique()[:3]:
        rows = table[table.feature == feature].iloc[:3]
        for _, row in rows.iterrows():
            level = row["at_level"] if isinstance(row.get("at_level"), str) else row["at"]
            expected = oracles.partial_dependence(lambda f: model.predict_proba(f)[:, 1], X, feature, level)
            assert row["value"] == pytest.approx(expected, abs=1e-9), (feature, level)


def test_its_performance_is_what_scikit_learn_says(ordinary):
    from sklearn.metrics import log_loss, roc_auc_score

    model, _, (X, y), snapshot = ordinary
    table = snapshot["model/performance"].to_pandas()
    held_out = table[table.segment == "all"].set_index("metric")["value"]
    chances = model.predict_proba(X)
    labels = (np.asarray(y) == model.classes_[1]).astype(int)
    assert held_out["roc_auc"] == pytest.approx(roc_auc_score(labels, chances[:, 1]))
    assert held_out["log_loss"] == pytest.approx(log_loss(labels, chances))


def test_the_report_opens_with_its_numbers(ordinary, tmp_path):
    *_, snapshot = ordinary
    page = snapshot.report(tmp_path / "report.html").read_text()
    assert snapshot.id[:12] in page
    assert len(page) < 3_000_000


def test_the_same_run_again_has_the_same_id(ordinary):
    model, train, test, snapshot = ordinary
    again = sc.explain(model, *test, train=train, segments=[train[0].columns[0]])
    assert again.id == snapshot.id


def test_the_data_are_real():
    frame, approved = loans()
    assert (len(frame), int(approved.sum())) == (1_989, 1_745)
    assert set(frame["race"]) == {"black", "hispanic", "white"}
