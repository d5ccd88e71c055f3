"""counterfactual/nearest: see `compute`.

Formula:
    - Distance: the sum over changed columns of `cost_j + sparsity`. cost_j is `|x'_j - x_j| / unit_j` for a number,
      unit_j being 1.4826 · MAD_j; 1 for another category; 1 for a value where none was known, of a number
      `|x'_j - median_j| / unit_j` besides.
    - Search: begin at the nearest rows that are decided as wanted, with the row's own cells where nothing may change;
      put back every change that is not needed, the dearest first; then bring each changed number as near to x_j as the
      values seen allow, f(x') always staying as wanted.

Assumes: What may not change is declared (else everything may, each column by itself), and the cells of other rows are
    values that this person can have.

Misleads:
    - It is a good answer and not the nearest one; where none was found there may be one all the same.
    - It ends at the last value seen before the decision tips, where another training may decide otherwise: see `agree`.
    - It says what the model would do, not what a change would cause: who pays a debt back has less savings, and the
      other columns stay as they are here.

Cost: At most `evaluations` rows asked about for each row explained, 2,000 or in a snapshot 500 for at most 4 rows,
    besides one prediction of the pool of at most 5,000 rows. Tree ensembles are asked through their own trees.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from showcause.adapters.distance import MEANING, Typical
from showcause.adapters.frame import Frame, Rows
from showcause.adapters.games import fitting
from showcause.adapters.nearest import Answer, Pool, Right, changed, nearest
from showcause.adapters.recourse import allowed
from showcause.adapters.replaced import gathered
from showcause.adapters.wanted import Answered, Found, Wanted, asked, neighbours, other, table
from showcause.core.errors import NotApplicable, ParameterError
from showcause.methods.method import Job, Result, method, positive

POOL = 5_000  # rows whose cells may be taken
NONE = "none was found among the rows at hand: each that is decided so differs in what must not change"


@method(
    "counterfactual/nearest",
    kind="counterfactual",
    version=3,
    panel="where given",
    after=("examples/representative",),
    in_snapshot={"max_rows": 4, "max_cells": 300, "evaluations": 500},
)
def compute(
    job: Job,
    *,
    target: str | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    alternatives: int = 3,
    sparsity: float = 0.5,
    evaluations: int = 2_000,
    max_rows: int | None = None,
    max_cells: int | None = None,
) -> Result:
    """Which case like this one gets another outcome, and which of its differences matter?

    target              the class wanted; None: the favourable class where the row is decided otherwise, else the
                        likeliest other one
    at_least, at_most   of a regression, the range wanted
    alternatives        how many; the next one leaves some feature unchanged that each earlier one changes
    sparsity            what each changed feature costs besides its change
    evaluations         at most so many rows are asked about for each row explained
    max_rows            None, or at most so many rows
    max_cells           None, or at most so many rows × columns

    For any model. Every alternative has been confirmed by the model; where there is none, the row says so. What is
    allowed, `distance`, `agree`, `refits`, `nearest` and `typical` are as in counterfactual/optimal, which finds the
    nearest one of tree ensembles. The pool is the training rows (at most 5,000; without them the rows explained).
    Raises NotApplicable for a regression without `at_least` or `at_most`, ParameterError for an unknown class.
    Source: Keane & Smyth 2020 (nearest unlike neighbours); Guidotti et al. 2019 (sparsifying); the distance after
    Wachter, Mittelstadt & Russell 2018. Compared with counterfactual/optimal and with the model's own answers.
    """
    positive(alternatives=alternatives, evaluations=evaluations, max_rows=max_rows)
    if sparsity < 0:
        raise ParameterError(f"sparsity must be at least 0, got {sparsity}")
    general = asked(job.model, target, at_least, at_most)
    if general is not None and general.label is None and not np.isfinite([general.low, general.high]).any():
        raise NotApplicable("a regression model has no other outcome by itself: give at_least or at_most")
    chosen = job.sample(fitting(max_rows, max_cells, len(job.data.X.names)), include=job.example_rows)
    mine = job.data.X.take(chosen)
    reference, outputs, sampled = _reference(job)
    limits = allowed(job.data)
    pool = Pool(reference.stack(mine), len(reference), limits, sparsity)
    answer = gathered(job.model, job.data.X, pool.rows)
    kept: dict[Wanted, tuple[Typical, Rows]] = {}
    before = job.outputs[chosen]
    answered: list[Answered] = []
    used = []
    for done, number in enumerate(chosen.tolist()):
        decide = job.decision.classes
        wanted = general or other(
            job.model, job.decision.favourable, before[done], int(decide(before[done][None, :])[0])
        )
        if wanted not in kept:
            rng = job.rng("neighbours")
            good = np.flatnonzero(wanted.reached(outputs, decide))
            kept[wanted] = neighbours(pool.rows, good, pool.measures[0], rng), good
        found, asked_about, note = list[Found](), 0, "it has the wanted outcome already"
        if not wanted.reached(before[done][None, :], decide)[0]:
            row = len(reference) + done
            found, asked_about, note = _one(job, pool, answer, row, wanted, kept[wanted][1], alternatives, evaluations)
        used.append(asked_about)
        answered.append(Answered(number, wanted, before[done], found, kept[wanted][0], note))
        job.tick((done + 1) / len(chosen))
    answered, refits = job.asked_again(answered)
    spec: dict[str, Any] = {
        **job.rows_spec(chosen),
        **job.space,
        "decision": job.decision.document,
        "distance": MEANING,
        "allowed": limits.document,
        "pool": {"rows": len(reference), **sampled},
        "evaluations": {"limit_per_row": evaluations, "used": used, "shared": len(reference)},
        "confirmed_by": "the model",
        **refits,
    }
    if len(chosen) < len(job.data):
        spec["cap"] = {"rows": len(chosen), "of": len(job.data)}
    return Result(table(answered, job.data, job.model, job.decision.classes), spec)


def _reference(job: Job) -> tuple[Frame, Rows, dict[str, Any]]:
    """(rows whose cells may be taken, their outputs, what the spec says of them)."""
    source = "train" if job.data.train is not None else "X"
    whole = job.data.X if job.data.train is None else job.data.train
    if len(whole) <= POOL:
        return whole, job.outputs if source == "X" else job.train_outputs, {"source": source}
    rows = np.sort(job.rng("nearest").choice(len(whole), POOL, replace=False))
    sample = whole.take(rows)
    return sample, job.model.predict(sample), {"source": source, "sampled_from": len(whole)}


def _one(
    job: Job, pool: Pool, answer: Answer, row: int, wanted: Wanted, donors: Rows, alternatives: int, evaluations: int
) -> tuple[list[Found], int, str]:
    if not len(donors):
        return [], 0, "no row at hand is decided so"
    decide, left = job.decision.classes, max(1, evaluations - alternatives)
    told, by_trees = answer
    picked, used = nearest(pool, row, donors, lambda picks: wanted.reached(told(picks), decide), alternatives, left)
    found = _confirmed(job, pool, row, wanted, picked)
    if by_trees and len(found) < max(1, len(picked)):  # within the library's rounding: so the model itself is asked
        picked, more = nearest(pool, row, donors, _asking(job, pool, wanted), alternatives, max(1, left - used))
        found, used = _confirmed(job, pool, row, wanted, picked), used + more
    return found, used + len(picked), NONE


def _asking(job: Job, pool: Pool, wanted: Wanted) -> Right:
    return lambda picks: wanted.reached(job.model.predict(pool.rows.gather(picks)), job.decision.classes)


def _confirmed(job: Job, pool: Pool, row: int, wanted: Wanted, picked: list[Rows]) -> list[Found]:
    """Those that the model itself decides as wanted."""
    if not picked:
        return []
    frame = pool.rows.gather(np.stack(picked))
    outputs = job.model.predict(frame)
    reached = wanted.reached(outputs, job.decision.classes)
    found = []
    for n, picks in enumerate(picked):
        each = pool.costs(row, picks)
        costs = {pool.rows.names[j]: float(each[j, j]) for j in changed(pool, row, picks)}
        if reached[n]:
            values = pool.values[picks, np.arange(len(picks))]
            found.append(Found(frame.take(np.array([n])), tuple(costs), costs, outputs[n], values))
    return found
