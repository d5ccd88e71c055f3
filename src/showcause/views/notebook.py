"""What a notebook shows: static pictures that need no browser extension, escaped by construction."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import fields
from html import escape as _escape
from typing import Any

from showcause.core.artifact import Artifact
from showcause.core.diff import Diff
from showcause.core.snapshot import Snapshot
from showcause.views import narrative, theme
from showcause.views.diff_words import VERDICTS
from showcause.views.figure import choose, spec
from showcause.views.words import STATES, cell, clean, short, title


def escape(text: object) -> str:
    return _escape(clean(str(text)))


FIRST = (
    "model/performance",
    "importance/shap",
    "importance/permutation",
    "attribution/tree_shap",
    "attribution/shapley",
    "dependence/pdp",
)
FIGURES = 3
ROWS = 8
BOX = "font-family:system-ui,sans-serif;font-size:13px;line-height:1.45;color:#1b2733;background:#fff;padding:10px 12px"


def svg(artifact: Artifact, **options: Any) -> str:
    """The figure as a standalone SVG document; drawn without reaching for any address."""
    import vl_convert

    drawn = {**spec(artifact, **options), "config": theme.config(background=True)}
    return str(vl_convert.vegalite_to_svg(drawn, allowed_base_urls=[]))


def picture(artifact: Artifact, **options: Any) -> str:
    """An <img> that holds the SVG as data: an image runs no script, whatever its text says."""
    data = base64.b64encode(svg(artifact, **options).encode()).decode()
    chosen = choose(artifact, options)
    said = narrative.sentences(artifact, choice=chosen.choice)
    alternative = " ".join(s.text for s in said) or artifact.name
    return f'<img alt="{escape(alternative)}" style="max-width:100%" src="data:image/svg+xml;base64,{data}">'


def artifact_html(artifact: Artifact) -> str:
    said = narrative.sentences(artifact, choice=choose(artifact, {}).choice)
    text = "".join(f"<div>{escape(s.text)}</div>" for s in said[:4])
    head = f"<b>{escape(title(artifact.name))}</b> <code>{escape(artifact.name)}</code>"
    return f'<div style="{BOX}"><div>{head}</div>{text}{picture(artifact)}{_table(artifact)}</div>'


def _table(artifact: Artifact) -> str:
    part = artifact.table.slice(0, ROWS)
    head = "".join(f"<th style='text-align:left'>{escape(name)}</th>" for name in part.column_names)
    lines = (
        f"<td>{'</td><td>'.join(escape(short(cell(v), 40)) for v in row.values())}</td>" for row in part.to_pylist()
    )
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    count = f"{part.num_rows} of {artifact.table.num_rows:,} rows"
    return f"<details><summary>{count}</summary><table><tr>{head}</tr>{body}</table></details>"


def facts_html(thing: Any) -> str:
    """Any of our small nouns (a status, a finding, a verdict, a policy, the list of methods): its fields as a table."""
    named = isinstance(thing, Mapping)
    pairs = [*thing.items()] if named else [(f.name, getattr(thing, f.name)) for f in fields(thing) if f.name[0] != "_"]
    lines = "".join(
        f"<tr><th style='text-align:left;vertical-align:top'>{escape(name)}</th><td>{_value(value)}</td></tr>"
        for name, value in pairs
        if value not in (None, "", (), {}, [])
    )
    return f'<div style="{BOX}"><b>{escape(type(thing).__name__)}</b><table>{lines}</table></div>'


def _value(value: Any) -> str:
    if hasattr(value, "summary"):  # a listed method
        reason = f"<br>does not apply: {escape(value.reason)}" if value.reason else ""
        return f"{escape(value.summary)} <code>{escape(value.kind)}</code>{reason}"
    if isinstance(value, Mapping):
        items = "".join(f"<li><code>{escape(name)}</code> {_value(item)}</li>" for name, item in value.items())
        return f"<details><summary>{len(value)} entries</summary><ul>{items}</ul></details>" if value else "none"
    if isinstance(value, list | tuple):
        whole = "".join(f"<li>{_value(item)}</li>" for item in value)
        return f"<details><summary>{len(value)} entries</summary><ul>{whole}</ul></details>" if value else "none"
    if hasattr(value, "_repr_html_"):
        return escape(value)
    return escape(short(cell(value), 200))


def reasons_html(decision: str | None, score: float, lines: Sequence[str], artifact: Artifact) -> str:
    """The reasons of one row, and every column's contribution."""
    head = f"<b>{escape(decision)}</b> · score {escape(cell(score))}" if decision else f"<b>{escape(cell(score))}</b>"
    body = "".join(f"<div>{escape(line)}</div>" for line in lines)
    return f'<div style="{BOX}"><div>{head}</div>{body}{_table(artifact)}</div>'


def snapshot_html(snapshot: Snapshot) -> str:
    """Whether it is complete, what is not ok and why, and the first figures."""
    state = "Complete" if snapshot.complete else "Incomplete"
    colour = "#2e7d58" if snapshot.complete else "#b23c24"
    model = snapshot.manifest.model
    facts = f"{model.get('family', 'model')} · {model.get('task', '')} · {len(snapshot)} artifacts · {snapshot.id[:12]}"
    head = f'<div><b style="color:{colour}">{state}</b> <b>{escape(snapshot.ref)}</b> {escape(facts)}</div>'
    shown = [name for name in FIRST if name in snapshot][:FIGURES]
    figures = "".join(f"<div><b>{escape(title(n))}</b></div>{picture(snapshot[n])}" for n in shown)
    return f'<div style="{BOX}">{head}{_statuses(snapshot)}{figures}</div>'


def _statuses(snapshot: Snapshot) -> str:
    statuses = snapshot.manifest.statuses
    counts = {state: [n for n, s in statuses.items() if s.state == state] for state in STATES}
    line = ", ".join(f"{len(names)} {STATES[state]}" for state, names in counts.items() if names)
    failed = "".join(f"<li>{_status(snapshot, name)}</li>" for name in counts["failed"])
    rest: Sequence[str] = [*counts["not-applicable"], *counts["not-given"]]
    why = "".join(f"<li>{_status(snapshot, name)}</li>" for name in rest)
    more = f"<details><summary>what does not apply or was not given</summary><ul>{why}</ul></details>" if rest else ""
    return f"<div>{line}</div>" + (f"<ul>{failed}</ul>" if failed else "") + more


def _status(snapshot: Snapshot, name: str) -> str:
    return f"<code>{escape(name)}</code> {escape(str(snapshot.manifest.statuses[name]))}"


def diff_html(diff: Diff) -> str:
    """The headline, what is flagged, and how many of each verdict there are."""
    refs = " → ".join(f"<b>{escape(side.get('ref'))}</b>" for side in (diff.before, diff.after))
    counts = ", ".join(f"{n} {VERDICTS.get(name, name)}" for name, n in diff.counts.items() if n)
    flags = "".join(f"<li>{escape(change.message)}</li>" for change in diff.flags[:ROWS])
    more = f"<li>{len(diff.flags) - ROWS} more</li>" if len(diff.flags) > ROWS else ""
    listed = f"<ul>{flags}{more}</ul>" if flags else ""
    return f'<div style="{BOX}"><div>{refs} {escape(counts)}</div><div>{escape(diff.headline)}</div>{listed}</div>'
