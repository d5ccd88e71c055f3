"""counterfactual/optimal: see `compute`.

Formula:
    - `min Σ over changed columns of (cost_j + sparsity)`, so that the leaves which x' reaches add up to the wanted
      outcome.
    - cost_j is `|x'_j - x_j| / unit_j` for a number, unit_j being 1.4826 · MAD_j (the interquartile range / 1.349 where
      that is 0); 1 for another category; 1 for a value where none was known, of a number `|x'_j - median_j| / unit_j`
      besides.
    - x'_j is one of the values seen in training: in each cell between two thresholds the nearest to x_j; in a cell
      without any, a number from inside.

Assumes: The model is a sum of trees, what may not change is declared, and columns can change by themselves.

Misleads:
    - The least change is a borderline case by construction, and another training may decide it otherwise: see `agree`.
    - It says what the model would do, not what a change would cause; and the least change may make a person whom nobody
      resembles: see `typical`.
    - Without declared ranges, directions and constraints it may ask for what nobody can do.
    - `optimal` false: there may be a nearer one, no nearer than `bound`.

Cost: Most rows take milliseconds, by branch and bound within `effort`; with linear constraints, more than two classes
    or a range of two ends changes of one and of two features are tried in its place. What that leaves open CP-SAT is
    asked, for `time` deterministic seconds a row. In a snapshot at most 4 rows, two alternatives, 2 million nodes and
    no solver: what is left open is said, with its `bound`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from showcause.adapters import optimal
from showcause.adapters.candidates import Options, Table
from showcause.adapters.cells import CellView, cell_view, composed, numbers
from showcause.adapters.dataset import Dataset
from showcause.adapters.distance import MEANING, Typical
from showcause.adapters.frame import Frame, Rows
from showcause.adapters.goals import goals
from showcause.adapters.model import Model
from showcause.adapters.recourse import allowed
from showcause.adapters.replaced import forest_view
from showcause.adapters.wanted import Answered, Found, Wanted, asked, neighbours, other, table
from showcause.core.errors import NotApplicable, ParameterError
from showcause.methods.method import Job, Result, method, positive

NONE = "no allowed change leads to another outcome: that is proven"
OPEN = "none was found within the effort and time, which does not prove that there is none"


def _reason(model: Model, data: Dataset) -> str | None:
    return (
        None if forest_view(model, data.X) is not None else "the model is no sum of trees: see counterfactual/nearest"
    )


@dataclass
class _Work:
    """What is shared by the rows explained."""

    job: Job
    view: CellView
    table: Table
    outputs: Rows  # of the pool
    effort: int
    time: float
    confirmed: dict[bytes, tuple[Frame, Rows]] = field(default_factory=dict)  # of the row at hand
    kept: dict[Wanted, Typical] = field(default_factory=dict)

    def typical(self, wanted: Wanted) -> Typical:
        if wanted not in self.kept:
            reached = wanted.reached(self.outputs[: self.view.trained], self.job.decision.classes)
            rng, units = self.job.rng("neighbours"), self.table.measures[0]
            self.kept[wanted] = neighbours(self.view.pool, np.flatnonzero(reached), units, rng)
        return self.kept[wanted]


@method(
    "counterfactual/optimal",
    kind="counterfactual",
    version=4,
    panel="where given",
    applies=_reason,
    after=("examples/representative",),
    in_snapshot={"max_rows": 4, "alternatives": 2, "effort": 2_000_000, "time": 0.0},
)
def compute(
    job: Job,
    *,
    target: str | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    alternatives: int = 3,
    sparsity: float = 0.5,
    effort: int = 10_000_000,
    time: float = 10.0,
    max_rows: int | None = None,
) -> Result:
    """What is the least that would have to be different for another outcome?

    target              the class wanted; None: the favourable class where the row is decided otherwise, else the
                        likeliest other one
    at_least, at_most   of a regression, the range wanted
    alternatives        how many; the next one leaves some feature unchanged that each earlier one changes
    sparsity            what each changed feature costs besides its change
    effort              tree nodes that branch and bound may visit for an answer; as many trees are asked about changes
                        of one or two features
    time                of constraint programming (OR-tools CP-SAT, one worker), deterministic seconds a row; 0: it is
                        not asked
    max_rows            None, or at most so many rows

    For tree ensembles, also in Pipelines. Every alternative has been confirmed by the model. `bound`: no allowed change
    is nearer; `optimal`: this one is as near as that.

    Allowed: features that are actionable, not immutable and not protected, in the direction and range declared, within
    the linear constraints and one-hot groups; nothing known becomes missing. `distance`: see spec.distance; the sum of
    `cost`, `sparsity` for each changed feature included. `nearest`: distance to the nearest training row that is
    decided so, without sparsity; `typical`: the share of those rows (at most 500 of them) whose own nearest neighbour
    is at least as far. With a panel of retrainings, `agree` of `refits` of them decide the changed row as wanted.
    Raises NotApplicable for a regression without `at_least` or `at_most`, ParameterError for an unknown class.
    Source: Parmentier & Vidal 2021; Wachter, Mittelstadt & Russell 2018 (the distance); Ustun, Spangher & Liu 2019
    (recourse). Compared with the enumeration of every combination by the model itself.
    """
    positive(alternatives=alternatives, max_rows=max_rows, effort=effort)
    if time < 0 or sparsity < 0:
        raise ParameterError(f"time and sparsity must be at least 0, got {time} and {sparsity}")
    general = asked(job.model, target, at_least, at_most)
    if general is not None and general.label is None and not np.isfinite([general.low, general.high]).any():
        raise NotApplicable("a regression model has no other outcome by itself: give at_least or at_most")
    chosen = job.sample(max_rows, include=job.example_rows)
    tree = forest_view(job.model, job.data.X)
    assert tree is not None
    view: CellView = job.once("cells", lambda: cell_view(tree, job.data.X, job.data.train))
    limits = allowed(job.data)
    outputs = job.outputs if view.offset == 0 else np.concatenate([job.train_outputs, job.outputs])
    work = _Work(job, view, Table(view, limits, sparsity), outputs, effort, time)
    answered: list[Answered] = []
    for done, number in enumerate(chosen.tolist()):
        answered.append(_example(work, number, general, alternatives))
        job.tick((done + 1) / len(chosen))
    answered, refits = job.asked_again(answered)
    spec: dict[str, Any] = {
        **job.rows_spec(chosen),
        **job.space,
        "decision": job.decision.document,
        "distance": MEANING,
        "allowed": limits.document,
        "values": "seen in training" if job.data.train is not None else "seen in the rows explained",
        "solver": {"name": "CP-SAT", "workers": 1, "deterministic_seconds_per_row": time},
        "branch_and_bound": {"effort": effort},
        "confirmed_by": "the model",
        **refits,
    }
    if len(chosen) < len(job.data):
        spec["cap"] = {"rows": len(chosen), "of": len(job.data)}
    return Result(table(answered, job.data, job.model, job.decision.classes), spec)


def _example(work: _Work, number: int, general: Wanted | None, alternatives: int) -> Answered:
    job, view = work.job, work.view
    row, before, decide = view.offset + number, job.outputs[number], job.decision.classes
    wanted = general or other(job.model, job.decision.favourable, before, int(decide(before[None, :])[0]))
    found: list[Found] = []
    note: str | None = "it has the wanted outcome already"
    if not wanted.reached(before[None, :], decide)[0]:
        note = None
        work.confirmed.clear()
        options = work.table.options(row)
        least = goals(view.view, wanted.goal, job.decision.threshold)
        rules = work.table.allowed.linear
        search = optimal.Search(
            view, row, options, least, rules, _valid(work, row, options, wanted), work.time, work.effort
        )
        sets: list[frozenset[int]] = []
        while len(found) < alternatives:
            answer = search.next(sets)
            if answer.picks is None:
                note = NONE if answer.proven_none else OPEN
                break
            found.append(_found(work, row, options, answer))
            sets.append(optimal.changed(search, answer.picks))
    typical = work.typical(wanted) if found else None
    return Answered(number, wanted, before, found, typical, note)


def _frame(view: CellView, row: int, options: list[Options], picks: Rows) -> Frame:
    """Rows with candidates picks (rows, options)."""
    changes = []
    for of in picks:
        change: dict[str, int | float] = {}
        for option, pick in zip(options, of.tolist(), strict=True):
            if pick != option.own:
                change[option.feature] = option.source(view, pick)
        changes.append(change)
    return composed(view.pool, row, changes)


def _valid(work: _Work, row: int, options: list[Options], wanted: Wanted) -> Callable[[Rows], Rows]:
    def valid(picks: Rows) -> Rows:
        frame = _frame(work.view, row, options, picks)
        outputs = work.job.model.predict(frame)
        right = wanted.reached(outputs, work.job.decision.classes)
        work.confirmed[picks.tobytes()] = frame, outputs
        rules = work.table.allowed.linear
        values = numbers(frame) if rules else {}
        for rule in rules:
            right &= rule.holds(values)
        return right

    return valid


def _found(work: _Work, row: int, options: list[Options], answer: optimal.Answer) -> Found:
    assert answer.picks is not None
    frame, outputs = work.confirmed[answer.picks[None, :].tobytes()]
    values, costs = work.view.pool.matrix(rows=np.array([row]))[0], dict[str, float]()
    for option, pick in zip(options, answer.picks.tolist(), strict=True):
        if pick != option.own:
            costs[option.feature] = float(option.costs[pick])
            values[work.view.pool.names.index(option.feature)] = option.values[pick]
    return Found(frame, tuple(costs), costs, outputs[0], values, answer.bound, answer.optimal)
