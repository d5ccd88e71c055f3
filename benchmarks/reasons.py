"""Reasons for a million rows: rows a second, and whether memory grows with the rows.

python benchmarks/reasons.py [rows]

The mortgage model of the demo (XGBoost, 150 trees, 26 columns, native categories) and its scorecard; the rows are the
real applications drawn with replacement, numbers moved by up to five per cent so that hardly any two are alike. Each
run is a process of its own: `showcause reasons` from parquet to parquet. Peak resident memory is the system's own count
of that process. Wants an idle machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

MODULE = """
from showcause.cli.demo import _split, boosting, read_loans, scorecard
train, test = _split(read_loans(), 0)
{name} = {name}(train, test, 0)[0]
"""


def rows_of(count: int, path: Path) -> None:
    """`count` rows, a block at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from showcause.cli.demo import NUMBERS, read_loans

    frame, rng, writer = read_loans().X, np.random.default_rng(0), None
    for start in range(0, count, 100_000):
        part = frame.iloc[rng.integers(0, len(frame), min(100_000, count - start))].reset_index(drop=True)
        for name in NUMBERS:
            part[name] = part[name] * (1 + rng.uniform(-0.05, 0.05, len(part)))
        table = pa.Table.from_pandas(part, preserve_index=False).replace_schema_metadata(None)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


def explained(name: str, store: Path) -> None:
    import showcause
    from showcause.cli import demo
    from showcause.policy.policy import Policy

    train, test = demo._split(demo.read_loans(), 0)
    model, X, X_train, coded = getattr(demo, name)(train, test, 0)
    rules = {"require": {"artifacts": ["reasons/cutoff"]}, "features": Policy.of(demo.POLICY).features}
    rules["features"] = {k: v for k, v in rules["features"].items() if k in X.columns}
    showcause.explain(
        model, X, train=X_train, name=name, store=store, policy=rules, threshold=0.75,
        favourable=1 if coded else "granted",
    )  # fmt: skip


def measured(name: str, store: Path, data: Path, folder: Path) -> tuple[float, float]:
    """(seconds, peak resident MB) of one run."""
    words = ["reasons", name, "--model", f"{name}_model:{name}", "--data", data, "--out", folder / f"{name}.parquet"]
    began = time.perf_counter()
    line = [sys.executable, "-m", "showcause", *map(str, words), "--store", str(store)]
    child = subprocess.Popen(line, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    assert status == 0
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        sizes = [count // 10, count]
        for size in sizes:
            rows_of(size, folder / f"{size}.parquet")
        print("| model | rows | seconds | rows a second | peak memory |\n|---|---|---|---|---|", flush=True)
        for name in ("boosting", "scorecard"):
            (folder / f"{name}_model.py").write_text(MODULE.format(name=name))
            explained(name, folder / "store")
            for size in sizes:
                seconds, peak = measured(name, folder / "store", folder / f"{size}.parquet", folder)
                print(f"| {name} | {size:,} | {seconds:.1f} | {size / seconds:,.0f} | {peak:.0f} MB |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
