"""Verify an evidence zip with Python alone: python verify.py EVIDENCE.zip [--trust showcause-trust.toml]

Needs nothing but Python 3.11; try it as `python -I -S verify.py …`. It reads every digest again, follows them from the
log of the alias to the version, its artifacts and tables, and checks every signature. Whose key a key is, only your
own trust file can say: give it with --trust. Without one the keys packed with the evidence are used, and it says so.

Exit codes: 0 whole, 1 not.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

from showcause.trust import ed25519

PAYLOAD = "application/vnd.in-toto+json"
LIMIT = 2**31


class Wrong(Exception):
    """The evidence does not hold together."""


def main(words: list[str]) -> int:
    """Print what was found; 0 where all of it holds."""
    if not words or words[0].startswith("-") or (len(words) > 1 and (words[1] != "--trust" or len(words) != 3)):
        print(__doc__)
        return 1
    try:
        files = read(Path(words[0]))
        lines = verify(files, Path(words[2]) if len(words) == 3 else None)
    except Wrong as error:
        print(f"NOT WHOLE: {shown(error)}")
        return 1
    except Exception as error:  # a damaged file may fail anywhere; it fails
        print(f"NOT WHOLE: {type(error).__name__}: {shown(error)}")
        return 1
    for line in lines:
        print(shown(line))
    print("whole: every digest and every signature holds")
    return 0


def shown(text: object) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))


def read(path: Path) -> dict[str, bytes]:
    if path.is_dir():
        return {p.relative_to(path).as_posix(): p.read_bytes() for p in path.rglob("*") if p.is_file()}
    data = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        if len(set(names)) != len(names) or sum(info.file_size for info in archive.infolist()) > LIMIT:
            raise Wrong("the zip names a file twice, or is too large")
        files = {name: archive.read(name) for name in names}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), files[name])
    if out.getvalue() != data:
        raise Wrong("the zip has bytes that showcause did not write")
    return files


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def need(good: object, message: str) -> None:
    if not good:
        raise Wrong(message)


def verify(files: dict[str, bytes], trust: Path | None) -> list[str]:
    index = json.loads(files["evidence.json"])
    need(index["format"] == "showcause-evidence/1", "not an evidence zip of this format")
    listed = index["files"]
    for name in sorted({*files} ^ {*listed, "evidence.json"}):
        raise Wrong(f"{name} is {'missing' if name in listed else 'not listed'}")
    for name, digest in listed.items():
        need(sha256(files[name]) == digest, f"{name} has other bytes than the index says")
    keys, note = known(files, trust)
    lines = [f"{index['alias']} on {index['on']}: {index['ref']}", note]
    manifest, record = snapshot(files)
    need(record["name"] == index["alias"].split("@")[0], "the version is of another model")
    lines += log(files, index, sha256(files["snapshot/record.json"]), keys)
    lines += attached(files, manifest, keys)
    if "policy.json" in files:
        lines.append(f"policy {sha256(files['policy.json'])[:12]} is packed")
    return lines


def known(files: dict[str, bytes], trust: Path | None) -> tuple[dict[str, dict[str, Any]], str]:
    """Key id → its entry, and whose word that is."""
    if trust is None:
        return json.loads(files["keys.json"]), "keys: as packed; give --trust to hold them to your own trust file"
    import tomllib

    entries = tomllib.loads(trust.read_text(encoding="utf-8"))["keys"]
    found = {}
    for name, entry in entries.items():
        described = {"keytype": "ed25519", "keyval": {"public": entry["public"]}, "scheme": "ed25519"}
        text = json.dumps(described, sort_keys=True, separators=(",", ":")).encode()
        plain = {"name": name, "public": entry["public"], "roles": entry.get("roles", [])}
        found[sha256(text)] = {**plain, "revoked": entry.get("revoked", False), "until": str(entry.get("until", ""))}
    return found, f"keys: of {trust}"


def snapshot(files: dict[str, bytes]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The manifest and record, every object that they lead to being there."""
    inside = {name.removeprefix("snapshot/"): data for name, data in files.items() if name.startswith("snapshot/")}
    index = json.loads(inside["snapshot.json"])
    for name in sorted({*inside} ^ {*index["files"], "snapshot.json"}):
        raise Wrong(f"snapshot/{name} is missing or does not belong")
    for name, digest in index["files"].items():
        need(sha256(inside[name]) == digest, f"snapshot/{name} has other bytes than its index says")
    record, manifest = json.loads(inside["record.json"]), json.loads(inside["manifest.json"])
    identity = sha256(inside["manifest.json"])
    need(index["id"] == record["manifest"] == identity, "record and index name another manifest")
    objects = {sha256(data) for data in inside.values()}
    for name, digest in manifest["artifacts"].items():
        need(sha256(inside[f"artifacts/{name}.json"]) == digest, f"{name} is not the artifact of the manifest")
        head = json.loads(inside[f"artifacts/{name}.json"])
        for part in (head["table"]["digest"], *head["blobs"].values()):
            need(part in objects, f"{name} has not its own table")
    return {**manifest, "id": identity}, record


def log(files: dict[str, bytes], index: dict[str, Any], record: str, keys: dict[str, dict[str, Any]]) -> list[str]:
    """The log of the alias up to the day: each entry names the one before; the last one names the version."""
    names = sorted(name for name in files if name.startswith("log/"))
    need(names == [f"log/{number:06d}.json" for number in range(1, len(names) + 1)] and names, "the log has gaps")
    before, lines = None, []
    for number, name in enumerate(names, 1):
        entry = json.loads(files[name])
        if entry["format"] == "showcause-promotion/1":
            need(entry["alias"] == index["alias"] and entry["number"] == number, f"{name} stands in another's place")
            need(entry["previous"] == before, f"{name} was written after another entry")
            need(entry["at"][:10] <= index["on"], f"{name} is of a later day")
            signer = "nobody"
            if entry["envelope"] is not None:
                statement, signer = opened(entry["envelope"], keys, name)
                need(statement["predicate"] == {k: v for k, v in {**entry, "envelope": None}.items() if k != "format"},
                     f"{name}: another entry was signed")  # fmt: skip
            lines.append(f"log {number}: {entry['ref']} from {entry['at']}, signed by {signer}")
            last = entry["record"]
        else:
            last = sha256(files[name])
        before = sha256(files[name])
    need(last == record, "the log names another version")
    return lines


def attached(files: dict[str, bytes], manifest: dict[str, Any], keys: dict[str, dict[str, Any]]) -> list[str]:
    """Verdicts are about this snapshot; sign-offs about it, its model and one of these verdicts."""
    lines, verdicts = [], {}
    for name in sorted(name for name in files if name.startswith("snapshot/attached/verdict/")):
        verdict = json.loads(files[name])
        need(verdict["manifest"] == manifest["id"], f"{name} is about another snapshot")
        verdicts[sha256(files[name])] = verdict
        lines.append(f"verdict of {verdict['date']}: {'blessed' if verdict['blessed'] else 'NOT blessed'}, "
                     f"policy {verdict['policy'][:12]}")  # fmt: skip
    for name in sorted(name for name in files if name.startswith("snapshot/attached/signature/")):
        statement, signer = opened(json.loads(files[name]), keys, name)
        subjects = {one["name"]: one["digest"]["sha256"] for one in statement["subject"]}
        said = statement["predicate"]
        need(subjects.get("manifest") == manifest["id"], f"{name} was given to another snapshot")
        need(subjects.get("model") == manifest["model"]["digest"], f"{name} was given to another model")
        need(said["verdict"] is None or said["verdict"] in verdicts, f"{name} rests on another verdict")
        lines.append(f"signed by {signer} as {said['role']}, {said['time']}: {said['comment']}")
    return lines


def opened(envelope: dict[str, Any], keys: dict[str, dict[str, Any]], name: str) -> tuple[dict[str, Any], str]:
    """The statement and who signed it. An unknown, revoked or other key is no signature."""
    need(envelope["payloadType"] == PAYLOAD, f"{name} holds another type of payload")
    payload = base64.b64decode(envelope["payload"], validate=True)
    signed = b"DSSEv1 %d %b %d %b" % (len(PAYLOAD), PAYLOAD.encode(), len(payload), payload)
    need(envelope["signatures"], f"{name} has no signature")
    names = []
    for one in envelope["signatures"]:
        key = keys.get(one["keyid"])
        need(key, f"{name}: the key {one['keyid'][:12]} is not known")
        assert key is not None
        need(not key["revoked"], f"{name}: the key of {key['name']} was revoked")
        good = ed25519.verify(bytes.fromhex(key["public"]), base64.b64decode(one["sig"], validate=True), signed)
        need(good, f"{name}: this is not what the key of {key['name']} signed")
        statement = json.loads(payload)
        said = statement["predicate"]
        day = (said.get("time") or said.get("at") or "")[:10]
        need(not key["until"] or day <= key["until"], f"{name}: the key of {key['name']} held until {key['until']}")
        need("role" not in said or said["role"] in key["roles"], f"{name}: {key['name']} is not trusted in this role")
        names.append(key["name"])
    return json.loads(payload), ", ".join(names)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
