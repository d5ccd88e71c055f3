import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from xgboost import Booster, XGBClassifier

from showcause.adapters.refit import bootstrapped, cloned, settings
from showcause.core.errors import ModelError

X, Y = load_breast_cancer(return_X_y=True)
X = X[:, :6]
NESTED = make_pipeline(StandardScaler(), BaggingClassifier(DecisionTreeClassifier(random_state=1), random_state=2))


def test_every_seed_is_set_also_those_of_estimators_inside():
    found = settings(NESTED, 9)
    assert {name: value for name, value in found.items() if name.endswith("random_state")} == {
        "baggingclassifier__random_state": 9,
        "baggingclassifier__estimator__random_state": 9,
    }


def test_threads_are_one_where_a_number_was_given_and_lightgbm_is_told_to_be_deterministic():
    assert settings(RandomForestClassifier(n_jobs=4), 1)["n_jobs"] == 1
    found = settings(make_pipeline(StandardScaler(), LGBMClassifier(n_estimators=3)), 1)
    assert (found["lgbmclassifier__n_jobs"], found["lgbmclassifier__deterministic"]) == (1, True)
    assert "force_col_wise" not in settings(LGBMClassifier(force_row_wise=True), 1)


def test_catboost_lists_only_what_it_was_given_and_is_seeded_all_the_same():
    assert settings(CatBoostClassifier(iterations=3), 5)["random_seed"] == 5
    found = settings(CatBoostClassifier(iterations=3, random_state=1), 5)
    assert found["random_state"] == 5
    assert "random_seed" not in found


ESTIMATORS = {
    "pipeline": NESTED,
    "forest": RandomForestClassifier(5, n_jobs=2, random_state=0),
    "sgd": SGDClassifier(loss="log_loss"),
    "mlp": make_pipeline(StandardScaler(), MLPClassifier((4,), max_iter=20, early_stopping=True)),
    "xgboost": XGBClassifier(n_estimators=5, subsample=0.5, n_jobs=2),
    "lightgbm": LGBMClassifier(n_estimators=5, subsample=0.5, subsample_freq=1, verbose=-1),
    "catboost": CatBoostClassifier(iterations=5, verbose=False, allow_writing_files=False),
}


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_seed_decides_the_model_and_another_one_gives_another(name):
    native = ESTIMATORS[name].fit(X, Y)
    before = native.predict_proba(X)
    refit = cloned(native)
    one, again, other = (refit(X, Y, seed).predict_proba(X) for seed in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).any()
    assert (native.predict_proba(X) == before).all()  # the model explained is left alone


def test_a_search_is_trained_again_as_what_it_found():
    search = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2]}).fit(X, Y)
    found = cloned(search)(X, Y, 1)
    assert isinstance(found, DecisionTreeClassifier)
    assert found.max_depth == search.best_params_["max_depth"]


def test_columns_stay_the_users_own():
    frame = pd.DataFrame({"a": ["x", "y"] * 50, "b": np.arange(100.0)})
    labels = np.array(["no", "yes"] * 50)
    encode = make_column_transformer((OneHotEncoder(), ["a"]), remainder="passthrough")
    model = make_pipeline(encode, DecisionTreeClassifier()).fit(frame, labels)
    assert cloned(model)(frame, labels, 1).predict(frame.iloc[:2]).tolist() == ["no", "yes"]


def test_what_cannot_be_cloned_says_what_to_give_instead():
    for native in (Booster(), lambda rows: rows):
        with pytest.raises(ModelError, match="give refit="):
            cloned(native)


def test_a_bootstrap_keeps_every_class_and_its_size():
    y = np.array([0] * 50 + [1] * 3 + [2])
    for seed in range(20):
        rows = bootstrapped(y, np.random.default_rng(seed))
        assert np.bincount(y[rows]).tolist() == [50, 3, 1]
        assert (np.diff(rows) >= 0).all()
    assert len(set(rows.tolist())) < 54


def test_a_bootstrap_of_numbers_draws_rows_as_one():
    y = np.arange(1000.0)
    rows = bootstrapped(y, np.random.default_rng(0))
    assert len(rows) == 1000
    assert 600 < len(np.unique(rows)) < 660  # 1 - 1/e
