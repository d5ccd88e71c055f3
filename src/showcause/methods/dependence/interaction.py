"""dependence/interaction: see `compute`.

Formula:
    - `H² = Σ_i (PD_jk(x_i) - PD_j(x_i) - PD_k(x_i))² / Σ_i PD_jk(x_i)²`, each partial dependence PD centred, taken at
      the same rows i that it is averaged over.
    - `value` is the strength, `√(mean over i of (PD_jk - PD_j - PD_k)²)`.

Assumes: Partial dependence is a fair summary of two columns; the model's output space is the one in which effects ought
    to add up.

Misleads:
    - Where two columns hardly matter H² is a quotient of noise: look at the strength, by which the pairs stand in
      order.
    - A model that adds up in log-odds has interactions in probability, by its link alone: the example below is a
      logistic regression.
    - Of correlated columns partial dependence extrapolates, which makes spurious ones, and H² may exceed 1.
    - With few rows weak interactions are overstated, since both measures are squares.

Cost: rows² · (features + pairs) predictions: 360,000 for 100 rows and 8 columns; in a snapshot 64 rows of the 8 leading
    columns, 147,456. Trees answer them several times as fast.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from showcause.adapters.frame import Rows
from showcause.adapters.replaced import over_grid
from showcause.core.columns import extend
from showcause.core.errors import NotApplicable, ParameterError
from showcause.kernels.interaction import interaction
from showcause.kernels.ranks import interval
from showcause.methods.method import Job, Result, method

FLAT = "h2: neither feature moves the prediction on average, so there is no share to give"


@method(
    "dependence/interaction",
    kind="importance",
    needs=("two features", "two rows"),
    after=("importance/shap", "importance/permutation"),
    version=2,
    in_snapshot={"limit": 8, "rows": 64},
)
def compute(
    job: Job, *, features: Sequence[str] | None = None, limit: int | None = None, rows: int | None = 100
) -> Result:
    """Which two features act together, beyond what each does alone?

    features, limit   pairs among these columns, else among the `limit` that matter most (all where None)
    rows              a seeded sample of so many rows, at which and over which partial dependences are taken; None:
                      every row

    `value` is in the model's output space, and 0 for a model that adds the two up. `h2` is its square as a share of the
    variance of PD_jk; null where the pair moves nothing. `error` (of the strength) and `h2_error` are the jackknife's
    over rows, each left out as a place and as a row averaged over; `low` (at least 0) and `high` Student's t at 95 %.
    Raises NotApplicable for a single column, ParameterError for less than two rows.
    Source: Friedman & Popescu 2008, equation 44; unnormalised as in Inglis, Parnell & Hurley 2022. Compared with
    products and sums of which it is known..
    """
    names, spec = job.chosen(features, limit)
    if len(names) < 2:
        raise NotApplicable("a pair needs two features, one was chosen")
    if rows is not None and rows < 2:
        raise ParameterError(f"rows must be at least 2, got {rows}")
    picked = job.sample(rows)
    pairs = list(combinations(names, 2))
    steps = len(names) + len(pairs)
    tables = _tables(job, picked, [*((name,) for name in names), *pairs])
    alone = {}
    for done, name in enumerate(names):
        alone[name] = next(tables)
        job.tick((done + 1) / steps)
    found: list[tuple[str, str, str | None, tuple[float, float, float, float]]] = []
    for done, (j, k) in enumerate(pairs):
        joint = next(tables)
        for t, target in enumerate(job.target_names):
            found.append((j, k, target, interaction(joint[t], alone[j][t], alone[k][t])))
        job.tick((len(names) + done + 1) / steps)
    if "cap" in spec:
        spec["cap"] |= {"pairs": len(pairs), "of_pairs": len(job.data.X.names) * (len(job.data.X.names) - 1) // 2}
    h2_is = "h2 is Friedman's H²; value its unnormalised strength, by which the pairs are ordered"
    errors_are = "jackknife over the rows, each as a place and as a row averaged over"
    spec |= {**job.rows_spec(picked), "measure": h2_is, "errors": errors_are}
    return Result(_columns(found, len(picked), bool(job.model.targets)), spec)


def _tables(job: Job, rows: Rows, sets: list[tuple[str, ...]]) -> Iterator[Rows]:
    """For each set of columns (outputs, m, m): [t, a, i] is output t for row i with the set taken from row a."""
    for answer in over_grid(job.model, job.data.X, rows, [dict.fromkeys(names, rows) for names in sets]):
        yield np.moveaxis(answer, 2, 0)


def _columns(found: list[Any], rows: int, targets: bool) -> dict[str, list[Any]]:
    """Pairs by their largest strength over the targets."""
    strongest: dict[tuple[str, str], float] = {}
    for j, k, _, (_, _, strength, _) in found:
        strongest[j, k] = max(strength, strongest.get((j, k), 0.0))
    columns: dict[str, list[Any]] = {}
    for j, k, target, (h2, h2_error, strength, error) in sorted(found, key=lambda row: -strongest[row[0], row[1]]):
        low, high = interval(np.array([strength]), np.array([error]), rows)
        extend(
            columns,
            1,
            feature=j,
            feature_b=k,
            value=strength,
            h2=h2,
            h2_error=h2_error,
            target=target,
            low=np.maximum(low, 0.0),
            high=high,
            error=error,
            noise="rows",
            note=FLAT if np.isnan(h2) else None,
        )
    if not targets:
        del columns["target"]
    return columns
