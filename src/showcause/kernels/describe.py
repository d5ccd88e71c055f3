"""Few short rules that describe a subset of rows: conjunctions of one or two conditions, found greedily.

Notation: holds (n, m) whether row i meets condition j; member (n,) whether it is in the subset; a rule is one condition
or two; of the n_r rows that meet it, h_r are members. Its quality is the weighted relative accuracy

    (n_r / n) · (h_r / n_r - mean(member)),

which weighs precision against coverage (Lavrač, Flach & Zupan 1999). After a rule, the members that it covers are
left out of the count of what remains to be described, and the search goes on (sequential covering). A rule counts only
where as many members among its rows would be a coincidence: hypergeometric tail, Bonferroni over all rules tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import hypergeom

Rows = np.ndarray[Any, np.dtype[Any]]

LEVEL = 0.05
LEAST = 5  # members that a rule must cover
MOST = 400  # conditions that are paired with each other, the best alone; all count as tried


@dataclass(frozen=True)
class Described:
    """`conditions`: one or two columns of `holds`; rows that meet them, members among those."""

    conditions: tuple[int, ...]
    rows: int
    members: int


def describe(holds: Rows, member: Rows, limit: int = 3, least: int = LEAST) -> list[Described]:
    """At most `limit` rules, the best first; none where no rule is beyond coincidence. Ties go to fewer conditions,
    then to earlier ones, so the same input gives the same rules."""
    n, m = holds.shape
    total = int(member.sum())
    if not n or not m or not 0 < total < n:
        return []
    alone = (member @ holds.astype(np.float64) - holds.sum(axis=0) * member.mean()) / n
    kept = np.sort(np.argsort(-alone, kind="stable")[:MOST])
    tried = m * (m + 1) // 2
    holds, m = holds[:, kept], len(kept)
    wide = holds.astype(np.float64)
    both = wide.T @ wide  # (m, m) rows that meet both; the diagonal: one condition alone
    hits = wide.T @ (wide * member[:, None])
    left = member.astype(np.float64)
    found: list[Described] = []
    while len(found) < limit:
        fresh = wide.T @ (wide * left[:, None])
        quality = (fresh - both * left.mean()) / n
        quality[(hits < least) | (fresh < least)] = -np.inf
        quality[np.tril_indices(m, -1)] = -np.inf
        quality[np.diag_indices(m)] *= 1 + 1e-9  # one condition rather than two that say the same
        best = int(quality.argmax())
        i, j = divmod(best, m)
        if not np.isfinite(quality[i, j]) or quality[i, j] <= 0:
            break
        size, inside = int(both[i, j]), int(hits[i, j])
        if hypergeom.sf(inside - 1, n, total, size) * tried > LEVEL:
            break
        found.append(Described(tuple(kept[[i]].tolist() if i == j else kept[[i, j]].tolist()), size, inside))
        left = left * ~(holds[:, i] & holds[:, j])
    return found
