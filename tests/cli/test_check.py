"""`showcause check`: one answer for people and pipelines, its exit code, and every form that it is written in."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

import showcause
from showcause.core.verdict import Verdict
from showcause.store.folder import FolderStore
from showcause.store.store import point
from showcause.views import verdict as views
from tests.cli.conftest import CREDIT, EXPLAIN, Call, process
from tests.core.test_verdict import outcome, verdict
from tests.views.payloads import PAYLOADS

GOOD = '[require]\nartifacts = ["importance/permutation"]\n'
STRICT = GOOD + '[limits.debt]\nartifact = "importance/permutation"\nmax = 0\nside = "value"\n'


@pytest.fixture
def gated(call: Call, work: Path) -> Call:
    """credit/1, judged by good.toml (holds), strict.toml (does not) and advise.toml (does not, and only advises)."""
    call(*CREDIT)
    (work / "good.toml").write_text(GOOD)
    (work / "strict.toml").write_text(STRICT)
    (work / "advise.toml").write_text(f'mode = "advise"\nuntil = 9999-12-31\n{STRICT}')
    return call


def test_blessed_is_0_and_refused_is_1_with_every_reason(gated: Call) -> None:
    code, out, _ = gated("check", "credit", "--policy", "good.toml")
    assert (code, out.splitlines()[0]) == (0, "credit/1  blessed")
    code, out, _ = gated("check", "credit", "--policy", "strict.toml")
    assert (code, out.splitlines()[0]) == (1, "credit/1  REFUSED")
    assert out.splitlines()[2].split()[:3] == ["fail", "SC011", "debt:"]


def test_advice_is_0_and_never_says_blessed_without_not(gated: Call) -> None:
    code, out, _ = gated("check", "credit", "--policy", "advise.toml")
    assert (code, out.splitlines()[0]) == (0, "credit/1  advice only, not blessed")
    assert "fail" in out
    assert gated("check", "credit", "--policy", "advise.toml", "--format", "json")[1].count('"blessed":false') == 1


def test_without_a_policy_nothing_is_blessed(gated: Call) -> None:
    code, out, _ = gated("check", "credit", "--no-policy")
    assert code == 1
    assert "SC009" in out


def test_a_ref_that_is_not_there_is_refused_and_still_an_answer(gated: Call) -> None:
    code, out, _ = gated("check", "credit/9", "--policy", "good.toml", "--format", "json")
    found = json.loads(out)
    assert (code, found["manifest"], found["blessed"]) == (1, None, False)
    assert [o["code"] for o in found["outcomes"] if o["outcome"] == "fail"] == ["SC001"]


def test_json_is_the_document_that_was_kept(gated: Call) -> None:
    _, out, _ = gated("check", "credit", "--policy", "good.toml", "--format", "json")
    (kept,) = showcause.open("credit").attached("verdict")
    assert out.encode() == kept + b"\n"
    assert Verdict.read(kept).blessed


def test_the_last_verdict_is_shown_again_and_judges_nothing(gated: Call) -> None:
    code, _, err = gated("check", "credit", "--last")
    assert code == 2
    assert "nobody has judged credit yet" in err
    first = gated("check", "credit", "--policy", "strict.toml")
    assert gated("check", "credit", "--last") == first
    assert len(showcause.open("credit").attached("verdict")) == 1


def test_all_is_one_page_with_what_is_refused_first(gated: Call, work: Path) -> None:
    gated(*EXPLAIN, "--context", "sex", "--name", "aaa", "--policy", "few.toml")
    (work / "two.toml").write_text('[require]\nartifacts = ["importance/permutation", "segments/fairness"]\n')
    words = ("--context", "sex", "--protected", "sex", "--name", "zzz", "--policy", "two.toml")
    gated(*EXPLAIN, *words)
    point(FolderStore(".showcause"), "zzz/1", "champion")
    code, out, _ = gated("check", "--all", "--policy", "two.toml")
    assert code == 1
    assert out.splitlines()[0] == "3 snapshots: 2 refused, 1 blessed"
    heads = [line for line in out.splitlines() if line[:1].isalpha()]
    assert heads == ["aaa/1  REFUSED", "credit/1  REFUSED", "zzz/1  blessed"]
    _, out, _ = gated("check", "--all", "--policy", "two.toml", "--format", "json")
    assert [one["ref"] for one in json.loads(out)] == ["aaa/1", "credit/1", "zzz/1"]


def test_a_damaged_snapshot_does_not_hide_the_others(gated: Call, work: Path) -> None:
    gated(*EXPLAIN, "--context", "sex", "--name", "aaa", "--policy", "few.toml")
    entry = (work / ".showcause/refs/credit/000001").read_text().strip()
    (work / ".showcause/objects" / entry[:2] / entry[2:]).write_bytes(b"{}")
    code, out, _ = gated("check", "--all", "--policy", "good.toml")
    assert code == 1
    assert "credit@latest  REFUSED" in out
    assert "SC002" in out
    assert "aaa/1  blessed" in out


def test_the_model_and_its_rows_are_read_in_the_roles_of_the_snapshot(gated: Call, work: Path) -> None:
    words = ("check", "credit", "--policy", "good.toml", "--model", "train:model", "--data", "test.csv")
    code, out, _ = gated(*words)
    assert code == 0
    assert "SC005  credit/1: identity and behaviour as explained" in out
    assert "SC021  credit/1: 80 rows, every column as explained" in out
    text = (work / "test.csv").read_text().replace("female", "male")  # context alone: no column of the model's
    (work / "test.csv").write_text(text)
    assert gated(*words)[0] == 0
    (work / "test.csv").write_text(text.replace("yes", "no", 1))
    code, out, _ = gated(*words)
    assert code == 1
    assert "SC021  credit/1: labels: changed" in out


def test_an_export_gets_its_verdict_printed_and_says_that_it_is_not_kept(gated: Call, work: Path) -> None:
    gated("export", "credit", "credit.zip")
    before = (work / "credit.zip").read_bytes()
    code, out, err = gated("check", "credit.zip", "--policy", "good.toml")
    assert (code, out.splitlines()[0]) == (0, "credit/1  blessed")
    assert "is an export and stays as it was written: this verdict is printed, not kept" in err
    assert (work / "credit.zip").read_bytes() == before
    assert gated("check", "nowhere.zip", "--policy", "good.toml")[0] == 1


def test_junit_fails_what_refuses_and_skips_the_rest(gated: Call, work: Path) -> None:
    assert gated("check", "credit", "--policy", "strict.toml", "--format", "junit", "--out", "out/v.xml")[0] == 1
    suite = ElementTree.parse(work / "out" / "v.xml").getroot()[0]
    failed = [(c.get("classname"), c.get("name")) for c in suite.iter("testcase") if c.find("failure") is not None]
    assert (suite.get("name"), suite.get("failures"), failed) == ("credit/1", "1", [("SC011", "debt")])
    gated("check", "credit", "--policy", "advise.toml", "--format", "junit", "--out", "out/v.xml")
    assert ElementTree.parse(work / "out" / "v.xml").getroot()[0].get("failures") == "0"


def test_markdown_says_what_is_not_met(gated: Call) -> None:
    _, out, _ = gated("check", "credit", "--policy", "strict.toml", "--format", "markdown")
    assert out.startswith("## credit/1: REFUSED\n")
    assert "| fail | SC011 | debt |" in out


@pytest.mark.parametrize("text", [*PAYLOADS, "\x1b[2J", "a\x00b", "]]>", "&amp;"])
def test_what_a_user_typed_is_markup_in_no_form(text: str) -> None:
    made = verdict(outcome("fail", subject=text, message=text), ref="credit/2")
    root = ElementTree.fromstring(views.junit([made]))
    assert {element.tag for element in root.iter()} <= {
        "testsuites", "testsuite", "testcase", "failure", "properties", "property",
    }  # fmt: skip
    said = views.markdown([made])
    assert "<" not in said
    assert "](" not in said.replace("\\](", "").replace("]\\(", "")
    assert Verdict.read(made.document) == made


def test_the_history_is_written_or_printed(call: Call, work: Path) -> None:
    call(*CREDIT)
    code, out, _ = call("prov", "credit")
    assert code == 0
    assert out.encode() == showcause.prov(showcause.open("credit")) + b"\n"
    assert call("prov", "credit", "--out", "credit.prov.json")[0] == 0
    assert (work / "credit.prov.json").read_bytes() == out.encode()


@pytest.mark.parametrize(
    "words", [("check",), ("check", "credit", "--all"), ("check", "--all", "--model", "train:model"),
              ("check", "credit", "--on", "tomorrow"), ("check", "credit", "--baseline", "nobody")],
)  # fmt: skip
def test_what_cannot_be_asked_is_2(gated: Call, words: tuple[str, ...]) -> None:
    assert gated(*words)[0] == 2


def test_ctrl_c_leaves_no_verdict_and_a_whole_store(gated: Call, work: Path) -> None:
    (work / "slow.py").write_text(
        "import time\nfrom train import model as inner\n\ndef model(X):\n"
        "    open('called', 'w').close()\n    time.sleep(30)\n    return inner.predict_proba(X)[:, 1]\n"
    )
    words = ("check", "credit", "--policy", "good.toml", "--model", "slow:model", "--data", "test.csv", "--task",
             "classification")  # fmt: skip
    running = process(*words, folder=work)
    while not (work / "called").exists() and running.poll() is None:
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=20)
    assert (running.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert showcause.open("credit").attached("verdict") == []
    assert [finding for finding in showcause.verify(".showcause") if finding.severity != "note"] == []
