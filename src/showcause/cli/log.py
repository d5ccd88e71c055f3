"""History, care and the list of methods, as text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from showcause.cli.terminal import columns
from showcause.core import canonical
from showcause.core.errors import NotFound, choices
from showcause.core.finding import Finding
from showcause.core.snapshot import Manifest, Record, Status
from showcause.store.folder import FolderStore
from showcause.store.promotion import named as behind


def history(store: FolderStore, name: str | None) -> str:
    """The versions of `name`, the newest first; of every name where it is None."""
    names = [ref for ref in store.refs() if "@" not in ref]
    if name is not None and name not in names:
        raise NotFound(f"no snapshot of that name in this store: {choices(name, names)}")
    rows = [row for one in names if name in (None, one) for row in _versions(store, one)]
    if not rows:
        return f"{store.root} holds no snapshot yet; showcause explain … --name NAME publishes one"
    return columns(("version", "state", "made at", "by", "id", "aliases"), rows)


def _versions(store: FolderStore, name: str) -> list[tuple[str, ...]]:
    aliases: dict[str, list[str]] = {}
    for ref in store.refs():
        if ref.startswith(f"{name}@") and (entries := store.entries(ref)):
            aliases.setdefault(behind(store, entries[-1]), []).append(ref.partition("@")[2])
    rows: list[tuple[str, ...]] = []
    for digest in reversed(entries := store.entries(name)):
        record = Record.read(store.get(digest))
        complete = Manifest.read(store.get(record.manifest)).complete
        named = [*(["latest"] if digest == entries[-1] else []), *sorted(aliases.get(digest, []))]
        state = "complete" if complete else "INCOMPLETE"
        ref = f"{record.name}/{record.version}"
        rows.append((ref, state, record.made_at, record.by, record.manifest[:12], ", ".join(named)))
    return rows


def findings(what: str | None, store: Path, **options: Any) -> list[Finding]:
    """Of the whole store, of one version or alias in it, or of an exported folder or zip."""
    import showcause
    from showcause.store.export import INDEX
    from showcause.verbs.open import SCHEMES

    if what is None:
        return showcause.verify(store, **options)
    if what.startswith(SCHEMES):
        return showcause.verify(what, **options)
    path = Path(what)
    if path.suffix == ".zip" or (path / INDEX).exists() or what.startswith((".", "/", "~")) or path.is_absolute():
        return showcause.verify(path.expanduser(), **options)
    return showcause.verify(what, store=store, **options)


def listing(statuses: Mapping[str, Status] | None, as_json: bool) -> str | bytes:
    """Every method with its question and parameters; with what became of it where statuses are given."""
    import showcause

    entries = showcause.methods().values()
    if as_json:
        facts = [
            {
                "name": entry.name,
                "kind": entry.kind,
                "summary": entry.summary,
                "parameters": entry.parameters,
                "needs": list(entry.needs),
                **({"status": str(statuses.get(entry.name, "not asked for"))} if statuses is not None else {}),
            }
            for entry in entries
        ]
        return canonical.dumps(facts) + b"\n"
    lines = []
    for entry in entries:
        lines.append(f"{entry.name}  ({entry.kind})")
        lines.append(f"  {entry.summary}")
        if entry.parameters:
            lines.append("  " + ", ".join(f"{key}={value!r}" for key, value in entry.parameters.items()))
        if statuses is not None:
            lines.append(f"  here: {statuses.get(entry.name, 'not asked for')}")
    return "\n".join(lines)
