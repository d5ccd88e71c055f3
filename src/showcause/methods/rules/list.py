"""rules/list: see `compute`.

Formula: Again and again, among the rows that no earlier rule decides, the rule with the largest `z = (precision - share
    of its class) · √rows / √(share (1 - share))` that a beam search of 24 finds; it needs z of 3, more than half of its
    rows, and 5 of them or 1 %.

Assumes: Few conditions in order can imitate the model.

Misleads:
    - A later rule holds only where no earlier one does: read alone it is wrong.
    - It is greedy: another list may be shorter or better, and another sample gives another one.
    - Fidelity on held-out rows says how far to believe it; a rule's interval does not know that it was chosen among
      many.

Cost: Candidate conditions times rows for each rule, on at most 20,000 rows (fewer in wide tables); a prediction of
    these.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from showcause.adapters.frame import Frame, Rows
from showcause.adapters.rulelist import Listed, answered, fitted
from showcause.core.errors import NotApplicable, ParameterError
from showcause.core.rules import JOIN, table_columns
from showcause.kernels.intervals import clopper_pearson
from showcause.methods.method import Job, Result, method, positive


@method("rules/list", kind="rule", needs=("classification",))
def compute(job: Job, *, rules: int = 8, length: int = 2) -> Result:
    """Which short list of rules, asked in order, decides as the model does, and how often?

    rules    at most so many, besides the last one
    length   conditions of a rule at most, from 1 to 3

    An imitation of the model's decisions as "if …, else if …, else". Conditions are sides of a number's deciles, one of
    the 12 commonest levels or all but it, missing or not. A longer rule has to have a z larger by a tenth. `order` is
    the place in the list; the last rule has no condition. `coverage`: the share of rows that a rule decides;
    `precision`: how often the model decides so there; `low` and `high` bound 95 % (Clopper and Pearson); both on
    held-out rows where there are any, `count` of them. spec.fidelity: how often the whole list decides as the model.
    For rules that stand each for itself see rules/surrogate.
    Raises NotApplicable where every row is decided alike, ParameterError for another length.
    Source: Rivest 1987 (decision lists); Clark & Niblett 1989 (beam search, rule by rule); Craven & Shavlik 1996
    (imitation); Clopper & Pearson 1934.
    """
    positive(rules=rules)
    if not 1 <= length <= 3:
        raise ParameterError(f"length must lie between 1 and 3, got {length}")
    (frame, outputs), held, notes = job.populations()
    decided = job.decision.classes(outputs)
    if len(np.unique(decided)) < 2:
        raise NotApplicable("the model decides every row alike: there is nothing to tell apart")
    found = fitted(frame, decided, len(job.model.classes), rules, length)
    where, of = (frame, decided) if held is None else (held[0], job.decision.classes(held[1]))
    fidelity: dict[str, Any] = {
        "train" if job.data.train is not None else "fitted on": _agreement(found, frame, decided)
    }
    fidelity["held out"] = None if held is None else _agreement(found, where, of)
    spec = {
        "fidelity": fidelity,
        "imitates": "the model's decisions",
        "decision": job.decision.document,
        "rule": job.decision.rule,
        "measured_on": "held-out rows" if held is not None else "the rows it was fitted on",
        "notes": notes,
    }
    return Result(table_columns(_rows(job, found, where, of)), spec)


def _agreement(rules: list[Listed], frame: Frame, decided: Rows) -> dict[str, Any]:
    labels = np.array([rule.label for rule in rules])
    return {"rows": len(frame), "agreement": float((labels[answered(rules, frame)] == decided).mean())}


def _rows(job: Job, rules: list[Listed], frame: Frame, decided: Rows) -> list[dict[str, Any]]:
    number, rows = answered(rules, frame), list[dict[str, Any]]()
    for place, rule in enumerate(rules, 1):
        inside = number == place - 1
        count, hits = int(inside.sum()), int((decided[inside] == rule.label).sum())
        low, high = clopper_pearson(hits, count)
        rows.append(
            {
                "rule": place,
                "condition": None,
                "text": JOIN.join(c.phrase() for c in rule.conditions) or "in every other case",
                "precision": hits / count if count else None,
                "coverage": count / len(frame),
                "count": count,
                "decision": job.model.classes[rule.label],
                "order": place,
                "low": low if count else None,
                "high": high if count else None,
                "noise": "rows",
                "note": None if count else "no row is left for it",
            }
        )
        for part, condition in enumerate(rule.conditions, 1):
            said = {"rule": place, "condition": part, "text": condition.phrase(), "order": place, "role": "present"}
            rows.append({**said, **condition.columns})
    return rows
