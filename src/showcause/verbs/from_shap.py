"""A `shap.Explanation` as an artifact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from showcause.adapters.frame import Rows
from showcause.core.artifact import Artifact
from showcause.core.errors import DataError, ParameterError
from showcause.core.kinds import build


def from_shap(
    explanation: Any,
    *,
    name: str = "attribution/from_shap",
    space: str | None = None,
    game: str | None = None,
    targets: Sequence[Any] | None = None,
) -> Artifact:
    """An artifact of kind attribution from what shap computed. Nothing is computed anew; the spec names the source.

    explanation   a shap.Explanation: values (features,), (rows × features) or (rows × features × outputs), base values,
                  and where known data, feature and output names
    space, game   the output space of the values and the game that was played, if you know them: shap does not say
    targets       the class of each output, where the explanation does not name them

    `prediction` is the base plus the sum of the values, since that is all an Explanation says. Raises DataError for
    anything that is not a finite explanation of that shape, ParameterError for targets that do not fit.
    """
    if any(not hasattr(explanation, part) for part in ("values", "base_values", "data")):
        raise DataError(
            f"a {type(explanation).__name__} is no shap.Explanation: it has no values, base_values and data"
        )
    values = _numbers(explanation.values, "values")
    if values.ndim == 1:
        values = values[None]
    single = values.ndim == 2
    if single:
        values = values[:, :, None]
    if values.ndim != 3 or 0 in values.shape:
        raise DataError(f"values of shape {np.shape(explanation.values)}: rows × features [× outputs] are needed")
    n, p, outputs = values.shape
    classes = _classes(explanation, targets, outputs, single)
    base = _base(explanation.base_values, n, outputs)
    features = _names(explanation, p)
    columns: dict[str, Any] = {
        "example": np.repeat(np.arange(n), outputs * p),
        "feature": features * (n * outputs),
        "value": values.transpose(0, 2, 1).ravel(),
        "base": np.repeat(base.ravel(), p),
        "prediction": np.repeat((base + values.sum(axis=1)).ravel(), p),
        **_cells(explanation, (n, p, outputs)),
    }
    if classes is not None:
        columns["target"] = list(np.tile(np.repeat(np.array(classes, dtype=object), p), n))
    if getattr(explanation, "error_std", None) is not None:
        errors = _numbers(explanation.error_std, "error_std").reshape(n, p, outputs)
        columns |= {"error": errors.transpose(0, 2, 1).ravel(), "noise": "monte-carlo"}
    ids = getattr(explanation, "instance_names", None)
    if ids is not None and len(ids) == n:
        columns["id"] = list(np.repeat(np.array([str(i) for i in ids], dtype=object), outputs * p))
    return Artifact(name, "attribution", _spec(values, space, game, classes), build("attribution", columns))


def _spec(values: Rows, space: str | None, game: str | None, classes: Any) -> dict[str, Any]:
    from importlib.metadata import PackageNotFoundError, version

    try:
        made_by = version("shap")
    except PackageNotFoundError:
        made_by = None
    return {
        "method": "from_shap",
        "version": 1,
        "params": {},
        "source": {"library": "shap", "version": made_by},
        "targets": [] if classes is None else list(classes),
        "space": space or "unknown",
        "game": game or "unknown",
        "rows": {"count": len(values)},
        "additivity": None,
        "notes": ["Read from a shap.Explanation: the prediction is the base plus the sum of the contributions."],
    }


def _numbers(given: Any, what: str) -> Rows:
    try:
        numbers = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{what} of the explanation are not numbers in one array") from None
    if not np.isfinite(numbers).all():
        raise DataError(f"{what} of the explanation hold NaN or infinity")
    return numbers


def _classes(explanation: Any, targets: Sequence[Any] | None, outputs: int, single: bool) -> list[str] | None:
    given = getattr(explanation, "output_names", None) if targets is None else targets
    if isinstance(given, str):
        given = [given]
    if given is None:
        if single:
            return None
        raise ParameterError(f"the explanation has {outputs} outputs and does not name them: give targets=[…]")
    names = [str(name) for name in given]
    if len(names) != outputs or len(set(names)) < outputs:
        raise ParameterError(f"targets {names[:12]} do not name the {outputs} outputs, each once")
    return names


def _base(given: Any, n: int, outputs: int) -> Rows:
    if given is None:
        raise DataError("the explanation has no base values, so nothing says where its contributions start")
    base = _numbers(given, "base values")
    if base.ndim == 1 and base.shape == (n,) and (outputs == 1 or n != outputs):
        base = base[:, None]
    try:
        return np.array(np.broadcast_to(base, (n, outputs)))
    except ValueError:
        raise DataError(f"base values of shape {base.shape} for {n} rows and {outputs} outputs") from None


def _names(explanation: Any, p: int) -> list[str]:
    given = getattr(explanation, "feature_names", None)
    names = [f"x{j}" for j in range(p)] if given is None else [str(name) for name in given]
    if len(names) != p or len(set(names)) < p:
        raise DataError(f"{len(set(names))} different feature names for {p} features; each needs its own")
    return names


MISSING = "missing"  # as `to_shap` says it in words


def _known(cell: Any) -> bool:
    """Whether a cell is a finite number. Raises DataError for what is neither a number nor nothing."""
    if cell is None:
        return False
    try:
        return bool(np.isfinite(float(cell)))
    except (TypeError, ValueError):
        raise DataError(f"data of the explanation hold a {type(cell).__name__}; numbers and text can be read") from None


def _cells(explanation: Any, shape: tuple[int, int, int]) -> dict[str, Any]:
    """`input` and `input_level` from the words where there are some, else from the data; nothing where not kept."""
    n, p, outputs = shape
    words = getattr(explanation, "display_data", None)
    given = explanation.data if words is None else words
    if given is None:
        return {}
    array = given.to_numpy() if hasattr(given, "to_numpy") else given.toarray() if hasattr(given, "toarray") else given
    array = np.asarray(array)
    if array.size != n * p:
        raise DataError(f"data of shape {array.shape} for {n} rows and {p} features")
    cells = array.reshape(n, p)
    numbers, levels = np.full((n, p), np.nan), np.full((n, p), None, dtype=object)
    for j in range(p):
        column: list[Any] = [
            None if isinstance(cell, str) and cell == MISSING else cell for cell in cells[:, j].tolist()
        ]
        if any(isinstance(cell, str | bool) for cell in column):
            texts = [cell if isinstance(cell, str | bool) or _known(cell) else None for cell in column]
            levels[:, j] = [None if cell is None else str(cell) for cell in texts]
        else:
            numbers[:, j] = [float(cell) if _known(cell) else np.nan for cell in column]

    def spread(value: Rows) -> Rows:
        return np.repeat(value[:, None, :], outputs, axis=1).ravel()

    return {"input": spread(numbers), "input_level": spread(levels).tolist()}
