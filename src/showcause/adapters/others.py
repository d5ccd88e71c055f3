"""The rows that stand behind a decision: training rows where there are any, else the other rows explained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from showcause.adapters.dataset import Dataset
from showcause.adapters.frame import Frame, Rows


@dataclass(frozen=True)
class Others:
    """`rows` are the numbers of `frame`'s rows in what the user gave; `labels` as Dataset's y; `outputs` the model's.

    source   "train" or "explained"; `of` is how many such rows there are, more than `rows` where they were sampled
    """

    frame: Frame
    rows: Rows
    labels: Rows | None
    outputs: Rows
    source: str
    of: int

    @property
    def document(self) -> dict[str, Any]:
        """What the spec says of them: `{"among": …}`."""
        sampled = {"sampled_from": self.of} if len(self.rows) < self.of else {}
        return {"among": {"source": self.source, "count": len(self.rows), **sampled}}


def others(
    data: Dataset, outputs: Rows, limit: int | None, rng: Any, predict: Callable[[Frame | None], Rows]
) -> Others:
    """At most `limit` of them, a sample from `rng` in ascending order; all where limit is None.

    predict   the model's outputs of a frame; of all training rows where it is None
    """
    source, frame, labels = "train", data.train, data.train_y
    if frame is None:
        source, frame, labels = "explained", data.X, data.y
    picked = _sample(len(frame), limit, rng)
    taken = frame if len(picked) == len(frame) else frame.take(picked)
    labels = None if labels is None else labels[picked]
    if source == "explained":
        return Others(taken, data.positions[picked], labels, outputs[picked], source, len(frame))
    known = predict(None)[picked] if labels is not None or taken is frame else predict(taken)
    return Others(taken, picked, labels, known, source, len(frame))


def _sample(size: int, limit: int | None, rng: Any) -> Rows:
    if limit is None or size <= limit:
        return np.arange(size)
    return np.asarray(np.sort(rng.choice(size, limit, replace=False)))


def neighbour_columns(
    data: Dataset, among: Others, cases: Sequence[tuple[int | None, list[tuple[int, float, str]]]]
) -> tuple[dict[str, Any], Rows]:
    """Columns of a neighbour table, without what the model decided, and the places in `among` that they speak of.

    cases   (row number of the case in `data`, or None for all rows together; its (place in `among`, value, relation),
            in the order of their ranks)
    """
    flat = [(case, rank, *line) for case, lines in cases for rank, line in enumerate(lines, 1)]
    places = np.array([place for _, _, place, _, _ in flat], dtype=np.int64)
    columns: dict[str, Any] = {
        "example": [None if case is None else int(data.positions[case]) for case, *_ in flat],
        "rank": [rank for _, rank, *_ in flat],
        "source": [among.source] * len(flat),
        "row": among.rows[places],
        "value": [float(value) for *_, value, _ in flat],
        "relation": [relation for *_, relation in flat],
    }
    if data.ids is not None:
        columns["id"] = [None if case is None else data.ids[case] for case, *_ in flat]
    return columns, places
