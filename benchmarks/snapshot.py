"""The whole default snapshot against the same content composed by hand, side by side in one run.

    python benchmarks/snapshot.py [--train 100000] [--rows 10000] [--peer-rows 50]

By hand: shap's TreeExplainer (interventional, the same 1,000 background rows), scikit-learn's permutation importance,
partial dependence, ICE and metrics, a surrogate tree, and matplotlib figures. shap is given fewer rows and its time
scaled to the same number, which is said. Both use the same model and rows. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from flights import flights

import showcause as sc

TOP = 12


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def by_hand(model: Any, train: Any, test: Any, labels: Any, peer_rows: int, folder: Path) -> dict[str, float]:
    """Seconds of each part of the content that a default snapshot holds."""
    import matplotlib as mpl

    mpl.use("agg")
    import shap
    from matplotlib import pyplot as plt
    from sklearn.calibration import calibration_curve
    from sklearn.inspection import partial_dependence, permutation_importance
    from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score, roc_curve
    from sklearn.tree import DecisionTreeRegressor

    costs: dict[str, float] = {}
    chance = model.predict_proba(test)[:, 1]
    background = train.sample(1000, random_state=0)
    masker = shap.maskers.Independent(background, max_samples=len(background))
    explained = test.iloc[:peer_rows]
    seconds, values = timed(lambda: shap.TreeExplainer(model, masker)(explained).values)
    costs["attribution (shap, scaled to 2,000 rows)"] = seconds * 2000 / peer_rows
    score = {"scoring": "neg_log_loss", "n_repeats": 5, "random_state": 0, "n_jobs": 2}
    costs["permutation importance"], _ = timed(lambda: permutation_importance(model, test, labels, **score))
    top = list(test.columns[np.argsort(-np.abs(values).mean(0))][:TOP])
    costs["partial dependence and ICE"], curves = timed(
        lambda: [partial_dependence(model, test, [name], kind="both", grid_resolution=100) for name in top]
    )

    def metrics() -> None:
        rng = np.random.default_rng(0)
        for metric in (log_loss, brier_score_loss, roc_auc_score, average_precision_score):
            for _ in range(200):
                rows = rng.integers(len(labels), size=len(labels))
                metric(labels[rows], chance[rows])

    costs["metrics with bootstrap intervals"], _ = timed(metrics)
    costs["surrogate tree"], _ = timed(lambda: DecisionTreeRegressor(max_depth=4).fit(test, chance))

    def figures() -> None:
        for name, curve in zip(top, curves, strict=True):
            figure, axis = plt.subplots()
            axis.plot(curve["grid_values"][0], curve["average"][0])
            axis.plot(curve["grid_values"][0], curve["individual"][0][:60].T, alpha=0.1)
            figure.savefig(folder / f"{name}.png")
            plt.close(figure)
        shap.summary_plot(values, explained, show=False)
        plt.savefig(folder / "summary.png")
        plt.close("all")
        for x, y in (roc_curve(labels, chance)[:2], calibration_curve(labels, chance, n_bins=10)):
            figure, axis = plt.subplots()
            axis.plot(x, y)
            figure.savefig(folder / "curve.png")
            plt.close(figure)

    costs["figures"], _ = timed(figures)
    return costs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--peer-rows", type=int, default=50)
    parser.add_argument("--no-peers", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # the peers' own deprecations
    import xgboost

    frame, late = flights()
    train, test = frame[: options.train], frame[options.train : options.train + options.rows].reset_index(drop=True)
    y_train, y_test = late[: options.train], late[options.train : options.train + options.rows]
    model = xgboost.XGBClassifier(n_estimators=500, max_depth=6, learning_rate=0.1, n_jobs=2)
    training, _ = timed(lambda: model.fit(train, y_train))
    predicting, _ = timed(lambda: model.predict_proba(test))
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)

        def snapshot() -> sc.Snapshot:
            made = sc.explain(model, test, y_test, train=(train, y_train), name="flights", store=folder / "store")
            made.report(folder / "report.html")
            return made

        first, made = timed(snapshot)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        again, _ = timed(lambda: sc.explain(model, test, y_test, train=(train, y_train)))
        size = sum(p.stat().st_size for p in (folder / "store").rglob("*") if p.is_file()) / 1e6
        report = (folder / "report.html").stat().st_size / 1e6
        costs = {} if options.no_peers else by_hand(model, train, test, y_test, options.peer_rows, folder)
    kernel = "OPENBLAS_CORETYPE=" + os.environ.get("OPENBLAS_CORETYPE", "unset")
    print(f"\n{options.train:,} rows to train, {len(test):,} to explain, {test.shape[1]} features; {kernel}\n")
    print("| what | seconds | as a multiple of training |\n|---|---|---|")
    rows = {"training": training, "one prediction of all rows": predicting, "snapshot, store and report": first}
    rows["the same snapshot again in this process, without store and report"] = again
    rows |= {f"by hand: {name}": seconds for name, seconds in costs.items()}
    if costs:
        rows["by hand, all of it"] = sum(costs.values())
    for name, seconds in rows.items():
        print(f"| {name} | {seconds:.1f} | {seconds / training:.2f} |")
    if costs:
        print(f"\nby hand / snapshot: {sum(costs.values()) / first:.1f}")
    print(f"complete: {made.complete}; store {size:.1f} MB, report {report:.2f} MB, peak memory {peak:.0f} MB")
    slow = sorted(made.record.durations.items(), key=lambda item: -item[1])[:8]
    print("slowest: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in slow))


if __name__ == "__main__":
    main()
