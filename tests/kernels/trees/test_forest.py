"""The flat form itself: codes, walks, the check against a library's margin."""

import numpy as np
import pytest

from showcause.kernels.trees import ForestMismatch, NotAForest, Tree, check, pack
from tests.kernels.trees.games import predict_by_hand, random_forest, random_rows


def stump(threshold=0.5, *, feature=0, left=1.0, right=2.0, default_left=False, **options):
    return Tree(
        np.array([feature, -1, -1]),
        np.array([threshold, 0, 0]),
        np.array([1, -1, -1]),
        np.array([2, -1, -1]),
        np.array([2.0, 1, 1]),
        np.array([0, left, right]),
        np.array([default_left] * 3),
        **options,
    )


@pytest.mark.parametrize("seed", range(20))
def test_predict_walks_every_tree(seed):
    forest = random_forest(seed, width=1 + seed % 3)
    X = random_rows(seed, 40)
    np.testing.assert_allclose(forest.predict(X), predict_by_hand(forest, X), atol=1e-14)


@pytest.mark.parametrize(("dtype", "expected"), [("float32", [1.0, 1.0, 2.0, 2.0]), ("float64", [1.0, 2.0, 2.0, 2.0])])
def test_values_are_rounded_to_the_dtype_before_they_are_compared(dtype, expected):
    forest = pack([stump(0.5)], base=0, n_features=1, dtype=dtype)
    assert forest.predict(np.array([[0.5], [0.5 + 1e-12], [0.6], [np.nan]]))[:, 0].tolist() == expected


def test_zero_counts_as_missing_where_the_library_says_so():
    forest = pack([stump(-1.0, default_left=True)], base=0, n_features=1, zero_missing=np.array([True]))
    assert forest.predict(np.array([[-2.0], [0.0], [1e-36], [0.1], [np.nan]]))[:, 0].tolist() == [1, 1, 1, 2, 1]


def test_infinite_values_and_thresholds():
    forest = pack([stump(np.inf, default_left=False)], base=0, n_features=1)
    assert forest.predict(np.array([[np.inf], [-np.inf], [3.0], [np.nan]]))[:, 0].tolist() == [1, 1, 1, 2]


def test_check_names_the_first_difference():
    forest, X = pack([stump()], base=0, n_features=1), np.array([[0.0], [1.0]])
    check(forest, X, np.array([1.0, 2.0 + 1e-6]))
    with pytest.raises(ForestMismatch, match="row 1"):
        check(forest, X, np.array([1.0, 2.1]))
    with pytest.raises(ForestMismatch):
        check(forest, X, np.array([1.0, np.nan]))


def test_a_column_is_a_number_or_a_category():
    both = [stump(), stump(categories={0: np.array([True])})]
    with pytest.raises(NotAForest, match="column 0"):
        pack(both, base=0, n_features=1).predict(np.zeros((1, 1)))


def test_wrong_shape_is_named():
    with pytest.raises(ValueError, match=r"1 features, the matrix has shape \(2, 3\)"):
        pack([stump()], base=0, n_features=1).predict(np.zeros((2, 3)))


def test_response_is_the_inverse_link():
    forest = pack([stump()], base=0, n_features=1, link="logistic", link_scale=2.0)
    np.testing.assert_allclose(forest.response(np.array([[0.0], [0.5]])), [[0.5], [1 / (1 + np.exp(-1))]])
    forest = pack([stump()], base=[0, 0], n_features=1, link="softmax")
    np.testing.assert_allclose(forest.response(np.array([[0.0, np.log(3)]])), [[0.25, 0.75]])
