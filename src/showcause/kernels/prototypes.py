"""Prototypes and criticisms by the maximum mean discrepancy (MMD-critic; Kim, Khanna & Koyejo 2016).

Notation, as in the paper: n rows, k(i, j) a kernel, S the prototypes (m of them), C the criticisms.

J(S) = 2 / (n m) Σ_{i ≤ n, j ∈ S} k(i, j) − 1 / m² Σ_{i, j ∈ S} k(i, j): a constant minus the squared MMD between all
rows and S. witness(l) = 1/n Σ_i k(i, l) − 1/m Σ_{j ∈ S} k(j, l): where S says too little (positive) or too much.
L(C) = Σ_{l ∈ C} |witness(l)| + log det K_C, what criticisms raise.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Rows = np.ndarray[Any, np.dtype[Any]]

TIES = 12  # values that agree to so many decimals are equal: the earlier row is taken
ALIKE = 1e-9  # what is left of a row's k(l, l) below this is rounding: it is a copy of one taken already


def median_width(squared: Rows) -> float:
    """1 / the median of the squared distances (n, n) between different rows: the kernel's γ; 1 where all are equal."""
    upper = np.concatenate([row[i + 1 :] for i, row in enumerate(squared)])
    apart = upper[upper > 0]
    middle = float(np.median(apart, overwrite_input=True)) if len(apart) else 0.0
    return 1.0 / middle if middle > 0 else 1.0


def objective(kernel: Rows, chosen: list[int]) -> float:
    """J(S)."""
    m, n = len(chosen), len(kernel)
    inner = kernel[np.ix_(chosen, chosen)].sum()
    return float(2.0 / (n * m) * kernel[:, chosen].sum() - inner / m**2)


def prototypes(kernel: Rows, count: int) -> list[int]:
    """Up to `count` rows, each the one that raises J most given those before it."""
    n, chosen = len(kernel), list[int]()
    mean = kernel.sum(axis=0)
    taken, inner = 0.0, 0.0  # Σ over S of column sums, Σ over S × S
    between = np.zeros(n)  # Σ_{s ∈ S} k(s, ·)
    for _ in range(min(count, n)):
        m = len(chosen) + 1
        value = 2.0 / (n * m) * (taken + mean) - (inner + 2.0 * between + np.diag(kernel)) / m**2
        value[chosen] = -np.inf
        best = int(np.argmax(value.round(TIES)))
        inner += 2.0 * between[best] + kernel[best, best]
        taken += mean[best]
        between += kernel[best]
        chosen.append(best)
    return chosen


def witness(kernel: Rows, chosen: list[int]) -> Rows:
    """(n,) what the prototypes say too little (positive) or too much (negative) of each row's surroundings."""
    return np.asarray(kernel.mean(axis=0) - kernel[chosen].mean(axis=0))


def criticisms(kernel: Rows, chosen: list[int], count: int) -> list[int]:
    """Up to `count` rows that are no prototypes, each the one that raises L most given those before it.

    The determinant grows by what is left of a row once those taken are projected out (Schur complement), which is kept
    up for all rows at once; copies of a row taken have nothing left and are never taken.
    """
    gap = np.abs(witness(kernel, chosen))
    left = np.diag(kernel).copy()  # k(l, l) − k(l, C) K_C⁻¹ k(C, l)
    basis = np.zeros((0, len(kernel)))  # rows of the Cholesky factor
    found: list[int] = []
    for _ in range(count):
        with np.errstate(divide="ignore", invalid="ignore"):
            value = gap + np.log(np.where(left > ALIKE, left, 0.0))
        value[[*chosen, *found]] = -np.inf
        best = int(np.argmax(value.round(TIES)))
        if not np.isfinite(value[best]):
            break
        row = (kernel[best] - basis[:, best] @ basis) / np.sqrt(left[best])
        basis = np.vstack([basis, row])
        left = left - row**2
        found.append(best)
    return found
