"""Why a forest decides a row as it does: a sufficient reason that is proven, and what another decision would need.

A reason is a set of cells for each player. Laws: no row of the box is decided otherwise (interval bounds, tightened by
branch and bound); without any one of its conditions some row is, and the witness is that row, decided by the model
itself. The first is always proven; the second unless the effort runs out, and then it is said.

Source: deletion filter of Chinneck & Dravnieks 1991; abductive and contrastive explanations, Ignatiev et al. 2020.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from showcause.adapters.cells import CellView, composed, lowered
from showcause.adapters.frame import Frame, Rows
from showcause.adapters.goals import Goal
from showcause.core.rules import Condition
from showcause.kernels.trees import boxes
from showcause.kernels.trees.reach import least

CANDIDATES = 512  # rows of the pool that are tried as witnesses before anything is searched
FIRST = 8  # every eighth of them first
SHARE = 12  # a single question gets at most this part of a row's effort
DONORS = 24  # rows decided the other way that a contrast is looked for from

Verdict = Literal["holds", "fails", "open"]
Keeps = Callable[[Frame], Rows]  # rows → whether the model decides them as wanted


@dataclass
class Reason:
    """`box` (cells of all players,) of bool; `witness` player → the cells (players,) of a row that is decided otherwise
    and meets every other condition; `opened` players whose condition may be needless: the effort ran out."""

    view: CellView
    row: int
    box: Rows
    witness: dict[int, Rows] = field(default_factory=dict)
    opened: set[int] = field(default_factory=set)
    visited: int = 0

    def mask(self, player: int) -> Rows:
        start = self.view.kernel.start
        return self.box[start[player] : start[player + 1]]

    @property
    def kept(self) -> list[int]:
        """Players that have a condition."""
        return [p for p in range(len(self.view.players)) if not self.mask(p).all()]

    @property
    def conditions(self) -> list[tuple[int, Condition]]:
        made = [(p, self.view.players[p].condition(self.mask(p))) for p in self.kept]
        return [(p, condition) for p, condition in made if condition is not None]

    @property
    def minimal(self) -> bool:
        return not self.opened

    def covers(self, rows: slice) -> Rows:
        """(rows,) whether these rows of the pool meet it."""
        inside = np.ones(len(self.view.pool), np.bool_)[rows]
        for player in self.kept:
            inside &= self.mask(player)[self.view.players[player].at[rows]]
        return inside


class _Question:
    """Whether every row of a box is decided as the row itself; counts the nodes visited."""

    def __init__(self, view: CellView, row: int, goals: Sequence[Goal], keeps: Keeps, effort: int) -> None:
        self.view, self.row, self.goals, self.keeps, self.effort = view, row, goals, keeps, effort
        self.own = view.of([row])[0]
        self.nodes = max(1, len(view.view.forest.feature))
        self.visited = 0
        some = np.unique(np.linspace(0, len(view.pool) - 1, min(CANDIDATES, len(view.pool))).astype(np.int64))
        self.others = view.of(some)
        self.start = view.kernel.start

    def ask(self, box: Rows) -> tuple[Verdict, Rows | None]:
        """The verdict, and where it fails the cells (players,) of a row that the model decides otherwise."""
        unsure = [goal for goal in self.goals if not self._sure(goal, box)]
        if unsure and (known := self._tried(unsure, box)) is not None:
            return "fails", known
        verdict: Verdict = "holds"
        for goal in unsure:
            state, value, found = self._search(goal, box, self.left)
            if state == boxes.FOUND and (value < goal.least - goal.slack or self._flips(found)):
                return "fails", found
            if state != boxes.PROVEN:
                verdict = "open"
        return verdict, None

    def holds(self, box: Rows) -> bool:
        """Whether it is proven that no row is decided otherwise; where the effort has run out, by the first bound."""
        unsure = [goal for goal in self.goals if not self._sure(goal, box)]
        if not unsure or self.left < 2 or self._tried(unsure, box) is not None:
            return not unsure
        return all(self._search(goal, box, self.left)[0] == boxes.PROVEN for goal in unsure)

    @property
    def left(self) -> int:
        """Boxes that one search may bound."""
        return max(1, min(self.effort // SHARE, self.effort - self.visited) // self.nodes)

    def _sure(self, goal: Goal, box: Rows) -> bool:
        """Whether the first bound proves it."""
        reach = self.view.reach
        if reach is None:
            return self._search(goal, box, 1)[0] == boxes.PROVEN
        self.visited += self.nodes
        return bool(least(reach, goal.score, self.view.kernel, box) >= goal.least + goal.slack)

    def _search(self, goal: Goal, box: Rows, budget: int) -> tuple[int, float, Rows]:
        least = goal.least + goal.slack
        state, value, found, used = boxes.search(goal.score, self.view.kernel, box.astype(np.uint8), least, budget)
        self.visited += used * self.nodes
        return state, value, found

    def _tried(self, goals: Sequence[Goal], box: Rows) -> Rows | None:
        """The cells (players,) of a row that misses a goal for certain, if putting other rows' cells into the box shows
        one: a few rows first, since most boxes that hold such a row hold many."""
        for others in (self.others[::FIRST], self.others):
            mixed = np.where(box[self.start[:-1] + others], others, self.own)
            margins = self.view.margins(mixed)
            for goal in goals:
                away = goal.margin(margins)
                worst = int(np.argmin(away))
                if away[worst] < -goal.slack:
                    return mixed[worst]
        return None

    def _flips(self, at: Rows) -> bool:
        """Within rounding of the threshold the model itself is asked."""
        if not real(self.view, self.row, at):
            return False
        return not bool(self.keeps(rows_of(self.view, self.row, at[None, :]))[0])


def real(view: CellView, row: int, at: Rows) -> bool:
    """Whether each changed cell (players,) holds a value that can be written down; without one nothing is confirmed."""
    moved = np.flatnonzero(at != view.of([row])[0])
    return all(representative(view, int(number), int(at[number])) is not None for number in moved)


def rows_of(view: CellView, row: int, at: Rows) -> Frame:
    """Rows in the given cells (rows, players): values of real rows where some have them, else one from within the cell;
    what no tree looks at is the row's own."""
    changes, own = [], view.of([row])[0]
    for cells in at:
        change: dict[str, int | float] = {}
        for number, player in enumerate(view.players):
            cell = int(cells[number])
            if cell != own[number]:
                source = representative(view, number, cell)
                assert source is not None
                change[player.feature] = source
        changes.append(change)
    return composed(view.pool, row, changes)


def representative(view: CellView, number: int, cell: int) -> int | float | None:
    """The first pool row whose value lies in the cell, else a number of its own; None where none is."""
    player = view.players[number]
    first = int(np.argmax(player.at == cell))
    if player.at[first] == cell:
        return first
    if player.cuts is None or cell == player.missing:
        return None
    return inside(player.cuts, cell, player.single)


def inside(cuts: Rows, cell: int, single: bool) -> float | None:
    """A number in (cuts[cell - 1], cuts[cell]] that stays there when it is rounded, a short one where there is one."""
    low = cuts[cell - 1] if cell > 0 else -np.inf
    high = cuts[cell] if cell < len(cuts) else np.inf
    if not np.isfinite(low) and not np.isfinite(high):
        return 0.0
    if not np.isfinite(low):
        return float(np.floor(high)) if np.floor(high) > -np.inf else None
    if not np.isfinite(high):
        return float(np.floor(low) + 1.0)
    middle = (low + high) / 2
    kind = np.float32 if single else np.float64
    for digits in range(1, 18):
        short = float(f"{middle:.{digits}g}")
        if kind(low) < kind(short) < kind(high):
            return short
    last = lowered(high) if single else high
    return float(last) if last > low else None


def sufficient(
    view: CellView, row: int, goals: Sequence[Goal], keeps: Keeps, order: Sequence[int], effort: int
) -> Reason | None:
    """The reason of one pool row; None where the row itself lies within rounding of another decision.

    order   the players as they are to be let go, the least important first
    effort  tree nodes that may be visited
    """
    question = _Question(view, row, goals, keeps, effort)
    margins = view.margins(question.own[None, :])
    if any(goal.margin(margins)[0] <= goal.slack for goal in goals):
        return None
    box = np.zeros(int(question.start[-1]), np.bool_)
    box[question.start[:-1] + question.own] = True
    reason = Reason(view, row, box)
    for player in order:
        tried = box.copy()
        tried[question.start[player] : question.start[player + 1]] = True
        verdict, found = question.ask(tried)
        if verdict == "holds":
            box[:] = tried
        elif found is not None:
            reason.witness[player] = found
        else:
            reason.opened.add(player)
    for player in reason.kept:
        _widen(reason, question, player)
    reason.visited = question.visited
    for player in [player for player, at in reason.witness.items() if not real(view, row, at)]:
        del reason.witness[player]
        reason.opened.add(player)
    if reason.witness:
        flipped = ~keeps(rows_of(view, row, np.stack(list(reason.witness.values()))))
        for player, true in zip(list(reason.witness), flipped, strict=True):
            if not true:  # the model's own word counts
                del reason.witness[player]
                reason.opened.add(player)
    return reason


def _widen(reason: Reason, question: _Question, player: int) -> None:
    """As many cells as leave it proven: of a number to both sides, of a category level by level."""
    of, start = reason.view.players[player], int(question.start[player])
    own = int(question.own[player])

    def holds(cells: Rows) -> bool:
        tried = reason.box.copy()
        tried[start + cells] = True
        if not question.holds(tried):
            return False
        reason.box[:] = tried
        return True

    if not of.numeric:
        for cell in np.argsort(-of.counts, kind="stable"):
            if cell != own:
                holds(np.array([cell]))
        return
    if own != of.missing:
        _stretch(holds, own, of.known - 1)
        _stretch(holds, own, 0)
    if of.missing >= 0 and own != of.missing:
        holds(np.array([of.missing]))


def _stretch(holds: Callable[[Rows], bool], own: int, end: int) -> None:
    """Towards the last cell as far as it holds, by halving: what holds of an interval holds of every part of it."""
    step = 1 if end >= own else -1
    good, bad = 0, abs(end - own) + 1
    reach = bad - 1
    while reach > good:
        if holds(own + step * np.arange(1, reach + 1)):
            good = reach
        else:
            bad = reach
        reach = (good + bad) // 2


def contrast(
    view: CellView, row: int, goals: Sequence[Goal], donors: Rows, keeps: Keeps
) -> list[tuple[int, Condition, int]]:
    """What would have to be there for the other decision: for the fewest features found, (player, the cells of it that
    lead there while the others are as in the donor, the donor's cell). Empty where none was found.

    goals   of the other decision; `keeps`: whether the model decides so
    donors  pool rows that are decided so
    """
    if not len(donors):
        return []
    own, apart = view.of([row])[0], np.zeros(len(view.pool), np.int32)
    for player, cell in zip(view.players, own, strict=True):
        apart += player.at != cell
    nearest = donors[np.argsort(apart[donors], kind="stable")[:DONORS]]
    found = _restored(view, own, view.of(nearest), goals)
    if not len(found):
        return []
    best = found[int(np.argmin((found != own).sum(axis=1)))]
    if not keeps(rows_of(view, row, best[None, :]))[0]:
        return []
    return [(p, _absent(view, best, p, own, goals), int(best[p])) for p in np.flatnonzero(best != own).tolist()]


def _leads(view: CellView, at: Rows, goals: Sequence[Goal]) -> Rows:
    margins = view.margins(at)
    return np.all([goal.margin(margins) > goal.slack for goal in goals], axis=0)


def _restored(view: CellView, own: Rows, at: Rows, goals: Sequence[Goal]) -> Rows:
    """Of the donors' cells (donors, players) those that lead there, each donor's with every feature put back that can
    be, those first whose return leaves the most room. All donors' next steps are asked about together."""
    at = at[_leads(view, at, goals)]
    going = np.ones(len(at), np.bool_)
    while going.any():
        donor, player = np.nonzero((at != own) & going[:, None])
        tried = at[donor]
        tried[np.arange(len(tried)), player] = own[player]
        margins = view.margins(tried)
        room = np.min([goal.margin(margins) - goal.slack for goal in goals], axis=0)
        order = np.lexsort((-room, donor))
        best = order[np.flatnonzero(np.diff(donor[order], prepend=-1))]
        best = best[room[best] > 0]
        at[donor[best]] = tried[best]
        going[:] = False
        going[donor[best]] = True
    return at


def _absent(view: CellView, at: Rows, p: int, own: Rows, goals: Sequence[Goal]) -> Condition:
    """The cells around the donor's that lead to the other decision while the rest stays."""
    player = view.players[p]
    tried = np.repeat(at[None, :], len(player), axis=0)
    tried[:, p] = np.arange(len(player))
    mask = _leads(view, tried, goals)
    if player.numeric and at[p] != player.missing:
        run = np.zeros(len(player), np.bool_)
        first = last = int(at[p])
        while first > 0 and mask[first - 1]:
            first -= 1
        while last < player.known - 1 and mask[last + 1]:
            last += 1
        run[first : last + 1] = True
        if player.missing >= 0:
            run[player.missing] = mask[player.missing]
        mask = run
    elif player.numeric:
        mask = np.arange(len(player)) == player.missing
    mask[own[p]] = False
    found = player.condition(mask)
    assert found is not None
    return found
