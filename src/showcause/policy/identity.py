"""Is the model that was given the one that a snapshot explains, the same one changed, or another one?"""

from __future__ import annotations

from showcause.core.snapshot import Snapshot
from showcause.policy.facts import ModelFacts

TOLERANCE = 1e-6  # of the largest recorded prediction, at least 1: another machine's last bits are no change


def scale(snapshot: Snapshot) -> float:
    """The size that the tolerance is relative to."""
    outputs = (snapshot.manifest.model.get("probe") or {}).get("outputs") or []
    flat = [abs(float(value)) for row in outputs for value in (row if isinstance(row, list) else [row])]
    return max([1.0, *flat])


def belongs_elsewhere(snapshot: Snapshot, model: ModelFacts) -> str:
    """Why the snapshot is another model's; "" where it may be this one's. The same digest is never another model."""
    known, data = snapshot.manifest.model, snapshot.manifest.data
    if not known:
        return "it explains no model at all"
    if model.digest == known.get("digest"):
        return ""
    for what, given, there in (
        ("family", model.family, known.get("family")),
        ("task", model.task, known.get("task")),
        ("classes", list(model.classes), list(known.get("classes") or ())),
    ):
        if given != there:
            return f"its {what} is {given}, the snapshot's {there}"
    order = set(data.get("order") or ())
    if model.features is not None and set(model.features) != order:
        odd = sorted(set(model.features) ^ order)
        return f"their columns differ: {', '.join(odd[:6])}"
    if model.known_as:
        return f"this model is explained by {', '.join(model.known_as)}"
    return ""
