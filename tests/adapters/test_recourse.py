"""Roles and constraints of recourse: read from text, held against rows, refused where they cannot be meant."""

import numpy as np
import pandas as pd
import pytest

from showcause.adapters.dataset import dataset
from showcause.adapters.frame import Frame
from showcause.adapters.model import adapt
from showcause.adapters.recourse import allowed, linear
from showcause.core.errors import DataError, PolicyError
from showcause.policy.policy import Policy

X = pd.DataFrame({"a": [1.0, 2.0, np.nan], "b": [0.0, 1.0, 0.0], "my debt": [5.0, 6.0, 7.0], "sex": ["f", "m", "f"]})


def data(**recourse):
    frame, features = Frame.of(X), recourse.pop("features", None)
    protected = recourse.pop("protected", ())
    model = adapt(lambda rows: np.zeros(len(rows)), frame, task="regression", version="1")
    return dataset(model, frame, protected=protected, features=features, recourse=recourse)


@pytest.mark.parametrize(
    ("text", "terms", "least", "most"),
    [
        ("a <= 3", {"a": 1.0}, -np.inf, 3.0),
        ("2*a - b + 1 >= 0.5 * `my debt`", {"a": 2.0, "b": -1.0, "my debt": -0.5}, -1.0, np.inf),
        ("a + a = 4", {"a": 2.0}, 4.0, 4.0),
        ("-1e1 * a <= -2.5", {"a": -10.0}, -np.inf, -2.5),
    ],
)
def test_a_linear_constraint_is_read(text, terms, least, most):
    found = linear(text, data())
    assert (dict(found.terms), found.least, found.most) == (terms, least, most)


def test_a_linear_constraint_holds_row_by_row_and_is_silent_on_missing_values():
    found = linear("a + b <= 2.5", data())
    assert found.holds({"a": X["a"].to_numpy(), "b": X["b"].to_numpy()}).tolist() == [True, False, True]


@pytest.mark.parametrize(
    "text", ["a", "a < 3", "a <= b <= 3", "a b <= 3", "2 a <= 3", "nobody <= 3", "sex <= 1", "1 <= 2", "a * b <= 1"]
)
def test_a_constraint_that_cannot_be_read_is_refused(text):
    with pytest.raises(DataError, match="constraint"):
        linear(text, data())


def test_roles_freeze_and_protected_comes_first():
    found = allowed(data(actionable=["a", "b"], immutable=["b", "sex"], protected=["sex"]))
    assert found.frozen == {"b": "immutable", "my debt": "not actionable", "sex": "protected"}


def test_directions_ranges_and_groups_come_from_the_dictionary():
    found = allowed(data(features={"a": {"monotone": "increase", "range": [0, 9]}}))
    assert (found.direction, found.ranges) == ({"a": 1}, {"a": (0.0, 9.0)})
    with pytest.raises(DataError, match="sex is no number"):
        allowed(data(features={"sex": {"monotone": "increase"}}))
    with pytest.raises(DataError, match="one_hot: a holds other values"):
        allowed(data(one_hot=[["a", "b"]]))
    with pytest.raises(DataError, match="no such column"):
        data(actionable=["nobody"])


@pytest.mark.parametrize(
    ("section", "entry"),
    [
        ("data", {"one_hot": ["a", "b"]}),
        ("data", {"constraints": [1]}),
        ("features", {"a": {"range": [3, 1]}}),
        ("features", {"a": {"range": ["1", "2"]}}),
        ("features", {"a": {"monotone": "up"}}),
    ],
)
def test_a_policy_says_what_is_wrong_with_them(section, entry):
    with pytest.raises(PolicyError):
        Policy.of({section: entry})
    assert Policy.of(
        {"data": {"one_hot": [["a", "b"]]}, "features": {"a": {"range": [1, 3.5], "monotone": "increase"}}}
    )
