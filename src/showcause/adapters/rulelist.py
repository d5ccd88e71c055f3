"""Rules over raw columns that imitate a classifier's decisions: conditions as masks of rows, and a list in order.

Law: `mask(condition, frame)` marks the rows whose cells the condition holds for, so a rule's coverage and precision are
counts that anyone can repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from showcause.adapters.frame import Frame, Rows
from showcause.adapters.sampled import between
from showcause.core.rules import Condition

CUTS = 9  # quantiles of a number that a condition may cut at
LEVELS = 12  # of a category, the commonest
BEAM = 24  # rules that are made longer
SURE = 3.0  # standard errors by which a rule must beat the share of its class among the rows left
FEW = 5  # a rule covers at least so many rows, and 1 % of them


def mask(condition: Condition, frame: Frame) -> Rows:
    """(rows,) whether the condition holds."""
    column = frame.column(condition.feature)
    gaps = np.isnan(column.values)
    if condition.levels is not None:
        wanted = [k for k, level in enumerate(column.levels) if level in condition.levels]
        inside = np.isin(column.values, wanted)
    elif all(bound is None for bound in condition.bounds.values()):
        inside = np.full(len(gaps), not condition.missing)
    else:
        inside = np.ones(len(gaps), np.bool_)
        with np.errstate(invalid="ignore"):
            for holds, bound in (
                (np.greater_equal, condition.at_least),
                (np.greater, condition.above),
                (np.less, condition.below),
                (np.less_equal, condition.up_to),
            ):
                if bound is not None:
                    inside &= holds(column.values, bound)
    return np.where(gaps, condition.missing, inside)


def every(conditions: Sequence[Condition], frame: Frame) -> Rows:
    """(rows,) whether all of them hold."""
    inside = np.ones(len(frame), np.bool_)
    for condition in conditions:
        inside &= mask(condition, frame)
    return inside


@dataclass(frozen=True)
class Listed:
    """A rule of the list: `label` is what it decides."""

    conditions: tuple[Condition, ...]
    label: int


def able(frame: Frame) -> list[Condition]:
    """What a rule may be made of: sides of a number's deciles, each common level and all but it, missing or not."""
    found = []
    for name in frame.names:
        column = frame.column(name)
        gaps = np.isnan(column.values)
        if gaps.any() and not gaps.all():
            found += [Condition(name, missing=True), Condition(name)]
        if column.is_number:
            for cut in _cuts(column.values[~gaps]):
                found += [Condition(name, up_to=cut), Condition(name, above=cut)]
            continue
        counts = column.counts()
        common = sorted(counts, key=lambda level: (-counts[level], level))[:LEVELS]
        for level in common if len(counts) > 1 else ():
            found.append(Condition(name, levels=(level,)))
            others = tuple(text for text in column.levels if text != level)
            if 1 < len(others) <= LEVELS:
                found.append(Condition(name, levels=others))
    return found


def _cuts(values: Rows) -> list[float]:
    distinct = np.unique(values)
    if len(distinct) <= CUTS + 1:
        below = np.arange(len(distinct) - 1)
    else:
        shares = np.linspace(0, 1, CUTS + 2)[1:-1]
        below = np.unique(np.searchsorted(distinct, np.quantile(values, shares, method="inverted_cdf")))
        below = below[below < len(distinct) - 1]
    return [between(float(distinct[i]), float(distinct[i + 1])) for i in below]


def fitted(frame: Frame, decided: Rows, classes: int, rules: int, length: int) -> list[Listed]:
    """At most `rules` rules in order, each of at most `length` conditions, and a last one without any for the rest.

    Each rule is the one that beats its class's share among the rows left by the most standard errors.
    """
    conditions = able(frame)
    masks = (
        np.array([mask(condition, frame) for condition in conditions])
        if conditions
        else np.zeros((0, len(frame)), bool)
    )
    left = np.ones(len(frame), np.bool_)
    found: list[Listed] = []
    while len(found) < rules and left.any() and len(np.unique(decided[left])) > 1:
        best = _best(masks, conditions, left, decided, classes, length)
        if best is None:
            break
        chosen, label = best
        found.append(Listed(tuple(conditions[i] for i in chosen), label))
        left &= ~masks[list(chosen)].all(axis=0)
    rest = decided[left] if left.any() else decided
    default = int(np.argmax(np.bincount(rest, minlength=classes)))
    while found and found[-1].label == default:  # says what the last line says anyway
        found.pop()
    return [*found, Listed((), default)]


def _best(
    masks: Rows, conditions: Sequence[Condition], left: Rows, decided: Rows, classes: int, length: int
) -> tuple[tuple[int, ...], int] | None:
    of = np.eye(classes)[decided[left]]  # (rows left, classes)
    share = of.mean(axis=0)
    spread = np.sqrt(np.maximum(share * (1 - share), 1e-12))
    here = masks[:, left]
    least = max(FEW, len(of) // 100)
    beam: list[tuple[int, ...]] = [()]
    best: tuple[float, tuple[int, ...], int] | None = None
    for _ in range(length):
        tried = {
            tuple(sorted((*rule, i))): None
            for rule in beam
            for i, condition in enumerate(conditions)
            if condition.feature not in {conditions[k].feature for k in rule}
        }
        scored = []
        for rule in tried:
            inside = here[list(rule)].all(axis=0)
            size = int(inside.sum())
            if not least <= size < len(of):
                continue
            hits = of[inside].sum(axis=0)
            z = (hits / size - share) * np.sqrt(size) / spread
            z = np.where(hits / size > 0.5, z, -np.inf)
            label = int(np.argmax(z))
            scored.append((float(z[label]), rule, label))
        scored.sort(key=lambda item: (-item[0], len(item[1]), item[1]))
        if scored and (best is None or scored[0][0] > best[0] * 1.1):  # a longer rule has to be clearly better
            best = scored[0]
        beam = [rule for _, rule, _ in scored[:BEAM]]
    return None if best is None or best[0] < SURE else (best[1], best[2])


def answered(rules: Sequence[Listed], frame: Frame) -> Rows:
    """(rows,) the number of the rule that decides each row: the first that holds."""
    found = np.full(len(frame), len(rules) - 1)
    open_ = np.ones(len(frame), np.bool_)
    for number, rule in enumerate(rules):
        inside = open_ & every(rule.conditions, frame)
        found[inside] = number
        open_ &= ~inside
    return found
