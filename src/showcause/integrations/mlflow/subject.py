"""What `mlflow.models.evaluate` hands to an evaluator, as `showcause.explain` takes it: a model, rows, labels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from showcause.adapters.lightgbm import spelled
from showcause.adapters.model import Task
from showcause.core.errors import DataError, ModelError

# Loaders whose framework's own object is explained, so that trees, coefficients and probabilities are seen. Everything
# else is called as MLflow calls it.
NATIVE = ("mlflow.sklearn", "mlflow.xgboost", "mlflow.lightgbm", "mlflow.catboost")
TASKS: dict[str, Task] = {"classifier": "classification", "regressor": "regression"}


@dataclass(frozen=True)
class Subject:
    """`X` holds the model's columns, `context` the others of the data; `model_id` is MLflow's, of the model itself."""

    model: Any
    X: Any
    y: Any
    context: Any
    task: Task
    model_id: str | None


def subject(model: Any, dataset: Any, model_type: str, predictions: str | None = None) -> Subject:
    """Raises ModelError where there are predictions and no model, DataError where there are no rows."""
    if model is None:
        raise ModelError("the evaluation was given predictions and no model; there is nothing to explain")
    native = framework_model(model)
    X, context = split(rows(dataset, native), columns(model, native))
    explained = native if native is not None else called(model, predictions)
    return Subject(explained, X, dataset.labels_data, context, TASKS[model_type], getattr(model, "model_id", None))


def framework_model(model: Any) -> Any:
    """The framework's own object behind a PyFuncModel; None where there is none in this process, or none we know."""
    metadata = getattr(model, "metadata", None)
    if metadata is None or metadata.flavors.get("python_function", {}).get("loader_module") not in NATIVE:
        return None
    inside: Any = getattr(model, "_model_impl", None)
    if hasattr(inside, "get_raw_model"):
        return inside.get_raw_model()
    served = type(model).__name__ == "_ServedPyFuncModel"
    return inside if not served and hasattr(inside, "predict") else None


def rows(dataset: Any, native: Any) -> Any:
    """The features as MLflow's own evaluators see them: a DataFrame under the data set's feature names. An array stays
    one where MLflow made the names up, so that it gets those that the framework's model was trained with."""
    import pandas as pd

    data, names = dataset.features_data, list(dataset.feature_names)
    if len(data) == 0:
        raise DataError("the data set has no rows; there is nothing to explain")
    if isinstance(data, pd.DataFrame):
        data = data.reset_index(drop=True)
        return data if list(data.columns) == names else data.set_axis(names, axis=1)
    width = math.ceil(math.log10(len(names) + 1))
    made_up = [f"feature_{str(number).zfill(width)}" for number in range(1, len(names) + 1)]
    return data if native is not None and names == made_up else pd.DataFrame(data, columns=names)


def columns(model: Any, native: Any) -> tuple[str, ...] | None:
    """The columns that the model takes, by what it says of itself or by its signature; None where neither says."""
    for name in ("feature_names_in_", "feature_names_", "feature_names", "feature_name_", "feature_name"):
        try:
            found = getattr(native, name, None)
            found = found() if callable(found) else found
        except (AttributeError, ValueError, TypeError):  # a Pipeline asks its first step, which may not know
            continue
        if found is not None and len(found):
            return tuple(map(str, found))
    schema = getattr(getattr(model, "metadata", None), "signature", None)
    inputs = getattr(schema, "inputs", None)
    return tuple(inputs.input_names()) if inputs is not None and inputs.has_input_names() else None


def split(data: Any, wanted: tuple[str, ...] | None) -> tuple[Any, Any]:
    """(the model's columns, the others or None): segments and protected attributes may name columns that the model
    never sees."""
    import pandas as pd

    if wanted is None or not isinstance(data, pd.DataFrame):
        return data, None
    wanted = spelled(wanted, [str(name) for name in data.columns])
    if not set(wanted) < set(data.columns):
        return data, None
    return data[list(wanted)], data[[name for name in data.columns if name not in wanted]]


def called(model: Any, column: str | None) -> Callable[[Any], Any]:
    """The model as a function from rows to an array: its outputs, or `column` of them."""

    def predict(given: Any) -> Any:
        return plain(model.predict(given), column)

    predict.__qualname__ = f"{type(model).__name__}.predict"
    return predict


def plain(output: Any, column: str | None = None) -> np.ndarray[Any, Any]:
    """Whatever a PyFuncModel returns as an array: (rows,) or (rows, outputs). Raises ModelError."""
    import pandas as pd

    if isinstance(output, list) and output and all(isinstance(entry, dict) for entry in output):
        output = pd.DataFrame(output)
    if isinstance(output, dict):
        output = pd.DataFrame(output)
    if isinstance(output, pd.DataFrame):
        if column is not None:
            if column not in output.columns:
                raise ModelError(f"the model returns the columns {list(output.columns)}, and not {column!r}")
            return np.asarray(output[column].to_numpy())
        return np.asarray(output.iloc[:, 0].to_numpy() if output.shape[1] == 1 else output.to_numpy())
    return np.asarray(output)
