"""A view is the model, or a reason. Every way through a wrapper is held to 2^p brute force on the wrapper itself."""

import catboost
import lightgbm
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xgboost
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, TunedThresholdClassifierCV
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.tree import DecisionTreeClassifier

from showcause.adapters.frame import Frame
from showcause.adapters.model import adapt
from showcause.adapters.trees import NotAForest, tree_view
from showcause.core.errors import ModelError
from tests import oracles

RNG = np.random.default_rng(3)
N = 220
X = pd.DataFrame(
    {
        "town": RNG.choice(["Oslo", "Bogotá", "Łódź", "東京", "Bern", "Rome"], N),
        "age": RNG.normal(size=N).round(3),
        "debt": np.where(RNG.random(N) < 0.2, np.nan, RNG.normal(size=N).round(3)),
        "kind": RNG.choice(["u", "v"], N),
    }
)
SCORE = X.age + (X.town == "Oslo") - (X.town == "東京") + (X.kind == "u") * X.debt.fillna(1) + RNG.normal(size=N) / 3
YES = np.where(SCORE > 0.4, "yes", "no")
THREE = np.array(["p", "q", "r"])[np.digitize(SCORE, [-0.3, 0.9])]
NATIVE = X.astype({"town": "category", "kind": "category"})


def forest(**options):
    return RandomForestClassifier(6, max_depth=5, random_state=0, **options)


def encoder(**options):
    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    one_hot = OneHotEncoder(handle_unknown="ignore", **options)
    return ColumnTransformer([("words", one_hot, ["town", "kind"]), ("numbers", numbers, ["age", "debt"])])


def dense():
    return encoder(sparse_output=False)


def sparse():
    return ColumnTransformer([*encoder().transformers], sparse_threshold=1.0)


def view_of(model, data):
    frame = Frame.of(data)
    return tree_view(adapt(model, frame), frame)


def probability(model):
    return lambda rows: model.predict_proba(rows)[:, 1:] if len(model.classes_) == 2 else model.predict_proba(rows)


def softmax_margin(model):
    return lambda rows: model.decision_function(rows)


def raw(model):
    return lambda rows: model.predict(rows, raw_score=True)


def xgb_margin(model):
    return lambda rows: model.predict(rows, output_margin=True)


def through(last, before=dense):
    return lambda: make_pipeline(before(), last)


def rooms(rows):
    return np.log1p(np.abs(rows))


# name → (unfitted model, labels, its additive output as a function of frames, given the fitted model)
SEEN = {
    "one-hot pipeline": (through(forest()), YES, probability),
    "sparse one-hot": (through(forest(), sparse), THREE, probability),
    "ordinal codes": (
        lambda: make_pipeline(
            make_column_transformer((OrdinalEncoder(), ["kind", "town"]), remainder="passthrough"), forest()
        ),
        YES,
        probability,
    ),
    "nested pipelines and a union": (
        lambda: make_pipeline(
            dense(),
            make_union(StandardScaler(), make_pipeline(SelectKBest(k=4), "passthrough")),
            "passthrough",
            forest(),
        ),
        YES,
        probability,
    ),
    "columns as functions": (
        lambda: make_pipeline(
            make_column_transformer(
                (FunctionTransformer(rooms), ["age"]),
                (KBinsDiscretizer(3, encode="onehot-dense", quantile_method="averaged_inverted_cdf"), ["age"]),
                (make_pipeline(SimpleImputer(), SplineTransformer(3)), ["debt"]),
                (TargetEncoder(cv=2), ["town"]),
                remainder="drop",
            ),
            forest(),
        ),
        THREE,
        probability,
    ),
    "polynomial of one column": (
        lambda: make_pipeline(
            make_column_transformer((PolynomialFeatures(3, include_bias=True), ["age"]), (OneHotEncoder(), ["town"])),
            forest(),
        ),
        YES,
        probability,
    ),
    "search": (
        lambda: GridSearchCV(make_pipeline(dense(), forest()), {"randomforestclassifier__max_depth": [2, 4]}, cv=2),
        YES,
        probability,
    ),
    "fixed threshold": (lambda: FixedThresholdClassifier(make_pipeline(dense(), forest())), YES, probability),
    "tuned threshold": (
        lambda: TunedThresholdClassifierCV(make_pipeline(dense(), forest()), cv=2, random_state=0, scoring="accuracy"),
        YES == "yes",
        probability,
    ),
    "soft voting": (
        lambda: VotingClassifier(
            [
                ("a", make_pipeline(dense(), forest())),
                ("b", make_pipeline(OrdinalEncoder(), ExtraTreesClassifier(4, max_depth=4, random_state=1))),
            ],
            voting="soft",
            weights=[3, 1],
        ),
        THREE,
        probability,
    ),
    "bagging": (
        through(BaggingClassifier(DecisionTreeClassifier(max_depth=4), 5, max_features=0.7, random_state=0)),
        YES,
        probability,
    ),
    "self-training": (
        through(SelfTrainingClassifier(forest())),
        np.where(np.arange(N) % 9, YES == "yes", -1),
        probability,
    ),
    "gradient boosting": (through(GradientBoostingClassifier(n_estimators=6, random_state=0)), THREE, softmax_margin),
    "histogram boosting": (through(HistGradientBoostingClassifier(max_iter=6)), YES, softmax_margin),
}


@pytest.mark.parametrize("name", SEEN)
def test_values_in_raw_columns_equal_two_to_the_p_enumeration_of_the_wrapper(name):
    make, labels, additive = SEEN[name]
    model = make().fit(X, labels)
    rows, background = X.iloc[[0, 5, 7]].reset_index(drop=True), X.iloc[100:112].reset_index(drop=True)
    phi, base = view_of(model, X).values(Frame.of(rows), Frame.of(background))
    predict = additive(model)
    np.testing.assert_allclose(base, np.asarray(predict(background)).reshape(12, -1).mean(axis=0), atol=1e-9)
    for i in range(len(rows)):
        expected = oracles.shapley(predict, rows.iloc[[i]], background)
        np.testing.assert_allclose(phi[i], np.array([expected[c] for c in X.columns]).reshape(4, -1), atol=1e-9)


def xgb(kind, **options):
    return lambda: getattr(xgboost, kind)(
        n_estimators=8, max_depth=4, enable_categorical=True, max_cat_to_onehot=3, **options
    )


def lgb(kind, **options):
    fixed = {"n_estimators": 8, "verbose": -1, "min_child_samples": 5, "min_data_per_group": 5, "cat_smooth": 1.0}
    return lambda: getattr(lightgbm, kind)(**fixed, **options)


HGB = {"max_iter": 8, "categorical_features": "from_dtype", "min_samples_leaf": 5}
CODES = np.digitize(SCORE, [-0.3, 0.9])
NATIVES = {
    "xgboost, binary": (xgb("XGBClassifier"), (SCORE > 0).astype(int), xgb_margin),
    "xgboost, three classes": (xgb("XGBClassifier"), CODES, xgb_margin),
    "xgboost, regression": (xgb("XGBRegressor"), SCORE, xgb_margin),
    "lightgbm, binary": (lgb("LGBMClassifier"), YES, raw),
    "lightgbm, three classes": (lgb("LGBMClassifier"), THREE, raw),
    "lightgbm, random forest": (
        lgb("LGBMRegressor", boosting_type="rf", bagging_freq=1, bagging_fraction=0.6),
        SCORE,
        lambda model: model.predict,
    ),
    "histogram boosting, binary": (lambda: HistGradientBoostingClassifier(**HGB), YES, softmax_margin),
    "histogram boosting, three classes": (lambda: HistGradientBoostingClassifier(**HGB), THREE, softmax_margin),
    "histogram boosting, regression": (
        lambda: HistGradientBoostingRegressor(**HGB),
        SCORE,
        lambda model: model.predict,
    ),
}


@pytest.mark.parametrize("name", NATIVES)
def test_native_categories_with_a_background_equal_enumeration_of_the_model(name):
    make, labels, additive = NATIVES[name]
    model = make().fit(NATIVE, labels)
    rows, background = NATIVE.iloc[[0, 2]].reset_index(drop=True), NATIVE.iloc[60:70].reset_index(drop=True)
    phi, _ = view_of(model, NATIVE).values(Frame.of(rows), Frame.of(background))
    for i in range(len(rows)):
        expected = oracles.shapley(additive(model), rows.iloc[[i]], background)
        np.testing.assert_allclose(phi[i], np.array([expected[c] for c in X.columns]).reshape(4, -1), atol=2e-6)


@pytest.mark.parametrize("name", ["xgboost, regression", "lightgbm, binary", "histogram boosting, binary"])
def test_rows_with_fewer_categories_than_training_are_seen_as_the_model_sees_them(name):
    make, labels, additive = NATIVES[name]
    labels = np.asarray(labels)
    plain = NATIVE.astype({"town": "category"}).assign(town=X.town.where(X.town != "Łódź", "Oslo").astype("category"))
    model = make().fit(plain, labels)
    rows = plain[plain.town.isin(["Bern", "Rome", "Oslo"])].reset_index(drop=True)
    rows = rows.assign(town=rows.town.astype(str).astype("category"))
    ours = view_of(model, rows).predict(Frame.of(rows))
    np.testing.assert_allclose(ours[:, 0], additive(model)(rows), atol=1e-5)


@pytest.mark.parametrize("levels", [["Bern", "Oslo"], ["Rome", "Bern"], ["東京", "Oslo", "Bern"], ["Atlantis", "Bern"]])
def test_xgboost_finds_categories_by_bytes_and_so_does_the_view(levels):
    model = NATIVES["xgboost, regression"][0]().fit(NATIVE, SCORE)
    rows = NATIVE.iloc[:40].assign(town=pd.Categorical([levels[i % len(levels)] for i in range(40)], categories=levels))
    np.testing.assert_allclose(view_of(model, rows).predict(Frame.of(rows))[:, 0], model.predict(rows), atol=1e-5)


def test_polars_categories_are_seen_as_xgboost_sees_them():
    rows = pl.from_pandas(X[["town", "age"]].assign(town=X.town.where(X.town.str.isascii(), "Rome")))
    rows = rows.with_columns(pl.col("town").cast(pl.Categorical))
    model = xgboost.XGBRegressor(n_estimators=8, enable_categorical=True, max_cat_to_onehot=2).fit(rows, SCORE)
    view = view_of(model, rows[:50])
    np.testing.assert_allclose(view.predict(Frame.of(rows[:50]))[:, 0], model.predict(rows[:50]), atol=1e-5)


def test_a_booster_with_two_softmax_outputs_is_one_log_odds():
    model = xgboost.XGBClassifier(n_estimators=4, objective="multi:softprob", num_class=2)
    model.fit(X[["age", "debt"]], SCORE > 0)
    view = view_of(model, X[["age", "debt"]])
    margin = model.predict(X[["age", "debt"]], output_margin=True)
    assert (view.space, view.link, view.outputs) == ("log-odds", "logistic", ("1",))
    np.testing.assert_allclose(view.predict(Frame.of(X[["age", "debt"]]))[:, 0], margin[:, 1] - margin[:, 0], atol=1e-5)


def test_what_a_sparse_matrix_does_not_store_is_missing_to_xgboost():
    model = make_pipeline(sparse(), xgboost.XGBRegressor(n_estimators=5)).fit(X, SCORE)
    np.testing.assert_allclose(view_of(model, X).predict(Frame.of(X))[:, 0], model.predict(X), atol=1e-5)


@pytest.mark.parametrize(("value", "kind"), [(-1.0, "float64"), (0.1, "float64"), (0.1, "float32")])
def test_a_declared_missing_value_is_missing(value, kind):
    numbers = X[["age", "debt"]].fillna(value).astype(kind)
    model = xgboost.XGBRegressor(n_estimators=5, missing=value).fit(numbers, SCORE)
    assert np.isnan(view_of(model, numbers).matrix(Frame.of(numbers))[:, 1]).sum() == X.debt.isna().sum()


@pytest.mark.parametrize("form", [lambda d: d.to_numpy(), pl.from_pandas, pa.Table.from_pandas])
def test_any_container_of_numbers(form):
    numbers = X[["age", "debt"]].fillna(0.5)
    model = RandomForestRegressor(5, random_state=0).fit(numbers.to_numpy(), SCORE)
    data = form(numbers)
    frame = Frame.of(data, names=["age", "debt"])
    view = (
        tree_view(adapt(lambda_model(model), frame), frame)
        if not isinstance(data, np.ndarray)
        else view_of(model, data)
    )
    np.testing.assert_allclose(view.predict(frame)[:, 0], model.predict(numbers.to_numpy()), atol=1e-12)


def lambda_model(model):
    """The same forest behind a step that makes an array of whatever comes."""
    return make_pipeline(
        FunctionTransformer(lambda rows: np.column_stack([np.asarray(rows[c]) for c in ("age", "debt")])), model
    )


def test_an_average_of_regression_forests_of_several_libraries():
    members = [
        ("a", RandomForestRegressor(4, random_state=0)),
        ("b", xgboost.XGBRegressor(n_estimators=4)),
        ("c", lightgbm.LGBMRegressor(n_estimators=4, verbose=-1)),
    ]
    numbers = X[["age", "debt"]].to_numpy()
    model = VotingRegressor(members, weights=[1, 2, 1]).fit(numbers, SCORE)
    view = view_of(model, numbers)
    assert view.through == ("VotingRegressor of 3", "RandomForestRegressor", "XGBRegressor", "LGBMRegressor")
    np.testing.assert_allclose(view.predict(Frame.of(numbers))[:, 0], model.predict(numbers), atol=1e-5)


def test_frozen_estimators_and_margins_in_another_unit():
    boosted = GradientBoostingClassifier(n_estimators=5, loss="exponential").fit(X[["age"]], YES)
    view = view_of(FrozenEstimator(boosted), X[["age"]])
    chance = boosted.predict_proba(X[["age"]])[:, 1]
    assert view.space == "log-odds"
    np.testing.assert_allclose(view.predict(Frame.of(X[["age"]]))[:, 0], np.log(chance / (1 - chance)), atol=1e-9)


class Rows(BaseEstimator, TransformerMixin):
    def fit(self, rows, y=None):
        return self

    def transform(self, rows):
        return rows.to_numpy()


NUMBERS = X[["age", "debt"]].fillna(0)
REFUSED = {
    "calibration bends": (lambda: CalibratedClassifierCV(forest(), cv=2), NUMBERS),
    "second model": (lambda: StackingClassifier([("a", forest())], cv=2), NUMBERS),
    "hard voting": (lambda: VotingClassifier([("a", forest())], voting="hard"), NUMBERS),
    "no sum over trees": (
        lambda: VotingClassifier([("a", HistGradientBoostingClassifier(max_iter=2))], voting="soft"),
        NUMBERS,
    ),
    "PCA": (lambda: make_pipeline(PCA(2), forest()), NUMBERS),
    "its own norm": (lambda: make_pipeline(Normalizer(), forest()), NUMBERS),
    "KNNImputer": (lambda: make_pipeline(KNNImputer(), forest()), NUMBERS),
    "multiplies columns": (lambda: make_pipeline(PolynomialFeatures(2), forest()), NUMBERS),
    "Rows is a transformer whose columns cannot be traced": (lambda: make_pipeline(Rows(), forest()), NUMBERS),
    "does not follow 'age' alone": (
        lambda: make_pipeline(FunctionTransformer(lambda rows: rows.assign(age=rows.age * rows.debt)), forest()),
        NUMBERS,
    ),
    "LogisticRegression is not": (LogisticRegression, NUMBERS),
    "target statistics": (
        lambda: catboost.CatBoostClassifier(
            iterations=4, verbose=0, cat_features=["town", "kind"], allow_writing_files=False
        ),
        X,
    ),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_no_sum_over_trees_of_raw_columns_says_why(reason):
    make, data = REFUSED[reason]
    model = make().fit(data, YES)
    outputs = model if hasattr(model, "predict_proba") else model.predict
    frame = Frame.of(data)
    adapted = (
        adapt(outputs, frame)
        if outputs is model
        else adapt(lambda rows: (model.predict(rows) == "yes") * 1.0, frame, task="classification")
    )
    with pytest.raises(NotAForest, match=reason if outputs is model else "callable"):
        tree_view(adapted, frame)


def test_a_transformed_target_says_why():
    model = TransformedTargetRegressor(RandomForestRegressor(3), func=np.sinh, inverse_func=np.arcsinh)
    with pytest.raises(NotAForest, match="transformed target"):
        view_of(model.fit(NUMBERS, SCORE), NUMBERS)


class Shifted(RandomForestRegressor):
    def predict(self, rows):
        return super().predict(rows) + 0.01


def test_a_forest_that_does_not_predict_what_the_model_predicts_is_an_error_never_an_explanation():
    model = Shifted(4, random_state=0).fit(NUMBERS, SCORE)
    with pytest.raises(ModelError, match="differ"):
        view_of(model, NUMBERS)


def test_the_view_is_made_once_for_a_model_and_its_rows():
    frame = Frame.of(NUMBERS)
    model = adapt(forest().fit(NUMBERS, YES), frame)
    assert tree_view(model, frame) is tree_view(model, frame)


def test_one_row_is_enough():
    model = make_pipeline(dense(), forest()).fit(X, YES)
    assert view_of(model, X.iloc[:1]).columns == 4


def test_unions_are_walked_by_structure_not_by_name():
    twins = FeatureUnion([("a", StandardScaler()), ("b", StandardScaler())])
    model = make_pipeline(twins, forest()).fit(NUMBERS.rename(columns={"debt": "age_1"}), YES)
    assert view_of(model, NUMBERS.rename(columns={"debt": "age_1"})).players.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("objective", ["binary:logitraw", "binary:hinge"])
def test_xgboost_without_probabilities_is_explained_by_its_margin(objective):
    model = xgboost.XGBClassifier(n_estimators=5, objective=objective).fit(X[["age", "debt"]], YES == "yes")
    for native in (model, model.get_booster()):
        view = view_of(native, X[["age", "debt"]])
        assert view.link == "identity"
        margin = model.predict(X[["age", "debt"]], output_margin=True)
        np.testing.assert_allclose(view.predict(Frame.of(X[["age", "debt"]]))[:, 0], margin, atol=1e-5)


GROUPS = np.repeat(np.arange(11), N // 11)
RANKERS = {
    "xgboost": lambda: xgboost.XGBRanker(n_estimators=4).fit(X[["age"]], YES == "yes", qid=GROUPS),
    "lightgbm": lambda: lightgbm.LGBMRanker(n_estimators=4, verbose=-1).fit(X[["age"]], YES == "yes", group=[20] * 11),
    "catboost": lambda: catboost.CatBoostRanker(iterations=4, verbose=0, allow_writing_files=False).fit(
        catboost.Pool(X[["age"]], YES == "yes", group_id=GROUPS)
    ),
}


@pytest.mark.parametrize("library", RANKERS)
def test_rankers_are_explained_by_their_scores(library):
    model, frame = RANKERS[library](), Frame.of(X[["age"]])
    natives = [model] if library == "catboost" else [model, getattr(model, "booster_", None) or model.get_booster()]
    for native in natives:
        view = tree_view(adapt(native, frame, task="regression"), frame)
        np.testing.assert_allclose(view.predict(frame)[:, 0], model.predict(X[["age"]]), atol=1e-5)


class Logistic:
    def calc_ders_range(self, margins, targets, weights):
        chances = [1 / (1 + np.exp(-margin)) for margin in margins]
        return [(targets[i] - chances[i], -chances[i] * (1 - chances[i])) for i in range(len(chances))]


@pytest.mark.parametrize("loss", ["Focal:focal_alpha=0.5;focal_gamma=0.5", Logistic(), "sum"])
def test_catboost_classifiers_of_any_loss_and_sums_of_them(loss):
    options = {"iterations": 4, "verbose": 0, "allow_writing_files": False, "eval_metric": "Logloss"}
    options["loss_function"] = "Logloss" if loss == "sum" else loss
    model = catboost.CatBoostClassifier(**options).fit(X[["age"]], (YES == "yes") * 1)
    model = catboost.sum_models([model, model], weights=[0.3, 0.4]) if loss == "sum" else model
    view = view_of(model, X[["age"]])
    chance = catboost.CatBoost.predict(model, X[["age"]], prediction_type="Probability")[:, 1]
    assert view.space == "log-odds"
    np.testing.assert_allclose(view.response(view.predict(Frame.of(X[["age"]])))[:, 0], chance, atol=1e-12)
