"""What stands behind one case: force plots, paths, tables and cards, readable with many features and long names."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from showcause.views.cases import aggregate, counterfactuals, neighbours, tree_path
from showcause.views.figure import spec
from showcause.views.page import html
from showcause.views.picture import POINTS

from . import made

LONG = [f"{'申请人的收入与支出' * 8} и ещё одно имя {i}" for i in range(50)]


@pytest.mark.parametrize("form", ["waterfall", "force", "path"])
def test_fifty_features_with_long_names_stay_few_and_short(form: str) -> None:
    drawn = spec(made.attribution(LONG), example=3, form=form)
    values = drawn["data"]["values"]
    assert len(values) <= 20
    assert all(len(str(v.get("name", ""))) <= 40 for v in values)
    assert any("others" in str(v.get("name", v.get("whole"))) for v in values)


def test_a_force_plot_ends_where_the_output_is() -> None:
    artifact = made.attribution([f"f{i}" for i in range(30)])
    values = spec(artifact, example=3, form="force")["data"]["values"]
    row = next(r for r in artifact.table.to_pylist() if r["example"] == 3)
    assert {round(v["to"], 9) for v in values if v["label"] == "1"} == {round(row["prediction"], 9)}
    assert sum(v["to"] - v["from"] for v in values) == pytest.approx(row["prediction"] - row["base"])


def test_a_path_runs_from_the_base_to_the_output() -> None:
    artifact = made.attribution([f"f{i}" for i in range(30)])
    values = spec(artifact, example=3, form="path")["data"]["values"]
    row = next(r for r in artifact.table.to_pylist() if r["example"] == 3)
    assert values[-1]["at"] == row["base"]
    assert values[0]["at"] == pytest.approx(row["prediction"])
    assert values[-2]["name"] == "18 others"


def test_without_an_example_every_path_has_a_line_within_the_limit() -> None:
    values = spec(made.attribution([f"f{i}" for i in range(30)], 100), form="path")["data"]["values"]
    assert len(values) <= POINTS
    assert len({v["row"] for v in values}) == POINTS // 14


def test_neighbours_of_a_case_are_a_table_for_each_relation() -> None:
    tables = neighbours(made.neighbours(["like", "like", "unlike"]), 1)
    assert [t["caption"] for t in tables] == ["Decided like this", "Nearly the same, decided otherwise"]
    assert [c["text"] for c in tables[0]["rows"][1]] == ["training row 11", "yes", "yes", "0.1", "0.8"]


def test_a_way_that_two_methods_found_stands_once_with_all_that_is_known_of_it() -> None:
    far, proven = made.counterfactuals("age", "town"), made.counterfactuals("age", "town")
    columns = proven.table.append_column("optimal", pa.array([False, True, True, None]))
    tables = counterfactuals([far, replace(proven, table=columns)], 3)
    assert [t["caption"] for t in tables] == ["What would change it, way 1", "What would change it, way 2"]
    assert (
        tables[1]["note"] == "decided then: yes; output then 0.7; no smaller change does; valid in 8 of 10 retrainings."
    )


def test_neighbours_are_said_in_sum_only_from_five_on() -> None:
    assert aggregate(made.neighbours(["like"] * 4), 0) is None
    said = aggregate(made.neighbours(["like"] * 5), 0)
    assert said == "Of the 5 most similar past cases, 3 came out as no."


def test_the_way_through_a_tree_is_told_where_it_ends_at_the_output() -> None:
    tree = made.tree(["a", "b", "c"])
    steps = tree_path(tree, 0, {"a": 1.0, "c": 2.0, "b": None}, 0.55)
    assert steps is not None
    assert [(s["answer"], s["output"]) for s in steps] == [("no", "0.5"), ("yes", "0.6"), ("", "0.55")]
    assert tree_path(tree, 0, {"a": 1.0, "c": 2.0}, 0.7) is None
    assert tree_path(tree, 0, {"a": None}, 0.55) is None


def test_a_case_on_the_page_has_its_tables_and_a_shared_page_has_none() -> None:
    parts = [made.attribution(["a", "b"]), made.examples(["right", "wrong"]), made.neighbours(["like", "unlike"])]
    page = html(made.snapshot(parts))
    assert "Decided like this" in page
    assert '"options":["form"]' in page
    assert "Decided like this" not in html(made.snapshot(parts), share=True)
