"""Scores and importance, row by row: before, after, and whether the difference is more than training gives by chance.

With panels of retrainings on both sides the decision is kernels/changes.py's; without, the row-level errors are shown
and the verdict is "inconclusive", since rows say nothing of how far another training would move a number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from showcause.core.diff import Change, Verdict
from showcause.core.kinds import COMMON_KEY, kind
from showcause.verbs.differences import shared
from showcause.verbs.differences.panels import Judged, judge
from showcause.verbs.differences.sides import (
    NO_PANEL,
    OTHER_ROWS,
    PANEL,
    Number,
    Pair,
    Sides,
    difference_error,
    keys,
    refused,
)
from showcause.views.figures.importance import weight
from showcause.views.sentence import say
from showcause.views.words import METRICS, metric

SECTIONS = {"model": "performance", "segments": "segments", "importance": "importance", "refits": "performance"}
# Metrics of which less is better; of the others more is, but for those that are neither.
LESS = {
    *("log_loss", "brier", "rmse", "mae", "median_absolute_error", "cost"),
    *("false_positive_rate", "demographic_parity_difference", "equalized_odds_difference", "expected_error"),
    *("equal_opportunity_difference", "mean_residual_difference", "max_error", "mape"),
}
PRIMARY = ("roc_auc", "log_loss", "r2", "rmse", "accuracy")  # the first there is speaks for the model
ORDER = ("refits/importance", "importance/shap", "importance/permutation", "refits/performance", "model/performance")
NEITHER = {"selection_rate", "base_rate", "mean_prediction", "mean_residual", "mean_prediction_difference", "count"}
# Cells of a confusion table: the rates, which are compared, say the same of any number of rows.
COUNTS = ("true_positive", "false_positive", "true_negative", "false_negative", "confusion")
FAIRNESS = {
    *("demographic_parity_difference", "demographic_parity_ratio", "disparate_impact", "equalized_odds_difference"),
    *("equal_opportunity_difference", "selection_rate", "true_positive_rate", "false_positive_rate", "base_rate"),
    *("mean_prediction", "mean_residual", "mean_prediction_difference", "mean_residual_difference"),
}


def worse(name: str, delta: float) -> bool:
    """Whether a metric that moved by `delta` moved for the worse."""
    if name in NEITHER:
        return False
    return delta > 0 if name in LESS else delta < 0


@dataclass(frozen=True)
class Row:
    """One key on both sides. `judged` is the panels' decision, where there is one."""

    key: Mapping[str, str | None]
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    judged: Judged | None = None

    @property
    def values(self) -> tuple[Number, Number]:
        if self.judged is not None:
            return self.judged.before, self.judged.after
        return self.before.get("value"), self.after.get("value")


def scores(sides: Sides) -> Iterator[Change]:
    """Performance, fairness and segments; of the checks of the explanations, whether they hold."""
    for pair in sides.pairs("score"):
        folder = pair.name.partition("/")[0]
        if folder == "quality":
            yield from _quality(pair)
        elif pair.reason:
            yield refused(_score_section(pair.name, {}), pair)
        else:
            for row in rows(sides, pair):
                if not str(row.key.get("metric")).startswith(COUNTS):
                    yield _score(sides, pair, row)


def _quality(pair: Pair) -> Iterator[Change]:
    held = [side.spec.get("passed") for side in (pair.before, pair.after)]
    if None in held or pair.before.kind != pair.after.kind:
        return
    words = {True: "held", False: "failed"}
    said = [words[bool(value)] for value in held]
    verdict: Verdict = "unchanged" if said[0] == said[1] else "changed"
    template = "The check {name} {before} before and {after} now."
    text = say(template, name=pair.name, before=said[0], after=said[1]).text
    # A check of an artifact decides whether anything is said of it; agreement between methods may tip by chance.
    flag = bool(held[0]) and not held[1] and bool(pair.after.spec.get("of"))
    yield Change("other", pair.name, {}, said[0], said[1], None, None, None, None, None, verdict, text, flag)


def _score_section(name: str, key: Mapping[str, str | None]) -> str:
    if name.endswith("fairness") or (name.startswith(PANEL) and key.get("metric") in FAIRNESS and "by" in key):
        return "fairness"
    if key.get("segment") not in (None, "all", "train") or name.startswith("segments/"):
        return "segments"
    return "performance" if name.partition("/")[0] in ("model", "refits") else "other"


def rows(sides: Sides, pair: Pair) -> list[Row]:
    """Every key of either side in the before side's order, panels judged."""
    shape = kind(pair.kind)
    names = [*shape.key, *COMMON_KEY, "by", "level"]
    panel = pair.name.startswith(PANEL) or "refit" in pair.before.table.column_names
    if panel:
        return _panel_rows(sides, pair, [name for name in names if name != "refit"])
    found = [
        {tuple(keys(names, row).items()): row for row in side.table.to_pylist()} for side in (pair.before, pair.after)
    ]
    both = [*found[0], *(key for key in found[1] if key not in found[0])]
    return [Row(dict(key), found[0].get(key, {}), found[1].get(key, {})) for key in both]


def _panel_rows(sides: Sides, pair: Pair, names: Sequence[str]) -> list[Row]:
    absent = [
        {name for name in sides.columns(other, "explained") if name not in sides.columns(one, "explained")}
        for one, other in ((sides.before, sides.after), (sides.after, sides.before))
    ]
    judged = judge(pair, names, absent=(absent[0], absent[1]))
    return [Row(dict(key), {}, {}, decision) for key, decision in judged.items()]


def verdict(sides: Sides, row: Row, error: Number, *, exact: bool) -> Verdict:
    """Of a row: the panels' decision; without panels only the very same model can be said not to have changed. A
    segment of one side only has nothing to be compared with. `exact`: no drawing by chance is behind the numbers."""
    if row.judged is not None:
        return row.judged.verdict
    before, after = row.values
    if sides.same_model and before is not None and after is not None:
        if before == after:
            return "unchanged"
        if exact:  # the same predictions of the same rows: only the decision on them can have changed
            return "changed"
        return "unchanged" if error is not None and abs(after - before) <= 3 * error else "inconclusive"
    one_side = row.key.get("segment") is not None and not (row.before and row.after)
    return "not-comparable" if one_side else "inconclusive"


def change(sides: Sides, section: str, pair: Pair, row: Row, what: str, margin: Number = None, **more: Any) -> Change:
    """The change of one row with the sentence that its verdict allows."""
    before, after = row.values
    delta = None if before is None or after is None else float(after) - float(before)
    judged = row.judged
    error = judged.error if judged is not None else difference_error(row.before, row.after)
    noise = "refits" if judged is not None else (None if error is None else row.after.get("noise") or "rows")
    new = row.key.get("feature") is not None and row.key["feature"] not in sides.shared
    found = verdict(sides, row, error, exact=pair.kind == "score")
    facts = dict(more.pop("facts", {}))
    say_tail = Tail(judged is not None, sides.same_model, new)
    text = _sentence(found, before, after, what, say_tail, facts)
    margin = judged.margin if judged is not None else margin
    q = judged.q if judged is not None else None
    flag = found == "changed"
    return Change(
        section, pair.name, row.key, before, after, delta, error, noise, q, margin, found, text, flag, facts, **more
    )


@dataclass(frozen=True)
class Tail:
    """What a sentence ends with: whether panels decided, whether the model is the very same, whether the column is one
    that only one side's model has."""

    panel: bool
    same: bool
    new: bool

    @property
    def unsure(self) -> str:
        """What is said where nothing can be told."""
        return "" if self.same else " Retraining alone may move it as far." if self.panel else f" {NO_PANEL}"


def _sentence(found: Verdict, before: Number, after: Number, what: str, tail: Tail, facts: Mapping[str, Any]) -> str:
    parts = {name: int(value) for name, value in facts.items() if name in ("rank_before", "rank_after") and value}
    if before is None or after is None:
        return _one_side(found, before, after, what, tail, parts)
    place = ""
    if len(parts) == 2:
        moved = parts["rank_before"] != parts["rank_after"]
        place = " (place {rank_before}, now {rank_after})" if moved else " (place {rank_after} in both)"
    elif parts:
        place = " (now place {rank_after})" if "rank_after" in parts else " (place {rank_before} before)"
    way = "rose" if after > before else "fell"
    why = "." if tail.same else ", more than retraining moves it."
    templates = {
        "changed": "{what} " + way + " from {before} to {after}" + place + why,
        "unchanged": "{what} is as it was: {before} before, {after} now" + place + ".",
    }
    template = templates.get(found, "{what}: {before} before, {after} now" + place + "." + tail.unsure)
    return say(template, what=what, before=before, after=after, **parts).text


def _one_side(found: Verdict, before: Number, after: Number, what: str, tail: Tail, parts: Mapping[str, int]) -> str:
    known, when, other = (after, "now", "before") if before is None else (before, "before", "now")
    if known is None:
        return say("{what}: not known on either side.", what=what).text
    lacking = f"no such column {other}" if tail.new else f"nothing to compare it with {other}"
    rank = parts.get("rank_after" if before is None else "rank_before")
    place = "" if rank is None else " (place {rank})"
    end = tail.unsure if found == "inconclusive" else ""
    template = "{what}: {known} " + when + place + f", {lacking}." + end
    return say(template, what=what, known=known, rank=rank or 0).text


def _score(sides: Sides, pair: Pair, row: Row) -> Change:
    name = str(row.key.get("metric"))
    said = metric(name) if name in METRICS or not name.startswith("confusion") else name
    what = f"{said[:1].upper()}{said[1:]}"
    if (segment := row.key.get("segment")) not in (None, "all"):
        what += f", {sides.words.segment(row.key.get('by'), row.key.get('level'), segment)}"
    if row.key.get("target") and pair.several:
        what += f", {sides.words.target(row.key['target'])}"
    section = _score_section(pair.name, row.key)
    return change(sides, section, pair, row, what)


def importance(sides: Sides) -> Iterator[Change]:
    """Each feature's importance and its place, largest first."""
    for pair in sides.pairs("importance"):
        section = _importance_section(pair.name)
        if pair.reason == OTHER_ROWS and pair.name == "importance/shap":
            pair = shared.on_shared_rows(sides, pair)
        if pair.reason:
            yield refused(section, pair)
            continue
        found = rows(sides, pair)
        known = [set(sides.columns(snapshot, "explained")) for snapshot in (sides.before, sides.after)]
        places = [_places(found, side, known[side]) for side in (0, 1)]
        for position, row in enumerate(found):
            ranks = {"rank_before": places[0].get(position), "rank_after": places[1].get(position)}
            facts = {name: rank for name, rank in ranks.items() if rank is not None}
            yield change(sides, section, pair, row, _importance_name(sides, pair, row), facts=facts)


def _importance_section(name: str) -> str:
    folder = name.partition("/")[0]
    if folder in ("importance", "refits"):
        return "importance"
    return "segments" if folder == "segments" else "other"


def _importance_name(sides: Sides, pair: Pair, row: Row) -> str:
    words, key = sides.words, row.key
    name = " × ".join(words.label(str(key[part])) for part in ("feature", "feature_b") if part in key)
    if key.get("term") and key["term"] != key.get("feature"):
        name += f", {key['term']}"
    if key.get("target") and pair.several:
        name += f", {words.target(key['target'])}"
    if key.get("segment") not in (None, "all"):
        name += f", {words.segment(key.get('by'), key.get('level'), key['segment'])}"
    head = {"importance": "Importance of", "coefficients": "Coefficient of", "interaction": "Interaction of"}
    said = pair.name.rpartition("/")[2]
    return f"{head.get(said, 'Importance of')} {name}"


def _places(found: Sequence[Row], side: int, known: Collection[str]) -> dict[int, int]:
    """Position in `found` → place from 1 among the rows of the same target and segment; ties share the better one, and
    columns that this side's model does not have take no part."""
    groups: dict[tuple[object, ...], list[tuple[float, int]]] = {}
    for position, row in enumerate(found):
        value = row.values[side]
        if value is None or (row.judged is not None and row.key.get("feature") not in known):
            continue
        if "group" in row.key and row.key.get("group") == row.key.get("feature"):
            continue
        size = weight({"value": value, "scale": (row.before, row.after)[side].get("scale")})
        group = (row.key.get("target"), row.key.get("segment"))
        groups.setdefault(group, []).append((size, position))
    return {
        position: 1 + sum(other > size for other, _ in members)
        for members in groups.values()
        for size, position in members
    }
