"""How often does a diff cry wolf, and does it find a leak? 300 pairs of each kind of version, on real flights.

    python benchmarks/diff_calibration.py          makes snapshots of 300 pairs (resumes where it stopped) and prints
                                                   the table of docs/diff-calibration.md
    python benchmarks/diff_calibration.py table    of the snapshots that are there

Pair i has its own 3,000 training rows of 327,000 flights; a boosted model of them predicts a delay over 15 minutes. All
versions explain the same 1,000 pinned rows, with panels of 6 retrainings. Against version A stand

    seed     the same rows, another seed of the model
    fresh    version A of the next pair: another sample of training rows, another seed
    leak     the same rows and one more column that knows the outcome, with noise such that the area under the ROC curve
             gains 0.02 on average
    same     A explained once more

The snapshots are made by showcause.explain and compared by showcause.diff, as a user would.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.stats import false_discovery_control, spearmanr, ttest_rel

sys.path.insert(0, str(Path(__file__).parent))
from flights import flights
from xgboost import XGBClassifier

import showcause as sc
from showcause.store.folder import FolderStore

TRAIN_ROWS, PINNED_ROWS, REFITS = 3_000, 1_000, 6
LEAK, LEAK_GAIN = "settled", 0.02
COLUMNS = [
    *("month", "sched_dep_time", "sched_arr_time", "distance", "weekday", "day_of_year"),
    *("carrier_traffic", "dest_traffic", "tailnum_traffic", "planned_minutes"),
]
POLICY = {
    "require": {
        "artifacts": ["importance/permutation", "refits/importance", "refits/dependence", "refits/performance"]
    },
    "methods": {
        "importance/permutation": {"repeats": 3},
        "refits/dependence": {"limit": 4},
    },
}
Rows = np.ndarray[Any, np.dtype[Any]]


def model(seed: int) -> XGBClassifier:
    return XGBClassifier(
        n_estimators=40, max_depth=3, learning_rate=0.2, subsample=0.8, colsample_bytree=0.8, n_jobs=1,
        random_state=seed,
    )  # fmt: skip


class Flights:
    """Pinned rows, a pool of training rows, and a leak of tuned strength for both."""

    def __init__(self) -> None:
        X, y = flights()
        X = X[COLUMNS]
        self.pinned, self.labels = X.iloc[:PINNED_ROWS].reset_index(drop=True), y[:PINNED_ROWS]
        self.pool, self.answers = X.iloc[PINNED_ROWS:].reset_index(drop=True), y[PINNED_ROWS:]
        self.noise = np.random.default_rng(7).normal(size=len(X))
        self.outcome = y

    def sample(self, number: int) -> Rows:
        return np.random.default_rng([11, number]).choice(len(self.pool), TRAIN_ROWS, replace=False)

    def leaked(self, strength: float) -> tuple[pd.DataFrame, pd.DataFrame]:
        """(pinned rows, pool) with the column `settled`: the outcome under noise of `strength` standard deviations."""
        column = self.outcome + strength * self.noise
        ends = column[:PINNED_ROWS], column[PINNED_ROWS:]
        return self.pinned.assign(**{LEAK: ends[0]}), self.pool.assign(**{LEAK: ends[1]})

    def gain(self, strength: float, pairs: int = 12) -> float:
        """Mean gain in the area under the ROC curve on 30,000 further rows."""
        from sklearn.metrics import roc_auc_score

        _, pool = self.leaked(strength)
        gains = []
        for number in range(pairs):
            rows = self.sample(100_000 + number)
            held = np.random.default_rng([13, number]).choice(len(pool), 30_000, replace=False)
            areas = []
            for frame in (self.pool, pool):
                fitted = model(number).fit(frame.iloc[rows], self.answers[rows])
                areas.append(roc_auc_score(self.answers[held], fitted.predict_proba(frame.iloc[held])[:, 1]))
            gains.append(areas[1] - areas[0])
        return float(np.mean(gains))

    def tuned(self) -> float:
        """The strength of noise at which the leak is worth LEAK_GAIN, by bisection."""
        low, high = 0.5, 8.0
        for _ in range(9):
            middle = (low + high) / 2
            low, high = (middle, high) if self.gain(middle) > LEAK_GAIN else (low, middle)
        return (low + high) / 2


def versions(data: Flights, strength: float, number: int) -> Iterator[tuple[str, Any, Any, Any, int]]:
    """(name, pinned rows, training pool, training rows, seed) of pair `number`."""
    leaked, pool = data.leaked(strength)
    own = data.sample(number)
    yield "a", data.pinned, data.pool, own, 2 * number
    yield "seed", data.pinned, data.pool, own, 2 * number + 1
    yield "leak", leaked, pool, own, 2 * number + 1
    yield "same", data.pinned, data.pool, own, 2 * number


def explain(folder: Path, pairs: int, same: int) -> None:
    data = Flights()
    folder.mkdir(parents=True, exist_ok=True)
    known = folder / "strength.txt"
    if not known.exists():
        strength = data.tuned()
        print(f"leak: noise of {strength:.4f} standard deviations, worth {data.gain(strength, 40):.4f}", flush=True)
        known.write_text(f"{strength!r}\n")
    strength = float(known.read_text())
    for number in range(pairs):
        for name, pinned, pool, rows, seed in versions(data, strength, number):
            # `same` is made into a store of its own, so that nothing stored for A is reused.
            store = FolderStore(folder / ("again" if name == "same" else "store"))
            ref = f"{name}-{number}"
            if store.entries(ref) or (name == "same" and number >= same):
                continue
            X, y = pool.iloc[rows].reset_index(drop=True), data.answers[rows]
            sc.explain(
                model(seed).fit(X, y), pinned, data.labels, train=(X, y), refits=REFITS, policy=POLICY, name=ref,
                store=store, progress=False,
            )  # fmt: skip
        if number % 10 == 9:
            print(f"{number + 1} pairs", flush=True)


def judged(change: Any) -> bool:
    """Decided against the retrainings, in place of a fact such as a new column."""
    return change.flag and change.noise == "refits" and change.verdict == "changed"


def by_diff(before: Any, after: Any) -> tuple[bool, bool, bool]:
    """(any flag, the leak is flagged, it stands first) of showcause.diff. New columns are facts, and not counted."""
    flags = [change for change in sc.diff(before, after).changes if judged(change)]
    leaks = [change.section == "importance" and change.key.get("feature") == LEAK for change in flags]
    return bool(flags), any(leaks), bool(leaks) and leaks[0]


def ranking(snapshot: Any, names: list[str]) -> Rows:
    """(features,) permutation importance of the model itself; none of a column that it does not see."""
    table = snapshot["importance/permutation"].to_pandas().set_index("feature")["value"]
    return np.array([table.get(name, 0.0) for name in names])


def by_ndcg(before: Any, after: Any, names: list[str]) -> bool:
    """NDCG of the order after, with the importance before as gains, under 0.9."""
    from sklearn.metrics import ndcg_score

    one, other = ranking(before, names), ranking(after, names)
    return bool(ndcg_score([np.maximum(one, 0)], [other]) < 0.9)


def by_spearman(before: Any, after: Any, names: list[str]) -> bool:
    return bool(spearmanr(ranking(before, names), ranking(after, names)).statistic < 0.9)


def by_rows(before: Any, after: Any, names: list[str]) -> bool:
    """A paired t test of the rows' loss differences, feature by feature, Benjamini-Hochberg at 5 %."""
    tables = [
        pa.ipc.open_file(pa.BufferReader(s["importance/permutation"].blobs["row_loss_differences"])).read_all()
        for s in (before, after)
    ]
    none = np.zeros(PINNED_ROWS)
    rows = [[t[n].to_numpy() if n in t.column_names else none for n in names] for t in tables]
    p = [ttest_rel(one, other).pvalue if (one != other).any() else 1.0 for one, other in zip(*rows, strict=True)]
    return bool((false_discovery_control(p) <= 0.05).any())


def table(folder: Path) -> str:
    """The table of the docs, over the pairs whose snapshots are there."""
    store = FolderStore(folder / "store")
    count = sum(ref.startswith("leak-") for ref in store.refs())
    open_ = {n: [sc.open(f"{n}-{i}", store=store) for i in range(count)] for n in ("a", "seed", "leak")}
    after = {"seed": open_["seed"], "fresh": [*open_["a"][1:], open_["a"][0]], "leak": open_["leak"]}
    lines = [
        "| pairs of | flagged by diff | NDCG < 0.9 | Spearman < 0.9 | paired per-row test |",
        "|---|---|---|---|---|",
    ]
    for name, others in after.items():
        pairs = list(zip(open_["a"], others, strict=True))
        names = [*COLUMNS, LEAK] if name == "leak" else COLUMNS
        found = np.array([by_diff(*pair) for pair in pairs])
        rivals = [sum(rule(*pair, names) for pair in pairs) for rule in (by_ndcg, by_spearman, by_rows)]
        said = f"{found[:, 0].sum()} of {count}"
        if name == "leak":
            said = f"{found[:, 1].sum()} of {count} the leak, {found[:, 2].sum()} of these first"
        lines.append(f"| {TITLES[name]} | {said} | " + " | ".join(map(str, rivals)) + " |")
        print(lines[-1], flush=True)
    again = FolderStore(folder / "again")
    repeated = [i for i in range(count) if again.entries(f"same-{i}")]
    same = sum(sc.open(f"same-{i}", store=again).id == open_["a"][i].id for i in repeated)
    flags = sum(len(sc.diff(s, s).changes) for s in open_["a"])
    lines.append(f"| A and A once more | {flags} of {count}; same bytes in {same} of {len(repeated)} | 0 | 0 | 0 |")
    return "\n".join(lines)


TITLES = {"seed": "another seed", "fresh": "a fresh sample", "leak": "a leak worth 0.02 of AUC"}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("step", nargs="?", choices=["all", "table"], default="all")
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--folder", type=Path, default=Path(".diff_calibration"))
    parser.add_argument("--same", type=int, default=30, help="pairs of which A is explained once more")
    given = parser.parse_args()
    if given.step == "all":
        explain(given.folder, given.pairs, given.same)
    print(table(given.folder))
