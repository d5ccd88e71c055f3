"""A verdict is a document beside a snapshot: under this policy, on this day, against this baseline, blessed or not.

Editing a policy makes a new verdict, never a new snapshot. Laws, tested:

- Verdict.read(v.document) == v, and equal verdicts have equal digests;
- it is blessed if and only if it is enforced, there is a snapshot and a policy, something was checked and nothing
  refuses; a document that says otherwise is Corrupt;
- nothing in advise mode is ever blessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import cached_property
from typing import Any, Literal

from showcause.core import canonical
from showcause.core.errors import Corrupt
from showcause.core.finding import RESULTS, Outcome

FORMAT = "showcause-verdict/1"
Mode = Literal["enforce", "advise"]
MODES: tuple[Mode, ...] = ("enforce", "advise")
NO_BASELINE = "no baseline"

# The codes that concern a verdict itself, whichever check brings them up.
REPLAYED, WAIVER_EXPIRED, NOT_BLESSED, OTHER_POLICY = "SC007", "SC016", "SC018", "SC019"
CODES = {
    REPLAYED: "A verdict that is asked to vouch for a snapshot is about that snapshot",
    WAIVER_EXPIRED: "None of its waivers has run out since",
    NOT_BLESSED: "It is blessed",
    OTHER_POLICY: "It was given under the policy that counts now",
}


@dataclass(frozen=True)
class Waiver:
    """`by` accepts what check `code` says about `subject` (None: about anything), to the end of the day `until`."""

    code: str
    subject: str | None
    by: str
    reason: str
    until: str  # ISO 8601 date

    def covers(self, outcome: Outcome) -> bool:
        return self.code == outcome.code and self.subject in (None, outcome.subject)

    def runs(self, on: str) -> bool:
        return on <= self.until


@dataclass(frozen=True)
class Baseline:
    """The snapshot that was compared with."""

    ref: str
    manifest: str


@dataclass(frozen=True)
class Verdict:
    """`manifest` and `record`: digests of what was judged, None where there was nothing to open; `policy`: its digest,
    "" without one; `date`: UTC; `waivers`: those that were applied."""

    ref: str
    manifest: str | None
    record: str | None
    policy: str
    date: str
    baseline: Baseline | None
    mode: Mode
    outcomes: tuple[Outcome, ...]
    waivers: tuple[Waiver, ...] = ()

    @property
    def blessed(self) -> bool:
        judged = self.manifest is not None and bool(self.policy) and bool(self.outcomes)
        return self.mode == "enforce" and judged and not any(outcome.refuses for outcome in self.outcomes)

    @property
    def refused(self) -> bool:
        """It does not ship. In advise mode only what cannot even be opened is refused."""
        return self.manifest is None or (self.mode == "enforce" and not self.blessed)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not blessed, or on what its blessing rests."""
        if self.blessed:
            counts = [(result, sum(o.outcome == result for o in self.outcomes)) for result in reversed(RESULTS)]
            return (", ".join(f"{count} {result}" for result, count in counts if count),)
        found = [] if self.mode == "enforce" else ["advise mode: everything is reported, nothing is blessed"]
        found += [] if self.policy else ["there is no policy"]
        return (*found, *(str(outcome) for outcome in self.outcomes if outcome.refuses))

    def _repr_html_(self) -> str:
        from showcause.views.notebook import facts_html  # lazy delegation upwards, listed in the layer test

        return facts_html(self)

    @cached_property
    def document(self) -> bytes:
        return canonical.dumps(
            {
                "format": FORMAT,
                "ref": self.ref,
                "manifest": self.manifest,
                "record": self.record,
                "policy": self.policy,
                "date": self.date,
                "baseline": NO_BASELINE if self.baseline is None else asdict(self.baseline),
                "mode": self.mode,
                "outcomes": [outcome.fields for outcome in self.outcomes],
                "waivers": [asdict(waiver) for waiver in self.waivers],
                "blessed": self.blessed,
                "reasons": list(self.reasons),
            }
        )

    @cached_property
    def digest(self) -> str:
        return canonical.digest(self.document)

    @classmethod
    def read(cls, document: bytes) -> Verdict:
        """Raises Corrupt, also where the document calls blessed what its own outcomes refuse."""
        value = canonical.loads(document)
        try:
            if value.pop("format") != FORMAT:
                raise Corrupt(f"not a verdict that this version reads ({FORMAT})")
            del value["blessed"], value["reasons"]
            baseline = value.pop("baseline")
            verdict = cls(
                outcomes=tuple(Outcome.read(item) for item in value.pop("outcomes")),
                waivers=tuple(Waiver(**item) for item in value.pop("waivers")),
                baseline=None if baseline == NO_BASELINE else Baseline(**baseline),
                **value,
            )
            good = _well_formed(verdict) and verdict.document == document
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Corrupt(f"not a verdict: {error!r}") from None
        if not good:
            raise Corrupt(
                "not a verdict: a field is missing, of the wrong type, or it is not what its outcomes come to"
            )
        return verdict

    def objections(self, *, manifest: str, policy: str, on: str) -> tuple[Outcome, ...]:
        """Why this verdict cannot vouch for `manifest` under `policy` on the day `on`; empty where it can.

        A verdict of another snapshot is a replay; one under another policy, or with a waiver that has run out since,
        is too old; one that blesses nothing vouches for nothing.
        """
        found = []
        if self.manifest != manifest:
            said = f"this verdict is about the snapshot {_short(self.manifest)}, not {_short(manifest)}"
            found.append((REPLAYED, said))
        if self.policy != policy:
            found.append(
                (OTHER_POLICY, f"this verdict is under the policy {_short(self.policy)}, not {_short(policy)}")
            )
        late = [waiver for waiver in self.waivers if not waiver.runs(on)]
        found += [(WAIVER_EXPIRED, f"the waiver of {w.code} by {w.by} ran out on {w.until}") for w in late]
        if not self.blessed:
            found.append((NOT_BLESSED, "; ".join(self.reasons)))
        return tuple(Outcome(code, "fail", "fail", self.ref, message) for code, message in found)


def _well_formed(verdict: Verdict) -> bool:
    digests: Sequence[Any] = (verdict.manifest, verdict.record, verdict.policy or None)
    texts = [text for w in verdict.waivers for text in (w.code, w.by, w.reason, w.until)]
    named = [] if verdict.baseline is None else [verdict.baseline.manifest]
    days = [verdict.date, *(waiver.until for waiver in verdict.waivers)]
    return (
        all(digest is None or canonical.is_digest(digest) for digest in [*digests, *named])
        and isinstance(verdict.ref, str)
        and verdict.mode in MODES
        and all(isinstance(text, str) for text in texts)
        and all(date.fromisoformat(day).isoformat() == day for day in days)
    )


def _short(digest: str | None) -> str:
    return digest[:12] if digest else "(none)"
