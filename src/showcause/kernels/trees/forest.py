"""One flat form for every tree ensemble, and its prediction.

Law: ``check(forest, matrix, margin)`` passes or raises; ``forest.predict`` is what the library's model adds up.

A forest sees a row only through its *codes*: an integer per feature that says on which side of every split of that
feature the row lies. All that libraries differ in (rounding to float32, ``<`` or ``<=``, where missing values go,
categories, unseen categories, zeros that count as missing) is settled when a row is coded, and every kernel after
that compares integers.

    code 0        missing
    code 1 + k    numeric: k thresholds of the feature are below the value; categorical: category k
    last code     numeric: above every threshold; categorical: any category no split names

Notation: n rows, f features, K outputs, N nodes, T trees.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compiled import Turn, compiled, parallel, spread

if TYPE_CHECKING:
    from .masks import Masks

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Codes = NDArray[Any]  # uint16, or uint32 where a feature has more than 65,000 thresholds

ROWS_PER_BLOCK = 512
FEW_ROWS = 8  # below which a tree's table costs more than its nodes
ZERO = float(np.float32(1e-35))  # LightGBM counts values this close to zero as zero


class NotAForest(ValueError):
    """The model has no exact flat form; the message says why."""


class ForestMismatch(ValueError):
    """The flat form does not predict what the library predicts: nothing may be explained with it."""


@dataclass(frozen=True)
class Tree:
    """One tree as a reader hands it over; node 0 is the root, node ids are local, leaves have ``left == -1``."""

    feature: NDArray[Any]  # (N,)
    threshold: NDArray[Any]  # (N,) a value <= threshold goes left, in the forest's dtype
    left: NDArray[Any]  # (N,)
    right: NDArray[Any]  # (N,)
    cover: NDArray[Any]  # (N,) weight of the training rows that reached the node
    value: NDArray[Any]  # (N,) or (N, K); read at leaves only
    default_left: NDArray[Any] | None = None  # (N,) where missing values go; right if not given
    categories: dict[int, NDArray[Any]] = field(default_factory=dict)  # node -> goes_left (codes,) bool
    other_left: NDArray[Any] | None = None  # (N,) where categories beyond goes_left go; right if not given
    output: int = 0  # the output to which the tree adds; 0 if value is (N, K)


@dataclass(frozen=True)
class Forest:
    """A sum of trees. Nodes of a tree stand together, in preorder: children come after their parent."""

    feature: Ints  # (N,) -1 at leaves
    threshold: Floats  # (N,) a value <= threshold goes left
    left: Ints  # (N,) ids into these arrays
    right: Ints  # (N,)
    default_left: NDArray[np.bool_]  # (N,) where missing values go
    categories: Ints  # (N,) the set of categories that go left, -1 for a numeric split
    other_left: NDArray[np.bool_]  # (N,) where categories go that the set does not speak of
    cover: Floats  # (N,) weighted
    value: Floats  # (N, width): width is 1, or K where every leaf speaks to every output
    roots: Ints  # (T + 1,) tree t has the nodes roots[t]:roots[t + 1]
    tree_output: Ints  # (T,) the output to which the tree adds its first value
    base: Floats  # (K,)
    n_features: int
    set_start: NDArray[np.int64]  # (sets + 1,)
    set_left: NDArray[np.bool_]  # set s says of code c: goes left if set_left[set_start[s] + c]
    space: Literal["log-odds", "softmax-margin", "probability", "raw"] = "raw"
    link: Literal["identity", "logistic", "softmax", "exp"] = "identity"
    link_scale: float = 1.0  # the link is applied to scale * margin
    dtype: Literal["float32", "float64"] = "float64"  # values are rounded to it before they are compared
    zero_missing: NDArray[np.bool_] | None = None  # (f,) zero counts as missing

    @property
    def n_outputs(self) -> int:
        return len(self.base)

    @property
    def n_trees(self) -> int:
        return len(self.tree_output)

    @property
    def is_leaf(self) -> NDArray[np.bool_]:
        return self.feature < 0

    @cached_property
    def grid(self) -> "Grid":
        return _grid(self)

    @cached_property
    def tests(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(N,) the number of each node's test, -1 at leaves; (tests,) a node that asks it."""
        nodes = self.grid.nodes
        inner = np.flatnonzero(~self.is_leaf)
        test, asked = np.full(len(self.feature), -1, np.int64), np.zeros(0, np.int64)
        if len(inner):
            key = nodes.feature[inner].astype(np.int64)
            for part in (nodes.low > 0, nodes.high, nodes.table + 1):  # one number, in the order of all four
                key = key * (int(part.max()) + 1) + part[inner]
            _, first, number = np.unique(key, return_index=True, return_inverse=True)
            test[inner], asked = number.ravel(), inner[first]
        return test, asked

    @cached_property
    def masks(self) -> "Masks | None":
        """The tables of all trees, where each has at most 64 leaves and they are small enough to keep."""
        from . import masks

        return masks.kept(self)

    def revalued(self, value: Floats, base: Floats) -> "Forest":
        """The same splits with other values (N, width) and base (K,); what is known of the splits goes with them."""
        other = replace(self, value=np.ascontiguousarray(value), base=base)
        for name in ("grid", "tests", "masks"):
            if name in self.__dict__:
                other.__dict__[name] = self.__dict__[name]
        return other

    def encode(self, X: NDArray[Any]) -> Codes:
        """Rows (n, f) of floats, NaN where missing, categories as the library's codes → codes (n, f)."""
        X = np.ascontiguousarray(X, dtype=np.float64)
        if X.ndim != 2 or X.shape[1] != self.n_features:
            raise ValueError(f"the forest has {self.n_features} features, the matrix has shape {X.shape}")
        grid = self.grid
        zero_missing = self.zero_missing if self.zero_missing is not None else np.zeros(self.n_features, np.bool_)
        codes: Codes = np.empty(X.shape, grid.code_dtype)
        columns = (grid.thresholds, grid.start, grid.n_categories)
        (_encode_block if len(X) <= ROWS_PER_BLOCK else _encode)(
            X, *columns, self.dtype == "float32", zero_missing, codes
        )
        return codes

    def predict(self, X: NDArray[Any]) -> Floats:
        """Rows (n, f) → margins or probabilities (n, K), in ``space``."""
        return self.predict_codes(self.encode(X))

    def predict_codes(self, codes: Codes) -> Floats:
        out: Floats = np.empty((len(codes), self.n_outputs))
        out[:] = self.base
        small = len(codes) <= ROWS_PER_BLOCK
        if len(codes) >= FEW_ROWS and self.masks is not None:
            from . import masks

            (masks.predict_block if small else masks.predict)(self.masks, self.value, self.tree_output, codes, out)
        else:
            (_predict_block if small else _predict)(
                self.grid.nodes, self.value, self.roots, self.tree_output, codes, out
            )
        return out

    def response(self, margin: Floats) -> Floats:
        """Margins (…, K) → probabilities or the target's unit, through ``link``."""
        scaled = self.link_scale * margin
        if self.link == "logistic":
            return np.asarray(0.5 * (1.0 + np.tanh(0.5 * scaled)))
        if self.link == "exp":
            return np.asarray(np.exp(scaled))
        if self.link == "softmax":
            weights = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
            return np.asarray(weights / weights.sum(axis=-1, keepdims=True))
        return np.asarray(scaled)

    def scalar(self, column: int) -> "Forest":
        """The forest whose leaves hold only the value's given column."""
        value = np.ascontiguousarray(self.value[:, column : column + 1])
        return replace(self, value=value, tree_output=self.tree_output + np.int32(column))


class Nodes(NamedTuple):
    """Every split as a test of codes: what kernels need to walk a forest."""

    feature: Ints  # (N,) -1 at leaves
    left: Ints  # (N,)
    right: Ints  # (N,)
    low: Ints  # (N,) numeric: left if low <= code <= high
    high: Ints  # (N,)
    table: NDArray[np.int64]  # (N,) categorical: left if table_left[table + code]; -1 for a numeric split
    table_left: NDArray[np.uint8]


@dataclass(frozen=True)
class Grid:
    """The codes of a forest: which values of a feature it can tell apart."""

    thresholds: Floats  # all features' distinct thresholds, ascending within a feature
    start: NDArray[np.int64]  # (f + 1,) feature j has thresholds[start[j]:start[j + 1]]
    n_categories: Ints  # (f,) categories that some split names, -1 for a numeric feature
    nodes: Nodes

    @cached_property
    def n_codes(self) -> Ints:
        """(f,) how many codes each feature has."""
        numeric = np.diff(self.start) + 2
        return np.where(self.n_categories >= 0, self.n_categories + 2, numeric).astype(np.int32)

    @cached_property
    def code_dtype(self) -> type[np.unsignedinteger[Any]]:
        return np.uint16 if self.n_codes.max(initial=0) < 65_000 else np.uint32


def pack(
    trees: Sequence[Tree],
    *,
    base: Any,
    n_features: int,
    space: Literal["log-odds", "softmax-margin", "probability", "raw"] = "raw",
    link: Literal["identity", "logistic", "softmax", "exp"] = "identity",
    link_scale: float = 1.0,
    dtype: Literal["float32", "float64"] = "float64",
    zero_missing: NDArray[np.bool_] | None = None,
) -> Forest:
    """Trees with local node ids → one forest, nodes in preorder, unreachable nodes dropped."""
    if not trees:
        raise NotAForest("the model has no trees")
    no = [np.zeros(len(tree.left), np.bool_) for tree in trees]

    def flags(name: str) -> NDArray[np.bool_]:
        given = [getattr(tree, name) for tree in trees]
        return np.concatenate([no[t] if flag is None else np.asarray(flag, np.bool_) for t, flag in enumerate(given)])

    start = np.cumsum([0, *(len(tree.left) for tree in trees)])
    left = np.concatenate([np.asarray(tree.left, np.int32) for tree in trees])
    right = np.concatenate([np.asarray(tree.right, np.int32) for tree in trees])
    categories, sets = np.full(len(left), -1, np.int32), list[NDArray[np.bool_]]()
    for first, tree in zip(start[:-1], trees, strict=True):
        for node, goes_left in tree.categories.items():
            categories[first + node] = len(sets)
            sets.append(np.asarray(goes_left, np.bool_))
    left, right, order, roots = _preorder(left, right, start)
    inner = left >= 0
    threshold = np.concatenate([np.asarray(tree.threshold, np.float64) for tree in trees])[order]
    value = np.concatenate([np.asarray(tree.value, np.float64).reshape(len(tree.left), -1) for tree in trees])[order]
    return Forest(
        feature=np.where(inner, np.concatenate([tree.feature for tree in trees])[order], -1).astype(np.int32),
        threshold=np.where(inner, threshold, 0.0),
        left=left,
        right=right,
        default_left=flags("default_left")[order],
        categories=categories[order],
        other_left=flags("other_left")[order],
        cover=np.concatenate([np.asarray(tree.cover, np.float64) for tree in trees])[order],
        value=np.where(inner[:, None], 0.0, value),
        roots=roots,
        tree_output=np.array([tree.output for tree in trees], np.int32),
        base=np.atleast_1d(np.asarray(base, np.float64)),
        n_features=n_features,
        set_start=np.cumsum([0, *map(len, sets)]).astype(np.int64),
        set_left=np.concatenate(sets) if sets else np.zeros(0, np.bool_),
        space=space,
        link=link,
        link_scale=link_scale,
        dtype=dtype,
        zero_missing=zero_missing,
    )


def check(forest: Forest, matrix: NDArray[Any], margin: NDArray[Any], *, tolerance: float = 2e-6) -> None:
    """Raise ``ForestMismatch`` unless predictions on ``matrix`` equal the library's ``margin``, (n,) or (n, K).

    Libraries add in float32, so the yardstick of a row and output is ``tolerance`` times the sum over trees of the
    absolute values of the leaves that it reaches, and of the base.
    """
    ours = forest.predict(matrix)
    theirs = np.asarray(margin, np.float64).reshape(ours.shape)
    size = forest.revalued(np.abs(forest.value), np.abs(forest.base)).predict(matrix)
    excess = np.abs(ours - theirs) - tolerance * size
    bad = ~(excess <= 1e-12)  # NaN is a mismatch too
    if bad.any():
        row, output = np.argwhere(bad)[0]
        raise ForestMismatch(
            f"the flat form predicts {ours[row, output]!r} for row {row}, output {output}, the library "
            f"{theirs[row, output]!r}; {int(bad.any(axis=1).sum())} of {len(ours)} rows differ by more than rounding. "
            "Explain this model as a black box, and report the difference."
        )


def players_of(forest: Forest, players: NDArray[Any] | None) -> Ints:
    """(f,) the player to whom each column belongs; every column is its own player unless told otherwise."""
    if players is None:
        return np.arange(forest.n_features, dtype=np.int32)
    owner = np.asarray(players)
    if owner.shape != (forest.n_features,) or not np.issubdtype(owner.dtype, np.integer) or (owner < 0).any():
        raise ValueError(
            f"players must be {forest.n_features} integers from 0, one per column; got {owner.dtype} of shape "
            f"{owner.shape}"
        )
    return owner.astype(np.int32)


@compiled
def step(nodes: Nodes, node: int, code: int) -> int:
    """The child to which a row with this code goes; in preorder the left one comes next, so no branch is needed."""
    if nodes.table[node] >= 0:
        left = nodes.table_left[nodes.table[node] + code] != 0
    else:
        left = (nodes.low[node] <= code) & (code <= nodes.high[node])
    return int(node + 1 + (1 - left) * (nodes.right[node] - node - 1))


@compiled
def _preorder(left: Ints, right: Ints, start: NDArray[np.int64]) -> tuple[Ints, Ints, Ints, Ints]:
    """left, right: (reachable nodes,) as they are placed, parents first, left subtree first, -1 at leaves; order: where
    each one stood, tree t from start[t] on, with children's numbers counted from there; roots: (T + 1,)."""
    order, place = np.empty(len(left), np.int32), np.full(len(left), -1, np.int32)
    roots = np.zeros(len(start), np.int32)
    count = 0
    for tree in range(len(start) - 1):
        stack = [0]
        while len(stack) > 0:
            node = stack.pop()
            order[count], place[start[tree] + node] = start[tree] + node, count
            count += 1
            if left[start[tree] + node] >= 0:
                stack.append(right[start[tree] + node])
                stack.append(left[start[tree] + node])
        roots[tree + 1] = count
    lefts, rights = np.full(count, -1, np.int32), np.full(count, -1, np.int32)
    for tree in range(len(start) - 1):
        for at in range(roots[tree], roots[tree + 1]):
            if left[order[at]] >= 0:
                lefts[at] = place[start[tree] + left[order[at]]]
                rights[at] = place[start[tree] + right[order[at]]]
    return lefts, rights, order[:count], roots


def _grid(forest: Forest) -> Grid:
    inner = np.flatnonzero(~forest.is_leaf)
    categorical = inner[forest.categories[inner] >= 0]
    numeric = inner[forest.categories[inner] < 0]
    n_categories = np.full(forest.n_features, -1, np.int32)
    lengths = np.diff(forest.set_start)
    np.maximum.at(n_categories, forest.feature[categorical], lengths[forest.categories[categorical]].astype(np.int32))
    both = np.intersect1d(forest.feature[categorical], forest.feature[numeric])
    if len(both):
        raise NotAForest(f"column {both[0]} is split both as a number and as a category")

    column, cut = forest.feature[numeric], forest.threshold[numeric]
    order = np.lexsort((cut, column))
    fresh = np.ones(len(order), np.bool_)  # the first of equal thresholds of a feature
    column, cut = column[order], cut[order]
    fresh[1:] = (column[1:] != column[:-1]) | (cut[1:] != cut[:-1])
    rank = np.empty(len(order), np.int64)
    rank[order] = np.cumsum(fresh) - 1
    thresholds = np.ascontiguousarray(cut[fresh])
    start = np.searchsorted(column[fresh], np.arange(forest.n_features + 1)).astype(np.int64)
    low, high = np.zeros(len(forest.feature), np.int32), np.zeros(len(forest.feature), np.int32)
    low[numeric] = np.where(forest.default_left[numeric], 0, 1)
    high[numeric] = rank - start[forest.feature[numeric]] + 1

    table = np.full(len(forest.feature), -1, np.int64)
    pieces: list[NDArray[np.uint8]] = []
    position = 0
    for node in categorical:
        which = forest.categories[node]
        row = np.full(n_categories[forest.feature[node]] + 2, forest.other_left[node], np.uint8)
        row[0] = forest.default_left[node]
        row[1 : 1 + lengths[which]] = forest.set_left[forest.set_start[which] : forest.set_start[which + 1]]
        table[node] = position
        position += len(row)
        pieces.append(row)
    table_left = np.concatenate(pieces) if pieces else np.zeros(1, np.uint8)
    nodes = Nodes(forest.feature, forest.left, forest.right, low, high, table, table_left)
    return Grid(thresholds, start, n_categories, nodes)


@parallel
def _encode(
    turn: Turn, X: Floats, thresholds: Floats, start: NDArray[np.int64], n_categories: Ints, single: bool,
    zero_missing: NDArray[np.bool_], codes: Codes,
) -> None:  # fmt: skip
    n = len(X)
    for block in spread(turn, (n + ROWS_PER_BLOCK - 1) // ROWS_PER_BLOCK):
        first, last = block * ROWS_PER_BLOCK, min(n, (block + 1) * ROWS_PER_BLOCK)
        _encode_block(X[first:last], thresholds, start, n_categories, single, zero_missing, codes[first:last])


@compiled
def _encode_block(
    X: Floats, thresholds: Floats, start: NDArray[np.int64], n_categories: Ints, single: bool,
    zero_missing: NDArray[np.bool_], codes: Codes,
) -> None:  # fmt: skip
    """On the caller's own thread, as with ``_predict_block``."""
    for row in range(X.shape[0]):
        for j in range(X.shape[1]):
            x = X[row, j]
            if single:
                x = np.float64(np.float32(x))
            if np.isnan(x) or (zero_missing[j] and abs(x) <= ZERO):
                codes[row, j] = 0
            elif n_categories[j] >= 0:
                known = (x >= 0.0 or (not single and x > -1.0)) and x < n_categories[j]  # LightGBM cuts before it looks
                codes[row, j] = 1 + int(x) if known else 1 + n_categories[j]
            else:
                first, last = start[j], start[j + 1]
                while first < last:
                    middle = (first + last) >> 1
                    if thresholds[middle] < x:
                        first = middle + 1
                    else:
                        last = middle
                codes[row, j] = 1 + first - start[j]


@parallel
def _predict(
    turn: Turn, nodes: Nodes, value: Floats, roots: Ints, tree_output: Ints, codes: Codes, out: Floats
) -> None:  # fmt: skip
    n = len(codes)
    for block in spread(turn, (n + ROWS_PER_BLOCK - 1) // ROWS_PER_BLOCK):
        first = block * ROWS_PER_BLOCK
        last = min(n, first + ROWS_PER_BLOCK)
        _predict_block(nodes, value, roots, tree_output, codes[first:last], out[first:last])


@compiled
def _predict_block(
    nodes: Nodes, value: Floats, roots: Ints, tree_output: Ints, codes: Codes, out: Floats
) -> None:  # fmt: skip
    """On the caller's own thread: to wake the others costs more than a block."""
    width = value.shape[1]
    for tree in range(len(roots) - 1):
        for row in range(len(codes)):
            node = roots[tree]
            while nodes.feature[node] >= 0:
                node = step(nodes, node, codes[row, nodes.feature[node]])
            for k in range(width):
                out[row, tree_output[tree] + k] += value[node, k]
