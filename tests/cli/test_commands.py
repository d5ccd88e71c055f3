"""Every command through the door that people use, and its exit code."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

import showcause
from showcause.store.export import artifact_json
from tests.cli.conftest import CREDIT, EXPLAIN, Call, process


def test_explain_publishes_a_version_and_says_what_it_is(call: Call) -> None:
    code, out, _ = call(*CREDIT)
    assert code == 0
    assert out.startswith("credit/1  complete: 1 ok\n")
    assert "next: showcause report credit/1" in out
    snapshot = showcause.open("credit/1", store=".showcause")
    assert snapshot.manifest.data["protected"] == ["sex"]
    assert snapshot.manifest.data["roles"] == {"context": ["sex"], "label": "paid"}


def test_the_command_line_and_the_library_make_the_same_snapshot(call: Call) -> None:
    import pandas as pd

    call(*CREDIT)
    train, test = pd.read_csv("train.csv"), pd.read_csv("test.csv")
    import train as module  # type: ignore[import-not-found]

    policy = {"require": {"artifacts": ["importance/permutation"]}, "data": {"label": "paid", "context": ["sex"]}}
    snapshot = showcause.explain(
        module.model, test[["income", "debt"]], test["paid"], train=(train[["income", "debt"]], train["paid"]),
        context=test[["sex"]], protected=["sex"], policy=policy,
    )  # fmt: skip
    assert snapshot.id == showcause.open("credit").id


def test_refits_train_again_and_their_cost_is_told_beforehand(call: Call, work: Path) -> None:
    (work / "panel.toml").write_text('[require]\nartifacts = ["refits/importance"]\n[refits]\ncount = 2\n')
    command = (*EXPLAIN, "--context", "sex", "--policy", "panel.toml")
    code, _, err = call(*command, "--refits", 3, "--name", "credit")
    assert code == 0
    assert "3 retrainings: about" in err
    assert showcause.open("credit")["refits/importance"].spec["panel"]["count"] == 3
    assert "2 retrainings: about" in call(*command, "--name", "other")[2]
    (work / "again.py").write_text("def fit(X, y, seed):\n    import train\n    return train.model\n")
    call(*command, "--refit", "again:fit", "--name", "third")
    panel = showcause.open("third")["refits/importance"].spec["panel"]
    assert panel["by"] == "the function given as refit"
    nights = call(*command[:-2], "--no-policy", "--panel", "credit", "--panel", "other", "--refits", 0)
    assert (nights[0], "0 of 2 members" in nights[1]) == (1, True)


def test_an_incomplete_snapshot_is_exit_code_1(call: Call, work: Path) -> None:
    (work / "strict.toml").write_text('[require]\nartifacts = ["importance/permutation"]\ninputs = ["background"]\n')
    code, out, _ = call(*EXPLAIN, "--context", "sex", "--name", "credit", "--policy", "strict.toml")
    assert code == 1
    assert "INCOMPLETE" in out
    assert "input/background: failed [missing-input]: the policy requires it" in out
    assert call("show", "credit")[0] == 1


def test_json_gives_the_outcome_to_programs(call: Call) -> None:
    code, out, _ = call(*CREDIT, "--json")
    found = json.loads(out)
    assert (code, found["ref"], found["complete"]) == (0, "credit/1", True)
    assert found["statuses"]["importance/permutation"] == {"state": "ok"}


def test_show_json_is_byte_for_byte_what_every_door_gives(call: Call) -> None:
    call(*CREDIT)
    _, out, _ = call("show", "credit/1", "importance/permutation", "--json")
    assert out.encode() == artifact_json(showcause.open("credit/1")["importance/permutation"])
    assert json.loads(out)["records"][0]["feature"] == "income"


def test_show_names_what_there_is_and_shows_a_table(call: Call) -> None:
    call(*CREDIT)
    assert "importance/permutation  ok         importance, 2 rows" in call("show", "credit")[1]
    _, out, _ = call("show", "credit", "importance/permutation")
    assert out.splitlines()[0] == "importance/permutation: importance, in loss, 80 rows"
    assert [line.split()[0] for line in out.splitlines()[2:]] == ["feature", "income", "debt"]


def test_a_long_table_says_how_much_it_shows(call: Call, work: Path) -> None:
    (work / "rows.toml").write_text('[require]\nartifacts = ["examples/representative"]\n')
    call(*EXPLAIN, "--context", "sex", "--name", "long", "--policy", "rows.toml")
    count = len(showcause.open("long")["examples/representative"].table)
    whole = call("show", "long", "examples/representative", "--table")[1]
    assert len(whole.splitlines()) == 2 + 1 + count


def test_show_svg_is_a_picture_that_names_what_it_shows(call: Call) -> None:
    call(*CREDIT)
    code, out, _ = call("show", "credit", "importance/permutation", "--svg")
    assert code == 0
    assert out.startswith("<svg ")
    assert ">income<" in out
    assert call("show", "credit", "--svg")[0] == 2
    assert call("show", "credit", "importance/permutation", "--svg", "--json")[0] == 2


def test_a_report_is_one_file_named_after_the_version(call: Call, work: Path) -> None:
    call(*CREDIT)
    assert call("report", "credit") == (0, "credit-1-engineer.html\n", "")
    assert call("report", "credit", "--audience", "officer", "--share", "--out", "out.html")[1] == "out.html\n"
    assert "credit/1" in (work / "out.html").read_text(encoding="utf-8")
    assert call("report", "credit", "--audience", "nobody")[0] == 2


def test_a_terminal_sees_progress_and_time_left_and_a_pipe_does_not(work: Path) -> None:
    import os
    import pty
    import subprocess
    import sys

    (work / "slow.py").write_text(
        "import time\nfrom train import model as inner\n"
        "def model(X):\n    time.sleep(0.3)\n    return inner.predict_proba(X)[:, 1]\n"
    )
    slowly = ["explain", "slow:model", *CREDIT[2:], "--task", "classification"]
    assert "left" not in process(*CREDIT, folder=work).communicate(timeout=60)[1]
    ours, theirs = pty.openpty()
    source = str(Path(__file__).parents[2] / "src")
    environment = {**os.environ, "PYTHONPATH": source, "TERM": "xterm", "COLUMNS": "120"}
    words = [sys.executable, "-m", "showcause", *slowly]
    with subprocess.Popen(words, cwd=work, env=environment, stdout=subprocess.DEVNULL, stderr=theirs) as running:
        os.close(theirs)
        seen = b""
        try:
            while chunk := os.read(ours, 4096):
                seen += chunk
        except OSError:  # the other end is closed
            pass
    os.close(ours)
    assert running.returncode == 0
    assert b"importance/permutation" in seen
    assert b"left" in seen


def test_log_lists_versions_with_aliases_the_newest_first(call: Call) -> None:
    from showcause.store.folder import FolderStore
    from showcause.store.store import point

    call(*CREDIT)
    call(*CREDIT)
    point(FolderStore(".showcause"), "credit/1", "champion")
    lines = call("log", "credit")[1].splitlines()
    assert [line.split()[0] for line in lines] == ["version", "credit/2", "credit/1"]
    assert [line.split()[-1] for line in lines[1:]] == ["latest", "champion"]
    assert call("show", "credit@champion")[1].startswith("credit/1 ")


def test_an_export_is_read_and_verified_by_its_path(call: Call, work: Path) -> None:
    call(*CREDIT)
    for target in ("credit.zip", "folder"):
        assert call("export", "credit/1", target)[0] == 0
        assert call("verify", target) == (0, f"{target} is whole and unchanged\n", "")
        assert call("show", target)[1].startswith("credit/1  complete")
    (work / "folder" / "metrics.json").write_bytes(b"{}")
    code, out, _ = call("verify", "folder")
    assert code == 1
    assert "fail [changed] metrics.json" in out
    assert call("show", "folder")[0] == 1


def test_a_folder_named_like_a_snapshot_is_told_apart(call: Call) -> None:
    call(*CREDIT)
    call("export", "credit/1", "credit")
    code, _, err = call("show", "credit")
    assert code == 2
    assert "write ./credit for the folder" in err
    assert call("show", "./credit")[0] == 0


def test_verify_names_the_changed_object(call: Call, work: Path) -> None:
    call(*CREDIT)
    assert call("verify")[0] == 0
    digest = showcause.open("credit").manifest.artifacts["importance/permutation"]
    path = work / ".showcause" / "objects" / digest[:2] / digest[2:]
    data = bytearray(path.read_bytes())
    data[10] ^= 1
    path.write_bytes(bytes(data))
    code, out, _ = call("verify")
    assert code == 1
    assert f"fail [corrupt] objects/{digest[:2]}/{digest[2:]}" in out
    assert call("verify", "credit/1")[0] == 1


def test_gc_removes_what_no_version_reaches(call: Call) -> None:
    from showcause.store.folder import FolderStore

    call(*CREDIT)
    digest = FolderStore(".showcause").put(b"nobody's")
    assert call("gc") == (0, "0 removed, 1 too young to remove\n", "")
    code, out, _ = call("gc", "--grace", 0)
    assert code == 0
    assert f"removed objects/{digest[:2]}/{digest[2:]}" in out
    assert call("verify")[0] == 0


def test_methods_lists_every_method_with_its_parameters(call: Call) -> None:
    assert "importance/permutation  (importance)" in call("methods")[1]
    entries = json.loads(call("methods", "--json")[1])
    assert [entry["name"] for entry in entries] == list(showcause.methods())
    permutation = next(entry for entry in entries if entry["name"] == "importance/permutation")
    assert permutation["parameters"]["repeats"] == 5
    call(*CREDIT)
    assert "  here: ok" in call("methods", "credit")[1]


def test_the_policy_in_this_folder_is_read_and_said(call: Call, work: Path) -> None:
    (work / "few.toml").rename(work / "showcause.toml")
    (work / "showcause.toml").write_text(
        '[data]\nlabel = "paid"\ncontext = ["sex"]\nprotected = ["sex"]\n'
        '[require]\nartifacts = ["importance/permutation"]\n'
    )
    words = ("explain", "train:model", "--data", "test.csv", "--name", "credit")
    code, _, err = call(*words)
    assert code == 0
    assert "reading showcause.toml from this folder" in err
    assert showcause.open("credit").manifest.data["protected"] == ["sex"]
    code, _, err = call(*words, "--no-policy")
    assert code == 2
    assert "has columns the model was not trained on: ['sex', 'paid']" in err
    assert "--context NAME" in err


def test_the_store_may_stand_in_the_environment(call: Call, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOWCAUSE_STORE", str(work / "elsewhere"))
    assert call(*CREDIT)[0] == 0
    assert (work / "elsewhere" / "showcause-store").is_file()
    assert not (work / ".showcause").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["explain"], "Missing argument 'MODEL'"),
        (["show", "credit"], "there is no store at"),
        (["explain", "train:nothing", "--data", "test.csv"], "train has no attribute 'nothing'"),
        (["explain", "nowhere:model", "--data", "test.csv"], "no module 'nowhere'"),
        (["explain", "train:model", "--data", "none.csv"], "there is no data file 'none.csv'"),
        (["explain", "train:model", "--data", "test.csv", "--label", "padi"], "did you mean 'paid'?"),
        (["explain", "train.py", "--data", "test.csv"], "names no model"),
        ([*CREDIT, "--name", "../escape"], "the name '../escape' cannot be used"),
        ([*CREDIT, "--threshold", "7"], "threshold must lie between 0 and 1"),
        (["verify", "none.zip"], "there is no export at none.zip"),
    ],
)
def test_bad_input_is_exit_code_2_and_says_what_to_do(call: Call, words: list[str], said: str) -> None:
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_an_internal_error_is_exit_code_3_and_its_traceback_is_for_the_asking(call: Call, work: Path) -> None:
    (work / "broken.py").write_text("def model(X):\n    raise RuntimeError('a fault \\x1b[31min red')\n")
    words = ["explain", "broken:model", "--data", "train.csv", "--task", "regression"]
    code, _, err = call(*words)
    assert code == 3
    assert err.startswith("internal error: RuntimeError: a fault \\x1b[31min red\n")
    assert "--debug" in err
    assert "Traceback" not in err
    assert "Traceback" in call(*words, "--debug")[2]


def test_names_that_steer_a_terminal_are_spelled_out(call: Call) -> None:
    code, out, err = call(*EXPLAIN, "--context", "\x1b[2Jsex", "--name", "odd")
    assert code == 2
    assert "\x1b" not in out + err
    assert "\\x1b[2Jsex" in err


@pytest.mark.parametrize("calls", [1, 2, 4])
def test_ctrl_c_leaves_the_store_clean_and_the_next_run_whole(work: Path, calls: int) -> None:
    (work / "slow.py").write_text(
        "import os, time\nfrom train import model as inner\n"
        # Closed by hand: an interrupt that arrives in a file's destructor is one that Python itself ignores.
        "def model(X):\n    with open('calls', 'a') as calls:\n        calls.write('x')\n"
        "    time.sleep(0 if os.path.exists('quick') else 0.3)\n    return inner.predict_proba(X)[:, 1]\n"
    )
    (work / "all.toml").write_text('[require]\nartifacts = ["importance/permutation", "examples/representative"]\n')
    words = ("explain", "slow:model", "--data", "test.csv", "--label", "paid", "--context", "sex", "--name", "credit",
             "--task", "classification", "--policy", "all.toml")  # fmt: skip
    running = process(*words, folder=work)
    made = work / "calls"
    while (not made.exists() or made.stat().st_size < calls) and running.poll() is None:
        time.sleep(0.005)
    assert running.poll() is None, "it ended before it could be interrupted"
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=20)
    assert (running.returncode, out) == (130, "")
    assert "interrupted: nothing was published" in err
    assert "Traceback" not in err
    assert [finding for finding in showcause.verify(".showcause") if finding.severity != "note"] == []
    assert not (work / ".showcause" / "refs" / "credit").exists()
    (work / "quick").touch()
    again = process(*words, folder=work)
    assert again.communicate(timeout=60)[0].startswith("credit/1  complete")


def test_a_pipe_that_closes_early_is_no_internal_error(work: Path) -> None:
    running = process("methods", folder=work)
    assert running.stdout is not None
    running.stdout.close()
    assert running.stderr is not None
    said = running.stderr.read()
    running.wait(timeout=20)
    running.stderr.close()
    assert "internal error" not in said
    assert "Traceback" not in said
