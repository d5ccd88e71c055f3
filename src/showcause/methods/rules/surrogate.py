"""rules/surrogate: see `compute`.

Formula: The leaves of model/surrogate_tree as rules; `coverage = rows that meet it / rows`, `precision = rows among
    them that the model decides as the rule / rows that meet it`.

Assumes: Few questions can imitate the model.

Misleads:
    - Rules describe the imitation: where its fidelity is low they say little of the model.
    - A rule's decision is the commonest one of the rows it was fitted on; with a precision near one half it decides
      nothing.
    - Of a regression a rule has no precision: look at `error`.

Cost: Nothing beyond the tree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from showcause.adapters.dataset import Dataset
from showcause.adapters.frame import Frame, Rows
from showcause.adapters.model import Model
from showcause.adapters.questions import ASKS_MISSING
from showcause.adapters.readable import readable
from showcause.adapters.rulelist import every
from showcause.core.errors import NotApplicable
from showcause.core.rules import JOIN, Condition, table_columns
from showcause.kernels.intervals import clopper_pearson
from showcause.methods.method import Job, Result, method

TREE = "model/surrogate_tree"
LOOKED_AT = 2_000  # rows, to see whether the outputs vary at all


def _reason(model: Model, data: Dataset) -> str | None:
    if own := readable(model, data.X):
        return f"the model is readable itself: see {own}"
    known = data.X if data.train is None else data.train
    outputs = model.predict(known.take(np.arange(min(LOOKED_AT, len(known)))))
    return None if len(outputs) > 1 and np.ptp(outputs, axis=0).any() else "the model's outputs do not vary"


@method("rules/surrogate", kind="rule", applies=_reason, uses=(TREE,))
def compute(job: Job) -> Result:
    """Which rules, each true by itself, does a simple imitation of the model consist of, and how often is each right?

    Each leaf is one rule over raw columns: exactly one of them holds for any row, and their order means nothing. For a
    regression `precision` is null, and `error` is the standard deviation of the outputs there. `prediction`: the mean
    output (of more than two classes that of the rule's) where it was fitted. `low` and `high` bound 95 % (Clopper and
    Pearson). All but `prediction` on held-out rows where there are any. spec.fidelity is the tree's. For a list to be
    read from top to bottom see rules/list.
    Raises NotApplicable where the tree asks nothing.
    Source: Craven & Shavlik 1996; Clopper & Pearson 1934.
    """
    tree = job.uses[TREE]
    nodes = {row["node"]: row for row in tree.table.to_pylist() if row.get("target") in (None, job.target_names[0])}
    paths = {node: _path(nodes, node, job.data.X) for node, row in nodes.items() if row.get("feature") is None}
    fit, held, notes = job.populations()
    frame, outputs = held or fit
    decided = job.decision.classes(outputs) if job.model.classes else None
    fitted = job.decision.classes(fit[1]) if job.model.classes else None
    found = []
    for place, conditions in enumerate(paths.values(), 1):
        found += _rule(job, place, conditions, fit, fitted, frame, outputs, decided)
    if not found:
        raise NotApplicable("the surrogate tree asks nothing")
    spec = {
        "fidelity": tree.spec.get("fidelity"),
        "imitates": "the model's outputs",
        "of": TREE,
        "decision": job.decision.document,
        "measured_on": "held-out rows" if held is not None else "the rows it was fitted on",
        "notes": notes,
    }
    return Result(table_columns(found), spec)


def _path(nodes: Mapping[int, Mapping[str, Any]], leaf: int, frame: Frame) -> list[Condition]:
    """The conditions from the root to a leaf, one a feature."""
    found: dict[str, Condition] = {}
    node = nodes[leaf]
    while node.get("parent") is not None:
        parent = nodes[node["parent"]]
        new = _condition(parent, node["branch"] == "yes", frame)
        known = found.get(new.feature)
        found[new.feature] = new if known is None else _both(known, new, frame)
        node = parent
    return list(found.values())[::-1]


def _condition(asked: Mapping[str, Any], yes: bool, frame: Frame) -> Condition:
    name, note = asked["feature"], asked.get("note") or ""
    if note == ASKS_MISSING:
        return Condition(name, missing=yes)
    if asked.get("categories") is not None:
        every_level = frame.column(name).levels
        inside = tuple(level for level in every_level if (level == asked["categories"]) == yes)
        gaps = bool(np.isnan(frame.column(name).values).any())
        return Condition(name, levels=inside, missing=gaps and not yes)
    missing = f"missing values go with {'yes' if yes else 'no'}" in note
    if yes:
        return Condition(name, up_to=asked["threshold"], missing=missing)
    return Condition(name, above=asked["threshold"], missing=missing)


def _both(a: Condition, b: Condition, frame: Frame) -> Condition:
    """Where both hold."""
    missing = a.missing and b.missing
    if a.levels is not None or b.levels is not None:
        every_level = frame.column(a.feature).levels
        kept = tuple(v for v in every_level if a.holds(v) and b.holds(v))
        return Condition(a.feature, levels=kept, missing=missing)
    if a.missing and all(bound is None for bound in a.bounds.values()):
        return replace(a, missing=missing)
    if b.missing and all(bound is None for bound in b.bounds.values()):
        return replace(b, missing=missing)
    above = max((v for v in (a.above, b.above) if v is not None), default=None)
    up_to = min((v for v in (a.up_to, b.up_to) if v is not None), default=None)
    return Condition(a.feature, above=above, up_to=up_to, missing=missing)


def _rule(
    job: Job, place: int, conditions: list[Condition], fit: tuple[Frame, Rows], fitted: Rows | None, frame: Frame,
    outputs: Rows, decided: Rows | None,
) -> list[dict[str, Any]]:  # fmt: skip
    trained, inside = every(conditions, fit[0]), every(conditions, frame)
    count = int(inside.sum())
    head: dict[str, Any] = {
        "rule": place,
        "condition": None,
        "text": JOIN.join(c.phrase() for c in conditions),
        "precision": None,
        "coverage": count / len(frame),
        "count": count,
    }
    label = 0
    if decided is not None and fitted is not None and trained.any():
        label = int(np.argmax(np.bincount(fitted[trained], minlength=len(job.model.classes))))
        head["decision"] = job.model.classes[label]
        if count:
            hits = int((decided[inside] == label).sum())
            low, high = clopper_pearson(hits, count)
            head |= {"precision": hits / count, "low": low, "high": high, "noise": "rows"}
    if trained.any():
        head["prediction"] = float(fit[1][trained, label if fit[1].shape[1] > 1 else 0].mean())
    if decided is None and count > 1:
        head["error"] = float(outputs[inside, 0].std())
    if not count:
        head["note"] = "no row meets it"
    rows = [head]
    for part, condition in enumerate(conditions, 1):
        said = {"rule": place, "condition": part, "text": condition.phrase(), "role": "present"}
        rows.append({**said, **condition.columns})
    return rows
