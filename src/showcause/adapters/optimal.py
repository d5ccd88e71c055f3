"""The cheapest change of a row that makes a forest decide otherwise, by constraint programming (OR-tools CP-SAT).

Branch and bound over the trees answers first what is easy; what it leaves open the solver is asked. There, for every
feature one candidate is chosen; for every tree the one leaf that these choices lead to; the leaves' values
must reach the goals. A number's candidates stand in order, so "at least the i-th" is one literal, every test of the
feature is such a literal, and the cost is a sum over them. One worker, deterministic time: the same answer everywhere.

Law: what is returned has been confirmed by the model itself. The forest's inequality is relaxed by the rounding of the
library, so no true answer is cut off; one that the model rejects is excluded and the search goes on.
Source: Parmentier & Vidal 2021 (optimal counterfactuals of tree ensembles as a programme over leaves).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from showcause.adapters.candidates import Options, cells_of
from showcause.adapters.cells import CellView
from showcause.adapters.frame import Rows
from showcause.adapters.goals import Goal
from showcause.adapters.recourse import Linear
from showcause.core.errors import MissingExtra
from showcause.kernels.couples import below
from showcause.kernels.trees import boxes

COST = 100_000  # the distance in whole numbers
REJECTED = 12  # answers that the model may reject before the goals are tightened by its rounding
NEAR = 1e-9
TRIED = 40_000  # changes of one or two features that are tried before anything is solved
FIRST = 24  # candidates of each feature among which a first bound of the cheapest pairs is found
BLOCK = 2_048
EFFORT = 10_000_000  # tree nodes that branch and bound may visit

Valid = Callable[[Rows], Rows]  # picks (rows, options) → whether the model decides as wanted and every constraint holds


@dataclass(frozen=True)
class Answer:
    """`picks` (options,) the candidate of each feature; None where none was found. `bound`: no allowed change is
    cheaper; `optimal`: it is as cheap as that; `proven_none`: there is no allowed change at all."""

    picks: Rows | None
    distance: float
    bound: float
    optimal: bool
    proven_none: bool = False


@dataclass
class Search:
    """All that one row's searches share. `effort`: tree nodes that branch and bound may visit for an answer; `time`:
    deterministic seconds of the solver, of which `spent` are used; without time it is not asked."""

    view: CellView
    row: int
    options: list[Options]
    goals: Sequence[Goal]
    linear: Sequence[Linear]
    valid: Valid
    time: float
    effort: int = EFFORT
    spent: float = 0.0

    @property
    def own(self) -> Rows:
        return np.array([option.own for option in self.options])

    def distance(self, picks: Rows) -> float:
        return float(sum(option.costs[pick] for option, pick in zip(self.options, picks, strict=True)))

    def room(self, picks: Rows) -> Rows:
        """(rows,) how far the goals are surpassed by picks (rows, options); below zero: missed."""
        margins = self.view.margins(cells_of(self.view, self.row, self.options, picks))
        return np.asarray(np.min([goal.margin(margins) for goal in self.goals], axis=0))

    @property
    def slack(self) -> float:
        return max(goal.slack for goal in self.goals)

    def kept(self, picks: Rows) -> Rows:
        """(rows,) whether every linear constraint holds of picks (rows, options)."""
        good = np.ones(len(picks), np.bool_)
        for rule in self.linear:
            values = {o.feature: o.numbers(self.view)[picks[:, n]] for n, o in enumerate(self.options)}
            good &= rule.holds(values)
        return good

    def next(self, before: Sequence[frozenset[int]]) -> Answer:
        """The cheapest answer that leaves some feature of each earlier answer's set as it is."""
        first = greedy(self, before)
        limit = np.inf if first is None else self.distance(first)
        sure = bounded(self, before, first, limit)
        if sure is not None:
            return sure
        few, exhausted = one_or_two(self, before, limit)
        if few is not None:
            first, limit = few, self.distance(few)
        if first is not None and exhausted and _three(self) >= limit:
            return Answer(first, limit, limit, True)
        if self.time <= self.spent:
            bound = min(_three(self), limit) if exhausted else 0.0
            return Answer(first, limit, bound, False)
        return _solve(self, before, first, 3 if exhausted else 1)


def changed(search: Search, picks: Rows) -> frozenset[int]:
    return frozenset(np.flatnonzero(picks != search.own).tolist())


def _differs(search: Search, picks: Rows, before: Sequence[frozenset[int]]) -> bool:
    mine = changed(search, picks)
    return bool(mine) and all(not of <= mine for of in before)


def greedy(search: Search, before: Sequence[frozenset[int]]) -> Rows | None:
    """A good answer soon: the cheapest single change, or step by step whatever brings the goal nearest for its cost,
    then without every change that is not needed. It bounds what the proof has to look at."""
    own = search.own
    picks = own.copy()
    for _ in range(len(search.options)):
        tried, costs = _steps(search, picks, before)
        if not len(tried):
            return None
        room = search.room(tried)
        reached = np.flatnonzero(room > search.slack)  # a tie within the rounding would be turned down by the model
        if len(reached):
            for place in reached[np.argsort(costs[reached], kind="stable")][:8]:
                found = _trimmed(search, tried[place], before)
                if search.valid(found[None, :])[0]:
                    return found
        start = search.room(picks[None, :])[0]
        gain = (room - start) / np.maximum(costs - search.distance(picks), NEAR)
        best = int(np.argmax(gain))
        if room[best] <= start + NEAR:
            return None
        picks = tried[best]
    return None


def bounded(search: Search, before: Sequence[frozenset[int]], first: Rows | None, limit: float) -> Answer | None:
    """By branch and bound over the trees' own leaves, where one goal and no linear constraint make that enough; None
    where it is not done within its effort, or the model turns its answer down."""
    if len(search.goals) != 1 or search.linear:
        return None
    goal = search.goals[0]
    view = search.view
    kept = [option.kept(option.costs < limit) for option in search.options]
    if any(option.player < 0 for option in kept):
        return None
    players = [view.players[option.player] for option in kept]
    cells = boxes.cells(
        view.view.forest,
        [player.columns.astype(np.int64) for player in players],
        [player.codes[option.cells].astype(np.int64) for option, player in zip(kept, players, strict=True)],
    )
    forbidden = np.zeros((len(before), len(kept)), np.uint8)
    for number, of in enumerate(before):
        forbidden[number, list(of)] = 1
    score = goal.score._replace(value=-goal.score.value, base=-goal.score.base)
    state, distance, at, _ = boxes.cheapest(
        score,
        cells,
        np.concatenate([option.costs for option in kept]),
        np.array([option.own for option in kept]),
        forbidden,
        goal.slack - goal.least,
        limit - NEAR,
        max(1, search.effort // len(score.value)),
    )
    if state == boxes.OPEN:
        return None
    if state == boxes.PROVEN:
        return Answer(first, limit, limit, first is not None, proven_none=first is None)
    picks = _moved(kept, search.options, at)
    return Answer(picks, distance, distance, True) if search.valid(picks[None, :])[0] else None


def one_or_two(search: Search, before: Sequence[frozenset[int]], limit: float) -> tuple[Rows | None, bool]:
    """The cheapest change of one or two features below the limit, by trying them in order of cost; and whether all were
    tried that are cheaper than it (or than the limit)."""
    most = min(TRIED, max(BLOCK, search.effort // max(1, search.view.view.forest.n_trees)))
    numbers, candidates, costs = _combined(search, before, limit - NEAR, most)
    order = np.argsort(costs, kind="stable")[:most]
    for start in range(0, len(order), BLOCK):
        part = order[start : start + BLOCK]
        picks = np.repeat(search.own[None, :], len(part), axis=0)
        for side in (0, 1):
            picks[np.arange(len(part)), numbers[part, side]] = candidates[part, side]
        near = search.room(picks) > -search.slack
        near &= search.kept(picks)
        for place in np.flatnonzero(near):
            if search.valid(picks[place][None, :])[0]:
                return picks[place], True
    return None, len(order) == len(costs)


def _combined(search: Search, before: Sequence[frozenset[int]], limit: float, most: int) -> tuple[Rows, Rows, Rows]:
    """The changes of one or two features below the limit, the `most` cheapest and one more among them: (combinations,
    2) features, their candidates, and the cost; a single change names its feature twice."""
    able = [np.flatnonzero(np.arange(len(o.values)) != o.own) for o in search.options]
    least = [of[np.argsort(o.costs[of], kind="stable")[:FIRST]] for of, o in zip(able, search.options, strict=True)]
    some = _pairs(search, before, least, limit)[2]
    if len(some) > most:  # no dearer one is among the cheapest
        limit = min(limit, float(np.nextafter(np.partition(some, most)[most], np.inf)))
    return _pairs(search, before, able, limit)


def _pairs(
    search: Search, before: Sequence[frozenset[int]], able: Sequence[Rows], limit: float
) -> tuple[Rows, Rows, Rows]:
    """As `_combined`, of these candidates (of each feature), all that cost less than the limit."""
    sizes = np.array([len(of) for of in able])
    number, candidate = np.repeat(np.arange(len(able)), sizes), np.concatenate(able)
    costs = np.concatenate([o.costs[of] for o, of in zip(search.options, able, strict=True)])
    start = np.concatenate([[0], np.cumsum(sizes)])
    barred = np.zeros((len(able), len(able)), np.bool_)
    for of in before:
        inside = np.isin(np.arange(len(able)), list(of)).astype(np.int64)
        both = inside[:, None] + inside[None, :]
        np.fill_diagonal(both, inside)
        barred |= both >= len(of)
    none = np.zeros((0, 2), np.int64), np.zeros(0)
    count = below(costs, start, barred, limit, *none)
    found, total = np.empty((count, 2), np.int64), np.empty(count)
    below(costs, start, barred, limit, found, total)
    return number[found], candidate[found], total


def _three(search: Search) -> float:
    """No change of three features or more is cheaper."""
    least = sorted(
        float(np.delete(option.costs, option.own).min()) for option in search.options if len(option.values) > 1
    )
    return sum(least[:3]) if len(least) >= 3 else np.inf


def _steps(search: Search, picks: Rows, before: Sequence[frozenset[int]]) -> tuple[Rows, Rows]:
    """Every change of one feature more (or another value of a changed one), and its cost."""
    places = [np.arange(len(option.values)) for option in search.options]
    able = [of[(of != o.own) & (of != pick)] for of, o, pick in zip(places, search.options, picks, strict=True)]
    number = np.repeat(np.arange(len(able)), [len(of) for of in able])
    tried = np.repeat(picks[None, :], len(number), axis=0)
    tried[np.arange(len(number)), number] = np.concatenate([np.zeros(0, np.int64), *able])
    costs = [o.costs[of] - o.costs[pick] for o, of, pick in zip(search.options, able, picks, strict=True)]
    moved, good = tried != search.own, np.ones(len(number), np.bool_)
    for of in before:
        good &= ~moved[:, list(of)].all(axis=1)
    return tried[good], search.distance(picks) + np.concatenate([np.zeros(0), *costs])[good]


def _trimmed(search: Search, picks: Rows, before: Sequence[frozenset[int]]) -> Rows:
    """Features put back, the dearest first, and then each changed one at its cheapest candidate that still does."""
    own = search.own
    for number in sorted(changed(search, picks), key=lambda j: -search.options[j].costs[picks[j]]):
        tried = picks.copy()
        tried[number] = own[number]
        if _differs(search, tried, before) and search.room(tried[None, :])[0] > search.slack:
            picks = tried
    for number in changed(search, picks):
        option = search.options[number]
        order = np.argsort(option.costs, kind="stable")
        order = order[(option.costs[order] < option.costs[picks[number]]) & (order != option.own)]
        if len(order):
            tried = np.repeat(picks[None, :], len(order), axis=0)
            tried[:, number] = order
            good = np.flatnonzero(search.room(tried) > search.slack)
            if len(good):
                picks = tried[good[0]]
    return picks


def _solve(search: Search, before: Sequence[frozenset[int]], first: Rows | None, least: int) -> Answer:
    """By the solver; `least`: how many features any answer cheaper than `first` changes at least."""
    limit = np.inf if first is None else search.distance(first)
    options = [option.kept(option.costs <= limit + NEAR) for option in search.options]
    small = Search(search.view, search.row, options, search.goals, search.linear, search.valid, search.time)
    hint = None if first is None else _moved(search.options, options, first)
    program = Program(small, before, None if least > 1 else hint, limit)
    if least > 1:
        program.at_least(least)
    rejected, bound, tight = 0, 0.0, False
    while True:
        status, picks, low, used = program.run(search.time - search.spent)
        search.spent += used
        bound = bound if tight else max(bound, low)
        if picks is None:
            done = status == "none"
            if first is not None:  # nothing cheaper than what is at hand
                bound = limit if done and not tight else min(bound, limit)
                return Answer(first, limit, bound, bound >= limit - NEAR * max(1.0, limit))
            return Answer(None, np.inf, bound, False, proven_none=done and not tight)
        whole = _moved(options, search.options, picks)
        if search.valid(whole[None, :])[0]:
            distance = search.distance(whole)
            best = bound >= distance - (len(options) + 1) / COST
            return Answer(whole, distance, distance if best else min(bound, distance), best)
        rejected += 1
        program.exclude(picks)
        if rejected == REJECTED:
            program.tighten()
            tight = True


def _moved(source: Sequence[Options], target: Sequence[Options], picks: Rows) -> Rows:
    """The same candidates by their places in another list of options."""
    found = []
    for a, b, pick in zip(source, target, picks, strict=True):
        if pick == a.own:
            found.append(b.own)
            continue
        same = (b.values == a.values[pick]) & (b.cells == a.cells[pick])
        same[b.own] = False
        found.append(int(np.flatnonzero(same)[0]))
    return np.array(found)


class Program:
    """The constraint programme of one row, as OR-tools has it."""

    def __init__(self, search: Search, before: Sequence[frozenset[int]], hint: Rows | None, limit: float) -> None:
        try:
            from ortools.sat.python import cp_model
        except ImportError:
            raise MissingExtra.of("ortools", "recourse") from None
        self.cp: Any = cp_model
        self.model: Any = cp_model.CpModel()
        self.search = search
        self.true = self.model.new_constant(1)
        self.steps: list[list[Any]] = []  # of each option: literal i - 1 is "candidate i or a later one"
        self.sets: dict[tuple[int, bytes], Any] = {}
        for number, option in enumerate(search.options):
            self._feature(number, option)
        self.ties: list[tuple[Any, int, int]] = []
        for goal in search.goals:
            self._goal(goal)
        for rule in search.linear:
            self._linear(rule)
        for of in before:
            self.model.add_bool_or([self._is(number, search.options[number].own) for number in of])
        if before:
            self.model.add_bool_or([self._is(n, o.own).negated() for n, o in enumerate(search.options)])
        costs = [np.round(option.costs * COST).astype(np.int64).tolist() for option in search.options]
        self.objective: Any = sum(of[0] for of in costs)
        for of, steps in zip(costs, self.steps, strict=True):
            self.objective += sum((of[i] - of[i - 1]) * step for i, step in enumerate(steps, 1))
        self.model.minimize(self.objective)
        if np.isfinite(limit):
            self.model.add(self.objective <= int(np.ceil(limit * COST)) + len(search.options))
        if hint is not None:
            for steps, pick in zip(self.steps, hint, strict=True):
                for i, step in enumerate(steps, 1):
                    self.model.add_hint(step, int(pick >= i))

    def _feature(self, number: int, option: Options) -> None:
        steps = [self.model.new_bool_var(f"f{number}_{i}") for i in range(1, len(option.values))]
        for earlier, later in pairwise(steps):
            self.model.add_implication(later, earlier)
        self.steps.append(steps)

    def _from(self, number: int, i: int) -> Any:
        """The literal "candidate i or a later one"."""
        steps = self.steps[number]
        return self.true if i <= 0 else self.true.negated() if i > len(steps) else steps[i - 1]

    def _is(self, number: int, i: int) -> Any:
        """The literal "candidate i"."""
        mask = np.zeros(len(self.search.options[number].values), np.bool_)
        mask[i] = True
        return self._in(number, mask)

    def _in(self, number: int, mask: Rows) -> Any:
        """The literal "one of these candidates"."""
        if mask.all():
            return self.true
        if not mask.any():
            return self.true.negated()
        edges = np.flatnonzero(mask[1:] != mask[:-1]) + 1
        if len(edges) == 1:
            step = self._from(number, int(edges[0]))
            return step if mask[-1] else step.negated()
        key = (number, mask.tobytes())
        if key not in self.sets:
            literal = self.model.new_bool_var(f"s{number}_{len(self.sets)}")
            runs = np.split(np.arange(len(mask)), edges)
            for run in runs:  # within a run of candidates that are all in, or all out
                inside = [self._from(number, int(run[0])), self._from(number, int(run[-1]) + 1).negated()]
                wanted = literal if mask[run[0]] else literal.negated()
                self.model.add_bool_or([*(part.negated() for part in inside), wanted])
            self.sets[key] = literal
        return self.sets[key]

    def _goal(self, goal: Goal) -> None:
        """The leaves of every tree, and that their values reach the goal."""
        score, forest = goal.score, self.search.view.view.forest
        unit = forest.n_trees / max(goal.slack, 1e-300)
        unit = min(unit, 2.0**40 / max(1e-300, float(np.abs(score.value).max(initial=0.0))))
        total: list[Any] = []
        constant = score.base
        leaves = self._leaves()
        for tree in leaves:
            values = [float(score.value[leaf]) for leaf, _ in tree]
            if len(set(values)) == 1:
                constant += values[0]
                continue
            low = min(values)
            constant += low
            total += [
                (round((v - low) * unit), literal) for v, (_, literal) in zip(values, tree, strict=True) if v > low
            ]
        need = (goal.least - goal.slack - constant) * unit - forest.n_trees
        tight = (goal.least + goal.slack - constant) * unit + forest.n_trees
        expression = sum(weight * literal for weight, literal in total)
        self.model.add(expression >= int(np.floor(need)))
        self.ties.append((expression, int(np.floor(need)), int(np.ceil(tight))))

    def _leaves(self) -> list[list[tuple[int, Any]]]:
        """For each tree its leaves that can be reached, each with the literal "it is reached"; made once."""
        if hasattr(self, "_made"):
            return self._made
        forest, view = self.search.view.view.forest, self.search.view
        option_of = {option.player: number for number, option in enumerate(self.search.options) if option.player >= 0}
        owner, place = view.kernel.owner, view.kernel.place
        nodes = forest.grid.nodes
        self._made: list[list[tuple[int, Any]]] = []
        for tree in range(forest.n_trees):
            found: list[tuple[int, Any]] = []
            stack: list[tuple[int, dict[int, Rows]]] = [(int(forest.roots[tree]), {})]
            while stack:
                node, path = stack.pop()
                if nodes.feature[node] < 0:
                    found.append((node, path))
                    continue
                column = int(nodes.feature[node])
                number = option_of[int(owner[column])]
                option = self.search.options[number]
                codes = view.players[option.player].codes[option.cells, place[column]]
                left = _left(nodes, node, codes)
                before = path.get(number, np.ones(len(left), np.bool_))
                for child, side in ((int(nodes.left[node]), left), (int(nodes.right[node]), ~left)):
                    inside = before & side
                    if inside.any():
                        stack.append((child, {**path, number: inside}))
            self._made.append(self._reached(tree, found))
        return self._made

    def _reached(self, tree: int, found: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
        if len(found) == 1:
            return [(found[0][0], self.true)]
        made = []
        for node, path in found:
            tests = [self._in(number, mask) for number, mask in path.items()]
            tests = [test for test in tests if test is not self.true]
            if len(tests) == 1:
                made.append((node, tests[0]))
                continue
            literal = self.model.new_bool_var(f"t{tree}_{node}")
            for test in tests:
                self.model.add_implication(literal, test)
            self.model.add_bool_or([literal, *(test.negated() for test in tests)])
            made.append((node, literal))
        self.model.add_exactly_one([literal for _, literal in made])
        return made

    def _linear(self, rule: Linear) -> None:
        """Over the candidates' values; silent where the row lacks one of them, as the rule is."""
        number_of = {option.feature: number for number, option in enumerate(self.search.options)}
        values = {name: self.search.options[number_of[name]].numbers(self.search.view) for name in rule.terms}
        own = [values[name][self.search.options[number_of[name]].own] for name in rule.terms]
        if np.isnan(own).any():
            return
        unit, exact = _unit([c * values[n] for n, c in rule.terms.items()])
        total: Any = 0
        for name, coefficient in rule.terms.items():
            whole = np.round(coefficient * values[name] * unit).astype(np.int64).tolist()
            steps = self.steps[number_of[name]]
            total += whole[0] + sum((whole[i] - whole[i - 1]) * step for i, step in enumerate(steps, 1))
        slack = 1e-6 if exact else len(rule.terms)  # what rounding lets through, `valid` turns down
        if np.isfinite(rule.most):
            self.model.add(total <= int(np.floor(rule.most * unit + slack)))
        if np.isfinite(rule.least):
            self.model.add(total >= int(np.ceil(rule.least * unit - slack)))

    def at_least(self, features: int) -> None:
        """So many features are changed."""
        changed = [self._is(n, o.own).negated() for n, o in enumerate(self.search.options)]
        self.model.add(sum(changed) >= features)

    def exclude(self, picks: Rows) -> None:
        """Not this combination again."""
        self.model.add_bool_or([self._is(n, int(pick)).negated() for n, pick in enumerate(picks)])

    def tighten(self) -> None:
        """The goals by more than rounding: whatever is found now the model confirms."""
        for expression, _, tight in self.ties:
            self.model.add(expression >= tight)

    def run(self, time: float) -> tuple[str, Rows | None, float, float]:
        """("found", "none" or "open"; picks (options,); proven least distance; deterministic time used)."""
        if time <= 0:
            return "open", None, 0.0, 0.0
        solver = self.cp.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = 0
        solver.parameters.max_deterministic_time = time
        state = solver.solve(self.model)
        used = solver.response_proto.deterministic_time
        if state == self.cp.INFEASIBLE:
            return "none", None, 0.0, used
        bound = max(0.0, (solver.best_objective_bound - len(self.steps)) / COST)
        if state not in (self.cp.OPTIMAL, self.cp.FEASIBLE):
            return "open", None, bound, used
        picks = [sum(int(solver.boolean_value(step)) for step in steps) for steps in self.steps]
        return "found", np.array(picks), bound, used


def _left(nodes: Any, node: int, codes: Rows) -> Rows:
    if nodes.table[node] >= 0:
        return np.asarray(nodes.table_left[nodes.table[node] + codes] != 0)
    return np.asarray((nodes.low[node] <= codes) & (codes <= nodes.high[node]))


def _unit(parts: Sequence[Rows]) -> tuple[float, bool]:
    """(what the terms are multiplied by, whether they are whole numbers then): a power of ten, or a millionth of the
    largest."""
    spread = max(max(float(np.abs(part).max()) for part in parts), 1e-300)
    for unit in (1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6):
        if unit * spread < 2**40 and all(np.abs(part * unit - np.round(part * unit)).max() < 1e-6 for part in parts):
            return unit, True
    return 1e6 / spread, False
