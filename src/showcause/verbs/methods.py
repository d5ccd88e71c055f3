"""What there is: every method, with its parameters and to what it applies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from showcause.adapters.dataset import dataset
from showcause.methods import find
from showcause.verbs.compute import read_model


@dataclass(frozen=True)
class Listed:
    """One method: `parameters` with defaults, `needs`, and for a given model why it does not apply (None: it does)."""

    name: str
    kind: str
    summary: str
    parameters: dict[str, Any]
    needs: tuple[str, ...]
    reason: str | None = None


class Listing(dict[str, Listed]):
    """name → Listed, shown as a table."""

    def _repr_html_(self) -> str:
        from showcause.views.notebook import facts_html  # lazy delegation upwards, listed in the layer test

        return facts_html(self)

    def __repr__(self) -> str:
        width = max(map(len, self), default=0)
        lines = []
        for name, entry in self.items():
            params = ", ".join(f"{k}={v!r}" for k, v in entry.parameters.items())
            not_here = f"  [does not apply: {entry.reason}]" if entry.reason else ""
            lines.append(f"{name:<{width}}  {entry.kind:<11}  {entry.summary} ({params}){not_here}")
        return "\n".join(lines)


def methods(model: Any = None, X: Any = None, y: Any = None, **options: Any) -> Listing:
    """All methods; with a model and X also whether each applies (`reason`). Options as for `compute`: train, task, …"""
    adapted = data = None
    if model is not None:
        if X is None:
            raise ValueError("give X beside the model: whether a method applies depends on both")
        task = options.pop("task", None)
        adapted, frame = read_model(model, X, task=task, y=y)
        data = dataset(adapted, frame.take(np.arange(len(frame))), y, **options)
    found = Listing()
    for name, method in find().items():
        reason = method.applies(adapted, data) if adapted is not None and data is not None else None
        found[name] = Listed(name, method.kind, method.summary, method.defaults, method.needs, reason)
    return found
