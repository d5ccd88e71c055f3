"""A diff as Markdown, page and text: escaped, bounded, deterministic, drawn in silence."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from playwright.sync_api import Browser

import showcause as sc
from showcause.cli.diff import history, ranking, sparkline, text
from showcause.cli.terminal import clean
from showcause.core.diff import SECTIONS, Change, Diff
from showcause.views.diff_markdown import LIMIT, escape
from showcause.views.diff_page import html

from .payloads import PAYLOADS
from .test_browser import Watched, browser  # noqa: F401 - a fixture


def change(section: str, name: str = "income", **given: Any) -> Change:
    plain = Change(section, "refits/importance", {"feature": name}, 0.5, 1.0, 0.5, 0.1, "refits", 0.01, 0.05, "changed",
                   f"Importance of {name} rose from 0.5 to 1.", True, {"rank_before": 2, "rank_after": 1})  # fmt: skip
    return replace(plain, **given)


def points(feature: str, level: str | None = None) -> list[dict[str, Any]]:
    """Both curves of a feature, of numbers or of three levels."""
    rows = []
    for side in ("before", "after"):
        for at in range(3):
            place = {"at": None, "at_level": f"{level} {at}"} if level else {"at": float(at), "at_level": None}
            value = at * (1.0 if side == "before" else 0.5)
            rows.append(
                {"artifact": "refits/dependence", "feature": feature, "side": side, **place, "value": value,
                 "low": value - 0.1, "high": value + 0.1, "noise": "refits"}
            )  # fmt: skip
    return rows


def made(names: list[str], *, quiet: int = 1) -> Diff:
    """Flagged and other changes of every section, with these names wherever a user may have typed one."""

    def name(i: int) -> str:
        return names[i % len(names)]

    changes = [change(section, name(i)) for i, section in enumerate(SECTIONS)]
    changes += [
        change(section, name(i + j), verdict="inconclusive", flag=False, q=None)
        for i, section in enumerate(SECTIONS)
        for j in range(quiet)
    ]
    changes.append(change("curves", name(3), artifact="refits/dependence", verdict="not-comparable"))
    scores = {"metric": "accuracy", "segment": name(1), "by": name(2), "level": name(4), "target": name(5)}
    changes.append(change("fairness", key=scores, before=0.1, after=0.2, flag=False))
    words = {name(7): {"label": name(8), "unit": name(9), "format": name(10), "values": {name(11): name(12)}}}
    flips = ({"row": 1, "id": name(6), "before": name(7), "after": name(8), "prediction_before": 0.5},)
    return Diff(
        {"ref": name(0), "id": "a" * 64, "family": name(1)},
        {"ref": name(2), "id": "b" * 64, "family": name(3)},
        f"{len(changes)} changes. {name(4)} first.",
        tuple(changes),
        {"compared": True, "source": name(5), "before_count": 6, "after_count": 6},
        {"curves": (*points(name(0)), *points(name(1), level=name(2))), "flips": flips},
        {"features": words, "label": None},
    )


class Elements(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


OURS = {
    "h2",
    "h3",
    "p",
    "ul",
    "li",
    "em",
    "details",
    "summary",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "sub",
    "code",
}


@pytest.mark.parametrize("shift", range(0, len(PAYLOADS), 6))
def test_no_name_is_markup_in_markdown(shift: int) -> None:
    page = MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(made(PAYLOADS[shift:]).markdown())
    found = Elements(page)
    assert {tag for tag, _ in found.seen} <= OURS
    assert all(set(attributes) <= {"style"} for _, attributes in found.seen)
    assert not re.search(r"@\w|\bwww\.|https?:/", found.text)


@pytest.mark.parametrize(
    "name",
    ["# x", "- x", "1. x", "> x", "*b*", "a | b", "![i](u)", "[a](b)", "`c`", "~~~", "x  \ny", "---", "+ x", "==="],
)
def test_text_renders_as_itself(name: str) -> None:
    page = Elements(MarkdownIt("gfm-like", {"linkify": False}).render(f"- {escape(name)}"))
    assert [tag for tag, _ in page.seen] == ["ul", "li"]
    assert page.text.strip().replace("\u200b", "") == " ".join(name.split())


@pytest.mark.parametrize(("names", "quiet"), [(["income"], 1), (["a" * 300], 250), (PAYLOADS, 100), (["é" * 200], 250)])
def test_markdown_stays_under_its_limit_and_says_what_is_left_out(names: list[str], quiet: int) -> None:
    text = made(names, quiet=quiet).markdown()
    assert len(text.encode()) < LIMIT
    assert (" more in the HTML" in text) is (quiet > 1)
    flagged = [change("importance", "é" * 600) for _ in range(3_000)]
    assert len(replace(made(names), changes=tuple(flagged)).markdown().encode()) < LIMIT


def test_the_same_diff_gives_the_same_bytes_everywhere() -> None:
    one, other = made(["income", "debt"]), Diff.read(made(["income", "debt"]).document)
    assert (one.markdown(), html(one), text(one)) == (other.markdown(), html(other), text(other))


def test_what_is_flagged_comes_first() -> None:
    body = re.search(r"<main.*</main>", html(made(["income"])), flags=re.DOTALL)
    assert body is not None
    for page in (made(["income"]).markdown(), text(made(["income"])), body.group()):
        assert page.index("Importance of income rose") < page.index("Performance")


def test_terminal_text_carries_no_escape() -> None:
    shown = clean(text(made(PAYLOADS)))
    assert not set(shown) & {"\x1b", "\x07", "\u202e", "\u2028"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_drawn_in_silence(browser: Browser, tmp_path: Path, width: int, scheme: Any) -> None:  # noqa: F811
    path = made(["income", "debt", "age"]).report(tmp_path / "diff.html")
    watched = Watched(browser, path, viewport={"width": width, "height": 900}, color_scheme=scheme)
    watched.all_drawn()
    assert min(watched.marks()) > 4
    assert (watched.log, watched.requests) == ([], [path.resolve().as_uri()])
    assert watched.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    watched.page.context.close()


def test_no_payload_runs_in_the_pages(browser: Browser, tmp_path: Path) -> None:  # noqa: F811
    candidate = sc.Candidate("m/1", "1", "f", 1.0, 0.5, 2.0, "rows", 1, 2, None, None, False, "")
    for shift in range(0, len(PAYLOADS), 13):
        names = PAYLOADS[shift:] + PAYLOADS[:shift]
        point = sc.Point(
            names[0], "1", 1, names[1], 1.0, 0.5, 2.0, "rows", 1, 2, 0.5, None, None, None, False, names[2]
        )
        words = {"features": {names[3]: {"label": names[4]}}, "label": None}
        trend = sc.Trend(names[5], names[3], names[6], names[7], names[8], (point, replace(point, version=2)), words)
        notebook = tmp_path / "notebook.html"
        parts = (made(names), made(names).changes[0], trend, candidate)
        notebook.write_text("<!doctype html><meta charset=utf-8>" + "".join(p._repr_html_() for p in parts))
        pages = [made(names).report(tmp_path / "diff.html"), trend.report(tmp_path / "trend.html"), notebook]
        for path in pages:
            watched = Watched(browser, path)
            if path != notebook:
                watched.all_drawn()
            watched.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
            assert watched.page.evaluate("window.hits") == []
            assert (watched.log, watched.requests) == ([], [path.resolve().as_uri()])
            watched.page.context.close()


def test_a_ranking_and_a_history_as_text() -> None:
    one = sc.Candidate("m/1", "1", "f", 0.25, 0.2, 0.3, "rows", 1, 2, None, None, False)
    other = replace(one, ref="m/2", value=0.5, delta=0.25, error=0.125, paired=True)
    lost = replace(one, ref="m/3", reason="its task is regression")
    shown = ranking(sc.Comparison("log_loss", "less", "A tie.", (one, other, lost)))
    assert re.search(r"1 to 2  m/2 +0\.5  0\.2 to 0\.3  rows  \+0\.25 ± 0\.125 +row by row  f", shown)
    assert shown.endswith("not ranked: m/3: its task is regression")
    assert sparkline([0.0, None, 1.0, 0.5]) == "▁·█▅"
    assert sparkline([2.0, 2.0]) == "▄▄"
    point = sc.Point("m/1", "1", 1, "2026", 1.0, 0.5, 2.0, "rows", 1, 2, 0.5, None, None, None, True)
    shown = history(
        sc.Trend(
            "m", "income", "importance/shap", "log_loss", "It fell.", (point, replace(point, comparable=False)), {}
        )
    )
    assert "importance  ▄▄\nlog-loss    ▄▄\n             |\n" in shown
