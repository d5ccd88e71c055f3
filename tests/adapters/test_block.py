"""A pandas frame of doubles is one array: it must answer as the same columns one by one."""

import numpy as np
import pandas as pd
import polars as pl

from showcause.adapters.frame import Frame

VALUES = np.array([[1.0, np.nan, -0.0], [2.5, 3.0, 4.0], [np.nan, 7.0, 2.0**60]])
WHOLE = Frame.of(pd.DataFrame(VALUES, columns=["a", 7, "c"]))
APART = Frame.of(pl.DataFrame(VALUES, schema=["a", "7", "c"]))


def same(one, other):
    np.testing.assert_array_equal(one.matrix(), other.matrix())
    assert [one.digest(name) for name in one.names] == [other.digest(name) for name in other.names]


def test_columns_and_digests():
    same(WHOLE, APART)


def test_rows_taken_mixed_and_gathered():
    rows, donors = np.array([2, 0, 0]), {"7": np.array([1, 1, 2])}
    picks = np.array([[0, 1, 2], [2, 2, 1]])
    same(WHOLE.take(rows), APART.take(rows))
    same(WHOLE.mix(rows, donors), APART.mix(rows, donors))
    same(WHOLE.gather(picks), APART.gather(picks))
    assert list(WHOLE.gather(picks).native.columns) == ["a", 7, "c"]
    made = (WHOLE.take(rows), WHOLE.mix(rows, donors), WHOLE.gather(picks))
    assert all(frame.native.to_numpy().flags.f_contiguous for frame in made)  # as of any frame: BLAS tells them apart
    assert (WHOLE.native.to_numpy()[~np.isnan(VALUES)] == VALUES[~np.isnan(VALUES)]).all()


def test_integers_beside_doubles_keep_their_type():
    frame = Frame.of(pd.DataFrame({"a": [1, 2], "b": [0.5, np.nan]}))
    assert [str(kind) for kind in frame.take(np.array([1])).native.dtypes] == ["int64", "float64"]
