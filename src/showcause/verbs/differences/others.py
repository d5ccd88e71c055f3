"""Artifacts of the other kinds: whether they hold other content, and which rules are new or gone.

Trees, rules, cases and attributions of two trainings differ in most of their rows; what they amount to is told by
importance, curves and flips, so they are shown and not judged.
"""

from __future__ import annotations

from collections.abc import Iterator

from showcause.core.diff import Change, Scalar
from showcause.core.kinds import KINDS
from showcause.verbs.differences.sides import Pair, Sides, fact

TOLD = ("importance", "score", "curve", "rows")  # elsewhere


def others(sides: Sides) -> Iterator[Change]:
    for pair in sides.pairs(*(name for name in KINDS if name not in TOLD)):
        if pair.before.encoded == pair.after.encoded:
            continue
        if pair.reason:
            template = "{name} is not compared: {names}."
            yield fact(
                "other", {}, (None, None), template, artifact=pair.name, verdict="not-comparable", name=pair.name,
                names=pair.reason,
            )  # fmt: skip
        elif pair.kind == "rule":
            yield _rules(pair)
        else:
            sizes = pair.before.table.num_rows, pair.after.table.num_rows
            template = "{name} holds other content: {before} rows before, {after} now. It is shown, not judged."
            yield fact("other", {}, sizes, template, artifact=pair.name, verdict="inconclusive", name=pair.name)


def _rules(pair: Pair) -> Change:
    texts = [set(side.table["text"].to_pylist()) for side in (pair.before, pair.after)]
    new, gone = len(texts[1] - texts[0]), len(texts[0] - texts[1])
    facts: dict[str, Scalar] = {"new": new, "gone": gone}
    sizes = pair.before.table.num_rows, pair.after.table.num_rows
    template = "{name}: {new} rules are new, {gone} are gone. It is shown, not judged."
    return fact(
        "other", {}, sizes, template, artifact=pair.name, verdict="inconclusive", facts=facts, name=pair.name, new=new,
        gone=gone,
    )  # fmt: skip
