"""An artifact is a table and a spec: the numbers with their errors, what they mean and how to make them again.

Law: Artifact.read(a.document, objects) == a, and equal artifacts have equal digests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from showcause.core import canonical, kinds
from showcause.core import table as tables
from showcause.core.errors import Corrupt, InputError, ShowcauseError

if TYPE_CHECKING:
    import altair

FORMAT = "showcause-artifact/1"


class Objects(Protocol):
    """Where bytes are read by digest; a reader verifies them before it returns them."""

    def get(self, digest: str) -> bytes: ...


@dataclass(frozen=True)
class Artifact:
    """`table` is of kind `kind`; `blobs` are arrays or files that the spec refers to by name.

    `dictionary` is its snapshot's (see Snapshot.dictionary): how views speak of it, no part of its bytes.
    """

    name: str
    kind: str
    spec: Mapping[str, Any]
    table: pa.Table
    blobs: Mapping[str, bytes] = field(default_factory=dict)
    dictionary: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def encoded(self) -> tuple[bytes, str]:
        return tables.encode(self.table)

    @cached_property
    def document(self) -> bytes:
        """Canonical JSON that names the table and blobs by digest. Its digest is the artifact's."""
        data, media = self.encoded
        return canonical.dumps(
            {
                "format": FORMAT,
                "name": self.name,
                "kind": self.kind,
                "spec": self.spec,
                "columns": tables.columns(self.table),
                "rows": self.table.num_rows,
                "table": {"digest": canonical.digest(data), "media": media, "size": len(data)},
                "blobs": {name: canonical.digest(blob) for name, blob in self.blobs.items()},
            }
        )

    @cached_property
    def digest(self) -> str:
        return canonical.digest(self.document)

    def objects(self) -> list[bytes]:
        """Everything to store, the document last, so that what it names is there before it."""
        return [self.encoded[0], *self.blobs.values(), self.document]

    @classmethod
    def read(cls, document: bytes, objects: Objects) -> Artifact:
        head = read_head(document)
        data = objects.get(head["table"]["digest"])
        if len(data) != head["table"]["size"]:
            raise Corrupt(f"the table of {head['name']} has {len(data)} bytes, not {head['table']['size']}")
        table = tables.decode(data, head["table"]["media"], head["columns"])
        if table.num_rows != head["rows"]:
            raise Corrupt(f"the table of {head['name']} has {table.num_rows} rows, not {head['rows']}")
        try:
            kinds.check(head["kind"], table)
        except InputError as error:
            raise Corrupt(str(error)) from None
        blobs = {name: objects.get(digest) for name, digest in head["blobs"].items()}
        return cls(head["name"], head["kind"], head["spec"], table, blobs)

    def to_pandas(self) -> Any:
        return self.table.to_pandas()

    def figure(self, **options: Any) -> altair.Chart:
        from showcause.views.figure import figure  # lazy delegation upwards, listed in the layer test

        return figure(self, **options)

    def to_shap(self, *, target: str | None = None, feature: str | None = None) -> Any:
        """A shap.Explanation that shap's own plots draw: of attributions, importances and curves."""
        from showcause.views.explanation import explanation  # lazy delegation upwards, listed in the layer test

        return explanation(self, target, feature)

    def _repr_html_(self) -> str:
        from showcause.views.notebook import artifact_html  # lazy delegation upwards, listed in the layer test

        return artifact_html(self)

    def __repr__(self) -> str:
        return f"Artifact({self.name!r}, {self.kind}, {self.table.num_rows} rows, {self.digest[:12]})"


def read_head(document: bytes) -> dict[str, Any]:
    """The artifact document as a dictionary whose every field has been checked."""
    head = canonical.loads(document)
    wanted = {"format", "name", "kind", "spec", "columns", "rows", "table", "blobs"}
    try:
        if head["format"] != FORMAT:
            raise Corrupt(f"format {head['format']!r}; this version reads {FORMAT!r}")
        good = (
            set(head) == wanted
            and isinstance(head["name"], str)
            and isinstance(head["spec"], dict)
            and all(isinstance(name, str) and kind in kinds.TYPES for name, kind in head["columns"])
            and len(head["columns"]) <= tables.MAX_COLUMNS
            and 0 <= head["rows"] <= tables.MAX_ROWS
            and set(head["table"]) == {"digest", "media", "size"}
            and all(canonical.is_digest(d) for d in [head["table"]["digest"], *head["blobs"].values()])
        )
        kinds.kind(head["kind"])
    except Corrupt:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, ShowcauseError) as error:
        raise Corrupt(f"not an artifact document: {error!r}") from None
    if not good:
        raise Corrupt("not an artifact document: a field is missing, unknown or of the wrong type")
    return dict(head)
