"""A diff, a ranking of candidates and a history as text for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from showcause.cli.terminal import columns
from showcause.core.comparison import Candidate, Comparison, Point, Trend
from showcause.core.diff import Change, Diff
from showcause.views.diff_words import (
    NOISES,
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
from showcause.views.words import Words, metric, number, short

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


def ranking(comparison: Comparison) -> str:
    """Candidates with intervals and places; a tie is one place for several."""
    rows = [_candidate(candidate) for candidate in comparison.candidates if not candidate.reason]
    left = [candidate for candidate in comparison.candidates if candidate.reason]
    head = ("place", "candidate", metric(comparison.metric), "95 %", "over", "behind the first", "", "model")
    parts = [_wrapped(comparison.headline), "", columns(head, rows)]
    parts += [f"not ranked: {candidate.ref}: {candidate.reason}" for candidate in left]
    return "\n".join(parts)


def _candidate(of: Candidate) -> tuple[object, ...]:
    place = f"{of.place_low}" if of.place_low == of.place_high else f"{of.place_low} to {of.place_high}"
    interval = "–" if of.low is None or of.high is None else f"{number(of.low)} to {number(of.high)}"
    error = "" if of.error is None else f" ± {number(of.error)}"
    behind = "–" if of.delta is None else f"{'+' if of.delta >= 0 else ''}{number(of.delta)}{error}"
    pairing = "row by row" if of.paired else ""
    over = NOISES.get(of.noise or "", "–")
    return (place, of.ref, number(of.value), interval, over, behind, pairing, of.family)


BLOCKS = "▁▂▃▄▅▆▇█"
GAP = "·"


def sparkline(values: Sequence[float | None]) -> str:
    """One block a value, from the lowest to the highest; a dot where there is none."""
    known = [value for value in values if value is not None]
    if not known:
        return GAP * len(values)
    low, span = min(known), max(known) - min(known)
    return "".join(GAP if v is None else BLOCKS[round((v - low) / span * 7) if span else 3] for v in values)


def history(trend: Trend) -> str:
    """Two lines of blocks, then a line a version; "|" marks a version that cannot be compared with the one before."""
    name, what = Words.of(trend.dictionary).label(trend.feature), metric(trend.metric)
    width = max(len(what), len("importance"))
    marks = "".join(" " if point.comparable else "|" for point in trend.points)
    lines = [
        _wrapped(trend.headline),
        "",
        f"{'importance'.ljust(width)}  {sparkline([point.importance for point in trend.points])}",
        f"{what.ljust(width)}  {sparkline([point.score for point in trend.points])}",
        *([f"{''.ljust(width)}  {marks}"] if marks.strip() else []),
        "",
    ]
    head = (
        "version",
        "made at",
        f"importance of {short(name, 40)}",
        "95 %",
        "over",
        "place",
        what,
        "95 %",
        "not comparable",
    )
    return "\n".join([*lines, columns(head, [_point(point) for point in trend.points])])


def _point(of: Point) -> tuple[object, ...]:
    def interval(low: float | None, high: float | None) -> str:
        return "–" if low is None or high is None else f"{number(low)} to {number(high)}"

    place = "–" if of.place is None else f"{of.place} of {of.of}"
    over = NOISES.get(of.noise or "", "–")
    scores = (number(of.score), interval(of.score_low, of.score_high))
    return (of.ref, of.made_at, number(of.importance), interval(of.low, of.high), over, place, *scores, of.reason)
