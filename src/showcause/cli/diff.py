"""A diff, a ranking of candidates and a history as text for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from showcause.cli.terminal import columns
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
from showcause.views.words import Words, short

WIDTH = 100
FLAGS = 40
ROWS = 8  # of a section


def text(diff: Diff, rows: int = ROWS) -> str:
    """What a reviewer must see first, then a table a section; at most `rows` of each, and how many there are."""
    head = f"{diff.before.get('ref')} → {diff.after.get('ref')}: {title(diff)}"
    parts = [head, "", _wrapped(diff.headline)]
    parts += _flagged("To look at", [c for c in diff.flags if c.verdict == "changed"])
    parts += _flagged("Could not be compared", [c for c in diff.flags if c.verdict != "changed"])
    for section in sections(diff):
        parts += ["", *_section(section, Words.of(diff.dictionary), rows)]
    if said := legend(diff):
        parts += ["", _wrapped(said)]
    return "\n".join(parts)


def _wrapped(said: str, indent: str = "") -> str:
    return textwrap.fill(said, WIDTH, initial_indent=indent, subsequent_indent=" " * len(indent))


def _flagged(heading: str, changes: Sequence[Change]) -> Iterator[str]:
    if changes:
        yield from ("", heading)
        yield from (_wrapped(change.message, "  - ") for change in changes[:FLAGS])
    if len(changes) > FLAGS:
        yield f"  - {len(changes) - FLAGS} more (--format html)"


def _section(section: Section, words: Words, rows: int) -> Iterator[str]:
    shown, targets = section.changes[:rows], several(section.changes)
    yield section.heading
    if section.facts:
        yield from (_wrapped(change.message, "  - ") for change in shown)
    else:
        lines = (_row(change, words, targets) for change in shown)
        table = columns(("", "before", "after", "difference", "over", "place", "verdict", "artifact"), lines)
        yield textwrap.indent(table, "  ")
    if len(section.changes) > len(shown):
        yield f"  {len(section.changes) - len(shown)} more (--format html)"


def _row(change: Change, words: Words, targets: bool) -> tuple[str, ...]:
    name = short(what(change.artifact, change.key, words, targets=targets), 46)
    sides = (short(value(side), 24) for side in (change.before, change.after))
    return (name, *sides, moved(change), noise(change), places(change), VERDICTS[change.verdict], change.artifact)
