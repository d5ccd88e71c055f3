"""Everything that a check may look at. Checks read facts and say what they come to; the verb gathers the facts, so that
no check opens a store, calls a model or asks for the time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from showcause.core.diff import Diff
from showcause.core.finding import Finding, Outcome
from showcause.core.snapshot import Snapshot
from showcause.core.verdict import Verdict
from showcause.policy.policy import Policy


@dataclass(frozen=True)
class ModelFacts:
    """The model that was given, as it is now.

    behaviour   the largest difference between its predictions of the probe rows and those in the manifest; None where
                it was not tried, and `untried` says why
    known_as    refs of snapshots of other names in the store that explain this very model
    file        sha256 of the file that it was given as
    """

    digest: str
    opaque: bool
    family: str
    task: str
    classes: tuple[str, ...] = ()
    features: tuple[str, ...] | None = None
    behaviour: float | None = None
    untried: str = ""
    known_as: tuple[str, ...] = ()
    file: str | None = None


@dataclass(frozen=True)
class DataFacts:
    """The data that were given: names of columns (and "labels") that are not as explained, and of those not there."""

    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    rows: int = 0


@dataclass(frozen=True)
class Signed:
    """One signature found beside the snapshot, and what verifying it came to. `signer` and `role` stand in the
    operator's trust file; `policy` is the digest of the policy of the verdict that was signed, "" where none was."""

    state: Literal["good", "unknown-key", "bad", "other-snapshot"]
    signer: str = ""
    role: str = ""
    policy: str = ""
    message: str = ""


@dataclass(frozen=True)
class Facts:
    """`ref` as it was asked for; `on`: the day (UTC, ISO 8601).

    snapshot   what is judged; None where it cannot be opened, and `trouble` says why
    trouble    what reading every byte of it found
    baseline   what it is compared with; None where there is none, and `no_baseline` says why
    diff       of baseline and snapshot, where both can be compared
    stored     the record that the store has under its name and version, None where it has none
    signed     None where nothing here can verify signatures
    verdicts   those kept beside the snapshot; `strangers`: what else was kept there and why it does not belong
    methods    every method there is; `codes`: of every check there is
    said       outcomes of the other checks, for those that come last
    """

    ref: str
    on: str
    policy: Policy
    snapshot: Snapshot | None = None
    trouble: tuple[Finding, ...] = ()
    baseline: Snapshot | None = None
    no_baseline: str = "none was given"
    diff: Diff | None = None
    model: ModelFacts | None = None
    data: DataFacts | None = None
    stored: str | None = None
    signed: tuple[Signed, ...] | None = None
    verdicts: tuple[Verdict, ...] = ()
    strangers: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    codes: frozenset[str] = frozenset()
    said: tuple[Outcome, ...] = field(default=())
