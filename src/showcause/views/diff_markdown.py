"""A diff as Markdown for a pull request: what a reviewer must see first, then tables; always under 60 kB.

Laws, tested: whatever names hold, the rendered text has no element, link, image or mention that is not ours; the same
diff gives the same bytes; where rows are left out, it says how many.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from showcause.core.diff import Change, Diff
from showcause.views.diff_words import (
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
from showcause.views.words import Words, clean, short

LIMIT = 60_000  # bytes; GitHub takes 65,536 characters of a comment
FLAGS = 40
ROWS = (25, 12, 6, 3, 1, 0)  # of each section, tried in turn until it fits
SPECIAL = re.compile(r"([\\`*_\[\]|~$^!])")
BLOCK = re.compile(r"^(\d*)([-+=#:.)])")  # what would begin a list, a heading or a rule
CALLS = re.compile(r"(?i)(@|#|\bwww(?=\.)|\b(?:https?|ftp|mailto|xmpp):)")  # mentions, references, bare addresses
REST = "{n} more in the HTML (showcause diff --format html)"


def escape(text: object) -> str:
    """Text that renders as itself: no markup, no element, no link made of an address, nobody mentioned."""
    said = " ".join(str(clean(str(text))).split())
    said = SPECIAL.sub(r"\\\1", said).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    said = BLOCK.sub(r"\1\\\2", said)
    return CALLS.sub("\\1\u200b", said)


def markdown(diff: Diff) -> str:
    """The whole text, with as many rows as fit."""
    for rows in ROWS:
        text = _text(diff, rows)
        if len(text.encode()) < LIMIT:
            return text
    return _text(diff, 0, flags=5)


def _text(diff: Diff, rows: int, flags: int = FLAGS) -> str:
    refs = [escape(short(str(side.get("ref")), 80)) for side in (diff.before, diff.after)]
    lines = [f"## {refs[0]} → {refs[1]}: {escape(title(diff))}", "", escape(short(diff.headline, 4_000)), ""]
    words = Words.of(diff.dictionary)
    lines += _flagged("To look at", [c for c in diff.flags if c.verdict == "changed"], flags)
    lines += _flagged("Could not be compared", [c for c in diff.flags if c.verdict != "changed"], flags)
    if said := legend(diff):
        lines += [f"_{escape(said)}_", ""]
    for section in sections(diff):
        lines += _section(section, words, rows)
    left = sum(diff.cut.values())
    if left:
        lines += [escape(f"{left} further entries are not in the document."), ""]
    ids = [f"`{str(side.get('id'))[:12]}`" for side in (diff.before, diff.after)]
    return "\n".join([*lines, f"{ids[0]} → {ids[1]}", ""])


def _flagged(heading: str, changes: Sequence[Change], limit: int) -> list[str]:
    if not changes:
        return []
    lines = [f"### {heading}", ""]
    lines += [f"- {escape(short(change.message, 600))}" for change in changes[:limit]]
    if len(changes) > limit:
        lines.append(f"- {escape(REST.format(n=len(changes) - limit))}")
    return [*lines, ""]


def _section(section: Section, words: Words, rows: int) -> list[str]:
    lines = ["<details>", f"<summary>{section.heading}: {_counted(section.changes)}</summary>", ""]
    shown = section.changes[:rows]
    if section.facts:
        lines += [f"- {escape(short(change.message, 300))}" for change in shown]
    elif shown:
        targets = several(section.changes)
        lines += ["| | before | after | difference | over | place | verdict |", "|---|---:|---:|---:|---|---|---|"]
        lines += [_row(change, words, targets) for change in shown]
    if len(section.changes) > len(shown):
        lines += ["", escape(REST.format(n=len(section.changes) - len(shown)))]
    return [*lines, "", "</details>", ""]


def _counted(changes: Sequence[Change]) -> str:
    """'3 can't tell, 2 unchanged'."""
    found = {verdict: sum(change.verdict == verdict for change in changes) for verdict in VERDICTS}
    return ", ".join(f"{count} {VERDICTS[verdict]}" for verdict, count in found.items() if count)


def _row(change: Change, words: Words, targets: bool) -> str:
    name = escape(short(what(change.artifact, change.key, words, targets=targets), 80))
    cells = [
        f"{name} <sub>{escape(short(change.artifact, 40))}</sub>",
        *(escape(short(value(side), 40)) for side in (change.before, change.after)),
        escape(moved(change)),
        noise(change),
        escape(places(change)),
        VERDICTS[change.verdict],
    ]
    return f"| {' | '.join(cells)} |"
