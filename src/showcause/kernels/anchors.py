"""Which of many rules are the most precise, from as few samples as it takes: best-arm identification.

Source: Kaufmann & Kalyanakrishnan 2013 (KL-LUCB); Ribeiro, Singh & Guestrin 2018 (anchors). Pure numbers: `pull(arms)`
samples each of the arms and returns their (hits, draws), or None where its budget is spent.

Notation: n draws and h hits of each arm, beta the exploration rate, delta the chance of error allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[Any]]

STEPS = 25  # of the bisection: bounds to about 3e-8


def divergence(p: Floats, q: Floats) -> Floats:
    """Kullback-Leibler divergence of Bernoulli p from Bernoulli q."""
    p, q = np.clip(p, 1e-16, 1 - 1e-16), np.clip(q, 1e-16, 1 - 1e-16)
    return np.asarray(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)))


def bounds(hits: Floats, draws: Floats, beta: float) -> tuple[Floats, Floats]:
    """(low, high) of each arm: the means whose divergence from what was seen is at most beta / draws."""
    mean = np.divide(hits, draws, out=np.full(len(draws), 0.5), where=draws > 0)
    level = np.divide(beta, draws, out=np.full(len(draws), np.inf), where=draws > 0)
    found = []
    for end in (0.0, 1.0):
        near, far = mean.copy(), np.full(len(mean), end)
        for _ in range(STEPS):
            middle = (near + far) / 2
            inside = divergence(mean, middle) <= level
            near, far = np.where(inside, middle, near), np.where(inside, far, middle)
        found.append(np.where(np.isinf(level), end, near))
    return found[0], found[1]


def rate(arms: int, turn: int, delta: float) -> float:
    """The exploration rate of turn 1, 2, … (Kaufmann & Kalyanakrishnan 2013, alpha 1.1, k1 405.5)."""
    inner = np.log(405.5 * arms * turn**1.1 / delta)
    return float(inner + np.log(inner))


def best(
    hits: Floats,
    draws: Floats,
    top: int,
    pull: Callable[[Sequence[int]], tuple[Floats, Floats] | None],
    *,
    epsilon: float = 0.1,
    delta: float = 0.1,
) -> Floats:
    """Numbers of the `top` arms with the highest means within epsilon; hits and draws are brought forward in place.

    Stops early where `pull` returns None.
    """
    arms, turn = len(draws), 0
    wanted: Sequence[int] = np.flatnonzero(draws == 0).tolist()
    while wanted:
        got = pull(wanted)
        if got is None:
            break
        hits[wanted] += got[0]
        draws[wanted] += got[1]
        if arms <= top:
            break
        turn += 1
        ranked = order(hits, draws)
        low, high = bounds(hits, draws, rate(arms, turn, delta))
        inside, outside = ranked[:top], ranked[top:]
        weakest, rival = int(inside[np.argmin(low[inside])]), int(outside[np.argmax(high[outside])])
        wanted = [] if high[rival] - low[weakest] <= epsilon else [weakest, rival]
    return order(hits, draws)[:top]


def order(hits: Floats, draws: Floats) -> Floats:
    """Arms by their mean, the highest first, earlier ones first among equals; those never drawn last."""
    mean = np.divide(hits, draws, out=np.full(len(draws), -1.0), where=draws > 0)
    return np.argsort(-mean, kind="stable")
