"""examples/influence: see `compute`.

Formula:
    - Least squares, ridge: `f(x) - f without row i (x) = k(x, i) r_i / (1 - k(i, i))`, r the residuals, `k(x, i) = 1 /
      n + (x - mean)ᵀ (Σ (a - mean)(a - mean)ᵀ + λ)⁻¹ (a_i - mean)`; without an intercept 1 / n and mean are 0.
    - Logistic regression: the same in log-odds with the rows weighted by p (1 - p): one Newton step of the fit without
      the row.
    - Trees and forests of scikit-learn: w_i is the mean over trees of draws_i / Σ draws over the leaf, where i shares
      the leaf of x; `Σ w_i y_i = f(x)`.
    - Boosted squared error (AXIL): w with `Σ w_i y_i (+ spec.constant) = f(x)`, read backwards through the trees.
    - Other boosted trees (BoostIn): the sum over trees whose leaf i and x share of `-rate (g_i + h_i θ) / (Σ h +
      penalty)`, g and h the loss's derivatives before the tree, θ the leaf's value / rate.

Assumes: The rows given are those of the training, with their labels and without row weights that are not known; the
    model's own numbers confirm it before anything is said.

Misleads:
    - Weights and BoostIn keep the trees as they are: they say of whose labels a prediction is made, not what would
      happen without a row.
    - Rows that are alike stand in for each other: leaving out one changes little where leaving out all changes much.
    - Influence is on this model, not on the truth. A suspect label may be a rare case that is right: of data that are
      noisy themselves no method tells flips from noise.

Cost: Linear models one solve, of a matrix of their columns. Trees a pass over rows and trees for each example: about
    100 million visits of a training row to a tree at most in a snapshot, then fewer examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from showcause.adapters.dataset import Dataset
from showcause.adapters.frame import Rows
from showcause.adapters.model import Model
from showcause.adapters.others import Others, neighbour_columns
from showcause.adapters.training import Influence, Unconfirmed, influence
from showcause.core.errors import NotApplicable
from showcause.methods.method import Job, Result, method, positive

CLASSES = {
    "supports": "the row pulls the output of the class decided for up",
    "opposes": "the row pulls the output of the class decided for down",
}
NUMBERS = {"raises": "the row pulls the prediction up", "lowers": "the row pulls the prediction down"}
ALL = {
    "suspect": "its own label is least expected where the row did not take part",
    "harms": "with the row, the mean loss over all rows explained is higher",
    "helps": "with the row, the mean loss over all rows explained is lower",
}


def _applies(model: Model, data: Dataset) -> str | None:
    if data.train is None or data.train_y is None:
        return "needs training rows with their labels"
    return None


@method(
    "examples/influence",
    kind="neighbour",
    version=2,
    uses=("examples/representative",),
    applies=_applies,
    in_snapshot={"budget": 100_000_000},
)
def compute(
    job: Job,
    *,
    neighbours: int | None = 10,
    listed: int | None = 20,
    examples: Sequence[int] | None = None,
    budget: int | None = None,
) -> Result:
    """Which training rows stand behind a decision, and which make the model worse?

    neighbours   training rows of each example, those of the largest absolute value; None: all
    listed       training rows of each list about all rows together (below), in rows without an `example`; None: all
    examples     positions of the rows to explain; None: the representative examples
    budget       None, or at most about this many visits of training rows to trees or examples: then fewer examples

    `row` is the row in `train`. What `value` is depends on what the model allows (spec.influence): "leave-one-out in
    closed form" (least squares, ridge), exact for the transformers as they are; "… by one Newton step" (logistic
    regression; spec.newton holds some against the converged fit); "leaf weights"; "AXIL" (XGBoost, LightGBM,
    scikit-learn): weights of labels; "BoostIn": effect on the margin per unit of weight. Other training rows, unknown
    weights or losses are not applicable, with the reason.

    Without an `example`: `suspect` rows are those whose own label is least expected where they did not take part;
    `value` is their loss then (log-loss, squared error; of forests the squared error of the shares, by the trees that
    did not draw the row; of boosted trees the mean over all of them; of boosted classes the mean of that and of the
    log-loss by the votes of the rows that share its leaves). Wrong labels gather there: of 5 % planted flips
    the first tenth of all training rows holds 70 % or more on real data (tests/methods/test_influence.py). `harms` and
    `helps`, which need labels of the rows explained: what the row adds to the mean loss over these, to first order; of
    forests and their weights, compared with a row that votes as the forest does.
    Raises NotApplicable where nothing can be confirmed.
    Source: Cook 1977; Pregibon 1981; Geertsema & Lu 2023 (AXIL); Brophy, Hammoudeh & Lowd 2023 (BoostIn). Compared with
    refits without the row, and with w · y of scikit-learn, XGBoost and LightGBM.
    """
    positive(neighbours=neighbours, listed=listed, budget=budget)
    rows = job.asked(examples)
    output = job.decision.classes(job.outputs[rows]) if len(job.target_names) > 1 else np.zeros(len(rows), np.int64)
    try:
        found = influence(job.model, job.data, rows, output, budget)
    except Unconfirmed as error:
        raise NotApplicable(f"examples/influence does not apply: {error}") from None
    assert job.data.train is not None
    train = job.data.train
    among = Others(train, np.arange(len(train)), job.data.train_y, job.train_outputs, "train", len(train))
    cases = _cases(job, rows, found, neighbours)
    targets = [job.target_names[int(k)] for (_, lines), k in zip(cases, output, strict=False) for _ in lines]
    cases.append((None, _listed(found, listed)))
    targets += [None] * len(cases[-1][1])
    if not any(lines for _, lines in cases):
        raise NotApplicable("no training row moves any of these predictions")
    table, places = neighbour_columns(job.data, among, cases)
    if job.model.classes:
        table["target"] = targets
    spec = {
        "influence": found.means,
        "value": found.value,
        "space": found.space,
        **among.document,
        **found.facts,
        "relations": {**(CLASSES if job.model.classes else NUMBERS), **ALL},
        "notes": _notes(job, rows, found),
    }
    if len(found.effect) < len(rows):
        spec["cap"] = {"cases": len(found.effect), "of": len(rows)}
    return Result({**table, **job.outcomes(among, places)}, spec)


def _cases(job: Job, rows: Rows, found: Influence, neighbours: int | None) -> list[Any]:
    """Of each example, its rows in the order of their absolute value; equal ones in their own order."""
    cases: list[Any] = []
    for e, row in enumerate(rows[: len(found.effect)]):
        effect = found.effect[e]
        order = np.argsort(-np.abs(np.where(np.isnan(effect), 0.0, effect)), kind="stable")[:neighbours]
        up = found.sign[e] > 0
        if job.model.binary:  # the output is that of classes_[1]
            up = up == (job.decision.classes(job.outputs[[row]])[0] == 1)
        names = list(CLASSES if job.model.classes else NUMBERS)
        kept = [int(i) for i in order if effect[i] != 0 and not np.isnan(effect[i])]
        cases.append((int(row), [(i, float(effect[i]), names[0] if up[i] else names[1]) for i in kept]))
    return cases


def _listed(found: Influence, count: int | None) -> list[tuple[int, float, str]]:
    """Suspects, then what harms, then what helps, the largest first; equal ones in their own order."""
    lists = [("suspect", found.surprise, 1.0)]
    if found.harm is not None:
        lists += [("harms", found.harm, 1.0), ("helps", found.harm, -1.0)]
    lines: list[tuple[int, float, str]] = []
    for relation, value, sign in lists:
        ranked = np.where(np.isnan(value), 0.0, sign * value)
        order = [int(i) for i in np.argsort(-ranked, kind="stable") if ranked[i] > 0]
        lines += [(i, float(value[i]), relation) for i in order[:count]]
    return lines


def _notes(job: Job, rows: Rows, found: Influence) -> list[str]:
    notes = []
    if job.data.y is None:
        notes.append("No labels were given: which training rows harm its predictions is not known.")
    if "undefined" in found.facts:
        notes.append(f"Rows without which there is no fit: {found.facts['undefined']['rows']}.")
    return notes
