"""model/surrogate_tree: see `compute`.

Formula:
    - A tree t that lessens Σ (f - t)² at each question, fitted to the model's own outputs f.
    - `r2 = 1 - Σ (f - t)² / Σ (f - mean f)²`, the mean over outputs that vary; `agreement`: the share of rows that t
      and f decide alike.

Assumes: Few questions can imitate the model.

Misleads:
    - It describes the model as far as its fidelity on held-out rows says, and no further.
    - Another sample may give other questions that imitate as well: a column that is not asked for may matter.

Cost: A prediction of at most 20,000 training rows (fewer in wide tables), and one small tree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from showcause.adapters.dataset import Dataset
from showcause.adapters.frame import Frame, Rows
from showcause.adapters.model import Model
from showcause.adapters.questions import Question, is_missing, nodes
from showcause.adapters.readable import readable
from showcause.core.errors import NotApplicable, ParameterError
from showcause.methods.method import Job, Result, method

LEVELS = 20  # levels of a categorical column that may be asked for, the commonest


def _reason(model: Model, data: Dataset) -> str | None:
    own = readable(model, data.X)
    return f"the model is readable itself: see {own}" if own else None


@dataclass(frozen=True)
class View:
    """The numeric view: a number as it is, a level of a category as 1 or 0 (`level`; "" is the missing value)."""

    feature: str
    level: str | None = None


@method("model/surrogate_tree", kind="tree", applies=_reason)
def compute(job: Job, *, depth: int = 3) -> Result:
    """Which few questions imitate the model best, and how well do they?

    depth   questions in a row at most, from 1 to 4

    Fitted by scikit-learn on training rows (else on two thirds of X), in raw columns: numbers by "≤", categories one
    level at a time (of the 20 commonest), at least 1 % of the rows at each node (of a few hundred, 5). `value` is the
    mean output of the model at the node, `count` the rows it was fitted on there; see model/tree for the other columns.
    spec.fidelity has both measures, on held-out rows and on those it was fitted on.
    Raises NotApplicable where the outputs do not vary, ParameterError for another depth.
    Source: Craven & Shavlik 1996 (imitation by a tree), with Breiman, Friedman, Olshen & Stone 1984 for the tree.
    """
    if not 1 <= depth <= 4:
        raise ParameterError(f"model/surrogate_tree: depth must lie between 1 and 4, got {depth}")
    from sklearn.tree import DecisionTreeRegressor

    fit, held, notes = job.populations()
    frame, outputs = fit
    if len(frame) < 2 or not np.ptp(outputs, axis=0).any():
        raise NotApplicable("the model's outputs do not vary over these rows: there is nothing to ask")
    views = _views(frame)
    leaf = max(1, min(5, len(frame) // 10), len(frame) // 100)
    tree = DecisionTreeRegressor(max_depth=depth, min_samples_leaf=leaf, random_state=0)
    tree.fit(_matrix(frame, views), outputs)
    names = "train" if job.data.train is not None else "fitted on"
    fidelity: dict[str, Any] = {names: _fidelity(job, tree, views, *fit)}
    fidelity["held out"] = _fidelity(job, tree, views, *held) if held is not None else None
    values = np.asarray(tree.tree_.value, dtype=np.float64)[:, :, 0]

    def ask(column: int, cut: float, missing_left: bool) -> Question:
        return _question(frame, views[column], cut, missing_left)

    columns = nodes(tree.tree_, values, job.target_names, ask)
    spec = {
        "fidelity": fidelity,
        "terms": "raw columns",
        "fitted_to": "the model's outputs",
        "fitted_on": {"source": "train" if job.data.train is not None else "X", "rows": len(frame)},
        "notes": notes,
    }
    return Result(columns, spec)


def _views(frame: Frame) -> list[View]:
    views = []
    for name in frame.names:
        column = frame.column(name)
        if column.is_number:
            views.append(View(name))
            continue
        present = column.values[~np.isnan(column.values)].astype(np.int64)
        counts = np.bincount(present, minlength=len(column.levels))
        commonest = np.sort(np.argsort(-counts, kind="stable")[:LEVELS])
        views += [View(name, column.levels[code]) for code in commonest]
        if len(present) < len(column.values):
            views.append(View(name, ""))
    return views


def _matrix(frame: Frame, views: list[View]) -> Rows:
    """(rows, views) float32-safe numbers, NaN where a number is missing."""
    largest = float(np.finfo(np.float32).max)
    columns = []
    for view in views:
        column = frame.column(view.feature)
        if view.level is None:
            columns.append(np.clip(column.values, -largest, largest))
        elif view.level == "":
            columns.append(np.isnan(column.values).astype(np.float64))
        else:
            code = column.levels.index(view.level) if view.level in column.levels else -1
            columns.append((column.values == code).astype(np.float64))
    return np.column_stack(columns)


def _question(frame: Frame, view: View, cut: float, missing_left: bool) -> Question:
    """A level's column is 1 on the right: the question is whether it is that level, and left is no."""
    if view.level == "":
        return is_missing(view.feature, False)
    if view.level is None and not np.isfinite(cut):
        return is_missing(view.feature, missing_left)
    if view.level is None:
        gaps = bool(np.isnan(frame.column(view.feature).values).any())
        return Question(
            view.feature, cut, note=f"missing values go with {'yes' if missing_left else 'no'}" * gaps or None
        )
    return Question(view.feature, categories=view.level, left_is_yes=False)


def _fidelity(job: Job, tree: Any, views: list[View], frame: Frame, outputs: Rows) -> dict[str, Any]:
    imitated = tree.predict(_matrix(frame, views)).reshape(outputs.shape)
    error, spread = ((outputs - imitated) ** 2).sum(axis=0), ((outputs - outputs.mean(axis=0)) ** 2).sum(axis=0)
    varies = spread > 0
    found: dict[str, Any] = {"rows": len(frame)}
    found["r2"] = float(1 - (error[varies] / spread[varies]).mean()) if varies.any() else None
    if job.model.classes:
        same = job.decision.classes(imitated) == job.decision.classes(outputs)
        found["agreement"] = float(same.mean())
    return found
