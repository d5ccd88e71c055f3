"""sc.reasons and snapshot.why: the same reasons as the snapshot's own, for any rows, in any order and batches."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from xgboost import XGBClassifier

import showcause as sc
from showcause.cli.demo import _split, boosting, read_loans
from showcause.core.errors import DataError, ModelError, NotFound, ParameterError
from tests.views.test_letter import SLOTS

RNG = np.random.default_rng(0)
X = pd.DataFrame(
    {
        "a": RNG.normal(size=300),
        "b": RNG.integers(0, 5, 300),
        "c": RNG.choice(["u", "v", "w"], 300),
        "d": RNG.random(300) < 0.5,
    }
)
Y = np.where(X["a"] + 0.3 * X["b"] + (X["c"] == "u") > 1, "yes", "no")
ASKED = {"artifacts": ["reasons/cutoff"]}


def pipeline(last: Any) -> Any:
    words = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["c"]), remainder="passthrough")
    return make_pipeline(words, last)


@cache
def known(name: str = "trees") -> tuple[Any, sc.Snapshot]:
    last = {"trees": GradientBoostingClassifier(n_estimators=15, random_state=0), "linear": LogisticRegression()}
    model = pipeline(last[name]).fit(X, Y)
    policy = {"require": ASKED, "letter": SLOTS, "reasons": {"a": {"code": "A1", "text_low": "Too little of a"}}}
    return model, sc.explain(model, X, train=X, policy=policy)


def codes(reader: pa.RecordBatchReader) -> list[tuple[Any, ...]]:
    table = reader.read_all()
    names = ["decision", "codes", "features", "places", "text", "snapshot"]
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


@pytest.mark.parametrize("name", ["trees", "linear"])
def test_they_are_the_snapshots_own_reasons(name: str) -> None:
    model, snapshot = known(name)
    table = sc.reasons(snapshot, model, X).read_all().to_pylist()
    assert [row["row"] for row in table] == list(range(300))
    stored = snapshot["reasons/cutoff"].table.to_pylist()
    for row in table:
        mine = {r["feature"]: r["rank"] for r in stored if r["example"] == row["row"] and r["rank"]}
        if mine:
            assert dict(zip(row["features"], row["places"], strict=True)) == mine
    assert {row["snapshot"] for row in table} == {snapshot.id}


@pytest.mark.parametrize("name", ["trees", "linear"])
def test_row_order_and_batches_change_nothing(name: str) -> None:
    model, snapshot = known(name)
    whole = codes(sc.reasons(snapshot, model, X))
    assert codes(sc.reasons(snapshot, model, X, batch=7)) == whole
    order = np.random.default_rng(1).permutation(300)
    shuffled = codes(sc.reasons(snapshot, model, X.iloc[order]))
    assert [shuffled[i] for i in np.argsort(order)] == whole
    assert codes(sc.reasons(snapshot, model, X.iloc[[5]])) == [whole[5]]


def test_threads_change_nothing() -> None:
    import numba

    model, snapshot = known()
    whole = codes(sc.reasons(snapshot, model, X))
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        assert codes(sc.reasons(snapshot, model, X)) == whole
    finally:
        numba.set_num_threads(before)


def test_sampled_reasons_depend_on_the_row_alone() -> None:
    wide = pd.DataFrame(RNG.normal(size=(40, 12)), columns=[f"x{j}" for j in range(12)])
    function = _tanh
    snapshot = sc.explain(function, wide, task="regression", version="1", policy={"require": ASKED})
    whole = codes(sc.reasons(snapshot, function, wide, version="1"))
    assert codes(sc.reasons(snapshot, function, wide.iloc[::-1], version="1", batch=9))[::-1] == whole


def _tanh(rows: Any) -> Any:
    return np.tanh(np.asarray(rows) @ (np.arange(12.0) - 5) / 9)


def test_a_parquet_file_polars_and_batches_give_the_same(tmp_path: Path) -> None:
    model, snapshot = known()
    whole = codes(sc.reasons(snapshot, model, X))
    X.assign(unseen=1, key=[f"k{i}" for i in range(300)]).to_parquet(tmp_path / "x.parquet", row_group_size=50)
    read = sc.reasons(snapshot, model, tmp_path / "x.parquet", ids="key", batch=64).read_all()
    assert read["id"].to_pylist()[:2] == ["k0", "k1"]
    assert read["text"].to_pylist() == [row[4] for row in whole]
    assert codes(sc.reasons(snapshot, model, (X.iloc[i : i + 100] for i in (0, 100, 200)))) == whole
    with pytest.raises(DataError, match=r"lacks the columns \['other'\]"):
        sc.reasons(snapshot, model, tmp_path / "x.parquet", ids="other").read_all()


def test_polars_frames_are_read_as_they_are() -> None:
    frame = pl.DataFrame({"a": X["a"].to_numpy(), "b": X["b"].to_numpy()})
    model = XGBClassifier(n_estimators=5, max_depth=2).fit(frame, (Y == "yes").astype(int))
    snapshot = sc.explain(model, frame, policy={"require": ASKED})
    assert len(codes(sc.reasons(snapshot, model, frame))) == 300


def test_native_categories_come_back_from_a_file(tmp_path: Path) -> None:
    train, test = _split(read_loans(), 0)
    model, rows, X_train, _ = boosting(train, test, 0)
    snapshot = sc.explain(model, rows, train=X_train, policy={"require": ASKED, "decision": {"threshold": 0.75}})
    whole = codes(sc.reasons(snapshot, model, rows))
    text = rows.astype({name: str for name in rows.columns if rows[name].dtype == "category"})
    text = text.mask(rows.isna(), None)
    text.to_parquet(tmp_path / "text.parquet")
    assert codes(sc.reasons(snapshot, model, tmp_path / "text.parquet")) == whole
    row = dict(text.iloc[3])
    assert tuple(snapshot.why(row, model).codes) == tuple(whole[3][1])
    read = pd.read_parquet(tmp_path / "text.parquet")
    assert codes(sc.reasons(snapshot, model, read)) == whole
    assert tuple(snapshot.why(read.iloc[[3]], model).codes) == tuple(whole[3][1])


@pytest.mark.parametrize("kind", ["classes", "regression"])
def test_more_classes_and_numbers_have_reasons_too(kind: str) -> None:
    numbers = X[["a", "b"]]
    if kind == "classes":
        model = RandomForestClassifier(5, random_state=0).fit(numbers, np.where(X["a"] > 1, "gold", X["c"]))
        snapshot = sc.explain(model, numbers, policy={"require": ASKED}, favourable="gold")
    else:
        model = RandomForestRegressor(5, random_state=0).fit(numbers, X["a"])
        snapshot = sc.explain(model, numbers, policy={"require": ASKED})
    found = codes(sc.reasons(snapshot, model, numbers))
    assert (found[0][0] is None) == (kind == "regression")
    assert {len(row[1]) for row in found} <= {0, 1, 2}


def test_the_policys_codes_and_texts_are_used() -> None:
    model, snapshot = known()
    found = [row for row in codes(sc.reasons(snapshot, model, X)) if row[0] == "no"]
    first = next(row for row in found if row[2][0] == "a")
    assert first[1][0] == "A1"
    assert first[4].startswith("1. Too little of a: yours is ")
    assert {code for row in found for code in row[1]} <= {"A1", "b-low", "b-high", "b", "c", "d"}


def test_another_model_is_refused() -> None:
    model, snapshot = known()
    other = pipeline(GradientBoostingClassifier(n_estimators=16, random_state=0)).fit(X, Y)
    with pytest.raises(ModelError, match="not the model that"):
        sc.reasons(snapshot, other, X)
    with pytest.raises(ModelError, match="not the model that"):
        snapshot.why(X.iloc[[0]], other)
    assert sc.reasons(snapshot, model, X).read_next_batch().num_rows == 300


def test_an_opaque_model_is_known_by_what_it_answers() -> None:
    numbers = X[["a"]]
    snapshot = sc.explain(
        lambda rows: np.asarray(rows)[:, 0] * 2, numbers, task="regression", policy={"require": ASKED}
    )
    assert len(codes(sc.reasons(snapshot, lambda rows: np.asarray(rows)[:, 0] * 2, numbers))) == 300
    with pytest.raises(ModelError, match="not the model that"):
        sc.reasons(snapshot, lambda rows: np.asarray(rows)[:, 0] * 2.1, numbers)


def test_without_stored_rows_the_training_rows_stand_in_and_others_do_not() -> None:
    model, kept = known()
    snapshot = sc.explain(model, X, train=X, policy={"require": ASKED, "privacy": {"rows": "omit"}})
    with pytest.raises(ParameterError, match="keeps no rows"):
        sc.reasons(snapshot, model, X)
    with pytest.raises(ParameterError, match="not the rows that"):
        sc.reasons(snapshot, model, X, reference=X.iloc[:200])
    found = sc.reasons(snapshot, model, X, reference=X).read_all()
    assert found["features"].to_pylist() == [row[2] for row in codes(sc.reasons(kept, model, X))]


def test_a_snapshot_without_reasons_says_so() -> None:
    model, _ = known()
    snapshot = sc.explain(model, X, policy={"require": {"artifacts": ["model/gain"]}})
    with pytest.raises(NotFound, match="has no reasons/cutoff"):
        sc.reasons(snapshot, model, X)


@pytest.mark.parametrize(
    ("rows", "message"),
    [(X[["a"]], r"lacks the model's columns \['b', 'c', 'd'\]"), (X.assign(a=np.inf), "infinite")],
)
def test_rows_that_cannot_be_read_are_refused(rows: pd.DataFrame, message: str) -> None:
    model, snapshot = known()
    with pytest.raises(DataError, match=message):
        sc.reasons(snapshot, model, rows)


def test_no_rows_give_no_reasons() -> None:
    model, snapshot = known()
    assert sc.reasons(snapshot, model, X.iloc[:0]).read_all().num_rows == 0


def test_why_gives_the_reasons_of_one_row_in_any_form() -> None:
    model, snapshot = known()
    whole = codes(sc.reasons(snapshot, model, X))
    for row in (X.iloc[[9]], X.iloc[9], X.iloc[9].to_dict()):
        found = snapshot.why(row, model)
        assert (found.decision, found.codes, found.features, found.places) == whole[9][:4]
        assert found.text.replace("\n", " ") == whole[9][4]
    assert found.artifact.kind == "attribution"
    assert "score" in found._repr_html_()
    with pytest.raises(DataError, match="these are 2"):
        snapshot.why(X.iloc[:2], model)
    with pytest.raises(DataError, match="lacks the columns"):
        snapshot.why({"a": 1.0}, model)


def test_single_values_have_the_types_of_the_rows_explained() -> None:
    """A lone None, an int8 or a whole number where the column has fractions are of no type of their own."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"a": rng.integers(0, 9, 80), "b": rng.normal(size=80), "c": rng.normal(size=80)})
    rows.loc[::7, "b"] = np.nan
    rows["day"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(rows["a"], "D")
    model = make_pipeline(
        make_column_transformer(("drop", ["day"]), remainder="passthrough"), HistGradientBoostingClassifier(max_iter=3)
    ).fit(rows, (rows["a"] + rows["c"] > 4).astype(int))
    snapshot = sc.explain(model, rows, policy={"require": {"artifacts": ["reasons/cutoff"]}}, progress=False)
    wanted = snapshot.why(rows.iloc[[7]], model)
    cells = rows.iloc[7].to_dict() | {"b": None, "a": np.int8(rows["a"][7]), "day": str(rows["day"][7])}
    for row in (rows.iloc[7], cells, pd.DataFrame([cells | {"day": rows["day"][7]}])):
        found = snapshot.why(row, model)
        assert (found.score, found.text) == (wanted.score, wanted.text)
    for name, value in {"a": "5", "b": True, "c": [1.0], "day": 3}.items():
        with pytest.raises(DataError, match=f"column '{name}' holds .* values, not"):
            snapshot.why(cells | {name: value}, model)
    with pytest.raises(DataError, match="a is string, was int64"):
        sc.reasons(snapshot, model, rows.assign(a=rows["a"].astype(str)))


def test_why_writes_the_letter_of_anybody(tmp_path: Path) -> None:
    model, snapshot = known()
    page = snapshot.why(X.iloc[[9]], model).report(tmp_path / "letter.html").read_text()
    assert "The loan office of Example Bank" in page
    assert "We did not check whether a model trained again would say the same." in page


def test_a_file_is_read_in_small_parts_however_large_its_row_groups_are(tmp_path: Path) -> None:
    rng, count = np.random.default_rng(0), 1_000_000
    model = LinearRegression().fit(rng.normal(size=(50, 5)), rng.normal(size=50))
    few = rng.normal(size=(120, 5))
    snapshot = sc.explain(model, few, train=few, policy={"require": ASKED})
    names = snapshot.manifest.data["order"]
    pyarrow.parquet.write_table(
        pa.table({name: rng.normal(size=count) for name in names}), tmp_path / "rows.parquet", row_group_size=count
    )
    before = pa.total_allocated_bytes()
    stream = sc.reasons(snapshot, model, tmp_path / "rows.parquet")
    batches = [len(next(stream)) for _ in range(4)]
    assert pa.total_allocated_bytes() - before < 0.6 * count * 5 * 8
    assert batches == [8_192] * 4
