"""What people see in MLflow's UI: opened in Chromium, from a real server."""

from __future__ import annotations

import csv
import io
import uuid
from typing import Any

import pytest
from playwright.sync_api import Frame, sync_playwright
from xgboost import XGBClassifier

import showcause as sc
from showcause.core.artifact import Artifact
from showcause.core.kinds import build
from showcause.integrations.mlflow.report import described, table
from tests.mlflow.conftest import Server, rows, snapshot_of


def test_the_report_opens_in_the_sandboxed_frame_from_the_versions_description(mlflow: Any, server: Server) -> None:
    data, name = rows(), f"credit-{uuid.uuid4().hex[:8]}"
    model = XGBClassifier(n_estimators=5).fit(data.X, data.y)
    with mlflow.start_run():
        info = mlflow.xgboost.log_model(model, name="model", pip_requirements=[], registered_model_name=name)
    client = mlflow.MlflowClient()
    client.update_model_version(name, "1", "Written by hand.")
    snapshot = snapshot_of(model, data)
    for _ in range(2):  # the second time replaces what the first one wrote
        sc.mlflow.log(snapshot, info)
    said = client.get_model_version(name, "1").description
    assert said.startswith("Written by hand.")
    assert said.count("the report") == 1
    link = said.partition("(")[2].partition(")")[0]
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        page, outside, errors = browser.new_page(), [], []
        inside = (server.uri, "data:", "blob:", "about:")
        page.on("request", lambda request: None if request.url.startswith(inside) else outside.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{server.uri}/{link}")
        element = page.wait_for_selector("iframe[sandbox]", timeout=60_000)
        assert element.get_attribute("sandbox") == "allow-scripts"
        frame: Frame = element.content_frame()
        frame.locator("svg").nth(1).wait_for(state="attached", timeout=30_000)  # figures draw when they are near
        assert "engineer's report" in frame.title()
        assert frame.evaluate("window.origin") == "null"
        for kind in ("figures/importance/permutation.svg", "tables/importance/permutation.csv"):
            page.goto("about:blank")
            page.goto(f"{server.uri}/#/experiments/0/models/{info.model_id}/artifacts")
            for step in ("explanation_report", kind.split("/")[0], "importance", kind.rpartition("/")[2]):
                page.get_by_text(step, exact=True).first.click(timeout=30_000)
            page.wait_for_selector("img[src^='blob:'], img[src^='data:']" if kind.endswith("svg") else "text=income")
        browser.close()
    assert (outside, errors) == ([], [])


def test_a_cell_is_never_a_formula() -> None:
    made = build(
        "importance", {"feature": ["=cmd|'/c calc'!A1", "+1", "-x", "@y", "plain"], "value": [1.0] * 4 + [-2.0]}
    )
    read = list(csv.reader(io.StringIO(table(Artifact("a/b", "importance", {}, made)).decode())))
    assert [row[0] for row in read] == ["feature", "'=cmd|'/c calc'!A1", "'+1", "'-x", "'@y", "plain"]
    assert read[-1][1] == "-2.0"


@pytest.mark.parametrize("before", [None, "", "by hand", "by hand <!-- showcause --> half of one"])
def test_what_somebody_wrote_into_a_description_stays(before: str | None) -> None:
    snapshot = snapshot_of(XGBClassifier(n_estimators=2).fit(rows().X, rows().y))
    once = described(before, snapshot, "#/a")
    assert once.startswith(before or "")
    assert "[the report](#/b)" in described(once, snapshot, "#/b")
