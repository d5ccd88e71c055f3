"""The tree capability: a model's forest, and what of the model it is seen through.

Law: for every frame, `view.response(view.forest.predict(view.matrix(frame)))` is `model.predict(frame)` within the
rounding of the library, or `tree_view` raises: NotAForest with the reason where the model has no exact additive forest,
ModelError where the forest read does not predict what the model predicts. Nothing is explained with a wrong forest.

Seen through: Pipelines (values are those of the raw columns: the encoded columns of one raw column move together, as
one player), fitted searches, threshold classifiers, frozen estimators, and averages of forests (soft voting, voting
regressors, bagging) where the average is a sum over trees.
"""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from showcause.adapters import encoding
from showcause.adapters.dataset import Dataset
from showcause.adapters.forests import Forest, NotAForest, read_forest
from showcause.adapters.frame import Frame, Rows
from showcause.adapters.matrices import margin, matrix
from showcause.adapters.model import Model
from showcause.core.errors import ModelError
from showcause.kernels import trees as kernels
from showcause.kernels.trees import leaves

__all__ = ["NotAForest", "TreeView", "leaf_table", "tree_view", "without_trees"]

Game = Literal["interventional", "path-dependent"]

CHECK_ROWS = 256
TOLERANCE = 1e-5  # of the response: libraries apply their link in float32
NOT_ADDITIVE = {
    "CalibratedClassifierCV": "calibration bends the forest's output, which is then no sum over trees",
    "StackingClassifier": "a second model works on the members' predictions",
    "StackingRegressor": "a second model works on the members' predictions",
    "TransformedTargetRegressor": "the forest predicts a transformed target, and the model transforms it back",
    "OneVsRestClassifier": "its probabilities are normalised over separate models",
    "OneVsOneClassifier": "its classes are voted on by separate models",
}


@dataclass(frozen=True)
class TreeView:
    """The forest of a model, in its additive output.

    players  (encoded columns,) position of the raw column that each encoded one belongs to
    columns  how many raw columns there are, those that no tree can see included
    space    "log-odds", "softmax-margin", "probability", "target" or "log-target"
    outputs  the classes explained (one for binary: classes_[1]), (None,) for regression
    through  the objects between the user's model and its trees, outermost first
    """

    forest: Forest
    encode: Callable[[Any], Rows]
    players: Rows
    columns: int
    space: str
    outputs: tuple[str | None, ...]
    through: tuple[str, ...]

    @property
    def link(self) -> str:
        """From the additive output to the model's own: "identity", "logistic", "softmax" or "exp"."""
        return self.forest.link

    @property
    def document(self) -> dict[str, Any]:
        """What the spec of an explanation says of the view."""
        return {
            "space": self.space,
            "link": self.link,
            "players": "raw columns",
            "seen_through": list(self.through),
            "encoded_columns": len(self.players),
            "trees": self.forest.n_trees,
        }

    def matrix(self, frame: Frame) -> Rows:
        """float64 (rows, encoded columns): what the trees see of the rows; NaN where missing."""
        return self.encode(frame.native)

    def predict(self, frame: Frame) -> Rows:
        """(rows, outputs) in the additive `space`."""
        return self.forest.predict(self.matrix(frame))

    def response(self, additive: Rows) -> Rows:
        """(rows, outputs) in the space of `model.predict`."""
        return np.asarray(self.forest.response(additive))

    def values(self, frame: Frame, background: Frame | None, game: Game = "interventional") -> tuple[Rows, Rows]:
        """Shapley values (rows, raw columns, outputs) and the base (outputs,), in the additive `space`.

        Sums over raw columns plus the base are `predict`. The path-dependent game needs no background.
        """
        if game == "path-dependent":
            phi, base = kernels.path_dependent(self.forest, self.matrix(frame), players=self.players)
        else:
            assert background is not None
            rows, reference = self.matrix(frame), self.matrix(background)
            phi, base = kernels.interventional(self.forest, rows, reference, players=self.players)
        whole = np.zeros((len(phi), self.columns, phi.shape[2]))
        whole[:, : phi.shape[1]] = phi
        return whole, base

    def interactions(self, frame: Frame, background: Frame | None) -> Rows:
        """Shapley interaction values (rows, raw columns, raw columns, outputs), halved between (i, j) and (j, i), the
        diagonal holding the rest; path-dependent without a background."""
        reference = None if background is None else self.matrix(background)
        phi, _ = kernels.interactions(self.forest, self.matrix(frame), reference, players=self.players)
        whole = np.zeros((len(phi), self.columns, self.columns, phi.shape[3]))
        whole[:, : phi.shape[1], : phi.shape[1]] = phi
        return whole

    def with_ignored(self, names: Sequence[str]) -> TreeView:
        """The same trees over frames with one more column at the end, which no tree splits; `names`: those before."""
        inner = self.encode

        def encode(rows: Any) -> Rows:
            frame = Frame.of(rows, names=[*names, ""] if isinstance(rows, np.ndarray) else None)
            last = frame.column(frame.names[-1]).values
            return np.column_stack([inner(frame.select(names).native), last])

        zero = self.forest.zero_missing
        forest = replace(
            self.forest,
            n_features=self.forest.n_features + 1,
            zero_missing=None if zero is None else np.append(zero, False),
        )
        players = np.append(self.players, self.columns)
        return replace(self, forest=forest, encode=encode, players=players, columns=self.columns + 1)

    def used(self) -> Rows:
        """(raw columns,) whether any tree splits any encoded column of the raw one."""
        splits = np.unique(self.forest.feature[~self.forest.is_leaf])
        return np.isin(np.arange(self.columns), self.players[splits])


@dataclass(frozen=True)
class _Seen:
    """A forest with its way from an estimator's own input; `behind[e]` is the input column of encoded column e."""

    forest: Forest
    encode: Callable[[Any], Rows]
    behind: list[int]
    through: tuple[str, ...]


_KEPT: dict[tuple[int, int], TreeView | Exception] = {}


def tree_view(model: Model, X: Frame) -> TreeView:
    """The view of a model, checked on rows of X. Kept as long as the model and X live.

    Raises NotAForest (a reason, so that the model-agnostic way is taken) and ModelError (the forest is wrong).
    """
    key = (id(model), id(X))
    if key not in _KEPT:
        for owner in (model, X):
            weakref.finalize(owner, _KEPT.pop, key, None)
        try:
            _KEPT[key] = _made(model, X)
        except (NotAForest, ModelError) as error:
            _KEPT[key] = error
    kept = _KEPT[key]
    if isinstance(kept, Exception):
        raise kept.with_traceback(None)
    return kept


def without_trees(model: Model, data: Dataset) -> str | None:
    """Why the model has no forest, or None. A forest read wrongly counts as one: it fails loudly when it is asked."""
    try:
        tree_view(model, data.X)
    except NotAForest as reason:
        return str(reason)
    except ModelError:
        return None
    return None


_LEAVES: dict[tuple[int, int], Rows] = {}


def leaf_table(view: TreeView, frame: Frame) -> Rows:
    """(trees, rows) the leaf of each row, counted from its tree's root. Kept as long as the view and the frame live."""
    key = (id(view), id(frame))
    if key not in _LEAVES:
        for owner in (view, frame):
            weakref.finalize(owner, _LEAVES.pop, key, None)
        _LEAVES[key] = leaves.leaf_table(view.forest, view.forest.encode(view.matrix(frame)))
    return _LEAVES[key]


def _made(model: Model, X: Frame) -> TreeView:
    rows = np.unique(np.linspace(0, len(X) - 1, min(len(X), CHECK_ROWS)).astype(np.int64))
    sample = X.take(rows)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="X (has|does not have) (valid )?feature names")
            seen = _see(model.native, len(X.names), sample.native)
    except kernels.ForestMismatch as error:
        raise ModelError(f"the trees of this {model.family} cannot be read rightly: {error}") from error
    except NotAForest:
        raise
    except Exception as error:  # an estimator of a version or kind that the readers do not know
        raise NotAForest(f"its trees cannot be reached: {type(error).__name__}: {error}") from error
    forest = _in_log_odds(_one_output(seen.forest, model))
    if model.space == "score":  # it gives the margin itself
        forest = replace(forest, link="identity")
    players = np.asarray(seen.behind, dtype=np.int64)
    view = TreeView(
        forest,
        _quiet(seen.encode),
        players,
        len(X.names),
        "score" if model.space == "score" and forest.space == "raw" else _space(forest),
        model.targets or (None,),
        seen.through,
    )
    encoding.confirm(view.encode, players, X)
    _check_response(view, model, sample)
    return view


def _quiet(encode: Callable[[Any], Rows]) -> Callable[[Any], Rows]:
    def call(rows: Any) -> Rows:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="X (has|does not have) (valid )?feature names")
            return encode(rows)

    return call


def _space(forest: Forest) -> str:
    if forest.space == "raw":
        return "log-target" if forest.link == "exp" else "target"
    return forest.space


def _one_output(forest: Forest, model: Model) -> Forest:
    """Two softmax margins are one log-odds: their difference, which is the margin of classes_[1]."""
    wanted = len(model.targets) or 1
    if forest.n_outputs == wanted:
        return forest
    if forest.n_outputs != 2 or wanted != 1 or forest.link != "softmax":
        raise NotAForest(f"its forest has {forest.n_outputs} outputs where the model has {wanted}")
    if forest.value.shape[1] == 2:
        value = forest.value[:, 1:] - forest.value[:, :1]
    else:
        sign = np.where(forest.tree_output == 1, 1.0, -1.0)
        value = forest.value * np.repeat(sign, np.diff(forest.roots))[:, None]
    return replace(
        forest,
        value=np.ascontiguousarray(value),
        tree_output=np.zeros_like(forest.tree_output),
        base=forest.base[1:] - forest.base[:1],
        space="log-odds",
        link="logistic",
    )


def _in_log_odds(forest: Forest) -> Forest:
    """Margins in the unit that the link takes, so that "log-odds" are log-odds."""
    if forest.link_scale == 1.0:
        return forest
    scale = forest.link_scale
    return replace(forest, value=forest.value * scale, base=forest.base * scale, link_scale=1.0)


def _check_response(view: TreeView, model: Model, sample: Frame) -> None:
    """Hold the link of the forest's margin to the model's own prediction. Raises ModelError, or NotAForest where the
    model gives something else than a response of its margin."""
    additive = view.predict(sample)
    theirs = model.predict(sample)
    if model.space == "score":
        if not np.isin(theirs, (0.0, 1.0)).all() and np.allclose(additive, theirs, rtol=TOLERANCE, atol=TOLERANCE):
            return
        raise NotAForest("the model gives decisions and no margin")
    ours = view.response(additive)
    size = view.forest.revalued(np.abs(view.forest.value), np.abs(view.forest.base))
    slack = 4e-6 * size.predict(view.matrix(sample)) if view.link == "identity" else 0.0
    gap = np.abs(ours - theirs) - TOLERANCE * np.maximum(1e-3 if view.link == "exp" else 1.0, np.abs(theirs)) - slack
    bad = ~(gap <= 0)
    if bad.any():
        row, output = np.argwhere(bad)[0]
        raise ModelError(
            f"the forest read from this {model.family} answers {ours[row, output]:.9g} for row {row}, the model "
            f"{theirs[row, output]:.9g}; {int(bad.any(axis=1).sum())} of {len(ours)} rows differ. "
            "It is not explained by its trees; please report the model's kind"
        )


def _see(native: Any, n: int, rows: Any) -> _Seen:
    """The forest inside an estimator with n input columns; `rows` are real input to check it on."""
    name = type(native).__name__
    if not hasattr(native, "predict"):
        raise NotAForest("a callable shows its outputs and no trees")
    if name in NOT_ADDITIVE:
        raise NotAForest(f"{name}: {NOT_ADDITIVE[name]}")
    if hasattr(native, "best_estimator_"):
        return _within(name, native.best_estimator_, n, rows)
    if name in ("FixedThresholdClassifier", "TunedThresholdClassifierCV"):
        return _within(name, getattr(native, "estimator_", native.estimator), n, rows)
    if name == "FrozenEstimator":
        return _within(name, native.estimator, n, rows)
    if name == "SelfTrainingClassifier":
        return _within(name, native.estimator_, n, rows)
    if name in ("VotingClassifier", "VotingRegressor"):
        if getattr(native, "voting", "soft") != "soft":
            raise NotAForest("VotingClassifier: hard voting counts classes, which is no sum over trees")
        members = [(member, None) for member in native.estimators_]
        return _average(name, members, native._weights_not_none, n, rows, _classes(native))
    if name in ("BaggingClassifier", "BaggingRegressor"):
        members = list(zip(native.estimators_, native.estimators_features_, strict=True))
        return _average(name, members, None, n, np.asarray(rows), _classes(native))
    if hasattr(native, "steps"):
        return _pipeline(native, n, rows)
    return _bare(native, n, rows)


def _classes(native: Any) -> int:
    return len(native.classes_) if hasattr(native, "classes_") else 0


def _within(name: str, inner: Any, n: int, rows: Any) -> _Seen:
    seen = _see(inner, n, rows)
    return replace(seen, through=(name, *seen.through))


def _bare(native: Any, n: int, rows: Any) -> _Seen:
    forest = read_forest(native)
    if forest.n_features != n:
        raise NotAForest(f"its forest has {forest.n_features} columns, the rows have {n}")
    encode = matrix(native)
    theirs = margin(native, rows)
    if theirs is not None:
        kernels.check(forest, encode(rows), theirs)
    return _Seen(forest, encode, list(range(n)), (type(native).__name__,))


def _pipeline(native: Any, n: int, rows: Any) -> _Seen:
    steps = [step for _, step in native.steps]
    behind = encoding.chain(steps[:-1], n)
    before = [step for step in steps[:-1] if step is not None and not isinstance(step, str)]

    def transform(given: Any) -> Any:
        for step in before:
            given = step.transform(given)
        return given

    last = steps[-1]
    if last is None or isinstance(last, str):
        raise NotAForest("the Pipeline ends without a model")
    encoded = transform(rows)
    if encoded.shape[1] != len(behind):
        raise NotAForest(f"the Pipeline gives {encoded.shape[1]} columns where its structure tells of {len(behind)}")
    inner = _see(last, len(behind), encoded)
    through = (f"{type(native).__name__} ({', '.join(type(step).__name__ for step in before)})", *inner.through)
    return _Seen(
        inner.forest,
        lambda given: inner.encode(transform(given)),
        [behind[j] for j in inner.behind],
        through,
    )


def _average(name: str, members: Sequence[tuple[Any, Any]], weights: Any, n: int, rows: Any, classes: int) -> _Seen:
    """The weighted mean of the members' forests, over their encoded columns side by side."""
    share = np.ones(len(members)) if weights is None else np.asarray(weights, dtype=np.float64)
    share = share / share.sum()
    seen = []
    for member, features in members:
        if classes and _classes(member) != classes:
            raise NotAForest(f"{name}: a member knows {_classes(member)} of {classes} classes")
        inner = _see(member, n if features is None else len(features), rows if features is None else rows[:, features])
        if inner.forest.link != "identity" or (classes and inner.forest.space != "probability"):
            raise NotAForest(f"{name}: the average of probabilities of a {inner.through[-1]} is no sum over trees")
        if features is not None:
            inner = _on_features(inner, np.asarray(features))
        seen.append(inner)
    through = (f"{name} of {len(seen)}", *dict.fromkeys(step for inner in seen for step in inner.through))
    return _Seen(
        merge([inner.forest for inner in seen], share),
        lambda given: np.concatenate([_rounded(inner, given) for inner in seen], axis=1),
        [j for inner in seen for j in inner.behind],
        through,
    )


def _on_features(inner: _Seen, features: Rows) -> _Seen:
    encode = inner.encode
    return replace(
        inner,
        encode=lambda given: encode(np.asarray(given)[:, features]),
        behind=[int(features[j]) for j in inner.behind],
    )


def _rounded(inner: _Seen, given: Any) -> Rows:
    """A member that compares in float32 is given values rounded so, for the merged forest compares in float64."""
    values = inner.encode(given)
    return values.astype(np.float32).astype(np.float64) if inner.forest.dtype == "float32" else values


def merge(forests: Sequence[Forest], weights: Rows) -> Forest:
    """The weighted sum of forests whose columns stand side by side. Raises NotAForest where outputs differ."""
    first = forests[0]
    if any(
        (f.n_outputs, f.value.shape[1], f.space) != (first.n_outputs, first.value.shape[1], first.space)
        for f in forests
    ):
        raise NotAForest("its members' forests have different outputs")
    columns = np.cumsum([0, *(f.n_features for f in forests)])
    nodes = np.cumsum([0, *(len(f.feature) for f in forests)])
    sets = np.cumsum([0, *(len(f.set_start) - 1 for f in forests)])
    bits = np.cumsum([0, *(len(f.set_left) for f in forests)])

    def moved(name: str, by: Rows) -> Rows:
        parts = [getattr(f, name) for f in forests]
        return np.concatenate([np.where(a < 0, a, a + b) for a, b in zip(parts, by, strict=False)]).astype(np.int32)

    def joined(name: str) -> Rows:
        return np.concatenate([getattr(f, name) for f in forests])

    zero = [np.zeros(f.n_features, np.bool_) if f.zero_missing is None else f.zero_missing for f in forests]
    value = np.concatenate([f.value * w for f, w in zip(forests, weights, strict=True)])
    return Forest(
        feature=moved("feature", columns),
        threshold=joined("threshold"),
        left=moved("left", nodes),
        right=moved("right", nodes),
        default_left=joined("default_left"),
        categories=moved("categories", sets),
        other_left=joined("other_left"),
        cover=joined("cover"),
        value=np.ascontiguousarray(value),
        roots=np.concatenate([[0], *(f.roots[1:] + a for f, a in zip(forests, nodes, strict=False))]).astype(np.int32),
        tree_output=joined("tree_output"),
        base=np.asarray(sum(f.base * w for f, w in zip(forests, weights, strict=True))),
        n_features=int(columns[-1]),
        set_start=np.concatenate([[0], *(f.set_start[1:] + a for f, a in zip(forests, bits, strict=False))]).astype(
            np.int64
        ),
        set_left=joined("set_left"),
        space=first.space,
        link=first.link,
        zero_missing=np.concatenate(zero),
    )
