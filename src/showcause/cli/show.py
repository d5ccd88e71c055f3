"""A snapshot and its artifacts as text for the terminal."""

from __future__ import annotations

from collections import Counter

from showcause.cli.terminal import columns
from showcause.core.artifact import Artifact
from showcause.core.snapshot import Snapshot

LINES = 20


def summary(snapshot: Snapshot) -> str:
    """What it explains, whether it is whole, and what became of each part."""
    manifest, record = snapshot.manifest, snapshot.record
    model, data = manifest.model, manifest.data
    counts = Counter(status.state for name, status in snapshot.statuses.items() if not name.startswith("input/"))
    states = ", ".join(f"{count} {state}" for state, count in sorted(counts.items(), key=lambda kv: kv[0] != "ok"))
    lines = [
        f"{snapshot.ref}  {'complete' if snapshot.complete else 'INCOMPLETE'}: {states or 'nothing'}",
        f"  id     {snapshot.id}",
        f"  made   {record.made_at} by {record.by}" + (f", code {record.commit[:12]}" if record.commit else ""),
    ]
    if model:
        classes = f", classes {', '.join(model['classes'][:6])}" if model.get("classes") else ""
        opaque = ", identity from its behaviour alone" if model.get("opaque") else ""
        lines.append(f"  model  {model['family']}, {model['task']}{classes}{opaque}")
    if data:
        sampled = " (a sample)" if data["rows"]["explained"] < data["rows"]["given"] else ""
        lines.append(
            f"  data   {data['rows']['explained']} of {data['rows']['given']} rows explained{sampled}, "
            f"{len(data['order'])} features"
        )
    if stored := record.configuration.get("model_file"):
        lines.append(f"  file   {stored['name']}, sha256 {stored['sha256'][:12]}")
    if seconds := record.durations.get("compiling kernels"):
        lines.append(f"  time   {seconds:.0f} s of it went into compiling kernels, once on this machine")
    if consents := record.configuration.get("consents"):
        lines.append(f"  allowed on the way: {', '.join(consents)}")
    return "\n".join(lines)


def statuses(snapshot: Snapshot) -> str:
    """One line for each artifact and input, the troubled ones first."""
    order = {"failed": 0, "not-given": 1, "not-applicable": 2, "ok": 3}
    rows = []
    for name, status in sorted(snapshot.statuses.items(), key=lambda item: (order[item[1].state], item[0])):
        about = status.reason
        if status.state == "ok" and name in snapshot.manifest.artifacts:
            head = snapshot.head(name)
            about = f"{head['kind']}, {head['rows']} rows"
        rows.append((name, status.state + (f" [{status.code}]" if status.code else ""), about))
    return columns(("name", "status", ""), rows)


def trouble(snapshot: Snapshot) -> str:
    """The statuses that are neither ok nor beside the point."""
    found = {n: s for n, s in snapshot.statuses.items() if s.state in ("failed", "not-given")}
    return "\n".join(f"  {name}: {status}" for name, status in sorted(found.items(), key=lambda item: item[1].state))


def table(artifact: Artifact, limit: int | None = LINES) -> str:
    """The artifact's table; above `limit` rows its head, and how many there are."""
    rows = artifact.table.slice(0, limit) if limit is not None else artifact.table
    text = columns(rows.column_names, (list(row.values()) for row in rows.to_pylist()))
    if len(rows) < len(artifact.table):
        text += f"\n{len(rows)} of {len(artifact.table)} rows; --table shows all, --json everything"
    return text


def spec(artifact: Artifact) -> str:
    """In one line what the numbers mean: kind, space, rows, game and sample."""
    facts = artifact.spec
    parts = [artifact.kind, f"in {facts['space']}" if facts.get("space") else ""]
    rows = facts.get("rows") or {}
    if rows:
        parts.append(f"{rows.get('count')} rows" + (f" of {rows['sampled_from']}" if "sampled_from" in rows else ""))
    if facts.get("game"):
        parts.append(f"game {facts['game']}")
    return f"{artifact.name}: " + ", ".join(part for part in parts if part)
