"""The two games at one leaf: the Shapley terms of every pattern that occurs there.

A leaf of value 1 with players 1 … m. A pattern z has bit i set where the explained row meets player i's conditions.

    c_i     path-dependent: the share of training weight that player i's conditions let through
    f_i(t)  = c_i (1 - t) + z_i t
    A, B    interventional: players whose conditions only the explained row meets, only the background row meets

*Path-dependent*: the leaf is worth product of f_i at 0 or 1, player by player, so
    phi_i  = integral over [0, 1] of (z_i - c_i) * product of f_k over k != i,
    phi_ij = 1/2 integral over [0, 1] of (z_i - c_i) (z_j - c_j) * product of f_k over k != i, j,
polynomials of degree below m, exact with ceil(m / 2) Gauss-Legendre nodes (Wettenstein, Mitchell, Yu 2026). With P the
product over all players, (z_i - c_i) P / f_i is g_i P with g_i = (1 - c_i) / f_i where z_i = 1 and -1 / (1 - t) where
z_i = 0; neither divides by zero, whatever the cover.

*Interventional*, for one background pattern: nothing unless every player is met by the row or by the background; then
    phi_i  = (a - 1)! b! / (a + b)! in A, -a! (b - 1)! / (a + b)! in B        (Lundberg et al. 2020)
    phi_ij = half of (a - 2)! b!, a! (b - 2)!, -(a - 1)! (b - 1)!, over (a + b - 1)!, in AA, BB, AB
with a = |A|, b = |B|; summed over the background's distinct patterns with their weights (Nadel & Wettenstein 2025).

Terms are numbered: player i is term i, the pair i < j is term m + j (j - 1) / 2 + i.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from .compiled import compiled
from .forest import Floats
from .patterns import MOST_BITS, Keys

PATH_DEPENDENT, INTERVENTIONAL, DEPENDENCE = 0, 1, 2
MOST_SUMMED = 10  # players up to which sums over all 2^m sets are cheaper than going through pairs of patterns
LANES = 8  # quadrature nodes side by side, of which so many are used, the others zero:
NODES = (MOST_SUMMED + 1) // 2


class Weights(NamedTuple):
    """Constants of both games."""

    t: Floats  # (q, q) row k - 1: the k Gauss-Legendre nodes on [0, 1]
    w: Floats  # (q, q) their weights
    row: Floats  # (a, b) phi_i in A
    other: Floats  # (a, b) phi_i in B, without its sign
    rows: Floats  # (a, b) phi_ij in AA
    others: Floats  # (a, b) phi_ij in BB
    mixed: Floats  # (a, b) phi_ij in AB, without its sign
    rising: Floats  # (k, a, LANES) t^a at the k + 1 nodes
    falling: Floats  # (k, 3, b, LANES) w (1 - t)^b / t^d at the k + 1 nodes, for d = 0, 1, 2


@cache
def weights() -> Weights:
    """Of any forest."""
    most = (MOST_BITS + 1) // 2 + 1
    t, w = np.zeros((most, most)), np.zeros((most, most))
    for k in range(1, most + 1):
        x, y = np.polynomial.legendre.leggauss(k)
        t[k - 1, :k], w[k - 1, :k] = (x + 1.0) / 2.0, y / 2.0
    beta = np.ones((MOST_BITS + 2, MOST_BITS + 2))  # beta[i, j] = i! j! / (i + j + 1)!
    for i in range(len(beta)):
        beta[i, 0] = 1.0 / (i + 1)
        for j in range(1, len(beta)):
            beta[i, j] = beta[i, j - 1] * j / (i + j + 1)
    shifted = np.zeros((3, 3, *beta.shape))
    for i in range(3):
        for j in range(3):
            shifted[i, j, i:, j:] = beta[: len(beta) - i, : len(beta) - j]
    orders, exponent = (MOST_SUMMED + 1) // 2, np.arange(MOST_SUMMED + 1.0)[:, None]
    rising = np.zeros((orders, MOST_SUMMED + 1, LANES))
    falling = np.zeros((orders, 3, MOST_SUMMED + 1, LANES))
    for k in range(orders):
        x, y = t[k, : k + 1], w[k, : k + 1]
        rising[k, :, : k + 1] = x**exponent
        for d in range(3):
            falling[k, d, :, : k + 1] = y * (1.0 - x) ** exponent / x**d
    halves = (shifted[2, 0] / 2, shifted[0, 2] / 2, shifted[1, 1] / 2)
    return Weights(t, w, shifted[1, 0], shifted[0, 1], *halves, rising, falling)


@compiled
def pair_term(m: int, i: int, j: int) -> int:
    """The number of pair i < j among m players' terms."""
    return m + j * (j - 1) // 2 + i


@compiled
def path_dependent_terms(
    patterns: Keys, count: int, ratio: Floats, constants: Weights, pairs: bool, product: Floats, terms: Floats
) -> None:
    """Patterns (count,) of a leaf with shares ratio (m,) → terms (terms, count); product is scratch (count,)."""
    m = len(ratio)
    one = np.uint64(1)
    terms[: m + (m * (m - 1) // 2 if pairs else 0), :count] = 0.0
    order = (m + 1) // 2
    for q in range(order):
        t = constants.t[order - 1, q]
        product[:count] = constants.w[order - 1, q]
        for i in range(m):
            bit, met, unmet = np.uint64(i), ratio[i] * (1.0 - t) + t, ratio[i] * (1.0 - t)
            for k in range(count):
                product[k] *= met if (patterns[k] >> bit) & one else unmet
        g0 = -1.0 / (1.0 - t)
        for j in range(m):
            bit, g1 = np.uint64(j), (1.0 - ratio[j]) / (ratio[j] * (1.0 - t) + t)
            term = terms[j]
            for k in range(count):
                term[k] += product[k] * (g1 if (patterns[k] >> bit) & one else g0)
            if pairs:
                for i in range(j):
                    other, h1 = np.uint64(i), 0.5 * (1.0 - ratio[i]) / (ratio[i] * (1.0 - t) + t)
                    term = terms[pair_term(m, i, j)]
                    for k in range(count):
                        g = g1 if (patterns[k] >> bit) & one else g0
                        term[k] += product[k] * g * (h1 if (patterns[k] >> other) & one else 0.5 * g0)


@compiled
def interventional_terms(
    patterns: Keys,
    count: int,
    m: int,
    background: Keys,
    share: Floats,
    constants: Weights,
    pairs: bool,
    sums: Floats,
    terms: Floats,
) -> None:
    """Patterns (count,) and distinct background patterns with their shares → terms (terms, count); sums is scratch."""
    terms[: m + (m * (m - 1) // 2 if pairs else 0), :count] = 0.0
    if m <= MOST_SUMMED:
        _by_sums(patterns, count, m, background, share, constants, pairs, sums, terms)
        return
    full = (np.uint64(1) << np.uint64(m)) - np.uint64(1)
    for k in range(count):
        needed = full & ~patterns[k]
        b = count_bits(needed)
        for other in range(len(background)):
            if background[other] & needed == needed:
                _add_pair(patterns[k], background[other], m, b, share[other], constants, pairs, terms, k)


@compiled
def _by_sums(
    patterns: Keys,
    count: int,
    m: int,
    background: Keys,
    share: Floats,
    constants: Weights,
    pairs: bool,
    sums: Floats,
    terms: Floats,
) -> None:
    """For all rows at once, by sums over supersets.

    A background pattern counts for a row if it contains B, the players whom the row fails; its A is its complement.
    The weights are integrals of t^a (1 - t)^b, less one in one exponent or two, so with t at the nodes of a quadrature
    they fall apart into a factor of the background's pattern and one of the row's. Per node, the background's factors
    are summed over supersets: the sum at B serves players in B, and the sum at B less that at B with i (background
    patterns without i) serves player i in A.
    """
    order = max(0, (m + 1) // 2 - 1)
    sums[: LANES << m] = 0.0
    for other in range(len(background)):
        to, a = background[other] * np.uint64(LANES), m - count_bits(background[other])
        for q in range(LANES):
            sums[to + np.uint64(q)] = share[other] * constants.rising[order, a, q]
    for i in range(m):  # sums[u] becomes the sum of sums[s] over all s that contain u
        half = LANES << i
        for start in range(0, LANES << m, 2 * half):
            without, with_i = sums[start : start + half], sums[start + half : start + 2 * half]
            for u in range(half):
                without[u] += with_i[u]
    for k in range(count):
        _read_sums(patterns[k], m, constants.falling[order], pairs, sums, terms, k)


@compiled
def _dot(sums: Floats, players: np.uint64, weight: Floats) -> float:
    start, total = players * np.uint64(LANES), 0.0
    for q in range(NODES):
        total += sums[start + np.uint64(q)] * weight[q]
    return total


@compiled
def _read_sums(z: np.uint64, m: int, falling: Floats, pairs: bool, sums: Floats, terms: Floats, k: int) -> None:
    """falling[d, b, q]: weight of node q times (1 - t)^b / t^d."""
    one = np.uint64(1)
    needed = ((one << np.uint64(m)) - one) & ~z
    b = count_bits(needed)
    all_a = _dot(sums, needed, falling[1, b])
    in_b = -_dot(sums, needed, falling[0, b - 1]) if b > 0 else 0.0
    for j in range(m):
        bit_j = one << np.uint64(j)
        j_in_a = (z & bit_j) != 0
        terms[j, k] = all_a - _dot(sums, needed | bit_j, falling[1, b]) if j_in_a else in_b
        if pairs:
            for i in range(j):
                bit_i = one << np.uint64(i)
                i_in_a = (z & bit_i) != 0
                if i_in_a and j_in_a:
                    weight = falling[2, b]
                    with_j = _dot(sums, needed | bit_j, weight) - _dot(sums, needed | bit_i | bit_j, weight)
                    value = _dot(sums, needed, weight) - _dot(sums, needed | bit_i, weight) - with_j
                elif i_in_a or j_in_a:
                    weight = falling[1, b - 1]
                    value = _dot(sums, needed | (bit_i if i_in_a else bit_j), weight) - _dot(sums, needed, weight)
                else:
                    value = _dot(sums, needed, falling[0, b - 2])
                terms[pair_term(m, i, j), k] = 0.5 * value


@compiled
def dependence_terms(
    patterns: Keys, count: int, m: int, background: Keys, share: Floats, hits: Floats, terms: Floats
) -> None:
    """As above, for partial dependence: what replacing player i, or a pair, in every background row does on average.

    Term i is the leaf's partial dependence on player i less the leaf's mean; the term of a pair is their joint partial
    dependence, plus the mean, less those of the two. hits (scratch): shares of the background that meet all players
    but exactly those of the term.
    """
    everyone, full = 0.0, (np.uint64(1) << np.uint64(m)) - np.uint64(1)
    hits[: m + m * (m - 1) // 2] = 0.0
    for other in range(len(background)):
        lacking = full & ~background[other]
        lacks = count_bits(lacking)
        if lacks == 0:
            everyone += share[other]
        elif lacks <= 2:
            term = lowest_bit(lacking)
            if lacks == 2:
                term = pair_term(m, term, lowest_bit(lacking & (lacking - np.uint64(1))))
            hits[term] += share[other]
    for j in range(m):
        bit_j = np.uint64(1) << np.uint64(j)
        with_j = everyone + hits[j]
        for k in range(count):
            terms[j, k] = (with_j if patterns[k] & bit_j else 0.0) - everyone
        for i in range(j):
            bit_i = np.uint64(1) << np.uint64(i)
            with_i, term = everyone + hits[i], pair_term(m, i, j)
            with_both = with_i + hits[j] + hits[term]
            for k in range(count):
                at_i, at_j = (patterns[k] & bit_i) != 0, (patterns[k] & bit_j) != 0
                joint = with_both if at_i and at_j else 0.0
                terms[term, k] = joint - (with_i if at_i else 0.0) - (with_j if at_j else 0.0) + everyone


@compiled
def count_bits(bits: np.uint64) -> int:
    """Without a branch, so that many words are counted side by side (Hacker's Delight, Warren 2012)."""
    pairs = bits - ((bits >> np.uint64(1)) & np.uint64(0x5555555555555555))
    fours = (pairs & np.uint64(0x3333333333333333)) + ((pairs >> np.uint64(2)) & np.uint64(0x3333333333333333))
    bytes_ = (fours + (fours >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return int(np.int64((bytes_ * np.uint64(0x0101010101010101)) >> np.uint64(56)))


@compiled
def lowest_bit(bits: np.uint64) -> int:
    """Its number, from 0."""
    return count_bits((bits & (~bits + np.uint64(1))) - np.uint64(1))


@compiled
def _add_pair(
    z: np.uint64,
    other: np.uint64,
    m: int,
    b: int,
    weight: float,
    constants: Weights,
    pairs: bool,
    terms: Floats,
    k: int,
) -> None:
    """One row pattern and one background pattern that between them meet every player's conditions."""
    one = np.uint64(1)
    a = m - count_bits(other)
    if a + b == 0:
        return
    in_a, in_b = weight * constants.row[a, b], -weight * constants.other[a, b]
    for j in range(m):
        place = np.uint64(j)
        if not (other >> place) & one:
            terms[j, k] += in_a
        elif not (z >> place) & one:
            terms[j, k] += in_b
        else:
            continue
        if pairs:
            j_in_a = not (other >> place) & one
            for i in range(j):
                place_i = np.uint64(i)
                i_in_a = not (other >> place_i) & one
                if i_in_a or not (z >> place_i) & one:
                    value = constants.mixed[a, b]
                    if i_in_a == j_in_a:
                        value = -constants.rows[a, b] if i_in_a else -constants.others[a, b]
                    terms[pair_term(m, i, j), k] -= weight * value
