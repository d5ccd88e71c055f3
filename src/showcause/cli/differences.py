"""`showcause diff`: what changed since the last version, as text, Markdown, HTML or JSON."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from showcause.cli import INCOMPLETE
from showcause.cli.options import STORE, StoreOption
from showcause.cli.terminal import say, write


class Format(StrEnum):
    """How a diff is written."""

    text = "text"
    markdown = "markdown"
    html = "html"
    json = "json"


def register(app: typer.Typer) -> None:
    app.command()(diff)


def diff(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="A REF: credit/6, credit@champion, a folder or .zip")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="A REF: credit/7, credit, a folder or .zip")],
    format: Annotated[Format, typer.Option("--format", help="How it is written.")] = Format.text,
    out: Annotated[Path | None, typer.Option(help="Default: standard output (html: BEFORE-AFTER.html).")] = None,
    policy: Annotated[Path | None, typer.Option(help="Findings new and gone. Default: showcause.toml here.")] = None,
    no_policy: Annotated[bool, typer.Option("--no-policy", help="Do not read showcause.toml.")] = False,
    store: StoreOption = STORE,
) -> int:
    """Say what changed between two snapshots.

    Each change is changed, unchanged, inconclusive or not comparable. Verdicts on numbers need retrainings on both
    sides (explain --refits K). Exit codes: 0 nothing to look at; 1 a change to look at, or something that could not be
    compared; 2 usage or bad input; 3 internal error.

    Examples:

    \b
      showcause diff credit@champion credit
      showcause diff credit/6 credit/7 --format markdown --out diff.md
      showcause diff credit-6.zip credit-7.zip --format html --out diff.html
    """
    from showcause.cli.app import opened, policy_file
    from showcause.verbs.diff import diff as compute

    sides = opened(before, store), opened(after, store)
    found = compute(*sides, policy=policy_file(policy, no_policy), store=store if store.is_dir() else None)
    if format is Format.html:
        say(found.report(out or Path(f"{_plain(sides[0].ref)}-{_plain(sides[1].ref)}.html")))
    else:
        _put(_written(found, format), out)
    return INCOMPLETE if found.flags else 0


def _plain(ref: str) -> str:
    return ref.replace("/", "-").replace(" ", "-").replace("@", "-")


def _written(found: Any, format: Format) -> bytes | str:
    from showcause.cli.diff import text

    if format is Format.json:
        return bytes(found.document) + b"\n"
    return str(found.markdown()) if format is Format.markdown else text(found)


def _put(content: bytes | str, out: Path | None) -> None:
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(content if isinstance(content, bytes) else content.encode())
        say(out)
    elif isinstance(content, bytes):
        write(content)
    else:
        say(content)
