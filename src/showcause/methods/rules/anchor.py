"""rules/anchor: see `compute`.

Formula:
    - Tree ensembles: a set A of the row's facts such that `f(x') is decided as f(x)` for every x' that has A, by bounds
      over the leaves that can be reached; without any one fact of A that is no longer so.
    - Any other model: `P(f(z) is decided as f(x) | A)`, at least `precision`; z takes the cells that A speaks of from
      rows that meet it and all others together from one real row. `low` and `high` bound 95 % (Clopper and Pearson).

Assumes: Other facts may take any value of the stated domain, likely or not (trees), or those of another row (sampled).

Misleads:
    - A proven rule holds for rows that nobody has, too, and so may be longer than people need.
    - A sampled precision is of these mixed rows, not of people; what the draws did not meet may still flip it.
    - Several minimal sets exist, and this is one; a fact that is not named may matter in another.
    - What is absent is the fewest facts found, not the fewest there are: see counterfactual/optimal.

Cost: At most `effort` tree nodes visited a row, or `evaluations` rows asked a row. In a snapshot at most 4 rows, 4
    million nodes, 2,000 evaluations.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from showcause.adapters import sampled
from showcause.adapters.cells import CellView, cell_view
from showcause.adapters.frame import Frame, Rows
from showcause.adapters.games import fitting
from showcause.adapters.goals import goals
from showcause.adapters.model import probabilities
from showcause.adapters.replaced import forest_view
from showcause.adapters.sufficient import Reason, contrast, rows_of, sufficient
from showcause.core import canonical
from showcause.core.errors import NotApplicable, ParameterError, choices
from showcause.core.rules import JOIN, Condition, table_columns
from showcause.kernels.intervals import clopper_pearson
from showcause.methods.method import Job, Result, method, positive

POOL = 1_000  # rows that a sampled rule draws cells from
CHECKS = 256  # rows within a proven rule that the model itself is asked about
CONTRAST = 0.1  # share of a sampled rule's budget for what is absent
PROVEN = "no row that meets the rule is decided otherwise, whatever its other values"


@dataclass
class _Case:
    """One row explained: how it is decided, and the other decision that it is held against."""

    row: int  # in the pool
    number: int  # in the dataset
    outputs: Rows  # (outputs,)
    decided: int | None = None
    other: int | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)


@method(
    "rules/anchor",
    kind="rule",
    version=5,
    after=("examples/representative", "importance/shap", "importance/permutation"),
    in_snapshot={"max_rows": 4, "max_cells": 300, "evaluations": 2_000, "effort": 4_000_000},
)
def compute(
    job: Job,
    *,
    rather_than: str | None = None,
    precision: float = 0.95,
    evaluations: int = 10_000,
    effort: int = 200_000_000,
    tolerance: float | None = None,
    max_rows: int | None = None,
    max_cells: int | None = None,
) -> Result:
    """Which few facts about a case suffice for its decision, and what would another decision need?

    rather_than   the other decision that it is held against; None: the other class, or the runner-up
    precision     of a sampled rule, that it surely has at least
    evaluations   rows that the model is asked about for a row explained, at most (sampled)
    effort        tree nodes visited for a row explained, at most (trees)
    tolerance     of a regression: a decision is to stay within so much of the prediction; None: half the standard
                  deviation of predictions
    max_rows      None, or at most so many rows
    max_cells     None, or at most so many rows × columns

    Tree ensembles, also in Pipelines: a minimal sufficient reason, tightened by branch and bound. `proven`: no row that
    meets the rule is decided otherwise, over the domain of each feature that spec.domain states (numbers: the whole
    line; levels: those seen; missing only where some row lacks it); `precision` is then what the model itself says of
    256 rows within it, mixed from real cells. `minimal`: without any one condition some row is decided otherwise, the
    condition's `witness`, confirmed by the model; false where the effort ran out before that was found. Conditions are
    as wide as can be proven, the least important features let go first.

    Any other model: beam search with KL-LUCB for the widest rule whose precision is surely enough; `precision` is
    measured on draws of its own. Where none is sure the best is shown, with a note.

    Contrastive form: rows of role "absent" are the fewest facts found that would lead to `rather_than`, each while the
    other absent ones hold and the rest stays. `coverage`: share of the rows explained (trees), or of the reference rows
    and those explained, that meet the rule.
    Raises ParameterError for a precision outside of 0 to 1, an unknown class, or a tolerance for classes.
    Source: Ribeiro, Singh & Guestrin 2018 (anchors); Kaufmann & Kalyanakrishnan 2013 (KL-LUCB); Ignatiev et al. 2020
    and 2022; Izza & Marques-Silva 2021; Chinneck & Dravnieks 1991 (deletion filter). Compared with 100,000 draws inside
    each rule.
    """
    positive(evaluations=evaluations, effort=effort, max_rows=max_rows)
    if not 0 < precision < 1:
        raise ParameterError(f"precision must lie between 0 and 1, got {precision}")
    if tolerance is not None and (job.model.classes or tolerance <= 0):
        raise ParameterError(f"tolerance is a positive number for regression models, got {tolerance}")
    other = _class(job, rather_than)
    numbers = job.sample(fitting(max_rows, max_cells, len(job.data.X.names)), include=job.example_rows)
    view = forest_view(job.model, job.data.X)
    spec: dict[str, Any] = {**job.rows_spec(numbers), **job.space, "decision": job.decision.document}
    if len(numbers) < len(job.data):
        spec["cap"] = {"rows": len(numbers), "of": len(job.data)}
    if not job.model.classes:
        tolerance = tolerance or float(np.std(job.outputs)) / 2
        spec["tolerance"] = tolerance
    else:
        spec["rule"] = job.decision.rule
    if view is None:
        found = _sampled(job, numbers, other, precision, evaluations, tolerance or 0.0, spec)
    else:
        cells: CellView = job.once("cells", lambda: cell_view(view, job.data.X, job.data.train))
        if not cells.players:
            raise NotApplicable("no tree asks anything: every case is decided alike")
        found = _proven(job, cells, numbers, other, effort, tolerance or 0.0, spec)
    rows = [row for case in found for row in case.rows]
    columns = table_columns(rows)
    if job.data.ids is not None:
        where = dict(zip(job.data.positions.tolist(), job.data.ids, strict=True))
        columns["id"] = [where[position] for position in columns["example"]]
    return Result(columns, spec)


def _class(job: Job, name: str | None) -> int | None:
    if name is None:
        return None
    if name not in job.model.classes:
        raise ParameterError(f"rather_than: {choices(name, job.model.classes)}")
    return job.model.classes.index(name)


def _cases(job: Job, numbers: Rows, offset: int, outputs: Rows, other: int | None) -> list[_Case]:
    found = []
    for number, of in zip(numbers.tolist(), outputs, strict=True):
        case = _Case(offset + number, number, of)
        if job.model.classes:
            case.decided = int(job.decision.classes(of[None, :])[0])
            by_output = np.argsort(-(probabilities(of[None, :])[0] if len(of) == 1 else of), kind="stable")
            rest = [k for k in by_output.tolist() if k != case.decided]
            case.other = other if other is not None and other != case.decided else rest[0]
        found.append(case)
    return found


def _head(job: Job, case: _Case, conditions: list[Condition], **more: Any) -> dict[str, Any]:
    model = job.model
    row: dict[str, Any] = {
        "rule": int(job.data.positions[case.number]) + 1,
        "condition": None,
        "text": JOIN.join(c.phrase() for c in conditions),
        "example": int(job.data.positions[case.number]),
        "prediction": float(case.outputs[0] if len(case.outputs) == 1 else case.outputs[case.decided or 0]),
        **more,
    }
    if case.decided is not None and case.other is not None:
        row |= {"decision": model.classes[case.decided], "contrast": model.classes[case.other]}
    return row


def _condition(case: _Case, number: int, condition: Condition, role: str, **more: Any) -> dict[str, Any]:
    head = case.rows[0]
    row = {"rule": head["rule"], "example": head["example"], "condition": number, "text": condition.phrase()}
    if role == "absent":
        row["contrast"] = head.get("contrast")
    return {**row, "role": role, **condition.columns, **more}


def _proven(
    job: Job, cells: CellView, numbers: Rows, other: int | None, effort: int, tolerance: float, spec: dict[str, Any]
) -> list[_Case]:
    cases = _cases(job, numbers, cells.offset, job.outputs[numbers], other)
    place = {name: rank for rank, name in enumerate(job.top_features(None))}
    order = sorted(range(len(cells.players)), key=lambda p: -place[cells.players[p].feature])
    mine = slice(cells.offset, cells.offset + len(job.data))
    donors = _donors(job, cells)
    used, unproven = 0, 0
    for done, case in enumerate(cases):
        reason = _reason(job, cells, case, order, effort, tolerance)
        if reason is None:
            why = "it lies on the threshold within rounding: no set of conditions can be proven"
            case.rows = [_head(job, case, [], precision=None, coverage=None, proven=False, note=why)]
            continue
        used += reason.visited
        unproven += not reason.minimal
        _write_reason(job, cells, case, reason, mine, _keeps(job, case, tolerance))
        if case.other is not None and case.decided is not None:
            _write_contrast(job, cells, case, donors[case.other])
        job.tick((done + 1) / len(cases))
    spec |= {
        "proof": PROVEN,
        "domain": {player.feature: player.domain for player in cells.players},
        "effort": {"nodes_visited": used, "limit_per_row": effort, "not_proven_minimal": unproven},
        "checked": {"rows_within_each_rule": CHECKS, "by": "the model"},
        "coverage_of": "the rows explained",
        "notes": _notes(unproven, len(cases)),
    }
    return cases


def _notes(unproven: int, of: int) -> list[str]:
    if not unproven:
        return []
    return [f"For {unproven} of {of} cases the effort ran out before every condition was shown to be needed."]


def _donors(job: Job, cells: CellView) -> list[Rows]:
    """For each class the pool rows that are decided so."""
    if not job.model.classes:
        return []
    outputs = job.outputs if cells.offset == 0 else np.concatenate([job.train_outputs, job.outputs])
    decided = job.decision.classes(outputs)
    return [np.flatnonzero(decided == k) for k in range(len(job.model.classes))]


def _wanted(case: _Case, tolerance: float) -> int | tuple[float, float]:
    if case.decided is not None:
        return case.decided
    return (float(case.outputs[0]) - tolerance, float(case.outputs[0]) + tolerance)


def _keeps(job: Job, case: _Case, tolerance: float) -> Any:
    """Rows → whether the model decides them as the case."""

    def keeps(frame: Frame) -> Rows:
        outputs = job.model.predict(frame)
        if case.decided is None:
            return np.asarray(np.abs(outputs[:, 0] - case.outputs[0]) <= tolerance)
        return np.asarray(job.decision.classes(outputs) == case.decided)

    return keeps


def _reason(job: Job, cells: CellView, case: _Case, order: list[int], effort: int, tolerance: float) -> Reason | None:
    wanted = goals(cells.view, _wanted(case, tolerance), job.decision.threshold)
    return sufficient(cells, case.row, wanted, _keeps(job, case, tolerance), order, effort)


def _write_reason(job: Job, cells: CellView, case: _Case, reason: Reason, mine: slice, keeps: Any) -> None:
    conditions = reason.conditions
    covered = reason.covers(mine)
    right = keeps(_within(cells, reason, job.rng("anchor", case.number)))
    case.rows = [
        _head(
            job,
            case,
            [c for _, c in conditions],
            precision=float(right.mean()),
            coverage=float(covered.mean()),
            count=int(covered.sum()),
            proven=bool(right.all()),
            minimal=reason.minimal,
        )
    ]
    witness = _witnesses(cells, case, reason)
    for number, (player, condition) in enumerate(conditions, 1):
        case.rows.append(_condition(case, number, condition, "present", witness=witness.get(player)))


def _within(cells: CellView, reason: Reason, rng: np.random.Generator) -> Frame:
    """Rows of real cells that meet the rule, every feature on its own."""
    picks = np.full((CHECKS, len(cells.pool.names)), reason.row)
    for number, player in enumerate(cells.players):
        mask = reason.mask(number)
        able = np.arange(len(cells.pool)) if mask.all() else np.flatnonzero(mask[player.at])
        picks[:, player.position] = able[rng.integers(len(able), size=CHECKS)]
    return cells.pool.gather(picks)


def _witnesses(cells: CellView, case: _Case, reason: Reason) -> dict[int, str]:
    """Player → what of its witness differs from the case, as canonical JSON."""
    if not reason.witness:
        return {}
    at = np.stack(list(reason.witness.values()))
    frame, moved = rows_of(cells, case.row, at), at != cells.of([case.row])
    said = {}
    for row, player in enumerate(reason.witness):
        changed = [p.feature for p, differs in zip(cells.players, moved[row], strict=True) if differs]
        said[player] = canonical.dumps({name: _cell(frame, name, row) for name in changed}).decode()
    return said


def _cell(frame: Frame, name: str, row: int) -> float | str | None:
    at, level = frame.column(name).cells(np.array([row]))
    return level[0] if level[0] is not None else None if np.isnan(at[0]) else float(at[0])


def _write_contrast(job: Job, cells: CellView, case: _Case, donors: Rows) -> None:
    assert case.other is not None
    wanted = goals(cells.view, case.other, job.decision.threshold)

    def leads(frame: Frame) -> Rows:
        return np.asarray(job.decision.classes(job.model.predict(frame)) == case.other)

    for _, condition, _ in contrast(cells, case.row, wanted, donors, leads):
        case.rows.append(_condition(case, len(case.rows), condition, "absent"))


def _sampled(
    job: Job,
    numbers: Rows,
    other: int | None,
    precision: float,
    evaluations: int,
    tolerance: float,
    spec: dict[str, Any],
) -> list[_Case]:
    mine = job.data.X.take(numbers)
    reference = job.background(POOL)
    share = max(1, evaluations * len(numbers) // 5)
    if len(reference) > share:
        reference = reference.take(np.sort(job.rng("anchor reference").choice(len(reference), share, replace=False)))
    pool = reference.stack(mine)
    outputs = job.model.predict(pool)
    cases = _cases(job, numbers, 0, outputs[len(reference) :], other)
    left = evaluations - -(-len(pool) // len(numbers))
    used, unsure = [], 0
    for done, case in enumerate(cases):
        case.row = len(reference) + done
        keeps = _keeps(job, case, tolerance)
        rng = job.rng("anchor", case.number)
        aside = int(left * CONTRAST) if case.other is not None else 0
        rule = sampled.anchor(pool, case.row, keeps, rng, precision, max(1, left - aside))
        _write_sampled(job, case, rule, precision)
        asked = _sampled_contrast(job, pool, case, outputs, aside) if aside else 0
        used.append(rule.evaluations + asked)
        unsure += not rule.reached
        job.tick((done + 1) / len(cases))
    spec |= {
        **job.background_spec(reference),
        "evaluations": {"limit_per_row": evaluations, "used": used, "shared": len(pool)},
        "precision": {"wanted": precision, "bound": "Clopper and Pearson, 95 %, on draws of its own"},
        "coverage_of": "the reference rows and those explained",
        "notes": [f"For {unsure} of {len(cases)} cases no rule was surely that precise: the best is shown."]
        if unsure
        else [],
    }
    return cases


def _write_sampled(job: Job, case: _Case, rule: sampled.Anchor, precision: float) -> None:
    low, high = clopper_pearson(rule.hits, rule.draws)
    head = _head(
        job,
        case,
        list(rule.conditions),
        precision=rule.hits / rule.draws if rule.draws else None,
        coverage=rule.coverage,
        count=rule.draws,
        low=low,
        high=high,
        noise="monte-carlo",
        proven=False,
        note=None if rule.reached else f"not surely right in {precision:.0%} of cases",
    )
    case.rows = [head]
    for number, condition in enumerate(rule.conditions, 1):
        case.rows.append(_condition(case, number, condition, "present"))


def _sampled_contrast(job: Job, pool: Frame, case: _Case, outputs: Rows, budget: int) -> int:
    donors = np.flatnonzero(job.decision.classes(outputs) == case.other)
    if not len(donors):
        return 0

    def room(frame: Frame) -> Rows:
        given = job.model.predict(frame)
        right = job.decision.classes(given) == case.other
        share = probabilities(given) if given.shape[1] == 1 and job.model.space == "probability" else given
        sure = share[:, case.other] if share.shape[1] > 1 else share[:, 0] * (1 if case.other == 1 else -1)
        return np.where(right, 1.0 + sure - sure.min(), -1.0)

    found, asked = sampled.contrast(pool, case.row, donors, room, budget)
    for feature, donor in found:
        value = _cell(pool, feature, donor)
        if isinstance(value, str):
            condition = Condition(feature, levels=(value,))
        else:
            condition = Condition(feature, at_least=value, up_to=value, missing=value is None)
        case.rows.append(_condition(case, len(case.rows), condition, "absent"))
    return asked
