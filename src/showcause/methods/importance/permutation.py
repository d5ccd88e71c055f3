"""importance/permutation: see `compute`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from showcause.adapters.frame import Rows
from showcause.adapters.replaced import Change, against_unchanged
from showcause.core.errors import NotApplicable, ParameterError
from showcause.core.table import to_arrow
from showcause.kernels.loss import loss_name, row_losses, second_losses, second_name
from showcause.kernels.ranks import LEVEL, interval, rank_bounds
from showcause.kernels.shuffle import Tally, circular_donors, tally
from showcause.methods.method import Job, Result, method

ERROR = (
    "one standard error over rows, both as the rows predicted and as the rows that values are taken from, with the "
    "Monte Carlo noise of the shuffles in it; low and high are Student's t at 95 %"
)
SHUFFLE = (
    "one random circle of the rows, shared by all features; in repeat r each row takes the value of the row r places on"
)


@method(
    "importance/permutation",
    kind="importance",
    version=2,
    needs=("labels",),
    in_snapshot={"predictions": 500_000},
)
def compute(job: Job, *, repeats: int = 5, predictions: int | None = None) -> Result:
    """How much worse do predictions get when one column is shuffled among the rows?

    repeats       shuffles of each column (at most one less than there are rows)
    predictions   None, or at most about this many predicted rows: then fewer repeats (down to 2), then fewer rows, a
                  seeded sample; the spec says so

    `value` is the mean over rows and repeats of loss(shuffled) - loss(as it was): log-loss for probabilities (nats),
    squared error for regression (squared units), error rate for scores; for a linear model under squared error it
    tends to 2 · coefficient² · variance. `error_rate` or `absolute_error` is the mean increase of that. Whole raw
    columns move, and no row keeps its own value. `error` covers the rows, as receivers and as donors, and the Monte
    Carlo choice of donors (kernels/shuffle.py); the spec's monte_carlo_error is the latter alone. `rank_low` and
    `rank_high` bound each feature's rank, for all features at once at 95 % (kernels/ranks.py): equal ones are verified.
    The blob row_loss_differences is an Arrow file (rows × features, means over repeats) in the order of row_positions.
    Source: Breiman 2001; Fisher, Rudin & Dominici 2019 (model reliance, difference form). Compared with scikit-learn.
    Raises NotApplicable for a single row, ParameterError for repeats or predictions below one.
    """
    rows, times = affordable(job, len(job.data.X.names), repeats, predictions)
    names = job.data.X.names
    first, second = _tallies(job, rows, times)
    order = np.argsort(-first.value, kind="stable")
    low, high = interval(first.value, first.error, len(rows))
    rank_low, rank_high = rank_bounds(first.value, first.pair_variance, len(rows))
    columns = {
        "feature": [names[j] for j in order],
        "value": first.value[order],
        "low": low[order],
        "high": high[order],
        "error": first.error[order],
        "noise": "rows",
        second_name(job.model.space): second[order],
        "rank_low": rank_low[order],
        "rank_high": rank_high[order],
    }
    space = job.model.space
    spec = {
        "loss": loss_name(space),
        "space": "loss",
        "repeats": times,
        "shuffle": SHUFFLE,
        "errors": ERROR,
        "monte_carlo_error": dict(zip(names, first.monte_carlo_error, strict=True)) if times > 1 else None,
        "ranks": {"test": "paired t on row-level differences, two-sided, Holm", "level": LEVEL},
        **job.rows_spec(rows),
    }
    if notes := _notes(job, rows, times, repeats):
        spec["notes"] = notes
    blobs = {
        "row_loss_differences": to_arrow(pa.table({name: first.rows[:, j] for j, name in enumerate(names)})),
        "row_positions": to_arrow(pa.table({"position": job.data.positions[rows].astype(np.int64)})),
    }
    return Result(columns, spec, blobs)


def affordable(job: Job, features: int, repeats: int, predictions: int | None) -> tuple[Rows, int]:
    """(rows, repeats) within the budget: row numbers in ascending order, at least 100 of them where there are."""
    if repeats < 1 or (predictions is not None and predictions < 1):
        raise ParameterError(f"repeats and predictions must be at least 1, got {repeats} and {predictions}")
    n = len(job.data)
    if n < 2:
        raise NotApplicable("there is a single row, so no other row to take a value from")
    times = min(repeats, n - 1)
    if predictions is None or n * features * times <= predictions:
        return np.arange(n), times
    times = max(min(2, times), min(times, predictions // (n * features)))
    return job.sample(max(100, predictions // (features * times))), times


def _notes(job: Job, rows: Rows, times: int, repeats: int) -> list[str]:
    notes = []
    if len(rows) < len(job.data):
        notes.append(f"Columns were shuffled within {len(rows):,} of {len(job.data):,} rows to bound the cost.")
    if times < repeats:
        why = "to bound the cost" if times < len(job.data) - 1 else "since there are no more other rows"
        notes.append(f"Each column was shuffled {times} times in place of {repeats}, {why}.")
    return notes


def _tallies(job: Job, rows: Rows, repeats: int) -> tuple[Tally, Rows]:
    """Of the main loss over `rows`, and (features,) mean increases of the second one."""
    data, names = job.data, job.data.X.names
    assert data.y is not None
    y, space, threshold = data.y[rows], job.model.space, job.decision.threshold
    circle = job.rng("permutation").permutation(len(rows))
    donors = [circular_donors(circle, repeat) for repeat in range(repeats)]
    changes = [Change(rows, {name: rows[picks]}) for picks in donors for name in names]
    answers = against_unchanged(job.model, data.X, changes)
    second = np.zeros(len(names))

    def differences() -> Iterator[tuple[Rows, Rows]]:
        for repeat, picks in enumerate(donors):
            block = np.empty((len(rows), len(names)))
            for j in range(len(names)):
                after, before = next(answers)
                block[:, j] = row_losses(space, after, y) - row_losses(space, before, y)
                more = second_losses(space, after, y, threshold) - second_losses(space, before, y, threshold)
                second[j] += more.mean() / repeats
                job.tick((repeat * len(names) + j + 1) / len(changes))
            yield picks, block

    return tally(differences()), second
