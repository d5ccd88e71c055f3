import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from showcause.adapters.frame import Frame
from showcause.core.errors import DataError

DATA = {
    "number": [1, 2, None, 4],
    "text": ["a", "b", None, "a"],
    "flag": [True, False, True, True],
    "float": [1.5, float("nan"), -0.0, 2],
    "day": [dt.datetime(2020, 1, d) for d in (1, 2, 3, 4)],
    "whole": [1, 2, 3, 4],
}
CATEGORY = ["x", "y", "x", "z"]


def frames():
    pandas = pd.DataFrame(DATA).assign(category=pd.Categorical(CATEGORY, categories=["z", "y", "x", "unused"]))
    polars = pl.DataFrame({**DATA, "category": CATEGORY}).with_columns(pl.col("category").cast(pl.Categorical))
    arrow = pa.table({**DATA, "category": pa.array(CATEGORY).dictionary_encode()})
    sliced = pa.concat_tables([arrow.slice(0, 1), arrow.slice(1)])
    return {
        "pandas": pandas,
        "polars": polars,
        "arrow": arrow,
        "sliced": sliced,
        "shuffled index": pandas.set_index([[3, 1, 0, 2]]),
    }


def test_equal_content_has_equal_digests_in_every_container():
    for name in [*DATA, "category"]:
        assert len({Frame.of(data).digest(name) for data in frames().values()}) == 1, name


def test_parquet_and_numpy_agree_too(tmp_path):
    pandas = pd.DataFrame({"a": [1.0, np.nan, 3.0]})
    pandas.to_parquet(tmp_path / "d.parquet")
    again = pd.read_parquet(tmp_path / "d.parquet")
    digests = {Frame.of(pandas).digest("a"), Frame.of(again).digest("a"), Frame.of(pandas.to_numpy()).digest("x0")}
    assert len(digests) == 1


def test_other_content_has_another_digest():
    base = pa.array([1.0, 2.0, None])
    others = [[1.0, 2.0, 0.0], [2.0, 1.0, None], [1.0, 2.0], ["1", "2", None], [True, False, None], [1.0, 2.0, 3.0]]
    digests = {Frame.of(pa.table({"a": pa.array(values)})).digest("a") for values in [base.to_pylist(), *others]}
    assert len(digests) == 1 + len(others)


def test_large_integers_keep_their_last_digit():
    one, two = ({"a": [2**60 + n]} for n in (0, 1))
    assert Frame.of(pa.table(one)).digest("a") != Frame.of(pa.table(two)).digest("a")


@pytest.mark.parametrize("name", ["pandas", "polars", "arrow"])
def test_columns_as_numbers(name):
    frame = Frame.of(frames()[name])
    assert frame.column("number").values.tolist()[:2] == [1, 2]
    assert np.isnan(frame.column("number").values[2])
    assert frame.column("text").levels == ("a", "b")
    assert frame.column("flag").levels == ("false", "true")
    assert frame.column("flag").values.tolist() == [1, 0, 1, 1]
    assert frame.column("day").values.tolist() == [18262, 18263, 18264, 18265]
    at, level = frame.column("text").cells()
    assert np.isnan(at).all()
    assert level == ["a", "b", None, "a"]


@pytest.mark.parametrize("name", ["pandas", "polars", "arrow"])
def test_mix_takes_each_cell_from_a_real_row_and_keeps_types(name):
    frame = Frame.of(frames()[name])
    mixed = frame.mix(np.array([0, 0, 1]), {"category": np.array([3, 1, 2]), "whole": np.array([3, 3, 3])})
    assert mixed.arrow("category").to_pylist() == ["z", "y", "x"]
    assert mixed.arrow("whole").to_pylist() == [4, 4, 4]
    assert mixed.arrow("text").to_pylist() == ["a", "a", "b"]
    assert mixed.arrow("whole").type == frame.arrow("whole").type
    assert len(frame.stack(mixed)) == 7


def test_gather_on_an_array():
    frame = Frame.of(np.arange(6.0).reshape(3, 2))
    assert frame.gather(np.array([[0, 2], [1, 1]])).native.tolist() == [[0, 5], [2, 3]]
    assert frame.native.tolist() == [[0, 1], [2, 3], [4, 5]]


def test_stacking_unites_pandas_categories():
    one = Frame.of(pd.DataFrame({"c": pd.Categorical(["a", "b"])}))
    two = Frame.of(pd.DataFrame({"c": pd.Categorical(["c", "b"])}))
    stacked = one.stack(two).native["c"]
    assert stacked.tolist() == ["a", "b", "c", "b"]
    assert stacked.cat.categories.tolist() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (np.arange(3), "one dimension"),
        (np.zeros((2, 2, 2)), "shape"),
        ([[1, 2]], "give a pandas or polars"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "duplicate"),
        ("text", "give a pandas or polars"),
    ],
)
def test_what_is_no_table_is_refused(data, complaint):
    with pytest.raises(DataError, match=complaint):
        Frame.of(data)


def test_a_column_of_mixed_types_is_named():
    with pytest.raises(DataError, match="'a' mixes types"):
        Frame.of(pd.DataFrame({"a": [1, "x", 2.5]})).column("a")


def test_sparse_columns_of_pandas_are_read_as_what_they_hold():
    plain = pd.DataFrame({"a": [0.0, 2.0, 0.0], "b": [True, False, True], "c": ["u", "v", "u"]})
    sparse = plain.assign(a=pd.arrays.SparseArray(plain["a"]), b=pd.arrays.SparseArray(plain["b"]))
    given, dense = Frame.of(sparse), Frame.of(plain)
    assert [given.digest(name) for name in "abc"] == [dense.digest(name) for name in "abc"]
    assert given.take(np.array([1])).native.equals(dense.take(np.array([1])).native)


@pytest.mark.parametrize("cell", [[1, 2], {"x": 1}])
def test_a_column_of_lists_is_told_by_its_name(cell):
    with pytest.raises(DataError, match=r"'a' holds .* neither numbers"):
        Frame.of(pd.DataFrame({"a": [cell, cell]})).column("a")
