"""A diff as one self-contained HTML file: what a reviewer must see first, then before and after in one chart.

The same laws as the reports' (page.py): offline, a strict content security policy, nothing that a user typed is markup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from showcause.core.diff import Change, Diff
from showcause.views import diff_figures
from showcause.views.diff_words import (
    HEADINGS,
    VERDICTS,
    Section,
    legend,
    moved,
    noise,
    places,
    sections,
    several,
    title,
    value,
    what,
)
from showcause.views.page import Card, rendered
from showcause.views.words import Words, number
from showcause.views.words import title as titled

ROWS = 200  # of a section's table; the document holds them all
PILLS = {"changed": "failed", "not-comparable": "not-given", "inconclusive": "", "unchanged": "ok"}
AXES = {"importance": "importance", "performance": "score", "fairness": "score"}
FLIPS = 60
FLIPPED = ("row", "id", "before", "after", "prediction_before", "prediction_after")


def report(diff: Diff, path: str | PathLike[str]) -> Path:
    """Write the page to `path` and return it."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(html(diff), encoding="utf-8", newline="\n")
    return target


def html(diff: Diff) -> str:
    """The page as text; the same diff gives the same text."""
    charts: dict[str, Any] = {}
    words = Words.of(diff.dictionary)
    shown = [_section(section, words, diff, charts) for section in sections(diff)]
    flagged = [change for change in diff.flags if change.verdict == "changed"]
    refused = [change for change in diff.flags if change.verdict != "changed"]
    return rendered(
        "diff.html",
        charts,
        page={"audience": "diff"},
        diff=diff,
        heading=title(diff),
        legend=legend(diff),
        flagged=[_line(change, words) for change in flagged],
        refused=[_line(change, words) for change in refused],
        overview=_overview(diff, words, charts),
        sections=shown,
        flips=_flips(diff),
        facts=_facts(diff),
        counts=[(VERDICTS.get(name, name), count) for name, count in diff.counts.items() if count],
    )


def _facts(diff: Diff) -> list[tuple[str, str, str]]:
    """(what, before, after) of the two snapshots."""
    names = {"ref": "Snapshot", "id": "Id", "family": "Model", "model": "Model digest", "rows": "Rows explained"}
    return [(label, value(diff.before.get(key)), value(diff.after.get(key))) for key, label in names.items()]


def _line(change: Change, words: Words) -> dict[str, Any]:
    """A change as a row of a table."""
    return {
        "what": what(change.artifact, change.key, words, targets=change.key.get("target") is not None),
        "artifact": change.artifact,
        "before": value(change.before),
        "after": value(change.after),
        "moved": moved(change),
        "noise": noise(change),
        "q": "" if change.q is None else number(change.q),
        "places": places(change),
        "verdict": VERDICTS[change.verdict],
        "pill": PILLS[change.verdict],
        "message": change.message,
        "section": HEADINGS[change.section],
    }


def _section(section: Section, words: Words, diff: Diff, charts: dict[str, Any]) -> dict[str, Any]:
    targets = several(section.changes)
    lines = []
    for change in section.changes[:ROWS]:
        line = _line(change, words)
        lines.append({**line, "what": what(change.artifact, change.key, words, targets=targets)})
    cards = _curve_cards(diff, words, charts) if section.name == "curves" else []
    left = len(section.changes) - len(lines)
    return {
        "id": section.name, "heading": section.heading, "lines": lines, "facts": section.facts, "cards": cards,
        "left": left,
    }  # fmt: skip


def _overview(diff: Diff, words: Words, charts: dict[str, Any]) -> list[Card]:
    """Before and after of importance and of the scores that are shares, one card an artifact."""
    cards = []
    for section in ("importance", "performance", "fairness"):
        found: dict[str, list[Change]] = {}
        for change in diff.changes:
            if change.section == section and (change.before, change.after) != (None, None):
                found.setdefault(change.artifact, []).append(change)
        for artifact, changes in found.items():
            cards += _dots(section, artifact, changes, words, charts)
    return cards


def _dots(section: str, artifact: str, changes: Sequence[Change], words: Words, charts: dict[str, Any]) -> list[Card]:
    if section == "importance":
        kept = [c for c in changes if c.key.get("segment") in (None, "all")]
        kept.sort(key=lambda c: -max(abs(_float(c.before)), abs(_float(c.after))))
    else:
        kept = [c for c in changes if _share(c.before) and _share(c.after) and c.key.get("segment") != "train"]
    if not kept:
        return []
    classes = list(dict.fromkeys(c.key.get("target") for c in kept))
    key = f"{section}-{artifact.replace('/', '-')}"
    specs: dict[str, Any] = {}
    for position, target in enumerate(classes):
        own = [c for c in kept if c.key.get("target") == target]
        names = [what(artifact, c.key, words) for c in own]
        specs[f"{position}" if len(classes) > 1 else ""] = {
            "spec": diff_figures.dots(own, names, AXES[section]),
            "say": [_said(own)],
        }
    options = ["target"] if len(classes) > 1 else []
    charts[key] = {"options": options, "specs": specs}
    controls = [{"name": "target", "label": "Class", "values": [_class(words, c) for c in classes]}] if options else []
    return [Card(key, artifact, titled(artifact), next(iter(specs.values()))["say"], controls)]


def _class(words: Words, target: str | None) -> str:
    return "all classes" if target is None else words.target(target)


def _said(changes: Sequence[Change]) -> str:
    over = {change.noise for change in changes}
    if "refits" in over:
        return "Retraining alone would leave “after” within the bar in 95 of 100 cases."
    if over - {None}:
        return "The bar says how far other rows would move the difference; another training may move it further."
    return "No error is known."


def _float(given: Any) -> float:
    return float(given) if isinstance(given, int | float) else 0.0


def _share(given: Any) -> bool:
    return isinstance(given, int | float) and 0 <= given <= 1


def _curve_cards(diff: Diff, words: Words, charts: dict[str, Any]) -> list[Card]:
    grouped: dict[str, dict[tuple[str, str], list[Mapping[str, Any]]]] = {}
    for row in diff.tables.get("curves", ()):
        curve = (str(row["feature"]), str(row.get("target", "")))
        grouped.setdefault(str(row["artifact"]), {}).setdefault(curve, []).append(row)
    messages = {
        (c.artifact, str(c.key.get("feature")), str(c.key.get("target", ""))): c.message
        for c in diff.changes
        if c.section == "curves"
    }
    return [_curve_card(artifact, found, messages, words, charts) for artifact, found in grouped.items()]


def _curve_card(
    artifact: str,
    found: Mapping[tuple[str, str], list[Mapping[str, Any]]],
    messages: Mapping[tuple[str, str, str], str],
    words: Words,
    charts: dict[str, Any],
) -> Card:
    features, targets = (list(dict.fromkeys(curve[i] for curve in found)) for i in (0, 1))
    many = len(targets) > 1
    specs: dict[str, Any] = {}
    for (feature, target), rows in found.items():
        at = f"{features.index(feature)},{targets.index(target)}" if many else f"{features.index(feature)}"
        drawn = diff_figures.curves(rows, words, "output, centred")
        specs[at] = {"spec": drawn, "say": [messages.get((artifact, feature, target), "")]}
    key = f"curves-{artifact.replace('/', '-')}"
    charts[key] = {"options": ["feature", "target"] if many else ["feature"], "specs": specs}
    controls = [{"name": "feature", "label": "Feature", "values": [words.label(name) for name in features]}]
    controls += [{"name": "target", "label": "Class", "values": [words.target(t) for t in targets]}] if many else []
    return Card(key, artifact, titled(artifact), next(iter(specs.values()))["say"], controls)


def _flips(diff: Diff) -> dict[str, Any] | None:
    rows = diff.tables.get("flips", ())
    if not rows:
        return None
    names = [name for name in FLIPPED if any(row.get(name) is not None for row in rows)]
    body = [[value(row.get(name)) for name in names] for row in rows[:FLIPS]]
    return {"head": names, "rows": body, "left": len(rows) - len(body) + diff.cut.get("flips", 0)}
