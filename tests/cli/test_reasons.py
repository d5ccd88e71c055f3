"""`showcause reasons` and the subject's report from the command line."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.cli.conftest import CREDIT, Call, process, rows

LETTER = """
[require]
artifacts = ["reasons/cutoff"]
[letter]
about = "your loan"
decided_by = "Example Bank"
contact = "loans@example.org"
sources = "Your application."
correct = "Write to us."
contest = "Ask for a person."
"""


@pytest.fixture
def explained(work: Path, call: Call) -> Path:
    (work / "few.toml").write_text(LETTER)
    assert call(*CREDIT)[0] == 0
    rows(3, 500).to_parquet(work / "scored.parquet")
    return work


def test_every_row_gets_its_reasons(explained: Path, call: Call) -> None:
    code, out, _ = call("reasons", "credit", "--model", "train:model", "--data", "scored.parquet", "--out", "r.parquet")
    assert (code, out.startswith("500 rows in ")) == (0, True)
    table = pq.read_table("r.parquet")
    assert table.column_names == ["row", "decision", "score", "codes", "features", "places", "text", "snapshot"]
    assert set(table["decision"].to_pylist()) == {"yes", "no"}
    assert sum("debt: yours is " in text for text in table["text"].to_pylist()) > 100
    rows(3, 500).to_csv("scored.csv", index=False)
    assert call("reasons", "credit", "--model", "train:model", "--data", "scored.csv", "--out", "c.parquet")[0] == 0
    assert pq.read_table("c.parquet")["codes"].equals(table["codes"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--model", "train:data", "--out", "r.parquet"), "can neither be called"),
        (("--model", "other:model", "--out", "r.parquet"), "not the model that"),
        (("--model", "train:model", "--out", "r.csv"), "ends in .parquet"),
        (("--model", "train:model", "--out", "r.parquet", "--id", "nobody"), "lacks the columns ['nobody']"),
    ],
)
def test_what_cannot_be_used_leaves_no_file(
    explained: Path, call: Call, words: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (explained / "other.py").write_text("import train\nfrom sklearn.linear_model import LogisticRegression\n"
        "model = LogisticRegression(C=0.001).fit(train.data[['income', 'debt']], train.data['paid'])\n")  # fmt: skip
    code, _, err = call("reasons", "credit", "--data", "scored.parquet", *words)
    assert (code, message in err) == (2, True), err
    assert not list(explained.glob("*r.parquet*"))


def test_the_rows_are_never_written_over(explained: Path, call: Call) -> None:
    before = Path("scored.parquet").read_bytes()
    words = ("--model", "train:model", "--data", "scored.parquet", "--out", "./scored.parquet")
    code, _, err = call("reasons", "credit", *words)
    assert (code, "is what is read" in err) == (2, True), err
    assert Path("scored.parquet").read_bytes() == before


@pytest.mark.parametrize(("ended", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_leaves_no_half_file(explained: Path, ended: signal.Signals, status: int) -> None:
    pd.concat([pd.read_parquet("scored.parquet")] * 2000).to_parquet("many.parquet")
    words = ("reasons", "credit", "--model", "train:model", "--data", "many.parquet", "--out", "r.parquet")
    child = process(*words, folder=explained)
    deadline = time.monotonic() + 60
    while not list(explained.glob(".r.parquet.*.partial")) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    child.send_signal(ended)
    child.communicate(timeout=60)
    assert child.returncode == status
    assert not list(explained.glob("*r.parquet*"))


def test_the_letter_needs_its_date_and_says_so(explained: Path, call: Call) -> None:
    words = ("report", "credit", "--audience", "subject", "--example", "3")
    code, _, err = call(*words)
    assert (code, "a letter must say date" in err) == (2, True)
    code, out, _ = call(*words, "--date", "2026-03-03")
    assert (code, out) == (0, "credit-1-subject-3.html\n")
    assert "2026-03-03" in Path("credit-1-subject-3.html").read_text()
