"""How a fitted model was made from its training rows, as far as its own numbers confirm it.

Law: nothing is believed of the rows given as training rows. A linear model must be at its optimum on them, a forest's
weights must give its predictions, a boosted ensemble's leaves must follow from them; otherwise Unconfirmed says why.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from showcause.adapters.dataset import Dataset
from showcause.adapters.frame import Frame, Rows
from showcause.adapters.model import Model
from showcause.adapters.readable import Linear, NotReadable, encoded, linear
from showcause.adapters.trees import NotAForest, TreeView, leaf_table, tree_view
from showcause.core.errors import ModelError
from showcause.kernels import influence as kernels
from showcause.kernels.trees import influence as trees

CLOSED, ITERATED = 1e-6, 1e-3  # how far from an optimum a closed-form and an iterated fit may be (few rows: below)
EXACT = 1e-6  # of weights that must give the prediction, relative to the spread of the labels
UNEXPLAINED = 0.5  # of the leaves' values; above it the rows are not those of the training
CELLS = 40_000_000  # of a linear model's encoded training rows
CHECKED = 5_000_000  # cells times columns up to which a logistic step is held against the fit without the row

LEFT_OUT = "change of the output, in its space, from the fit without the row to the fit with it"
WEIGHT = "weight of the row's label: the prediction is the sum of weight times label"
MORE = "change of the output, in its space, for more weight on the row: per unit of weight, trees otherwise kept"


class Unconfirmed(Exception):
    """Nothing can be said of the training rows' influence; the message says why."""


@dataclass(frozen=True)
class Influence:
    """effect (E, n) on the examples' outputs, sign (E, n) > 0 where the row raises it; surprise (n,) the row's own loss
    where it did not take part; harm (n,) what it adds to the mean loss of the rows with labels. NaN: not defined."""

    means: str
    value: str
    space: str
    effect: Rows
    sign: Rows
    surprise: Rows
    harm: Rows | None
    facts: dict[str, Any] = field(default_factory=dict)


def influence(model: Model, data: Dataset, rows: Rows, output: Rows, budget: int | None) -> Influence:
    """Of the training rows of `data` on output[e] of row rows[e]. Raises Unconfirmed.

    budget   at most about this many visits of a training row to a tree or example; fewer examples are looked at, and if
             one is too many Unconfirmed is raised
    """
    assert data.train is not None
    assert data.train_y is not None
    try:
        view = tree_view(model, data.X)
    except (NotAForest, ModelError) as error:
        try:
            found = linear(model, data.X)
        except NotReadable:
            raise Unconfirmed(f"no way is known to trace its training rows: {error}; it is not linear either") from None
        return _linear(model, data, found, rows)
    depth = np.log2(np.maximum(np.diff(view.forest.roots) / 2, 1) + 1).sum()
    each = len(data.train) * view.forest.n_trees
    fits = len(rows) if budget is None else int((budget - len(data.train) * depth) // each)
    if fits < 1:
        raise Unconfirmed(f"{len(data.train):,} training rows times {view.forest.n_trees:,} trees are beyond the cap")
    rows, output = rows[:fits], output[:fits]
    if view.space in ("probability", "target") and _averaged(model, data.X) is not None:
        return _forest(model, data, view, rows, output)
    return _boosted(model, data, view, rows, output)


# Linear models


def _linear(model: Model, data: Dataset, found: Linear, rows: Rows) -> Influence:
    assert data.train is not None
    seen = found.encoded
    if len(data.train) * len(seen.names) > CELLS:
        raise Unconfirmed(f"{len(data.train):,} training rows × {len(seen.names):,} encoded columns are beyond the cap")
    if found.coefficients.shape[0] > 1:
        raise Unconfirmed("a linear model of more than two classes has no closed form for a row left out")
    A = seen.matrix(data.train)
    slopes, constant = found.coefficients[0], float(found.intercept[0])
    logistic = found.space == "log-odds"
    fit, y = _optimum(model, data, seen.last, A, slopes, constant, found.space)
    solved = kernels.solve(fit)
    at = seen.matrix(data.X.take(rows))
    effect = solved.effects(at, np.ones(len(rows)))
    surprise = _losses(A @ slopes + constant - solved.own, y, logistic)
    harm = None
    if data.y is not None:
        B = seen.matrix(data.X)
        slope = _slope(B @ slopes + constant, _numbers(data.y, found.space), logistic) / len(B)
        harm = solved.effects((slope @ B)[None], np.array([slope.sum()]))[0]
    facts: dict[str, Any] = {"penalty": fit.penalty, "intercept": fit.intercept, "transformers": "kept as fitted"}
    means = "leave-one-out in closed form"
    if logistic:
        means = "leave-one-out by one Newton step"
        facts["newton"] = _newton(fit, A, y, at, slopes, constant, effect)
    if undefined := int(np.isnan(surprise).sum()):
        facts["undefined"] = {
            "rows": undefined,
            "why": "without such a row there is no fit: it alone holds a direction",
        }
    return Influence(means, LEFT_OUT, found.space, effect, np.sign(effect), surprise, harm, facts)


def _numbers(y: Rows, space: str) -> Rows:
    """Labels as the loss takes them: classes as 0 and 1, in a least-squares classifier as -1 and 1."""
    return 2.0 * y - 1.0 if space == "score" else y.astype(np.float64)


def _slope(margin: Rows, y: Rows, logistic: bool) -> Rows:
    """Of each row's loss in the output: log-loss, or squared error."""
    return 0.5 * (1 + np.tanh(0.5 * margin)) - y if logistic else 2.0 * (margin - y)


def _losses(margin: Rows, y: Rows, logistic: bool) -> Rows:
    return trees.losses("logistic" if logistic else "squared", np.ascontiguousarray(margin[:, None]), y)


def _optimum(
    model: Model, data: Dataset, last: Any, A: Rows, slopes: Rows, constant: float, space: str
) -> tuple[kernels.Fit, Rows]:
    """The fit of which the slopes are an optimum, with the row weights that make them one. Raises Unconfirmed."""
    assert data.train_y is not None
    if space not in ("target", "log-odds", "score"):
        raise Unconfirmed(f"no closed form is known for a linear model of the {space}")
    y, margin = _numbers(data.train_y, space), A @ slopes + constant
    p = 0.5 * (1.0 + np.tanh(0.5 * margin))
    gaps = []
    named = _named(last, space)
    for weight in _weights(last, data.train_y, len(model.classes)):
        residual = weight * (y - (p if space == "log-odds" else margin))
        curve = weight * (p * (1 - p) if space == "log-odds" else 1.0)
        for intercept in (True, False):
            fit = kernels.Fit(A, curve, residual, 0.0, intercept)
            penalty, gap = kernels.gradient_gap(fit, slopes, named)
            gaps.append((gap, kernels.Fit(A, curve, residual, penalty, intercept)))
    chance = min(max(ITERATED, 0.1 / np.sqrt(len(A))), 5 * ITERATED)  # rows that have nothing to do: 1 / sqrt(rows)
    most = chance if space == "log-odds" else CLOSED
    # Where there is an intercept, the slopes are an optimum without one too: the first that holds is the one.
    gap, fit = next((pair for pair in gaps if pair[0] <= most), min(gaps, key=lambda pair: pair[0]))
    if not gap <= most:
        kind = "logistic regression" if space == "log-odds" else "least squares"
        raise Unconfirmed(
            f"its coefficients are no optimum of {kind} with a ridge penalty on the rows given as train (off by "
            f"{gap:.2g} of the gradient): other rows, weights, loss or penalty"
        )
    return fit, y


def _named(last: Any, space: str) -> list[float]:
    """Penalties that the estimator's own attributes name; the gradient decides whether they are the ones."""
    found = [getattr(last, name, None) for name in ("alpha_", "alpha")]
    if space == "log-odds":
        strength: Any = np.ravel(getattr(last, "C_", getattr(last, "C", 0.0)))
        found = [1.0 / float(c) for c in strength[:1] if isinstance(c, int | float) and c > 0]
    return [float(p) for p in found if isinstance(p, int | float) and 0 <= p < np.inf]


def _weights(last: Any, y: Rows, classes: int) -> Iterator[Rows]:
    """(n,) row weights that the estimator may have used: none, and those of its class_weight."""
    yield np.ones(len(y))
    given = getattr(last, "class_weight", None)
    if classes and given is not None:
        yield _class_weights(given, y, getattr(last, "classes_", range(classes)))


def _class_weights(given: Any, y: Rows, labels: Any) -> Rows:
    counts = np.bincount(y, minlength=len(labels))
    if isinstance(given, str):
        return np.asarray((len(y) / (len(counts) * np.maximum(counts, 1)))[y])
    return np.array([float(given.get(label, 1.0)) for label in labels])[y]


def _newton(
    fit: kernels.Fit, A: Rows, y: Rows, at: Rows, slopes: Rows, constant: float, effect: Rows
) -> dict[str, Any]:
    """The step held against the converged fit without the row, for each example's most influential row."""
    if len(A) * A.shape[1] ** 2 > CHECKED or not fit.intercept or not len(at):
        return {"compared": 0, "why": "fitting again without a row would take too long, or there is no intercept"}
    weight = np.abs(fit.residual) / np.maximum(np.abs(y - 0.5 * (1 + np.tanh(0.5 * (A @ slopes + constant)))), 1e-300)
    start = np.append(slopes, constant)
    whole = kernels.without(A, y, weight, fit.penalty, start, -1)
    top = np.nanargmax(np.abs(effect), axis=1)
    exact = []
    for e, row in enumerate(top):
        beta = kernels.without(A, y, weight, fit.penalty, start, int(row))
        exact.append(np.append(at[e], 1.0) @ (whole - beta))
    gap = np.abs(np.array(exact) - effect[np.arange(len(top)), top])
    return {"compared": len(top), "largest_difference": gap.max(), "largest_effect": np.abs(exact).max()}


# Averaged trees


def _averaged(model: Model, X: Frame) -> Any:
    """scikit-learn's forest or tree at the end of the model, None where there is something else."""
    try:
        last = encoded(model, X).last
    except NotReadable:
        return None
    return last if hasattr(last, "tree_") or (hasattr(last, "estimators_") and hasattr(last, "bootstrap")) else None


def _forest(model: Model, data: Dataset, view: TreeView, rows: Rows, output: Rows) -> Influence:
    assert data.train is not None
    assert data.train_y is not None
    forest, last, train_y = view.forest, _averaged(model, data.X), data.train_y
    leaf = leaf_table(view, data.train)
    theirs = leaf_table(view, data.X)
    sizes = np.diff(forest.roots)
    labels = _hits(model, train_y)
    slope = np.zeros((len(data.X), labels.shape[1])) if data.y is None else _vote_slope(model, data)
    votes, drawn = trees.Votes.none(len(train_y), len(rows), labels.shape[1]), 0
    for tree, draws in enumerate(_draws(last, train_y, len(model.classes))):
        votes.add(leaf[tree], theirs[tree][rows], theirs[tree], draws, labels, slope, int(sizes[tree]))
        drawn = tree + 1
    weight = np.ascontiguousarray(votes.weight.T) / drawn
    own = view.predict(data.X.take(rows))[np.arange(len(rows)), output]
    mine = labels[:, output].T
    gap = np.abs((weight * mine).sum(axis=1) - own)
    if drawn != forest.n_trees or not (gap <= EXACT * max(1.0, float(np.abs(own).max()))).all():
        raise Unconfirmed(
            f"the weights of the rows given as train miss its predictions by up to {gap.max():.2g}: "
            "other rows or row weights, or trees that do not average"
        )
    # A row that voted as the whole forest does would leave the prediction where it is.
    sign = np.sign(weight * (mine - own[:, None]))
    harm = None if data.y is None else (votes.push * (labels - view.predict(data.train))).sum(axis=1) / drawn
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn_not, without_it = (kept / count[:, None] for kept, count in zip(votes.kept, votes.count, strict=True))
    without = np.where(votes.count[0, :, None] > 0, drawn_not, without_it)
    facts = {"largest_gap": gap.max(), "without_a_row": "trees that did not draw it, else its leaves without it"}
    return Influence("leaf weights", WEIGHT, view.space, weight, sign, _surprise(without, labels), harm, facts)


def _hits(model: Model, y: Rows) -> Rows:
    """(n, outputs): 1 where the row has the output's class; the number itself for regression."""
    if not model.classes:
        return y.astype(np.float64)[:, None]
    return (y[:, None] == (np.array([1]) if model.binary else np.arange(len(model.classes)))).astype(np.float64)


def _vote_slope(model: Model, data: Dataset) -> Rows:
    """(m, outputs) of the mean squared error of the shares (Brier) or the target: bounded where a share is zero."""
    assert data.y is not None
    return np.asarray(2.0 * (model.predict(data.X) - _hits(model, data.y)) / len(data))


def _surprise(without: Rows, labels: Rows) -> Rows:
    """(n,) squared error: of shares (Brier) or of the target, summed over outputs."""
    return np.asarray(((without - labels) ** 2).sum(axis=1))


def _draws(last: Any, y: Rows, classes: int) -> Iterator[Rows]:
    """(n,) for each tree how heavily it took each row. Raises Unconfirmed where the rows are of another number.

    scikit-learn keeps the row weights of a fit (class_weight's included) and, from 1.8 on, draws by them; what it does
    not keep, or did otherwise before, fails the comparison with the predictions.
    """
    given = getattr(last, "class_weight", None) if classes else None
    trained = last.tree_.n_node_samples[0] if hasattr(last, "tree_") else getattr(last, "_n_samples", len(y))
    stored = getattr(last, "_sample_weight", None)
    if trained != len(y) or (stored is not None and len(stored) != len(y)):
        raise Unconfirmed(f"it was trained on {trained} rows, {len(y)} are given as train: other rows")
    fixed = np.ones(len(y)) if stored is None else np.asarray(stored, dtype=np.float64)
    if stored is None and given is not None and given != "balanced_subsample":
        fixed = _class_weights(given, y, last.classes_)
    if hasattr(last, "tree_"):
        yield fixed
    elif not last.bootstrap:
        yield from (fixed for _ in last.estimators_)
    else:
        for picks in last.estimators_samples_:
            count = np.bincount(picks, minlength=len(y)).astype(np.float64)
            yield count * _balanced(y, picks) if given == "balanced_subsample" else count


def _balanced(y: Rows, picks: Rows) -> Rows:
    """(n,) class weights from the rows drawn."""
    counts = np.bincount(y[picks], minlength=int(y.max()) + 1)
    present = (counts > 0).sum()
    return np.asarray((len(picks) / (present * np.maximum(counts, 1)))[y])


# Boosted trees


def _boosted(model: Model, data: Dataset, view: TreeView, rows: Rows, output: Rows) -> Influence:
    assert data.train is not None
    assert data.train_y is not None
    forest = view.forest
    loss = _loss(view)
    if loss is None or forest.value.shape[1] > 1:
        raise Unconfirmed(f"no way is known to trace training rows through trees of {view.space}")
    y = data.train_y.astype(np.float64)
    leaf = leaf_table(view, data.train)
    theirs = leaf_table(view, data.X)
    mine = np.ascontiguousarray(theirs[:, rows])
    made = trees.recipe(forest, leaf, y, loss, _starts(loss, y, forest.n_outputs))
    labels = None if data.y is None else data.y.astype(np.float64)
    found = trees.boostin(forest, leaf, y, made, mine, output.astype(np.int32), theirs, labels)
    effect, harm, gap = found.effect, found.harm, found.unexplained
    if not (gap <= UNEXPLAINED and made.rate > 0):
        raise Unconfirmed(
            f"its leaves do not follow from the rows given as train ({gap:.0%} of their values are unexplained): "
            "other rows or row weights, or a loss that is not known"
        )
    surprise = found.surprise
    facts: dict[str, Any] = {"recipe": {"rate": made.rate, "penalty": made.penalty, "unexplained": gap}}
    if loss == "squared":
        exact = _axil(data, view, leaf, mine, made, rows)
        if exact is not None:
            weight, constant, worst = exact
            sign = np.sign(weight * (y - view.predict(data.X.take(rows))))
            facts |= {"constant": constant, "largest_gap": worst, "of_all_rows": "BoostIn"}
            return Influence("AXIL", WEIGHT, view.space, weight, sign, surprise, harm, facts)
        facts["not_axil"] = "weights do not give the predictions: trees saw samples of the rows, or other rows"
    return Influence("BoostIn", MORE, view.space, effect, np.sign(effect), surprise, harm, facts)


def _loss(view: TreeView) -> trees.Loss | None:
    known: dict[tuple[str, str], trees.Loss] = {
        ("target", "identity"): "squared",
        ("log-odds", "logistic"): "logistic",
        ("softmax-margin", "softmax"): "softmax",
        ("log-target", "exp"): "poisson",
    }
    return known.get((view.space, view.link))


def _starts(loss: trees.Loss, y: Rows, outputs: int) -> list[Rows]:
    """Margins from which libraries start that keep them in the first trees."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if loss == "softmax":
            share = np.bincount(y.astype(np.int64), minlength=outputs) / len(y)
            return [np.log(np.maximum(share, 1e-15))]
        mean = float(y.mean())
        start = {"squared": mean, "logistic": np.log(mean / (1 - mean)), "poisson": np.log(mean)}[loss]
    return [np.array([start])] if np.isfinite(start) else []


def _axil(
    data: Dataset, view: TreeView, leaf: Rows, mine: Rows, made: trees.Recipe, rows: Rows
) -> tuple[Rows, Rows, float] | None:
    """Weights, constants and the largest gap to the predictions, None where they do not give them."""
    assert data.train_y is not None
    y = data.train_y.astype(np.float64)
    weight, left = trees.axil(view.forest, leaf, mine, made)
    start = float(made.start[0])
    if abs(start - y.mean()) <= EXACT * max(float(np.abs(y).mean()), float(y.std())):
        weight, left = weight + (left / len(y))[:, None], np.zeros(len(left))
    own = view.predict(data.X.take(rows))[:, 0]
    gap = float(np.abs(weight @ y + left * start - own).max(initial=0.0))
    return (
        None if gap > EXACT * max(float(np.abs(own).max(initial=0.0)), float(y.std())) else (weight, left * start, gap)
    )
