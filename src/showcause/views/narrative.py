"""What an artifact says, in sentences made by rule. No language model; also the alternative text of every figure.

Laws, tested:
- every number in a sentence stands in the artifact's table or spec, or counts their rows (rounded for people);
- a sentence is printed only where the numbers carry it: no "matters most" where the interval includes zero, no "rises"
  where the ends' intervals overlap, nothing about explanations that failed their own check.

Two voices: "engineer" names the noise behind each interval; "officer" speaks plain English in short sentences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from showcause.core.artifact import Artifact
from showcause.views.figures.importance import is_group, ranked, weight
from showcause.views.picture import BARS, Picture, Row, bounds
from showcause.views.scores import score
from showcause.views.sentence import Place, Sentence, Share, apart, say, surely
from showcause.views.words import Words, clean, listed, short

NOISE = {
    "rows": "Intervals say how far other rows would move the value; another training could move it further.",
    "monte-carlo": "Intervals say how far more sampling would move the value, not other rows or another training.",
    "refits": "Intervals say how far another training would move the value.",
}


def sentences(
    artifact: Artifact,
    *,
    audience: str = "engineer",
    choice: Mapping[str, str] | None = None,
    drawn: Picture | None = None,
) -> list[Sentence]:
    """Sentences about what a figure of the same choice shows, the most important first; `drawn`: that figure's picture,
    whose rows need not be read again if it is of the same choice."""
    plain = audience != "engineer"
    picture = Picture(artifact, Words.of(artifact.dictionary), choice or {}, plain=plain)
    if drawn is not None and drawn.choice == picture.choice and drawn.plain == plain:
        picture = drawn
    whole = not plain and "example" not in picture.choice  # of a single case, the artifact's own card says it
    return KINDS[artifact.kind](picture, plain) + (_provenance(picture) if whole else [])


def caps(cap: Mapping[str, Any]) -> list[tuple[str, float, float]]:
    """(what, how many were taken, of how many) from a spec's `cap`, {"features": 12, "of": 25, "of_pairs": …, …}."""
    found = []
    for what, taken in cap.items():
        of = cap.get(f"of_{what}", cap.get("of"))
        if not what.startswith("of") and isinstance(taken, int | float) and isinstance(of, int | float):
            found.append((what, taken, of))
    return found


def _provenance(picture: Picture) -> list[Sentence]:
    """Sample, cap, noise and notes, as the spec states them."""
    spec, found = picture.spec, []
    rows = spec.get("rows", {})
    if isinstance(rows, Mapping) and rows.get("sampled_from"):
        found.append(say("Computed on {count} of {of} rows.", count=rows["count"], of=rows["sampled_from"]))
    cap = spec.get("cap")
    if isinstance(cap, Mapping):
        found += [say("Capped: {n} of {of} {what}.", n=n, of=of, what=what) for what, n, of in caps(cap)]
    if picture.artifact.kind == "importance" and len(picture.rows) > BARS:
        found.append(say("The chart shows {shown} of {of} rows.", shown=BARS, of=len(picture.rows)))
    column = picture.table["noise"].to_pylist() if "noise" in picture.table.column_names else []
    found += [Sentence(NOISE[noise]) for noise in dict.fromkeys(column) if noise in NOISE]
    notes = [clean(_labelled(note, picture)) for note in spec.get("notes", ()) if isinstance(note, str)]
    return found + [Sentence(note, (), (note,)) for note in notes]


def _labelled(note: str, picture: Picture) -> str:
    """A note about one feature begins with its name: give it the name that people use."""
    feature, colon, rest = note.partition(": ")
    return f"{picture.words.label(feature)}: {rest}" if colon and feature in picture.words.features else note


def importance(picture: Picture, plain: bool) -> list[Sentence]:
    rows = [row for row in ranked(picture.measured) if not is_group(row)]
    rows.sort(key=lambda row: -weight(row))
    if rows and "term" in rows[0]:
        template = "Largest, times the scale of its column: {name} ({value})."
        return [say(template, name=picture.name(rows[0]), value=rows[0]["value"])]
    sure = [row for row in rows if surely(row)]
    if not rows:
        return []
    if not sure:
        return [Sentence("None of them can be told from zero."), *_groups(picture)]
    first, found = sure[0], list[Sentence]()
    names = [picture.name(row) for row in sure]
    verb = "interact most" if first.get("feature_b") else "matters most"
    if plain:
        found.append(say("The model relies most on {names}.", names=listed([short(n, 40) for n in names[:3]])))
    else:
        low, high = bounds(first)
        template = "{name} " + verb + ": {value}" + (" (95 % from {low} to {high})." if low is not None else ".")
        parts = {"low": low, "high": high} if low is not None and high is not None else {}
        found.append(say(template, name=names[0], value=first["value"], **parts))
    found += _ties(picture, sure, plain)
    found += _groups(picture)
    zero = len(rows) - len(sure)
    if zero and bounds(rows[0])[0] is not None:
        template = (
            "It makes little or no use of {zero} of {all} inputs."
            if plain
            else ("For {zero} of {all}, the interval includes zero.")
        )
        found.append(say(template, zero=zero, all=len(rows)))
    return found


def _groups(picture: Picture) -> list[Sentence]:
    """What correlated features amount to together, since each alone may seem idle while the others stand in for it."""
    found = []
    for row in [row for row in ranked(picture.measured) if is_group(row)][:3]:
        names = listed([picture.words.label(part) for part in row["group"].split(" + ")])
        found.append(say("Together, {names}: {value}.", names=names, value=row["value"]))
    return found


def _ties(picture: Picture, sure: Sequence[Row], plain: bool) -> list[Sentence]:
    """Which of the first features cannot be told apart, by stored ranks or else by intervals."""
    if len(sure) < 2:
        return []
    if sure[0].get("rank_low") is not None:
        certain = [row for row in sure if row["rank_low"] == row["rank_high"]]
        tied = [row for row in sure[:BARS] if row["rank_low"] != row["rank_high"]]
        found = []
        if certain and not plain:
            found.append(say("Ranks that are certain: {n} of {all}.", n=len(certain), all=len(sure)))
        if tied and plain:
            found.append(Sentence("Which of the first inputs matters more is not settled."))
        elif tied:
            last, name = tied[0]["rank_high"], picture.name(tied[0])
            template = "{name} may stand anywhere from place {low} to {high}."
            found.append(say(template, name=name, low=tied[0]["rank_low"], high=last))
        return found
    first, second = picture.name(sure[0]), picture.name(sure[1])
    if bounds(sure[0])[0] is None or apart(sure[0], sure[1]):
        return []
    template = "{a} and {b} may matter equally." if plain else "Which of {a} and {b} comes first is not settled."
    return [say(template, a=first, b=second)]


def attribution(picture: Picture, plain: bool) -> list[Sentence]:
    rows = picture.measured
    if not rows:
        return []
    if "example" not in picture.choice:
        of = picture.by_size
        found = [say("{name} moves predictions most.", name=picture.words.label(next(iter(of))))]
        count = len({row["example"] for row in rows})
        return [*found, say("It rests on {rows} rows and {features} features.", rows=count, features=len(of))]
    found = []
    first = rows[0]
    if "rank" in first:
        return _reasons(picture, rows)
    if first.get("base") is not None and first.get("prediction") is not None:
        template = "The output is {prediction}; without knowing this case it would be {base}."
        if first.get("fit") is not None:  # a line near the case, not the model itself
            template = "The output is {prediction}; a straight line explains {fit} of what changes it nearby."
        fit = Share(first.get("fit") or 0.0)
        found.append(say(template, prediction=first["prediction"], base=first["base"], fit=fit))
    if (overlap := _overlap(picture, first["example"])) is not None:
        template = (
            "Which inputs lead is not certain: with other neighbours they would overlap by {overlap} (1: the same)."
        )
        found.append(say(template, overlap=overlap))
    for row in sorted(rows, key=lambda r: (-abs(r["value"]), r["feature"]))[: 3 if plain else 4]:
        if row["value"] and surely(row):
            verb = "raises" if row["value"] > 0 else "lowers"
            template = "{name} ({input}) " + verb + " it by {by}."
            name = picture.words.label(row["feature"])
            found.append(say(template, name=name, input=_input(picture, row), by=abs(row["value"])))
    return found


def _overlap(picture: Picture, example: int) -> float | None:
    """Of a case whose leading inputs are not apart from the others, what other draws would share with them."""
    told = picture.spec.get("examples")
    if not isinstance(told, Mapping) or not {"overlap", "apart"} <= set(told) or example not in told["example"]:
        return None
    place = list(told["example"]).index(example)
    return None if told["apart"][place] else float(told["overlap"][place])


def _reasons(picture: Picture, rows: Sequence[Row]) -> list[Sentence]:
    """Of one case: whom it is compared with, and what speaks for its decision; ties are said."""
    first, ranked = rows[0], [row for row in rows if row.get("rank") is not None]
    ranked.sort(key=lambda row: (row["rank"], -abs(row["value"])))
    found = [say("Its score is {score}; over the rows that it is compared with, the mean is {base}.",
                 score=first["prediction"], base=first["base"])]  # fmt: skip
    count = picture.spec.get("background", {}).get("count")
    rule = picture.spec.get("population", {}).get("rule")
    if count is not None and rule:
        found.append(
            say("They are {count} " + ("rows beyond the cutoff." if "cutoff" in rule else "rows of all."), count=count)
        )
    for row in ranked:
        name, given = picture.words.label(row["feature"]), _input(picture, row)
        tied = sum(other["rank"] == row["rank"] for other in ranked) > 1
        template = "{name} ({input}): {value}" + (", a tie." if tied else ".")
        found.append(say(template, name=name, input=given, value=row["value"]))
    return found if ranked else [*found, Sentence("No column speaks for its decision beyond noise.")]


def _input(picture: Picture, row: Row) -> Place | str:
    from showcause.views.figures.attribution import given_input

    said = given_input(picture, row)
    return said if row.get("input") is None else Place(said, row["input"])


def curve(picture: Picture, plain: bool) -> list[Sentence]:
    rows = [row for row in picture.measured if row.get("example") is None]
    features = list(dict.fromkeys(row["feature"] for row in rows))
    if not rows:
        singles = len({row["example"] for row in picture.rows if row.get("example") is not None})
        what = "faint line" if any(row.get("at") is not None for row in picture.rows) else "dot"
        return [say("Each {what} is one row, out of {n}.", what=what, n=singles)] if singles else []
    if picture.artifact.name in CURVES:
        return CURVES[picture.artifact.name](picture, plain)
    if len(features) > 1:
        return [say("Curves of {n} features.", n=len(features))]
    if len({(row.get("segment"), row.get("target")) for row in rows}) > 1:
        return []
    return _levels(picture, rows, plain) if rows[0].get("at") is None else _course(picture, rows, plain)


def _course(picture: Picture, rows: Sequence[Row], plain: bool) -> list[Sentence]:
    placed = sorted((row for row in rows if row.get("at") is not None), key=lambda row: float(row["at"]))
    if len(placed) < 2:
        return []
    name, words = picture.words.label(placed[0]["feature"]), picture.words
    feature = placed[0]["feature"]
    if words.coded(feature, [row["at"] for row in placed]):
        return _levels(picture, placed, plain)
    first, last = placed[0], placed[-1]
    low = min(placed, key=lambda row: (row["value"], row["at"]))
    high = max(placed, key=lambda row: (row["value"], -row["at"]))
    if low["value"] == high["value"] or (bounds(low)[0] is not None and not apart(low, high)):
        return [say("The output does not change with {name} beyond noise.", name=name)]
    steady = {low["at"], high["at"]} == {first["at"], last["at"]}
    a, b = (Share(low["value"]), Share(high["value"])) if picture.chances else (low["value"], high["value"])
    parts: dict[str, Any] = {"name": name, "a": a, "at": Place(words.amount(feature, low["at"]), low["at"])}
    parts |= {
        "b": b,
        "to": Place(words.amount(feature, high["at"]), high["at"]),
        "what": _what(picture),
    }
    if steady and plain:
        way = "higher" if high is last else "lower"
        return [say("The higher {name}, the " + way + " the {what}: between {a} and {b}.", **parts)]
    return [say("Along {name} the {what} is lowest at {at} ({a}) and highest at {to} ({b}).", **parts)]


def _what(picture: Picture) -> str:
    """What a curve's value is."""
    if picture.plain:
        return picture.outcome
    return "effect" if picture.artifact.name in ("dependence/ale", "dependence/shap") else "output"


def _levels(picture: Picture, rows: Sequence[Row], plain: bool) -> list[Sentence]:
    def level(row: Row) -> str:
        at = row["at"] if row.get("at") is not None else row.get("at_level")
        return picture.words.level(row["feature"], at)

    low, high = min(rows, key=lambda row: row["value"]), max(rows, key=lambda row: row["value"])
    name = picture.words.label(rows[0]["feature"])
    if low["value"] == high["value"] or (bounds(low)[0] is not None and not apart(low, high)):
        return [say("The output does not differ between the levels of {name} beyond noise.", name=name)]
    a, b = (Share(low["value"]), Share(high["value"])) if picture.chances else (low["value"], high["value"])
    parts: dict[str, Any] = {"name": name, "low": level(low), "high": level(high), "a": a, "b": b}
    template = "By {name}, the {what} is lowest for {low} ({a}) and highest for {high} ({b})."
    return [say(template, what=_what(picture), **parts)]


def _roc(picture: Picture, plain: bool) -> list[Sentence]:
    return [Sentence("The further the line lies above the diagonal, the better cases are ranked.")]


def _precision(picture: Picture, plain: bool) -> list[Sentence]:
    return [
        Sentence("Each point is a threshold: how many of the cases are found, and how many of those found are right.")
    ]


def _gain(picture: Picture, plain: bool) -> list[Sentence]:
    return [Sentence("The line says which share of the positives is found among the rows ranked highest.")]


def _calibration(picture: Picture, plain: bool) -> list[Sentence]:
    """The bin that lies furthest from the diagonal, where its interval excludes the diagonal."""
    rows = [row for row in picture.measured if row.get("at") is not None]
    off = [row for row in rows if _misses(row)]
    if not rows or bounds(rows[0])[0] is None:
        return []
    if not off:
        return [Sentence("Wherever it can be judged, what was predicted and what came out agree within noise.")]
    worst = max(off, key=lambda row: abs(row["value"] - row["at"]))
    parts: dict[str, Any] = {"said": worst["at"], "seen": worst["value"]}
    if plain and picture.spec.get("space") == "probability":
        parts = {key: Share(value) for key, value in parts.items()}
    found = [say("Where the model says {said}, what came out is {seen}.", **parts)]
    if not plain:
        found.append(say("In {off} of {all} bins the interval misses the diagonal.", off=len(off), all=len(rows)))
    return found


def _misses(row: Row) -> bool:
    low, high = bounds(row)
    return low is not None and high is not None and not low <= row["at"] <= high


def _residuals(picture: Picture, plain: bool) -> list[Sentence]:
    rows = [row for row in picture.measured if row.get("at") is not None]
    off = [row for row in rows if bounds(row)[0] is not None and surely(row)]
    if not off:
        return []
    worst = max(off, key=lambda row: abs(row["value"]))
    return [say("Around a prediction of {at}, the mean error is {value}.", at=worst["at"], value=worst["value"])]


CURVES: dict[str, Callable[[Picture, bool], list[Sentence]]] = {
    "model/roc": _roc,
    "model/precision_recall": _precision,
    "model/gain": _gain,
    "model/calibration": _calibration,
    "segments/calibration": _calibration,
    "model/residuals": _residuals,
}


def surface(picture: Picture, plain: bool) -> list[Sentence]:
    rows = picture.measured
    if not rows:
        return []
    low, high = min(rows, key=lambda row: row["value"]), max(rows, key=lambda row: row["value"])
    a, b = picture.words.label(high["feature"]), picture.words.label(high["feature_b"])
    template = "Over {a} and {b}, the output runs from {low} to {high}."
    return [say(template, a=a, b=b, low=low["value"], high=high["value"])]


def example(picture: Picture, plain: bool) -> list[Sentence]:
    rows = picture.rows
    found = [say("{n} cases were chosen.", n=len(rows))] if rows else []
    wrong = [row for row in rows if row["role"] == "confident wrong" and row.get("prediction") is not None]
    if wrong:
        worst = wrong[0]
        found.append(say("One it was sure about and wrong: output {value}.", value=worst["prediction"]))
    return found


def neighbour(picture: Picture, plain: bool) -> list[Sentence]:
    from showcause.views.neighbours import said

    return said(picture, plain)


def tree(picture: Picture, plain: bool) -> list[Sentence]:
    from showcause.views.figures.tree import question

    rows = picture.rows
    roots = [row for row in rows if row.get("parent") is None]
    if not roots:
        return []
    found = [say("The tree has {n} nodes.", n=len(rows))]
    asked = question(picture.words, roots[0])
    if asked:
        found.insert(0, say("The first question is: {asked}?", asked=asked))
    fidelity = picture.spec.get("fidelity")
    held = fidelity.get("held out") or fidelity.get("train") if isinstance(fidelity, Mapping) else None
    if isinstance(held, Mapping) and isinstance(held.get("agreement"), int | float):
        template = "It decides as the model does for {share} of {rows} rows."
        found.append(say(template, share=Share(held["agreement"]), rows=held["rows"]))
    if isinstance(held, Mapping) and isinstance(held.get("r2"), int | float):
        found.append(say("It accounts for {share} of the variation of the model's outputs.", share=Share(held["r2"])))
    return found


def rows(picture: Picture, plain: bool) -> list[Sentence]:
    return [say("{n} rows are stored.", n=picture.table.num_rows)]


def rule(picture: Picture, plain: bool) -> list[Sentence]:
    from showcause.views import alternatives  # which speaks with the functions above

    return alternatives.rule(picture, plain)


def counterfactual(picture: Picture, plain: bool) -> list[Sentence]:
    from showcause.views import alternatives

    return alternatives.counterfactual(picture, plain)


KINDS: dict[str, Callable[[Picture, bool], list[Sentence]]] = {
    "importance": importance,
    "attribution": attribution,
    "curve": curve,
    "surface": surface,
    "score": score,
    "example": example,
    "neighbour": neighbour,
    "tree": tree,
    "counterfactual": counterfactual,
    "rule": rule,
    "rows": rows,
}
