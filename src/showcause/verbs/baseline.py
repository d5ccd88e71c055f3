"""The baseline's own rows and background, for a new model to be explained on: like is then compared with like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from showcause.adapters.dataset import SAMPLE_ROWS, dataset, frame_digest, values_digest
from showcause.adapters.frame import Frame, Rows
from showcause.adapters.model import ordered
from showcause.adapters.stored import CONTEXT, FEATURE, LABEL, restored
from showcause.core.errors import DataError, InputError
from showcause.core.snapshot import Snapshot, Status
from showcause.methods.method import Job

PREFIX = "baseline/"
INPUT = "input/baseline"
# What a diff compares; what needs a background is kept only where it is the baseline's.
COMPARED = (
    *("attribution/shapley", "attribution/tree_shap"),
    *("dependence/ale", "dependence/interaction", "dependence/pdp", "dependence/shap"),
    *("importance/correlated_groups", "importance/interaction", "importance/permutation", "importance/shap"),
    *("model/calibration", "model/performance", "model/predictions"),
    *("refits/dependence", "refits/importance", "refits/performance"),
    *("segments/calibration", "segments/fairness", "segments/importance", "segments/performance"),
)


@dataclass(frozen=True)
class Pinned:
    """`job` explains the baseline's rows, None where there is nothing to do or no way to; `status` says which;
    `facts` stand in the manifest; `background` is the digest of the baseline's."""

    job: Job | None
    status: Status
    facts: Mapping[str, Any]
    background: str | None = None


def pinned(job: Job, baseline: Snapshot, reference: Any) -> Pinned:
    """The job of explaining job.model on the rows of `baseline`: those it stores, or `reference`, checked by digest.

    reference   None, X, (X, y), or a mapping with "X", "y", "context", "background"; X may have further columns, which
                the new model needs

    Raises DataError where the reference's rows are not the baseline's.
    """
    facts = baseline.manifest.data
    known: dict[str, Any] = {"manifest": baseline.id, "rows": facts.get("rows", {}).get("explained")}
    given = _given(reference)
    if not given and "data/rows" not in baseline:
        why = baseline.manifest.statuses.get("data/rows")
        reason = f"the baseline's rows are not stored ({why.reason if why else 'it has no data/rows'})"
        return Pinned(None, Status("failed", f"{reason}; give them as reference=", "no-baseline-rows"), known)
    if not given and (
        lost := [n for n in job.data.X.names if FEATURE + n not in baseline["data/rows"].table.column_names]
    ):
        reason = f"the baseline's rows lack the model's columns {lost[:8]}; give them with these as reference="
        return Pinned(None, Status("failed", reason, "no-baseline-rows"), known)
    seed = int(baseline.record.configuration.get("seed", 0))
    data = _dataset(job, baseline, given, seed)
    _check(data, facts, "reference=" if given else "the baseline's stored rows")
    behind = _background(job, baseline, given)
    trained = None if job.data.train is None else overlap(data.X, job.data.train)
    known |= {"trained_on": trained}
    if frame_digest(data.X) == frame_digest(job.data.X) and seed == job.seed and _same(behind, job.background()):
        return Pinned(None, Status("ok", "the baseline explains the same rows against the same background"), known)
    said = (
        "how many of them the model was trained on is unknown"
        if trained is None
        else f"the model was trained on {trained}"
    )
    status = Status("ok", f"{len(data)} rows of the baseline; {said}")
    if behind is None:
        status = replace(status, reason=f"{status.reason}; its background is not stored, so no Shapley values")
    new = replace(job, data=data, seed=seed, given_background=behind, memory={}, uses={})
    return Pinned(new, status, known, None if behind is None else frame_digest(behind))


def _given(reference: Any) -> dict[str, Any]:
    if reference is None:
        return {}
    if isinstance(reference, Mapping) and "X" in reference:
        return dict(reference)
    if isinstance(reference, tuple) and len(reference) == 2:
        return {"X": reference[0], "y": reference[1]}
    return {"X": reference}


def _dataset(job: Job, baseline: Snapshot, given: Mapping[str, Any], seed: int) -> Any:
    """The baseline's rows as a Dataset of the new model's columns, with the baseline's segments."""
    facts, context, y = baseline.manifest.data, given.get("context"), given.get("y")
    if given:
        frame = ordered(job.model, Frame.of(given["X"], what="reference", names=job.model.features))
    else:
        table = baseline["data/rows"].table.combine_chunks()
        columns = {name: table[name].combine_chunks() for name in table.column_names}
        frame = restored({name: columns[FEATURE + name] for name in job.data.X.names}, job.data.X)
        beside = {name.removeprefix(CONTEXT): c for name, c in columns.items() if name.startswith(CONTEXT)}
        context = pa.table(beside) if beside else None
        y = _labels(job, columns.get(LABEL))
    named = {name: facts.get(name, []) for name in ("segments", "protected")}
    here = {*frame.names, *(() if context is None else Frame.of(context, what="context").names)}
    data = dataset(
        job.model,
        frame,
        y,
        context=context,
        segments=[name for name in named["segments"] if name in here],
        protected=[name for name in named["protected"] if name in here],
        features=job.data.features,
        limit=SAMPLE_ROWS,
        seed=seed,
        private=job.data.private,
    )
    return replace(data, train=job.data.train, train_y=job.data.train_y, given=facts["rows"]["given"])


def _labels(job: Job, column: Any) -> Any:
    """Stored labels as the model's own."""
    if column is None:
        return None
    if not job.model.classes:
        return column.to_numpy(zero_copy_only=False)
    own = dict(zip(job.model.classes, job.model.labels, strict=True))
    return np.array([own.get(text, text) for text in column.to_pylist()])


def _check(data: Any, facts: Mapping[str, Any], what: str) -> None:
    """Raises DataError, naming what differs, unless the rows are the baseline's."""
    if len(data) != facts["rows"]["explained"]:
        raise DataError(f"{what}: {len(data)} rows, and the baseline explains {facts['rows']['explained']}")
    shared = [name for name in facts["columns"] if name in data.X.names]
    other = [name for name in shared if data.X.digest(name) != facts["columns"][name]["digest"]]
    if other or not shared:
        raise DataError(f"{what}: columns {other[:8]} are not those that the baseline explains" if other else
                        f"{what}: no column is the baseline's")  # fmt: skip
    if data.y is not None and facts.get("labels") not in (None, values_digest(data.y)):
        raise DataError(f"{what}: the labels are not those that the baseline explains")


def _background(job: Job, baseline: Snapshot, given: Mapping[str, Any]) -> Frame | None:
    """The baseline's background in the new model's columns, None where it cannot be had. Raises DataError."""
    if given.get("background") is not None:
        return ordered(job.model, Frame.of(given["background"], what="background", names=job.model.features))
    if "data/background" not in baseline:
        return None
    artifact = baseline["data/background"]
    table = artifact.table.combine_chunks()
    if any(FEATURE + name not in table.column_names for name in job.data.X.names):
        return None
    columns = {name: table[FEATURE + name].combine_chunks() for name in job.data.X.names}
    try:
        return restored(columns, job.data.X)
    except InputError:
        return None


def _same(one: Frame | None, other: Frame) -> bool:
    return one is not None and frame_digest(one) == frame_digest(other)


def overlap(rows: Frame, train: Frame) -> int:
    """How many of `rows` have a twin among the training rows: the same value in every column."""
    known = set(_keys(train, rows.names))
    return sum(key in known for key in _keys(rows, rows.names))


def _keys(frame: Frame, names: Any) -> list[tuple[Any, ...]]:
    cells: list[Rows | list[str | None]] = []
    for name in names:
        numbers, levels = frame.column(name).cells()
        cells.append([None if v != v else v for v in numbers.tolist()] if frame.column(name).is_number else levels)
    return list(zip(*cells, strict=True))
