"""The history of a snapshot as W3C PROV-JSON: data, model, training, explaining, judging, reviewing, and by whom.

What stands in the snapshot and beside it, and nothing else: who trained the model and when is not recorded, so the
training is there without an agent. The same snapshot with the same attachments gives the same bytes.

Source: PROV-DM (W3C, 2013), the PROV-JSON serialisation (W3C member submission, 2013). Read back with the package prov
in tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from showcause.core import canonical
from showcause.core.errors import Corrupt
from showcause.core.snapshot import Snapshot
from showcause.core.verdict import Verdict
from showcause.trust.dsse import Envelope

PREFIX = {"showcause": "urn:showcause:prov:1:"}
Attributes = dict[str, Any]


class History:
    """PROV records by kind and id, in PROV-JSON's form."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Attributes]] = {}

    def add(self, kind: str, name: str, label: str, type_: str = "", **attributes: Any) -> str:
        """An entity, activity or agent; returns its id. Attributes without a value are left out."""
        id_ = f"showcause:{name}"
        own = {f"showcause:{key}": value for key, value in attributes.items() if value not in (None, "")}
        made: Attributes = {"prov:label": label, **own}
        if type_:
            made["prov:type"] = {"$": type_, "type": "prov:QUALIFIED_NAME"}
        self.records.setdefault(kind, {})[id_] = made
        return id_

    def relate(self, kind: str, **ends: Any) -> None:
        """A relation, such as used(activity, entity); each stands once."""
        made = {f"prov:{key}": value for key, value in ends.items() if value}
        self.records.setdefault(kind, {})[f"_:{kind}-{canonical.digest(canonical.dumps(made))[:16]}"] = made

    def at(self, activity: str, start: str, end: str = "") -> None:
        self.records["activity"][activity] |= {"prov:startTime": start, "prov:endTime": end or start}


def prov(snapshot: Snapshot) -> bytes:
    """The history as canonical PROV-JSON bytes. What is attached and cannot be read is there as just that."""
    history = History()
    version = _explaining(history, snapshot)
    policies = _verdicts(history, snapshot, version)
    _signatures(history, snapshot, version, policies)
    return canonical.dumps({"prefix": PREFIX, **history.records})


def _explaining(history: History, snapshot: Snapshot) -> str:
    """Data, model, training and the run that explained; returns the id of the snapshot's entity."""
    record, manifest = snapshot.record, snapshot.manifest
    collection = history.add(
        "entity", f"snapshot-{snapshot.id}", f"snapshot {snapshot.ref}", "prov:Collection",
        sha256=snapshot.id, ref=snapshot.ref, complete="yes" if snapshot.complete else "no", record=record.digest,
    )  # fmt: skip
    run = history.add(
        "activity", f"explaining-{record.digest}", f"explaining {snapshot.ref}", "showcause:Explaining",
        code_commit=record.commit, seed=str(record.configuration.get("seed", "")),
    )  # fmt: skip
    history.at(run, record.made_at)
    history.relate("wasGeneratedBy", entity=collection, activity=run, time=record.made_at)
    person = history.add("agent", f"person-{_id(record.by)}", record.by, "prov:Person")
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(record.environment.items()))
    software = history.add("agent", f"software-{_id(libraries)}", "showcause", "prov:SoftwareAgent", packages=libraries)
    history.relate("wasAssociatedWith", activity=run, agent=person)
    history.relate("wasAssociatedWith", activity=run, agent=software)
    history.relate("wasAttributedTo", entity=collection, agent=person)
    for used in (_model(history, manifest.model, manifest.data), *_data(history, manifest.data)):
        history.relate("used", activity=run, entity=used)
    if policy := record.configuration.get("policy"):
        history.relate("used", activity=run, entity=_policy(history, policy))
    for name, digest in manifest.artifacts.items():
        made = history.add("entity", f"artifact-{digest}", name, "showcause:Artifact", sha256=digest)
        history.relate("hadMember", collection=collection, entity=made)
        history.relate("wasGeneratedBy", entity=made, activity=run, time=record.made_at)
    if record.parent:
        before = history.add("entity", f"record-{record.parent}", "the version before", sha256=record.parent)
        revision = {"$": "prov:Revision", "type": "prov:QUALIFIED_NAME"}
        history.relate("wasDerivedFrom", generatedEntity=collection, usedEntity=before, type=revision)
    return collection


def _model(history: History, model: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    digest = str(model.get("digest") or canonical.digest(canonical.dumps(dict(model))))
    card = model.get("card") or {}
    made = history.add(
        "entity", f"model-{digest}", f"model {model.get('family', '')}".strip(), "showcause:Model", sha256=digest,
        family=model.get("family"), task=model.get("task"), purpose=card.get("purpose"), owner=card.get("owner"),
    )  # fmt: skip
    train = data.get("train")
    if train:
        training = history.add("activity", f"training-{digest}", "training the model", "showcause:Training")
        rows = _columns(history, "training data", train.get("columns") or {}, train.get("labels"), train.get("rows"))
        history.relate("used", activity=training, entity=rows)
        history.relate("wasGeneratedBy", entity=made, activity=training)
    return made


def _data(history: History, data: Mapping[str, Any]) -> list[str]:
    """The rows explained and, where they were given, context and background."""
    found = []
    if data.get("columns"):
        columns = {name: column["digest"] for name, column in data["columns"].items()}
        found.append(
            _columns(history, "data explained", columns, data.get("labels"), data.get("rows", {}).get("explained"))
        )
    beside = [part for part in ("context", "background") if data.get(part)]
    return found + [_columns(history, part, data[part], None, None) for part in beside]


def _columns(history: History, label: str, columns: Mapping[str, str], labels: Any, rows: Any) -> str:
    digest = canonical.digest(canonical.dumps({"columns": dict(columns), "labels": labels}))
    known = history.records.get("entity", {}).get(f"showcause:data-{digest}")
    said = label if known is None or label in known["prov:label"] else f"{known['prov:label']}, {label}"
    count = None if rows is None else str(rows)
    return history.add("entity", f"data-{digest}", said, "showcause:Data", sha256=digest, rows=count, labels=labels)


def _policy(history: History, digest: str) -> str:
    return history.add("entity", f"policy-{digest}", "policy", "showcause:Policy", sha256=digest)


def _verdicts(history: History, snapshot: Snapshot, version: str) -> dict[str, str]:
    """Every verdict with the act of judging; returns digest → id."""
    found = {}
    for document in snapshot.attached("verdict"):
        digest = canonical.digest(document)
        try:
            verdict = Verdict.read(document)
        except Corrupt:
            history.add("entity", f"unreadable-{digest}", "attached as a verdict, and none", sha256=digest)
            continue
        made = history.add(
            "entity", f"verdict-{digest}", "blessed" if verdict.blessed else "not blessed", "showcause:Verdict",
            sha256=digest, mode=verdict.mode, reasons="; ".join(verdict.reasons),
        )  # fmt: skip
        judging = history.add("activity", f"judging-{digest}", f"judging {verdict.ref}", "showcause:Judging")
        history.at(judging, f"{verdict.date}T00:00:00+00:00", f"{verdict.date}T23:59:59+00:00")
        history.relate("used", activity=judging, entity=version)
        if verdict.policy:
            history.relate("used", activity=judging, entity=_policy(history, verdict.policy))
        if verdict.baseline is not None and verdict.baseline.manifest != snapshot.id:
            base = verdict.baseline
            baseline = history.add("entity", f"snapshot-{base.manifest}", f"baseline {base.ref}", sha256=base.manifest)
            history.relate("used", activity=judging, entity=baseline)
        history.relate("wasGeneratedBy", entity=made, activity=judging)
        history.relate("wasDerivedFrom", generatedEntity=made, usedEntity=version)
        found[digest] = made
    return found


def _signatures(history: History, snapshot: Snapshot, version: str, verdicts: Mapping[str, str]) -> None:
    """Every signature with the act of reviewing and the key that signed; whose key it is, the trust file says."""
    for document in snapshot.attached("signature"):
        digest = canonical.digest(document)
        try:
            envelope = Envelope.read(document)
            said = envelope.statement.predicate
        except Corrupt:
            history.add("entity", f"unreadable-{digest}", "attached as a signature, and none", sha256=digest)
            continue
        role = str(said.get("role", ""))
        made = history.add(
            "entity", f"signature-{digest}", f"signature as {role}", "showcause:Signature", sha256=digest,
            comment=said.get("comment"), verdict=said.get("verdict"),
        )  # fmt: skip
        review = history.add("activity", f"reviewing-{digest}", f"reviewing as {role}", "showcause:Reviewing")
        if said.get("time"):
            history.at(review, str(said["time"]))
        history.relate("used", activity=review, entity=version)
        if said.get("verdict") in verdicts:
            history.relate("used", activity=review, entity=verdicts[str(said["verdict"])])
        history.relate("wasGeneratedBy", entity=made, activity=review)
        for signature in envelope.signatures:
            key = history.add("agent", f"key-{_id(signature.keyid)}", f"key {signature.keyid[:12]}", "prov:Agent")
            history.relate("wasAssociatedWith", activity=review, agent=key)
            history.relate("wasAttributedTo", entity=made, agent=key)


def _id(text: str) -> str:
    """Names that people typed never become ids."""
    return canonical.digest(text.encode("utf-8", "surrogatepass"))[:32]
