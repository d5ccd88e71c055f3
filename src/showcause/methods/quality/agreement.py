"""quality/agreement: see `compute`.

Formula:
    - `rank_correlation`: Spearman's, of importance/shap and importance/permutation over columns; what its interval does
      not tell from zero counts as 0, ties have their mean rank.
    - `top_overlap`: the share of the first k columns of the one that are among the first k of the other; k at most
      `top`, half of the columns, and no more than either of the two tells from zero.
    - `half_budgets`: Pearson's correlation of sampled Shapley values from the two halves of the draws.
    - `shap_and_pdp`: the median over numbers with four places or more of Spearman's correlation of dependence/shap and
      dependence/pdp, at the places of the former.
    - `lime_top`: the mean over examples of the share of SHAP's first k columns that are among LIME's first k, with the
      same sign; k at most `top`, half of the columns, and the columns that add anything.

Assumes: Different ways of asking agree where the model is simple and columns are not mixed up with each other.

Misleads:
    - They ask different questions: SHAP how much a column moves outputs, permutation how much it is needed, LIME about
      a line. Disagreement is no error by itself.
    - Agreement is no proof: all may extrapolate alike.
    - The limits are conventions. Of few columns one swapped pair decides the rank correlation, so that under five it is
      told and not judged.

Cost: Comparisons of what is stored.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import rankdata

from showcause.adapters.frame import Rows
from showcause.core.artifact import Artifact
from showcause.core.attributions import read
from showcause.core.errors import NotApplicable
from showcause.methods.method import Job, Result, method

FEW = 5  # columns: fewer give a rank correlation that is told but not judged, since one swapped pair decides it
LIMITS = {"rank_correlation": 0.5, "top_overlap": 0.5, "half_budgets": 0.9, "shap_and_pdp": 0.5, "lime_top": 0.4}
NOTES = {
    "rank_correlation": "Rank correlation: SHAP says how much the model uses each column, permutation how much the "
    "prediction needs it; Spearman's correlation of the two rankings, where what cannot be told from zero is a tie.",
    "top_overlap": "Top overlap: the share of columns that both rankings put among their first ones; at most five, at "
    "most half of all, and no more than either ranking can tell from zero.",
    "half_budgets": "Half budgets: the contributions estimated from one half of the coalitions against those from the "
    "other; their correlation over all rows and columns.",
    "shap_and_pdp": "SHAP and partial dependence: where a column's effect is additive the two curves rise and fall "
    "together; the median over columns of their rank correlation. A low one tells of interactions.",
    "lime_top": "LIME: of the columns that contribute most to a case, the share that a straight line near it puts "
    "among its first ones too, with the same sign; the mean over the chosen cases.",
}
LOW = {
    "rank_correlation": "the two importances rank columns differently; look at correlated columns before quoting one",
    "top_overlap": "the two importances name different leading columns; look at correlated columns before quoting one",
    "half_budgets": "the contributions still move with the sample of coalitions; raise evaluations",
    "shap_and_pdp": "partial dependence does not tell what the contributions tell; look at the interactions",
    "lime_top": "near single cases the model is no straight line; look at the fit stored with LIME",
}


@method(
    "quality/agreement",
    kind="score",
    version=2,
    after=(
        *("importance/shap", "importance/permutation", "attribution/tree_shap", "attribution/shapley"),
        *("attribution/lime", "dependence/shap", "dependence/pdp"),
    ),
)
def compute(job: Job, *, top: int = 5) -> Result:
    """Do different explanations of the same model tell the same story?

    top   leading columns that are compared at most

    Each where both sides exist; `reference` is the limit, at least: 0.5, 0.5, 0.9, 0.5 and 0.4. `count` is the columns,
    k, values, curves or examples that a figure rests on. A low figure speaks of the explanation, not the model. LIME is
    not held against values in softmax margins, whose signs say nothing of a class's own output.
    Raises NotApplicable where there are no two explanations to compare.
    Source: Krishna et al. 2022 (the disagreement problem), rank correlation and top-k agreement.
    """
    found: dict[str, tuple[float, int]] = {}
    shap, permuted = job.uses.get("importance/shap"), job.uses.get("importance/permutation")
    if shap is not None and permuted is not None:
        found |= _importances(_totals(job, shap), _totals(job, permuted), top)
    sampled = job.uses.get("attribution/shapley")
    if sampled is not None and "halves" in sampled.spec:
        found["half_budgets"] = (float(sampled.spec["halves"]["correlation"]), sampled.table.num_rows)
    if "dependence/shap" in job.uses and "dependence/pdp" in job.uses:
        found |= _curves(_points(job.uses["dependence/shap"]), _points(job.uses["dependence/pdp"]))
    if "attribution/lime" in job.uses:
        found |= _local(job, top)
    if not found:
        raise NotApplicable("needs two explanations to compare, such as importance/shap and importance/permutation")
    rows = [_row(metric, value, count) for metric, (value, count) in found.items()]
    low = [r for r in rows if r["note"] == "below its limit"]
    spec = {
        "space": None,
        "limit": "at least",
        "passed": not low,
        "notes": [
            *(NOTES[metric] for metric in found),
            *(f"{r['metric']} is {r['value']:.2f}: {LOW[r['metric']]}." for r in low),
        ],
    }
    return Result({key: [row[key] for row in rows] for key in rows[0]}, spec)


def _local(job: Job, top: int) -> dict[str, tuple[float, int]]:
    """Signed agreement of SHAP and LIME on the leading columns of the examples that both have. Of margins with a link
    for each class (softmax) a sign says nothing of the class's own output, so those are left out."""
    source = next((job.uses[n] for n in ("attribution/tree_shap", "attribution/shapley") if n in job.uses), None)
    k = min(top, len(job.data.X.names) // 2)
    if source is None or not k or source.spec.get("link") == "softmax":
        return {}
    one, other = (read(a, job.data.X.names, job.target_names) for a in (source, job.uses["attribution/lime"]))
    both, first, second = np.intersect1d(one.examples, other.examples, return_indices=True)
    if not len(both):
        return {}
    shares = []
    for a, b in zip(one.values[first], other.values[second], strict=True):
        for values, lime in zip(a.T, b.T, strict=True):
            first_ones = min(k, int(np.count_nonzero(values)))  # what adds nothing leads nowhere
            if first_ones:
                leading = [np.argsort(-np.abs(v), kind="stable")[:first_ones] for v in (values, lime)]
                agree = sum(values[j] * lime[j] > 0 for j in np.intersect1d(leading[0], leading[1]))
                shares.append(agree / first_ones)
    return {"lime_top": (float(np.mean(shares)), len(both))} if shares else {}


def _row(metric: str, value: float, count: int) -> dict[str, Any]:
    limit = None if metric == "rank_correlation" and count < FEW else LIMITS[metric]
    low = limit is not None and value < limit
    note = "one side does not vary" if np.isnan(value) else "below its limit" if low else None
    return {"metric": metric, "value": value, "count": count, "reference": limit, "note": note}


def _totals(job: Job, artifact: Artifact) -> Rows:
    """(features,) importance of every column, over targets, in the model's order; groups and segments left out. What
    cannot be told from zero (its interval reaches it) counts as zero, so that noise is not ranked."""
    totals = dict.fromkeys(job.data.X.names, 0.0)
    for row in artifact.table.to_pylist():
        if row["feature"] in totals and row.get("group") is None and row.get("segment") in (None, "all"):
            noise = row.get("low") is not None and row["low"] <= 0
            totals[row["feature"]] += 0.0 if noise else row["value"] or 0.0
    return np.array(list(totals.values()))


def _importances(a: Rows, b: Rows, top: int) -> dict[str, tuple[float, int]]:
    if len(a) < 2:
        return {}
    found = {"rank_correlation": (_spearman(a, b), len(a))}
    k = min(top, len(a) // 2, *(int((values > 0).sum()) for values in (a, b)))
    first, second = (set(np.argsort(-values, kind="stable")[:k].tolist()) for values in (a, b))
    found["top_overlap"] = (len(first & second) / k if k else float("nan"), k)
    return found


def _spearman(a: Rows, b: Rows) -> float:
    """Spearman's rank correlation, ties at their mean rank; NaN where one side does not vary."""
    x, y = (rankdata(values) - (len(values) + 1) / 2 for values in (a, b))
    size = np.sqrt((x * x).sum() * (y * y).sum())
    return float((x * y).sum() / size) if size > 0 else float("nan")


Points = dict[tuple[str, str | None], tuple[Rows, Rows]]


def _points(artifact: Artifact) -> Points:
    """(feature, target) → numeric points of its curve, ascending in `at`."""
    kept: dict[tuple[str, str | None], list[tuple[float, float]]] = {}
    for row in artifact.table.to_pylist():
        if row.get("at") is not None and row["value"] is not None and row.get("example") is None:
            kept.setdefault((row["feature"], row.get("target")), []).append((row["at"], row["value"]))
    return {key: tuple(np.array(sorted(pairs)).T) for key, pairs in kept.items()}


def _curves(shap: Points, pdp: Points) -> dict[str, tuple[float, int]]:
    """The median over numeric columns (and targets) of the rank correlation of the curves, at SHAP's points."""
    found = []
    for key in shap.keys() & pdp.keys():
        at, value = shap[key]
        if len(at) >= 4 and len(pdp[key][0]) >= 4:
            found.append(_spearman(value, np.interp(at, *pdp[key])))
    known = np.array([value for value in found if not np.isnan(value)])
    return {"shap_and_pdp": (float(np.median(known)), len(known))} if len(known) else {}
