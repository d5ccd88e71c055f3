"""Models and data from files: what was trained on comes back, and what cannot is refused in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from xgboost import XGBClassifier

import showcause
from showcause.adapters.frame import Frame
from showcause.adapters.model import adapt
from showcause.cli.load import Roles, load_model, read_table, recast, split
from showcause.core.errors import DataError, InputError, ModelError, ParameterError
from tests.cli.conftest import EXPLAIN, Call


def frame() -> pd.DataFrame:
    """A number with gaps, categories in an order of their own, and whole numbers that are categories."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "n": np.where(rng.random(300) < 0.1, np.nan, rng.normal(size=300)),
            "town": pd.Categorical(rng.choice(["z", "x", "y"], 300), categories=["z", "x", "y"]),
            "flag": pd.Categorical(rng.choice(["u", None], 300), categories=["v", "u"]),
            "code": pd.Categorical(rng.choice([3, 5], 300)),
        }
    )


def labels(X: pd.DataFrame) -> np.ndarray[Any, Any]:
    return ((X["n"].fillna(0) > 0) ^ (X["town"] == "x") ^ (X["code"] == 5)).astype(int).to_numpy()


def trained(family: str, path: Path) -> tuple[Path, np.ndarray[Any, Any]]:
    """(model file, its probabilities on `frame()`)."""
    X, y = frame(), labels(frame())
    if family == "xgboost":
        import xgboost

        model = xgboost.XGBClassifier(n_estimators=8, enable_categorical=True).fit(X, y)
        model.save_model(path / "model.ubj")
        return path / "model.ubj", model.predict_proba(X)[:, 1]
    import lightgbm

    model = lightgbm.LGBMClassifier(n_estimators=8, verbose=-1, min_child_samples=5).fit(X, y)
    model.booster_.save_model(path / "model.txt")
    return path / "model.txt", model.predict_proba(X)[:, 1]


@pytest.mark.parametrize("family", ["xgboost", "lightgbm"])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_native_file_gets_back_the_categories_that_a_csv_forgets(tmp_path: Path, family: str, form: str) -> None:
    file, expected = trained(family, tmp_path)
    data = tmp_path / f"data.{form}"
    frame().to_csv(data, index=False) if form == "csv" else frame().to_parquet(data)
    native = load_model(str(file)).native
    X = recast(native, split(read_table(data), Roles()).X)
    found = adapt(native, Frame.of(X)).predict(Frame.of(X))[:, 0]
    assert found == pytest.approx(expected, abs=1e-6)


def test_catboost_reads_text_itself(tmp_path: Path) -> None:
    import catboost

    X = frame().drop(columns="flag").astype({"town": str, "code": int})
    model = catboost.CatBoostClassifier(
        iterations=8, verbose=0, cat_features=["town", "code"], allow_writing_files=False
    )
    model.fit(X, np.where(labels(frame()) == 1, "yes", "no"))
    model.save_model(str(tmp_path / "model.cbm"))
    X.to_csv(tmp_path / "data.csv", index=False)
    native = load_model(str(tmp_path / "model.cbm")).native
    rows = Frame.of(recast(native, split(read_table(tmp_path / "data.csv"), Roles()).X))
    adapted = adapt(native, rows)
    assert adapted.classes == ("no", "yes")
    assert adapted.predict(rows)[:, 0] == pytest.approx(model.predict_proba(X)[:, 1], abs=1e-9)


def test_a_category_that_the_model_never_saw_is_refused(tmp_path: Path) -> None:
    file, _ = trained("xgboost", tmp_path)
    data = frame().astype({"town": str})
    data.loc[4, "town"] = "q"
    with pytest.raises(DataError, match=r"'town' has categories that the model was not trained on: \['q'\]"):
        recast(load_model(str(file)).native, data)


def test_categories_that_are_numbers_come_back_through_gaps_and_text() -> None:
    known = pd.Categorical([3, 5, 3, 5] * 5)
    model = XGBClassifier(n_estimators=1, enable_categorical=True).fit(pd.DataFrame({"kind": known}), [0, 1] * 10)
    for values in ([3, 5], [3.0, None, 5.0], ["3", "5"]):
        made = recast(model, pd.DataFrame({"kind": values}))["kind"]
        assert made.cat.categories.tolist() == [3, 5]
        assert made.dropna().tolist() == [3, 5]
    with pytest.raises(DataError, match=r"not trained on: \['4'\]"):
        recast(model, pd.DataFrame({"kind": [3.0, 4.0]}))


class OfOurOwn(XGBClassifier):
    pass


def test_categories_come_back_for_a_model_whose_class_extends_the_library_s() -> None:
    X = pd.DataFrame({"kind": pd.Categorical(["a", "b"] * 10)})
    model = OfOurOwn(n_estimators=1, enable_categorical=True).fit(X, [0, 1] * 10)
    assert recast(model, pd.DataFrame({"kind": ["b"]}))["kind"].cat.categories.tolist() == ["a", "b"]


@pytest.mark.parametrize("make", [XGBClassifier, LGBMClassifier])
def test_yes_and_no_with_gaps_come_back_as_such(make: Any) -> None:
    options = {"enable_categorical": True} if make is XGBClassifier else {"verbose": -1}
    X = pd.DataFrame(
        {"flag": pd.array([True, None, False] * 20, dtype="boolean"), "town": pd.Categorical(["a", "b"] * 30)}
    )
    model = make(n_estimators=2, **options).fit(X, [0, 1, 1] * 20)
    for flags in ([True, None, False], [None, None, None]):
        made = recast(model, pd.DataFrame({"flag": pd.Series(flags, dtype=object), "town": ["b", None, "a"]}))
        assert [str(kind) for kind in made.dtypes] == ["boolean", "category"]
        model.predict(made)


def test_categories_beyond_ascii_come_back_where_the_data_hold_them_all() -> None:
    """XGBoost keeps "Åre", "Øster", "Æ" as the bytes of their names, cut by the number of their letters."""
    towns = ["Oslo", "Åre", "Øster", "Æ"]
    X = pd.DataFrame({"town": pd.Categorical(towns * 10)})
    model = XGBClassifier(n_estimators=2, enable_categorical=True, min_child_weight=0).fit(X, [0, 1, 0, 1] * 10)
    made = recast(model, pd.DataFrame({"town": towns}))
    assert made["town"].tolist() == towns
    assert model.predict_proba(made).tolist() == model.predict_proba(X[:4]).tolist()
    with pytest.raises(InputError, match="do not hold all of them"):
        recast(model, pd.DataFrame({"town": ["Øster"]}))


def test_categories_that_cannot_be_told_are_refused(tmp_path: Path) -> None:
    file, _ = trained("lightgbm", tmp_path)
    with pytest.raises(ParameterError, match="trained with 3 categorical columns, and the data have 2"):
        recast(load_model(str(file)).native, frame().drop(columns="town"))


@pytest.mark.parametrize("code", ["1 / 0", "raise SystemExit(0)", "import nowhere_at_all"])
def test_a_module_that_cannot_be_imported_is_bad_input(call: Call, work: Path, code: str) -> None:
    (work / "breaks.py").write_text(code)
    exit_code, _, err = call("explain", "breaks:model", "--data", "test.csv")
    assert exit_code == 2
    assert "breaks" in err


@pytest.mark.parametrize("name", ["m.json", "m.ubj", "m.txt", "m.cbm"])
def test_a_damaged_model_file_is_one_clear_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b'{"learner": 7, "tree\xff')
    with pytest.raises(ModelError, match="cannot be read as a model"):
        load_model(str(tmp_path / name))


CANARY = b"cos\nmkdir\n(Vran\ntR."  # a pickle that makes a folder where it is loaded


@pytest.mark.parametrize("suffix", ["pkl", "pickle", "joblib", "PKL"])
def test_a_pickle_is_not_even_opened_without_consent(call: Call, work: Path, suffix: str) -> None:
    (work / f"m.{suffix}").write_bytes(CANARY)
    code, _, err = call("explain", f"m.{suffix}", "--data", "test.csv")
    assert code == 2
    assert "loading a pickle runs whatever code it holds" in err
    assert not (work / "ran").exists()
    call("explain", f"m.{suffix}", "--data", "test.csv", "--allow-pickle")
    assert (work / "ran").exists(), "the canary does sing where it is loaded"


def test_consent_to_a_pickle_stands_in_the_record(call: Call, work: Path) -> None:
    import hashlib
    import importlib

    joblib.dump(importlib.import_module("train").model, work / "m.joblib")
    digest = hashlib.sha256((work / "m.joblib").read_bytes()).hexdigest()
    words = ["explain", "m.joblib", *EXPLAIN[2:], "--context", "sex", "--name", "credit", "--policy", "few.toml"]
    assert call(*words, "--allow-pickle")[0] == 0
    assert showcause.open("credit").record.configuration["consents"] == [f"allow-pickle m.joblib sha256:{digest}"]
    assert "allowed on the way: allow-pickle m.joblib" in call("show", "credit")[1]


def test_a_csv_is_read_as_pandas_reads_it(tmp_path: Path) -> None:
    text = 'n,t,when,yes,gap\n1,a,2026-01-02,True,1\n2,"",2026-01-03,False,\n3,NA,2026-01-04,True,3\n'
    (tmp_path / "d.csv").write_text(text)
    found = split(read_table(tmp_path / "d.csv"), Roles()).X
    pd.testing.assert_frame_equal(found, pd.read_csv(tmp_path / "d.csv"), check_dtype=False)
    assert [str(kind) for kind in found.dtypes[["n", "yes", "gap"]]] == ["int64", "bool", "float64"]
    dated = split(read_table(tmp_path / "d.csv", times=["when"]), Roles()).X
    assert dated["when"].tolist() == list(pd.to_datetime(["2026-01-02", "2026-01-03", "2026-01-04"]).date)


def test_the_index_that_pandas_writes_into_parquet_is_no_feature(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1.0, 2.0]}, index=[7, 9]).to_parquet(tmp_path / "d.parquet")
    assert read_table(tmp_path / "d.parquet").column_names == ["a"]


def test_roles_part_the_columns(tmp_path: Path) -> None:
    data = pd.DataFrame({"a": [1.0, 2.0], "key": [11, 12], "sex": ["f", "m"], "y": ["no", "yes"]})
    data.to_csv(tmp_path / "d.csv", index=False)
    rows = split(read_table(tmp_path / "d.csv"), Roles("y", "key", ("sex",)))
    assert (list(rows.X), list(rows.context), rows.ids) == (["a"], ["sex"], ["11", "12"])
    assert rows.y.tolist() == ["no", "yes"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("d.csv", "a,a\n1,2\n", "duplicate column names"),
        ("d.csv", "a,b\n1,2\n3\n", "cannot be read"),
        ("d.parquet", "not parquet", "cannot be read"),
        ("d.xlsx", "x", "give .parquet or .csv"),
        ("d.csv", "", "cannot be read"),
    ],
)
def test_data_that_cannot_be_read_says_why(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=said):
        read_table(tmp_path / name)


WITHOUT_PANDAS = """
import importlib.util, sys
known = importlib.util.find_spec
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "pandas":
            raise ModuleNotFoundError("No module named 'pandas'", name="pandas")
sys.meta_path.insert(0, Blocked())
importlib.util.find_spec = lambda name, *rest: None if name == "pandas" else known(name, *rest)
from showcause.cli import main
main(sys.argv[1:])
"""


def test_without_pandas_models_are_handed_arrow_tables(work: Path) -> None:
    import os
    import subprocess
    import sys

    (work / "arrow.py").write_text(
        "import numpy as np, pyarrow as pa\ndef model(X):\n    assert isinstance(X, pa.Table)\n"
        "    return X['income'].to_numpy() * 2\n"
    )
    words = ("explain", "arrow:model", "--data", "test.csv", "--label", "debt", "--context", "sex", "--context", "paid")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PANDAS, *words, "--task", "regression", "--policy", "few.toml"], cwd=work,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("model/1  complete")
