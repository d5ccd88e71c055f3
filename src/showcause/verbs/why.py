"""Why one row gets its decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from showcause.adapters.dataset import Dataset, finite
from showcause.adapters.frame import Frame
from showcause.adapters.kept import cell
from showcause.adapters.model import Task
from showcause.adapters.recast import native, recast, worded
from showcause.core.artifact import Artifact
from showcause.core.errors import DataError
from showcause.core.snapshot import Snapshot
from showcause.methods.reasons.cutoff import artifact_of
from showcause.verbs.reasons import Judge, stored
from showcause.views.notebook import reasons_html
from showcause.views.reasons import Row, Wording, ordered, ties


@dataclass(frozen=True)
class Why:
    """The reasons of one row: `codes`, `text`, `decision`, `score`; `artifact` holds every column's contribution."""

    snapshot: Snapshot
    artifact: Artifact

    @cached_property
    def _reasons(self) -> list[Row]:
        return ordered(self.artifact.table.to_pylist())

    @property
    def decision(self) -> str | None:
        found = self.artifact.table.to_pylist()[0].get("decision")
        return None if found is None else str(found)

    @property
    def score(self) -> float:
        return float(self.artifact.table["score"][0].as_py())

    @property
    def codes(self) -> list[str]:
        wording = Wording.of(self.snapshot, self.artifact.spec)
        return [wording.code(row["feature"], row["side"]) for row in self._reasons]

    @property
    def features(self) -> list[str]:
        return [row["feature"] for row in self._reasons]

    @property
    def places(self) -> list[int]:
        """From 1; equal places are ties."""
        return [row["rank"] for row in self._reasons]

    @property
    def text(self) -> str:
        """The reasons in words, one a line, and which of them tie."""
        wording = Wording.of(self.snapshot, self.artifact.spec)
        lines = [f"{number}. {wording.sentence(row)}" for number, row in enumerate(self._reasons, 1)]
        return "\n".join([*lines, *ties(self.places, any(row.get("note") for row in self._reasons), str)])

    def report(
        self, path: str | PathLike[str], *, slots: Mapping[str, Any] | None = None, language: str | None = None
    ) -> Path:
        """Write the letter about this row, as snapshot.report(audience="subject") does for the snapshot's own."""
        from showcause.views.page import letter_html

        made = letter_html(self.snapshot, example=0, reasons=self.artifact, slots=slots, language=language)
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(made, encoding="utf-8", newline="\n")
        return target

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return reasons_html(self.decision, self.score, self.text.split("\n"), self.artifact)


def why(
    snapshot: Snapshot,
    row: Any,
    model: Any,
    *,
    reference: Any = None,
    task: Task | None = None,
    version: str | None = None,
) -> Why:
    """The reasons of one row: a mapping of column to value, a pandas series, or a frame of one row.

    model, reference, task and version as in `showcause.reasons`; raises as it does, and DataError for anything but one
    row.
    """
    frame = _one(row, snapshot, model)
    judge = Judge.of(snapshot, model, frame, reference=reference, task=task, version=version)
    data = Dataset(judge.job.data.X, np.zeros(1, dtype=np.int64), given=1)
    job = replace(judge.job, data=data)
    return Why(snapshot, artifact_of(job, judge.artifact, judge.explained(data.X), judge.usual))


def _one(row: Any, snapshot: Snapshot, model: Any) -> Frame:
    order, kinds = snapshot.manifest.data["order"], stored(snapshot).spec["kinds"]
    if isinstance(row, Mapping) or (hasattr(row, "to_dict") and hasattr(row, "index") and not hasattr(row, "columns")):
        return _of_cells({str(name): value for name, value in dict(row).items()}, order, kinds, model)
    bare = isinstance(row, np.ndarray)
    frame = Frame.of(np.atleast_2d(row) if bare else row, what="the row", names=order if bare else None)
    if lacking := [name for name in order if name not in frame.names]:
        raise DataError(f"the row lacks the columns {lacking[:12]}")
    if len(frame) != 1:
        raise DataError(f"give one row; these are {len(frame)} (showcause.reasons takes any number)")
    if any(pa.types.is_null(frame.arrow(name).type) for name in order):  # a lone None says nothing of its column's type
        return _of_cells({name: frame.arrow(name)[0].as_py() for name in order}, order, kinds, model)
    return finite(Frame.of(worded(model, frame.select(order).native)), "the row")


def _of_cells(cells: Mapping[str, Any], order: Sequence[str], kinds: Mapping[str, str], model: Any) -> Frame:
    """One row of the types that the snapshot's rows have: single values have none, a missing one least of all."""
    if lacking := [name for name in order if name not in cells]:
        raise DataError(f"the row lacks the columns {lacking[:12]}; a missing value is None")
    table = pa.table({name: cell(cells[name], kinds[name], name) for name in order})
    return finite(Frame.of(recast(model, native(table))), "the row")
