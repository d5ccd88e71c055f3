"""How features, values, metrics and numbers are spoken of: labels and units from the snapshot's dictionary.

Law: two features never share a label, so a chart's axis and a sentence name one thing.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

FORMAT = re.compile(r"^,?(\.\d{1,2})?[%efgd]?$")  # what Python and d3 both read

NUMBER = r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
BAND = re.compile(rf"^{NUMBER} to (under )?{NUMBER}$")  # how segments name a band of numbers

METRICS = {
    "log_loss": "log-loss",
    "brier": "Brier score",
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "mcc": "Matthews correlation",
    "r2": "R²",
    "rmse": "root mean squared error",
    "mae": "mean absolute error",
    "median_absolute_error": "median absolute error",
    "shap_and_pdp": "SHAP against PDP",
    "selection_rate": "rate of positive decisions",
    "disparate_impact": "disparate impact ratio",
    "demographic_parity_difference": "difference in positive decisions",
    "demographic_parity_ratio": "ratio of positive decisions",
    "equalized_odds_difference": "difference in error rates",
    "equal_opportunity_difference": "difference in hit rates",
    "true_positive_rate": "hit rate",
    "false_positive_rate": "false alarm rate",
}
PLAIN = {  # the same without jargon
    "accuracy": "cases decided correctly",
    "selection_rate": "share that gets the hoped-for decision",
    "disparate_impact": "lowest share divided by highest (same treatment: 1)",
    "demographic_parity_difference": "gap between the shares (same treatment: 0)",
    "r2": "share of the differences explained",
    "mae": "mean distance from the truth",
}
STATES = {"ok": "ok", "not-applicable": "not applicable", "failed": "failed", "not-given": "not given"}
TITLES = {
    "reasons/cutoff": "Reasons, from the cutoff",
    "refits/reasons": "Reasons over retrainings",
    "refits/importance": "Importance over retrainings",
    "refits/dependence": "Effects over retrainings",
    "refits/performance": "Performance over retrainings",
    "data/rows": "Rows explained",
    "data/background": "Reference rows",
    "model/roc": "ROC curve",
    "model/precision_recall": "Precision and recall",
    "model/gain": "Cumulative gain",
    "importance/shap": "Importance by SHAP",
    "dependence/pdp": "Partial dependence",
    "dependence/ice": "Individual conditional expectation",
    "dependence/ale": "Accumulated local effects",
    "dependence/shap": "SHAP dependence",
    "attribution/tree_shap": "Tree SHAP",
    "attribution/shapley": "Shapley values",
    "attribution/lime": "LIME",
    "segments/performance": "Performance by segment",
    "segments/importance": "Importance by segment",
    "segments/calibration": "Calibration by segment",
    "importance/permutation": "Permutation importance",
    "importance/correlated_groups": "Groups of correlated features",
    "examples/representative": "Representative cases",
    "rules/anchor": "What suffices for the decision",
    "rules/list": "Rules in order",
    "rules/surrogate": "Rules of the surrogate tree",
    "counterfactual/optimal": "The least change for another outcome",
    "counterfactual/nearest": "The nearest case with another outcome",
}


# Control characters, lone surrogates and non-characters, which XML cannot hold and the static renderer dies of, and
# marks that reorder text, with which one name can pass for another.
UNSAID = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


TEXTLESS = frozenset({float, int, bool, type(None)})  # what holds no text


def clean(value: Any) -> Any:
    """Text, or the text in nested lists and dictionaries, with a mark in place of characters that must not be shown."""
    if isinstance(value, str):
        return value if value.isascii() and value.isprintable() else UNSAID.sub("\ufffd", value)
    if isinstance(value, list):
        return [item if type(item) in TEXTLESS else clean(item) for item in value]
    if isinstance(value, dict):
        return {clean(key): item if type(item) in TEXTLESS else clean(item) for key, item in value.items()}
    return value


def number(value: float | None) -> str:
    """For people: whole numbers below a million in full, everything else to three significant digits."""
    if value is None:
        return "–"
    if float(value).is_integer() and abs(value) < 1_000_000:
        return f"{int(value):,}"
    if 1000 <= abs(value) < 1_000_000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def percent(value: float) -> str:
    """A share as a percentage to three significant digits, on one line with its sign."""
    return f"{number(float(f'{100 * value:.3g}'))}\u00a0%"


def short(text: str, limit: int = 40) -> str:
    """At most `limit` characters; the middle goes, since names often differ at their ends; of short ones the end."""
    if len(text) <= limit:
        return text
    if limit <= 20:
        return f"{text[: limit - 1].rstrip()}…"
    head = (limit - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (limit - 1 - head) :]}"


def cell(value: object) -> str:
    """A table's cell for people."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, int | float) else str(value)


def listed(names: Sequence[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def title(name: str) -> str:
    """An artifact's name for a heading: "model/residuals" → "Residuals"."""
    if name in TITLES:
        return TITLES[name]
    words = name.rpartition("/")[2].replace("_", " ")
    return words[:1].upper() + words[1:]


def metric(name: str, *, plain: bool = False) -> str:
    return (PLAIN.get(name) if plain else None) or METRICS.get(name, name.replace("_", " "))


@dataclass(frozen=True)
class Words:
    """`features`: feature → {label, unit, format, values, description}, as the manifest's `data.features`; `predicted`:
    the column that the model predicts, whose value labels name the classes."""

    features: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    predicted: str | None = None

    @classmethod
    def of(cls, dictionary: Mapping[str, Any]) -> Words:
        """From a snapshot's or artifact's `dictionary`."""
        return cls(dictionary.get("features", {}), dictionary.get("label"))

    def target(self, name: object) -> str:
        """A class in words."""
        values = self.entry(self.predicted).get("values", {}) if self.predicted else {}
        return str(values.get(str(name), name))

    @cached_property
    def _taken(self) -> Counter[str]:
        return Counter(str(entry.get("label", name)) for name, entry in self.features.items())

    def entry(self, feature: str) -> Mapping[str, Any]:
        found = self.features.get(feature, {})
        return found if isinstance(found, Mapping) else {}

    def label(self, feature: str) -> str:
        label = str(self.entry(feature).get("label", feature))
        clash = self._taken[label] > 1 or (label != feature and label in self.features)
        return f"{label} ({feature})" if clash else label

    def axis(self, feature: str) -> str:
        """Label with its unit."""
        unit = self.entry(feature).get("unit")
        return f"{self.label(feature)} [{unit}]" if unit else self.label(feature)

    def level(self, feature: str, value: str | float | None) -> str:
        """A value in words: its value label, else the number in its format, else the text as it is."""
        if value is None:
            return "missing"
        values = self.entry(feature).get("values", {})
        if isinstance(value, str):
            band = None if value in values else BAND.match(value)
            if band:
                return self._band(feature, *band.groups())
            return str(values.get(value, value))
        for key in (str(value), str(int(value)) if float(value).is_integer() else ""):
            if key in values:
                return str(values[key])
        return self.amount(feature, value)

    def _band(self, feature: str, low: str, under: str | None, high: str) -> str:
        """A quantile band with its ends as this feature's numbers are written."""
        return f"{self.amount(feature, float(low))} to {under or ''}{self.amount(feature, float(high))}"

    def coded(self, feature: str, places: list[float]) -> bool:
        """Whether every one of these numbers stands for something that has a value label."""
        values = self.entry(feature).get("values", {})
        return bool(places) and all(str(v) in values or (v.is_integer() and str(int(v)) in values) for v in places)

    def format(self, feature: str) -> str | None:
        """The feature's number format where Python and d3 both read it."""
        given = self.entry(feature).get("format")
        return given if isinstance(given, str) and given and FORMAT.match(given) else None

    def amount(self, feature: str, value: float) -> str:
        given = self.format(feature)
        if given and math.isfinite(value):
            return format(int(value) if given.endswith("d") else value, given)
        return number(value)

    def segment(self, by: str | None, level: str | None, text: str | None) -> str:
        """A population in words: "Sex: female", "all rows"."""
        if text in (None, "all"):
            return "all rows"
        if text == "train":
            return "training rows"
        if by and level is not None:
            return f"{self.label(by)}: {self.level(by, level)}"
        return self.label(by) if by and by == text else str(text)
