"""Models that people can read as they are: linear ones and single trees, also at the end of a Pipeline.

Law: `linear` and `single_tree` return only what has been held against the model's own predictions; otherwise they raise
NotReadable with the reason. No class is believed by its name: whatever has coefficients that reproduce its output is
linear. Seen through: Pipelines, fitted searches, threshold classifiers and frozen estimators.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from showcause.adapters import encoding
from showcause.adapters.forests import NotAForest
from showcause.adapters.frame import Frame, Rows
from showcause.adapters.model import Model, probabilities

CHECK_ROWS = 256
TOLERANCE = 1e-5  # relative to the largest output: some libraries keep coefficients in float32
PROBES = 64
PROBE_CELLS = 5_000_000


class NotReadable(Exception):
    """The model has no readable form of this kind; the message says why."""


@dataclass(frozen=True)
class Encoded:
    """What the last estimator of a model is given.

    names    of its columns; `parents()[e]` are the positions of the raw columns behind encoded column e, found once
    matrix   raw rows → float64 (rows, encoded columns)
    plain    nothing stands between the raw columns and the estimator
    through  the objects between the user's model and the estimator, outermost first
    """

    last: Any
    names: tuple[str, ...]
    parents: Callable[[], tuple[tuple[int, ...], ...]]
    matrix: Callable[[Frame], Rows]
    plain: bool
    through: tuple[str, ...]


@dataclass(frozen=True)
class Linear:
    """`coefficients` (outputs, encoded columns) and `intercept` (outputs,): their sum is the output in `space`."""

    encoded: Encoded
    coefficients: Rows
    intercept: Rows
    space: str  # "target", "log of the target", "log-odds", "log-odds up to a common term", "score"


@dataclass(frozen=True)
class SingleTree:
    """scikit-learn's tree structure and `values` (nodes, outputs), in the space of Model.predict."""

    encoded: Encoded
    tree: Any
    values: Rows


def encoded(model: Model, X: Frame) -> Encoded:
    """The model taken apart into its encoding and its last estimator. Raises NotReadable."""
    native, before, through = model.native, list[Any](), list[str]()
    while True:
        name = type(native).__name__
        inner = _inside(native)
        if inner is not None:
            through.append(name)
            native = inner
        elif hasattr(native, "steps") and hasattr(native, "named_steps"):
            steps = [step for _, step in native.steps]
            chosen = [step for step in steps[:-1] if step is not None and not isinstance(step, str)]
            through.append(f"{name} ({', '.join(type(step).__name__ for step in chosen)})")
            before += chosen
            native = steps[-1]
        else:
            break
    if native is None or isinstance(native, str):
        raise NotReadable("the Pipeline ends without a model")

    def matrix(frame: Frame) -> Rows:
        given = frame.native
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="X (has|does not have) (valid )?feature names")
            for step in before:
                given = step.transform(given)
        return frame.matrix() if not before and not frame.is_array else _dense(given)

    if not before:
        names = X.names
        return Encoded(native, names, lambda: tuple((j,) for j in range(len(names))), matrix, True, tuple(through))
    width = matrix(X.take(np.arange(min(2, len(X))))).shape[1]
    names = _names(before, X.names, width)
    parents = cache(lambda: _parents(before, matrix, X, width))
    return Encoded(native, names, parents, matrix, False, tuple(through))


def _inside(native: Any) -> Any:
    if hasattr(native, "best_estimator_"):
        return native.best_estimator_
    name = type(native).__name__
    if name in ("FixedThresholdClassifier", "TunedThresholdClassifierCV"):
        return getattr(native, "estimator_", native.estimator)
    return native.estimator if name == "FrozenEstimator" else None


def _dense(given: Any) -> Rows:
    given = given.toarray() if hasattr(given, "toarray") else given
    given = given.to_numpy() if hasattr(given, "to_numpy") else given
    try:
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise NotReadable("its columns are not numbers after the transformers") from None


def _names(steps: list[Any], raw: tuple[str, ...], width: int) -> tuple[str, ...]:
    names: Any = np.asarray(raw, dtype=object)
    try:
        for step in steps:
            own = getattr(step, "feature_names_in_", None)
            names = step.get_feature_names_out(names if own is None else own)
    except (AttributeError, ValueError, TypeError):  # a transformer that does not name its columns
        names = []
    found = tuple(str(name) for name in names)
    good = len(found) == width == len(set(found))
    return found if good else tuple(f"encoded column {j}" for j in range(width))


def _parents(steps: list[Any], matrix: Callable[[Frame], Rows], X: Frame, width: int) -> tuple[tuple[int, ...], ...]:
    """By structure, confirmed by probing; where columns are mixed, by probing alone."""
    try:
        owner = np.asarray(encoding.chain(steps, len(X.names)), dtype=np.int64)
        if len(owner) == width:
            encoding.confirm(lambda native: matrix(Frame.of(native, names=X.names)), owner, X)
            return tuple((int(j),) for j in owner)
    except NotAForest:
        pass
    return _probed(matrix, X, width)


def _probed(matrix: Callable[[Frame], Rows], X: Frame, width: int) -> tuple[tuple[int, ...], ...]:
    """Change one raw column at a time, `PROBES` times each (fewer in wide tables): which encoded ones change?"""
    columns = len(X.names)
    times = int(min(PROBES, max(2, PROBE_CELLS // columns**2)))
    base, donor = np.random.default_rng(0).integers(len(X), size=(2, columns * times))
    owner = np.repeat(np.arange(columns), times)
    moved = np.arange(columns)[None, :] == owner[:, None]
    before = matrix(X.take(base))
    after = matrix(X.gather(np.where(moved, donor[:, None], base[:, None])))
    differs = (after != before) & ~(np.isnan(after) & np.isnan(before))
    found: list[list[int]] = [[] for _ in range(width)]
    for j in range(columns):
        for e in np.flatnonzero(differs[owner == j].any(axis=0)):
            found[e].append(j)
    return tuple(tuple(parents) for parents in found)


def _sample(X: Frame) -> Frame:
    return X.take(np.unique(np.linspace(0, len(X) - 1, min(len(X), CHECK_ROWS)).astype(np.int64)))


def linear(model: Model, X: Frame) -> Linear:
    """The coefficients of a linear model, checked on rows of X. Raises NotReadable."""
    seen = encoded(model, X)
    name = type(seen.last).__name__
    try:
        given, intercept = seen.last.coef_, getattr(seen.last, "intercept_", 0.0)
    except Exception:  # libraries raise errors of their own where there are none
        raise NotReadable(f"not a linear model: {name} has no coefficients") from None
    coefficients = np.atleast_2d(_dense(given))
    outputs = len(model.targets) or 1
    if coefficients.shape == (2, len(seen.names)) and outputs == 1:
        coefficients, intercept = coefficients[1:] - coefficients[:1], np.diff(np.broadcast_to(intercept, 2))
    if coefficients.shape != (outputs, len(seen.names)):
        shape = (outputs, len(seen.names))
        raise NotReadable(f"not a linear model in one form: coefficients {coefficients.shape} where {shape} are needed")
    constant = np.broadcast_to(np.asarray(intercept, dtype=np.float64).ravel(), (outputs,)).copy()
    sample = _sample(X)
    additive = seen.matrix(sample) @ coefficients.T + constant
    space = _space(model, seen, sample, additive)
    if space is None and outputs == 1:  # columns may be centred before they are weighed: the slopes still hold
        offset = _offset(model, sample, additive)
        constant = constant + offset
        space = _space(model, seen, sample, additive + offset)
    if space is None:
        raise NotReadable(f"not a linear model: the coefficients of {name} do not reproduce its predictions")
    return Linear(seen, coefficients, constant, space)


def _offset(model: Model, sample: Frame, additive: Rows) -> float:
    """What the additive output lacks, in its space: the median, since probabilities near 0 and 1 are saturated."""
    outputs = model.predict(sample)
    if model.space == "probability":
        outputs = np.log(np.clip(outputs, 1e-12, 1) / np.clip(1 - outputs, 1e-12, 1))
    return float(np.median(outputs - additive))


def _space(model: Model, seen: Encoded, sample: Frame, additive: Rows) -> str | None:
    """The space in which the additive output is the model's, None where it is in none."""
    outputs = model.predict(sample)
    if _same(additive, outputs):
        return "score" if model.space != "target" else "target"
    if model.space == "target":
        with np.errstate(over="ignore"):
            return "log of the target" if _same(np.exp(additive), outputs) else None
    if model.space == "probability":
        if model.binary and _same(1 / (1 + np.exp(-np.clip(additive, -700, 700))), outputs):
            return "log-odds"
        weights = np.exp(additive - additive.max(axis=1, keepdims=True))
        if not model.binary and _same(weights / weights.sum(axis=1, keepdims=True), probabilities(outputs)):
            return "log-odds up to a common term"
    decide = getattr(seen.last, "decision_function", None)
    if decide is None:
        return None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X (has|does not have) (valid )?feature names")
        scores = np.asarray(decide(seen.matrix(sample)), dtype=np.float64).reshape(len(sample), -1)
    return "score" if scores.shape == additive.shape and _same(additive, scores) else None


def _same(a: Rows, b: Rows) -> bool:
    scale = max(float(np.abs(b).max(initial=0.0)), 1e-12)
    return bool(np.isfinite(a).all() and np.abs(a - b).max(initial=0.0) <= TOLERANCE * scale)


def single_tree(model: Model, X: Frame) -> SingleTree:
    """The tree of a model that is one decision tree, checked on rows of X. Raises NotReadable."""
    seen = encoded(model, X)
    last, name = seen.last, type(seen.last).__name__
    if not hasattr(last, "tree_") or not hasattr(last, "apply"):
        raise NotReadable(f"not a single decision tree: {name}")
    value = np.asarray(last.tree_.value, dtype=np.float64)[:, 0, :]
    if model.classes:
        value = value / value.sum(axis=1, keepdims=True)
        value = value[:, 1:] if model.binary else value
    sample = _sample(X)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X (has|does not have) (valid )?feature names")
        leaves = last.apply(seen.matrix(sample))
    if value.shape[1] != (len(model.targets) or 1) or not _same(value[leaves], model.predict(sample)):
        raise NotReadable(f"not a single decision tree: the nodes of {name} do not reproduce its predictions")
    return SingleTree(seen, last.tree_, value)


def readable(model: Model, X: Frame) -> str | None:
    """The method that shows this model in its own form, None where there is none."""
    for method, read in (("model/coefficients", linear), ("model/tree", single_tree)):
        try:
            read(model, X)
        except NotReadable:
            continue
        return method
    return None
