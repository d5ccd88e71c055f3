"""What a forest of each library sees: rows as the user gave them → the float64 matrix that its trees split.

Law: `read_forest(model).predict(matrix(model)(rows))` is `margin(model)(rows)`, the library's own raw output, within
the rounding of float32. `showcause.adapters.trees` holds every model to it before anything is explained.
"""

from __future__ import annotations

import warnings
from bisect import bisect_left
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from showcause.adapters.forests import NotAForest
from showcause.adapters.frame import Frame, Rows

Encode = Callable[[Any], Rows]


def matrix(model: Any) -> Encode:
    """The mapping of one bare model's input to its forest's matrix, by the library that it comes from."""
    return {"sklearn": _sklearn, "xgboost": _xgboost, "lightgbm": _lightgbm, "catboost": _catboost}[library(model)](
        model
    )


def library(model: Any) -> str:
    for ancestor in type(model).__mro__:
        name = ancestor.__module__.partition(".")[0]
        if name in ("sklearn", "xgboost", "lightgbm", "catboost"):
            return name
    raise NotAForest(f"{type(model).__name__} is not a tree ensemble of sklearn, xgboost, lightgbm, catboost")


def numbers(rows: Any) -> Rows:
    """Numbers, booleans and text that spells numbers as float64, missing as NaN; sparse matrices filled with zeros."""
    if hasattr(rows, "toarray"):
        return np.asarray(rows.toarray(), dtype=np.float64)
    if isinstance(rows, np.ndarray) or plain_numbers(rows):
        return np.asarray(rows, dtype=np.float64)
    frame = Frame.of(rows)
    return np.column_stack([_floats(frame.arrow(name), name) for name in frame.names])


def plain_numbers(rows: Any) -> bool:
    """Whether a pandas frame holds nothing but numpy's own numbers: then it is one matrix as it stands."""
    kinds = getattr(rows, "dtypes", None) if hasattr(rows, "iloc") else None
    return kinds is not None and all(isinstance(kind, np.dtype) and kind.kind in "fiub" for kind in kinds)


def _floats(array: pa.Array, name: str) -> Rows:
    try:
        cast = pc.cast(array, pa.float64(), safe=False)
    except (pa.ArrowException, ValueError) as error:
        raise NotAForest(f"column {name!r} holds {array.type}, which is no number: {error}") from error
    return np.array(cast.to_numpy(zero_copy_only=False), dtype=np.float64)


def _codes(array: pa.Array, categories: pa.Array) -> Rows:
    """Position of each value among the categories, NaN for missing and unknown ones."""
    if categories.type != array.type:
        categories = pc.cast(categories, array.type)
    found = pc.index_in(array, value_set=categories, skip_nulls=True)
    return np.array(pc.cast(found, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _coded(rows: Any, categories: dict[int, pa.Array], codes: Callable[[pa.Array, pa.Array], Rows] = _codes) -> Rows:
    """As `numbers`, but the columns named by position hold the codes of their categories."""
    if not categories or isinstance(rows, np.ndarray) or hasattr(rows, "toarray"):
        return numbers(rows)
    frame = Frame.of(rows)
    arrays = [frame.arrow(name) for name in frame.names]
    columns = [
        codes(array, categories[j]) if j in categories else _floats(array, frame.names[j])
        for j, array in enumerate(arrays)
    ]
    return np.column_stack(columns)


def _declared(rows: Any) -> dict[int, pa.Array]:
    """Position of every pandas categorical → its categories, in their order."""
    if not hasattr(rows, "iloc"):
        return {}
    kinds = enumerate(rows.dtypes)
    return {j: pa.array(kind.categories, from_pandas=True) for j, kind in kinds if hasattr(kind, "categories")}


def _sklearn(model: Any) -> Encode:
    from showcause.adapters.forests.sklearn import matrix as encoded

    if getattr(model, "_preprocessor", None) is not None:
        return lambda rows: encoded(model, rows)
    return numbers


def _xgboost(model: Any) -> Encode:
    """XGBoost 3.1 and later keep the categories of training and recode what they are given; before that the codes of
    the rows' own categories count. What a sparse matrix does not store is missing, and so is the `missing` value."""
    booster = model.get_booster() if hasattr(model, "get_booster") else model
    trained = _xgboost_categories(booster)
    gap = getattr(model, "missing", np.nan)

    def encode(rows: Any) -> Rows:
        if hasattr(rows, "tocoo"):
            stored = rows.tocoo()
            values = np.full(stored.shape, np.nan)
            values[stored.row, stored.col] = stored.data
        else:
            values = _coded(rows, _declared(rows)) if trained is None else _recoded(rows, trained)
        if gap is not None and not np.isnan(gap):
            with np.errstate(over="ignore"):  # the library compares as it stores: in float32
                values = np.where(values.astype(np.float32) == np.float32(gap), np.nan, values)
        return values

    return encode


def _xgboost_categories(booster: Any) -> dict[int, pa.Array] | None:
    if not hasattr(booster, "get_categories"):
        return None
    found = booster.get_categories(export_to_arrow=True).to_arrow()
    return {j: array for j, (_, array) in enumerate(found) if array is not None} if found else None


def _recoded(rows: Any, trained: dict[int, pa.Array]) -> Rows:
    """Codes as XGBoost finds them: it looks up the categories of the rows among those of training, as bytes."""
    if not hasattr(rows, "iloc"):
        return _coded(rows, trained, _codes_by_bytes)
    if plain_numbers(rows):
        return numbers(rows)
    frame, declared = Frame.of(rows), _declared(rows)
    columns = []
    for j, name in enumerate(frame.names):
        if j not in trained or j not in declared:
            columns.append(_floats(frame.arrow(name), name))
            continue
        given = rows.iloc[:, j].cat
        place = np.append(_places(_sliced(given.categories), trained[j]), np.nan)
        columns.append(place[given.codes.to_numpy()])  # -1 is missing: the last place
    return np.column_stack(columns)


def _places(given: list[Any], stored: pa.Array) -> Rows:
    """XGBoost's search: the first category of training, in sorted order, that is not below the one given. So a category
    that it never saw passes for its neighbour; beyond the last one the model itself refuses the rows."""
    keys = _keys(stored)
    order = sorted(range(len(keys)), key=lambda code: keys[code])
    ranked = [keys[code] for code in order]
    found = [bisect_left(ranked, key) for key in given]
    return np.array([order[at] if at < len(order) else np.nan for at in found], dtype=np.float64)


def _sliced(categories: Any) -> list[Any]:
    """The categories of a pandas column as XGBoost (3.1, 3.2) hands them to its core: text is joined in UTF-8 and cut
    by numbers of characters, so that names beyond ASCII arrive shifted, in training and prediction alike."""
    if categories.dtype.kind in "iuf":
        return [float(value) for value in categories]
    texts = [str(value) for value in categories]
    ends = np.cumsum([0, *map(len, texts)]).tolist()
    joined = "".join(texts).encode()
    return [_signed(joined[a:b]) for a, b in pairwise(ends)]


def _signed(text: bytes) -> tuple[int, ...]:
    """Text as XGBoost orders it: by signed bytes."""
    return tuple(byte - 256 if byte > 127 else byte for byte in text)


def _keys(stored: pa.Array) -> list[Any]:
    if pa.types.is_string(stored.type) or pa.types.is_large_string(stored.type):
        binary = pa.large_binary() if pa.types.is_large_string(stored.type) else pa.binary()
        return [_signed(text) for text in stored.cast(binary).to_pylist()]
    return [float(value) for value in stored.to_pylist()]


def _codes_by_bytes(array: pa.Array, categories: pa.Array) -> Rows:
    texts = array.to_pylist()
    present = list(dict.fromkeys(v for v in texts if v is not None))
    keys = [_signed(v.encode()) if isinstance(v, str) else float(v) for v in present]
    known = dict(zip(present, _places(keys, categories), strict=True))
    return np.array([known.get(v, np.nan) for v in texts], dtype=np.float64)


def _lightgbm(model: Any) -> Encode:
    """LightGBM keeps the pandas categories of training by the order of the categorical columns."""
    booster = getattr(model, "booster_", model)
    trained = [pa.array(levels, from_pandas=True) for levels in booster.pandas_categorical or []]

    def encode(rows: Any) -> Rows:
        if not hasattr(rows, "iloc"):
            return numbers(rows)
        places = sorted(_declared(rows))
        if len(places) != len(trained):
            raise NotAForest(
                f"the rows have {len(places)} categorical columns, the model was trained on {len(trained)}"
            )
        return _coded(rows, dict(zip(places, trained, strict=True)))

    return encode


def _catboost(model: Any) -> Encode:
    """Columns declared categorical that no tree splits (the reader refuses the others) are left at zero."""
    unread = set(model.get_cat_feature_indices())

    def encode(rows: Any) -> Rows:
        if not unread:
            return numbers(rows)
        frame = Frame.of(rows)
        zeros = np.zeros(len(frame))
        names = enumerate(frame.names)
        return np.column_stack([zeros if j in unread else _floats(frame.arrow(n), n) for j, n in names])

    return encode


def margin(model: Any, rows: Any) -> Rows | None:
    """The library's own raw output (n,) or (n, K), in the space of its forest; None where it gives none."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X (has|does not have) (valid )?feature names")
        return _MARGINS[library(model)](model, rows)


def _sklearn_margin(model: Any, rows: Any) -> Any:
    if hasattr(model, "decision_function"):
        return model.decision_function(rows)
    if hasattr(model, "predict_proba"):
        shares = np.asarray(model.predict_proba(rows))
        return shares[:, 1] if shares.shape[1] == 2 else shares
    if type(model).__name__.startswith("HistGradientBoosting"):
        return model._raw_predict(rows)
    return model.predict(rows)


def _xgboost_margin(model: Any, rows: Any) -> Any:
    if hasattr(model, "get_booster"):
        plain = plain_numbers(rows) and "c" not in (model.get_booster().feature_types or ())
        return model.predict(numbers(rows) if plain else rows, output_margin=True)
    import xgboost

    names = model.feature_names if isinstance(rows, np.ndarray) else None
    data = xgboost.DMatrix(rows, feature_names=names, enable_categorical=True)
    return model.predict(data, output_margin=True)


def _lightgbm_margin(model: Any, rows: Any) -> Any:
    booster = getattr(model, "booster_", model)
    if booster.dump_model(num_iteration=1).get("average_output"):
        return None  # boosting=rf returns the sum of its trees here, and their mean as its prediction
    return model.predict(rows, raw_score=True)


def _catboost_margin(model: Any, rows: Any) -> Any:
    import catboost

    return catboost.CatBoost.predict(model, rows, prediction_type="RawFormulaVal")  # a ranker's own takes no type


_MARGINS: dict[str, Callable[[Any, Any], Any]] = {
    "sklearn": _sklearn_margin,
    "xgboost": _xgboost_margin,
    "lightgbm": _lightgbm_margin,
    "catboost": _catboost_margin,
}
