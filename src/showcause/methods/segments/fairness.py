"""segments/fairness: see `compute`.

Formula:
    - Of each level: `selection_rate` = decided for the favourable outcome / rows; `true_positive_rate` the same among
      those it came out favourable for, `false_positive_rate` among the others; `accuracy`, `base_rate` = came out
      favourable / rows.
    - Between levels: `demographic_parity_difference` and `disparate_impact`, the highest selection rate less the lowest
      and the lowest over the highest; `equal_opportunity_difference` of true positive rates;
      `equalized_odds_difference`, the larger of the differences of true and of false positive rates.

Assumes: The protected attribute is recorded as it should be, and labels mean the same in each group.

Misleads:
    - Measures contradict each other, and none says that a difference is just or unjust; labels may carry the bias that
      is looked for.
    - Among more than two levels the two furthest apart were picked: some difference is there by chance, and its
      interval does not know of the choice.
    - A rate that rests on few rows (see `note`) may be anything; who is left out below 30 rows is not proven to be
      treated alike.

Cost: Counts of decisions for each group.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from showcause.adapters.dataset import MIN_CELL, Segment
from showcause.adapters.frame import Rows
from showcause.core.errors import NotApplicable
from showcause.kernels import intervals
from showcause.methods.method import Job, Result, method

INTERVALS = {
    "rates": "Wilson",
    "differences": "Newcombe's method 10, of the two levels furthest apart",
    "disparate_impact": "Katz, of the two levels furthest apart",
    "mean_prediction, mean_residual": "Student's t; differences: Welch, of the two levels furthest apart",
}
FEW = "rests on {} rows"


@dataclass(frozen=True)
class Line:
    """One row of the table; `by` alone is a comparison of its levels."""

    by: str
    level: str | None
    metric: str
    value: float = np.nan
    low: float = np.nan
    high: float = np.nan
    count: int = 0
    reference: float = np.nan
    note: str | None = None


@dataclass(frozen=True)
class Outcome:
    """selected: decided for the favourable class; deserved: it came out so (None without labels); both (rows,)."""

    selected: Rows
    deserved: Rows | None

    def rates(self) -> dict[str, tuple[Rows, Rows]]:
        """metric → (rows that count as hits, rows among which they count)."""
        everybody = np.ones(len(self.selected), dtype=bool)
        found = {"selection_rate": (self.selected, everybody)}
        if self.deserved is not None:
            found |= {
                "true_positive_rate": (self.selected, self.deserved),
                "false_positive_rate": (self.selected, ~self.deserved),
                "accuracy": (self.selected == self.deserved, everybody),
                "base_rate": (self.deserved, everybody),
            }
        return found


@method("segments/fairness", kind="score", needs=("protected",))
def compute(job: Job) -> Result:
    """Does the model treat people of different protected groups alike?

    `reference` of a level is the same over all rows, between levels parity: 0, of disparate_impact 1. Comparisons stand
    under the column's own name as segment. The favourable outcome is the decision's; with more than two classes it
    stands against the rest. Regression: mean_prediction, mean_residual (actual - predicted) and their differences.
    Differences and ratios are fairlearn's; 95 % intervals in spec.intervals. Levels below 30 rows are null, say
    "insufficient: N rows" and take no part between levels, nor do missing values. Without labels: selection alone.
    Raises NotApplicable where more than two classes have no favourable one.
    Source: Hardt, Price & Srebro 2016; fairlearn's definitions; Wilson 1927, Newcombe 1998 (method 10), Katz, Baptista,
    Azen & Pike 1978. Compared with fairlearn.
    """
    data = job.data
    lines: list[Line] = []
    spec: dict[str, Any] = {"intervals": INTERVALS, "minimum": MIN_CELL, "protected": list(data.protected)}
    notes = []
    if data.y is None:
        notes.append("No labels were given: only what is decided is compared, not whether it is right.")
    if job.model.classes:
        outcome = _outcome(job)
        notes.append(
            "A disparate impact below 0.8 is commonly held to need a reason (the four-fifths rule, EEOC 1978)."
        )
        spec |= {"decision": job.decision.document, "rule": job.decision.rule, "favourable": _favourable(job)}
    for by in data.protected:
        segments = list(data.split(by))
        if job.model.classes:
            lines += _levels(segments, outcome)
            lines += _between(by, _judged(segments), outcome)
        else:
            lines += _regression(job, by, segments)
        if any(segment.missing for segment in segments):
            notes.append(f"Rows without a value of {by} stand apart and take no part between levels.")
        if left_out := [s.level for s in segments if s.insufficient and not s.missing]:
            notes.append(f"Between the levels of {by}, {', '.join(left_out)} are left out: too few rows.")
        if len(_judged(segments)) > 2:
            notes.append(f"{by} has more than two levels: intervals are not widened for having picked the extremes.")
    return Result(_columns(lines), {**spec, "notes": notes})


def _favourable(job: Job) -> str:
    chosen = job.decision.favourable or (job.model.classes[1] if job.model.binary else None)
    if chosen is None:
        raise NotApplicable(
            f"no favourable outcome was declared; give favourable= one of {', '.join(job.model.classes[:12])}"
        )
    return chosen


def _outcome(job: Job) -> Outcome:
    wanted = job.model.classes.index(_favourable(job))
    deserved = None if job.data.y is None else job.data.y == wanted
    return Outcome(job.decision.classes(job.outputs) == wanted, deserved)


def _judged(segments: Iterable[Segment]) -> list[Segment]:
    return [segment for segment in segments if not segment.insufficient and not segment.missing]


def _levels(segments: list[Segment], outcome: Outcome) -> list[Line]:
    lines = []
    for segment in segments:
        size = len(segment.rows)
        for metric, (hits, among) in outcome.rates().items():
            overall = float(hits[among].mean()) if among.any() else np.nan
            base = Line(segment.by, segment.level, metric, count=size, reference=overall)
            if segment.insufficient:
                lines.append(replace(base, note=segment.insufficient))
                continue
            inside = among[segment.rows]
            x, n = int(hits[segment.rows][inside].sum()), int(inside.sum())
            if not n:
                lines.append(replace(base, note="undefined: " + FEW.format(0)))
                continue
            low, high = intervals.wilson(x, n)
            few = FEW.format(n) if n < MIN_CELL else None
            lines.append(replace(base, value=x / n, low=low, high=high, note=few))
    return lines


def _between(by: str, segments: list[Segment], outcome: Outcome) -> list[Line]:
    """Comparisons of the levels: fairlearn's value, the interval of the pair of levels that makes it."""
    from fairlearn import metrics as fairlearn

    rates = outcome.rates()
    selection = _spread(segments, *rates["selection_rate"], fairlearn.selection_rate)
    names = ["demographic_parity_difference", "disparate_impact"]
    found = [_difference(selection), _ratio(selection)]
    if outcome.deserved is not None:
        true = _difference(_spread(segments, *rates["true_positive_rate"], fairlearn.true_positive_rate))
        false = _difference(_spread(segments, *rates["false_positive_rate"], fairlearn.false_positive_rate))
        names += ["equal_opportunity_difference", "equalized_odds_difference"]
        found += [true, _larger(true, false)]
    rows = sum(len(segment.rows) for segment in segments)
    parity = {"disparate_impact": 1.0}
    return [
        Line(by, None, name, value, low, high, rows, parity.get(name, 0.0), note)
        for name, (value, low, high, note) in zip(names, found, strict=True)
    ]


Found = tuple[float, float, float, str]  # value, low, high, note


@dataclass(frozen=True)
class Spread:
    """The lowest and the highest of the levels' rates as (level, hits, rows), and their difference and ratio."""

    lowest: tuple[str, int, int]
    highest: tuple[str, int, int]
    difference: float
    ratio: float

    @property
    def words(self) -> str:
        (a, x, n), (b, y, m) = self.lowest, self.highest
        few = f"; {FEW.format(min(n, m))}" if min(n, m) < MIN_CELL else ""
        return f"lowest {a} ({x} of {n}), highest {b} ({y} of {m}){few}"


def _spread(segments: list[Segment], hits: Rows, among: Rows, metric: Any) -> Spread | str:
    """The spread of hits / among over levels by fairlearn's MetricFrame, or why there is none."""
    from fairlearn.metrics import MetricFrame

    cells = {s.level: s.rows[among[s.rows]] for s in segments}
    cells = {level: rows for level, rows in cells.items() if len(rows)}
    if len(cells) < 2:
        return f"needs two levels that have at least {MIN_CELL} rows and this rate; there are {len(cells)}"
    levels, rows = list(cells), np.concatenate(list(cells.values()))
    where = np.repeat(np.arange(len(levels)), [len(cell) for cell in cells.values()])
    actual = np.full(len(rows), 0 if metric.__name__.startswith("false") else 1)  # `among` has chosen the rows
    frame = MetricFrame(metrics=metric, y_true=actual, y_pred=hits[rows].astype(int), sensitive_features=where)
    counts = [(level, int(hits[cell].sum()), len(cell)) for level, cell in cells.items()]
    shares = frame.by_group.sort_index().to_numpy(dtype=np.float64)
    return Spread(
        counts[int(shares.argmin())], counts[int(shares.argmax())], float(frame.difference()), float(frame.ratio())
    )


def _difference(spread: Spread | str) -> Found:
    if isinstance(spread, str):
        return np.nan, np.nan, np.nan, spread
    _, low, high = intervals.newcombe(*spread.highest[1:], *spread.lowest[1:])
    return spread.difference, low, high, spread.words


def _ratio(spread: Spread | str) -> Found:
    if isinstance(spread, str):
        return np.nan, np.nan, np.nan, spread
    _, low, high = intervals.katz(*spread.lowest[1:], *spread.highest[1:])
    if not spread.highest[1]:
        return np.nan, np.nan, np.nan, "undefined: nobody of any level is decided for the favourable outcome"
    return spread.ratio, low, high, spread.words


def _larger(true: Found, false: Found) -> Found:
    for found in (true, false):
        if np.isnan(found[0]):
            return found
    word, (value, low, high, note) = ("true", true) if true[0] >= false[0] else ("false", false)
    return value, low, high, f"{word} positive rates: {note}"


def _regression(job: Job, by: str, segments: list[Segment]) -> list[Line]:
    measures = {"mean_prediction": job.outputs[:, 0]}
    if job.data.y is not None:
        measures["mean_residual"] = job.data.y - job.outputs[:, 0]
    lines = []
    judged = _judged(segments)
    for segment in segments:
        for metric, values in measures.items():
            base = Line(by, segment.level, metric, count=len(segment.rows), reference=float(values.mean()))
            if segment.insufficient:
                lines.append(replace(base, note=segment.insufficient))
                continue
            value, low, high = intervals.mean(values[segment.rows])
            lines.append(replace(base, value=value, low=low, high=high))
    rows = sum(len(segment.rows) for segment in judged)
    for metric, values in measures.items():
        base = Line(by, None, f"{metric}_difference", count=rows, reference=0.0)
        if len(judged) < 2:
            lines.append(replace(base, note=f"needs two levels of at least {MIN_CELL} rows; there are {len(judged)}"))
            continue
        means = [float(values[segment.rows].mean()) for segment in judged]
        top, bottom = judged[int(np.argmax(means))], judged[int(np.argmin(means))]
        value, low, high = intervals.mean_difference(values[top.rows], values[bottom.rows])
        note = f"lowest {bottom.level} ({len(bottom.rows)} rows), highest {top.level} ({len(top.rows)} rows)"
        lines.append(replace(base, value=value, low=low, high=high, note=note))
    return lines


def _columns(lines: list[Line]) -> dict[str, Any]:
    names = ("by", "level", "metric", "value", "low", "high", "count", "reference", "note")
    columns: dict[str, Any] = {name: [getattr(line, name) for line in lines] for name in names}
    columns["segment"] = [line.by if line.level is None else f"{line.by} = {line.level}" for line in lines]
    columns["noise"] = ["rows" if line.low == line.low else None for line in lines]
    return columns
