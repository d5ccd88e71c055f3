"""The pages in a real browser: drawn, quick, silent, usable; and what users typed is never markup (trust, row 10)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from showcause.core.artifact import Artifact
from showcause.core.snapshot import Snapshot, Status
from showcause.views.notebook import artifact_html, snapshot_html, svg
from showcause.views.page import report

from . import made
from .payloads import PAYLOADS

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
FEATURES = [f"feature_{i}" for i in range(30)]
HOVER = """
for (const mark of document.querySelectorAll('.plot svg .mark-rect path, .plot svg .mark-symbol path'))
  for (const name of ['pointermove', 'mousemove'])
    mark.dispatchEvent(new MouseEvent(name, {bubbles: true, clientX: 9, clientY: 9}))
"""
CANARY = "window.hits = []; window.canary = (n) => window.hits.push(n); window.alert = window.canary;"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM.exists(), "the browser tests need Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield started
        started.close()


class Watched:
    """A page whose every message, error and request is written down."""

    def __init__(self, browser: Browser, path: Path, **context: Any) -> None:
        self.page: Page = browser.new_context(**context).new_page()
        self.log: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.log.append(message.text))
        self.page.on("pageerror", lambda error: self.log.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("dialog", lambda dialog: dialog.dismiss())
        self.page.add_init_script(CANARY)
        self.page.goto(path.resolve().as_uri())

    def all_drawn(self) -> None:
        self.page.wait_for_selector("html[data-charts=all]", state="attached", timeout=20_000)

    def marks(self) -> list[int]:
        shapes = "path, line, text, rect"
        return list(
            self.page.eval_on_selector_all(".plot", f"all => all.map(p => p.querySelectorAll('svg {shapes}').length)")
        )


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return made.snapshot(made.every(FEATURES), statuses={"model/roc": Status("failed", "why", "internal")})


@pytest.fixture(scope="module")
def engineer(snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report(snapshot, tmp_path_factory.mktemp("page") / "engineer.html")


@pytest.fixture(scope="module")
def officer(snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report(snapshot, tmp_path_factory.mktemp("page") / "officer.html", audience="officer")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("audience", ["engineer", "officer"])
def test_every_chart_is_drawn_in_silence(
    browser: Browser, audience: str, width: int, scheme: Any, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(audience)
    watched = Watched(browser, path, viewport={"width": width, "height": 900}, color_scheme=scheme)
    watched.all_drawn()
    assert min(watched.marks()) > 4
    assert watched.log == []
    assert watched.requests == [path.resolve().as_uri()]
    assert watched.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    watched.page.context.close()


def test_it_loads_in_under_two_seconds(browser: Browser, engineer: Path) -> None:
    began = time.perf_counter()
    watched = Watched(browser, engineer)
    watched.page.wait_for_selector("[data-drawn]")
    assert time.perf_counter() - began < 2
    assert engineer.stat().st_size < 3_000_000


def test_choosing_a_feature_changes_chart_caption_and_alternative_text(browser: Browser, engineer: Path) -> None:
    page = Watched(browser, engineer).page
    plot, caption = page.locator("[data-chart=dependence-pdp]"), page.locator("#dependence-pdp figcaption")
    plot.scroll_into_view_if_needed()
    page.wait_for_selector("[data-chart=dependence-pdp][data-drawn='0']")
    page.locator("form[data-for=dependence-pdp] select").select_option(label="feature_2")
    page.wait_for_selector("[data-chart=dependence-pdp][data-drawn='2']")
    assert "feature_2" in caption.inner_text()
    assert "feature_2" in str(plot.get_attribute("aria-label"))
    assert "feature_2" in plot.locator("svg").inner_html()


def test_a_print_holds_every_chart_in_dark_ink(browser: Browser, engineer: Path) -> None:
    watched = Watched(browser, engineer, color_scheme="dark")
    watched.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert min(watched.marks()) > 4  # at once, since printing waits for nothing
    inks = watched.page.eval_on_selector_all(
        ".plot svg", "all => all.filter(s => s.outerHTML.includes('#e6ebf1')).length"
    )
    assert inks == 0
    assert len(watched.page.pdf()) > 50_000


def test_a_keyboard_reaches_the_content_and_the_controls(browser: Browser, engineer: Path) -> None:
    page = Watched(browser, engineer).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "SELECT":
            break
    assert page.evaluate("document.activeElement.tagName") == "SELECT"


def test_a_screen_reader_finds_landmarks_headings_and_alternatives(browser: Browser, engineer: Path) -> None:
    page = Watched(browser, engineer).page
    assert [page.locator(tag).count() for tag in ("main", "nav", "h1")] == [1, 1, 1]
    levels = page.eval_on_selector_all("h1, h2, h3", "all => all.map(h => +h.tagName[1])")
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all(len(text) > 10 for text in page.eval_on_selector_all("[role=img]", "all => all.map(e => e.ariaLabel)"))
    unnamed = page.eval_on_selector_all("select", "all => all.filter(e => !e.labels.length).length")
    assert unnamed == 0


# Trust, row 10: payloads in every slot that holds text.


def slots(shift: int) -> list[Artifact]:
    """One artifact of each kind with a payload wherever a table or spec holds text."""
    text = [PAYLOADS[(i + shift) % len(PAYLOADS)] for i in range(len(PAYLOADS))]
    first = [
        made.importance(text[:20], [1 / (i + 1) for i in range(20)], note=text[20]),
        made.importance(text[20:24], [4.0, 3.0, 2.0, 1.0], name="dependence/interaction", feature_b=text[24:28]),
        made.attribution(text[:6], 4, level=text[6]),
        made.curve(text[:8]),
        made.levels(text[8], [*text[9:19], None]),
        made.individual(text[19]),
        made.segments(text[20], text[21:29]),
        made.examples(text[30:34], id=text[34:38], decision=text[38]),
        made.neighbours(text[34:38], source=text[38], label=text[39], decision=text[40]),
        made.tree(text[39:42]),
        made.surface(text[42], text[43]),
        made.rules(text[43], text[44], example=3),
        made.counterfactuals(text[45], text[46]),
        made.artifact("rows/background", "rows", {}, row=[0, 1], **{text[44]: text[45:47]}),
    ]
    target = made.artifact(
        "importance/shap",
        "importance",
        {"space": text[47], "notes": [text[48]], "targets": text[49:51]},
        feature=[text[51]] * 2,
        target=text[49:51],
        segment=text[52:54],
        value=[1.0, 2.0],
    )
    score = made.artifact(
        "model/performance",
        "score",
        {"baseline": {"predicts": text[54]}},
        metric=[f"confusion {text[55]} → {text[56]}", text[57]],
        value=[1.0, 2.0],
        reference=1.0,
        note=[None, text[58]],
    )
    return [*first, target, score]


def planted(shift: int) -> Snapshot:
    text = [PAYLOADS[(i + shift) % len(PAYLOADS)] for i in range(len(PAYLOADS))]
    words = {
        name: {"label": other, "unit": other, "format": other, "values": {other: name}}
        for name, other in zip(text[:6], text[6:12], strict=True)
    }
    return made.snapshot(
        slots(shift),
        ref=text[0],
        statuses={text[1]: Status("failed", text[2], text[3]), text[4]: Status("not-applicable", text[5])},
        model={"family": text[6], "task": text[7], "card": {"purpose": text[8], "owner": text[9], "limits": text[10]}},
        data={
            "features": words,
            "columns": {text[11]: {"kind": text[12], "digest": text[13]}},
            "protected": [text[14]],
        },
        record={
            "name": text[15],
            "by": text[16],
            "commit": text[17],
            "environment": {text[18]: text[19]},
            "configuration": {"consents": [text[20]], "policy": text[21]},
        },
    )


@pytest.mark.parametrize("output", ["engineer", "officer", "share", "notebook", "svg"])
def test_no_payload_runs_or_reaches_out(browser: Browser, tmp_path: Path, output: str) -> None:
    for shift in (0, 29):
        for path in written(planted(shift), tmp_path, output):
            watched = Watched(browser, path)
            if output in ("engineer", "officer", "share"):
                watched.all_drawn()
                stir(watched.page)
            assert all(frame.evaluate("window.hits") == [] for frame in watched.page.frames), path
            ours = (tmp_path.resolve().as_uri(), "data:image/svg")
            assert all(url.startswith(ours) for url in watched.requests), path
            assert watched.log == []
            watched.page.context.close()


def written(snapshot: Snapshot, folder: Path, output: str) -> list[Path]:
    if output == "notebook":
        parts = [snapshot_html(snapshot), *(artifact_html(snapshot[name]) for name in snapshot)]
        (folder / "notebook.html").write_text(f"<!doctype html><meta charset=utf-8>{''.join(parts)}", encoding="utf-8")
        return [folder / "notebook.html"]
    if output == "svg":
        for number, name in enumerate(snapshot):
            (folder / f"{number}.svg").write_text(svg(snapshot[name]), encoding="utf-8")
        frames = "".join(f"<iframe src={path.name}></iframe>" for path in sorted(folder.glob("*.svg")))
        (folder / "frames.html").write_text(f"<!doctype html><meta charset=utf-8>{frames}", encoding="utf-8")
        return [folder / "frames.html"]
    audience = "officer" if output == "officer" else "engineer"
    return [report(snapshot, folder / "page.html", audience=audience, share=output == "share")]


def stir(page: Page) -> None:
    """Open all that opens, choose all that can be chosen, and hover over marks, so that tooltips are made."""
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    for control in page.locator("select").all():
        control.select_option(index=control.locator("option").count() - 1)
    page.evaluate(HOVER)
    assert page.locator("#tip").inner_text()
    page.wait_for_timeout(50)


def test_the_canary_sings(browser: Browser, tmp_path: Path) -> None:
    """The test above can fail: where payloads are written as they are, many of them run."""
    path = tmp_path / "raw.html"
    path.write_text("<!doctype html><meta charset=utf-8><body>" + "".join(PAYLOADS), encoding="utf-8")
    watched = Watched(browser, path)
    watched.page.wait_for_timeout(300)
    assert len(watched.page.evaluate("window.hits")) > 3
