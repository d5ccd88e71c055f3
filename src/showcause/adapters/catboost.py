"""CatBoost: classifier, regressor and the plain CatBoost class."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from showcause.adapters.forests.catboost import loss_name
from showcause.adapters.model import Model, Task, as_text, unfitted
from showcause.core import canonical
from showcause.core.errors import ModelError

CLASSIFICATION = ("Logloss", "CrossEntropy", "Focal", "MultiClass", "MultiClassOneVsAll")


def adapt(native: Any, task: Task | None = None) -> Model | None:
    if not hasattr(native, "is_fitted"):
        return None
    if not native.is_fitted():
        raise unfitted(type(native).__name__)
    name = f"catboost.{type(native).__name__}"
    names = native.feature_names_
    generic = all(str(label) == str(j) for j, label in enumerate(names))
    known: dict[str, Any] = {"features": None if generic else as_text(names), "digest": identity(native)}
    loss = loss_name(native)
    if "Multi" in loss and loss not in CLASSIFICATION:
        raise ModelError(f"{name} with loss {loss} predicts several outputs at once; explain one output at a time")
    if loss not in CLASSIFICATION and not hasattr(native, "predict_proba"):
        return Model(native, name, "regression", "target", native.predict, **known)
    labels = tuple(np.asarray(native.classes_).tolist()) or (0, 1)

    def probability(rows: Any) -> Any:
        own = hasattr(native, "predict_proba")
        return native.predict_proba(rows) if own else native.predict(rows, prediction_type="Probability")

    cut = native.get_probability_threshold() if len(labels) == 2 and hasattr(native, "predict_proba") else None
    known["threshold"] = None if cut == 0.5 else cut
    return Model(native, name, "classification", "probability", probability, as_text(labels), labels, **known)


def identity(native: Any) -> str:
    """sha256 of trees, scale and features of the JSON form; its model_info holds a date, a guid and threads."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        try:
            native.save_model(str(path), format="json")
        except Exception:  # text and embedding features have no JSON form: identity rests on behaviour
            return ""
        document = json.loads(path.read_bytes())
    kept = {key: value for key, value in document.items() if key != "model_info"}
    classes = (document.get("model_info") or {}).get("class_params")
    return canonical.digest(json.dumps([kept, classes], sort_keys=True).encode())
