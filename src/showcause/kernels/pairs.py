"""Shapley values from sampled pairs of coalitions: plain arrays in, plain arrays out.

One *game* is one row explained against one background row: players are the features in which the two differ, the worth
of a coalition S is the output with the features in S from the row explained. The value wanted is the mean over games.

Notation
    p, q     features; players of a game, q <= p
    v(S)     worth; d(S) = v(S) - v(the other players)
    u_j(S)   1 / |S| where j is in S, -1 / (q - |S|) where it is another player, 0 elsewhere
    a_j      half of what j adds first plus half of what it adds last, (v({j}) - v({}) + v(all) - v(all without j)) / 2

Sorting Shapley's sum by the size of coalitions and pairing each with its complement gives, for every game,

    phi_j = (v(all) - v({})) / q + sum over sizes s <= q / 2 of the mean over |S| = s of  w_s d(S) u_j(S)

with w_s = 1, and 1/2 where 2 s = q, since there a pair is met from both sides. Each term sums to zero over players, so
any sample of pairs keeps efficiency exactly, and interactions of two players cancel within a pair. Size 1 is always
counted whole (the border); of the other sizes equally many pairs are drawn without replacement, which is what leverage
scores ask for, and a size that can be counted whole is. The additive part of a game, sum of a_j over S, is known: only
the rest is sampled. Sources: Musco & Witter 2025 (pairs, leverage scores, no replacement); Witter, Liu & Musco 2025
(RegressionMSR: an unbiased correction of any proxy); two-stage variance: Cochran 1977, eq. 10.15.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import comb
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

LARGE = 60  # players: beyond, numbers of coalitions leave 64 bits, and drawing one twice is out of the question
TINY = np.finfo(np.float64).tiny
FEW = 12  # draws of a stratum that are not worth dividing
LISTED = 1 << 12  # coalitions of a size that are listed and shuffled; of more, numbers are drawn


@dataclass(frozen=True)
class Draws:
    """Sampled pairs of the games of one row explained, in the order in which they may be used.

    game, inside, others   (d,) number of the game; (d, p) S and the other players
    factor                 (d,) by which d(S) u(S) enters the mean of its stratum
    stratum, turn          (d,) number of the stratum; place among the draws of its stratum
    population, drawn      (strata,) pairs that there are (inf: drawn with replacement), and in the sample
    """

    game: Array
    inside: Array
    others: Array
    factor: Array
    stratum: Array
    turn: Array
    population: Array
    drawn: Array

    def part(self, share: float) -> Draws:
        """The first `share` of every stratum, at least `FEW` draws: a sample of the same kind."""
        drawn = np.minimum(self.drawn, np.maximum(FEW, np.ceil(share * self.drawn).astype(np.int64)))
        kept = self.turn < drawn[self.stratum]
        cut = {name: getattr(self, name)[kept] for name in ("game", "inside", "others", "factor", "stratum", "turn")}
        return replace(self, **cut, drawn=drawn)


def levelled(full: Array, budget: int) -> Array:
    """(m,) shares of a budget: as equal as may be, none above its `full` (m,)."""
    order = np.sort(full)
    below = np.concatenate([[0], np.cumsum(order)[:-1]])
    levels = (budget - below) / np.arange(len(order), 0, -1)
    enough = np.flatnonzero(levels <= order)
    level = levels[enough[0]] if len(enough) else order[-1]
    return np.minimum(full, np.floor(level)).astype(np.int64)


def allotted(q: int, pairs: int) -> dict[int, int]:
    """size (from 2) → pairs to draw of it: equally many, sizes that need fewer counted whole."""
    sizes = range(2, q // 2 + 1)
    if not sizes:
        return {}
    shares = levelled(np.array([population(q, size) for size in sizes], dtype=np.float64), pairs)
    return {size: int(share) for size, share in zip(sizes, shares, strict=True)}


def population(q: int, size: int) -> int:
    """Pairs of a coalition of `size` and its complement."""
    return comb(q - 1, size - 1) if 2 * size == q else comb(q, size)


def draw(rng: np.random.Generator, players: Array, budget: Array) -> Draws:
    """Pairs of sizes from 2 for games whose players (m, p) are marked, within (m,) evaluations beyond the border."""
    p = players.shape[1]
    q = players.sum(axis=1)
    parts: list[tuple[Array, ...]] = []
    limits: list[tuple[Array, Array]] = []
    strata = 0
    for count, evaluations in sorted({(int(a), int(b)) for a, b in zip(q, budget, strict=True) if a >= 4}):
        games = np.flatnonzero((q == count) & (budget == evaluations))
        where = np.nonzero(players[games])[1].reshape(len(games), count)  # each game's players
        plan = allotted(count, evaluations // 2)
        pooled = any(n < min(2, population(count, size)) for size, n in plan.items())
        groups = [(None, max(2, evaluations // 2))] if pooled else list(plan.items())
        for size, n in groups:
            local, sizes, total = _local(rng, len(games), count, size, n)
            inside = np.zeros((len(games), n, p), dtype=bool)
            np.put_along_axis(inside, np.broadcast_to(where[:, None, :], local.shape), local, axis=2)
            weight = np.where(2 * sizes == count, 0.5, 1.0) * (len(plan) if size is None else 1)
            number = strata + np.arange(len(games))
            strata += len(games)
            parts.append(
                (
                    np.repeat(games, n),
                    inside.reshape(-1, p),
                    weight.ravel(),
                    np.repeat(number, n),
                    np.tile(np.arange(n), len(games)),
                )
            )
            limits.append((np.full(len(games), total), np.full(len(games), n)))
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        empty = np.zeros((0, p), dtype=bool)
        return Draws(none, empty, empty, np.zeros(0), none, none, np.zeros(0), none)
    game, inside, factor, stratum, turn = (np.concatenate(column) for column in zip(*parts, strict=True))
    totals, counts = (np.concatenate(column) for column in zip(*limits, strict=True))
    return Draws(game, inside, players[game] & ~inside, factor, stratum, turn, totals, counts)


def _local(rng: np.random.Generator, games: int, q: int, size: int | None, n: int) -> tuple[Array, Array, float]:
    """(games, n, q) coalitions of the players, their sizes (games, n), and of how many; size None: of any from 2."""
    if size is None:
        sizes = rng.integers(2, q // 2 + 1, size=(games, n))
        rank = rng.random((games, n, q)).argsort(axis=2).argsort(axis=2)
        return rank < sizes[:, :, None], sizes, np.inf
    sizes = np.full((games, n), size)
    total = population(q, size)
    if q > LARGE:
        rank = rng.random((games, n, q)).argsort(axis=2).argsort(axis=2)
        return rank < size, sizes, np.inf
    numbers = _distinct_numbers(rng, games, total, n)
    if 2 * size == q:  # of each pair the one with the first player
        rest = combination(numbers, q - 1, size - 1)
        return np.concatenate([np.ones((games, n, 1), dtype=bool), rest], axis=2), sizes, total
    return combination(numbers, q, size), sizes, total


def _distinct_numbers(rng: np.random.Generator, games: int, total: int, n: int) -> Array:
    """(games, n) numbers below `total`, no two equal within a game, in random order."""
    if total <= LISTED:
        return np.stack([rng.permutation(total)[:n] for _ in range(games)])
    return np.stack([rng.choice(total, n, replace=False) for _ in range(games)])


def combination(number: Array, q: int, size: int) -> Array:
    """(…, q) booleans: the subset of `size` with that number, of C(q, size), in lexicographic order."""
    table = np.array([[comb(a, b) for b in range(size + 1)] for a in range(q + 1)], dtype=np.int64)
    left, rank = np.full(number.shape, size), number.astype(np.int64)
    out = np.zeros((*number.shape, q), dtype=bool)
    for i in range(q):
        starting = np.where(left > 0, table[q - 1 - i, np.maximum(left - 1, 0)], 0)
        taken = rank < starting
        out[..., i] = taken
        rank = np.where(taken, rank, rank - starting)
        left -= taken
    return out


@dataclass(frozen=True)
class Games:
    """The border of m games: who plays (m, p), v(all) and v({}) (m, K), v({j}) and v(all without j) (m, p, K)."""

    players: Array
    whole: Array
    empty: Array
    first: Array
    last: Array

    def minus(self, other: Games) -> Games:
        parts = ((getattr(self, n) - getattr(other, n)) for n in ("whole", "empty", "first", "last"))
        return Games(self.players, *parts)


@dataclass(frozen=True)
class Estimate:
    """Of each game: phi (m, p, K), the variance (m, p, K) of its sampling, and half the difference (m, p, K) between
    the estimates from the earlier and the later half of its draws."""

    phi: Array
    variance: Array
    halves: Array


def estimate(games: Games, draws: Draws, inside: Array, others: Array) -> Estimate:
    """From the worth (d, K) of the drawn coalitions and of the others. Law: phi sums to v(all) - v({}) in each game."""
    players = games.players
    m, p = players.shape
    outputs = games.whole.shape[1]
    q = players.sum(axis=1)
    mine = players[:, :, None]
    gain = games.whole - games.empty
    phi = np.where(mine, gain[:, None, :] / np.maximum(q, 1)[:, None, None], 0.0)
    pair = np.where(mine, games.first - games.last, 0.0)
    border = _against_others(pair, q) / np.maximum(q, 1)[:, None, None]
    phi += mine * border * np.array([0.0, 0.0, 0.5, 1.0])[np.minimum(q, 3)][:, None, None]
    additive = np.where(mine, ((games.first - games.empty[:, None]) + (games.whole[:, None] - games.last)) / 2, 0.0)
    beyond = np.maximum(q - 3, 0) / np.maximum(q, 1)  # sizes from 2 to q - 2
    phi += mine * _against_others(additive, q) * beyond[:, None, None]
    variance, halves = np.zeros((m, p, outputs)), np.zeros((m, p, outputs))
    if len(draws.game):
        _sampled(phi, variance, halves, additive, draws, inside - others)
    return Estimate(phi, variance, halves)


def _against_others(value: Array, q: Array) -> Array:
    """Each player's number less the mean of the other players'."""
    total = value.sum(axis=1, keepdims=True)
    return value - (total - value) / np.maximum(q - 1, 1)[:, None, None]


def _sampled(phi: Array, variance: Array, halves: Array, additive: Array, draws: Draws, difference: Array) -> None:
    """Add what the draws say of the rest, after the additive part, to each game."""
    size, rest = draws.inside.sum(axis=1), draws.others.sum(axis=1)
    u = draws.factor[:, None] * (draws.inside / size[:, None] - draws.others / rest[:, None])
    sign = draws.inside * 1.0 - draws.others
    n = draws.drawn
    later = draws.turn >= (n // 2)[draws.stratum]
    owner = np.zeros(len(n), dtype=np.int64)
    owner[draws.stratum] = draws.game
    finite = 1 - n / draws.population
    sampled = finite > 0
    for k in range(phi.shape[2]):
        left = difference[:, k] - np.einsum("dp,dp->d", sign, additive[draws.game, :, k])
        each = left[:, None] * u
        mean = _sums(each, draws.stratum, len(n)) / n[:, None]
        np.add.at(phi[:, :, k], owner, mean)
        spread = _sums((each - mean[draws.stratum]) ** 2, draws.stratum, len(n))
        error = spread / np.maximum(n - 1, 1)[:, None] / n[:, None] * np.maximum(finite, 0)[:, None]
        np.add.at(variance[:, :, k], owner, error)
        halved = _sums(np.where(later[:, None], each, -each), draws.stratum, len(n)) / n[:, None]
        np.add.at(halves[:, :, k], owner[sampled], halved[sampled])


def _sums(values: Array, group: Array, groups: int) -> Array:
    """(groups, p) sums of (d, p) values."""
    return np.stack([np.bincount(group, values[:, j], groups) for j in range(values.shape[1])], axis=1)


def mean_of_games(each: Estimate, of: int, total: Array) -> tuple[Array, Array, Array]:
    """(p, K) the mean over m games drawn from `of`, its standard error, and half the difference of its halves.

    total  (K,) what the values must sum to. The m games need not come to that by themselves: what is missing goes to
           the players by how much of their games' sums is theirs (a regression over games, whose coefficients sum to
           one), so nothing to a player who adds nothing. With m = `of` only rounding is missing, and the error is that
           of sampling coalitions; with fewer games that of which ones were drawn is in it.
    """
    m = len(each.phi)
    mean = each.phi.mean(axis=0)
    sums = each.phi.sum(axis=1)
    apart = sums - sums.mean(axis=0)
    size = (apart**2).sum(axis=0)
    varied = size > 0
    slope = (each.phi * apart[:, None, :]).sum(axis=0) / np.where(varied, size, 1.0)
    share = np.where(varied, slope, np.abs(mean) / np.maximum(np.abs(mean).sum(axis=0), TINY))
    phi = mean + (total - mean.sum(axis=0)) * share
    phi += (total - phi.sum(axis=0)) * share  # the rounding of the line above
    variance = each.variance.mean(axis=0) / m
    if m < of:
        left = each.phi - mean - np.where(varied, slope, 0.0) * apart[:, None, :]
        between = (left**2).sum(axis=0) / max(m - 2, 1) / m
        variance = (1 - m / of) * between + m / of * variance
    return phi, np.sqrt(variance), each.halves.mean(axis=0)


def games_error(each: Estimate, of: int) -> Array:
    """(p, K) standard error that the mean over all `of` games has as a sample of the games there might have been."""
    spread = each.phi.var(axis=0, ddof=1) if len(each.phi) > 1 else np.zeros(each.phi.shape[1:])
    return np.sqrt(np.maximum(spread - each.variance.mean(axis=0), 0) / of)
