"""A rule that anchors a decision of any model: sampled, within a budget, with a lower bound of its precision.

A perturbed row takes the cells that the rule speaks of from rows that meet it, and all others together from one real
row. Law: the model is never asked about more rows than the budget; and the draws behind the stated precision were not
looked at when the rule was chosen.

Source: Ribeiro, Singh & Guestrin 2018: beam search over predicates, KL-LUCB for the choice within it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from showcause.adapters.frame import Column, Frame, Rows
from showcause.core.rules import Condition
from showcause.kernels import anchors
from showcause.kernels.intervals import clopper_pearson

Same = Callable[[Frame], Rows]  # rows → whether the model decides them as the row

QUARTERS = (0.25, 0.5, 0.75)
FEW = 6  # distinct numbers up to which every gap between two is an edge
FINAL = 4_096  # rows of the last call
BATCH = 16  # rows drawn of one candidate at a time
BEAM = 3
LENGTH = 6  # conditions at most
DONORS = 4  # rows decided the other way that a contrast is looked for from
LEVEL = 0.12  # share of the search that the candidates of one length get
CANDIDATE = 0.04  # and one of them, to be sure of its precision
FRESH = 0.3  # share of the budget that is kept for the precision stated


@dataclass(frozen=True)
class Predicate:
    """`meets` (rows of the pool,) which rows meet the condition."""

    condition: Condition
    meets: Rows


@dataclass(frozen=True)
class Anchor:
    """`hits` of `draws` fresh rows within the rule were decided alike; `reached`: the precision wanted is certain."""

    conditions: tuple[Condition, ...]
    hits: int
    draws: int
    coverage: float
    reached: bool
    evaluations: int


@dataclass
class _Sampler:
    """Draws rows within a rule, and counts what the model is asked."""

    pool: Frame
    row: int
    predicates: list[Predicate]
    same: Same
    rng: np.random.Generator
    budget: int
    spent: int = 0
    limit: int = 0
    met: dict[tuple[int, ...], dict[str, Rows]] = field(default_factory=dict)

    def draw(self, rules: Sequence[tuple[int, ...]], size: int) -> tuple[Rows, Rows] | None:
        """(rows decided alike, rows) of each rule, at most `size` rows each, asked in one call; None where the budget
        does not allow one row each."""
        size = min(size, (self.limit - self.spent) // max(1, len(rules)))
        if size <= 0:
            return None
        picks = np.repeat(
            self.rng.integers(len(self.pool), size=size * len(rules))[:, None], len(self.pool.names), axis=1
        )
        for number, rule in enumerate(rules):
            of = slice(number * size, (number + 1) * size)
            for name, rows in self._rows(rule).items():
                picks[of, self.pool.names.index(name)] = rows[self.rng.integers(len(rows), size=size)]
        self.spent += len(picks)
        alike = self.same(self.pool.gather(picks)).reshape(len(rules), size)
        return alike.sum(axis=1), np.full(len(rules), size)

    def grant(self, share: float) -> None:
        """Let the next draws spend this share of the budget, as far as there is any."""
        self.limit = min(self.budget, self.spent + max(BATCH, int(share * self.budget)))

    def _rows(self, rule: tuple[int, ...]) -> dict[str, Rows]:
        """Feature of the rule → pool rows whose cell meets all that the rule says of it."""
        if rule not in self.met:
            found: dict[str, Rows] = {}
            for number in rule:
                predicate = self.predicates[number]
                name = predicate.condition.feature
                found[name] = found[name] & predicate.meets if name in found else predicate.meets
            self.met[rule] = {name: np.flatnonzero(meets) for name, meets in found.items()}
        return self.met[rule]


def predicates(pool: Frame, row: int) -> list[Predicate]:
    """What can be said of a row: on which side of each quartile a number lies, which level a category is."""
    found = []
    for name in pool.names:
        column = pool.column(name)
        value = column.values[row]
        gaps = np.isnan(column.values)
        if np.isnan(value):
            if not gaps.all():
                found.append(Predicate(Condition(name, missing=True), gaps))
        elif not column.is_number:
            meets = column.values == value
            if not meets.all():
                found.append(Predicate(Condition(name, levels=(column.levels[int(value)],)), meets))
        else:
            found += [_side(column, float(value), edge) for edge in edges(column.values[~gaps])]
    return found


def _side(column: Column, value: float, edge: float) -> Predicate:
    if value <= edge:
        return Predicate(Condition(column.name, up_to=edge), column.values <= edge)
    return Predicate(Condition(column.name, above=edge), column.values > edge)


def edges(values: Rows) -> list[float]:
    """Places that cut the values apart near their quartiles (or in every gap of a few): short numbers between two."""
    distinct = np.unique(values)
    if len(distinct) <= FEW:
        below = np.arange(len(distinct) - 1)
    else:
        quarters = np.quantile(values, QUARTERS, method="inverted_cdf")
        below = np.unique(np.searchsorted(distinct, quarters))
        below = below[below < len(distinct) - 1]
    return [between(float(distinct[i]), float(distinct[i + 1])) for i in below]


def between(low: float, high: float) -> float:
    """A short number with low <= it < high."""
    middle = (low + high) / 2
    for digits in range(1, 17):
        short = float(f"{middle:.{digits}g}")
        if low <= short < high:
            return short
    return low


def anchor(
    pool: Frame,
    row: int,
    same: Same,
    rng: np.random.Generator,
    precision: float,
    budget: int,
) -> Anchor:
    """The widest rule found whose precision is surely at least `precision`, else the most precise one found."""
    able = predicates(pool, row)
    search = max(1, int(budget * (1 - FRESH)))
    sampler = _Sampler(pool, row, able, same, rng, search)
    chosen = _beam(sampler, precision)
    sampler.limit = budget
    hits, draws = 0, 0
    while (got := sampler.draw([chosen], FINAL)) is not None:
        hits, draws = hits + int(got[0][0]), draws + int(got[1][0])
    inside = np.ones(len(pool), np.bool_)
    for number in chosen:
        inside &= able[number].meets
    reached = bool(draws) and clopper_pearson(hits, draws)[0] >= precision
    conditions = tuple(able[number].condition for number in sorted(chosen))
    return Anchor(merged(conditions), hits, draws, float(inside.mean()), reached, sampler.spent)


def _beam(sampler: _Sampler, precision: float) -> tuple[int, ...]:
    """Numbers of the chosen predicates. Longer rules only as long as no shorter one is surely precise enough."""
    tallies: dict[tuple[int, ...], list[int]] = {(): [0, 0]}
    beam: list[tuple[int, ...]] = [()]
    if _sure(sampler, tallies, (), precision):
        return ()
    for _ in range(LENGTH):
        grown = _grown(sampler, beam)
        if not grown:
            break
        hits = np.array([tallies.setdefault(rule, [0, 0])[0] for rule in grown], dtype=np.float64)
        draws = np.array([tallies[rule][1] for rule in grown], dtype=np.float64)
        sampler.grant(LEVEL)

        def pull(arms: Sequence[int], rules: list[tuple[int, ...]] = grown) -> tuple[Rows, Rows] | None:
            return sampler.draw([rules[arm] for arm in arms], BATCH if len(arms) > 2 else 4 * BATCH)

        top = anchors.best(hits, draws, BEAM, pull)
        for number, rule in enumerate(grown):
            tallies[rule] = [int(hits[number]), int(draws[number])]
        beam = [grown[int(arm)] for arm in top]
        good = [rule for rule in beam if _sure(sampler, tallies, rule, precision)]
        if good:
            return max(good, key=lambda rule: (_coverage(sampler, rule), -len(rule), rule))
        if sampler.spent >= sampler.budget:
            break
    drawn = {rule: tally for rule, tally in tallies.items() if tally[1] > 0}
    return max(drawn, key=lambda r: (drawn[r][0] / drawn[r][1], _coverage(sampler, r), r), default=())


def _grown(sampler: _Sampler, beam: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Every rule with one more predicate that leaves some rows out, each once."""
    found: dict[tuple[int, ...], None] = {}
    for rule in beam:
        met = sampler._rows(rule)
        for number, predicate in enumerate(sampler.predicates):
            name = predicate.condition.feature
            if number in rule or (name in met and predicate.meets[met[name]].all()):
                continue
            found[tuple(sorted((*rule, number)))] = None
    return list(found)


def _sure(
    sampler: _Sampler, tallies: dict[tuple[int, ...], list[int]], rule: tuple[int, ...], precision: float
) -> bool:
    """Whether the rule's precision is surely enough, drawing until that or its contrary is plain."""
    tally = tallies[rule]
    sampler.grant(CANDIDATE)
    while True:
        if tally[1]:
            low, high = anchors.bounds(np.array([tally[0]]), np.array([tally[1]]), np.log(1 / 0.025))
            if low[0] >= precision:
                return True
            if high[0] < precision or tally[0] / tally[1] < precision - 0.1:
                return False
        got = sampler.draw([rule], 8 * BATCH)
        if got is None:
            return False
        tally[0] += int(got[0][0])
        tally[1] += int(got[1][0])


def _coverage(sampler: _Sampler, rule: tuple[int, ...]) -> float:
    inside = np.ones(len(sampler.pool), np.bool_)
    for number in rule:
        inside &= sampler.predicates[number].meets
    return float(inside.mean())


def merged(conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """One condition a feature: the narrowest of several bounds of a number."""
    found: dict[str, Condition] = {}
    for c in conditions:
        known = found.get(c.feature)
        if known is None:
            found[c.feature] = c
            continue
        above = [v for v in (known.above, c.above) if v is not None]
        up_to = [v for v in (known.up_to, c.up_to) if v is not None]
        found[c.feature] = Condition(c.feature, above=max(above, default=None), up_to=min(up_to, default=None))
    return tuple(found.values())


def contrast(
    pool: Frame, row: int, donors: Rows, room: Callable[[Frame], Rows], budget: int
) -> tuple[list[tuple[str, int]], int]:
    """(features with the donor's row: what leads to the other decision, all else as in the row; rows asked).

    room    rows → above zero where the model decides the other way, the more the surer
    donors  pool rows that are decided so; those that differ in the fewest features come first
    """
    codes = np.column_stack([pool.column(name).values for name in pool.names])
    same = (codes[donors] == codes[row]) | (np.isnan(codes[donors]) & np.isnan(codes[row]))
    order = np.argsort((~same).sum(axis=1), kind="stable")
    best: tuple[int, list[int]] | None = None
    spent = 0
    for place in order[:DONORS]:
        changed = np.flatnonzero(~same[place]).tolist()
        while changed and spent + len(changed) <= budget:
            picks = np.full((len(changed), len(pool.names)), row)
            for i, back in enumerate(changed):
                kept = [j for j in changed if j != back]
                picks[i, kept] = donors[place]
            left = room(pool.gather(picks))
            spent += len(changed)
            if left.max() <= 0:
                break
            changed.pop(int(np.argmax(left)))
        if best is None or len(changed) < len(best[1]):
            best = (int(donors[place]), changed)
    return ([] if best is None else [(pool.names[j], best[0]) for j in best[1]]), spent
