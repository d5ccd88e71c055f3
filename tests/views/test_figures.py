"""Figures: one function per kind, found by kind; deterministic, bounded, and without a colour of their own."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from showcause.core.artifact import Artifact
from showcause.core.errors import ParameterError
from showcause.core.kinds import KINDS
from showcause.views.figure import every_choice, figure, spec
from showcause.views.figures.tree import draw as draw_tree
from showcause.views.notebook import artifact_html, snapshot_html, svg
from showcause.views.picture import POINTS, Picture
from showcause.views.words import Words

from . import made

FEATURES = [f"feature_{i}" for i in range(60)]
EVERY = made.every(FEATURES)


def test_every_kind_has_a_figure() -> None:
    assert {a.kind for a in EVERY} == set(KINDS)


@pytest.mark.parametrize("artifact", EVERY, ids=lambda a: a.name)
def test_altair_accepts_the_figure_and_keeps_its_layers(artifact: Artifact) -> None:
    drawn, ours = figure(artifact).to_dict(), spec(artifact)
    parts = [(view, "layer") for view in (drawn, ours)] if "layer" in ours else [(drawn, "concat"), (ours, "concat")]
    given, expected = ([layer.get("mark") for layer in view[key]] for view, key in parts)
    assert given == expected


@pytest.mark.parametrize("artifact", EVERY, ids=lambda a: a.name)
def test_every_choice_draws_marks_the_same_way_twice(artifact: Artifact) -> None:
    for choice in every_choice(artifact)[0]:
        first = json.dumps(spec(artifact, **choice))
        assert first == json.dumps(spec(artifact, **choice))
        assert "#" not in first.replace("$schema", "")  # colours are the theme's
        assert len(json.loads(first)["data"]["values"]) <= POINTS


def test_importance_shows_twenty_bars_of_sixty_and_says_so() -> None:
    drawn = spec(EVERY[0])
    assert [v["name"] for v in drawn["data"]["values"]] == FEATURES[:20]
    assert "The chart shows 20 of 60 rows." in drawn["description"]


def test_long_names_that_shorten_alike_stay_apart() -> None:
    names = ["a" * 60 + "1" + "b" * 60, "a" * 60 + "2" + "b" * 60]
    values = spec(made.importance(names, [2.0, 1.0]))["data"]["values"]
    assert values[0]["name"] != values[1]["name"]
    assert max(len(v["name"]) for v in values) <= 40
    assert [v["whole"] for v in values] == names


def test_the_members_of_a_group_follow_it() -> None:
    group = made.importance(["a", "b", "a + b", "c"], [0.9, 0.1, 0.5, 0.7], group=["a + b", "a + b", "a + b", None])
    assert [v["name"] for v in spec(group)["data"]["values"]] == ["c", "a + b", "· a", "· b"]


def test_a_beeswarm_shows_both_ends_of_every_feature() -> None:
    values = spec(made.attribution(["a", "b"], 900))["data"]["values"]
    assert len(values) == POINTS
    assert {"+89.9", "0"} <= {v["shown"] for v in values if v["name"] == "a"}


def test_a_waterfall_ends_at_the_prediction() -> None:
    artifact = made.attribution(FEATURES[:15], 3)
    values = spec(artifact, example=2)["data"]["values"]
    stored = {row["prediction"] for row in artifact.table.to_pylist() if row["example"] == 2}
    assert values[0]["from"] == 0.5
    assert values[-1]["to"] == pytest.approx(stored.pop())
    assert values[-1]["name"] == "6 others"


def test_points_that_few_rows_support_are_hollow() -> None:
    assert [v["thin"] for v in spec(made.curve(["x"]))["data"]["values"]] == [False, False, False, False, True]


def test_missing_has_a_place_among_categories() -> None:
    assert [v["place"] for v in spec(made.levels("x", ["a", "b", None]))["data"]["values"]] == ["a", "b", "missing"]


def test_value_labels_make_categories_of_codes() -> None:
    words = {"features": {"x": {"label": "Own home", "values": {"0": "no", "1": "yes"}}}}
    codes = made.artifact("dependence/pdp", "curve", {}, feature="x", at=[0.0, 1.0], value=[0.1, 0.2])
    drawn = spec(Artifact(codes.name, codes.kind, codes.spec, codes.table, {}, words))
    assert drawn["title"]["text"] == "Own home"
    assert [v["place"] for v in drawn["data"]["values"]] == ["no", "yes"]


def test_several_features_stand_beside_each_other_or_one_is_chosen() -> None:
    artifact = made.curve(["a", "b", "c"])
    assert len(spec(artifact)["concat"]) == 3
    assert "concat" not in spec(artifact, feature="b")


def test_scores_that_run_from_zero_to_one_share_a_chart() -> None:
    names = {v["name"] for v in spec(made.performance())["data"]["values"]}
    assert names == {"ROC AUC", "accuracy"}


def test_a_confusion_matrix_holds_the_four_counts() -> None:
    values = spec(made.performance(), metric="confusion")["data"]["values"]
    assert {(v["actual"], v["decided"], v["shown"]) for v in values} == {
        ("positive", "positive", "40"),
        ("negative", "positive", "10"),
        ("negative", "negative", "40"),
        ("positive", "negative", "10"),
    }


def test_the_calibration_of_a_regression_is_drawn_in_its_own_unit() -> None:
    rows = {"segment": ["s = a", "s = a"], "by": "s", "level": ["a", "a"], "at": [80.0, 200.0], "value": [90.0, 210.0]}
    drawn = spec(made.artifact("segments/calibration", "curve", {"space": "target"}, feature="prediction", **rows))
    assert drawn["layer"][0]["data"]["values"] == [{"at": 80.0, "value": 80.0}, {"at": 200.0, "value": 200.0}]
    assert "domain" not in drawn["layer"][1]["encoding"]["x"]["scale"]


def test_scores_of_single_classes_do_not_crowd_the_shared_chart() -> None:
    classes = {"metric": ["accuracy", "recall", "recall"], "target": [None, "a", "b"], "value": [0.5, 0.4, 0.6]}
    artifact = made.artifact("model/performance", "score", {}, **classes)
    assert [v["name"] for v in spec(artifact)["data"]["values"]] == ["accuracy"]
    assert [v["name"] for v in spec(artifact, metric="recall")["data"]["values"]] == ["recall · a", "recall · b"]


def test_a_check_beyond_its_limit_is_drawn_as_broken() -> None:
    assert [v["part"] for v in spec(made.checks())["data"]["values"]] == ["held"]
    assert [v["part"] for v in spec(made.checks(passed=False))["data"]["values"]] == ["broken"]


def test_each_leaf_of_a_tree_has_a_line_of_its_own() -> None:
    drawn = draw_tree(Picture(made.tree(["x"]), Words(), {}))
    leaves = [v["y"] for v in drawn["data"]["values"] if v["whole"] == "leaf"]
    assert sorted(leaves) == [0, 1, 2, 3]


def test_a_deep_tree_is_drawn_to_the_depth_that_can_be_read() -> None:
    nodes = 2**9 - 1
    deep = made.artifact(
        "model/tree",
        "tree",
        {},
        node=list(range(nodes)),
        parent=[None] + [(i - 1) // 2 for i in range(1, nodes)],
        feature=["x" if i < nodes // 2 else None for i in range(nodes)],
        threshold=[1.0 if i < nodes // 2 else None for i in range(nodes)],
        value=0.5,
    )
    assert len(spec(deep)["data"]["values"]) == 31


def test_unknown_options_and_values_are_refused_with_what_is_possible() -> None:
    with pytest.raises(ParameterError, match="possible: feature"):
        figure(made.curve(["a", "b"]), colour="red")
    with pytest.raises(ParameterError, match="possible: a, b"):
        figure(made.curve(["a", "b"]), feature="z")


@pytest.mark.parametrize("artifact", EVERY, ids=lambda a: a.name)
def test_the_static_picture_is_well_formed(artifact: Artifact) -> None:
    root = ElementTree.fromstring(svg(artifact))
    assert root.tag.endswith("svg")
    assert len(list(root.iter())) > 15


def test_a_notebook_shows_the_status_and_the_first_figures() -> None:
    shown = snapshot_html(made.snapshot(EVERY))
    assert "Complete" in shown
    assert shown.count("<img") == 3
    assert "2 of 2 rows" in artifact_html(EVERY[-1])


def test_neighbours_of_one_case_stand_in_the_order_of_their_ranks() -> None:
    artifact = made.neighbours(["like", "unlike"])
    values = spec(artifact, example=1)["data"]["values"]
    assert [(v["whole"], v["said"]) for v in values] == [("training row 10", "like"), ("training row 11", "unlike")]
    assert spec(artifact, example=1)["description"].startswith("Decided alike: 1, of which 1 came out as no.")


def test_without_a_case_the_neighbours_of_all_rows_together_are_shown() -> None:
    artifact = made.neighbours(["like", "unlike"])
    shown = [v["whole"] for v in spec(artifact)["data"]["values"]]
    assert shown == ["training row 4,711", "training row 4,712"]
