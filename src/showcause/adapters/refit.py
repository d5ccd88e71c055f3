"""Training again: a clone with another seed on bootstrapped rows.

Law: refitting with the same seed and rows gives the same model, whatever the threads: clones train on one, every
`random_state` (also of estimators inside) is set, and LightGBM is told to be deterministic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from showcause.adapters.frame import Rows
from showcause.core.errors import ModelError

Refit = Callable[[Any, Any, int], Any]  # (X, y, seed) → a fitted model

SEEDS = frozenset({"random_state", "random_seed", "seed"})
THREADS = frozenset({"n_jobs", "nthread", "thread_count", "num_threads", "n_threads"})
# What a library needs beside, unless the user said something about it: any of the names → what is set.
FURTHER: dict[str, tuple[tuple[frozenset[str], Mapping[str, Any]], ...]] = {
    "catboost": (
        (frozenset({"allow_writing_files"}), {"allow_writing_files": False}),
        (frozenset({"verbose", "silent", "logging_level", "verbose_eval"}), {"verbose": False}),
        (frozenset({"thread_count"}), {"thread_count": 1}),
    ),
    "lightgbm": (  # n_jobs: without a number it counts the processors itself
        (frozenset(), {"n_jobs": 1}),
        (frozenset({"deterministic"}), {"deterministic": True}),
        (frozenset({"force_col_wise", "force_row_wise"}), {"force_col_wise": True}),
    ),
}


def cloned(native: Any) -> Refit:
    """Trains clones of a fitted estimator that follows scikit-learn's conventions, Pipelines and wrappers too; of a
    search, the estimator that it found. Raises ModelError where it cannot be cloned, saying what to give instead."""
    while hasattr(native, "best_estimator_"):
        native = native.best_estimator_
    _clone(native)  # what cannot be cloned is an error before any work

    def refit(X: Any, y: Any, seed: int) -> Any:
        copy = _clone(native)
        copy.set_params(**settings(copy, seed))
        return copy.fit(X, y)

    return refit


def _clone(native: Any) -> Any:
    from sklearn.base import clone

    try:
        return clone(native)
    except (TypeError, RuntimeError, ValueError) as error:
        raise ModelError(
            f"a {type(native).__name__} cannot be cloned and trained again; give refit=, a function (X, y, seed) that "
            f"returns a model trained on those rows ({' '.join(str(error).split())[:160]})"
        ) from None


def settings(estimator: Any, seed: int) -> dict[str, Any]:
    """Parameters for `set_params`, nested ones by their path: every seed is `seed`, every number of threads 1."""
    known = estimator.get_params(deep=True)
    found: dict[str, Any] = {}
    for name, value in known.items():
        leaf = name.rpartition("__")[2]
        if leaf in SEEDS and not isinstance(value, str):
            found[name] = seed
        elif leaf in THREADS and value is not None:  # where nothing was said, the caller's `one_thread` holds
            found[name] = 1
    parts = {"": estimator, **{f"{name}__": value for name, value in known.items() if hasattr(value, "get_params")}}
    for prefix, part in parts.items():
        package = type(part).__module__.partition(".")[0]
        own = set(part.get_params(deep=False)) if package in FURTHER else set()
        for names, values in FURTHER.get(package, ()):
            found |= {} if names & own else {f"{prefix}{name}": value for name, value in values.items()}
        if package == "catboost" and not SEEDS & own:  # it lists only what it was given
            found[f"{prefix}random_seed"] = seed
    return found


def bootstrapped(y: Rows, rng: np.random.Generator) -> Rows:
    """(n,) row numbers drawn with replacement, in ascending order. y (n,): class positions (int64), within each of
    which as many rows are drawn as it has, so that none vanishes; or numbers (float64), drawn from as a whole."""
    if y.dtype.kind != "i":
        return np.sort(rng.integers(len(y), size=len(y)))
    parts = [np.flatnonzero(y == value) for value in np.unique(y)]
    return np.sort(np.concatenate([rng.choice(part, len(part)) for part in parts]))
