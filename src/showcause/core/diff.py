"""What changed between two snapshots, as a document: one canonical JSON that every view of a diff is made from.

Laws, tested: Diff.read(d.document) == d; equal diffs have equal bytes; every number in a message or in the headline is
one of the document's, rounded for people (`Change.numbers`, `Diff.numbers`). No time, host or path stands in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from showcause.core import canonical
from showcause.core.errors import Corrupt

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

FORMAT = "showcause-diff/1"

Verdict = Literal["changed", "unchanged", "inconclusive", "not-comparable"]
VERDICTS: tuple[Verdict, ...] = ("changed", "not-comparable", "inconclusive", "unchanged")
# In the order in which a reviewer reads them where nothing else decides.
SECTIONS = (
    "policy",
    "statuses",
    "model",
    "data",
    "decision",
    "performance",
    "fairness",
    "segments",
    "importance",
    "curves",
    "flips",
    "other",
)
Scalar = float | int | str | bool | None


@dataclass(frozen=True)
class Change:
    """One thing that was looked at in both snapshots.

    `section`, `artifact` ("" for what the manifests say) and `key` say what; `before`, `after` are numbers, text, or
    None where a side has none; `delta` is after - before of numbers, `error` its standard error and `noise` says of
    what: "refits", "rows", or None where it is exact. `q` is the p-value corrected over the comparison's family, and
    `margin` the difference below which nothing matters in practice. `facts` holds further numbers of the message.

    `flag`: a reviewer must see it. Changed facts that every retraining brings (another digest) are not flagged.
    """

    section: str
    artifact: str
    key: Mapping[str, str | None]
    before: Scalar
    after: Scalar
    delta: float | None
    error: float | None
    noise: str | None
    q: float | None
    margin: float | None
    verdict: Verdict
    message: str
    flag: bool = False
    facts: Mapping[str, Scalar] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        from showcause.views.notebook import facts_html  # lazy delegation upwards, listed in the layer test

        return facts_html(self)

    @property
    def numbers(self) -> list[float]:
        """Every number that the message may say."""
        given = (self.before, self.after, self.delta, self.error, self.q, self.margin, *self.facts.values())
        return [float(value) for value in given if isinstance(value, int | float) and not isinstance(value, bool)]


@dataclass(frozen=True)
class Diff:
    """`before`, `after`: ref, id and identity of the two snapshots; `changes` in a reviewer's order.

    `panels` says whether retrainings of both sides stand behind the verdicts (`compared`) and why not (`reason`).
    `tables` holds what charts are drawn from: "curves" and "flips", lists of rows. `dictionary` is how views speak of
    features (see Snapshot.dictionary); `cut` counts what was left out of the document, by name.
    """

    before: Mapping[str, Scalar]
    after: Mapping[str, Scalar]
    headline: str
    changes: tuple[Change, ...]
    panels: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, tuple[Mapping[str, Scalar], ...]] = field(default_factory=dict)
    dictionary: Mapping[str, Any] = field(default_factory=dict)
    cut: Mapping[str, int] = field(default_factory=dict)

    @property
    def flags(self) -> tuple[Change, ...]:
        """What a reviewer must see: changed beyond noise, or a fact that no mere retraining brings."""
        return tuple(change for change in self.changes if change.flag)

    @property
    def refused(self) -> tuple[Change, ...]:
        """What could not be compared."""
        return tuple(change for change in self.changes if change.verdict == "not-comparable")

    @property
    def same(self) -> bool:
        """The two snapshots are one: nothing can have changed."""
        return self.before.get("id") == self.after.get("id")

    @cached_property
    def counts(self) -> dict[str, int]:
        """Verdict → how many changes have it; `flagged` besides."""
        found = Counter(change.verdict for change in self.changes)
        return {**{verdict: found[verdict] for verdict in VERDICTS}, "flagged": len(self.flags)}

    @property
    def numbers(self) -> list[float]:
        """Every number that the headline may say: those of the changes and counts of them."""
        sections = Counter((change.section, change.verdict) for change in self.changes)
        counted = [*self.counts.values(), *sections.values(), len(self.changes), *self.cut.values()]
        panel = [value for value in self.panels.values() if isinstance(value, int | float)]
        return [*(n for change in self.changes for n in change.numbers), *map(float, [*counted, *panel])]

    @cached_property
    def document(self) -> bytes:
        body = {name.name: getattr(self, name.name) for name in fields(self) if name.name != "changes"}
        return canonical.dumps({"format": FORMAT, **body, "changes": [asdict(change) for change in self.changes]})

    @cached_property
    def digest(self) -> str:
        return canonical.digest(self.document)

    @classmethod
    def read(cls, document: bytes) -> Diff:
        """Raises Corrupt for bytes that `document` would not have written."""
        value = canonical.loads(document)
        try:
            if value.pop("format") != FORMAT:
                raise Corrupt(f"not a diff that this version reads ({FORMAT})")
            changes = tuple(Change(**change) for change in value.pop("changes"))
            tables = {name: tuple(rows) for name, rows in value.pop("tables").items()}
            diff = cls(changes=changes, tables=tables, **value)
            good = (
                all(change.verdict in VERDICTS and change.section in SECTIONS for change in changes)
                and all(isinstance(change.message, str) and isinstance(change.flag, bool) for change in changes)
                and all(isinstance(change.key, dict) and isinstance(change.facts, dict) for change in changes)
                and all(isinstance(row, dict) for rows in tables.values() for row in rows)
                and all(isinstance(part, dict) for part in (diff.before, diff.after, diff.panels, diff.dictionary))
                and isinstance(diff.headline, str)
                and diff.document == document
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise Corrupt(f"not a diff: {error!r}") from None
        if not good:
            raise Corrupt("not a diff: a field is missing, unknown or of the wrong type")
        return diff

    def markdown(self) -> str:
        """For a pull request: under 60 kB, whatever there is to say."""
        from showcause.views.diff_markdown import markdown  # lazy delegation upwards, listed in the layer test

        return markdown(self)

    def report(self, path: str | PathLike[str]) -> Path:
        """Write one self-contained HTML file with before and after in one chart, and return its path."""
        from showcause.views.diff_page import report  # lazy delegation upwards, listed in the layer test

        return report(self, path)

    def _repr_html_(self) -> str:
        from showcause.views.notebook import diff_html  # lazy delegation upwards, listed in the layer test

        return diff_html(self)

    def __repr__(self) -> str:
        said = ", ".join(f"{count} {verdict}" for verdict, count in self.counts.items())
        return f"Diff({self.before.get('ref')!r} → {self.after.get('ref')!r}, {said})"
