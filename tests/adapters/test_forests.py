"""Every reader against its library's own margin, on data with missing values, categories and ties."""

import catboost
import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn import ensemble, tree
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression

from showcause.adapters.forests import NotAForest, read_forest
from showcause.adapters.forests.sklearn import matrix
from showcause.kernels.trees import check, path_dependent


def data(seed=0, n=600, missing=True):
    """Six columns: two of numbers, one of few values with zeros, one integer, two of category codes."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6))
    X[:, 2] = rng.integers(-1, 2, n) * 0.5
    X[:, 3] = rng.integers(0, 40, n)
    X[:, 4] = rng.integers(0, 4, n)
    X[:, 5] = rng.integers(0, 45, n)
    y = X[:, 0] + 2 * X[:, 2] + np.isin(X[:, 4], [1, 3]) + np.sin(X[:, 5] * 2.3) + 0.1 * rng.normal(size=n)
    if missing:
        X[rng.random(X.shape) < 0.1] = np.nan
    return X, y


def probe(X, seed=1):
    """Rows that training never saw: values at thresholds aside, unseen categories and missing everywhere."""
    rng = np.random.default_rng(seed)
    X = np.concatenate([X, X[:100]])
    for column in range(X.shape[1]):
        X[-100:, column] = rng.permutation(X[-100:, column])
    X[-50:, 4] = rng.integers(4, 9, 50)
    X[-50:, 5] = rng.integers(40, 90, 50)
    X[-20:][rng.random((20, X.shape[1])) < 0.5] = np.nan
    return X


def labels(y, k):
    return np.digitize(y, np.quantile(y, np.arange(1, k) / k))


SKLEARN = {
    "tree": tree.DecisionTreeRegressor(max_depth=6),
    "tree classifier": tree.DecisionTreeClassifier(max_depth=6, class_weight="balanced"),
    "extra tree": tree.ExtraTreeClassifier(max_depth=6, random_state=0),
    "forest": ensemble.RandomForestRegressor(20, max_depth=9, random_state=0),
    "forest classifier": ensemble.RandomForestClassifier(20, random_state=0),
    "extra trees": ensemble.ExtraTreesClassifier(20, max_depth=7, random_state=0),
    "histogram": ensemble.HistGradientBoostingRegressor(max_iter=20),
    "histogram poisson": ensemble.HistGradientBoostingRegressor(max_iter=20, loss="poisson"),
    "histogram classifier": ensemble.HistGradientBoostingClassifier(max_iter=20),
    "histogram categories": ensemble.HistGradientBoostingClassifier(max_iter=20, categorical_features=[5, 3]),
}


@pytest.mark.parametrize("name", SKLEARN)
@pytest.mark.parametrize("classes", [2, 3])
def test_sklearn(name, classes):
    model, (X, y) = SKLEARN[name], data()
    target = labels(y, classes) if hasattr(model, "predict_proba") else y - y.min()
    model.fit(X, target)
    forest, Z = read_forest(model), probe(X)
    if "histogram" in name:
        margin = model.decision_function(Z) if hasattr(model, "classes_") else model._raw_predict(Z)
        shown = model.predict_proba(Z) if hasattr(model, "classes_") else model.predict(Z)
    else:
        margin = shown = model.predict_proba(Z) if hasattr(model, "classes_") else model.predict(Z)
        margin = margin[:, 1] if margin.shape == (len(Z), 2) else margin
    shown = shown[:, 1] if shown.shape == (len(Z), 2) else shown
    check(forest, matrix(model, Z), margin)
    np.testing.assert_allclose(forest.response(forest.predict(matrix(model, Z))).squeeze(), shown, rtol=1e-9)


@pytest.mark.parametrize("loss", ["log_loss", "exponential", "squared_error", "huber"])
@pytest.mark.parametrize("init", [None, "zero"])
def test_sklearn_gradient_boosting(loss, init):
    X, y = data(missing=False)
    if loss in {"log_loss", "exponential"}:
        model = ensemble.GradientBoostingClassifier(n_estimators=20, loss=loss, init=init).fit(X, labels(y, 2))
        margin, shown = model.decision_function(X), model.predict_proba(X)[:, 1]
    else:
        model = ensemble.GradientBoostingRegressor(n_estimators=20, loss=loss, init=init).fit(X, y)
        margin = shown = model.predict(X)
    forest = read_forest(model)
    check(forest, X, margin)
    np.testing.assert_allclose(forest.response(forest.predict(X))[:, 0], shown, rtol=1e-9)


def test_sklearn_gradient_boosting_of_classes():
    X, y = data(missing=False)
    model = ensemble.GradientBoostingClassifier(n_estimators=5).fit(X, labels(y, 3))
    check(read_forest(model), X, model.decision_function(X))


XGB_PARAMS = {
    "trees": {},
    "exact": {"tree_method": "exact"},
    "dart": {"booster": "dart", "rate_drop": 0.5, "seed": 1},
    "lossguide": {"grow_policy": "lossguide", "max_leaves": 20, "max_depth": 0},
    "parallel": {"num_parallel_tree": 3, "subsample": 0.5},
    "three classes": {"objective": "multi:softprob", "num_class": 3},
    "three classes dart": {"objective": "multi:softprob", "num_class": 3, "booster": "dart", "rate_drop": 0.5},
    "logitraw": {"objective": "binary:logitraw"},
    "logistic regression": {"objective": "reg:logistic"},
    "poisson": {"objective": "count:poisson"},
    "gamma": {"objective": "reg:gamma"},
    "tweedie": {"objective": "reg:tweedie"},
    "squared": {"objective": "reg:squarederror"},
    "quantile": {"objective": "reg:quantileerror", "quantile_alpha": 0.3},
    "absolute": {"objective": "reg:absoluteerror"},
    "base score": {"base_score": 0.3},
    "rank": {"objective": "rank:pairwise"},
    "cox": {"objective": "survival:cox"},
}


# Numbers alone, categories split by subset, and one against the rest; the exact method knows no categories.
XGB_CASES = [
    (params, onehot)
    for params, options in XGB_PARAMS.items()
    for onehot in ([None] if options.get("tree_method") == "exact" else [None, 1, 100])
]


@pytest.mark.parametrize(("params", "onehot"), XGB_CASES)
def test_xgboost(params, onehot):
    options = {"objective": "binary:logistic", "max_depth": 5} | XGB_PARAMS[params]
    X, y = data()
    types = ["q"] * 6 if onehot is None else ["q"] * 4 + ["c"] * 2
    objective = options["objective"]
    if "multi" in objective or "logi" in objective:
        y = labels(y, options.get("num_class", 2))
    elif objective != "reg:squarederror":
        y = y - y.min() + 0.1
    rows = xgboost.DMatrix(X, y, feature_types=types, enable_categorical=True)
    if objective == "rank:pairwise":
        rows.set_group([len(X)])
    booster = xgboost.train(options | ({"max_cat_to_onehot": onehot} if onehot else {}), rows, 12)
    forest, Z = read_forest(booster), probe(X)
    unseen = xgboost.DMatrix(Z, feature_types=types, enable_categorical=True)
    check(forest, Z, booster.predict(unseen, output_margin=True))
    if objective != "rank:pairwise":
        shown = booster.predict(unseen)
        np.testing.assert_allclose(_shown(forest, Z, objective), shown, rtol=1e-4, atol=1e-6)


def _shown(forest, Z, objective):
    margin = forest.predict(Z)
    return (margin if objective == "binary:logitraw" else forest.response(margin)).squeeze()


def test_xgboost_contributions_with_categories():
    X, y = data()
    types = ["q"] * 4 + ["c"] * 2
    rows = xgboost.DMatrix(X, labels(y, 2), feature_types=types, enable_categorical=True)
    booster = xgboost.train({"objective": "binary:logistic"}, rows, 12)
    theirs = booster.predict(rows, pred_contribs=True)
    phi, base = path_dependent(read_forest(booster), X)
    np.testing.assert_allclose(phi[:, :, 0], theirs[:, :-1], atol=2e-5)
    np.testing.assert_allclose(base, theirs[0, -1], atol=2e-5)


def test_xgboost_wrapper_uses_its_best_iteration():
    X, y = data()
    model = xgboost.XGBClassifier(n_estimators=200, early_stopping_rounds=3, learning_rate=1.0)
    model.fit(X[:400], labels(y, 3)[:400], eval_set=[(X[400:], labels(y, 3)[400:])], verbose=False)
    assert model.best_iteration < model.get_booster().num_boosted_rounds() - 1
    check(read_forest(model), X, model.predict(X, output_margin=True))
    everything = model.get_booster().predict(xgboost.DMatrix(X), output_margin=True)
    check(read_forest(model.get_booster()), X, everything)


LGB_PARAMS = {
    "trees": {},
    "dart": {"boosting": "dart", "drop_rate": 0.5},
    "goss": {"data_sample_strategy": "goss"},
    "rf": {"boosting": "rf", "bagging_fraction": 0.6, "bagging_freq": 1, "feature_fraction": 0.7},
    "rf regression": {"boosting": "rf", "bagging_fraction": 0.6, "bagging_freq": 1, "objective": "regression"},
    "three classes": {"objective": "multiclass", "num_class": 3},
    "one against all": {"objective": "multiclassova", "num_class": 3, "sigmoid": 0.7},
    "sigmoid": {"sigmoid": 2.0},
    "cross entropy": {"objective": "cross_entropy"},
    "regression": {"objective": "regression"},
    "huber": {"objective": "huber"},
    "poisson": {"objective": "poisson"},
    "gamma": {"objective": "gamma"},
    "tweedie": {"objective": "tweedie"},
    "zero as missing": {"zero_as_missing": True},
    "no missing": {"use_missing": False},
    "stumps and single leaves": {"min_gain_to_split": 60.0},
}


@pytest.mark.parametrize("params", LGB_PARAMS)
@pytest.mark.parametrize("categorical", [[], [4, 5]])
@pytest.mark.parametrize("missing", [True, False])
def test_lightgbm(params, categorical, missing):
    options = {"objective": "binary", "num_leaves": 15, "min_data_per_group": 5, "verbose": -1} | LGB_PARAMS[params]
    X, y = data(missing=missing)
    y = labels(y, options.get("num_class", 2)) if options["objective"][:5] in {"binar", "multi", "cross"} else y
    y = y - y.min() + 0.1 if options["objective"] in {"poisson", "gamma", "tweedie"} else y
    booster = lightgbm.train(options, lightgbm.Dataset(X, y, categorical_feature=categorical), 12)
    forest, Z = read_forest(booster), probe(X)
    check(forest, Z, booster.predict(Z, raw_score=True) / (12 if options.get("boosting") == "rf" else 1))
    np.testing.assert_allclose(forest.response(forest.predict(Z)).squeeze(), booster.predict(Z), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("categorical", [[], [4, 5]])
def test_lightgbm_contributions(categorical):
    X, y = data()
    options = {"objective": "binary", "verbose": -1, "min_data_per_group": 5}
    booster = lightgbm.train(options, lightgbm.Dataset(X, labels(y, 2), categorical_feature=categorical), 12)
    theirs = booster.predict(X, pred_contrib=True)
    phi, base = path_dependent(read_forest(booster), X)
    np.testing.assert_allclose(phi[:, :, 0], theirs[:, :-1], atol=1e-9)
    np.testing.assert_allclose(base, theirs[0, -1], atol=1e-9)


def test_lightgbm_wrapper_uses_its_best_iteration():
    X, y = data()
    model = lightgbm.LGBMClassifier(n_estimators=200, learning_rate=1.0, verbose=-1)
    stop = lightgbm.early_stopping(3, verbose=False)
    model.fit(X[:400], labels(y, 3)[:400], eval_X=X[400:], eval_y=labels(y, 3)[400:], callbacks=[stop])
    check(read_forest(model), X, model.predict(X, raw_score=True))
    assert read_forest(model).n_trees == 3 * model.best_iteration_


def test_lightgbm_zeros_and_codes_are_cut_as_the_library_cuts_them():
    X, y = data(missing=False)
    options = {"objective": "binary", "zero_as_missing": True, "verbose": -1, "min_data_per_group": 5}
    booster = lightgbm.train(options, lightgbm.Dataset(X, labels(y, 2), categorical_feature=[4]), 12)
    X[:, 2] = np.resize([1e-35, np.float32(1e-35), -np.float32(1e-35), 1.1e-35], len(X))
    X[:, 4] = np.resize([0.0, -0.5, -1.0, 1.9, np.nan], len(X))
    check(read_forest(booster), X, booster.predict(X, raw_score=True))


CAT_PARAMS = {
    "symmetric": {},
    "depthwise": {"grow_policy": "Depthwise"},
    "lossguide": {"grow_policy": "Lossguide"},
    "three classes": {"loss_function": "MultiClass"},
    "three classes lossguide": {"loss_function": "MultiClass", "grow_policy": "Lossguide"},
    "regression": {"loss_function": "RMSE"},
    "poisson": {"loss_function": "Poisson"},
    "missing first": {"nan_mode": "Min"},
    "missing last": {"nan_mode": "Max"},
}


@pytest.mark.parametrize("params", CAT_PARAMS)
def test_catboost(params):
    options = {"loss_function": "Logloss", "iterations": 12, "depth": 4, "thread_count": 2} | CAT_PARAMS[params]
    X, y = data()
    classes = {"Logloss": 2, "MultiClass": 3}.get(options["loss_function"])
    y = labels(y, classes) if classes else y - y.min()
    model = catboost.CatBoost(options | {"verbose": 0, "allow_writing_files": False}).fit(X, y)
    forest, Z = read_forest(model), probe(X)
    check(forest, Z, model.predict(Z, prediction_type="RawFormulaVal"))
    if "grow_policy" not in options:
        theirs = model.get_feature_importance(
            catboost.Pool(X[:20]), type="ShapValues", shap_calc_type="Regular"
        ).reshape(20, -1, 7)
        phi, _ = path_dependent(forest, X[:20])
        np.testing.assert_allclose(phi, theirs[:, :, :6].transpose(0, 2, 1), atol=1e-6)


def _linear_tree(X, y):
    return lightgbm.train({"linear_tree": True, "verbose": -1}, lightgbm.Dataset(X, y), 3)


def _vector_leaves(X, y):
    return xgboost.XGBRegressor(n_estimators=2, multi_strategy="multi_output_tree").fit(X, np.stack([y, -y], axis=1))


def _catboost_categories(X, y):
    X = [[str(row[5]), row[0]] for row in X.tolist()]
    return catboost.CatBoostRegressor(iterations=3, verbose=0, allow_writing_files=False, cat_features=[0]).fit(X, y)


REFUSED = {
    "gblinear": (lambda X, y: xgboost.XGBRegressor(booster="gblinear", n_estimators=2).fit(X, y), "linear model"),
    "multi_output_tree": (_vector_leaves, "vectors"),
    "linear_tree": (_linear_tree, "linear models"),
    "catboost categories": (_catboost_categories, "hashes"),
    "adaboost": (lambda X, y: ensemble.AdaBoostRegressor(n_estimators=2).fit(X, y), "median"),
    "isolation": (lambda X, y: ensemble.IsolationForest(n_estimators=2).fit(X), "depth"),
    "init": (
        lambda X, y: ensemble.GradientBoostingRegressor(init=LinearRegression(), n_estimators=2).fit(X, y),
        "LinearRegression",
    ),
    "two targets": (
        lambda X, y: ensemble.RandomForestRegressor(2).fit(X, np.stack([y, y], axis=1)),
        "one target at a time",
    ),
    "not fitted": (lambda X, y: ensemble.RandomForestRegressor(2), "not fitted"),
    "no trees": (lambda X, y: DummyClassifier().fit(X, y > 0), "not a tree ensemble"),
    "no library": (lambda X, y: object(), "not a tree ensemble"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_say_why(name):
    make, reason = REFUSED[name]
    with pytest.raises(NotAForest, match=reason):
        read_forest(make(*data(missing=False)))
