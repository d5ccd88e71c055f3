"""importance/permutation: see `compute`.

Formula: `value_j = mean over rows i and repeats r of loss(f(x_i with x_j of another row), y_i) - loss(f(x_i), y_i)`.
    Loss: log-loss in nats for probabilities, squared error for a regression, 1 for a wrong decision by scores.

Assumes: Taking a column from other rows keeps its values and breaks its ties with everything else, the label included;
    the rows are held out from training.

Misleads:
    - Of two columns that know the same each stands in for the other, and both look unimportant: see
      importance/correlated_groups.
    - Shuffled rows may be rows that nobody has; the model is judged on them.
    - On training rows it praises what was learnt by heart. In log-loss few rows that are then surely wrong may decide.

Cost: `repeats` × columns predictions of the rows, besides a batch of unchanged ones. In a snapshot 150,000 (450,000 by
    trees): fewer repeats, down to 2, then fewer rows, down to 100.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from showcause.adapters.frame import Rows
from showcause.adapters.replaced import budget, shuffled
from showcause.core.table import to_arrow
from showcause.kernels.loss import loss_name, losses_of, second_name
from showcause.kernels.ranks import LEVEL, interval, rank_bounds
from showcause.kernels.shuffle import ERRORS, SHUFFLE, Tally, affordable, budget_notes, tally
from showcause.methods.method import Job, Result, method, positive


@method(
    "importance/permutation",
    kind="importance",
    version=3,
    needs=("labels", "two rows"),
    in_snapshot={"predictions": 150_000},
)
def compute(job: Job, *, repeats: int = 5, predictions: int | None = None) -> Result:
    """How much worse do predictions get when one column is shuffled among the rows?

    repeats       shuffles of each column (at most one less than there are rows)
    predictions   None, or at most about this many predicted rows (three times as many where trees answer): then fewer
                  repeats (down to 2), then fewer rows, a seeded sample; the spec says so

    For a linear model under squared error `value` tends to 2 · coefficient² · variance. `error_rate` (of the decisions
    taken) or `absolute_error` is the mean increase of that. Whole raw columns move, and no row keeps its own value.
    `error` covers the rows, as receivers and as donors, and the Monte Carlo choice of donors (kernels/shuffle.py); the
    spec's monte_carlo_error is the latter alone. `low` and `high` are Student's t at 95 %. `rank_low` and `rank_high`
    bound each feature's rank, for all features at once at 95 % (kernels/ranks.py): where they are equal the rank is
    verified. The blob row_loss_differences is an Arrow file (rows × features, means over repeats) in the order of
    row_positions.
    Raises NotApplicable without labels or for a single row, ParameterError for repeats or predictions below one.
    Source: Breiman 2001; Fisher, Rudin & Dominici 2019 (model reliance, difference form); ranks after Goldwasser &
    Hooker 2025 and Holm 1979. Compared with scikit-learn.
    """
    positive(repeats=repeats, predictions=predictions)
    limit, times = affordable(len(job.data), len(job.data.X.names), repeats, budget(job.model, job.data.X, predictions))
    rows = job.sample(limit)
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
        "errors": ERRORS,
        "monte_carlo_error": dict(zip(names, first.monte_carlo_error, strict=True)) if times > 1 else None,
        "ranks": {"test": "paired t on row-level differences, two-sided, Holm", "level": LEVEL},
        "notes": budget_notes(len(rows), len(job.data), times, repeats),
        **job.rows_spec(rows),
    }
    blobs = {
        "row_loss_differences": to_arrow(pa.table({name: first.rows[:, j] for j, name in enumerate(names)})),
        "row_positions": to_arrow(pa.table({"position": job.data.positions[rows].astype(np.int64)})),
    }
    return Result(columns, spec, blobs)


def _tallies(job: Job, rows: Rows, repeats: int) -> tuple[Tally, Rows]:
    """Of the main loss over `rows`, and (features,) mean increases of the second one."""
    sets = [(name,) for name in job.data.X.names]
    losses = losses_of(job.model.space, job.data.y, rows, job.decision.classes)
    circle = job.rng("permutation").permutation(len(rows))
    second = np.zeros(len(sets))

    def differences() -> Iterator[tuple[Rows, Rows]]:
        for donors, (main, more) in shuffled(job.model, job.data.X, rows, sets, circle, repeats, losses, job.tick):
            second[:] += more.mean(axis=0) / repeats
            yield donors, main

    return tally(differences()), second
