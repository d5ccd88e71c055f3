"""`showcause diff`, `compare`, `trend`: what changed, which candidate is best, how it went over the versions."""

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
    app.command()(compare)
    app.command()(trend)


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


class Table(StrEnum):
    """How a ranking is written."""

    text = "text"
    json = "json"


class History(StrEnum):
    """How a history is written."""

    text = "text"
    html = "html"
    json = "json"


def compare(
    candidates: Annotated[list[str], typer.Argument(metavar="REF…", help="Two or more REFs.")],
    metric: Annotated[str | None, typer.Option(help="Default: log_loss, rmse, accuracy of scores.")] = None,
    format: Annotated[Table, typer.Option("--format", help="How it is written.")] = Table.text,
    out: Annotated[Path | None, typer.Option(help="Default: standard output.")] = None,
    store: StoreOption = STORE,
) -> int:
    """Rank candidates, with intervals.

    By a metric of model/performance, row by row where the rows are shared; what cannot be told apart is a tie. Exit
    codes: 0 all are ranked; 1 some could not be; 2 usage or bad input; 3 internal error.

    Example:  showcause compare credit@champion credit/6 credit/7 --metric roc_auc
    """
    from showcause.cli.app import opened
    from showcause.cli.diff import ranking
    from showcause.verbs.compare import compare as compute

    found = compute(*(opened(ref, store) for ref in candidates), metric=metric)
    _put(found.document + b"\n" if format is Table.json else ranking(found), out)
    return INCOMPLETE if any(candidate.reason for candidate in found.candidates) else 0


def trend(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model's name.")],
    feature: Annotated[str | None, typer.Option(help="Default: what matters most in the newest version.")] = None,
    metric: Annotated[str | None, typer.Option(help="Default: log_loss, rmse, accuracy of scores.")] = None,
    last: Annotated[int, typer.Option(min=1, help="At most so many versions, the newest.")] = 50,
    format: Annotated[History, typer.Option("--format", help="How it is written.")] = History.text,
    out: Annotated[Path | None, typer.Option(help="Default: standard output (html: NAME-trend.html).")] = None,
    store: StoreOption = STORE,
) -> int:
    """Draw a history over the versions.

    A feature's importance, its place and a metric, with bands over retrainings where versions hold them.

    Example:  showcause trend credit --feature income
    """
    from showcause.cli.diff import history
    from showcause.verbs.trend import trend as compute

    found = compute(name, feature=feature, metric=metric, last=last, store=store)
    if format is History.html:
        say(found.report(out or Path(f"{name}-trend.html")))
    else:
        _put(found.document + b"\n" if format is History.json else history(found), out)
    return 0


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
