"""Rows from files in the form that a model was trained on: pandas where it is installed, its own categories back."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import pyarrow as pa

from showcause.adapters.lightgbm import spelled
from showcause.adapters.model import library
from showcause.core.errors import DataError, InputError, MissingExtra, ParameterError


def native(table: pa.Table) -> Any:
    """pandas where it is installed, which most models were trained on; else the Arrow table."""
    if importlib.util.find_spec("pandas") is None:
        return table
    return table.replace_schema_metadata(None).to_pandas()


def recast(model: Any, X: Any) -> Any:
    """X with the categorical columns that a boosted model was trained with: a CSV cannot say which they were."""
    X = _flags(X) if library(model) in ("xgboost", "lightgbm") else X
    trained = _levels(model, X)
    if not trained:
        return X
    if isinstance(X, pa.Table):
        raise MissingExtra.of("pandas, which models with categorical columns need,", "demo")
    import pandas

    made = X.copy(deep=False)
    for name, known in trained.items():
        levels = {_spelling(level): level for level in known}
        values = X[name].astype(object)
        found = {value: _spelling(value) for value in values.dropna().unique()}
        if unknown := sorted(set(found.values()) - set(levels)):
            raise DataError(f"column {name!r} has categories that the model was not trained on: {unknown[:8]}")
        own = values.map({value: levels[text] for value, text in found.items()})
        made[name] = pandas.Categorical(own, categories=known)
    return made


def _flags(X: Any) -> Any:
    """Pandas holds yes and no with gaps as objects, which these libraries take for no numbers."""
    if isinstance(X, pa.Table) or not hasattr(X, "iloc"):
        return X
    flags = [n for n in X.columns if X[n].dtype == object and {type(v) for v in X[n].dropna().unique()} <= {bool}]
    return X.astype(dict.fromkeys(flags, "boolean")) if flags else X


def _spelling(level: Any) -> str:
    """A level as text: whole numbers without a point, which a gap in their column gives them."""
    return str(int(level)) if isinstance(level, float) and level.is_integer() else str(level)


def worded(model: Any, X: Any) -> Any:
    """`recast` for a pandas frame in which a categorical column came as its words, and for an Arrow table of a model
    that has such columns; any other X as it is."""
    if isinstance(X, pa.Table):
        return recast(model, native(X)) if _levels(model, X) else X
    if type(X).__module__.partition(".")[0] != "pandas":
        return X
    words = [name for name in X.columns if str(X[name].dtype) in ("object", "str", "string")]
    return recast(model, X) if words and any(str(name) in _levels(model, X) for name in words) else X


def _levels(model: Any, X: Any) -> dict[str, list[Any]]:
    """Categorical column → its levels in the model's order. Empty where the model has none or reads text itself."""
    package = library(model)
    names = [str(name) for name in (X.column_names if isinstance(X, pa.Table) else X.columns)]
    if package == "xgboost":
        booster = model.get_booster() if hasattr(model, "get_booster") else model
        found = _xgboost_levels(booster, X)
    elif package == "lightgbm":
        booster = getattr(model, "booster_", model)
        found = _lightgbm_levels(booster, X, names)
    else:
        return {}
    return {name: levels for name, levels in found.items() if name in names}


def _xgboost_levels(booster: Any, X: Any) -> dict[str, list[Any]]:
    types = dict(zip(booster.feature_names or [], booster.feature_types or [], strict=False))
    wanted = [name for name, kind in types.items() if kind == "c"]
    if not wanted:
        return {}
    stored = dict(booster.get_categories(export_to_arrow=True).to_arrow()) if hasattr(booster, "get_categories") else {}
    if lost := [name for name in wanted if stored.get(name) is None]:
        raise InputError(
            f"the model file does not say which categories {lost[:8]} had; explain the model as module:attribute, or "
            "save it again with a newer XGBoost"
        )
    given = X.column_names if isinstance(X, pa.Table) else [str(name) for name in X.columns]
    return {name: _whole(stored[name], name, X) for name in wanted if name in given}


def _whole(stored: pa.Array, name: str, X: Any) -> list[Any]:
    """The levels of a column. XGBoost cuts names by their letters where it should by their bytes, so that of names
    beyond ASCII only pieces are kept; they are those of the data where these, in order, come to the same pieces.
    Raises InputError where they do not."""
    if not (pa.types.is_string(stored.type) or pa.types.is_large_string(stored.type)):
        return list(stored.to_pylist())
    wide = pa.large_binary() if pa.types.is_large_string(stored.type) else pa.binary()
    pieces: list[bytes] = stored.view(wide).to_pylist()
    if all(piece.isascii() for piece in pieces):
        return [piece.decode() for piece in pieces]
    column = X[name].to_pandas() if isinstance(X, pa.Table) else X[name]
    own = list(column.cat.categories) if hasattr(column, "cat") else sorted({str(v) for v in column.dropna().unique()})
    if _pieces(own) != pieces:
        raise InputError(
            f"XGBoost keeps the categories of {name!r} in pieces, as some are not ASCII, and the data do not hold all "
            "of them; give a frame in which the column has the categories of the training"
        )
    return own


def _pieces(levels: Sequence[Any]) -> list[bytes]:
    """Names as XGBoost cuts them."""
    names = [str(level) for level in levels]
    ends = list(accumulate((len(name) for name in names), initial=0))
    data = "".join(names).encode()
    return [data[start:end] for start, end in pairwise(ends)]


def _lightgbm_levels(booster: Any, X: Any, names: list[str]) -> dict[str, list[Any]]:
    levels = booster.pandas_categorical or []
    if not levels:
        return {}
    trained = spelled(booster.feature_name(), names)
    infos = dict(zip(trained, _feature_infos(booster), strict=True))
    columns = [n for n in trained if n in names and ((":" in infos[n] and infos[n][0] != "[") or _is_text(X, n))]
    if len(columns) != len(levels):
        raise ParameterError(
            f"the model was trained with {len(levels)} categorical columns, and the data have {len(columns)} that fit "
            f"({columns[:12]}); give parquet with categorical columns, or the model as module:attribute"
        )
    return dict(zip(columns, levels, strict=True))


def _feature_infos(booster: Any) -> list[str]:
    """As the model text has them: "[low:high]" for a number, "0:1:2" for a category, "none" where never split."""
    line = next(row for row in booster.model_to_string(num_iteration=1).split("\n") if row.startswith("feature_infos="))
    return str(line).partition("=")[2].split(" ")


def _is_text(X: Any, name: str) -> bool:
    if isinstance(X, pa.Table):
        kind = X.schema.field(name).type
        return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind))
    return str(X[name].dtype) in ("object", "str", "string", "category")
