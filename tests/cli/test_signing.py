"""Keys, signing and review through the door that people use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import showcause
from tests.cli.conftest import CREDIT, Call


@pytest.fixture(autouse=True)
def _no_keys_of_mine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SHOWCAUSE_KEY", "SHOWCAUSE_TRUST", "SHOWCAUSE_PASSPHRASE"):
        monkeypatch.delenv(name, raising=False)


def trust(out: str, path: str = "showcause-trust.toml") -> None:
    with Path(path).open("a") as file:
        file.write(out)


def test_create_sign_and_verify_say_who_vouched(call: Call, work: Path) -> None:
    call(*CREDIT)
    code, out, err = call("key", "create", "alice")
    assert (code, "not encrypted" in err) == (0, True)
    assert (work / "alice.key").stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in out + err
    trust(out)
    assert call("key", "show", "alice", "--key", "alice.key")[1] == out
    code, out, _ = call("sign", "credit/1", "--role", "reviewer", "--key", "alice.key", "--comment", "read \x1b[31m")
    assert (code, out.startswith("signed credit/1 as reviewer: signature ")) == (0, True)
    code, out, _ = call("verify", "credit/1")
    assert code == 0
    assert "note [vouched] credit/1 signature 1: alice as reviewer," in out
    assert "without a verdict" in out
    assert "\x1b" not in out
    assert call("verify")[0] == 0


def test_a_signature_that_does_not_count_is_exit_code_1(call: Call) -> None:
    call(*CREDIT)
    _, out, _ = call("key", "create", "alice")
    call("sign", "credit", "--role", "officer", "--key", "alice.key")
    assert call("verify", "credit")[0] == 0  # without a trust file nobody is known, and nobody is refused
    trust(out)
    code, out, _ = call("verify", "credit")
    assert (code, "fail [role-not-granted]" in out) == (1, True)


def test_review_shows_what_is_signed_and_asks(call: Call) -> None:
    call(*CREDIT)
    trust(call("key", "create", "alice")[1])
    code, out, err = call("review", "credit", "--role", "reviewer", "--key", "alice.key")
    assert (code, "not signed" in err) == (2, True)
    for shown in ("credit/1  complete", "importance/permutation", "verdict  none", "signed by nobody yet"):
        assert shown in out
    assert showcause.open("credit").attached("signature") == []
    assert call("review", "credit", "--role", "reviewer", "--key", "alice.key", "--yes", "--comment", "ok")[0] == 0
    _, out, _ = call("review", "credit", "--role", "reviewer", "--key", "alice.key")
    assert 'without a verdict: "ok"' in out


def test_the_passphrase_comes_from_the_variable_where_nobody_is_there(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    call(*CREDIT)
    assert call("key", "create", "bob", "--passphrase")[0] == 2
    monkeypatch.setenv("SHOWCAUSE_PASSPHRASE", "secret")
    assert call("key", "create", "bob", "--passphrase")[0] == 0
    assert b"ENCRYPTED" in Path("bob.key").read_bytes()
    assert call("sign", "credit", "--role", "reviewer", "--key", "bob.key")[0] == 0
    monkeypatch.setenv("SHOWCAUSE_PASSPHRASE", "wrong")
    code, _, err = call("sign", "credit", "--role", "reviewer", "--key", "bob.key")
    assert (code, "passphrase is wrong" in err) == (2, True)


def test_nothing_is_written_where_the_name_cannot_be_used(call: Call) -> None:
    for name in ("../x", "a<b", "x" * 80):
        assert call("key", "create", name)[0] == 2
    assert not [name for name in os.listdir() if name.endswith(".key")]
    call("key", "create", "alice")
    assert call("key", "create", "alice")[0] == 2


def test_verify_makes_explanations_again_and_finds_another_model(call: Call, work: Path) -> None:
    call(*CREDIT)
    again = ("verify", "credit/1", "--model", "train:model", "--data", "test.csv", "--train", "train.csv")
    code, out, _ = call(*again, "--rerun", "50")
    assert (code, "credit/1 is whole and unchanged and what was made again holds" in out) == (0, True)
    assert "note [holds] importance/permutation: " in out
    call("export", "credit/1", "one.zip")
    assert call("verify", "one.zip", *again[2:])[0] == 0
    (work / "other.py").write_text((work / "train.py").read_text().replace("Regression()", "Regression(C=1e-4)"))
    code, out, _ = call("verify", "credit/1", "--model", "other:model", "--data", "test.csv")
    assert (code, "fail [other-model] model" in out) == (1, True)
    text = (work / "test.csv").read_text().splitlines()
    (work / "test.csv").write_text("\n".join([text[0], *text[2:], text[1]]) + "\n")
    code, out, _ = call(*again)
    assert (code, "fail [other-data] columns" in out) == (1, True)
    assert call("verify", "credit/1", "--model", "train:model")[0] == 2


def test_promote_log_and_break_the_glass(call: Call, work: Path) -> None:
    for _ in range(2):
        call(*CREDIT)
    code, _, err = call("promote", "credit/1", "--no-policy")
    assert (code, "has no verdict" in err) == (1, True)
    trust(
        call("key", "create", "alice")[1] + '[aliases.champion]\npromote = ["reviewer"]\nbreak_glass = ["reviewer"]\n'
    )
    code, out, _ = call("promote", "credit/1", "--policy", "few.toml", "--key", "alice.key", "--reason", "<b>first")
    assert (code, out.startswith("credit@champion names credit/1: entry 1, ")) == (0, True)
    assert call("promote", "credit/2", "--policy", "few.toml")[0] == 1  # nobody signed it
    assert call("promote", "credit/2", "--policy", "few.toml", "--key", "alice.key")[0] == 0
    glass = ("promote", "credit/1", "--break-glass", "--key", "alice.key")
    assert call(*glass)[0] == 2
    code, out, _ = call(*glass, "--reason", "refuses everybody")
    assert (code, "the gate must be passed by" in out) == (0, True)
    code, out, _ = call("log", "credit@champion")
    lines = out.splitlines()
    assert [line.split()[:2] for line in lines[1:4]] == [["3", "credit/1"], ["2", "credit/2"], ["1", "credit/1"]]
    assert "alice" in lines[1]
    assert "broken glass" in lines[1]
    assert "review-due" in lines[4]
    assert call("log", "credit@nobody")[0] == 2
    assert call("verify")[0] == 0
    next((work / ".showcause/refs/credit@champion").glob("000002")).unlink()
    assert call("verify")[0] == 1


def test_evidence_is_packed_for_a_day(call: Call, work: Path) -> None:
    call(*CREDIT)
    call("promote", "credit/1", "--policy", "few.toml")
    code, out, _ = call("evidence", "credit", "--policy", "few.toml", "--out", "e.zip")
    assert (code, out.splitlines()[0]) == (0, "e.zip")
    assert call("evidence", "credit", "--on", "2020-01-01")[0] == 2
    assert call("evidence", "credit", "--out", "e.zip")[0] == 2
