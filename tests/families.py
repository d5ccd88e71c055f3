"""Model family × data type × task: every combination that `explain` is held to."""

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

ROWS = 240
RNG = np.random.default_rng(7)
NUMBERS = np.round(RNG.normal(size=(ROWS, 4)), 3)
CITY = RNG.choice(["Accra", "Bogotá", "Chennai"], ROWS)
SCORE = NUMBERS[:, 0] + 0.5 * NUMBERS[:, 1] * NUMBERS[:, 2] + (CITY == "Accra") + RNG.normal(size=ROWS) / 2
BINARY = (SCORE > 0.3).astype(int)
TEXT = np.where(BINARY == 1, "approved", "rejected")
THREE = np.array(["high", "low", "mid"])[np.digitize(SCORE, [-0.3, 0.8])]


def mixed():
    """Numbers with gaps, text, categories, booleans and dates."""
    frame = pd.DataFrame(NUMBERS, columns=["a", "b", "c", "d"])
    frame.loc[::11, "b"] = np.nan
    frame["city"] = CITY
    frame["grade"] = pd.Categorical(RNG_GRADE, categories=["low", "mid", "top"])
    frame["member"] = NUMBERS[:, 3] > 0
    frame["since"] = pd.to_datetime([dt.datetime(2020, 1, 1) + dt.timedelta(days=int(d)) for d in range(ROWS)])
    return frame


RNG_GRADE = RNG.choice(["low", "mid", "top"], ROWS)


def plain():
    return pd.DataFrame(NUMBERS, columns=["a", "b", "c", "d"])


def categories():
    return plain().assign(city=pd.Categorical(CITY))


def polars():
    return pl.DataFrame({"a": NUMBERS[:, 0], "b": NUMBERS[:, 1], "c": NUMBERS[:, 2], "city": CITY})


def arrow():
    return pa.table({"a": NUMBERS[:, 0], "b": NUMBERS[:, 1], "c": NUMBERS[:, 2]})


def _days(frame):
    return frame.apply(lambda column: (column - pd.Timestamp("2020-01-01")).dt.days).to_numpy(dtype=float)


def _encoder():
    return make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["a", "b", "c", "d"]),
        (OneHotEncoder(), ["city", "grade"]),
        (FunctionTransformer(_days), ["since"]),
        remainder="passthrough",
    )


def _one_hot():
    return make_column_transformer((OneHotEncoder(sparse_output=False), ["city"]), remainder="passthrough")


def _ordinal():
    text = make_column_selector(dtype_include=object)
    return make_column_transformer((OrdinalEncoder(), text), remainder="passthrough")


def _xgb(kind, jobs, **options):
    import xgboost

    return getattr(xgboost, kind)(n_estimators=12, max_depth=3, n_jobs=jobs, **options)


def _booster(jobs):
    import xgboost

    data = xgboost.DMatrix(plain(), BINARY)
    return xgboost.train({"objective": "binary:logistic", "nthread": jobs, "max_depth": 3}, data, 12)


def _lgb(kind, jobs):
    import lightgbm

    return getattr(lightgbm, kind)(n_estimators=12, n_jobs=jobs, verbose=-1, deterministic=True, force_row_wise=True)


def _lgb_booster(jobs):
    import lightgbm

    options = {"objective": "binary", "num_threads": jobs, "verbose": -1, "deterministic": True, "force_row_wise": True}
    return lightgbm.train(options, lightgbm.Dataset(plain(), BINARY), 12)


def _cat(kind, jobs, **options):
    import catboost

    fixed = {"iterations": 12, "depth": 3, "verbose": 0, "allow_writing_files": False, "random_seed": 0}
    return getattr(catboost, kind)(thread_count=jobs, **fixed, **options)


def _chance(rows):
    return 1 / (1 + np.exp(-np.asarray(rows)[:, 0].astype(float)))


def _sum(rows):
    return np.asarray(rows)[:, 0] - 2 * np.asarray(rows)[:, 1]


def logistic():
    return LogisticRegression(max_iter=2000)


def forest(jobs):
    return RandomForestClassifier(12, max_depth=4, random_state=0, n_jobs=jobs)


def pair(jobs):
    return [("forest", forest(jobs)), ("trees", ExtraTreesClassifier(8, max_depth=3, random_state=0, n_jobs=jobs))]


# name → (data, labels, model by number of threads, further arguments of explain). What is trained on a forest's own
# predictions (calibration, stacking) gets a forest of one thread: with two, training itself gives another model.
FAMILIES = {
    "logistic, numpy, binary": (lambda: NUMBERS, BINARY, lambda j: logistic(), {}),
    "logistic, pandas, three text classes": (plain, THREE, lambda j: logistic(), {}),
    "linear, numpy, regression": (lambda: NUMBERS, SCORE, lambda j: LinearRegression(n_jobs=j), {}),
    "poisson, pandas, regression": (plain, np.abs(SCORE), lambda j: PoissonRegressor(), {}),
    "decision tree, pandas, three text classes": (plain, THREE, lambda j: DecisionTreeClassifier(max_depth=3), {}),
    "forest, numpy, binary": (lambda: NUMBERS, BINARY, forest, {}),
    "forest, pandas, text labels": (plain, TEXT, forest, {}),
    "forest, numpy, three classes": (lambda: NUMBERS, THREE, forest, {}),
    "forest, pandas, regression": (
        plain,
        SCORE,
        lambda j: RandomForestRegressor(12, max_depth=4, random_state=0, n_jobs=j),
        {},
    ),
    "extra trees, arrow, binary": (
        arrow,
        BINARY,
        lambda j: make_pipeline(
            FunctionTransformer(lambda rows: np.column_stack([np.asarray(c) for c in rows.columns])),
            ExtraTreesClassifier(12, max_depth=4, random_state=0, n_jobs=j),
        ),
        {},
    ),
    "gradient boosting, numpy, regression": (
        lambda: NUMBERS,
        SCORE,
        lambda j: GradientBoostingRegressor(n_estimators=12, random_state=0),
        {},
    ),
    "histogram boosting, native categories, binary": (
        categories,
        BINARY,
        lambda j: HistGradientBoostingClassifier(max_iter=12, categorical_features="from_dtype", random_state=0),
        {},
    ),
    "histogram boosting, gaps, regression": (
        lambda: mixed()[["a", "b", "c"]],
        SCORE,
        lambda j: HistGradientBoostingRegressor(max_iter=12, random_state=0),
        {},
    ),
    "pipeline, mixed columns, logistic": (
        mixed,
        TEXT,
        lambda j: make_pipeline(_encoder(), logistic()),
        {"segments": ["city"]},
    ),
    "pipeline, mixed columns, forest": (mixed, BINARY, lambda j: make_pipeline(_encoder(), forest(j)), {}),
    "pipeline, polars, forest, three classes": (polars, THREE, lambda j: make_pipeline(_one_hot(), forest(j)), {}),
    "support vectors, numpy, no probabilities": (lambda: NUMBERS, TEXT, lambda j: SVC(), {}),
    "neighbours, numpy, regression": (lambda: NUMBERS, SCORE, lambda j: KNeighborsRegressor(n_jobs=j), {}),
    "naive bayes, pandas, three classes": (plain, THREE, lambda j: GaussianNB(), {}),
    "neural network, numpy, binary": (
        lambda: NUMBERS,
        BINARY,
        lambda j: MLPClassifier((6,), alpha=1.0, max_iter=5000, random_state=0, solver="lbfgs"),
        {},
    ),
    "calibrated forest, pandas, binary": (plain, BINARY, lambda j: CalibratedClassifierCV(forest(1), cv=2), {}),
    "threshold classifier, pandas, text labels": (
        plain,
        TEXT,
        lambda j: FixedThresholdClassifier(forest(j), threshold=0.3, pos_label="rejected"),
        {},
    ),
    "search, numpy, binary": (
        lambda: NUMBERS,
        BINARY,
        lambda j: GridSearchCV(forest(j), {"max_depth": [2, 4]}, cv=2),
        {},
    ),
    "soft voting, numpy, three classes": (
        lambda: NUMBERS,
        THREE,
        lambda j: VotingClassifier(pair(j), voting="soft", n_jobs=j),
        {},
    ),
    "stacking, numpy, binary": (lambda: NUMBERS, BINARY, lambda j: StackingClassifier(pair(1), cv=2, n_jobs=j), {}),
    "xgboost, native categories, binary": (
        categories,
        BINARY,
        lambda j: _xgb("XGBClassifier", j, enable_categorical=True),
        {},
    ),
    "xgboost, numpy, three classes": (
        lambda: NUMBERS,
        np.digitize(SCORE, [-0.3, 0.8]),
        lambda j: _xgb("XGBClassifier", j),
        {},
    ),
    "xgboost, gaps, regression": (lambda: mixed()[["a", "b", "c"]], SCORE, lambda j: _xgb("XGBRegressor", j), {}),
    "xgboost booster, pandas, binary": (plain, BINARY, _booster, {}),
    "lightgbm, native categories, text labels": (categories, TEXT, lambda j: _lgb("LGBMClassifier", j), {}),
    "lightgbm, numpy, three classes": (lambda: NUMBERS, THREE, lambda j: _lgb("LGBMClassifier", j), {}),
    "lightgbm booster, pandas, binary": (plain, BINARY, _lgb_booster, {}),
    "lightgbm, gaps, regression": (lambda: mixed()[["a", "b", "c"]], SCORE, lambda j: _lgb("LGBMRegressor", j), {}),
    "catboost, text columns, three classes": (
        lambda: mixed()[["a", "b", "city"]],
        THREE,
        lambda j: _cat("CatBoostClassifier", j, cat_features=["city"]),
        {},
    ),
    "catboost, numpy, regression": (lambda: NUMBERS, SCORE, lambda j: _cat("CatBoostRegressor", j), {}),
    "callable, numpy, probabilities": (
        lambda: NUMBERS,
        BINARY,
        lambda j: _chance,
        {"task": "classification", "version": "1"},
    ),
    "callable, pandas, regression": (plain, SCORE, lambda j: _sum, {"task": "regression"}),
}


def fitted(name, jobs=1):
    """(model, data, labels, options)"""
    data, labels, make, options = FAMILIES[name]
    rows = data()
    model = make(jobs)
    has_fit = hasattr(model, "fit")
    if has_fit:
        model.fit(rows, labels)
    return model, rows, labels, options
