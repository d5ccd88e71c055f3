"""What each training row adds to a forest's predictions, from the leaves that rows end in.

Notation: n training rows, E examples, m rows explained, T trees, K outputs; `leaf` (T, n) the node, counted from the
tree's root, in which each row ends; g and h (n,) the loss's first and second derivative at the margins before a tree.

*Averaged trees* of means: a tree gives row i the weight draws_i / Σ draws over the leaf that i shares with the example.

*Boosted trees*: a leaf's value is −rate Σ g / (Σ h + penalty). `Recipe` holds rate and penalty, found from the values
of the first trees, and how much of all values they leave unexplained: trees of other rows do not pass for these.

AXIL (Geertsema & Lu 2023) writes a squared-error prediction as w · y. With A the averaging over leaves, F_t = F_{t−1} +
rate A_t (y − F_{t−1}); read backwards, w ← w + rate (a_t − A_t w), where a_t is the example's own leaf: one pass over
the trees for each example instead of n² weights.

BoostIn (Brophy, Hammoudeh & Lowd 2023): a row with weight 1 more moves its leaf by −rate (g + h θ) / (Σ h + penalty), θ
the leaf's value / rate; its effect on an example is the sum over trees whose leaf they share, the trees otherwise kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .compiled import Turn, parallel, spread
from .forest import Floats, Forest, Ints
from .leaves import Leaf

Loss = Literal["squared", "logistic", "softmax", "poisson"]

CHUNKS = 32  # sums over rows are made in so many parts, whatever the threads
FITTED = 10  # trees from which rate and penalty are found


def sums(leaf: Leaf, values: Floats, size: int) -> Floats:
    """(size, columns) sums of values (n, columns) over leaves, always added in one order."""
    parts = np.zeros((CHUNKS, size, values.shape[1]))
    _sums(leaf, values, parts)
    return np.asarray(parts.sum(axis=0))


@parallel
def _sums(turn: Turn, leaf: Leaf, values: Floats, parts: Floats) -> None:
    n, width = values.shape
    for chunk in spread(turn, len(parts)):
        for row in range(chunk * n // len(parts), (chunk + 1) * n // len(parts)):
            for c in range(width):
                parts[chunk, leaf[row], c] += values[row, c]


@dataclass(frozen=True)
class Votes:
    """Of averaged trees that give row i the weight draws_i / Σ draws over a leaf. K outputs, labels (n, K).

    weight   (n, E) on the examples' predictions
    push     (n, K) Σ over rows with labels of their slope times the training row's weight on them
    kept     (2, n, K) predictions of each training row without it, summed over trees, and their number (2, n): of trees
             that did not draw it; of trees with its leaf's mean taken without it
    """

    weight: Floats
    push: Floats
    kept: Floats
    count: Floats

    @classmethod
    def none(cls, n: int, examples: int, outputs: int) -> "Votes":
        return cls(np.zeros((n, examples)), np.zeros((n, outputs)), np.zeros((2, n, outputs)), np.zeros((2, n)))

    def add(
        self, leaf: Leaf, mine: Leaf, theirs: Leaf, draws: Floats, labels: Floats, slope: Floats, size: int
    ) -> None:
        """One more tree: leaves of the training rows (n,), the examples (E,) and the rows with slopes (m, K)."""
        weighted = np.concatenate([draws[:, None], draws[:, None] * labels], axis=1)
        total, pull = sums(leaf, weighted, size), sums(theirs, slope, size)
        _vote(leaf, mine, draws, labels, total, pull, self.weight, self.push, self.kept, self.count)


@parallel
def _vote(
    turn: Turn, leaf: Leaf, mine: Leaf, draws: Floats, labels: Floats, total: Floats, pull: Floats, weight: Floats,
    push: Floats, kept: Floats, count: Floats,
) -> None:  # fmt: skip
    outputs = labels.shape[1]
    for row in spread(turn, len(leaf)):
        node = leaf[row]
        whole = total[node, 0]
        rest = whole - draws[row]
        if draws[row] > 0:
            share = draws[row] / whole
            for e in range(len(mine)):
                if mine[e] == node:
                    weight[row, e] += share
            for k in range(outputs):
                push[row, k] += share * pull[node, k]
        if rest > 1e-9 * whole:
            for k in range(outputs):
                other = (total[node, 1 + k] - draws[row] * labels[row, k]) / rest
                kept[1, row, k] += other
                if draws[row] == 0:
                    kept[0, row, k] += other
            count[1, row] += 1
            if draws[row] == 0:
                count[0, row] += 1


@dataclass(frozen=True)
class Recipe:
    """start (K,) margins before the first tree; `offset` (K,) what of it stands in the first trees' leaves."""

    loss: Loss
    start: Floats
    offset: Floats
    rate: float
    penalty: float
    unexplained: float  # share of the leaves' squared values, weighted by Σ h, that rate and penalty do not account for


LOSSES: dict[str, int] = {"squared": 0, "logistic": 1, "softmax": 2, "poisson": 3}


def derivatives(loss: Loss, margin: Floats, y: Floats) -> Floats:
    """g, h (K, n, 2) at margins (n, K); y (n,) numbers, or class positions for softmax."""
    out = np.empty((margin.shape[1], len(margin), 2))
    _derivatives(LOSSES[loss], margin, y, out)
    return out


@parallel
def _derivatives(turn: Turn, loss: int, margin: Floats, y: Floats, out: Floats) -> None:
    for row in spread(turn, len(margin)):
        if loss == 2:
            top = margin[row].max()
            total = 0.0
            for k in range(margin.shape[1]):
                total += np.exp(margin[row, k] - top)
            for k in range(margin.shape[1]):
                p = np.exp(margin[row, k] - top) / total
                out[k, row, 0] = p - (1.0 if y[row] == k else 0.0)
                out[k, row, 1] = p * (1.0 - p)
        elif loss == 1:
            p = 1.0 / (1.0 + np.exp(-margin[row, 0]))
            out[0, row, 0], out[0, row, 1] = p - y[row], p * (1.0 - p)
        elif loss == 3:
            rate = np.exp(margin[row, 0])
            out[0, row, 0], out[0, row, 1] = rate - y[row], rate
        else:
            out[0, row, 0], out[0, row, 1] = margin[row, 0] - y[row], 1.0


def losses(loss: Loss, margin: Floats, y: Floats) -> Floats:
    """(n,) at margins (n, K): squared error, log-loss in nats, or half the Poisson deviance."""
    out = np.empty(len(y))
    _losses(LOSSES[loss], margin, y, out)
    return out


@parallel
def _losses(turn: Turn, loss: int, margin: Floats, y: Floats, out: Floats) -> None:
    for row in spread(turn, len(y)):
        f = margin[row, 0]
        if loss == 2:
            top = margin[row].max()
            total = 0.0
            for k in range(margin.shape[1]):
                total += np.exp(margin[row, k] - top)
            out[row] = top + np.log(total) - margin[row, int(y[row])]
        elif loss == 1:
            away = (1.0 - 2.0 * y[row]) * f
            out[row] = max(away, 0.0) + np.log1p(np.exp(-abs(away)))
        elif loss == 3:
            out[row] = np.exp(f) - y[row] * f + (y[row] * np.log(y[row]) if y[row] > 0 else 0.0) - y[row]
        else:
            out[row] = (f - y[row]) * (f - y[row])


def recipe(forest: Forest, leaf: Leaf, y: Floats, loss: Loss, started: list[Floats]) -> Recipe:
    """Rate and penalty from the first trees; `started` are margins from which training may have started besides the
    forest's own base, in which case they stand in the first trees' leaves."""
    zero = np.zeros(forest.n_outputs)
    found = [_fitted(forest, leaf, y, loss, forest.base, zero)]
    found += [_fitted(forest, leaf, y, loss, forest.base + start, start) for start in started]
    return min(found, key=lambda r: r.unexplained)


def _fitted(forest: Forest, leaf: Leaf, y: Floats, loss: Loss, start: Floats, offset: Floats) -> Recipe:
    first = stages(forest, leaf, y, loss, start, offset, min(forest.n_trees, max(FITTED, forest.n_outputs)))
    lines = [np.column_stack([stage.value, stage.total])[stage.total[:, 1] > 0] for stage in first]
    value, G, H = np.concatenate(lines).T
    root = np.sqrt(H)
    columns = np.column_stack([-G / H * root, -value / H * root])
    answer = np.linalg.lstsq(columns, value * root, rcond=None)[0]
    if not answer[1] > 0:
        answer = np.array([np.linalg.lstsq(columns[:, :1], value * root, rcond=None)[0][0], 0.0])
    rate, penalty = float(answer[0]), float(answer[1])
    size, gap = float((H * value**2).sum()), float((H * (value + rate * G / (H + penalty)) ** 2).sum())
    return Recipe(loss, start, offset, rate, penalty, gap / size if size > 0 else 0.0)


@dataclass(frozen=True)
class Stage:
    """One tree: its number and output, value (nodes,) without the offset, g and h (n, 2) of the training rows before it
    and their sums over its nodes (nodes, 2). `last` says whether it ends an iteration."""

    tree: int
    output: int
    value: Floats
    slope: Floats
    total: Floats
    last: bool


def stages(
    forest: Forest, leaf: Leaf, y: Floats, loss: Loss, start: Floats, offset: Floats, trees: int
) -> Iterator[Stage]:
    """The first trees in turn; all of an iteration see the margins before it."""
    margin = np.repeat(start[None, :], leaf.shape[1], axis=0)
    if forest.n_outputs == 1:
        yield from _single(forest, leaf, y, loss, float(offset[0]), margin, trees)
        return
    fresh = derivatives(loss, margin, y)
    for tree in range(trees):
        k = int(forest.tree_output[tree])
        if tree and k == 0:
            fresh = derivatives(loss, margin, y)
        own = slice(forest.roots[tree], forest.roots[tree + 1])
        value = forest.value[own, 0]
        if tree < forest.n_outputs:
            value = np.where(forest.is_leaf[own], value - offset[k], 0.0)
        last = tree + 1 == forest.n_trees or int(forest.tree_output[tree + 1]) == 0
        yield Stage(tree, k, value, fresh[k], sums(leaf[tree], fresh[k], len(value)), last)
        _forward(leaf[tree], value, k, margin)


def _single(
    forest: Forest, leaf: Leaf, y: Floats, loss: Loss, offset: float, margin: Floats, trees: int
) -> Iterator[Stage]:
    """`stages` of one output, in one pass over the rows a tree."""
    slope, came, value = np.empty((len(margin), 2)), np.zeros(len(margin), leaf.dtype), np.zeros(1)
    for tree in range(trees):
        own = slice(forest.roots[tree], forest.roots[tree + 1])
        parts = np.zeros((CHUNKS, int(forest.roots[tree + 1] - forest.roots[tree]), 2))
        _advance(LOSSES[loss], margin, y, came, value, leaf[tree], slope, parts)
        came, value = leaf[tree], forest.value[own, 0]
        if tree == 0:
            value = np.where(forest.is_leaf[own], value - offset, 0.0)
        yield Stage(tree, 0, value, slope, parts.sum(axis=0), True)


@parallel
def _advance(
    turn: Turn, loss: int, margin: Floats, y: Floats, came: Leaf, value: Floats, leaf: Leaf, slope: Floats,
    parts: Floats,
) -> None:  # fmt: skip
    """Add the tree before to the margins; slopes there, and their sums over the leaves of the tree that comes."""
    n = len(leaf)
    for chunk in spread(turn, len(parts)):
        for row in range(chunk * n // len(parts), (chunk + 1) * n // len(parts)):
            margin[row, 0] += value[came[row]]
            f, g, h = margin[row, 0], 0.0, 1.0
            if loss == 1:
                p = 1.0 / (1.0 + np.exp(-f))
                g, h = p - y[row], p * (1.0 - p)
            elif loss == 3:
                h = np.exp(f)
                g = h - y[row]
            else:
                g = f - y[row]
            slope[row, 0], slope[row, 1] = g, h
            parts[chunk, leaf[row], 0] += g
            parts[chunk, leaf[row], 1] += h


@parallel
def _forward(turn: Turn, leaf: Leaf, value: Floats, k: int, margin: Floats) -> None:
    for row in spread(turn, len(leaf)):
        margin[row, k] += value[leaf[row]]


def axil(forest: Forest, leaf: Leaf, mine: Leaf, made: Recipe) -> tuple[Floats, Floats]:
    """Weights w (E, n) and constants (E,) with w · y + constant · start = prediction, for squared error.

    mine (T, E) the examples' leaves.
    """
    n, E = leaf.shape[1], mine.shape[1]
    w = np.zeros((n, E))
    step = np.zeros((1, E))
    after = np.zeros(n, leaf.dtype)  # the first step adds nothing
    for tree in range(forest.n_trees - 1, -2, -1):
        size = int(forest.roots[tree + 1] - forest.roots[tree]) if tree >= 0 else 1
        parts = np.zeros((CHUNKS, size, E + 1))
        _axil_step(after, step, leaf[tree] if tree >= 0 else np.zeros(n, leaf.dtype), w, parts)
        if tree < 0:
            break
        total = parts.sum(axis=0)
        step = -total[:, :E]
        step[mine[tree], np.arange(E)] += 1.0
        step *= (made.rate / np.maximum(total[:, E] + made.penalty, 1e-300))[:, None]
        after = leaf[tree]
    w = np.ascontiguousarray(w.T)
    return w, 1.0 - w.sum(axis=1)


@parallel
def _axil_step(turn: Turn, leaf: Leaf, step: Floats, before: Leaf, w: Floats, parts: Floats) -> None:
    """Add a tree's step (nodes, E) to w (n, E); sum w, and the rows, over the leaves of the tree before it."""
    n, E = w.shape
    for chunk in spread(turn, len(parts)):
        for row in range(chunk * n // len(parts), (chunk + 1) * n // len(parts)):
            node, to = leaf[row], before[row]
            for e in range(E):
                w[row, e] += step[node, e]
                parts[chunk, to, e] += w[row, e]
            parts[chunk, to, E] += 1.0


@dataclass(frozen=True)
class Boosted:
    """effect (E, n) of each row on the examples' outputs, harm (n,) on the mean loss of the rows with labels. Positive:
    with more weight on the training row the output, or the loss, is larger. surprise (n,): the row's own loss, each of
    its leaves without it, as a mean over the trees, since late trees learn what is wrong by heart; of classes the mean
    of that and of `outvoted`. `unexplained` is the share of all trees' values that the recipe does not account for."""

    effect: Floats
    surprise: Floats
    harm: Floats | None
    unexplained: float


def boostin(
    forest: Forest, leaf: Leaf, y: Floats, made: Recipe, mine: Leaf, output: Ints, theirs: Leaf, labels: Floats | None
) -> Boosted:
    """mine (T, E) the examples' leaves, output (E,) which of their outputs; theirs (T, m) the leaves of rows with
    labels (m,)."""
    n = leaf.shape[1]
    effect, harm, surprise = np.zeros((n, mine.shape[1])), np.zeros(n), np.zeros(n)
    without, lost = np.repeat(made.start[None, :], n, axis=0), np.empty(n)
    gap = size = 0.0
    rows = theirs.shape[1] if labels is not None else 0
    pulls = stages(
        forest, theirs[:, :rows], np.zeros(0) if labels is None else labels, made.loss, made.start, made.offset,
        forest.n_trees,
    )  # fmt: skip
    made_of = stages(forest, leaf, y, made.loss, made.start, made.offset, forest.n_trees)
    for stage, pull in zip(made_of, pulls, strict=True):
        G, H = stage.total.T
        whole = np.maximum(H + made.penalty, 1e-300)
        size += float((H * stage.value**2).sum())
        gap += float((H * (stage.value + made.rate * G / whole) ** 2).sum())
        asked = np.where(output == stage.output, mine[stage.tree].astype(np.int64), -1)
        slope = pull.total[:, 0] / max(rows, 1)
        _boost_step(
            leaf[stage.tree], stage.slope, stage.value, G, whole, made.rate, asked, slope, stage.output, effect, harm,
            without,
        )  # fmt: skip
        if stage.last:
            _losses(LOSSES[made.loss], without, y, lost)
            surprise += lost
    surprise /= max(1, forest.n_trees // forest.n_outputs)
    if made.loss in ("logistic", "softmax"):
        surprise = 0.5 * (surprise + outvoted(forest, leaf, y))
    unexplained = gap / size if size > 0 else 0.0
    return Boosted(np.ascontiguousarray(effect.T), surprise, None if labels is None else harm, unexplained)


def outvoted(forest: Forest, leaf: Leaf, y: Floats) -> Floats:
    """(n,) log-loss of each row's class y by the classes of the rows that share its leaves, which no boosting pulled.

    Each tree votes with its leaf's shares without the row, all other rows together once more, so that nothing is
    impossible. Of numbers such votes are too coarse: a leaf is as wide as its boosted rest is small.
    """
    n = len(y)
    labels = (y[:, None] == np.arange(max(2, forest.n_outputs))) * 1.0
    votes, nobody = Votes.none(n, 0, labels.shape[1]), np.zeros((0, labels.shape[1]))
    none = np.zeros(0, leaf.dtype)
    for tree in range(forest.n_trees):
        size = int(forest.roots[tree + 1] - forest.roots[tree])
        votes.add(leaf[tree], none, none, np.ones(n), labels, nobody, size)
    votes.add(np.zeros(n, leaf.dtype), none, none, np.ones(n), labels, nobody, 1)
    own = votes.kept[1][np.arange(n), y.astype(np.int64)] / np.maximum(votes.count[1], 1)
    return np.asarray(-np.log(np.maximum(own, 1e-300)))


@parallel
def _boost_step(
    turn: Turn, leaf: Leaf, slope: Floats, value: Floats, G: Floats, whole: Floats, rate: float,
    mine: NDArray[np.int64], pull: Floats, k: int, effect: Floats, harm: Floats, without: Floats,
) -> None:  # fmt: skip
    for row in spread(turn, len(leaf)):
        node = leaf[row]
        g, h = slope[row, 0], slope[row, 1]
        moved = -(rate * g + h * value[node]) / whole[node]
        for e in range(len(mine)):
            if mine[e] == node:
                effect[row, e] += moved
        harm[row] += moved * pull[node]
        rest = whole[node] - h
        if rest > 1e-9:
            without[row, k] -= rate * (G[node] - g) / rest
