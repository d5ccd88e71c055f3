"""A tree's questions in the words of raw columns: "age ≤ 34.5", "colour is red or green".

Law: a question asked of raw columns parts the given rows exactly as the tree's own does, those without a value too;
where none does, the tree's own is kept and says that it speaks of an encoded column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from showcause.adapters.frame import Column, Frame, Rows
from showcause.adapters.readable import Encoded

ASKS_MISSING = "asks whether the value is missing"
ENCODED = "asked of an encoded column"


@dataclass(frozen=True)
class Question:
    """`feature` ≤ `threshold`, or `feature` is one of `categories` (joined by " or "). `left_is_yes`: the tree's left
    branch is the answer yes."""

    feature: str
    threshold: float | None = None
    categories: str | None = None
    left_is_yes: bool = True
    note: str | None = None


def raw_question(seen: Encoded, X: Frame, Z: Rows, column: int, threshold: float, missing_left: bool) -> Question:
    """The question "encoded `column` ≤ `threshold`" in raw terms. `Z` are the rows of X as the tree is given them;
    `missing_left`: where the tree sends a missing value."""
    encoded = Z[:, column]
    if not np.isfinite(threshold):  # a split between missing values and all others
        name = X.names[seen.parents()[column][0]] if len(seen.parents()[column]) == 1 else seen.names[column]
        return is_missing(name, missing_left)
    left = np.where(np.isnan(encoded), missing_left, encoded.astype(np.float32) <= threshold)
    own = Question(seen.names[column], threshold, note=None if seen.plain else ENCODED)
    asked: Question | None = None
    if len(seen.parents()[column]) == 1:
        raw = X.column(X.names[seen.parents()[column][0]])
        if not raw.is_number:
            asked = _category(raw, left)
        else:
            asked = own if seen.plain else _number(raw, encoded, threshold, left)
        sides = np.unique(left[np.isnan(raw.values)])
        if asked is not None and len(sides) < 2:
            return _with_missing(asked, bool(sides[0])) if len(sides) else asked
    return _with_missing(own, missing_left) if np.isnan(encoded).any() else own


def is_missing(feature: str, missing_left: bool) -> Question:
    return Question(feature, categories="missing", left_is_yes=missing_left, note=ASKS_MISSING)


def _with_missing(question: Question, left: bool) -> Question:
    answer = "yes" if left == question.left_is_yes else "no"
    return replace(question, note="; ".join(filter(None, [question.note, f"missing values go with {answer}"])))


def _number(raw: Column, encoded: Rows, threshold: float, left: Rows) -> Question | None:
    """Where the encoded column is a straight line of the raw one."""
    known = ~np.isnan(raw.values) & ~np.isnan(encoded)
    v, z = raw.values[known], encoded[known]
    if len(v) < 2 or v.min() == v.max():
        return None
    low, high = int(v.argmin()), int(v.argmax())
    slope = (z[high] - z[low]) / (v[high] - v[low])
    if slope == 0 or np.abs(z - z[low] - slope * (v - v[low])).max() > 1e-9 * max(1.0, np.abs(z).max()):
        return None
    exact = float(v[low] + (threshold - z[low]) / slope)
    for value in (float(f"{exact:.6g}"), exact):
        if ((v <= value) == (left[known] if slope > 0 else ~left[known])).all():
            return Question(raw.name, value, left_is_yes=bool(slope > 0))
    return None


def _category(raw: Column, left: Rows) -> Question | None:
    """Where each level goes one way, whole: the side with fewer levels is asked for."""
    goes: list[bool] = []
    for code in range(len(raw.levels)):
        sides = np.unique(left[raw.values == code])
        if len(sides) != 1:
            return None
        goes.append(bool(sides[0]))
    if not goes or len(set(goes)) < 2:
        return None
    yes = [level for level, is_left in zip(raw.levels, goes, strict=True) if is_left]
    no = [level for level, is_left in zip(raw.levels, goes, strict=True) if not is_left]
    left_is_yes = len(yes) <= len(no)
    return Question(raw.name, categories=" or ".join(yes if left_is_yes else no), left_is_yes=left_is_yes)


def nodes(
    tree: Any, values: Rows, targets: Sequence[str | None], ask: Callable[[int, float, bool], Question]
) -> dict[str, Any]:
    """Columns of a tree table from scikit-learn's structure: one row a node and target, the root first, each parent
    before its children, yes before no. `values` is (nodes, outputs), `count` the rows the tree was fitted on, and `ask`
    is given column, threshold and whether missing values go left."""
    rows: list[dict[str, Any]] = []
    waiting: list[tuple[int, int | None, str | None]] = [(0, None, None)]
    missing = getattr(tree, "missing_go_to_left", np.zeros(tree.node_count))
    while waiting:
        place, parent, branch = waiting.pop()
        number = len(rows) // len(targets)
        line: dict[str, Any] = {"node": number, "parent": parent, "branch": branch}
        line["count"] = int(tree.n_node_samples[place])
        if tree.children_left[place] >= 0:
            question = ask(int(tree.feature[place]), float(tree.threshold[place]), bool(missing[place]))
            line |= {"feature": question.feature, "threshold": question.threshold, "note": question.note}
            line["categories"] = question.categories
            left, right = int(tree.children_left[place]), int(tree.children_right[place])
            yes, no = (left, right) if question.left_is_yes else (right, left)
            waiting += [(no, number, "no"), (yes, number, "yes")]
        rows += [{**line, "target": t, "value": float(values[place, k])} for k, t in enumerate(targets)]
    names = ("node", "parent", "branch", "feature", "threshold", "categories", "value", "count", "note", "target")
    columns: dict[str, Any] = {name: [row.get(name) for row in rows] for name in names}
    if all(target is None for target in targets):
        del columns["target"]
    return columns
