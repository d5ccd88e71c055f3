"""The rows explained, and what is known about their columns: roles, segments and a dictionary of features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from showcause.adapters.frame import Column, Frame, Rows
from showcause.adapters.model import Model, encode_labels, ordered
from showcause.core import canonical
from showcause.core.errors import DataError, choices

SAMPLE_ROWS = 20_000  # above this many rows a stratified sample of this size is explained, and said so
BANDS = 4  # quantile bands of a numeric segment column
MIN_CELL = 30  # a population of fewer rows is not judged: "insufficient"
MAX_LEVELS = 20  # levels of a categorical segment column; the rest stand together as "other"
PRIVATE_ROWS = 5  # a level of fewer rows than this could be one person's


@dataclass(frozen=True)
class Segment:
    """A population: `name` is "column = level"; `rows` are positions in the Dataset's rows."""

    name: str
    by: str
    level: str
    rows: Rows
    missing: bool = False  # the rows without a value

    @property
    def insufficient(self) -> str | None:
        """The note of a population too small to be judged, None for one that is large enough."""
        return None if len(self.rows) >= MIN_CELL else insufficient(len(self.rows))


def insufficient(rows: int) -> str:
    return f"insufficient: {rows} rows"


@dataclass(frozen=True)
class Dataset:
    """`X` in the model's columns and order; `positions` are each row's place in what the user gave.

    y          class positions (int64) or numbers (float64), None where not given
    context    columns that the model never sees but segments and protected attributes may name
    features   name → label, unit, format, values (value labels), description, source; for recourse `monotone`
               ("increase", "decrease": the only way it can go) and `range` ([least, most])
    actionable the only features that recourse may change (None: all but the protected and immutable ones)
    """

    X: Frame
    positions: Rows
    y: Rows | None = None
    context: Frame | None = None
    train: Frame | None = None
    train_y: Rows | None = None
    segments: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    ids: tuple[str, ...] | None = None
    features: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    given: int = 0
    actionable: tuple[str, ...] | None = None
    immutable: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()  # linear, between numeric features: "debt + 2 * rent <= 0.5 * income"
    one_hot: tuple[tuple[str, ...], ...] = ()  # groups of columns of which exactly one is 1
    private: bool = False  # no value of a single row may show: rare levels stand together, band edges are rounded

    def __len__(self) -> int:
        return len(self.X)

    def column(self, name: str) -> Column:
        """A feature or a context column."""
        if name in self.X.names:
            return self.X.column(name)
        if self.context is not None and name in self.context.names:
            return self.context.column(name)
        raise DataError(f"no such column in X or context: {choices(name, self.names)}")

    def take(self, rows: Rows) -> Dataset:
        """The given rows; `given` and the training rows stay what they are."""
        return replace(
            self,
            X=self.X.take(rows),
            positions=self.positions[rows],
            y=None if self.y is None else self.y[rows],
            context=None if self.context is None else self.context.take(rows),
            ids=None if self.ids is None else tuple(self.ids[i] for i in rows),
        )

    @property
    def names(self) -> tuple[str, ...]:
        return self.X.names + (self.context.names if self.context is not None else ())

    def split(self, by: str) -> Iterator[Segment]:
        """The segments of column `by`: its levels, quantile bands of a number, and "missing"."""
        column = self.column(by)
        missing = np.isnan(column.values)
        digits, least = (3, PRIVATE_ROWS) if self.private else (6, 1)
        for level, rows in _bands(column, digits) if column.is_number else _levels(column, least):
            yield Segment(f"{by} = {level}", by, level, rows)
        if missing.any():
            level = "missing" if "missing" not in column.levels else "(no value)"
            yield Segment(f"{by} = {level}", by, level, np.flatnonzero(missing), missing=True)

    def rare_levels(self) -> set[str]:
        """Levels of categorical columns that fewer than PRIVATE_ROWS rows have, here and among the training rows."""
        counts: dict[tuple[str, str], int] = {}
        for frame in (self.X, self.context, self.train):
            for name in () if frame is None else frame.names:
                for level, rows in frame.column(name).counts().items() if frame is not None else ():
                    counts[name, level] = counts.get((name, level), 0) + rows
        return {level for (_, level), rows in counts.items() if rows < PRIVATE_ROWS}

    def all_segments(self) -> list[Segment]:
        """Of every declared segment and protected column, in the order declared."""
        return [segment for by in dict.fromkeys((*self.segments, *self.protected)) for segment in self.split(by)]


def _levels(column: Column, least: int) -> Iterator[tuple[str, Rows]]:
    counts = np.array(list(column.counts().values()), dtype=np.int64)
    kept = sorted(code for code in np.argsort(-counts, kind="stable")[:MAX_LEVELS].tolist() if counts[code] >= least)
    for code in kept:
        yield column.levels[code], np.flatnonzero(column.values == code)
    rest = np.flatnonzero(~np.isnan(column.values) & ~np.isin(column.values, kept))
    if len(rest):
        yield f"other ({len(column.levels) - len(kept)} levels)", rest


def _bands(column: Column, digits: int) -> Iterator[tuple[str, Rows]]:
    present = column.values[np.isfinite(column.values)]
    unique = np.unique(present)
    if len(unique) <= BANDS + 1:
        parts = [(_short(value, digits), column.values == value) for value in unique]
    else:
        edges = np.unique(np.quantile(present, np.linspace(0, 1, BANDS + 1), method="inverted_cdf"))
        texts = [_short(edge, digits) for edge in edges]
        inner = [
            (low, high, f"{a} to under {b}")
            for (low, high), (a, b) in zip(pairwise(edges), pairwise(texts), strict=True)
        ]
        parts = [(text, (column.values >= low) & (column.values < high)) for low, high, text in inner[:-1]]
        parts.append((f"{texts[-2]} to {texts[-1]}", (column.values >= edges[-2]) & (column.values <= edges[-1])))
    names = [name for name, _ in parts]
    for number, (name, inside) in enumerate(
        parts, 1
    ):  # edges that look alike when rounded still are bands of their own
        yield name if names.count(name) == 1 else f"{name} (band {number})", np.flatnonzero(inside)


def _short(value: float, digits: int) -> str:
    return canonical.number(float(f"{value:.{digits}g}"))


def dataset(
    model: Model,
    X: Frame,
    y: Any = None,
    *,
    train: Any = None,
    context: Any = None,
    segments: Sequence[str] = (),
    protected: Sequence[str] = (),
    ids: Sequence[Any] | None = None,
    features: Mapping[str, Mapping[str, Any]] | None = None,
    limit: int | None = None,
    seed: int = 0,
    private: bool = False,
    recourse: Mapping[str, Any] | None = None,
) -> Dataset:
    """Checked and aligned data. `limit` caps the rows by a stratified sample; `recourse` holds
    the roles actionable, immutable, constraints and one_hot (other roles in it are not looked at). Raises DataError."""
    given = len(X)
    if not given:
        raise DataError("X has no rows; there is nothing to explain")
    X = ordered(model, X)
    if not X.names:
        raise DataError("X has no columns; there is nothing to explain")
    labels = None if y is None else encode_labels(model, y)
    if labels is not None and len(labels) != given:
        raise DataError(f"X has {given} rows and y has {len(labels)}")
    beside = None if context is None else Frame.of(context, what="context")
    if beside is not None and len(beside) != given:
        raise DataError(f"X has {given} rows and context has {len(beside)}")
    train_X, train_y = _train(model, train)
    whole = Dataset(
        X,
        np.arange(given),
        labels,
        beside,
        train_X,
        train_y,
        tuple(segments),
        tuple(protected),
        None if ids is None else tuple(str(i) for i in ids),
        features or {},
        given,
        private=private,
        **_recourse(recourse or {}),
    )
    for name in (*segments, *protected, *whole.immutable, *(n for group in whole.one_hot for n in group)):
        whole.column(name)
    for name in whole.actionable or ():
        whole.X.column(name)
    if ids is not None and len(ids) != given:
        raise DataError(f"X has {given} rows and there are {len(ids)} ids")
    return whole if limit is None or given <= limit else _sampled(whole, limit, seed)


def _recourse(roles: Mapping[str, Any]) -> dict[str, Any]:
    actionable = roles.get("actionable")
    return {
        "actionable": None if actionable is None else tuple(actionable),
        "immutable": tuple(roles.get("immutable", ())),
        "constraints": tuple(roles.get("constraints", ())),
        "one_hot": tuple(tuple(group) for group in roles.get("one_hot", ())),
    }


def finite(frame: Frame, what: str) -> Frame:
    """The frame itself. Raises DataError where a number in it is infinite."""
    columns = [frame.column(name) for name in frame.names]
    bad = [column.name for column in columns if column.is_number and np.isinf(column.values).any()]
    if bad:
        raise DataError(f"{what} holds infinite values in {bad[:12]}; replace them, missing values may stay")
    return frame


def _train(model: Model, train: Any) -> tuple[Frame | None, Rows | None]:
    """`train` is (X, y) or X alone."""
    if train is None:
        return None, None
    pair = isinstance(train, tuple) and len(train) == 2
    frame = finite(ordered(model, Frame.of(train[0] if pair else train, what="train", names=model.features)), "train")
    if not len(frame):
        raise DataError("train has no rows")
    labels = encode_labels(model, train[1], what="train labels") if pair and train[1] is not None else None
    if labels is not None and len(labels) != len(frame):
        raise DataError(f"train has {len(frame)} rows and {len(labels)} labels")
    return frame, labels


def _sampled(data: Dataset, limit: int, seed: int) -> Dataset:
    rows = stratified(data.y, len(data), limit, np.random.default_rng([seed, 20_000]))
    return data.take(rows)


def stratified(y: Rows | None, rows: int, size: int, rng: np.random.Generator) -> Rows:
    """`size` row numbers in ascending order; each class (or fifth of a numeric y) keeps its share, at least one row."""
    if y is None:
        return np.sort(rng.choice(rows, size, replace=False))
    strata = y if y.dtype.kind == "i" else np.searchsorted(np.quantile(y, [0.2, 0.4, 0.6, 0.8]), y)
    values, counts = np.unique(strata, return_counts=True)
    if len(values) > size:
        return np.sort(rng.choice(rows, size, replace=False))
    shares = np.maximum(1, np.floor(counts / rows * size)).astype(int)
    while shares.sum() > size:  # rare classes were raised to one row: the largest gives way
        shares[np.argmax(shares)] -= 1
    order = np.argsort(-(counts / rows * size - shares), kind="stable")
    shares[order[: size - shares.sum()]] += 1
    shares = np.minimum(shares, counts)
    picked = [rng.choice(np.flatnonzero(strata == v), n, replace=False) for v, n in zip(values, shares, strict=True)]
    return np.sort(np.concatenate(picked))


def frame_digest(frame: Frame) -> str:
    """One digest of a frame: names and column digests."""
    return canonical.digest(canonical.dumps({name: frame.digest(name) for name in frame.names}))


def values_digest(values: Rows) -> str:
    """Of labels or positions: as the digest of a column."""
    import pyarrow as pa

    from showcause.adapters.frame import column_digest

    return column_digest(pa.array(values))
