"""What the evaluator is told: `[mlflow]` in showcause.toml, and `evaluator_config`, which wins.

    [mlflow]                            evaluator_config={"showcause": {…}}
    content = "full"                    the same words, and whatever `showcause.explain` takes: train, background,
    on_failure = "raise"                segments, protected, threshold, favourable, ids, refits, baseline, …

MLflow hands one flat evaluator_config to all evaluators alike; the words of its own evaluators and the parameters of
extra metrics are therefore left alone. Any other unknown word is an error.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from showcause.core.errors import ParameterError, choices
from showcause.methods import find
from showcause.policy.grammar import word_problems
from showcause.policy.policy import SECTIONS, Policy

POLICY = Path("showcause.toml")
# What `showcause.explain` is handed as it is.
OPTIONS = (
    *("train", "background", "context", "ids", "segments", "protected", "threshold", "favourable", "version", "seed"),
    *("refits", "refit", "panel", "baseline", "reference", "store"),
)
# Words of MLflow's own evaluators. Those that change what is evaluated are said to be unheeded; see `unheeded`.
MLFLOW = frozenset(
    {"log_model_explainability", "log_explainer", "explainability_algorithm", "explainability_nsamples"}
    | {"explainability_kernel_link", "ignore_exceptions", "max_classes_for_multiclass_roc_pr", "metric_prefix"}
    | {"label_list", "pos_label", "average", "sample_weights", "col_mapping", "eval_results_path", "eval_results_mode"}
    | {"retriever_k", "log_metrics_with_dataset_info", "default"}
)
UNHEEDED = ("label_list", "pos_label", "sample_weights")
# The content of a snapshot that an evaluation can afford; what costs more is made by content = "full".
# ROC and precision-recall curves are drawn by MLflow's own evaluator; each artifact is two files to send.
ESSENTIAL = (
    *("attribution/tree_shap", "attribution/shapley", "importance/shap", "dependence/shap"),
    *("model/performance", "model/calibration", "model/residuals", "model/predictions", "model/coefficients"),
    *("model/tree", "quality/additivity"),
)
# What it grows by where populations are declared.
POPULATIONS = ("segments/performance", "segments/calibration", "segments/fairness")
LESS = {"attribution/tree_shap": {"max_rows": 500}}  # of the essential content: parameters of methods


@dataclass(frozen=True)
class Settings:
    """`options` go to `showcause.explain`; `unheeded` are words of MLflow's that change nothing here."""

    policy: Policy
    enabled: bool = True
    raises: bool = False
    content: str = "essential"
    report: bool = False
    name: str | None = None
    prefix: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    unheeded: tuple[str, ...] = ()


def settings(
    config: Mapping[str, Any], extra_metrics: Sequence[Any] | None = None, *, lenient: bool = False
) -> Settings:
    """Raises ParameterError for a word unknown (unless `lenient`) or wrong, PolicyError for showcause.toml."""
    words = SECTIONS["mlflow"].words or {}
    foreign = MLFLOW | _parameters(extra_metrics or ())
    ours = (*words, "policy", *OPTIONS)
    for name in () if lenient else config:
        if name not in ours and name not in foreign and not str(name).startswith("calibration_"):
            raise ParameterError(
                f"evaluator_config says {name!r}, which showcause does not know: {choices(str(name), ours)}. Settings "
                'of another evaluator belong under its name: evaluator_config={"default": {…}, "showcause": {…}}'
            )
    policy = Policy.of(config.get("policy", POLICY if POLICY.is_file() else None))
    said = {**policy.mlflow, **{name: config[name] for name in words if name in config}}
    for name, value in said.items():
        for problem in word_problems(words[name], value, f"evaluator_config: {name} = {value!r}"):
            raise ParameterError(problem)
    options = {name: config[name] for name in OPTIONS if name in config}
    asked = "content" in said
    content = said.get("content", "essential")
    return Settings(
        policy=_wanted(policy, content, asked, bool(options.get("refits") or options.get("panel"))),
        enabled=said.get("enabled", True),
        raises=said.get("on_failure") == "raise",
        content=content if asked or "artifacts" not in policy.require else "policy",
        report=said.get("report", asked or "artifacts" in policy.require),
        name=said.get("name"),
        prefix=str(config.get("metric_prefix") or ""),
        options=options,
        unheeded=tuple(name for name in UNHEEDED if config.get(name) is not None),
    )


def _parameters(metrics: Sequence[Any]) -> frozenset[str]:
    """Names that extra metrics may look up in evaluator_config."""
    found: set[str] = set()
    for metric in metrics:
        function = getattr(metric, "eval_fn", None)
        if callable(function):
            found |= set(inspect.signature(function).parameters)
    return frozenset(found)


def _wanted(policy: Policy, content: str, asked: bool, refits: bool) -> Policy:
    """The policy with the artifacts to make: those it requires, else the content that is set; both where both are."""
    required = policy.require.get("artifacts")
    if required is not None and not asked:
        return policy
    if content == "full":
        return replace(policy, require={k: v for k, v in policy.require.items() if k != "artifacts"})
    named = {n for entry in policy.requirement for either in entry["artifacts"] for n in either.split("|")}
    named |= {entry["artifact"] for entry in policy.limits.values() if "artifact" in entry}
    named = {name for name in named if not name.startswith("input/")}
    named |= {name for name in find() if name.startswith("refits/")} if refits or policy.refits else set()
    artifacts = sorted({*ESSENTIAL, *POPULATIONS, *named, *(required or ())})
    return replace(policy, require={**policy.require, "artifacts": artifacts}, methods={**LESS, **policy.methods})
