"""Trees that stand in for a model near the rows explained, with exact Shapley values of their own.

Background rows fall into folds, and the trees of a fold are fitted to evaluations with background rows of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from showcause.adapters.forests import Forest, read_forest
from showcause.adapters.frame import Rows
from showcause.kernels import trees as kernels

if TYPE_CHECKING:
    from showcause.adapters.games import Table
    from showcause.adapters.shapley import Explained

FOLDS = 2
LEAST = 400  # evaluated rows, below which nothing is fitted
MOST = 120_000  # rows that one fit sees, over all outputs
OUTPUTS = 6  # more are not fitted one by one
BLOCK = 1 << 17  # rows predicted at a time
OPTIONS = {"learning_rate": 0.1, "min_samples_leaf": 10, "early_stopping": False, "random_state": 0}


@dataclass(frozen=True)
class Proxy:
    """matrix (pool, p): the rows explained, then the background, as numbers; fold (m,) of each background row; one
    forest a fold and output, and what it tells apart of the matrix, so that a mixed row is mixed codes; `pool` its
    answers (folds, pool, K)."""

    matrix: Rows
    size: int
    fold: Rows
    forests: list[list[Forest]]
    codes: list[list[Rows]]
    pool: Rows

    def ask(self, row: Rows, donor: Rows, inside: Rows) -> Rows:
        """(q, K) as `Table.ask`, from the trees of the background row's fold."""
        out = np.empty((len(row), len(self.forests[0])))
        for h, forests in enumerate(self.forests):
            mine = np.flatnonzero(self.fold[donor] == h)
            for start in range(0, len(mine), BLOCK):
                part = mine[start : start + BLOCK]
                for k, (forest, codes) in enumerate(zip(forests, self.codes[h], strict=True)):
                    mixed = np.where(inside[part], codes[row[part]], codes[self.size + donor[part]])
                    out[part, k] = forest.predict_codes(mixed)[:, 0]
        return out

    def ends(self, row: int, donors: Rows) -> tuple[Rows, Rows]:
        """(m, K) of the row explained and of the background rows, in each game."""
        fold = self.fold[donors]
        return self.pool[fold, row], self.pool[fold, self.size + donors]

    def values(self, rows: Sequence[int]) -> Rows:
        """(rows, p, K) exact Shapley values of the trees over the whole background, each fold over its own rows."""
        total = np.zeros((len(rows), self.matrix.shape[1], len(self.forests[0])))
        for h, forests in enumerate(self.forests):
            behind = self.matrix[self.size :][self.fold == h]
            each = [kernels.interventional(forest, self.matrix[list(rows)], behind)[0][:, :, 0] for forest in forests]
            total += len(behind) / len(self.fold) * np.stack(_padded(each, self.matrix.shape[1]), axis=2)
        return total


def _padded(values: list[Rows], p: int) -> list[Rows]:
    """The last columns may be ones that no tree splits."""
    return [np.concatenate([v, np.zeros((len(v), p - v.shape[1]))], axis=1) for v in values]


def fitted(matrix: Rows, table: Table, explained: Sequence[Explained], trees: int) -> Proxy | None:
    """Trees for every fold and output, or None where there is too little to fit or to hold out."""
    m, outputs = len(table.reference), table.predictions.shape[1]
    if m < 2 * FOLDS or outputs > OUTPUTS:
        return None
    fold = np.arange(m) % FOLDS
    size = table.size
    row, donor, inside, answer = _evaluated(table, explained)
    if len(row) < LEAST:
        return None
    forests = []
    for h in range(FOLDS):
        others = np.flatnonzero(fold[donor] != h)
        most = max(LEAST, MOST // outputs)
        if len(others) > most:
            others = np.random.default_rng(h).choice(others, most, replace=False)
        mixed = np.where(inside[others], matrix[row[others]], matrix[size + donor[others]])
        behind = np.flatnonzero(fold != h)
        rows = np.concatenate([mixed, matrix[:size], matrix[size + behind]])
        told = np.concatenate([answer[others], table.predictions, table.reference[behind]])
        forests.append([_fit(rows, told[:, k], trees) for k in range(outputs)])
    codes = [[forest.encode(matrix) for forest in each] for each in forests]
    told_by = [
        [f.predict_codes(c)[:, 0] for f, c in zip(*both, strict=True)] for both in zip(forests, codes, strict=True)
    ]
    pool = np.stack([np.column_stack(each) for each in told_by])
    return Proxy(matrix, size, fold, forests, codes, pool)


def _evaluated(table: Table, explained: Sequence[Explained]) -> tuple[Rows, Rows, Rows, Rows]:
    """(row, donor, inside, answer) of all borders and draws evaluated."""
    parts: list[tuple[Rows, Rows, Rows, Rows]] = []
    for e in explained:
        assert e.draws is not None
        assert e.inside is not None
        assert e.others is not None
        parts.append((*e.place(), np.concatenate([e.first, e.last])))
        done = np.flatnonzero(~np.isnan(e.inside[:, 0])) if e.inside.size else np.zeros(0, dtype=np.int64)
        donor = np.tile(e.donors[e.draws.game[done]], 2)
        masks = np.concatenate([e.draws.inside[done], e.draws.others[done]])
        answer = np.concatenate([e.inside[done], e.others[done]])
        parts.append((np.full(len(donor), e.row), donor, masks, answer))
    row, donor, inside, answer = (np.concatenate(column) for column in zip(*parts, strict=True))
    return row, donor, inside, answer


def _fit(rows: Rows, told: Rows, trees: int) -> Forest:
    from sklearn.ensemble import HistGradientBoostingRegressor

    leaves = int(np.clip(len(rows) // 400, 15, 127))
    options: dict[str, Any] = {**OPTIONS, "max_iter": trees, "max_leaf_nodes": leaves}
    return read_forest(HistGradientBoostingRegressor(**options).fit(rows, told))
