"""Shapley values of any model from sampled coalitions, with a proxy and an unbiased correction.

Every row explained against every background row is a game of its own (kernels/pairs.py), in which only the columns play
that differ. The border of each game is evaluated whole; columns that never change an output are tested once more and
then take no part, so they get exactly zero. What the border does not tell is sampled, after a proxy has been taken
away: the additive part of each game, or trees fitted to all rows evaluated so far, whose own Shapley values are exact.
Trees that correct a game never saw an evaluation with that game's background row, so the correction is unbiased.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from showcause.adapters.frame import Frame, Rows
from showcause.adapters.games import Table, Tick, Values
from showcause.adapters.model import Model
from showcause.adapters.proxies import Proxy, fitted
from showcause.kernels import pairs
from showcause.kernels.coalitions import added

TREES = 200  # of a proxy, for each fold and output
Z = 1.959964  # half of a 95 % interval in standard errors
FLOOR = 5  # evaluations of a game for each of its players: two on the border, the rest beyond; else fewer games
FIRST = 0.25  # the share of the draws after which it is asked whether they do
TESTED = 0.1  # the share of a row's evaluations that tests of columns that seem idle amount to
TESTS = 256  # but so many in any case, over all rows
TRACED = 32  # outputs that idle columns moved after all, which are traced to one of them


@dataclass
class Explained:
    """One row: its games' background rows `donors` (m,), who plays in them, the border and the draws with their worth.

    border  (b, 2): game and player of each entry of `first` and `last` (b, K)
    """

    row: int
    rng: np.random.Generator
    donors: Rows
    players: Rows
    border: Rows
    first: Rows
    last: Rows
    draws: pairs.Draws | None = None
    inside: Rows | None = None
    others: Rows | None = None
    asked: int = 0
    done: bool = False

    def place(self) -> tuple[Rows, Rows, Rows]:
        """(row, donor, inside) of the border: first every {j}, then everyone but j."""
        game, player = self.border.T
        first = np.zeros((len(game), self.players.shape[1]), dtype=bool)
        first[np.arange(len(game)), player] = True
        donor = np.concatenate([self.donors[game]] * 2)
        return np.full(len(donor), self.row), donor, np.concatenate([first, ~first])


@dataclass(frozen=True)
class Found:
    """What one proxy makes of one row: phi, error (p, K), half the difference of its halves, the games' own values."""

    phi: Rows
    error: Rows
    halves: Rows
    each: pairs.Estimate


def sampled_values(
    model: Model,
    rows: Frame,
    background: Frame,
    rngs: Sequence[np.random.Generator],
    evaluations: int,
    half_width: float = 0.0,
    tick: Tick = lambda share: None,
    trees: int = TREES,
) -> Values:
    """At most about `evaluations` a row explained; a row is done when the half-widths of its 95 % intervals are all
    below `half_width` times the standard deviation of the background's predictions. `rngs`: one generator a row;
    `trees`: of the proxy, none where 0.
    """
    table = Table(model, rows, background)
    matrix = table.pool.matrix()
    spread = table.reference.std(axis=0)
    limit = half_width * np.where(spread > 0, spread, 1.0)
    explained, idle = _borders(table, rngs, evaluations)
    matrix[:, idle] = 0.0
    tick(0.3)
    found: list[Found | None] = [None] * len(explained)
    fits = False
    for share in (FIRST, 1.0) if half_width > 0 else (1.0,):
        waiting = [e for e in explained if not e.done]
        _evaluate(table, waiting, share)
        tick(0.3 + 0.3 * share)
        plain = [_estimate(e, table, share, None, None) for e in waiting]
        best = plain
        if trees and not _narrow(plain, limit) and (proxy := fitted(matrix, table, waiting, trees)) is not None:
            values = proxy.values([e.row for e in waiting])
            corrected = [_estimate(e, table, share, proxy, values[i]) for i, e in enumerate(waiting)]
            if _noise(corrected, limit) < _noise(plain, limit):
                best, fits = corrected, True
        for e, own, rough in zip(waiting, best, plain, strict=True):
            found[e.row] = replace(own, each=rough.each)
            e.done = bool((Z * own.error <= limit).all())
        tick(0.4 + 0.6 * share)
    return _values(table, explained, [f for f in found if f is not None], limit, idle, fits)


def _noise(found: list[Found], limit: Rows) -> float:
    return float(np.mean([(f.error / np.where(limit > 0, limit, 1.0)) ** 2 for f in found]))


def _narrow(found: list[Found], limit: Rows) -> bool:
    return all((Z * f.error <= limit).all() for f in found)


def _borders(table: Table, rngs: Sequence[np.random.Generator], evaluations: int) -> tuple[list[Explained], Rows]:
    """Every row with its games, their border and who plays."""
    n, m = table.size, len(table.reference)
    outputs = table.predictions.shape[1]
    explained = []
    for i in range(n):
        differ = table.codes[table.size :] != table.codes[i]
        games = int(np.clip(evaluations // max(1.0, FLOOR * differ.sum(axis=1).mean()), min(2, m), m))
        donors = np.arange(m) if games == m else np.sort(rngs[i].choice(m, games, replace=False))
        border = np.argwhere(differ[donors])
        none = np.empty((len(border), outputs))
        explained.append(Explained(i, rngs[i], donors, differ[donors], border, none, none))
    answers = _together(table, [e.place() for e in explained])
    for e, answer in zip(explained, answers, strict=True):
        e.first, e.last = np.split(answer, 2)
        e.asked = len(answer)
    idle = _idle(table, explained, max(TESTS, int(TESTED * evaluations)))
    for e in explained:
        e.players = e.players & ~idle
        q = e.players.sum(axis=1)
        full = np.maximum(2.0 ** np.minimum(q, 62) - 2 - 2 * q, 0)
        left = evaluations - e.asked
        e.draws = pairs.draw(
            e.rng, e.players, pairs.levelled(full, left) if left > 0 else np.minimum(full, 4).astype(int)
        )
    return explained, idle


def _together(table: Table, requests: list[tuple[Rows, Rows, Rows]]) -> list[Rows]:
    """Answers to several requests, asked at once."""
    if not requests:
        return []
    row, donor, inside = (np.concatenate(parts) for parts in zip(*requests, strict=True))
    return np.split(table.ask(row, donor, inside), np.cumsum([len(r) for r, _, _ in requests])[:-1])


def _idle(table: Table, explained: list[Explained], tests: int) -> Rows:
    """(p,) columns that never change an output: for no row on any border, nor when they are put in together with
    random coalitions of the others, in about `tests` cases over all rows. They take no part in any game."""
    active = np.zeros(table.codes.shape[1], dtype=bool)
    for e in explained:
        game, player = e.border.T
        moved = added(e.first, table.reference[e.donors[game]]) != 0
        moved |= added(np.broadcast_to(table.predictions[e.row], e.last.shape), e.last) != 0
        np.logical_or.at(active, player, moved.any(axis=1))
    for e in explained:
        active |= _whole(table, e, active)
    if not active.all():
        active = _tested(table, explained, active, max(1, tests // len(explained)))
    return ~active


def _whole(table: Table, e: Explained, active: Rows) -> Rows:
    """Columns of games where no active one plays and yet the row's output is another one than the background row's."""
    ends = added(np.broadcast_to(table.predictions[e.row], table.reference[e.donors].shape), table.reference[e.donors])
    left = (ends != 0).any(axis=1) & ~(e.players & active).any(axis=1)
    return np.asarray(e.players[left].any(axis=0))


def _tested(table: Table, explained: list[Explained], active: Rows, tests: int) -> Rows:
    """`active` and those of the others that change an output in one of `tests` random coalitions of each row."""
    idle = ~active
    rows, donors, masks = [], [], []
    for e in explained:
        game = e.rng.integers(len(e.donors), size=tests)
        chance = e.rng.random((tests, 1))
        rows.append(np.full(tests, e.row))
        donors.append(e.donors[game])
        masks.append((e.rng.random((tests, len(active))) < chance) & active)
        e.asked += 2 * tests
    row, donor, inside = np.concatenate(rows), np.concatenate(donors), np.concatenate(masks)
    before = table.ask(row, donor, inside)
    while idle.any():
        changed = np.flatnonzero((added(table.ask(row, donor, inside | idle), before) != 0).any(axis=1))[:TRACED]
        if not len(changed):
            break
        here, at = inside[changed].copy(), before[changed]
        for j in np.flatnonzero(idle):  # one after the other: the step that moves the output is that column's own
            here[:, j] = True
            then = table.ask(row[changed], donor[changed], here)
            idle[j] = not (added(then, at) != 0).any()
            at = then
    return ~idle


def _evaluate(table: Table, waiting: list[Explained], share: float) -> None:
    """Ask about the draws up to `share` that have not been asked about."""
    requests, fresh = [], []
    for e in waiting:
        assert e.draws is not None
        wanted = _kept(e.draws, share)
        if e.inside is None:
            shape = (len(e.draws.game), table.predictions.shape[1])
            e.inside, e.others = np.full(shape, np.nan), np.full(shape, np.nan)
        new = np.flatnonzero(wanted & np.isnan(e.inside[:, 0])) if e.inside.size else np.zeros(0, dtype=np.int64)
        donor = e.donors[e.draws.game[new]]
        requests.append((np.full(2 * len(new), e.row), np.tile(donor, 2), _masks(e.draws, new)))
        fresh.append(new)
        e.asked += 2 * len(new)
    for e, new, answer in zip(waiting, fresh, _together(table, requests), strict=True):
        assert e.inside is not None
        assert e.others is not None
        e.inside[new], e.others[new] = np.split(answer, 2)


def _masks(draws: pairs.Draws, places: Rows) -> Rows:
    return np.concatenate([draws.inside[places], draws.others[places]])


def _kept(draws: pairs.Draws, share: float) -> Rows:
    return np.asarray(draws.turn < draws.part(share).drawn[draws.stratum]) if len(draws.game) else np.zeros(0, bool)


def _games(e: Explained, ends: tuple[Rows, Rows], first: Rows, last: Rows) -> pairs.Games:
    """The border of the row's games from their ends, (m, K) each, and the worth of each entry of the border."""
    whole, empty = ends
    shape = (*e.players.shape, whole.shape[1])
    firsts, lasts = np.zeros(shape), np.zeros(shape)
    firsts[tuple(e.border.T)], lasts[tuple(e.border.T)] = first, last
    return pairs.Games(e.players, whole, empty, firsts, lasts)


def _estimate(e: Explained, table: Table, share: float, proxy: Proxy | None, values: Rows | None) -> Found:
    """With a proxy: its own values plus those of what it leaves over."""
    assert e.draws is not None
    assert e.inside is not None
    assert e.others is not None
    kept = _kept(e.draws, share)
    draws = e.draws.part(share) if len(e.draws.game) else e.draws
    ends = np.repeat(table.predictions[[e.row]], len(e.donors), axis=0), table.reference[e.donors]
    games = _games(e, ends, e.first, e.last)
    inside, others = e.inside[kept], e.others[kept]
    if proxy is not None:
        border = np.split(proxy.ask(*e.place()), 2)
        drawn = np.flatnonzero(kept)
        donor = np.tile(e.donors[e.draws.game[drawn]], 2)
        said = np.split(proxy.ask(np.full(len(donor), e.row), donor, _masks(e.draws, drawn)), 2)
        games = games.minus(_games(e, proxy.ends(e.row, e.donors), *border))
        inside, others = inside - said[0], others - said[1]
    each = pairs.estimate(games, draws, inside, others)
    total = table.predictions[e.row] - table.reference.mean(axis=0)
    if values is None:
        values = np.zeros((e.players.shape[1], len(total)))
    phi, error, halves = pairs.mean_of_games(each, len(table.reference), total - values.sum(axis=0))
    return Found(phi + values, error, halves, each)


def _values(
    table: Table, explained: list[Explained], found: list[Found], limit: Rows, idle: Rows, trees: bool
) -> Values:
    of = len(table.reference)
    phi, error, halves = (np.stack([getattr(f, name) for f in found]) for name in ("phi", "error", "halves"))
    facts: dict[str, Any] = {
        "proxy": "trees" if trees else "additive",
        "idle": idle.tolist(),
        "examples": {
            "background_rows": [len(e.donors) for e in explained],
            "evaluations": [e.asked for e in explained],
            "half_width": [(Z * f.error).max(axis=0).tolist() for f in found],
            "converged": [e.done for e in explained],
        },
        "half_width": limit.tolist(),
    }
    background = np.stack([pairs.games_error(f.each, of) for f in found])
    base = table.reference.mean(axis=0)
    return Values(
        phi, base, table.predictions, table.evaluations, background, error, facts, (phi + halves, phi - halves)
    )
