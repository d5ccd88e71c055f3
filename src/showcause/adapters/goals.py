"""A decision as inequalities of a forest's additive output: what must hold for a row to be decided one way.

Law: where every goal of `goals` is met by more than its `slack`, the model decides so; where one is missed by more than
its slack, it does not. In between the library's own rounding decides, and the model must be asked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from showcause.adapters.frame import Rows
from showcause.adapters.trees import TreeView
from showcause.kernels.trees import boxes

ROUNDING = 4e-6  # of the sum of the trees' largest leaves: libraries add in float32


@dataclass(frozen=True)
class Goal:
    """`weights` (outputs,) times the additive outputs is at least `least`."""

    score: boxes.Score
    weights: Rows
    least: float
    slack: float

    def margin(self, outputs: Rows) -> Rows:
        """(rows,) how far additive outputs (rows, outputs) lie on the right side."""
        return np.asarray(outputs @ self.weights - self.least)


def goals(view: TreeView, wanted: int | tuple[float, float], threshold: float | None) -> list[Goal]:
    """Of the class number `wanted` (binary with the threshold on the response; else the largest output), or of a range
    (least, most) of the target, infinite ends left out."""
    k = view.forest.n_outputs
    if isinstance(wanted, tuple):
        ends = [(np.ones(1), wanted[0]), (-np.ones(1), wanted[1])]
        return [_goal(view, w, w[0] * _additive(view, end)) for w, end in ends if np.isfinite(end)]
    if k == 1:
        sign = 1.0 if wanted == 1 else -1.0
        at = _additive(view, 0.0 if threshold is None else threshold)
        return [_goal(view, np.array([sign]), sign * at)]
    return [_goal(view, np.eye(k)[wanted] - np.eye(k)[other], 0.0) for other in range(k) if other != wanted]


def _additive(view: TreeView, response: float) -> float:
    if view.link == "logistic":
        return float(np.log(response) - np.log1p(-response))
    if view.link == "exp":
        return float(np.log(response)) if response > 0 else -np.inf
    return float(response)


def _goal(view: TreeView, weights: Rows, least: float) -> Goal:
    score = boxes.score(view.forest, weights)
    sizes = np.maximum.reduceat(np.abs(score.value), score.roots[:-1]).sum() + abs(score.base)
    return Goal(score, weights, least, ROUNDING * float(sizes) + 1e-12)
