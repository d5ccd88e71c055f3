"""What changed, and is it more than noise: on snapshots made by hand, whose answer is known, and on real ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import showcause as sc
from showcause.core.artifact import Artifact
from showcause.core.diff import Change, Diff
from showcause.core.snapshot import Snapshot, Status
from showcause.views.words import number, percent
from tests.data import loans
from tests.views import made

ROWS = {"count": 100, "digest": "r" * 64}
BACKGROUND = {"count": 50, "digest": "b" * 64, "source": "train"}
SPEC = {"rows": ROWS, "background": BACKGROUND, "space": "log-odds", "game": "interventional", "seed": 0, "version": 1}
FEATURES = ("income", "debt", "age")
SOME = [
    *("attribution/tree_shap", "data/rows", "dependence/ale", "dependence/pdp", "importance/permutation"),
    *("importance/shap", "model/performance", "model/predictions", "model/surrogate_tree", "quality/additivity"),
    *("segments/importance", "segments/performance"),
]


def importance(values: dict[str, float], **spec: Any) -> Artifact:
    names = list(values)
    return made.artifact(
        "importance/shap", "importance", {**SPEC, **spec}, feature=names, value=[values[n] for n in names], error=0.01
    )


def panel(values: dict[str, float], spread: float = 0.01, refits: int = 8, seed: int = 0, **spec: Any) -> Artifact:
    """refits/importance: each feature's value with a spread of its own draws."""
    rng = np.random.default_rng(seed)
    rows = [(k, name, value + spread * rng.normal()) for name, value in values.items() for k in range(refits)]
    facts = {**SPEC, "panel": {"source": "refits", "count": refits}, **spec}
    refit, feature, value = zip(*rows, strict=True)
    return made.artifact(
        "refits/importance", "importance", facts, feature=list(feature), refit=[k + 1 for k in refit], value=list(value)
    )


def snapshot(*artifacts: Artifact, digest: str = "1", columns: tuple[str, ...] = FEATURES, **given: Any) -> Snapshot:
    data = {
        "columns": {name: {"digest": name, "kind": "number"} for name in columns},
        "order": list(columns),
        "labels": "l" * 64,
        "train": {"rows": 200, "columns": {name: name for name in columns}, "labels": "t" * 64},
        **given.pop("data", {}),
    }
    return made.snapshot(list(artifacts), model={"digest": digest * 64, **given.pop("model", {})}, data=data, **given)


def one(diff: Diff, section: str, **key: str) -> Change:
    found = [c for c in diff.changes if c.section == section and key.items() <= c.key.items()]
    assert len(found) == 1, [c.message for c in diff.changes]
    return found[0]


def test_the_same_snapshot_twice_is_no_change_and_the_same_bytes() -> None:
    first = snapshot(importance({"income": 0.5}))
    again = snapshot(importance({"income": 0.5}))
    assert sc.diff(first, again).changes == ()
    assert sc.diff(first, again).headline == "Nothing changed: both are the same snapshot."
    assert sc.diff(first, first).document == sc.diff(again, again).document


def test_without_panels_a_retrained_model_is_inconclusive_with_before_after_and_row_error() -> None:
    before, after = snapshot(importance({"income": 0.5})), snapshot(importance({"income": 0.9}), digest="2")
    found = one(sc.diff(before, after), "importance", feature="income")
    assert (found.before, found.after, found.delta, found.noise) == (0.5, 0.9, 0.4, "rows")
    assert found.error == pytest.approx(0.01 * np.sqrt(2))
    assert (found.verdict, found.flag) == ("inconclusive", False)
    assert found.message == (
        "Importance of income: 0.5 before, 0.9 now (place 1 in both). It cannot be told from retraining noise."
    )


def test_the_same_model_explained_twice_has_not_changed() -> None:
    before, after = snapshot(importance({"income": 0.5})), snapshot(importance({"income": 0.51}))
    assert one(sc.diff(before, after), "importance").verdict == "unchanged"


def test_panels_decide_what_changed_what_did_not_and_what_cannot_be_told() -> None:
    before = snapshot(panel({"income": 0.5, "debt": 0.2, "age": 0.1}))
    after = snapshot(panel({"income": 0.15, "debt": 0.2, "age": 0.12}, seed=1), digest="2")
    diff = sc.diff(before, after)
    verdicts = {c.key["feature"]: c.verdict for c in diff.changes if c.section == "importance"}
    assert (verdicts["income"], verdicts["age"]) == ("changed", "inconclusive")
    first = diff.flags[0]
    assert (first.key["feature"], first.noise, first.facts) == ("income", "refits", {"rank_before": 1, "rank_after": 2})
    assert first.q is not None
    assert first.q < 0.05
    assert diff.panels["compared"]
    assert "more than retraining moves it" in diff.headline
    still = sc.diff(before, snapshot(panel({"income": 0.5, "debt": 0.2, "age": 0.1}, spread=0.004, seed=1), digest="2"))
    assert not still.flags
    assert still.headline == "Nothing changed beyond what retraining moves."


def test_a_column_that_only_one_model_has_counts_as_no_importance_in_the_other() -> None:
    before = snapshot(panel({"income": 0.5, "debt": 0.2}), columns=("income", "debt"))
    after = snapshot(
        panel({"income": 0.4, "debt": 0.2, "leak": 0.9}, seed=1), digest="2", columns=("income", "debt", "leak")
    )
    for diff, lacking in ((sc.diff(before, after), "before"), (sc.diff(after, before), "after")):
        found = one(diff, "importance", feature="leak")
        assert (found.verdict, found.flag) == ("changed", True)
        assert (found.before if lacking == "before" else found.after) == 0
        assert diff.flags[0].key == {"column": "leak"}
        assert next(c for c in diff.flags if c.section == "importance") == found


def test_panels_of_other_sources_are_not_compared() -> None:
    before = snapshot(panel({"income": 0.5, "debt": 0.2}))
    after = snapshot(panel({"income": 0.9, "debt": 0.2}, panel={"source": "folds", "count": 8}), digest="2")
    diff = sc.diff(before, after)
    assert one(diff, "importance").verdict == "not-comparable"
    assert "folds" in diff.panels["reason"]


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"game": "path-dependent"}, "the game was interventional and is path-dependent"),
        ({"space": "probability"}, "the output space was log-odds and is probability"),
        ({"background": {**BACKGROUND, "digest": "c" * 64}}, "it was measured against another background"),
        ({"rows": {**ROWS, "digest": "s" * 64}}, "other rows stand behind it"),
        ({"version": 2}, "its method has another version"),
        ({"targets": ["yes"]}, "the classes explained was not stated and is yes"),
    ],
)
def test_other_games_spaces_backgrounds_and_rows_are_refused_and_the_rest_is_compared(other: Any, reason: str) -> None:
    before = snapshot(importance({"income": 0.5}), made.performance())
    after = snapshot(importance({"income": 0.9}, **other), made.performance(), digest="2")
    for diff in (sc.diff(before, after), sc.diff(after, before)):
        refused = one(diff, "importance")
        assert (refused.verdict, refused.flag, refused.before) == ("not-comparable", True, None)
        assert any(c.section == "performance" and c.before is not None for c in diff.changes)
    assert f"importance/shap cannot be compared: {reason}." == one(sc.diff(before, after), "importance").message


def test_rows_are_the_same_where_only_a_column_came_or_went() -> None:
    before = snapshot(importance({"income": 0.5}), columns=("income",))
    spec = {"rows": {**ROWS, "digest": "s" * 64}, "background": {**BACKGROUND, "digest": "c" * 64}}
    after = snapshot(importance({"income": 0.4, "leak": 0.6}, **spec), digest="2", columns=("income", "leak"))
    diff = sc.diff(before, after)
    assert one(diff, "importance", feature="income").verdict == "inconclusive"
    assert one(diff, "data", column="leak").message == "leak is a new column of the model."
    drawn = {**spec, "rows": {**spec["rows"], "sampled_from": 900}, "seed": 1}
    other = snapshot(importance({"income": 0.4, "leak": 0.6}, **drawn), digest="2", columns=("income", "leak"))
    assert one(sc.diff(before, other), "importance").verdict == "not-comparable"


def test_what_became_missing_or_failed_is_flagged_and_what_became_complete_is_told() -> None:
    failed = {"model/roc": Status("failed", "out of patience", "internal")}
    good, bad = snapshot(importance({"income": 1.0})), snapshot(importance({"income": 1.0}), statuses=failed)
    worse, better = sc.diff(good, bad), sc.diff(bad, good)
    assert worse.flags[0].message == "The snapshot was complete and is incomplete."
    assert one(worse, "statuses", name="model/roc").flag
    assert not better.flags
    assert one(better, "statuses", name="").after == "complete"


def test_another_threshold_of_the_same_model_changes_what_hangs_on_it() -> None:
    frame, y = loans()
    model = _forest(0)
    model.fit(frame.drop(columns="race"), y)
    given = {"protected": ["race"], "context": frame[["race"]][:400], "favourable": 1, "progress": False}
    rules = {"require": {"artifacts": ["model/performance", "segments/fairness", "importance/permutation"]}}
    X = frame.drop(columns="race")
    before = sc.explain(model, X[:400], y[:400], policy=rules, **given)
    after = sc.explain(model, X[:400], y[:400], policy=rules, threshold=0.9, **given)
    diff = sc.diff(before, after)
    assert diff.flags[0].message == "The threshold was 0.5 and is 0.9."
    verdicts = {c.key["metric"]: c.verdict for c in diff.changes if c.artifact == "model/performance"}
    assert (verdicts["roc_auc"], verdicts["accuracy"]) == ("unchanged", "changed")
    assert all(c.verdict == "unchanged" for c in diff.changes if c.section == "importance" and "feature" in c.key)
    assert all(sayable(c) for c in diff.changes)


def _forest(seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(20, min_samples_leaf=5, random_state=seed)


@pytest.fixture(scope="module")
def real() -> dict[str, Snapshot]:
    """Two trainings with another seed, one with a leaked column, of the same rows."""
    frame, y = loans()
    X = frame.drop(columns="race")
    leaked = X.assign(leak=y + np.random.default_rng(0).normal(0, 0.7, len(y)))
    found = {}
    for name, rows, seed in (("first", X, 0), ("second", X, 1), ("leaked", leaked, 1)):
        model = _forest(seed).fit(rows[300:], y[300:])
        found[name] = sc.explain(
            model, rows[:300], y[:300], train=(rows[300:], y[300:]), segments=["income"], favourable=1, progress=False,
            policy={"require": {"artifacts": SOME}},
        )  # fmt: skip
    return found


def test_another_seed_raises_no_flag(real: dict[str, Snapshot]) -> None:
    for before, after in (("first", "second"), ("second", "first")):
        diff = sc.diff(real[before], real[after])
        assert not diff.flags, [c.message for c in diff.flags]
        assert diff.counts["inconclusive"] > 30
        assert "cannot be told from retraining noise" in diff.headline
        assert diff.document == sc.diff(real[before], real[after]).document


def test_a_leaked_column_comes_first(real: dict[str, Snapshot]) -> None:
    diff = sc.diff(real["first"], real["leaked"])
    assert diff.flags[0].message == "leak is a new column of the model."
    importances = [c for c in diff.changes if c.artifact == "importance/permutation"]
    assert importances[0].key == {"feature": "leak"}
    assert importances[0].facts["rank_after"] == 1
    assert diff.headline.index("leak") < 60
    back = sc.diff(real["leaked"], real["first"])
    assert back.flags[0].message == "leak is no longer a column of the model."


def test_a_snapshot_may_be_given_by_ref_folder_or_zip(real: dict[str, Snapshot], tmp_path: Path) -> None:
    folder = real["first"].export(tmp_path / "first")
    archive = real["second"].export(tmp_path / "second.zip")
    assert sc.diff(folder, str(archive)).document == sc.diff(real["first"], real["second"]).document
    with pytest.raises(sc.NotFound):
        sc.diff("credit/1", folder, store=tmp_path / "nothing")
    with pytest.raises(sc.InputError, match="give a snapshot or a ref"):
        sc.diff(3, folder)  # type: ignore[arg-type]


def sayable(change: Change) -> bool:
    """Every number that the message says is one of the change's."""
    text = change.message
    names = [*change.key.values(), *(v for v in (change.before, change.after) if isinstance(v, str)), change.artifact]
    for name in sorted(filter(None, names), key=len, reverse=True):
        for spelled in {str(name), str(name).replace("_", " ")}:
            text = re.sub(rf"(?<![\w.,]){re.escape(spelled)}(?![\w.])", " ", text)
    known = {form(abs(n)) for n in change.numbers for form in (number, percent)}
    return all(
        token in known for token in re.findall(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?(?:\u00a0%)?", text)
    )


def test_every_number_that_is_said_stands_in_the_document(real: dict[str, Snapshot]) -> None:
    for names in (("first", "second"), ("first", "leaked"), ("leaked", "first")):
        diff = sc.diff(*(real[name] for name in names))
        said = [c for c in diff.changes if c.key.get("segment") is None or c.key["segment"] in ("all", "train")]
        assert [c.message for c in said if not sayable(c)] == []
        known = {number(abs(n)) for n in diff.numbers}
        tokens = re.findall(r"(?<![\w.=])\d+(?:,\d{3})*(?:\.\d+)?", diff.headline)
        assert [token for token in tokens if token not in known] == []


def test_a_diff_is_read_back(real: dict[str, Snapshot]) -> None:
    diff = sc.diff(real["first"], real["leaked"])
    assert Diff.read(diff.document) == diff


def test_a_model_explained_on_the_baselines_rows_is_compared_on_these_in_both_orders() -> None:
    frame, y = loans()
    X = frame.drop(columns="race")
    rules = {
        "require": {"artifacts": ["data/rows", "model/performance", "model/predictions", "importance/permutation"]}
    }
    given = {"policy": rules, "favourable": 1, "progress": False}
    before = sc.explain(_forest(0).fit(X[800:], y[800:]), X[:300], y[:300], **given)
    apart = sc.explain(_forest(1).fit(X[800:], y[800:]), X[300:700], y[300:700], **given)
    diff = sc.diff(before, apart)
    assert {c.artifact for c in diff.refused} == {"model/performance", "model/predictions", "importance/permutation"}
    after = sc.explain(_forest(1).fit(X[800:], y[800:]), X[300:700], y[300:700], baseline=before, **given)
    for one, other in ((before, after), (after, before)):
        diff = sc.diff(one, other)
        assert not diff.refused
        assert sum(c.artifact == "importance/permutation" for c in diff.changes) == 4
        flipped = next(c for c in diff.changes if c.section == "flips" and not c.key)
        assert flipped.facts["of"] == 300
        assert len(diff.tables["flips"]) == flipped.facts["flipped"]


def test_flips_are_exact_and_described() -> None:
    rng = np.random.default_rng(0)
    X = {"income": rng.normal(50, 10, 600).round(1), "debt": rng.normal(20, 5, 600).round(1)}

    def model(cut: float) -> Any:
        return lambda rows: (0.2 + 0.6 * ((rows["income"] > 45) | (rows["debt"] < cut))).to_numpy()

    import pandas as pd

    rules = {"require": {"artifacts": ["data/rows", "model/predictions"]}}
    frame = pd.DataFrame(X)
    one, other = (
        sc.explain(model(cut), frame, frame["income"] > 50, task="classification", version=str(cut), policy=rules,
                   ids=[f"case {i}" for i in range(600)], favourable=True, progress=False)
        for cut in (0, 20)
    )  # fmt: skip
    diff = sc.diff(one, other)
    flipped = ((frame["income"] <= 45) & (frame["debt"] < 20)).sum()
    count = next(c for c in diff.changes if c.section == "flips" and not c.key)
    assert (count.facts["flipped"], count.facts["of"], count.verdict) == (flipped, 600, "inconclusive")
    rule = next(c for c in diff.changes if c.key.get("rule"))
    assert "income ≤ 45" in str(rule.key["rule"]) or "income ≤ 44" in str(rule.key["rule"])
    assert "debt ≤" in str(rule.key["rule"])
    assert rule.facts["precision"] > 0.8
    assert rule.facts["coverage"] > 0.8
    first = diff.tables["flips"][0]
    assert first["id"] == f"case {first['row']}"
    assert (first["before"], first["after"]) == ("False", "True")
    assert sayable(count)
    nobody = sc.diff(one, one)
    assert nobody.changes == ()
    assert (
        next(c for c in sc.diff(other, one).changes if c.section == "flips" and not c.key).facts["flipped"] == flipped
    )


def test_rows_that_are_omitted_leave_no_trace_in_a_diff() -> None:
    frame, y = loans()
    X = frame.drop(columns="race")
    rules = {"privacy": {"rows": "omit"}, "require": {"artifacts": ["model/predictions", "importance/permutation"]}}
    sides = [
        sc.explain(_forest(seed).fit(X[300:], y[300:]), X[:300], y[:300], policy=rules, favourable=1, progress=False)
        for seed in (0, 1)
    ]
    diff = sc.diff(*sides)
    assert "model/predictions" not in sides[0]
    assert diff.tables["flips"] == ()
    assert not [c for c in diff.changes if c.section == "flips"]
    assert any(c.section == "importance" for c in diff.changes)


def test_policy_findings_are_new_or_gone_and_nothing_is_attached() -> None:
    before = snapshot(importance({"income": 0.5}), made.performance())
    after = snapshot(importance({"income": 0.5}), digest="2")
    rules = {"require": {"artifacts": ["importance/shap", "model/performance"]}}
    found = {(c.key.get("code"), c.key.get("subject")): c for c in sc.diff(before, after, policy=rules).changes
             if c.section == "policy"}  # fmt: skip
    new = [c for (_, subject), c in found.items() if subject == "model/performance"]
    assert [(c.before, c.after, c.flag) for c in new] == [(None, "fail", True)]
    assert new[0].message.startswith("New under the policy: SC")
    back = [c for c in sc.diff(after, before, policy=rules).changes if c.key.get("subject") == "model/performance"]
    assert [(c.before, c.after, c.flag) for c in back] == [("fail", None, False)]
    assert sc.diff(before, after, policy=rules).changes[0].section == "policy"
    assert not any("verdict" in str(key) for side in (before, after) for key in side.objects.lists)  # type: ignore[attr-defined]
