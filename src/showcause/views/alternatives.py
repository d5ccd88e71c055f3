"""Sentences about rules and counterfactuals: what sufficed, what would have led to another outcome."""

from __future__ import annotations

from typing import Any

from showcause.views.figures import counterfactual as changed
from showcause.views.figures import rule as rules
from showcause.views.picture import Picture, Row
from showcause.views.sentence import Place, Sentence, Share, say
from showcause.views.words import listed, short

SAID = 3  # rules or alternatives told in full


def rule(picture: Picture, plain: bool) -> list[Sentence]:
    """The first rules with what they decide; the cases that have one where there are many."""
    heads = rules.heads(picture)
    if not heads:
        return []
    found = []
    cases = {row["example"] for row in heads if row.get("example") is not None}
    if len(cases) > 1 and "example" not in picture.choice:
        found.append(say("{n} cases have a rule that suffices for their decision.", n=len(cases)))
    for row in heads[: 1 if plain else SAID]:
        found += _rule(picture, row, plain)
    fidelity = picture.spec.get("fidelity")
    held = fidelity.get("held out") if isinstance(fidelity, dict) else None
    if isinstance(held, dict) and isinstance(held.get("agreement"), int | float):
        template = "Together they decide as the model does for {share} of {rows} rows."
        found.append(say(template, share=Share(held["agreement"]), rows=held["rows"]))
    return found


def _rule(picture: Picture, row: Row, plain: bool) -> list[Sentence]:
    text = rules.text(picture, row)
    decides = _outcome(picture, row)
    if not text or decides is None:
        return []
    parts: dict[str, Any] = {"names": short(text, 60 if plain else 200), "decides": decides}
    found = [say("Where {names}: {decides}.", **parts)]
    if row.get("proven"):
        found.append(Sentence("No values of the other inputs can change that."))
    elif row["precision"] is not None and not plain:
        template, share = "It is right in {share} of cases like it.", {"share": Share(row["precision"])}
        if row.get("low") is not None:
            template, share = (
                "It is right in {share} of cases like it, at least {low}.",
                {**share, "low": Share(row["low"])},
            )
        found.append(say(template, **share))
    absent = rules.conditions(picture, row, "absent")
    if absent and row.get("contrast") and not plain:
        template = "What is absent for {other}: {names}."
        other = picture.words.target(row["contrast"])
        found.append(say(template, other=other, names=short(listed(absent), 200)))
    return found


def _outcome(picture: Picture, row: Row) -> str | float | None:
    if row.get("decision") is not None:
        return picture.words.target(row["decision"])
    return row.get("prediction")


def counterfactual(picture: Picture, plain: bool) -> list[Sentence]:
    """For one example its first alternatives; for all of them how many have one, and what is changed most often."""
    rows = changed.changes(picture.rows)
    if "example" in picture.choice:
        if not rows:
            return [Sentence("No change was found that leads to another outcome.")]
        numbers = list(dict.fromkeys(row["alternative"] for row in rows))
        return [s for n in numbers[:SAID] for s in _alternative(picture, [r for r in rows if r["alternative"] == n])]
    cases = {row["example"] for row in picture.rows}
    if not cases:
        return []
    able = {row["example"] for row in rows}
    found = [
        say("For {n} of {all} cases a change was found that leads to another outcome.", n=len(able), all=len(cases))
    ]
    for name, count in list(changed.often(rows).items())[:1]:
        found.append(
            say("{name} is changed most often: in {count} cases.", name=picture.words.label(name), count=count)
        )
    return found


def _alternative(picture: Picture, rows: list[Row]) -> list[Sentence]:
    found = []
    for row in rows:
        name = picture.words.label(row["feature"])
        template = "{name}: {after} instead of {before}."
        parts = {"before": _place(picture, row, "before"), "after": _place(picture, row, "after")}
        found.append(say(template, name=name, **parts))
    outcome = _outcome(picture, rows[0])
    if outcome is not None:
        found.append(say("Then: {outcome}.", outcome=outcome))
    if rows[0].get("agree") is not None and rows[0].get("refits"):
        agree, refits = rows[0]["agree"], rows[0]["refits"]
        sure = "." if agree == refits else ", so it is not certain."
        found.append(say("Valid in {agree} of {refits} retrainings" + sure, agree=agree, refits=refits))
    return found


def _place(picture: Picture, row: Row, name: str) -> Place | str:
    text = (changed.before if name == "before" else changed.after)(picture, row)
    return text if row.get(name) is None else Place(text, row[name])
