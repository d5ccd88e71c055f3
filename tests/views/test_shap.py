"""shap's own plots draw what `to_shap` gives, and `from_shap` brings it back."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeRegressor

import showcause as sc
from showcause.core.errors import DataError, InputError, MissingExtra, NotFound, ParameterError
from tests.data import loans
from tests.peers import shap

mpl.use("agg")
from matplotlib import pyplot as plt

FRAME, APPROVED = loans()
FRAME = FRAME.assign(income=FRAME["income"].where(FRAME.index % 9 > 0))  # some missing


def pipeline():
    encode = make_column_transformer((OneHotEncoder(), ["race"]), ("passthrough", ["obligations", "bad_history"]))
    return make_pipeline(encode, LogisticRegression(max_iter=2000)).fit(FRAME, APPROVED)


def of(model, rows, **options):
    return sc.compute("attribution/shapley", model, rows, background=FRAME[100:130], **options)


BINARY = of(pipeline(), FRAME[:12])
NUMBERS = np.random.default_rng(0).normal(size=(30, 4))
REGRESSION = sc.compute(
    "attribution/tree_shap", DecisionTreeRegressor(max_depth=3).fit(NUMBERS, NUMBERS[:, 0]), NUMBERS
)
THREE = sc.compute(
    "attribution/shapley",
    make_pipeline(StandardScaler(), LogisticRegression()).fit(NUMBERS, np.digitize(NUMBERS[:, 0], [-0.5, 0.5])),
    NUMBERS[:9],
)


@pytest.fixture(autouse=True)
def drawn():
    """The names that the figure shows, and what is open is closed."""

    def texts():
        figure = plt.gcf()
        figure.canvas.draw()
        return " ".join(text.get_text() for axis in figure.axes for text in axis.findobj(mpl.text.Text))

    yield texts
    plt.close("all")


def draw(plot, explanation, **options):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shap's own deprecations
        plot(explanation, show=False, **options)


@pytest.mark.parametrize(
    "artifact", [BINARY, REGRESSION, THREE], ids=["categories", "regression", "one of three classes"]
)
@pytest.mark.parametrize("plot", ["beeswarm", "bar", "scatter", "heatmap", "violin"])
def test_shap_draws_all_rows(drawn, artifact, plot):
    target = artifact.spec["targets"][-1] if artifact.spec["targets"] else None
    explanation = artifact.to_shap(target=target)
    draw(getattr(shap.plots, plot), explanation[:, 0] if plot == "scatter" else explanation)
    assert str(explanation.feature_names[0]) in drawn()


@pytest.mark.parametrize("artifact", [BINARY, REGRESSION], ids=["categories", "regression"])
def test_shap_draws_one_row(drawn, artifact):
    explanation = artifact.to_shap()
    for plot in (shap.plots.waterfall, shap.plots.bar):
        draw(plot, explanation[3])
        assert str(explanation.feature_names[0]) in drawn()
        plt.close("all")
    draw(shap.plots.force, explanation[3], matplotlib=True)
    assert "base value" in drawn()


def test_a_category_and_a_missing_number_are_words_beside_the_bars(drawn):
    explanation = BINARY.to_shap()
    draw(shap.plots.waterfall, explanation[0])
    assert f"{FRAME['race'][0]} = race" in drawn()
    assert explanation.display_data[0].tolist()[3] == "missing"
    assert np.isnan(explanation.data[0, 3])


def test_three_classes_stand_in_a_third_axis(drawn):
    explanation = THREE.to_shap()
    assert explanation.shape == (9, 4, 3)
    assert explanation.output_names == ["0", "1", "2"]
    np.testing.assert_array_equal(explanation[:, :, 2].values, THREE.to_shap(target="2").values)
    draw(shap.plots.waterfall, explanation[0, :, 1])
    assert "x0" in drawn()


def test_an_explanation_adds_up_as_the_artifact_does():
    explanation = BINARY.to_shap()
    predictions = BINARY.table["prediction"].to_numpy()[:: len(FRAME.columns)]
    np.testing.assert_allclose(explanation.base_values + explanation.values.sum(axis=1), predictions, atol=1e-9)


def test_a_curve_is_a_scatter_and_an_importance_a_bar(drawn):
    curve = sc.compute("dependence/pdp", pipeline(), FRAME[:60])
    draw(shap.plots.scatter, curve.to_shap(feature="obligations")[:, 0])
    assert "obligations" in drawn()
    plt.close("all")
    draw(shap.plots.bar, sc.compute("importance/permutation", pipeline(), FRAME[:60], APPROVED[:60]).to_shap())
    assert "bad_history" in drawn()


@pytest.mark.parametrize("artifact", [BINARY, REGRESSION, THREE], ids=["categories", "regression", "three classes"])
def test_there_and_back_nothing_is_lost(artifact):
    back = sc.from_shap(artifact.to_shap(), space=artifact.spec["space"])
    assert back.spec["source"]["library"] == "shap"
    assert back.kind == "attribution"
    kept = [name for name in artifact.table.column_names if name not in ("prediction", "error", "noise")]
    kept = [name for name in kept if name in back.table.column_names]
    before, after = (a.to_pandas()[kept] for a in (artifact, back))
    pd.testing.assert_frame_equal(before, after, rtol=1e-12)
    assert back._repr_html_().startswith("<div")


def test_what_shap_itself_computed_becomes_an_artifact():
    model = DecisionTreeRegressor(max_depth=3).fit(NUMBERS, NUMBERS[:, 0])
    theirs = shap.TreeExplainer(model)(pd.DataFrame(NUMBERS, columns=list("abcd")))
    artifact = sc.from_shap(theirs, game="path-dependent")
    np.testing.assert_allclose(artifact.table["prediction"].to_numpy()[::4], model.predict(NUMBERS), atol=1e-9)
    assert artifact.table["feature"].to_pylist()[:4] == list("abcd")
    assert artifact.spec["game"] == "path-dependent"
    assert "row" in "".join(artifact.figure().to_json())


def test_one_row_of_an_explanation_is_enough():
    one = sc.from_shap(BINARY.to_shap()[2])
    assert one.table.num_rows == len(FRAME.columns)
    assert one.table["input_level"].to_pylist()[0] == FRAME["race"][2]


def test_what_shap_has_no_form_for_is_refused():
    tree = sc.compute("model/tree", DecisionTreeRegressor(max_depth=2).fit(NUMBERS, NUMBERS[:, 0]), NUMBERS)
    with pytest.raises(InputError, match="of kind tree; shap knows attribution, importance, curve"):
        tree.to_shap()
    with pytest.raises(NotFound, match="no such target"):
        THREE.to_shap(target="blue")
    with pytest.raises(InputError, match="chooses among curves"):
        BINARY.to_shap(feature="race")
    with pytest.raises(InputError, match="give feature="):
        sc.compute("dependence/pdp", pipeline(), FRAME[:60]).to_shap()


def test_what_is_no_explanation_is_refused():
    with pytest.raises(DataError, match="is no shap"):
        sc.from_shap(np.zeros((3, 4)))
    with pytest.raises(DataError, match="NaN or infinity"):
        sc.from_shap(shap.Explanation(np.full((2, 3), np.nan), np.zeros(2), np.zeros((2, 3))))
    two = shap.Explanation(np.zeros((2, 3, 2)), np.zeros((2, 2)), np.zeros((2, 3)))
    with pytest.raises(ParameterError, match="each once"):
        sc.from_shap(two, targets=["a", "a"])


def test_without_shap_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "shap", None)
    with pytest.raises(MissingExtra, match=r"showcause\[shap\]"):
        BINARY.to_shap()
