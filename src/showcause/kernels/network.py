"""A small network that stands in for a model near one row: plain arrays in, plain arrays out.

Notation
    n, k, K, H  rows, regressors, outputs, hidden units
    A, a        first layer (k, H) and its offsets (H,); rectified
    B, b        second layer (H, K) and its offsets (K,)

Trained on squared error by Adam (Kingma & Ba 2015) in single precision, with a rate that falls to zero (half a cosine).
It is asked for no proof: what it leaves of the model's outputs is estimated besides, so that a bad one costs precision
and never truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

HIDDEN = 32
BATCH = 128
VISITS = 491_520  # rows seen in all, but every row between LEAST and MOST times
LEAST, MOST = 12, 120
RATE, WARM = 0.02, 50  # the highest rate, and the steps until it is reached
KEPT = (np.float32(0.9), np.float32(0.999))
DECAY = np.float32(1e-5)


@dataclass(frozen=True)
class Network:
    """Standardises its rows by `centre` and `unit` (k,); answers are in multiples of `scale` (K,)."""

    centre: Array
    unit: Array
    scale: Array
    layers: list[Array]

    def predict(self, X: Array) -> Array:
        """(n, k) → (n, K)."""
        A, a, B, b = self.layers
        hidden = np.maximum(((X - self.centre) / self.unit).astype(np.float32) @ A + a, 0)
        return np.asarray((hidden @ B + b).astype(np.float64) * self.scale)


def fitted(X: Array, y: Array, rng: np.random.Generator) -> Network:
    """To rows (n, k) and outputs (n, K)."""
    n, k = X.shape
    unit, scale = X.std(axis=0), y.std(axis=0)
    unit, scale = np.where(unit > 0, unit, 1.0), np.where(scale > 0, scale, 1.0)
    centre = X.mean(axis=0)
    rows, told = ((X - centre) / unit).astype(np.float32), (y / scale).astype(np.float32)
    A = rng.normal(size=(k, HIDDEN)) * np.sqrt(2 / k)
    B = rng.normal(size=(HIDDEN, y.shape[1])) / np.sqrt(HIDDEN)
    start = (A, 0.1 * rng.normal(size=HIDDEN), B, np.zeros(y.shape[1]))
    flat = np.concatenate([part.ravel() for part in start]).astype(np.float32)
    slope, first, second, size = (np.zeros_like(flat) for _ in range(4))
    layers, slopes = _parts(flat, start), _parts(slope, start)
    epochs = int(np.clip(VISITS // n, LEAST, MOST))
    steps, step = epochs * -(-n // BATCH), 0
    for _ in range(epochs):
        order = rng.permutation(n)
        shuffled, answers = rows[order], told[order]
        for begin in range(0, n, BATCH):
            step += 1
            _slopes(layers, shuffled[begin : begin + BATCH], answers[begin : begin + BATCH], slopes)
            rate = RATE * 0.5 * (1 + np.cos(np.pi * step / steps)) * min(1.0, step / WARM)
            by = [np.float32(1 / (1 - float(kept) ** step)) for kept in KEPT]
            first += (1 - KEPT[0]) * (slope - first)
            np.multiply(slope, slope, out=slope)
            second += (1 - KEPT[1]) * (slope - second)
            np.multiply(second, by[1], out=size)
            np.sqrt(size, out=size)
            size += np.float32(1e-8)
            flat -= np.float32(rate) * (first * by[0]) / size
    return Network(centre, unit, scale, layers)


def _parts(flat: Array, like: Sequence[Array]) -> list[Array]:
    """Views of a flat array in the shapes of others: all layers move in one step."""
    ends = np.cumsum([part.size for part in like])
    return [flat[end - part.size : end].reshape(part.shape) for part, end in zip(like, ends, strict=True)]


def _slopes(layers: list[Array], rows: Array, told: Array, out: list[Array]) -> None:
    A, a, B, b = layers
    hidden = rows @ A
    hidden += a
    np.maximum(hidden, 0, out=hidden)
    off = hidden @ B
    off += b
    off -= told
    off *= np.float32(2 / len(rows))
    back = off @ B.T
    back *= hidden > 0
    np.matmul(rows.T, back, out=out[0])
    np.matmul(hidden.T, off, out=out[2])
    out[0] += DECAY * A
    out[2] += DECAY * B
    np.sum(back, axis=0, out=out[1])
    np.sum(off, axis=0, out=out[3])
