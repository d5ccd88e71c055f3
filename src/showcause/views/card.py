"""A model card: Hugging Face metadata (YAML between two lines of dashes) and text, in Markdown.

The metadata use the keys that the Hub documents for model cards (library_name, pipeline_tag, tags, metrics,
model-index); values are written as JSON strings, which YAML reads as they are. Nothing that a user typed is markup.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from showcause.core.snapshot import Snapshot
from showcause.views.diff_markdown import escape
from showcause.views.narrative import sentences

# A metric of ours → its name on the Hub.
METRICS = {
    "accuracy": "accuracy", "auc": "roc_auc", "roc_auc": "roc_auc", "f1": "f1", "precision": "precision",
    "recall": "recall", "brier": "brier_score", "mae": "mae", "rmse": "rmse", "r2": "r_squared",
}  # fmt: skip
LIBRARIES = {"sklearn": "sklearn", "xgboost": "xgboost", "lightgbm": "lightgbm", "catboost": "catboost"}
SPOKEN = ("model/performance", "importance/permutation", "segments/performance", "segments/fairness")


def card(snapshot: Snapshot) -> str:
    """The card of the model that a snapshot explains."""
    return f"---\n{_yaml(metadata(snapshot))}---\n\n{_text(snapshot)}"


def metadata(snapshot: Snapshot) -> dict[str, Any]:
    """What the Hub reads: only what the snapshot knows."""
    model = snapshot.manifest.model
    classifies = model.get("task") == "classification"
    task = "tabular-classification" if classifies else "tabular-regression"
    found: dict[str, Any] = {}
    if library := LIBRARIES.get(str(model.get("family", "")).split(".")[0].lower()):
        found["library_name"] = library
    found |= {"pipeline_tag": task, "tags": ["tabular", "explainability", "showcause"]}
    scores = _scores(snapshot)
    if scores:
        found["metrics"] = sorted({one["type"] for one in scores})
        name = snapshot.record.name or "model"
        data = {"name": f"held-out rows of {name}", "type": "tabular"}
        found["model-index"] = [
            {"name": name, "results": [{"task": {"type": task}, "dataset": data, "metrics": scores}]}
        ]
    return found


def _scores(snapshot: Snapshot) -> list[dict[str, Any]]:
    if "model/performance" not in snapshot:
        return []
    rows = snapshot["model/performance"].table.to_pylist()
    return [
        {"type": METRICS[row["metric"]], "name": row["metric"], "value": row["value"]}
        for row in rows
        if row["metric"] in METRICS and row["value"] is not None and row.get("segment") in (None, "all")
    ]


def _yaml(value: Mapping[str, Any]) -> str:
    """Each member on a line of its own, as JSON, which is YAML."""
    return "".join(f"{key}: {json.dumps(part)}\n" for key, part in value.items())


def _text(snapshot: Snapshot) -> str:
    manifest, record = snapshot.manifest, snapshot.record
    said = manifest.model.get("card", {})
    lines = [f"# {escape(snapshot.ref)}", ""]
    for heading, word, without in (
        ("What it is for", "purpose", "The policy does not say."),
        ("Who answers for it", "owner", "The policy does not say."),
        ("What it must not be used for", "limits", "The policy does not say."),
    ):
        lines += [f"## {heading}", "", escape(said[word]) if said.get(word) else without, ""]
    rows = manifest.data.get("rows", {})
    lines += ["## What it was explained on", "", f"{rows.get('explained')} of {rows.get('given')} rows given.", ""]
    for name in SPOKEN:
        if name in snapshot:
            spoken = [escape(sentence.text) for sentence in sentences(snapshot[name], audience="officer")]
            lines += [f"## {escape(name)}", "", *(f"- {text}" for text in spoken), ""]
    missing = [n for n, s in sorted(snapshot.statuses.items()) if s.state in ("failed", "not-given")]
    lines += ["## What is missing", "", *(f"- {escape(f'{n}: {snapshot.statuses[n]}')}" for n in missing)]
    lines += [] if missing else ["Nothing that was asked for."]
    lines += [
        "",
        "## Identity",
        "",
        f"- snapshot `{snapshot.id}`",
        f"- model `{manifest.model.get('digest', 'none')}`",
        f"- made {escape(record.made_at)} by {escape(record.by)}",
    ]
    return "\n".join(lines) + "\n"
