"""reasons/cutoff: see `compute`.

Formula:
    - `value_j`: the Shapley value of column j for the score of the row, against reference rows; they sum to
      `prediction - base`, the row's score less the mean score of the reference.
    - Reference: up to `reference_rows` rows decided favourably, those with the smallest `|output - threshold|` (of more
      than two classes the smallest lead); dealt out in turn to eight folds (under 16 rows each is one by itself),
      against each of which the values are known.
    - `error = sd over folds / √8` (divided by 7). Two columns tie where `|mean difference| ≤ 2.36 · its error`,
      Student's t with 7 degrees of freedom.
    - A reason is a value that speaks for the decision, more than 2.36 errors from zero and at least 5 % of the row's
      largest; where none is, the largest alone.

Assumes: Those who just got the favourable decision are the fair comparison, and there are enough of them near the
    cutoff.

Misleads:
    - Where few rows were decided favourably, the reference is all of them and not near the cutoff: see spec.population.
    - A person who got the favourable decision by little may have no reason at all, all columns being worse than usual
      in the reference.
    - Reasons say how the model counted, not what causes what, and contributions are in its additive output (log-odds of
      boosted trees and logistic regression).
    - Of columns that go together another training may name the other one: see refits/reasons.

Cost: Eight sweeps of an attribution over 12 reference rows each, microseconds a row for trees and linear models. Of any
    other model 96 · 2^p evaluations a row up to ten columns p, 192 · p beyond. In a snapshot at most 200 rows, 15,000
    cells, 100 million visits and 500,000 evaluations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from showcause.adapters.dataset import PRIVATE_ROWS
from showcause.adapters.frame import Frame, Rows
from showcause.adapters.games import attribution_columns, fitting
from showcause.adapters.kept import TIMES, pack
from showcause.adapters.reasons import (
    FOLDS,
    REFERENCE_ROWS,
    Engine,
    Usual,
    beyond,
    contrast,
    engine_of,
    split,
    usual,
)
from showcause.core import canonical
from showcause.core.artifact import Artifact
from showcause.core.errors import NotApplicable, ParameterError
from showcause.core.kinds import build
from showcause.kernels.reasons import MATERIAL, folds_of, nearest, rank
from showcause.methods.method import Job, Result, method

FEWEST_ROWS = 12  # within a budget of evaluations: rather these with a smaller reference, or fewer orders, than fewer
FEWEST_REFERENCE = 24
FEWEST_PAIRS = 2
NEAR = "rows just beyond the cutoff, on the favourable side"
ALL = "a sample of all rows"


@dataclass(frozen=True)
class Reference:
    """`rows` are positions in `pool`; `rule` says which rows they are."""

    pool: Frame
    rows: Rows
    rule: str

    @property
    def frame(self) -> Frame:
        return self.pool.take(self.rows)


@method(
    "reasons/cutoff",
    kind="attribution",
    after=("examples/representative",),
    in_snapshot={"max_rows": 200, "max_cells": 15_000, "max_visits": 100_000_000, "evaluations": 500_000},
)
def compute(
    job: Job,
    *,
    reasons: int = 4,
    reference_rows: int = REFERENCE_ROWS,
    max_rows: int | None = None,
    max_cells: int | None = None,
    max_visits: int | None = None,
    evaluations: int | None = None,
) -> Result:
    """Why did each row get its decision, against rows that just got the favourable one?

    reasons          at most so many of a row; columns that tie share their rank
    reference_rows   of the reference population, at most; 5 at least
    max_rows         None, or at most so many rows
    max_cells        None, or at most so many rows × columns
    max_visits       None, or at most so many rows × leaves × folds
    evaluations      None, or at most about so many of the model: first fewer rows (12 at least), then a smaller
                     reference or fewer orders

    The score is the output of the favourable class; of more than two classes its lead over the class decided for;
    without a favourable class, or for regression, the class decided for or the prediction, against a sample of all
    rows. Reference rows are training rows (else rows of X). Exact for forests and linear models, in their additive
    output; else coalitions are counted (up to ten columns) or random orders sampled, in the model's own output.

    `rank` (1 … `reasons`) numbers the columns that speak for the decision; equal ranks are ties. `error` is what other
    such reference rows would give. `reference` is what is usual in the reference (never one row's own value; see the
    spec's k), `side` how the row lies to it. The blob "reference" holds the reference rows, unless the policy keeps
    none.
    Raises NotApplicable where fewer than five rows were decided favourably.
    Source: Shapley 1953; Lundberg et al. 2020; the cutoff as reference after 12 CFR 1002.9(b)(2) (Regulation B), which
    asks for the principal reasons, and its commentary: no more than four are likely to help. Compared with 2^p
    enumeration.
    """
    if reasons < 1 or reference_rows < PRIVATE_ROWS:
        raise ParameterError(f"reasons must be at least 1 and reference_rows at least {PRIVATE_ROWS}")
    engine = engine_of(job.model, job.data.X)
    limit = fitting(max_rows, max_cells, len(job.data.X.names))
    rows, size, engine = _within(job, engine, reference_rows, limit, max_visits, evaluations)
    chosen = reference(job, size)
    explained = job.data.X if len(rows) == len(job.data) else job.data.X.take(rows)
    found = explain_rows(job, engine, explained, job.outputs[rows], split(chosen.frame), reasons)
    held = {name: _usual(job, chosen, name) for name in job.data.X.names}
    columns = attribution_columns(
        job.data, rows, (None,), (found.phi[:, :, None], found.base[:, None], found.prediction[:, None]), None
    )
    columns |= _further(job, explained, found, held)
    data, kinds = pack(chosen.frame)
    spec = _spec(job, engine, rows, chosen, kinds, found)
    spec["reasons"] = reasons
    spec["behaviour"] = behaviour(job.model.predict(chosen.frame))
    return Result(columns, spec, {"reference": data})


@dataclass(frozen=True)
class Explained:
    """phi, error (rows, features); base, prediction, score (rows,); places (rows, features), 0 where no reason; order
    (rows, reasons) the features that are, -1 where there are fewer, and their places; `more` (rows,): one left out
    weighs as much as the last; `targets`: the class that the score is of, None in regression;
    decided (rows,) positions of classes, None in regression."""

    phi: Rows
    error: Rows
    base: Rows
    prediction: Rows
    score: Rows
    places: Rows
    order: Rows
    places_in_order: Rows
    more: Rows
    targets: list[str] | None
    decided: Rows | None


def explain_rows(job: Job, engine: Engine, rows: Frame, outputs: Rows, folds: list[Frame], reasons: int) -> Explained:
    """Contributions and ranks of rows with these outputs of the model, against the folds of a reference."""
    model = job.model
    favourable = favourable_class(job)
    decided = job.decision.classes(outputs) if model.classes else None
    weights = contrast(model, outputs, decided, favourable)
    made = engine.values(rows, folds, engine.pairs, job.tick)
    each = np.einsum("gnpk,nk->gnp", made.phi, weights) if weights.shape[1] > 1 else made.phi[..., 0] * weights[None]
    phi = each.mean(axis=0)
    if decided is None:
        toward = each * np.where(phi < 0, -1.0, 1.0)
    else:
        wanted = np.ones(len(decided)) if favourable is None else np.where(decided == favourable, 1.0, -1.0)
        toward = each * wanted[None, :, None]
    ranking = rank(toward, reasons)
    places = np.zeros(phi.shape, dtype=np.int64)
    row, slot = np.nonzero(ranking.order >= 0)
    places[row, ranking.order[row, slot]] = ranking.place[row, slot]
    targets = None
    if decided is not None:
        targets = [model.classes[c] for c in (decided if favourable is None else np.full(len(decided), favourable))]
    return Explained(
        phi,
        ranking.error,
        (made.base.mean(axis=0)[None] * weights).sum(axis=1),
        (made.predictions * weights).sum(axis=1),
        score(job, outputs, decided),
        places,
        ranking.order,
        ranking.place,
        ranking.more,
        targets,
        decided,
    )


def favourable_class(job: Job) -> int | None:
    """Its position; of two classes the second where none was named; None where there is none to hope for."""
    if job.decision.favourable in job.model.classes:
        return job.model.classes.index(str(job.decision.favourable))
    return 1 if job.model.binary else None


def score(job: Job, outputs: Rows, decided: Rows | None) -> Rows:
    """(rows,) the model's own output: of the favourable class, of the class decided for, or the prediction."""
    if outputs.shape[1] > 1:
        wanted = favourable_class(job)
        assert decided is not None
        return np.asarray(outputs[np.arange(len(outputs)), decided if wanted is None else wanted])
    if job.model.binary and favourable_class(job) == 0:
        return np.asarray(1 - outputs[:, 0] if job.model.space == "probability" else -outputs[:, 0])
    return np.asarray(outputs[:, 0])


def behaviour(outputs: Rows) -> str:
    """Digest of what the model answers for the reference rows, to nine digits: the identity of an opaque model."""
    return canonical.digest(canonical.dumps([f"{value:.9g}" for value in outputs.ravel()]))


def reference(job: Job, size: int) -> Reference:
    """The population that rows are compared with. Raises NotApplicable where too few rows got the favourable one."""
    trained = job.data.train is not None
    pool = job.data.train if job.data.train is not None else job.data.X
    favourable = favourable_class(job)
    if favourable is None:
        order = job.rng("reasons").permutation(len(pool)).astype(np.float64)
        rows, rule = np.sort(nearest(order, size, FOLDS)), ALL
    else:
        outputs = job.train_outputs if trained else job.outputs
        away = beyond(job.model, outputs, job.decision.classes(outputs), favourable, job.decision.threshold)
        rows, rule = nearest(away, size, FOLDS), NEAR
    if len(rows) < PRIVATE_ROWS:
        raise NotApplicable(
            f"{len(rows)} of {len(pool)} rows were decided favourably; a reference needs at least {PRIVATE_ROWS}"
        )
    return Reference(pool, rows, rule)


def reference_of(job: Job, size: int) -> Frame:
    """The rows of `reference`, for whoever has the training rows and not the reference. Raises NotApplicable."""
    return reference(job, size).frame


def artifact_of(job: Job, artifact: Artifact, found: Explained, usual: Mapping[str, Usual]) -> Artifact:
    """Reasons of further rows (`job.data`), as an artifact with the spec of the snapshot's own."""
    rows = np.arange(len(job.data))
    columns = attribution_columns(
        job.data, rows, (None,), (found.phi[:, :, None], found.base[:, None], found.prediction[:, None]), None
    )
    columns |= _further(job, job.data.X, found, dict(usual))
    spec = {**artifact.spec, **job.rows_spec()}
    return Artifact(artifact.name, artifact.kind, spec, build(artifact.kind, columns), {}, artifact.dictionary)


def _within(
    job: Job, engine: Engine, size: int, limit: int | None, visits: int | None, budget: int | None
) -> tuple[Rows, int, Engine]:
    """Row numbers explained, the size of the reference, and the engine, within the limits on rows, on leaves visited
    and on evaluations of the model: rows give way first, then the reference, then the orders sampled."""
    n = min(len(job.data), limit or len(job.data))
    if visits is not None and engine.leaves:
        n = min(n, max(1, visits // (engine.leaves * FOLDS)))
    if budget is not None and engine.cost(size):
        n = min(n, max(FEWEST_ROWS, budget // engine.cost(size)))
        if n * engine.cost(size) > budget and engine.pairs:
            size = min(size, FEWEST_REFERENCE)
            pairs = budget // (n * engine.cost(size) // engine.pairs)
            engine = replace(engine, pairs=min(engine.pairs, max(FEWEST_PAIRS, pairs)))
        elif n * engine.cost(size) > budget:
            size = min(size, max(FEWEST_REFERENCE, budget // (n * engine.cost(1))))
    return job.sample(n, include=job.example_rows), size, engine


def _usual(job: Job, chosen: Reference, name: str) -> Usual:
    coded = bool(job.data.features.get(name, {}).get("values"))
    return replace(usual(chosen.pool.column(name), chosen.rows, coded=coded), coded=coded)


def _further(job: Job, rows: Frame, found: Explained, held: dict[str, Usual]) -> dict[str, Any]:
    """The columns that only this method has."""
    n, p = found.phi.shape
    names = rows.names
    columns: dict[str, Any] = {
        "error": found.error.ravel(),
        "noise": "rows",
        "score": np.repeat(found.score, p),
        "rank": [place or None for place in found.places.ravel().tolist()],
        "side": np.stack([held[name].side(rows.column(name)) for name in names], axis=1).ravel().tolist(),
        "reference": [held[name].number for name in names] * n,
        "reference_level": [held[name].level for name in names] * n,
        "note": _notes(found),
    }
    if found.targets is not None and found.decided is not None:
        columns["target"] = np.repeat(np.array(found.targets, dtype=object), p).tolist()
        decided = np.array(job.model.classes, dtype=object)[found.decided]
        columns["decision"] = np.repeat(decided, p).tolist()
    return columns


def _notes(found: Explained) -> list[str | None]:
    """Beside the last reason of a row, where another that was left out weighs as much."""
    notes = np.full(found.phi.shape, None, dtype=object)
    last = found.places.max(axis=1, keepdims=True)
    notes[(found.places == last) & (last > 0) & found.more[:, None]] = MORE
    return list(notes.ravel().tolist())


MORE = "another column weighs as much"


def _spec(
    job: Job, engine: Engine, rows: Rows, chosen: Reference, kinds: dict[str, str], found: Explained
) -> dict[str, Any]:
    residual = np.abs(found.phi.sum(axis=1) + found.base - found.prediction)
    favourable = favourable_class(job)
    source = "train" if job.data.train is not None else "X"
    protected = [name for name in job.data.X.names if name in job.data.protected]
    return {
        **job.rows_spec(rows),
        "space": engine.space,
        "link": engine.link,
        "game": "interventional",
        "players": "raw columns",
        "estimator": engine.name,
        **({"orders": 2 * engine.pairs * FOLDS} if engine.pairs else {}),
        "background": {"count": len(chosen.rows), "digest": job.digest_of(chosen.frame), "source": source},
        "population": {"rule": chosen.rule, "of": len(chosen.pool), "folds": len(folds_of(len(chosen.rows), FOLDS))},
        "favourable": None if favourable is None else job.model.classes[favourable],
        "decision": job.decision.document,
        "material": MATERIAL,
        "k": PRIVATE_ROWS,
        "kinds": kinds,
        "times": [name for name, kind in kinds.items() if kind in TIMES],
        "protected": protected,
        "additivity": {"max": residual.max(), "mean": residual.mean()},
        "notes": [f"{name}: protected, and the model uses it as an input." for name in protected],
    }
