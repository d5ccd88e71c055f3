"""showcause: no model ships until it shows cause.

1. An artifact is a table and a spec. The table holds the numbers, with their errors; the spec says what they mean and
   how to make them again. It holds no picture.
2. A snapshot is a manifest of artifact digests, bound to the digests of the model and the data it explains.
3. Everything that people see is a pure function of snapshots: figure, sentence, report, page, diff, verdict.

    import showcause as sc

    snapshot = sc.explain(model, X_test, y_test, train=(X_train, y_train), name="credit", store=".showcause")
    snapshot.report("report.html")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from showcause.core.artifact import Artifact
    from showcause.core.comparison import Candidate, Comparison, Point, Trend
    from showcause.core.diff import Change, Diff
    from showcause.core.errors import (
        Corrupt,
        DataError,
        IncompleteRun,
        InputError,
        MissingExtra,
        ModelError,
        NotApplicable,
        NotFound,
        ParameterError,
        PolicyError,
        Refused,
        ShowcauseError,
        TrustError,
    )
    from showcause.core.finding import Finding, Outcome
    from showcause.core.snapshot import Manifest, Record, Snapshot, Status
    from showcause.core.verdict import Verdict
    from showcause.policy.policy import Policy
    from showcause.trust.trust import Trust
    from showcause.verbs.check import check
    from showcause.verbs.compare import compare
    from showcause.verbs.compute import compute
    from showcause.verbs.diff import diff
    from showcause.verbs.evidence import evidence
    from showcause.verbs.explain import explain
    from showcause.verbs.from_shap import from_shap
    from showcause.verbs.methods import methods
    from showcause.verbs.open import open
    from showcause.verbs.promote import promote
    from showcause.verbs.prov import prov
    from showcause.verbs.reasons import reasons
    from showcause.verbs.run import run
    from showcause.verbs.sign import sign
    from showcause.verbs.trend import trend
    from showcause.verbs.verify import verify
    from showcause.verbs.why import Why

__version__ = "0.1.0"

# Loaded on first use: `import showcause` must cost no more than it has to.
_HOMES = {
    "check": "verbs.check",
    "compare": "verbs.compare",
    "compute": "verbs.compute",
    "diff": "verbs.diff",
    "evidence": "verbs.evidence",
    "explain": "verbs.explain",
    "from_shap": "verbs.from_shap",
    "methods": "verbs.methods",
    "open": "verbs.open",
    "promote": "verbs.promote",
    "prov": "verbs.prov",
    "reasons": "verbs.reasons",
    "run": "verbs.run",
    "sign": "verbs.sign",
    "trend": "verbs.trend",
    "verify": "verbs.verify",
    "Artifact": "core.artifact",
    **dict.fromkeys(("Candidate", "Comparison", "Point", "Trend"), "core.comparison"),
    "Change": "core.diff",
    "Diff": "core.diff",
    "Finding": "core.finding",
    "Outcome": "core.finding",
    "Policy": "policy.policy",
    "Trust": "trust.trust",
    "Verdict": "core.verdict",
    "Why": "verbs.why",
    **dict.fromkeys(("Manifest", "Record", "Snapshot", "Status"), "core.snapshot"),
    **dict.fromkeys(
        (
            "Corrupt",
            "DataError",
            "IncompleteRun",
            "InputError",
            "MissingExtra",
            "ModelError",
            "NotApplicable",
            "NotFound",
            "ParameterError",
            "PolicyError",
            "Refused",
            "ShowcauseError",
            "TrustError",
        ),
        "core.errors",
    ),
}

__all__ = [
    "Artifact",
    "Candidate",
    "Change",
    "Comparison",
    "Corrupt",
    "DataError",
    "Diff",
    "Finding",
    "IncompleteRun",
    "InputError",
    "Manifest",
    "MissingExtra",
    "ModelError",
    "NotApplicable",
    "NotFound",
    "Outcome",
    "ParameterError",
    "Point",
    "Policy",
    "PolicyError",
    "Record",
    "Refused",
    "ShowcauseError",
    "Snapshot",
    "Status",
    "Trend",
    "Trust",
    "TrustError",
    "Verdict",
    "Why",
    "check",
    "compare",
    "compute",
    "diff",
    "evidence",
    "explain",
    "from_shap",
    "methods",
    "open",
    "promote",
    "prov",
    "reasons",
    "run",
    "sign",
    "trend",
    "verify",
]


# Doors to other people's tools, modules of their own: `showcause.mlflow.log(…)`. Each needs its extra.
_DOORS = {"mlflow": "integrations.mlflow", "sklearn": "integrations.sklearn"}


def __getattr__(name: str) -> Any:
    if name in _DOORS:
        return import_module(f"showcause.{_DOORS[name]}")
    if name not in _HOMES:
        raise AttributeError(f"module 'showcause' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"showcause.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, *_DOORS, "__version__"]
