"""`showcause reasons` on a million rows: rate, memory against rows, the output checked, and Ctrl-C in the middle.

python benchmarks/reasons.py [rows]

The mortgage model of the demo (XGBoost, 150 trees, 26 columns, native categories) and its scorecard; the rows are the
real applications drawn with replacement, numbers moved by up to five per cent so that hardly any two are alike, each
with an id. Every run is the command in a process of its own, from parquet to parquet. Processor time and peak resident
memory are the system's own count of that process (RUSAGE_CHILDREN of a small process that waits for it: the count is
never below the size of who starts it). Of each output the number of rows and the ids are checked,
of the largest a hundred rows against `snapshot.why`. The last run gets a terminal, shows its progress there and is
interrupted as a keyboard does it. Wants an idle machine.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

MODULE = """
from showcause.cli.demo import _split, boosting, read_loans, scorecard
train, test = _split(read_loans(), 0)
{name} = {name}(train, test, 0)[0]
"""
WAITING = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss]))
"""
ID, BLOCK, CHECKED = "applicant", 100_000, 100
FOLLOWED = 0.25  # of the work, after which the last run is interrupted


@dataclass(frozen=True)
class Run:
    """`seconds` on the wall, `cpu` of the processors, `peak` resident MB, all of one process from start to end."""

    seconds: float
    cpu: float
    peak: float


def name_of(row: int) -> str:
    """The id of a row: not in the order of the rows."""
    return f"A-{row * 7_919 % 10_000_019:08d}"


def rows_of(count: int, path: Path) -> None:
    """`count` rows, a block at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from showcause.cli.demo import NUMBERS, read_loans

    frame, rng, writer = read_loans().X, np.random.default_rng(0), None
    for start in range(0, count, BLOCK):
        part = frame.iloc[rng.integers(0, len(frame), min(BLOCK, count - start))].reset_index(drop=True)
        for name in NUMBERS:
            part[name] = part[name] * (1 + rng.uniform(-0.05, 0.05, len(part)))
        part[ID] = [name_of(start + row) for row in range(len(part))]
        table = pa.Table.from_pandas(part, preserve_index=False).replace_schema_metadata(None)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


def explained(name: str, store: Path) -> Any:
    import showcause
    from showcause.cli import demo
    from showcause.policy.policy import Policy

    train, test = demo._split(demo.read_loans(), 0)
    model, X, X_train, coded = getattr(demo, name)(train, test, 0)
    rules = {"require": {"artifacts": ["reasons/cutoff"]}, "features": Policy.of(demo.POLICY).features}
    rules["features"] = {k: v for k, v in rules["features"].items() if k in X.columns}
    return showcause.explain(
        model, X, train=X_train, name=name, store=store, policy=rules, threshold=0.75,
        favourable=1 if coded else "granted",
    )  # fmt: skip


def command(name: str, store: Path, data: Path, out: Path) -> list[str]:
    words = ["reasons", name, "--model", f"{name}_model:{name}", "--data", data, "--out", out, "--id", ID]
    return [sys.executable, "-m", "showcause", *map(str, words), "--store", str(store)]


def measured(name: str, store: Path, data: Path, out: Path) -> Run:
    line = [sys.executable, "-c", WAITING, *command(name, store, data, out)]
    seconds, cpu, peak = json.loads(subprocess.run(line, cwd=data.parent, check=True, capture_output=True).stdout)
    return Run(seconds, cpu, peak / 1024)


def checked(snapshot: Any, model: Any, data: Path, out: Path, count: int, some: int) -> str:
    """All rows and ids are there, in order, and `some` of them are what `snapshot.why` says."""
    import pyarrow.parquet as pq

    told = pq.read_table(out)
    assert told.num_rows == count
    assert told["row"].to_numpy().tolist() == list(range(count))
    assert told["id"].to_pylist() == [name_of(row) for row in range(count)]
    assert set(told["snapshot"].unique().to_pylist()) == {snapshot.id}
    rows = np.sort(np.random.default_rng(1).choice(count, some, replace=False))
    frame = pq.read_table(data).take(rows).to_pandas()
    wanted = model.feature_names_in_
    for place, row in enumerate(told.take(rows).to_pylist()):
        one = frame.iloc[[place]]
        assert row["id"] == one[ID].item()
        why = snapshot.why(one[list(wanted)], model)
        assert (row["decision"], row["codes"], row["features"]) == (why.decision, why.codes, why.features), row
        assert row["places"] == why.places
        assert row["text"] == why.text.replace("\n", " ")
        assert abs(row["score"] - why.score) <= 1e-9 * max(1.0, abs(why.score))
    return f"{len(rows)} of {some}" if some else ""


def interrupted(name: str, store: Path, data: Path, folder: Path) -> tuple[str, int, list[str]]:
    """(the last progress line seen, exit code, files left in the folder) of a run that Ctrl-C ends in the middle."""
    folder.mkdir()
    line = command(name, store, data, folder / "out.parquet")
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(data.parent)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # what runs in the background ignores it, and hands that on
        os.execve(line[0], line, {**os.environ, "TERM": "xterm", "COLUMNS": "100"})
    shown, seen, pressed = "", "", False
    with contextlib.suppress(OSError):  # the terminal closes with the process
        while part := os.read(terminal, 65_536):
            shown = (shown + part.decode(errors="replace"))[-4_096:]
            plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
            found = re.findall(r"reasons for [\d,]+ rows.{0,80}?(\d+) %", plain)
            if found and not pressed:
                seen = re.findall(r"reasons for [^\r\n]*", plain)[-1].strip()
                if int(found[-1]) >= 100 * FOLLOWED:
                    assert len(list(folder.iterdir())) == 1  # the staged file
                    os.write(terminal, b"\x03")
                    pressed = True
    _, status = os.waitpid(pid, 0)
    assert pressed
    return seen, os.waitstatus_to_exitcode(status), sorted(path.name for path in folder.iterdir())


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        sys.path.insert(0, work)
        sizes = [count // 10, count * 3 // 10, count]
        for size in sizes:
            rows_of(size, folder / f"{size}.parquet")
        print("| model | rows | seconds | rows a second | rows a processor second | peak memory | rows like `why` |")
        print("|---|---|---|---|---|---|---|", flush=True)
        for name in ("boosting", "scorecard"):
            (folder / f"{name}_model.py").write_text(MODULE.format(name=name))
            snapshot = explained(name, folder / "store")
            model = getattr(importlib.import_module(f"{name}_model"), name)
            for size in sizes:
                data, out = folder / f"{size}.parquet", folder / f"{name}-{size}.parquet"
                run = measured(name, folder / "store", data, out)
                alike = checked(snapshot, model, data, out, size, CHECKED if size == count else 0)
                rates = f"{size / run.seconds:,.0f} | {size / run.cpu:,.0f} | {run.peak:.0f} MB"
                print(f"| {name} | {size:,} | {run.seconds:.1f} | {rates} | {alike} |", flush=True)
                out.unlink()
        for name in ("boosting", "scorecard"):
            seen, code, left = interrupted(
                name, folder / "store", folder / f"{sizes[1]}.parquet", folder / f"stop-{name}"
            )
            print(f"\n{name}, Ctrl-C at: {seen}\nexit code {code}, files left: {left or 'none'}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
