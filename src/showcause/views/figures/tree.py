"""Trees: the root on the left, one leaf a line, so that every question can be read."""

from __future__ import annotations

from typing import Any

from showcause.core.artifact import Artifact
from showcause.views.picture import Picture, Row, Spec, chart, distinct, empty, mark, tooltip
from showcause.views.words import Words, number, short

LEAVES = 24  # leaves drawn; what lies deeper is counted
LINE = 38  # pixels a leaf
BAR = 0.94  # where the bar of a question's answers stands, in levels after it


def options(artifact: Artifact) -> dict[str, list[Any]]:
    found = {name: distinct(artifact.table, name) for name in ("target", "tree", "segment")}
    return {name: values for name, values in found.items() if len(values) > 1}


def draw(picture: Picture) -> Spec:
    nodes = {row["node"]: row for row in picture.rows}
    if not nodes:
        return empty(picture, "The tree has no nodes.")
    children: dict[int | None, list[int]] = {}
    for row in picture.rows:
        parent = row.get("parent")
        children.setdefault(parent if parent in nodes else None, []).append(row["node"])
    kept = _kept(children)
    places = _layout(children, kept)
    depth = max(d for d, _ in places.values())
    values = [_value(picture, nodes[node], children, kept, places) for node in places]
    edges = _edges(children, places)
    leaves = max(1, sum(1 for node in places if not [c for c in children.get(node, []) if c in kept]))
    x = {"field": "d", "type": "quantitative", "scale": {"domain": [0, depth + 0.9]}, "axis": None}
    y = {"field": "y", "type": "quantitative", "scale": {"domain": [-0.7, leaves - 0.3], "reverse": True}, "axis": None}
    tips = tooltip(("whole", "node"), ("shown", "output"), ("count", "rows"), ("branch", "reached by"))
    word = {"x": x, "y": y, "text": {"field": "text", "type": "nominal"}, "tooltip": tips}
    under = {**word, "text": {"field": "under", "type": "nominal"}}
    layers = [
        mark("rule", "edge", {"x": x, "y": y, "x2": {"field": "d2"}, "y2": {"field": "y2"}}, data={"values": edges}),
        mark("circle", "dot", {"x": x, "y": y, "tooltip": tips}, size=44, opacity=1),
        mark("text", "word", word, align="left", dx=9, dy=-8),
        mark("text", "quiet", under, align="left", dx=9, dy=9),
    ]
    drawn = chart(picture, layers, max(90, leaves * LINE), values)
    width = max(480, 170 * (depth + 1))
    return {**drawn, "width": width, "autosize": {"type": "pad"}}


def _edges(children: dict[int | None, list[int]], places: dict[int, tuple[int, float]]) -> list[dict[str, float]]:
    """A line under each question, a bar that spans its answers, and a line to each: none crosses a word."""
    found = []
    for node, (depth, line) in places.items():
        below = [places[child] for child in children.get(node, []) if child in places]
        if below:
            bar = depth + BAR
            lines = [y for _, y in below]
            found.append({"d": depth, "y": line, "d2": bar, "y2": line})
            found.append({"d": bar, "y": min(lines), "d2": bar, "y2": max(lines)})
            found += [{"d": bar, "y": y, "d2": d, "y2": y} for d, y in below]
    return found


def _kept(children: dict[int | None, list[int]]) -> set[int]:
    """Whole levels from the root as long as they have at most LEAVES nodes."""
    level, kept = list(children.get(None, [])), set[int]()
    while level and len(level) <= LEAVES:
        kept |= set(level)
        level = [child for node in level for child in children.get(node, [])]
    return kept


def _layout(children: dict[int | None, list[int]], kept: set[int]) -> dict[int, tuple[int, float]]:
    """node → (depth, line): a leaf has its own line, an inner node stands amid its children."""
    places: dict[int, tuple[int, float]] = {}
    line = 0.0
    stack = [(node, 0, False) for node in reversed(children.get(None, [])) if node in kept]
    while stack:
        node, depth, done = stack.pop()
        below = [child for child in children.get(node, []) if child in kept]
        if done:
            lines = [places[child][1] for child in below]
            places[node] = (depth, (min(lines) + max(lines)) / 2)
        elif below:
            stack.append((node, depth, True))
            stack += [(child, depth + 1, False) for child in reversed(below)]
        else:
            places[node] = (depth, line)
            line += 1
    return places


def question(words: Words, row: Row) -> str:
    """What an inner node asks; empty for a leaf."""
    feature = row.get("feature")
    if not feature:
        return ""
    name = words.label(feature)
    if row.get("categories"):
        return f"{name}: {row['categories']}"
    if row.get("threshold") is not None:
        return f"{name} ≤ {words.amount(feature, row['threshold'])}"
    return name


def _value(
    picture: Picture,
    row: Row,
    children: dict[int | None, list[int]],
    kept: set[int],
    places: dict[int, tuple[int, float]],
) -> dict[str, Any]:
    depth, line = places[row["node"]]
    asked = question(picture.words, row)
    hidden = len([c for c in children.get(row["node"], []) if c not in kept])
    output = "" if row["value"] is None else number(row["value"])
    count = "" if row.get("count") is None else f"{row['count']:,} rows"
    branch = str(row.get("branch") or "")
    facts = [part for part in (branch, output, count) if part]
    return {
        "d": depth,
        "y": line,
        "whole": asked or "leaf",
        "text": short(asked, 27) + ("  …" if hidden and asked else "") if asked else output,
        "under": short(" · ".join(facts if asked else [f for f in (branch, count) if f]), 30),
        "shown": output or "none",
        "count": count or "not stated",
        "branch": branch or "the root",
    }
