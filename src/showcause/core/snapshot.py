"""A snapshot is a manifest of artifact digests, bound to the digests of the model and the data it explains.

The manifest is content: equal inputs give an equal digest, which is the snapshot's id. The record holds the
circumstances (who, when, where, how long) and names the manifest, as a git commit names a tree.

Laws: Manifest.read(m.document) == m; Record.read(r.document) == r; no time, host, path or version of a library
ever stands in a manifest.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from showcause.core import canonical
from showcause.core.artifact import Artifact, Objects, read_head
from showcause.core.errors import Corrupt, NotFound, choices

if TYPE_CHECKING:
    from os import PathLike

    from showcause.verbs.why import Why

MANIFEST = "showcause-manifest/1"
RECORD = "showcause-record/1"

State = Literal["ok", "not-applicable", "failed", "not-given"]
STATES: tuple[State, ...] = ("ok", "not-applicable", "failed", "not-given")


@dataclass(frozen=True)
class Status:
    """What became of one required artifact, or (names under `input/`) of one input.

    ok; not-applicable (`reason`: why it has nothing to say here); failed (`code` of the error, `reason`: its message);
    not-given (inputs only; `reason`: what is lost without it).
    """

    state: State
    reason: str = ""
    code: str = ""

    def _repr_html_(self) -> str:
        from showcause.views.notebook import facts_html  # lazy delegation upwards, listed in the layer test

        return facts_html(self)

    def __str__(self) -> str:
        return self.state + (f" [{self.code}]" if self.code else "") + (f": {self.reason}" if self.reason else "")


@dataclass(frozen=True)
class Manifest:
    """`model`, `data`, `decision`: what was explained; `artifacts`: name → digest; `statuses`: name → Status."""

    model: Mapping[str, Any]
    data: Mapping[str, Any]
    decision: Mapping[str, Any]
    required: tuple[str, ...]
    statuses: Mapping[str, Status]
    artifacts: Mapping[str, str]

    @cached_property
    def document(self) -> bytes:
        statuses = {name: {k: v for k, v in asdict(s).items() if v} for name, s in self.statuses.items()}
        fields = {
            "format": MANIFEST,
            "model": self.model,
            "data": self.data,
            "decision": self.decision,
            "required": sorted(self.required),
            "statuses": statuses,
            "artifacts": self.artifacts,
        }
        return canonical.dumps(fields)

    @cached_property
    def digest(self) -> str:
        return canonical.digest(self.document)

    def _repr_html_(self) -> str:
        from showcause.views.notebook import facts_html  # lazy delegation upwards, listed in the layer test

        return facts_html(self)

    @property
    def complete(self) -> bool:
        """Something is required, and all of it is ok or does not apply."""
        done = ("ok", "not-applicable")
        return bool(self.required) and all(
            name in self.statuses and self.statuses[name].state in done for name in self.required
        )

    @classmethod
    def read(cls, document: bytes) -> Manifest:
        value = canonical.loads(document)
        try:
            if value.pop("format") != MANIFEST:
                raise Corrupt(f"not a manifest that this version reads ({MANIFEST})")
            statuses = {name: Status(**status) for name, status in value.pop("statuses").items()}
            manifest = cls(required=tuple(value.pop("required")), statuses=statuses, **value)
            good = (
                all(isinstance(part, dict) for part in (manifest.model, manifest.data, manifest.decision))
                and all(status.state in STATES for status in statuses.values())
                and all(canonical.is_digest(d) for d in manifest.artifacts.values())
                and {n for n, s in statuses.items() if s.state == "ok" and not n.startswith("input/")}
                == set(manifest.artifacts)
                and manifest.document == document
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise Corrupt(f"not a manifest: {error!r}") from None
        if not good:
            raise Corrupt("not a manifest: a field is missing, unknown or of the wrong type")
        return manifest


@dataclass(frozen=True)
class Record:
    """The circumstances of one snapshot. `parent` is the record of the version before, so history is a chain; `nonce`
    makes every record its own, so that two writers never share one."""

    manifest: str
    name: str
    version: int
    parent: str | None
    made_at: str  # UTC, ISO 8601
    by: str
    commit: str | None  # of the user's code, where it is under git
    nonce: str = field(default_factory=lambda: uuid.uuid4().hex)
    environment: Mapping[str, str] = field(default_factory=dict)  # package → version
    configuration: Mapping[str, Any] = field(default_factory=dict)  # policy digest, seed, consents
    durations: Mapping[str, float] = field(default_factory=dict)  # artifact → seconds

    @cached_property
    def document(self) -> bytes:
        return canonical.dumps({"format": RECORD, **asdict(self)})

    @cached_property
    def digest(self) -> str:
        return canonical.digest(self.document)

    def _repr_html_(self) -> str:
        from showcause.views.notebook import facts_html  # lazy delegation upwards, listed in the layer test

        return facts_html(self)

    @classmethod
    def read(cls, document: bytes) -> Record:
        value = canonical.loads(document)
        try:
            if value.pop("format") != RECORD:
                raise Corrupt(f"not a record that this version reads ({RECORD})")
            record = cls(**value)
            good = (
                canonical.is_digest(record.manifest)
                and isinstance(record.name, str)
                and isinstance(record.version, int)
                and (record.parent is None or canonical.is_digest(record.parent))
                and record.document == document
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise Corrupt(f"not a record: {error!r}") from None
        if not good:
            raise Corrupt("not a record: a field is missing, unknown or of the wrong type")
        return record


class Kept(Objects, Protocol):
    """Objects, and what was attached to a manifest later."""

    def attached(self, manifest: str, kind: str) -> list[str]: ...


@dataclass(frozen=True)
class Snapshot(Mapping[str, Artifact]):
    """A lazy mapping artifact name → Artifact: all that views ever get.

    `record` says where it came from; `ref` is how it was asked for or published ("credit/7").
    """

    manifest: Manifest
    record: Record
    objects: Kept
    ref: str
    _loaded: dict[str, Artifact] = field(default_factory=dict, compare=False)
    _heads: dict[str, dict[str, Any]] = field(default_factory=dict, compare=False)

    @property
    def id(self) -> str:
        return self.manifest.digest

    @property
    def complete(self) -> bool:
        return self.manifest.complete

    @property
    def statuses(self) -> Mapping[str, Status]:
        """Of every artifact asked for and of every input; those of name and store depend on the circumstances."""
        named = Status("ok") if self.record.name else Status("not-given", "the snapshot has no name, so no version")
        stored = Status("ok") if self.record.version else Status("not-given", "the snapshot lives in memory only")
        return {**self.manifest.statuses, "input/name": named, "input/store": stored}

    @property
    def dictionary(self) -> dict[str, Any]:
        """How views speak of it: `features` (label, unit, value labels of each) and `label`, the column predicted."""
        data = self.manifest.data
        return {"features": data.get("features", {}), "label": data.get("roles", {}).get("label")}

    def __getitem__(self, name: str) -> Artifact:
        if name not in self.manifest.artifacts:
            status = self.manifest.statuses.get(name)
            why = f"{name} is {status}" if status else f"no such artifact: {choices(name, self.manifest.artifacts)}"
            raise NotFound(why)
        if name not in self._loaded:
            artifact = Artifact.read(self.document(name), self.objects)
            if artifact.name != name:
                raise Corrupt(f"the artifact stored as {name} says it is {artifact.name}")
            self._loaded[name] = replace(artifact, dictionary=self.dictionary)
        return self._loaded[name]

    def document(self, name: str) -> bytes:
        return self.objects.get(self.manifest.artifacts[name])

    def head(self, name: str) -> dict[str, Any]:
        """The artifact's document without its table."""
        if name not in self._heads:
            self._heads[name] = read_head(self.document(name))
        return self._heads[name]

    def attached(self, kind: str) -> list[bytes]:
        """The documents attached to this snapshot later, in order; `kind`: "verdict", "signature" or "binding"."""
        return [self.objects.get(digest) for digest in self.objects.attached(self.id, kind)]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.manifest.artifacts))

    def __len__(self) -> int:
        return len(self.manifest.artifacts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Snapshot) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        state = "complete" if self.complete else "INCOMPLETE"
        return f"Snapshot({self.ref!r}, {state}, {len(self)} artifacts, id {self.id[:12]})"

    def report(
        self,
        path: str | PathLike[str],
        *,
        audience: str = "engineer",
        share: bool = False,
        example: int | None = None,
        id: str | None = None,
        slots: Mapping[str, Any] | None = None,
        language: str | None = None,
    ) -> Path:
        """Write one self-contained HTML file and return its path; `share` leaves out everything about single rows.

        audience="subject" is the letter to the person at position `example` (or with `id`) of the rows explained;
        `slots` complete or override the policy's [letter]. Raises ParameterError where a slot is missing.
        """
        from showcause.views.page import report  # lazy delegation upwards, listed in the layer test

        letter = {"example": example, "id": id, "slots": slots, "language": language}
        return report(self, path, audience=audience, share=share, **letter)

    def why(self, row: Any, model: Any, *, reference: Any = None, task: Any = None, version: str | None = None) -> Why:
        """The reasons of one row by the snapshot's model: text, codes, a letter; see `showcause.reasons` for many."""
        from showcause.verbs.why import why  # lazy delegation upwards, listed in the layer test

        return why(self, row, model, reference=reference, task=task, version=version)

    def export(self, path: str | PathLike[str]) -> Path:
        """Write a plain folder (or, where `path` ends in .zip, one file) that `showcause.open` verifies and reads."""
        from showcause.store.export import export  # lazy delegation upwards, listed in the layer test

        return export(self, path)

    def card(self) -> str:
        """A model card in Markdown, with the metadata that the Hugging Face Hub reads."""
        from showcause.views.card import card  # lazy delegation upwards, listed in the layer test

        return card(self)

    def _repr_html_(self) -> str:
        from showcause.views.notebook import snapshot_html  # lazy delegation upwards, listed in the layer test

        return snapshot_html(self)
