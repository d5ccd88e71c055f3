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
