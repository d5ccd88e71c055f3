"""Models and data from files, as the command line takes them.

A model is `module:attribute` or a framework's own file; a pickle only where --allow-pickle says so, since loading one
runs whatever code it holds. Data are parquet or CSV, read by pyarrow and handed over as pandas where that is installed.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from showcause.adapters.recast import native as native
from showcause.adapters.recast import recast as recast
from showcause.core import canonical
from showcause.core.errors import DataError, MissingExtra, ModelError, choices
from showcause.verbs.open import SCHEMES

PICKLES = (".pkl", ".pickle", ".joblib")
MISSING = ["", "#N/A", "N/A", "NA", "<NA>", "NULL", "NaN", "None", "n/a", "nan", "null"]  # as pandas reads them


@dataclass(frozen=True)
class Loaded:
    """A model, where it came from, and what had to be allowed for it."""

    native: Any
    source: str
    consents: tuple[str, ...] = ()


@dataclass(frozen=True)
class Roles:
    """Columns that are not the model's: `context` holds those that segments and protected attributes may name."""

    label: str | None = None
    id: str | None = None
    context: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rows:
    X: Any
    y: Any
    context: Any
    ids: Sequence[Any] | None


def load_model(text: str, *, allow_pickle: bool = False) -> Loaded:
    """`module:attribute`, an XGBoost .json or .ubj, a LightGBM .txt, a CatBoost .cbm; a pickle where allowed; a model
    of MLflow (models:/credit/7, runs:/RUN/model)."""
    if text.startswith(SCHEMES):
        from showcause.integrations.mlflow.flavours import load

        found = load(text, allow_pickle=allow_pickle)
        return Loaded(found.native, found.source, found.consents)
    path = Path(text)
    suffix = path.suffix.lower()
    if suffix in PICKLES:
        return _pickled(path, allow_pickle)
    if suffix in READERS:
        if not path.is_file():
            raise ModelError(f"there is no model file {text!r}")
        with _clear(text):
            return Loaded(READERS[suffix](path), text)
    module, colon, attribute = text.partition(":")
    if not colon or not module or not attribute:
        files = ", ".join(sorted(READERS))
        raise ModelError(f"{text!r} names no model; give module:attribute, or a model file ({files})")
    return Loaded(_imported(module, attribute), text)


def _imported(module: str, attribute: str) -> Any:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ModelError(
            f"there is no module {error.name!r} to import from this folder ({module}:{attribute})"
        ) from error
    except (Exception, SystemExit) as error:  # the user's own code
        raise ModelError(f"importing {module} failed with {type(error).__name__}: {error}") from error
    for name in attribute.split("."):
        if not hasattr(found, name):
            names = [n for n in vars(found) if not n.startswith("_")] if hasattr(found, "__dict__") else []
            raise ModelError(f"{module} has no attribute {name!r}: {choices(name, names)}")
        found = getattr(found, name)
    return found


def _pickled(path: Path, allowed: bool) -> Loaded:
    if not allowed:
        raise ModelError(
            f"{path} is a pickle, and loading a pickle runs whatever code it holds. Give module:attribute or the "
            "framework's own file; or --allow-pickle where you made the file yourself (the record will say so)"
        )
    if not path.is_file():
        raise ModelError(f"there is no model file {str(path)!r}")
    if importlib.util.find_spec("joblib") is None:
        raise MissingExtra.of("joblib", "all")
    import joblib

    data = path.read_bytes()
    with _clear(str(path)):
        native = joblib.load(io.BytesIO(data))
    return Loaded(native, str(path), (f"allow-pickle {path.name} sha256:{canonical.digest(data)}",))


@contextlib.contextmanager
def _clear(source: str) -> Iterator[None]:
    """Whatever a framework raises on a damaged file becomes one clear error."""
    try:
        yield
    except ImportError as error:
        raise MissingExtra(f"{source} needs the package {error.name!r}: pip install {error.name}") from error
    except Exception as error:
        first = str(error).strip().split("\n")[0][:300]
        raise ModelError(f"{source} cannot be read as a model: {type(error).__name__}: {first}") from error


def _xgboost(path: Path) -> Any:
    import xgboost

    booster = xgboost.Booster()
    booster.load_model(path)
    return booster


def _lightgbm(path: Path) -> Any:
    import lightgbm

    return lightgbm.Booster(model_file=path)


def _catboost(path: Path) -> Any:
    import catboost

    return catboost.CatBoost().load_model(str(path))


READERS = {".json": _xgboost, ".ubj": _xgboost, ".txt": _lightgbm, ".cbm": _catboost}


def read_table(path: Path, *, times: Sequence[str] = ()) -> pa.Table:
    """A parquet or CSV file. In a CSV dates stay text, as pandas leaves them, but for the columns of `times`."""
    suffix = "".join(path.suffixes[-2:]).lower() if path.suffix in (".gz", ".bz2") else path.suffix.lower()
    if not path.is_file():
        raise DataError(f"there is no data file {str(path)!r}")
    try:
        if suffix in (".parquet", ".pq"):
            import pyarrow.parquet

            table = pyarrow.parquet.ParquetFile(path).read()
        elif suffix.startswith((".csv", ".tsv")):
            table = _csv(path, "\t" if suffix.startswith(".tsv") else ",", set(times))
        else:
            raise DataError(f"{path} ends in {path.suffix!r}; give .parquet or .csv (also .tsv, .csv.gz, .csv.bz2)")
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    names = table.column_names
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"{path} has duplicate column names {twice}; rename them, each column needs its own name")
    stated = (table.schema.pandas_metadata or {}).get("index_columns", [])
    return table.drop_columns([name for name in stated if isinstance(name, str) and name in names])


def _csv(path: Path, delimiter: str, times: set[str]) -> pa.Table:
    from pyarrow import csv

    def read(types: dict[str, pa.DataType]) -> pa.Table:
        options = csv.ConvertOptions(
            column_types=types, null_values=MISSING, strings_can_be_null=True, quoted_strings_can_be_null=True
        )
        return csv.read_csv(path, parse_options=csv.ParseOptions(delimiter=delimiter), convert_options=options)

    table = read({})
    dated = {f.name: pa.string() for f in table.schema if pa.types.is_temporal(f.type) and f.name not in times}
    return read(dated) if dated and len(set(table.column_names)) == table.num_columns else table


def split(table: pa.Table, roles: Roles, *, need_label: bool = False) -> Rows:
    """Features, labels, context and ids apart. Raises DataError for a role whose column is not there."""
    for name in (roles.id, *roles.context):
        if name is not None and name not in table.column_names:
            raise DataError(f"no such column in the data: {choices(name, table.column_names)}")
    labelled = roles.label is not None and roles.label in table.column_names
    if roles.label is not None and need_label and not labelled:
        raise DataError(f"the label is no column of the data: {choices(roles.label, table.column_names)}")
    apart = {roles.label, roles.id, *roles.context}
    features = [name for name in table.column_names if name not in apart]
    if not features:
        raise DataError(f"no column is left for the model; {sorted(filter(None, apart))} have other roles")
    context = native(table.select(list(roles.context))) if roles.context else None
    y = _labels(table[roles.label]) if labelled and roles.label else None
    ids = None if roles.id is None else [str(value) for value in table[roles.id].to_pylist()]
    return Rows(native(table.select(features)), y, context, ids)


def _labels(column: pa.ChunkedArray) -> Any:
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    return column.to_numpy()
