"""From raw columns to encoded ones: which raw column stands behind each column that a fitted transformer gives out.

Law: `parents(transformer, n)[e]` is the one input column that encoded column e is a function of, or `parents` raises
NotAForest and says why there is no such column. Names play no part: the structure is walked here, and `confirm` holds
the answer against the transformer's own behaviour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from showcause.adapters.forests import NotAForest
from showcause.adapters.frame import Frame, Rows

# One column out for each column in, each from its own alone. A FunctionTransformer is believed because it is probed.
COLUMNWISE = frozenset(
    {"StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "QuantileTransformer", "PowerTransformer"}
    | {"Binarizer", "OrdinalEncoder", "FunctionTransformer"}
)
MIXING = {
    "PCA": "a component is a combination of all columns",
    "IncrementalPCA": "a component is a combination of all columns",
    "KernelPCA": "a component is a combination of all columns",
    "TruncatedSVD": "a component is a combination of all columns",
    "FastICA": "a component is a combination of all columns",
    "Normalizer": "each row is divided by its own norm",
    "KNNImputer": "a gap is filled from rows that are near in all columns",
    "IterativeImputer": "a gap is predicted from the other columns",
}
PROBE_ROWS = 48
DONORS = 8  # changed rows for each raw column


def parents(transformer: Any, n: int) -> list[int]:
    """Input column (of n) behind each output column of a fitted scikit-learn transformer. Raises NotAForest."""
    if transformer is None or isinstance(transformer, str):
        if transformer in (None, "passthrough"):
            return list(range(n))
        raise NotAForest(f"the step {transformer!r} is not fitted")
    name = type(transformer).__name__
    if not type(transformer).__module__.startswith("sklearn."):  # a subclass may do anything
        raise NotAForest(f"{name} is a transformer whose columns cannot be traced")
    if name in MIXING:
        raise NotAForest(f"{name}: {MIXING[name]}, so its columns do not belong to one raw column each")
    if name in COLUMNWISE:
        return list(range(n))
    known = WALKS.get(name)
    if known is not None:
        return known(transformer, n)
    if hasattr(transformer, "get_support"):  # every selector
        return np.flatnonzero(transformer.get_support()).tolist()
    raise NotAForest(f"{name} is a transformer whose columns cannot be traced")


def chain(transformers: Sequence[Any], n: int) -> list[int]:
    """`parents` of transformers applied one after the other."""
    found = list(range(n))
    for transformer in transformers:
        found = [found[j] for j in parents(transformer, len(found))]
    return found


def _pipeline(transformer: Any, n: int) -> list[int]:
    return chain([step for _, step in transformer.steps], n)


def _union(transformer: Any, n: int) -> list[int]:
    steps = [step for _, step in transformer.transformer_list if step != "drop"]
    return [j for step in steps for j in parents(step, n)]


def _columns(transformer: Any, n: int) -> list[int]:
    width = max((part.stop for part in transformer.output_indices_.values()), default=0)
    out = [-1] * width
    for name, step, _ in transformer.transformers_:
        place = transformer.output_indices_[name]
        if place.stop == place.start or (isinstance(step, str) and step == "drop"):
            continue
        inputs = list(transformer._transformer_to_input_indices[name])
        found = [inputs[j] for j in parents(step, len(inputs))]
        if len(found) != place.stop - place.start:
            given = place.stop - place.start
            raise NotAForest(f"step {name!r} gives {given} columns where its structure tells of {len(found)}")
        out[place] = found
    return out


def _one_hot(transformer: Any, n: int) -> list[int]:
    return _repeated(transformer._n_features_outs)


def _bins(transformer: Any, n: int) -> list[int]:
    return list(range(n)) if transformer.encode == "ordinal" else _repeated(transformer.n_bins_)


def _target(transformer: Any, n: int) -> list[int]:
    classes = len(transformer.classes_) if transformer.target_type_ == "multiclass" else 1
    return _repeated([classes] * n)


def _splines(transformer: Any, n: int) -> list[int]:
    return _repeated([transformer.n_features_out_ // n] * n)


def _repeated(counts: Any) -> list[int]:
    return np.repeat(np.arange(len(counts)), np.asarray(counts, dtype=int)).tolist()


def _imputed(transformer: Any, n: int) -> list[int]:
    statistics = transformer.statistics_
    empty = [isinstance(s, float | np.floating) and np.isnan(s) for s in np.asarray(statistics, dtype=object)]
    dropped = not transformer.keep_empty_features and transformer.strategy != "constant"
    kept = [j for j in range(n) if not (dropped and empty[j])]
    return kept + (_missing(transformer.indicator_, n) if transformer.add_indicator else [])


def _missing(transformer: Any, n: int) -> list[int]:
    return [int(j) for j in transformer.features_]


def _powers(transformer: Any, n: int) -> list[int]:
    behind = [np.flatnonzero(row) for row in transformer.powers_]
    if any(len(columns) > 1 for columns in behind):
        raise NotAForest("PolynomialFeatures multiplies columns, so its columns do not belong to one raw column each")
    return [int(columns[0]) if len(columns) else 0 for columns in behind]  # a constant belongs to any


WALKS: dict[str, Callable[[Any, int], list[int]]] = {
    "Pipeline": _pipeline,
    "FeatureUnion": _union,
    "ColumnTransformer": _columns,
    "OneHotEncoder": _one_hot,
    "KBinsDiscretizer": _bins,
    "TargetEncoder": _target,
    "SplineTransformer": _splines,
    "SimpleImputer": _imputed,
    "MissingIndicator": _missing,
    "PolynomialFeatures": _powers,
}


def confirm(encode: Callable[[Any], Rows], owner: Rows, X: Frame) -> None:
    """Raise NotAForest unless every encoded column follows its raw column and no other.

    Rows of X are mixed: one raw column changed at a time, then random subsets of columns at once, as the Shapley game
    mixes them. Each encoded cell must then be the one of the row that its raw column came from.
    """
    n, p = len(X), len(X.names)
    rng = np.random.default_rng(0)
    probe = X.take(np.unique(np.linspace(0, n - 1, min(n, PROBE_ROWS)).astype(np.int64)))
    single = np.repeat(np.eye(p, dtype=bool), DONORS, axis=0)
    moved = np.concatenate([single, rng.random((PROBE_ROWS, p)) < 0.5])  # (probes, p): which columns change
    base, donor = rng.integers(len(probe), size=(2, len(moved)))
    mixed = probe.gather(np.where(moved, donor[:, None], base[:, None]))
    whole, seen = encode(probe.native), encode(mixed.native)
    if whole.shape[1] != len(owner):
        raise NotAForest(f"the encoder gives {whole.shape[1]} columns where its structure tells of {len(owner)}")
    expected = np.where(moved[:, owner], whole[donor], whole[base])
    wrong = (seen != expected) & ~(np.isnan(seen) & np.isnan(expected))
    if wrong.any():
        column = int(np.argwhere(wrong)[0][1])
        raise NotAForest(
            f"encoded column {column} does not follow {X.names[owner[column]]!r} alone: other columns or rows change it"
        )
