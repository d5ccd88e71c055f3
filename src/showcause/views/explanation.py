"""An artifact as a `shap.Explanation`, which shap's own plots draw.

Law: `from_shap(to_shap(a))` has the values, bases, predictions and inputs of `a`.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pyarrow as pa

from showcause.core.artifact import Artifact
from showcause.core.errors import InputError, MissingExtra, NotFound, choices
from showcause.views.words import Words

Array = np.ndarray[Any, np.dtype[Any]]


def explanation(artifact: Artifact, target: str | None = None, feature: str | None = None) -> Any:
    """A shap.Explanation of an artifact of kind attribution, importance or curve.

    target    one class; without it, several classes stand in a third axis (rows × features × classes)
    feature   of a curve with several features, the one to draw

    An attribution gives values and data (rows × features) with the base values: for waterfall, beeswarm, bar, force,
    decision, heatmap and scatter. Categories are numbers in `data` (their places in the sorted levels) and words in
    `display_data`. An importance gives one value a feature, for bar. A curve of a numeric feature gives one value a
    place, for scatter. Raises MissingExtra without shap, NotFound for a target or feature that is not there, InputError
    for a kind that shap has no form for.
    """
    made = {"attribution": _attribution, "importance": _importance, "curve": _curve}
    if artifact.kind not in made:
        raise InputError(f"{artifact.name} is of kind {artifact.kind}; shap knows {', '.join(made)}")
    parts = made[artifact.kind](artifact, _of_target(artifact, target), feature)
    return _library().Explanation(**{key: value for key, value in parts.items() if value is not None})


def _library() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what shap imports warns of its own future
            import shap
    except ImportError:
        raise MissingExtra.of("shap", "shap") from None
    return shap


def _of_target(artifact: Artifact, target: str | None) -> pa.Table:
    """The rows of one class, or all."""
    table = artifact.table
    if target is None:
        return table
    names = table["target"].unique().to_pylist() if "target" in table.column_names else []
    if target not in names:
        raise NotFound(f"{artifact.name} has no such target: {choices(target, names)}")
    return table.filter(pa.array([name == target for name in table["target"].to_pylist()]))


def _places(table: pa.Table, name: str) -> tuple[list[Any], Array]:
    """The distinct entries of a column in order of appearance, and each row's place among them."""
    entries = table[name].to_pylist() if name in table.column_names else [None] * len(table)
    order = {entry: place for place, entry in enumerate(dict.fromkeys(entries))}
    return list(order), np.array([order[entry] for entry in entries], dtype=np.int64)


def _numbers(table: pa.Table, name: str) -> Array:
    return np.asarray(table[name].to_numpy(zero_copy_only=False), dtype=np.float64)


def _attribution(artifact: Artifact, table: pa.Table, feature: str | None) -> dict[str, Any]:
    _unwanted(artifact, feature)
    if table["value"].null_count:
        raise InputError(f"{artifact.name} has {table['value'].null_count} values that are not known; shap needs all")
    words = Words.of(artifact.dictionary)
    (examples, row), (features, column) = _places(table, "example"), _places(table, "feature")
    targets, output = _places(table, "target")
    shape = (len(examples), len(features), len(targets))
    if len(table) != np.prod(shape):
        raise InputError(
            f"{artifact.name} has {len(table)} rows, not one for each of {shape} (a whole table is needed)"
        )

    def cube(name: str) -> Array | None:
        if name not in table.column_names:
            return None
        filled = np.empty(shape)
        filled[row, column, output] = _numbers(table, name)
        return filled[:, :, 0] if len(targets) == 1 else filled

    base = np.empty((shape[0], shape[2]))
    base[row, output] = _numbers(table, "base")
    data, shown = _inputs(table, (row, column), shape[:2])
    ids = dict(zip(row.tolist(), table["id"].to_pylist(), strict=True)) if "id" in table.column_names else None
    names = [words.target(name) for name in targets]
    return {
        "values": cube("value"),
        "base_values": base[:, 0] if len(targets) == 1 else base,
        "data": data,
        "display_data": shown,
        "feature_names": [words.label(name) for name in features],
        "output_names": None if targets == [None] else names[0] if len(targets) == 1 else names,
        "instance_names": None if ids is None else [str(ids[i]) for i in range(shape[0])],
        "error_std": cube("error"),
    }


def _inputs(table: pa.Table, place: tuple[Array, Array], shape: tuple[int, int]) -> tuple[Array | None, Array | None]:
    """(numbers, words) of the cells; words only where there are categories, and neither where rows are not kept."""
    if not {"input", "input_level"} & set(table.column_names):
        return None, None
    data, shown = np.full(shape, np.nan), np.full(shape, None, dtype=object)
    if "input" in table.column_names:
        data[place] = _numbers(table, "input")
        shown[place] = table["input"].to_pylist()
    levels = np.full(shape, None, dtype=object)
    if "input_level" in table.column_names:
        levels[place] = table["input_level"].to_pylist()
    for j in range(shape[1]):
        known = sorted({level for level in levels[:, j] if level is not None})
        for i in np.flatnonzero([level is not None for level in levels[:, j]]):
            data[i, j], shown[i, j] = known.index(levels[i, j]), levels[i, j]
    if all(level is None for level in levels.ravel()):
        return data, None
    shown[np.array([[cell is None for cell in line] for line in shown])] = "missing"
    return data, shown


def _importance(artifact: Artifact, table: pa.Table, feature: str | None) -> dict[str, Any]:
    _unwanted(artifact, feature)
    words = Words.of(artifact.dictionary)
    kept: dict[str, float] = {}
    for row in table.to_pylist():
        alone = row.get("group") is None and row.get("feature_b") is None and row.get("term") is None
        if alone and row["feature"] is not None and row.get("segment") in (None, "all") and row.get("refit") is None:
            if row["feature"] in kept:
                raise InputError(f"{artifact.name} has a value for each class; give target=")
            kept[row["feature"]] = row["value"]
    if not kept or None in kept.values():
        raise InputError(f"{artifact.name} has no single features with a known value, which is what shap's bar draws")
    return {"values": np.array(list(kept.values())), "feature_names": [words.label(name) for name in kept]}


def _curve(artifact: Artifact, table: pa.Table, feature: str | None) -> dict[str, Any]:
    words = Words.of(artifact.dictionary)
    rows = [
        row
        for row in table.to_pylist()
        if row.get("at") is not None and row["value"] is not None and row.get("example") is None
        if row.get("segment") in (None, "all") and row.get("refit") is None
    ]
    names = list(dict.fromkeys(row["feature"] for row in rows))
    if not names:
        raise InputError(f"{artifact.name} has no curve along a number, which is what shap's scatter draws")
    if feature is None and len(names) > 1:
        raise InputError(f"{artifact.name} has curves of {len(names)} features; give feature=, one of {names[:12]}")
    if feature is not None and feature not in names:
        raise NotFound(f"{artifact.name} has no curve along a number for: {choices(feature, names)}")
    chosen = [row for row in rows if row["feature"] == (feature or names[0])]
    if len({row.get("target") for row in chosen}) > 1:
        raise InputError(f"{artifact.name} has a curve for each class; give target=")
    values, at = (np.array([row[name] for row in chosen])[:, None] for name in ("value", "at"))
    return {
        "values": values,
        "base_values": np.zeros(len(at)),
        "data": at,
        "feature_names": [words.label(feature or names[0])],
    }


def _unwanted(artifact: Artifact, feature: str | None) -> None:
    if feature is not None:
        raise InputError(f"{artifact.name} is of kind {artifact.kind}; feature= chooses among curves only")
