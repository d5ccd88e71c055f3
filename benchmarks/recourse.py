"""Recourse against dice-ml on real mortgage decisions: valid, near, sparse, fast?

    python benchmarks/recourse.py --dice /path/to/python-with-dice-ml [--rows 40]

dice-ml pins older libraries, so it runs in an interpreter of its own, on the same trained model (XGBoost's file) and
the same rows (CSV). Both may change the same features, are asked for three alternatives each, and are scored here:
valid by the model's own prediction; distance in robust standard deviations summed over features (a yes/no counts 1);
changed features by what moved more than 0.5 % of such a unit, so that dice-ml's rounding is not held against it. Each
method is judged by the nearest of its valid alternatives for each applicant. Seconds: everything from the trained model
and the rows to the alternatives of all applicants, divided by their number; compilation and imports before the clock.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

FIXED = ("unem", "rep")  # unemployment in the trade, past credit reports: nothing an applicant can change
ALTERNATIVES = 3
METHODS = ("random", "genetic")


def peer(folder: Path) -> None:
    """Run by the interpreter that has dice-ml: reads the model and rows, writes what it generates and its seconds."""
    import warnings

    import dice_ml
    import numpy as np
    import pandas as pd
    import xgboost

    warnings.filterwarnings("ignore")
    task = json.loads((folder / "task.json").read_text())
    train, asked = (pd.read_csv(folder / f"{name}.csv") for name in ("train", "asked"))
    booster = xgboost.XGBClassifier()
    booster.load_model(folder / "model.ubj")
    names = task["features"]

    class Model:
        """What dice-ml calls; it hands yes/no columns over as text."""

        classes_ = np.array([0, 1])

        def predict_proba(self, rows: Any) -> Any:
            return booster.predict_proba(rows[names].astype(float))

        def predict(self, rows: Any) -> Any:
            return (self.predict_proba(rows)[:, 1] > 0.5).astype(int)

    whole = train.copy()
    for name in task["yes_no"]:
        whole[name] = whole[name].astype(int).astype(str)
        asked[name] = asked[name].astype(int).astype(str)
    data = dice_ml.Data(dataframe=whole, continuous_features=task["numbers"], outcome_name="label")
    wrapped = dice_ml.Model(model=Model(), backend="sklearn")
    found: dict[str, Any] = {}
    for method in METHODS:
        began = time.perf_counter()
        explainer = dice_ml.Dice(data, wrapped, method=method)
        setting_up = time.perf_counter() - began
        given = {"total_CFs": ALTERNATIVES, "desired_class": 1, "features_to_vary": task["vary"]}
        given |= {"random_seed": 0} if method == "random" else {}
        explainer.generate_counterfactuals(asked[:1], **given)  # whatever is made on first use
        answers = []
        for row in range(len(asked)):
            np.random.seed(0)
            began = time.perf_counter()
            try:
                generated = explainer.generate_counterfactuals(asked[row : row + 1], **given)
                made = generated.cf_examples_list[0].final_cfs_df
            except Exception as error:  # dice-ml raises where it finds none
                made, text = None, str(error)
            seconds = time.perf_counter() - began
            rows = [] if made is None else made[names].astype(float).to_numpy().tolist()
            seconds += setting_up / len(asked)
            answers.append({"seconds": seconds, "rows": rows, "error": None if made is not None else text[:200]})
        found[method] = answers
    (folder / "dice.json").write_text(json.dumps(found))


def loans() -> tuple[Any, Any, list[str]]:
    """(features as numbers without gaps, granted 0/1, yes/no columns) of the demo's mortgage data."""
    from showcause.cli.demo import YES_NO, read_loans

    read = read_loans()
    X = read.X.copy()
    for name in YES_NO:
        X[name] = X[name].map({"no": 0.0, "yes": 1.0})
    X = X.select_dtypes("number")
    X = X.fillna(X.median())
    yes_no = [name for name in X if set(X[name].unique()) <= {0.0, 1.0}]
    return X.astype(float), (read.y == "granted").astype(int).to_numpy(), yes_no


def ours(model: Any, asked: Any, train: Any, fixed: list[str]) -> dict[str, Any]:
    import showcause as sc

    found: dict[str, Any] = {}
    for name in ("optimal", "nearest"):
        options = {"train": train, "immutable": fixed, "target": "1", "alternatives": ALTERNATIVES}
        sc.compute(f"counterfactual/{name}", model, asked[:1], **options)  # compilation
        began = time.perf_counter()
        table = sc.compute(f"counterfactual/{name}", model, asked, **options).to_pandas()
        seconds = (time.perf_counter() - began) / len(asked)
        answers, proven = [], 0
        for row in range(len(asked)):
            mine = table[table["example"] == row].dropna(subset=["feature"])
            rows = []
            for _, of in mine.groupby("alternative"):
                changed = asked.iloc[row].copy()
                for change in of.itertuples():
                    changed[change.feature] = change.after
                rows.append(changed.tolist())
            proven += bool(len(rows)) and "optimal" in mine and bool(mine["optimal"].iloc[0])
            answers.append({"seconds": seconds, "rows": rows, "error": None})
        found[name] = answers
        if name == "optimal":
            print(f"proven optimal: the first alternative of {proven} of {len(asked)} applicants")
    return found


def judge(answers: list[dict[str, Any]], asked: Any, model: Any, units: Any) -> dict[str, float]:
    """What the table says of one method."""
    import numpy as np
    import pandas as pd

    every = valid = 0
    nearest: list[float | None] = []
    features: list[int | None] = []
    for row, answer in enumerate(answers):
        own = asked.iloc[row].to_numpy()
        best: tuple[float, int] | None = None
        for made in answer["rows"]:
            good = model.predict(pd.DataFrame([made], columns=asked.columns))[0] == 1
            away = np.abs(np.array(made) - own) / units
            every, valid = every + 1, valid + bool(good)
            moved = (float(away[away > 0.005].sum()), int((away > 0.005).sum()))
            best = moved if good and (best is None or moved < best) else best
        nearest.append(None if best is None else best[0])
        features.append(None if best is None else best[1])
    known = [v for v in nearest if v is not None]
    return {
        "valid": valid / max(1, every),
        "answered": len(known) / len(answers),
        "distance": statistics.median(known) if known else float("nan"),
        "features": statistics.median(v for v in features if v is not None) if known else float("nan"),
        "mean_features": statistics.mean(v for v in features if v is not None) if known else float("nan"),
        "seconds": statistics.mean(answer["seconds"] for answer in answers),
        "each": nearest,
        "each_features": features,
    }  # type: ignore[return-value]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--dice", help="python with dice-ml and xgboost")
    parser.add_argument("--rows", type=int, default=40)
    parser.add_argument("--peer", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peer:
        peer(given.peer)
        return
    import numpy as np
    import xgboost

    from showcause.adapters.distance import scale

    X, y, yes_no = loans()
    order = np.random.default_rng(0).permutation(len(X))
    X, y = X.iloc[order].reset_index(drop=True), y[order]
    half = len(X) * 3 // 5
    train, test = X[:half], X[half:].reset_index(drop=True)
    model = xgboost.XGBClassifier(n_estimators=150, max_depth=3, learning_rate=0.06, random_state=0, n_jobs=1)
    model.fit(train, y[:half])
    denied = np.flatnonzero(model.predict(test) == 0)[: given.rows]
    asked = test.iloc[denied].reset_index(drop=True)
    fixed = [name for name in FIXED if name in X]
    units = np.array([1.0 if name in yes_no else scale(train[name].to_numpy()) for name in X])
    print(f"{len(X):,} applications, {X.shape[1]} features, {len(asked)} applicants whom the model denies")
    answers = ours(model, asked, train, fixed)
    if given.dice:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            model.save_model(folder / "model.ubj")
            train.assign(label=y[:half]).to_csv(folder / "train.csv", index=False)
            asked.to_csv(folder / "asked.csv", index=False)
            numbers = [column for column in X if column not in yes_no]
            vary = [column for column in X if column not in fixed]
            task = {"features": list(X), "numbers": numbers, "yes_no": yes_no, "vary": vary}
            (folder / "task.json").write_text(json.dumps(task))
            subprocess.run([given.dice, __file__, "--peer", str(folder)], check=True, stdout=sys.stderr)
            answers |= {f"dice-ml {k}": v for k, v in json.loads((folder / "dice.json").read_text()).items()}
    table = {name: judge(found, asked, model, units) for name, found in answers.items()}
    print("| method | valid | applicants answered | median distance | median (mean) features | seconds each |")
    print("|---|---|---|---|---|---|")
    for name, row in table.items():
        print(
            f"| {name} | {row['valid']:.0%} | {row['answered']:.0%} | {row['distance']:.2f} | {row['features']:g} "
            f"({row['mean_features']:.2f}) | {row['seconds']:.3f} |"
        )
    for name, row in table.items():
        if name != "optimal":
            pairs = zip(table["optimal"]["each"], row["each"], strict=True)
            both = [(a, b) for a, b in pairs if a is not None and b is not None]
            nearer = sum(a <= b + 1e-9 for a, b in both)
            print(f"optimal is as near as {name}, or nearer, for {nearer} of {len(both)} applicants")


if __name__ == "__main__":
    main()
