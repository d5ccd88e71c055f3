"""What scores say: performance, segments and fairness, checks of the explanations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from showcause.views.picture import Picture, Row, bounds
from showcause.views.sentence import Sentence, Share, apart, measured, say
from showcause.views.words import metric

SHARES = ("accuracy", "selection_rate", "true_positive_rate", "false_positive_rate", "base_rate")
PLAIN_HEADLINES = ("accuracy", "roc_auc", "r2", "mae")
HEADLINES = ("roc_auc", "accuracy", "log_loss", "r2", "rmse", "mae")


def score(picture: Picture, plain: bool) -> list[Sentence]:
    if picture.artifact.name == "model/performance":
        return _performance(picture, plain)
    if picture.artifact.name.startswith("segments/"):
        return _segments(picture, plain)
    return [] if plain else _checks(picture)


def _rows_but_metric(picture: Picture) -> list[Row]:
    choice = {name: value for name, value in picture.choice.items() if name != "metric"}
    return Picture(picture.artifact, picture.words, choice).rows


def _performance(picture: Picture, plain: bool) -> list[Sentence]:
    rows = [row for row in measured(_rows_but_metric(picture)) if row.get("target") is None]
    by = {(row.get("segment") or "all", row["metric"]): row for row in rows}
    known = [name for name in (PLAIN_HEADLINES if plain else HEADLINES) if ("all", name) in by]
    found = []
    for name in known:
        row = by["all", name]
        found += _plainly(name, row) if plain else [_headline(name, row)]
    for name in ("accuracy", "r2") if plain else known:
        if ("all", name) in by and ("train", name) in by and apart(by["all", name], by["train", name]):
            row, train = by["all", name], by["train", name]
            if plain:
                both = {"train": Share(train["value"]), "value": Share(row["value"])}
                found.append(say("On the cases it learned from, it reaches {train}; on new ones {value}.", **both))
            else:
                template = "{name} on the training rows is {train}, beyond the interval of these rows."
                found.append(say(template, name=_upper(metric(name)), train=train["value"]))
    if any(row.get("reference") is not None for row in rows):
        base = picture.spec.get("baseline", {})
        predicts = base.get("predicts") if isinstance(base, Mapping) else None
        if plain or not predicts:
            found.append(Sentence("Red ticks show what always giving the same answer would reach."))
        else:
            found.append(say("Red ticks mark a baseline that always predicts {what}.", what=str(predicts)))
    return found


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _headline(name: str, row: Row) -> Sentence:
    return _measure("{name}: {value}", ", a trivial baseline {reference}", row, _upper(metric(name)))


def _measure(template: str, beside: str, row: Row, name: str) -> Sentence:
    """The value with its interval, and `beside` it the reference, where there are such."""
    low, high = bounds(row)
    parts: dict[str, float] = {"value": row["value"]}
    if low is not None and high is not None:
        template, parts = template + " (95 % from {low} to {high})", {**parts, "low": low, "high": high}
    if row.get("reference") is not None:
        template, parts = template + beside, {**parts, "reference": row["reference"]}
    return say(template + ".", name=name, **parts)


def _plainly(name: str, row: Row) -> list[Sentence]:
    value, base = row["value"], row.get("reference")
    if name == "accuracy":
        found = [say("It decides {value} of cases correctly.", value=Share(value))]
        low, high = bounds(row)
        if base is not None and low is not None and high is not None and low <= base <= high:
            template = "That is about what always giving the most common answer would reach: {base}."
            found.append(say(template, base=Share(base)))
        elif base is not None:
            found.append(say("Always giving the most common answer would reach {base}.", base=Share(base)))
        return found
    if name == "roc_auc":
        template = "Shown one case of each outcome, it tells which is which {value} of the time."
        return [say(template, value=Share(value))]
    if name == "r2":
        return (
            [say("It explains {value} of the differences between cases.", value=Share(value))]
            if value > 0
            else [Sentence("It predicts no better than always giving the average.")]
        )
    if name == "mae":
        return [say("On average its prediction is off by {value}.", value=value)]
    return []


def _segments(picture: Picture, plain: bool) -> list[Sentence]:
    rows = picture.rows
    wanted = list(dict.fromkeys(row["metric"] for row in rows))
    found: list[Sentence] = []
    if len(wanted) == 1:
        levels = [row for row in measured(rows) if row.get("segment") not in (None, "all", row.get("by"))]
        found += _widest(picture, levels, wanted[0])
        if not plain and any(row.get("reference") is not None for row in levels):
            found.append(Sentence("Red ticks mark all rows together."))
        found += [_between(picture, row) for row in measured(rows) if row.get("by") and row["segment"] == row["by"]]
    few = len({row.get("segment") for row in rows if row["value"] is None})
    if few:
        one = few == 1
        found.append(say("{n} " + ("group has" if one else "groups have") + " too few rows to say anything.", n=few))
    return found


def _widest(picture: Picture, known: Sequence[Row], name: str) -> list[Sentence]:
    """The widest gap between levels of one column, first among those that noise does not explain. Rows without a level
    stand apart: they are no group."""
    levels: dict[Any, list[Row]] = {}
    for row in known:
        if row.get("level") != "missing":
            levels.setdefault(row.get("by"), []).append(row)
    ends = [(min(of, key=_value), max(of, key=_value)) for of in levels.values() if len(of) > 1]
    if not ends:
        return []
    low, high = max(ends, key=lambda pair: (apart(*pair), pair[1]["value"] - pair[0]["value"]))
    shares = picture.plain and name in SHARES
    a, b = (Share(low["value"]), Share(high["value"])) if shares else (low["value"], high["value"])
    chance = bounds(low)[0] is not None and not apart(low, high)
    template = "{what}: lowest for {low} ({a}), highest for {high} ({b})" + ("; this may be chance." if chance else ".")
    what = _upper(metric(name, plain=picture.plain))
    return [say(template, what=what, low=_segment(picture, low), high=_segment(picture, high), a=a, b=b)]


def _value(row: Row) -> float:
    return float(row["value"])


def _between(picture: Picture, row: Row) -> Sentence:
    """One number about all levels of a column: a ratio of 1 or a difference of 0 means alike."""
    template, beside = "Between the groups of {name}: {value}", "; alike would be {reference}"
    return _measure(template, beside, row, picture.words.label(row["by"]))


def _segment(picture: Picture, row: Row) -> str:
    return picture.words.segment(row.get("by"), row.get("level"), row.get("segment"))


def _checks(picture: Picture) -> list[Sentence]:
    rows = [row for row in picture.measured if row.get("reference") is not None]
    limit = str(picture.spec.get("limit", "held to"))
    return [
        say("{name}: {value}, {limit} {reference}.", name=_upper(metric(row["metric"])), limit=limit, **_pair(row))
        for row in rows
    ]


def _pair(row: Row) -> dict[str, float]:
    return {"value": row["value"], "reference": row["reference"]}
