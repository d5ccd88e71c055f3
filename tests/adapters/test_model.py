import pickle

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, TunedThresholdClassifierCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_info
from xgboost import XGBClassifier

from showcause.adapters.frame import Frame
from showcause.adapters.model import adapt, encode_labels, one_thread, ordered, own_threads
from showcause.core.errors import DataError, ModelError

X, Y = load_breast_cancer(return_X_y=True)
X = X[:, :6]
FRAME = Frame.of(X)


def identity(model, data=FRAME, **options):
    with one_thread():
        return adapt(model, data, **options)


MAKERS = {
    "forest": lambda jobs: RandomForestClassifier(8, random_state=0, n_jobs=jobs),
    "boosting": lambda jobs: HistGradientBoostingClassifier(max_iter=5, random_state=0),
    "pipeline": lambda jobs: make_pipeline(StandardScaler(), LogisticRegression()),
    "calibrated": lambda jobs: CalibratedClassifierCV(GaussianNB(), n_jobs=jobs),
    "search": lambda jobs: GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9, 1e-8]}, n_jobs=jobs),
    "voting": lambda jobs: VotingClassifier(
        [("a", GaussianNB()), ("b", LogisticRegression(max_iter=5000))], n_jobs=jobs, voting="soft"
    ),
}


@pytest.mark.parametrize("name", MAKERS)
def test_identity_survives_reload_threads_and_refitting_but_not_other_data(name):
    make = MAKERS[name]
    first = identity(make(1).fit(X, Y))
    again = identity(make(2).fit(X, Y))
    other = identity(make(1).fit(X[:400], Y[:400]))
    reloaded = identity(pickle.loads(pickle.dumps(first.native)))
    assert first.digest == again.digest == reloaded.digest != other.digest
    assert not first.opaque


def test_a_changed_leaf_changes_the_identity():
    model = RandomForestClassifier(8, random_state=0).fit(X, Y)
    before = identity(model).digest
    model.estimators_[3].tree_.value[0, 0, 0] += 1e-9
    assert identity(model).digest != before


def test_forests_predict_the_same_bits_whatever_their_threads():
    one, two = (RandomForestClassifier(50, random_state=0, n_jobs=n).fit(X, Y) for n in (1, 2))
    with one_thread():
        bits = {adapt(model, FRAME).predict(FRAME).tobytes() for model in (one, two, two, two)}
    assert len(bits) == 1


def test_openmp_is_as_it_was_for_models_whose_threads_change_no_prediction():
    outside = _openmp_threads()
    with one_thread(), one_thread():
        limited = _openmp_threads()
        with own_threads():
            inside = _openmp_threads()
        after = _openmp_threads()
    assert (inside, _openmp_threads()) == (outside, outside)
    assert limited == after == [1] * len(outside) != []


def _openmp_threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"]


def test_xgboost_predicts_the_same_bits_whatever_its_threads():
    one, all_ = (XGBClassifier(n_estimators=50, n_jobs=n).fit(X, Y) for n in (1, None))
    with one_thread():
        assert adapt(one, FRAME).predict(FRAME).tobytes() == adapt(all_, FRAME).predict(FRAME).tobytes()


def test_outputs_are_named_by_task():
    iris, kinds = load_iris(return_X_y=True)
    binary = identity(GaussianNB().fit(X, np.where(Y == 1, "yes", "no")))
    multi = identity(GaussianNB().fit(iris, kinds), Frame.of(iris))
    numbers = identity(LinearRegression().fit(*load_diabetes(return_X_y=True)), Frame.of(load_diabetes().data))
    assert (binary.classes, binary.targets, binary.space) == (("no", "yes"), ("yes",), "probability")
    assert (multi.targets, multi.predict(Frame.of(iris)).shape) == (("0", "1", "2"), (150, 3))
    assert (numbers.targets, numbers.space) == ((), "target")
    assert identity(LinearSVC().fit(X, Y)).space == "score"


def test_a_threshold_is_a_cut_on_the_probability_of_the_second_class():
    def cut(**options):
        model = FixedThresholdClassifier(GaussianNB(), threshold=0.3, **options).fit(X, Y)
        adapted = identity(model)
        decided = adapted.predict(FRAME)[:, 0] >= adapted.threshold
        assert (decided == (model.predict(X) == 1)).mean() > 0.995  # rows on the cut itself may fall either way
        return adapted.threshold

    assert cut() == cut(pos_label=1) == 0.3
    assert cut(pos_label=0) == 0.7
    tuned = identity(TunedThresholdClassifierCV(GaussianNB(), cv=3).fit(X, Y))
    assert tuned.threshold == pytest.approx(tuned.native.best_threshold_)
    boosted = CatBoostClassifier(iterations=3, verbose=0, allow_writing_files=False).fit(X, Y)
    assert identity(boosted).threshold is None
    boosted.set_probability_threshold(0.3)
    assert identity(boosted).threshold == 0.3
    with pytest.raises(ModelError, match="decision function"):
        identity(
            FixedThresholdClassifier(
                LogisticRegression(max_iter=5000), threshold=0.0, response_method="decision_function"
            ).fit(X, Y)
        )


@pytest.mark.parametrize(
    ("model", "options", "complaint"),
    [
        (RandomForestClassifier(), {}, "not fitted"),
        (RandomForestClassifier, {}, "is a class"),
        (KMeans(2, n_init=1).fit(X), {}, "neither a classifier nor a regressor"),
        (RandomForestClassifier(2).fit(X, np.column_stack([Y, Y])), {}, "2 outputs"),
        (LinearRegression().fit(X, np.column_stack([Y, Y])), {}, "2 outputs"),
        (RandomForestClassifier(2).fit(X, np.zeros(len(X))), {}, "one class"),
        (lambda rows: rows[:, 0], {}, "needs its task"),
        (lambda rows: rows[:, 0] * 9, {"task": "classification"}, "returns probabilities"),
        (object(), {"task": "regression"}, "can neither be called"),
        (XGBClassifier(n_estimators=2).fit(X, np.column_stack([Y, 1 - Y])), {}, "2 outputs"),
        (LGBMClassifier(objective=lambda y, p: (p - y, p * 0 + 1), verbose=-1).fit(X, Y), {}, "as probabilities"),
        (GaussianNB().fit(X, Y), {"task": "regression"}, "declared task"),
        (GaussianNB().fit(X, Y), {"task": "ranking"}, "must be"),
    ],
)
@pytest.mark.filterwarnings("ignore:Cannot compute class probabilities")
def test_what_cannot_be_explained_is_refused_clearly(model, options, complaint):
    with pytest.raises(ModelError, match=complaint):
        identity(model, **options).predict(FRAME)


def test_a_callable_is_opaque_unless_it_says_its_version():
    def predict(rows):
        return rows[:, 0]

    assert identity(predict, task="regression").opaque
    versions = [identity(predict, task="regression", version=v) for v in ("1", "1", "2")]
    assert versions[0].digest == versions[1].digest != versions[2].digest


def test_labels_match_by_value_not_by_type():
    model = identity(GaussianNB().fit(X, Y))
    for labels in ([0, 1, 1], [0.0, 1.0, 1.0], [False, True, True], pd.Series([0, 1, 1])):
        assert encode_labels(model, labels).tolist() == [0, 1, 1]
    with pytest.raises(DataError, match="1 missing"):
        encode_labels(model, [0, 1, np.nan])
    with pytest.raises(DataError, match="does not know"):
        encode_labels(model, [0, 1, 7])


def test_columns_are_matched_by_name():
    data = pd.DataFrame(X, columns=list("abcdef"))
    model = identity(GaussianNB().fit(data, Y), Frame.of(data))
    assert ordered(model, Frame.of(data[list("fedcba")])).names == tuple("abcdef")
    with pytest.raises(DataError, match=r"lacks the model's columns \['b'\].*not trained on: \['z'\].*context="):
        ordered(model, Frame.of(data.rename(columns={"b": "z"})))


def test_lightgbm_writes_underscores_for_the_spaces_of_names():
    spaced = pd.DataFrame(X, columns=[f"mean {name}" for name in "abcdef"])
    model = identity(LGBMClassifier(n_estimators=2, verbose=-1).fit(spaced, Y), Frame.of(spaced))
    assert ordered(model, Frame.of(spaced[spaced.columns[::-1]])).names == tuple(spaced.columns)
    with pytest.raises(DataError, match=r"lacks the model's columns \['mean b'\]"):
        ordered(model, Frame.of(spaced.rename(columns={"mean b": "z"})))


def test_a_callable_may_return_labels_and_then_has_scores() -> None:
    X = pd.DataFrame({"x": [1.0, 9.0, 10.0, 11.0]})
    words = adapt(
        lambda f: np.where(f["x"] > 9, "yes", "no"), Frame.of(X), task="classification", y=["no", "no", "yes"]
    )
    assert (words.space, words.classes) == ("score", ("no", "yes"))
    assert words.predict(Frame.of(X))[:, 0].tolist() == [-1, -1, 1, 1]
    three = adapt(lambda f: f["x"].astype(int), Frame.of(X), task="classification", y=[11, 9, 10, 1])
    assert (three.classes, three.predict(Frame.of(X)).argmax(axis=1).tolist()) == (("1", "9", "10", "11"), [0, 1, 2, 3])
    with pytest.raises(ModelError, match="labels that y does not hold"):
        adapt(lambda f: np.array(["maybe"] * len(f)), Frame.of(X), task="classification", y=["no", "yes"])


def test_the_classes_of_a_callable_stand_in_their_natural_order() -> None:
    X = pd.DataFrame({"x": [0.0, 1.0, 2.0]})
    model = adapt(lambda f: np.full((len(f), 3), 1 / 3), Frame.of(X), task="classification", y=[2, 10, 9])
    assert model.classes == ("2", "9", "10")


def test_a_frame_of_numbers_reaches_xgboost_as_one_matrix_with_the_same_answer():
    import xgboost

    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=80), "b": rng.integers(0, 9, 80), "c": rng.random(80) < 0.5})
    X.loc[::7, "a"] = np.nan
    model = xgboost.XGBClassifier(n_estimators=5).fit(X, X["c"] ^ (X["b"] > 4))
    frame = Frame.of(X)
    assert (adapt(model, frame).predict(frame)[:, 0] == model.predict_proba(X)[:, 1]).all()
    kinds = X.assign(c=X["c"].astype(str).astype("category"))
    model = xgboost.XGBClassifier(n_estimators=5, enable_categorical=True).fit(kinds, X["b"] > 4)
    assert (adapt(model, Frame.of(kinds)).predict(Frame.of(kinds))[:, 0] == model.predict_proba(kinds)[:, 1]).all()


def test_a_subclass_of_a_library_s_model_is_read_as_that_library_s() -> None:
    from xgboost import Booster

    class Mine(XGBClassifier):
        pass

    class Bare(Booster):
        pass

    model = Mine(n_estimators=2, objective="binary:logitraw").fit(X, Y)
    assert identity(model).space == "score"
    bare = Bare(model_file=model.get_booster().save_raw())
    assert identity(bare).digest == identity(model).digest
