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
    layers = [part.astype(np.float32) for part in (A, 0.1 * rng.normal(size=HIDDEN), B, np.zeros(y.shape[1]))]
    first = [np.zeros_like(part) for part in layers]
    second = [np.zeros_like(part) for part in layers]
    epochs = int(np.clip(VISITS // n, LEAST, MOST))
    steps, step = epochs * -(-n // BATCH), 0
    for _ in range(epochs):
        order = rng.permutation(n)
        for start in range(0, n, BATCH):
            step += 1
            picked = order[start : start + BATCH]
            slopes = _slopes(layers, rows[picked], told[picked])
            rate = RATE * 0.5 * (1 + np.cos(np.pi * step / steps)) * min(1.0, step / WARM)
            by = [np.float32(1 / (1 - float(kept) ** step)) for kept in KEPT]
            for place, slope in enumerate(slopes):
                first[place] += (1 - KEPT[0]) * (slope - first[place])
                second[place] += (1 - KEPT[1]) * (slope * slope - second[place])
                size = np.sqrt(second[place] * by[1]) + np.float32(1e-8)
                layers[place] -= np.float32(rate) * (first[place] * by[0]) / size
    return Network(centre, unit, scale, layers)


def _slopes(layers: list[Array], rows: Array, told: Array) -> list[Array]:
    A, a, B, b = layers
    raw = rows @ A + a
    hidden = np.maximum(raw, 0)
    off = (hidden @ B + b - told) * np.float32(2 / len(rows))
    back = (off @ B.T) * (raw > 0)
    return [rows.T @ back + DECAY * A, back.sum(axis=0), hidden.T @ off + DECAY * B, off.sum(axis=0)]
