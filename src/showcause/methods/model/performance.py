"""model/performance: see `compute`.

Formula:
    - `log_loss = -mean ln p(class that came out)`, p at least 2.2e-16; `brier = mean (p - y)²`; `roc_auc`: the chance
      that a positive row has the higher output than a negative one, ties counting half; `average_precision = Σ
      (recall_k - recall_(k-1)) · precision_k` over thresholds.
    - Of true and false positives and negatives TP, FP, TN, FN: `accuracy = (TP + TN) / rows`, `precision = TP / (TP +
      FP)`, `recall = TP / (TP + FN)`, `f1 = 2 TP / (2 TP + FP + FN)`, `balanced_accuracy` = the mean recall of the
      classes, `mcc` = Pearson's correlation of decided and actual, `cost = (cost_false_positive · FP +
      cost_false_negative · FN) / rows`.
    - Regression: `r2 = 1 - Σ (y - f)² / Σ (y - mean y)²`, `rmse = √ mean (y - f)²`, `mae = mean |y - f|`,
      `median_absolute_error`.

Assumes: Rows are independent and like those to come, and labels are right.

Misleads:
    - Of a rare class accuracy is high for who never finds it: look at `reference`, `balanced_accuracy` and `recall`.
    - A threshold that was chosen on these rows does better on them than it will.
    - Intervals are of rows, not of retraining: see refits/performance. A gap to the training rows is no proof of
      overfitting, nor its absence of the contrary.

Cost: A prediction of the rows and of the training rows, sorts, and 1,000 resamples of the confusion table.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from showcause.adapters.frame import Rows
from showcause.kernels import metrics
from showcause.kernels.metrics import Score
from showcause.methods.method import Job, Result, method

CONFUSION_CELLS = 400  # of more than 20 classes, the largest cells of the confusion table


@method("model/performance", kind="score", needs=("labels",))
def compute(job: Job, *, cost_false_positive: float = 1.0, cost_false_negative: float = 1.0) -> Result:
    """How well does the model predict, against a trivial baseline and against its own training rows?

    cost_false_positive   of a false positive with two classes, of any wrong decision with more
    cost_false_negative   of a false negative with two classes

    Segment "all" is the rows explained, "train" the training rows (where their labels are given). Classification at the
    decision's threshold; with two classes precision, recall and F1 speak of classes_[1], with more they are means over
    classes (macro), each class standing beside them under its `target`, and areas are one class against the rest. Brier
    score with more than two classes: summed over classes (0 to 2). `reference` is the same metric of a baseline that
    always predicts the class frequencies (or the mean) of the training rows, else of those explained, and decides by
    the same rule. `low`, `high`: 95 % over rows, the method of each in spec.intervals. What divides by zero is null
    with a note.
    Source: definitions are scikit-learn's; intervals by Wilson 1927, DeLong, DeLong & Clarke-Pearson 1988, Boyd, Eng &
    Page 2013, Zou & Donner 2008, Thompson 1936 and Efron 1979 (bootstrap). Compared with scikit-learn.
    """
    data, model = job.data, job.model
    assert data.y is not None
    populations = [("all", job.outputs, data.y)]
    if data.train_y is not None:
        populations.append(("train", job.train_outputs, data.train_y))
    constant = _baseline(job)
    costs = (cost_false_positive, cost_false_negative)
    scores: list[Score] = []
    references: list[float] = []
    segments: list[str] = []
    for name, outputs, y in populations:
        found = _scores(job, outputs, y, costs, job.rng("performance", name))
        trivial = _scores(job, np.repeat(constant, len(y), axis=0), y, costs, None)
        known = {(score.metric, score.target): score.value for score in trivial}
        scores += found
        references += [known.get((score.metric, score.target), np.nan) for score in found]
        segments += [name] * len(found)
    columns = {**metrics.as_columns(scores, model.classes), "segment": segments, "reference": references}
    if len(model.classes) < 3:
        del columns["target"]
    return Result(columns, _spec(job, costs, constant))


def _baseline(job: Job) -> Rows:
    """(1, outputs) of a model that has seen labels only: those of the training rows, else of the rows explained."""
    labels = job.data.y if job.data.train_y is None else job.data.train_y
    assert labels is not None
    if not job.model.classes:
        return np.array([[labels.mean()]])
    shares = np.bincount(labels, minlength=len(job.model.classes)) / len(labels)
    if job.model.space == "score":
        shares = shares - 0.5 if job.model.binary else shares
    return shares[None, 1:] if job.model.binary else shares[None, :]


def _scores(
    job: Job, outputs: Rows, y: Rows, costs: tuple[float, float], rng: np.random.Generator | None
) -> list[Score]:
    if not job.model.classes:
        return metrics.regression(outputs, y)
    decided, size = job.decision.classes(outputs), len(job.model.classes)
    scores = metrics.classification(
        job.model.space, outputs, y, decided, size, rng=rng, costs=costs, per_class=True, counts=True
    )
    if size == 2:
        return scores
    table = metrics.confusion(y, decided, size)
    names = job.model.classes
    largest = np.argsort(-table.ravel(), kind="stable")[:CONFUSION_CELLS]
    cells = [divmod(int(cell), size) for cell in np.sort(largest)]
    return scores + [
        Score(f"confusion {names[i]} → {names[j]}", float(table[i, j]), count=int(table[i].sum())) for i, j in cells
    ]


def _spec(job: Job, costs: tuple[float, float], constant: Rows) -> dict[str, Any]:
    data, model = job.data, job.model
    kind = "regression" if not model.classes else "classification"
    notes = []
    if data.train_y is None:
        notes.append("No labelled training rows were given: the gap to training is unknown.")
    if model.space == "score":
        notes.append("The model gives scores without probabilities: log-loss and Brier score do not apply.")
    if len(model.classes) > 20:
        notes.append(f"The confusion table shows its {CONFUSION_CELLS} largest cells.")
    source = "training" if data.train_y is not None else "explained"
    predicts = "their mean" if kind == "regression" else "the class frequencies"
    spec: dict[str, Any] = {
        "baseline": {"predicts": f"{predicts} of the {source} rows", "outputs": constant[0]},
        "intervals": dict(metrics.INTERVALS),
        "notes": notes,
    }
    if kind == "regression":
        return spec
    averages = None if model.binary else "macro: the mean over classes"
    return spec | {
        "decision": job.decision.document,
        "rule": job.decision.rule,
        "positive": model.classes[1] if model.binary else None,
        "average": averages,
        "costs": {"false_positive": costs[0], "false_negative": costs[1]},
    }
