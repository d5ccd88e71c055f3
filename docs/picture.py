"""Make docs/images/report.png from the demo's report, in Debian's Chromium: what the README shows.

showcause demo && python docs/picture.py demo/mortgage-boosting-engineer.html
"""

from __future__ import annotations

import sys
from pathlib import Path

WIDTH, HEIGHT = 1180, 690
TARGET = Path(__file__).parent / "images" / "report.png"


def picture(report: Path, target: Path = TARGET, *, first: str = "#importance") -> Path:
    """A screenshot of the report from the element `first` on; charts are drawn as they come into view."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(report.absolute().as_uri())
        for place in range(0, page.evaluate("document.body.scrollHeight"), HEIGHT // 2):
            page.evaluate(f"window.scrollTo(0, {place})")
            page.wait_for_timeout(200)
        page.evaluate("window.scrollTo(0, 0)")
        page.wait_for_timeout(500)
        box = page.locator(first).bounding_box()
        assert box is not None
        clip = {"x": box["x"] - 8, "y": box["y"] - 8, "width": box["width"] + 16, "height": min(HEIGHT, box["height"])}
        page.screenshot(path=target, full_page=True, clip=clip)
        browser.close()
    return target


if __name__ == "__main__":
    print(picture(Path(sys.argv[1])))
