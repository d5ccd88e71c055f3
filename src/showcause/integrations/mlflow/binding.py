"""What ties a snapshot to the bytes of a logged model, so that a server can check it without loading any model.

    {"format": "showcause-model/1", "manifest": id of the snapshot, "model": the model's fingerprint in it,
     "files": {path: sha256}, "flavour": …, "checked": how they were found to be that model, "why": …, "consents": […]}

It travels with the snapshot, as its attachment of kind "binding" (attached/binding/000001.json in the exported folder):
the document itself, or a DSSE envelope over an in-toto Statement that says the same. `files` covers every file of the
model's folder but the snapshot itself and what MLflow writes there when somebody downloads it. MLmodel counts by its
content without the keys that say when and where it was logged (VOLATILE), so that the same model logged elsewhere is
the same; any other file counts by its bytes.

Laws: Binding.read(b.document) == b; digests(folder) changes with every byte changed, every file added, dropped or
renamed. Nothing here imports MLflow or loads a model.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from showcause.core import canonical
from showcause.core.errors import Corrupt, InputError, ShowcauseError
from showcause.core.snapshot import Snapshot
from showcause.integrations.mlflow.refs import SNAPSHOT
from showcause.trust.dsse import Envelope, Statement
from showcause.trust.keys import Key

FORMAT = "showcause-model/1"
PREDICATE = "urn:showcause:model:1"
KIND = "binding"
MLMODEL = "MLmodel"
VOLATILE = frozenset({"artifact_path", "model_id", "model_uuid", "run_id", "utc_time_created"})
BESIDE = frozenset({SNAPSHOT, "registered_model_meta"})  # no part of the model
MAX_MLMODEL = 2**24

Checked = Literal["fingerprint", "behaviour", "evaluated", "not"]
CHECKED: tuple[Checked, ...] = ("fingerprint", "behaviour", "evaluated", "not")


@dataclass(frozen=True)
class Binding:
    """`checked`: "fingerprint" (the model was read from these bytes and is the one explained), "behaviour" (it has no
    fingerprint, and predicts the rows explained as that one did), "evaluated" (it was loaded from here by MLflow and
    explained as it was), "not" (`why` says why not).

    `envelope` is the signed form, None where nobody signed; whose signature counts is for the operator's trust to say.
    """

    manifest: str
    model: str
    files: Mapping[str, str]
    flavour: str
    checked: Checked = "not"
    why: str = ""
    consents: tuple[str, ...] = ()
    envelope: Envelope | None = field(default=None, compare=False)

    @property
    def said(self) -> dict[str, Any]:
        """What it says, without its signature."""
        return {
            "format": FORMAT,
            "manifest": self.manifest,
            "model": self.model,
            "files": dict(self.files),
            "flavour": self.flavour,
            "checked": self.checked,
            "why": self.why,
            "consents": list(self.consents),
        }

    @cached_property
    def document(self) -> bytes:
        return canonical.dumps(self.said) if self.envelope is None else self.envelope.document

    @property
    def statement(self) -> Statement:
        """What a key signs."""
        subject = {"manifest": self.manifest, **({"model": self.model} if self.model else {})}
        return Statement(subject, PREDICATE, self.said)

    def signed(self, key: Key) -> Binding:
        return replace(self, envelope=key.sign(self.statement))

    @classmethod
    def read(cls, document: bytes) -> Binding:
        """Raises Corrupt. A signature is not judged here; what it covers must be what is said."""
        value = canonical.loads(document)
        if isinstance(value, dict) and "payloadType" in value:
            envelope = Envelope.read(document)
            said = envelope.statement
            made = replace(_read(said.predicate), envelope=envelope)
            if said.document != made.statement.document:
                raise Corrupt("the signed binding is about another snapshot or model than it says")
            return made
        made = _read(value)
        if made.document != document:
            raise Corrupt("not a binding in its one spelling")
        return made

    def differences(self, digests: Mapping[str, str]) -> list[str]:
        """Each file that is not as it was bound, in words; empty where all are."""
        changed = [f"{n} was changed" for n in sorted(self.files) if n in digests and digests[n] != self.files[n]]
        gone = [f"{name} is missing" for name in sorted(set(self.files) - set(digests))]
        new = [f"{name} was added" for name in sorted(set(digests) - set(self.files))]
        return [*changed, *gone, *new]


def _read(value: Any) -> Binding:
    try:
        fields = dict(value)
        if fields.pop("format") != FORMAT:
            raise Corrupt(f"not a binding that this version reads ({FORMAT})")
        made = Binding(**{**fields, "consents": tuple(fields["consents"])})
        texts = (made.manifest, made.model, made.flavour, made.why, *made.consents, *made.files)
        good = (
            canonical.is_digest(made.manifest)
            and made.checked in CHECKED
            and made.envelope is None
            and all(isinstance(text, str) for text in texts)
            and all(canonical.is_digest(digest) for digest in made.files.values())
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Corrupt(f"not a binding: {error!r}") from None
    if not good:
        raise Corrupt("not a binding: a field is missing, unknown or of the wrong type")
    return made


def bindings(snapshot: Snapshot) -> list[Binding]:
    """All that a snapshot carries, the newest last. Raises Corrupt, also where one is about another snapshot."""
    found = [Binding.read(document) for document in snapshot.attached(KIND)]
    for binding in found:
        if binding.manifest != snapshot.id:
            raise Corrupt(f"a binding of {binding.manifest[:12]} is attached to {snapshot.id[:12]}")
    return found


def digests(folder: str | os.PathLike[str]) -> dict[str, str]:
    """Path → sha256 of every file that belongs to the logged model in a local folder. Raises Corrupt."""
    root, found = Path(folder), {}
    for top, folders, names in os.walk(root):
        inside = Path(top).relative_to(root).as_posix()
        folders[:] = sorted(name for name in folders if not (inside == "." and name in BESIDE))
        for name in (*folders, *names):
            if (Path(top) / name).is_symlink():
                raise Corrupt(f"{Path(inside) / name} is a symbolic link; a logged model has none")
        for name in names:
            path = name if inside == "." else f"{inside}/{name}"
            if path not in BESIDE:
                file = Path(top) / name
                found[path] = _mlmodel(file) if path == MLMODEL else _sha256(file)
    if MLMODEL not in found:
        raise Corrupt(f"{root.name or root} is no logged model: it has no file {MLMODEL}")
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _mlmodel(path: Path) -> str:
    """sha256 of its content without VOLATILE keys; of its bytes where it is not plain data in one spelling."""
    if path.stat().st_size > MAX_MLMODEL:
        raise Corrupt(f"{MLMODEL} has {path.stat().st_size} bytes, more than the limit of {MAX_MLMODEL}")
    try:
        value = description(path)
        return canonical.digest(canonical.dumps({k: v for k, v in value.items() if k not in VOLATILE}))
    except (Corrupt, InputError):
        return _sha256(path)


def description(path: Path) -> dict[str, Any]:
    """What an MLmodel file says. Aliases, which can make a small file huge, are refused. Raises Corrupt."""
    import yaml

    data = path.read_bytes()
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(data, Loader=yaml.SafeLoader)):
            raise Corrupt(f"{MLMODEL} uses aliases")
        value = yaml.safe_load(data)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Corrupt(f"{MLMODEL} is not YAML: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise Corrupt(f"{MLMODEL} holds no named values")
    return value


def problem(binding: Binding, folder: str | os.PathLike[str]) -> str:
    """Why a folder is not the model that was bound; "" where it is. Raises nothing of ours."""
    try:
        found = binding.differences(digests(folder))
    except ShowcauseError as error:
        return str(error)
    return "; ".join(found[:10]) + (f" and {len(found) - 10} more" if len(found) > 10 else "")
