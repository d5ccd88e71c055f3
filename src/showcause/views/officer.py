"""The officer's page: what the model is for, how it performs and for whom, what drives it, limits, evidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from showcause.core.errors import NotFound
from showcause.core.finding import Outcome
from showcause.views.figures.importance import is_group, ranked
from showcause.views.page import Card, Page
from showcause.views.verdict import newest, outcomes
from showcause.views.words import listed, number

EVIDENCE = {
    "model/performance": "How often the model is right",
    "model/roc": "How well it ranks cases",
    "model/precision_recall": "What it finds and what it misses",
    "model/gain": "What it finds when it looks at the top cases first",
    "model/calibration": "Whether its stated chances come true",
    "model/residuals": "How far its predictions are off",
    "model/coefficients": "The model's own weights",
    "model/tree": "The model's own questions",
    "model/surrogate_tree": "A simple picture of the model",
    "importance/permutation": "What the model needs most",
    "importance/shap": "What moves its outputs most",
    "importance/correlated_groups": "What belongs together",
    "dependence/pdp": "How outputs change with each input",
    "dependence/ice": "The same for single cases",
    "dependence/ale": "The same, checked another way",
    "dependence/shap": "What each input adds",
    "dependence/interaction": "Which inputs work together",
    "attribution/tree_shap": "Why each case got its output",
    "attribution/shapley": "Why each case got its output",
    "attribution/lime": "What a straight line says near single cases",
    "segments/performance": "How often it is right for each group",
    "segments/importance": "What it needs most for each group",
    "segments/calibration": "Whether its chances come true for each group",
    "segments/fairness": "Whether groups are treated alike",
    "examples/representative": "Telling cases",
    "rules/anchor": "What suffices for each decision",
    "rules/list": "The model as a short list of rules",
    "rules/surrogate": "The model as rules that stand alone",
    "counterfactual/optimal": "The least that would change each decision",
    "counterfactual/nearest": "The nearest case decided otherwise",
    "reasons/cutoff": "The reasons for each decision",
    "refits/reasons": "Whether other trainings give the same reasons",
    "quality/additivity": "Check: the reasons add up",
    "quality/dummy": "Check: an input without use gets no weight",
    "quality/agreement": "Check: two ways of asking agree",
    "input/baseline": "The version before, to compare with",
    "input/refits": "The same model trained again",
    "refits/importance": "What other trainings of the model need most",
    "refits/dependence": "How other trainings follow each input",
    "refits/performance": "How often other trainings are right",
    "data/rows": "The cases themselves",
    "data/background": "The reference cases themselves",
    "input/y": "True outcomes to compare with",
    "input/train": "The rows it was trained on",
    "input/context": "Facts about people that the model does not see",
    "input/background": "Reference cases",
}
WORDS = {"ok": "present", "not-applicable": "does not apply", "failed": "missing", "not-given": "not given"}
METRICS = ("accuracy", "r2", "mae", "selection_rate", "disparate_impact")
CURVES = 3


def content(page: Page) -> dict[str, Any]:
    manifest = page.snapshot.manifest
    card = manifest.model.get("card", {})
    performance = _cards(page, ("model/performance", "model/calibration", "model/residuals"))
    groups = _cards(page, ("segments/performance", "segments/fairness"))
    drivers = _drivers(page)
    return {
        "short": _short(page, performance, groups, drivers),
        "purpose": [(label, str(card[name])) for name, label in PURPOSE.items() if card.get(name)],
        "unsaid": [label for name, label in PURPOSE.items() if not card.get(name)],
        "performance": performance,
        "groups": groups,
        "drivers": drivers,
        "limits": _limits(page),
        **_judged(page),
        "evidence": _evidence(page),
        "facts": _facts(page),
    }


def _short(page: Page, performance: list[Card], groups: list[Card], drivers: list[Card]) -> list[str]:
    """The page in a few sentences, each of which stands again beside its chart."""
    missing = [item for item in _evidence(page) if item["state"] == "failed"]
    found = [line for card in performance[:1] for line in card.say[:2]]
    found += [card.say[0] for card in (*groups[:2], *drivers[:1]) if card.say]
    if missing:
        return [f"Evidence is missing: {', '.join(item['title'].lower() for item in missing)}.", *found]
    return [*found, "All the evidence that was asked for is here."] if page.snapshot.complete else found


PURPOSE = {"purpose": "Purpose", "owner": "Owner", "limits": "Limits"}


def _cards(page: Page, names: tuple[str, ...]) -> list[Card]:
    found = []
    for name in names:
        artifact = page.artifact(name)
        if artifact is not None and artifact.table.num_rows:
            found.append(page.card(artifact, heading=EVIDENCE[name], only={"metric": METRICS}))
    return found


def _drivers(page: Page) -> list[Card]:
    """The most important inputs, and how the output changes along the first of them."""
    name = next((n for n in ("importance/permutation", "importance/shap") if n in page.snapshot), None)
    artifact = page.artifact(name) if name else None
    if artifact is None:
        return []
    cards = [page.card(artifact, heading=EVIDENCE[artifact.name])]
    rows = [
        row for row in ranked([r for r in artifact.table.to_pylist() if r["value"] is not None]) if not is_group(row)
    ]
    order = list(dict.fromkeys(row["feature"] for row in rows))
    source = next((n for n in ("dependence/pdp", "dependence/ale") if n in page.snapshot), None)
    curves = page.artifact(source) if source else None
    if curves is None:
        return cards
    drawn = set(curves.table["feature"].to_pylist())
    for feature in [f for f in order if f in drawn][:CURVES]:
        cards.append(page.one(curves, f"along-{len(cards)}", page.words.label(feature), feature=feature))
    return cards


def _limits(page: Page) -> list[str]:
    """What a reader must not take from this page."""
    manifest = page.snapshot.manifest
    rows = manifest.data.get("rows", {})
    found = [
        "This page describes one trained model. Training it again could change what it says.",
        *(page.steady if "refits/importance" in page.snapshot else ()),
        "What drives the model is not what causes the outcome.",
    ]
    if "sampled" in rows:
        found.append(f"It rests on {number(rows['explained'])} of {number(rows['given'])} cases, chosen at random.")
    lost = {
        "input/y": "No true outcomes were given. So nobody can say how often it is right.",
        "input/train": "The training data were not given. So nobody can say whether it learned by heart.",
    }
    found += [
        text for name, text in lost.items() if name in manifest.statuses and manifest.statuses[name].state != "ok"
    ]
    used = [name for name in manifest.data.get("protected", ()) if name in manifest.data.get("columns", {})]
    if used:
        names = listed([page.words.label(name) for name in used])
        found.append(f"The model uses protected traits as inputs: {names}. Each may be a reason for a decision.")
    if not manifest.data.get("protected"):
        found.append("No protected group was named. So fair treatment was not checked.")
    return found


def _evidence(page: Page) -> list[dict[str, str]]:
    order = ("failed", "not-given", "not-applicable", "ok")
    items = sorted(page.snapshot.manifest.statuses.items(), key=lambda i: (order.index(i[1].state), i[0]))
    there = {EVIDENCE.get(name, name) for name, status in items if status.state == "ok"}
    items = [i for i in items if i[1].state != "not-applicable" or EVIDENCE.get(i[0], i[0]) not in there]
    return [
        {"title": EVIDENCE.get(name, name), "name": name, "state": status.state, "word": WORDS[status.state]}
        for name, status in items
    ]


QUESTIONS = "SC013"  # the check that holds requirements to their evidence
ANSWERS = {
    "pass": ("ok", "answered"),
    "fail": ("failed", "not answered"),
    "warn": ("failed", "not answered"),
    "cant-tell": ("not-given", "cannot tell"),
    "waived": ("not-given", "accepted as it is"),
}
RESULT_WORDS = {
    "fail": ("failed", "does not hold"),
    "warn": ("not-given", "wants a look"),
    "cant-tell": ("not-given", "cannot tell"),
    "waived": ("not-given", "accepted as it is"),
}


def _judged(page: Page) -> dict[str, Any]:
    """The verdict kept beside the snapshot: every question with its evidence, and everything that does not hold.

    A shared page names what was judged and leaves out the sentences, which may speak of small groups or of one case.
    """
    verdict = newest(page.snapshot)
    if verdict is None or verdict.manifest != page.snapshot.id:
        return {"verdict": None, "questions": [], "objections": []}
    found = outcomes(verdict)
    asked = [one for one in found if one.code == QUESTIONS and one.outcome in ANSWERS]
    held = [one for one in found if one.code != QUESTIONS and one.outcome in RESULT_WORDS]
    facts = [
        ("Judged on", verdict.date),
        ("Under policy", verdict.policy[:12] or "none"),
        ("Compared with", "nothing" if verdict.baseline is None else verdict.baseline.ref),
        ("Verdict number", verdict.digest[:12]),
    ]
    word = {True: ("ok", "blessed"), False: ("failed", "refused") if verdict.refused else ("not-given", "advice only")}
    return {
        "verdict": {"state": word[verdict.blessed][0], "word": word[verdict.blessed][1], "facts": facts},
        "questions": [_outcome(page, one, ANSWERS) for one in asked],
        "objections": [_outcome(page, one, RESULT_WORDS) for one in held],
    }


def _outcome(page: Page, one: Outcome, words: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    state, word = words[one.outcome]
    names = dict.fromkeys(f"{EVIDENCE.get(e.artifact, e.artifact)} ({e.digest[:12]})" for e in one.evidence)
    about = "" if page.share else one.message
    return {"code": one.code, "about": one.subject, "state": state, "word": word, "message": about,
            "evidence": ", ".join(names)}  # fmt: skip


def _facts(page: Page) -> list[tuple[str, str]]:
    try:
        made = page.snapshot.record.made_at[:10]
    except NotFound:
        made = ""
    rows = page.snapshot.manifest.data.get("rows", {})
    return [
        ("Cases looked at", number(rows.get("explained"))),
        ("Made on", made),
        ("Report number", page.snapshot.id[:12]),
    ]
