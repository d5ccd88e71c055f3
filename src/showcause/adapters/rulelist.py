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

    Each rule is the one that beats its class's share among the rows left by the most standard errors. Rows are bits:
    what a rule covers is a count of the bits that its conditions share.
    """
    conditions = able(frame)
    masks = _packed([mask(condition, frame) for condition in conditions], len(frame))
    classed = _packed([decided == label for label in range(classes)], len(frame))
    left = _packed([np.ones(len(frame), np.bool_)], len(frame))[0]
    found: list[Listed] = []
    while len(found) < rules:
        best = _best(masks, conditions, classed & left, length)
        if best is None:
            break
        chosen, label = best
        found.append(Listed(tuple(conditions[i] for i in chosen), label))
        left &= ~np.bitwise_and.reduce(masks[list(chosen)])
    rest = classed & left if left.any() else classed
    default = int(np.argmax(_counted(rest)))
    while found and found[-1].label == default:  # says what the last line says anyway
        found.pop()
    return [*found, Listed((), default)]


def _packed(masks: Sequence[Rows], rows: int) -> Rows:
    """(masks, words) their bits."""
    bytes_ = np.zeros((len(masks), -(-rows // 64) * 8), np.uint8)
    for number, each in enumerate(masks):
        bytes_[number, : -(-rows // 8)] = np.packbits(each)
    return bytes_.view(np.uint64)


def _counted(bits: Rows) -> Rows:
    """(…, words) → (…,) how many are set."""
    return np.bitwise_count(bits).sum(axis=-1, dtype=np.int64)


def _best(masks: Rows, conditions: Sequence[Condition], left: Rows, length: int) -> tuple[tuple[int, ...], int] | None:
    """`masks` (conditions, words), `left` (classes, words): the rows of each class that no earlier rule decides."""
    total = _counted(left)
    if (total > 0).sum() < 2:
        return None
    least, rows = max(FEW, int(total.sum()) // 100), int(total.sum())
    share = total / rows
    spread = np.sqrt(np.maximum(share * (1 - share), 1e-12))
    features = np.unique([condition.feature for condition in conditions], return_inverse=True)[1]
    beam: list[tuple[int, ...]] = [()]
    best: tuple[float, tuple[int, ...], int] | None = None
    for _ in range(length):
        scores = np.full((len(beam), *masks.shape[:1], len(left)), np.nan)
        for at, rule in enumerate(beam):
            here = left & np.bitwise_and.reduce(masks[list(rule)])
            hits = np.column_stack([_counted(masks & of) for of in here])  # (conditions, classes)
            size = hits.sum(axis=1)
            free = (features[:, None] != features[list(rule)]).all(axis=1) & (size >= least) & (size < rows)
            precision = hits[free] / size[free, None]
            z = np.where(precision > 0.5, (precision - share) * np.sqrt(size[free, None]) / spread, -np.inf)
            scores[at, free] = z
        ordered = _leading(beam, scores)
        if ordered and (best is None or ordered[0][0] > best[0] * 1.1):  # a longer rule has to be clearly better
            best = ordered[0]
        beam = [rule for _, rule, _ in ordered]
    return None if best is None or best[0] < SURE else (best[1], best[2])


def _leading(beam: Sequence[tuple[int, ...]], scores: Rows) -> list[tuple[float, tuple[int, ...], int]]:
    """`scores` (beam, conditions, classes), NaN where no rule may be → the best (score, rule made longer, label)."""
    by = scores.max(axis=2)
    known = by[~np.isnan(by)]
    most = BEAM * (len(beam[0]) + 1) if beam else 0  # a rule may be there once for each of its conditions
    lowest = np.partition(known, -most)[-most] if len(known) > most else -np.inf
    found = {}
    for at, number in np.argwhere(by >= lowest).tolist():
        longer = tuple(sorted((*beam[at], number)))
        found[longer] = (float(by[at, number]), longer, int(scores[at, number].argmax()))
    return sorted(found.values(), key=lambda item: (-item[0], len(item[1]), item[1]))[:BEAM]


def answered(rules: Sequence[Listed], frame: Frame) -> Rows:
    """(rows,) the number of the rule that decides each row: the first that holds."""
    found = np.full(len(frame), len(rules) - 1)
    open_ = np.ones(len(frame), np.bool_)
    for number, rule in enumerate(rules):
        inside = open_ & every(rule.conditions, frame)
        found[inside] = number
        open_ &= ~inside
    return found
