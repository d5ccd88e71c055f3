import numpy as np
import pandas as pd

from showcause.adapters.frame import Frame
from showcause.adapters.model import adapt
from showcause.adapters.replaced import Change, against_unchanged, replaced


def total(rows):
    return np.asarray(rows, dtype=float) @ [1.0, 10.0]


def test_each_change_takes_its_columns_from_its_donors():
    X = Frame.of(np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]))
    model = adapt(total, X, task="regression")
    changes = [
        Change(np.array([0, 1]), {"x1": np.array([2, 2])}),
        Change(np.array([2])),
        Change(np.array([0]), {"x0": np.array([1])}),
    ]
    assert [list(answer[:, 0]) for answer in replaced(model, X, changes)] == [[31.0, 32.0], [33.0], [12.0]]


def test_empty_changes_and_rows_give_empty_answers():
    X = Frame.of(pd.DataFrame({"a": [1.0], "b": [2.0]}))
    model = adapt(total, X, task="regression")
    assert list(replaced(model, X, [])) == []
    assert [a.shape for a in replaced(model, X, [Change(np.array([], dtype=int))])] == [(0, 1)]


def test_small_changes_share_calls_of_at_most_a_batch():
    X = Frame.of(np.zeros((5_000, 2)))
    sizes = []

    def spy(rows):
        sizes.append(len(rows))
        return total(rows)

    model = adapt(spy, X, task="regression", version="1")
    rows = np.arange(5_000)
    answers = list(replaced(model, X, [Change(rows, {"x0": rows[::-1]})] * 5))
    assert len(answers) == 5
    assert sizes == [15_000, 10_000]


def test_unchanged_rows_are_predicted_in_calls_of_the_same_shape():
    X = Frame.of(np.arange(12_000.0).reshape(6_000, 2))
    sizes = []

    def spy(rows):
        sizes.append(len(rows))
        return total(rows)

    model = adapt(spy, X, task="regression", version="1")
    rows = np.arange(6_000)
    pairs = list(against_unchanged(model, X, [Change(rows, {"x0": rows[::-1]})] * 3))
    assert len(pairs) == 3
    assert set(sizes) == {12_000}
    assert (pairs[2][1][:, 0] == total(X.native)).all()
