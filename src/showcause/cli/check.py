"""`showcause check`, the gate, and `showcause prov`, the history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from showcause.cli import INCOMPLETE
from showcause.cli.options import STORE, RefArgument, StoreOption, TrustOption
from showcause.cli.terminal import complain, say, write


class Format(StrEnum):
    """How verdicts are written."""

    text = "text"
    json = "json"
    junit = "junit"
    markdown = "markdown"


class Task(StrEnum):
    """What a bare callable does."""

    classification = "classification"
    regression = "regression"


@dataclass(frozen=True)
class Ship:
    """The model that is to ship and the rows that were explained, as files or names."""

    model: str | None
    data: Path | None
    task: Any
    version: str | None
    allow_pickle: bool


def register(app: typer.Typer) -> None:
    app.command()(check)
    app.command()(prov)


def check(
    ref: Annotated[
        str | None, typer.Argument(metavar="REF", help="credit/7, credit@champion, credit; a folder or .zip")
    ] = None,
    every: Annotated[
        bool,
        typer.Option(
            "--all", help="The newest version of every name, and what aliases name; with models:/ of MLflow's registry."
        ),
    ] = False,
    last: Annotated[bool, typer.Option("--last", help="Judge nothing: show the verdict given last.")] = False,
    baseline: Annotated[str | None, typer.Option(help="A REF to compare with; default: the policy's alias.")] = None,
    model: Annotated[str | None, typer.Option(help="What is to ship: module:attribute, or a model file.")] = None,
    data: Annotated[Path | None, typer.Option(help="The very rows that were explained, parquet or CSV.")] = None,
    format: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.text,
    out: Annotated[Path | None, typer.Option(help="A file to write it to; default: printed.")] = None,
    policy: Annotated[Path | None, typer.Option(help="Default: showcause.toml in this folder.")] = None,
    no_policy: Annotated[bool, typer.Option("--no-policy", help="Do not read showcause.toml.")] = False,
    on: Annotated[str | None, typer.Option(help="Judge as on this day, such as 2026-12-31; default: today.")] = None,
    task: Annotated[Task | None, typer.Option(help="Needed for a bare callable.")] = None,
    version: Annotated[str | None, typer.Option(help="Identity of a callable, as at explain.")] = None,
    allow_pickle: Annotated[bool, typer.Option("--allow-pickle", help="Load a pickle.")] = False,
    trust: TrustOption = None,
    store: StoreOption = STORE,
) -> int:
    """Judge a snapshot under the policy.

    Blessed (exit code 0) or refused (1), with every reason and its stable code; the verdict is kept beside the
    snapshot. In mode = "advise" nothing is refused and nothing blessed. A REF that cannot be opened is refused too.

    Examples:

    \b
      showcause check credit --baseline credit@champion
      showcause check credit/7 --model train:model --data test.csv --format junit --out verdict.xml
      showcause check --all
      showcause check models:/ --all
    """
    registry = every and ref == "models:/"
    if (ref is None) != every and not registry:
        raise typer.BadParameter("give a REF or --all" if not every else "give a REF or --all, not both")
    if every and (model or data or baseline):
        raise typer.BadParameter("--model, --data and --baseline speak of one snapshot; give its REF")
    if registry and last:
        raise typer.BadParameter("--last shows what is kept in a store; of a registry give a REF")
    if last:
        verdicts = [_last(ref, store)] if ref is not None else _every_last(store)
    else:
        ship = Ship(model, data, None if task is None else task.value, version, allow_pickle)
        refs = _registered() if registry else _refs(store) if ref is None else [ref]
        verdicts = _judge(refs, baseline, ship, _rules(policy, no_policy), on, trust, store, keep=not registry)
    _write(verdicts, format, out, many=every)
    return INCOMPLETE if any(verdict.refused for verdict in verdicts) else 0


def prov(
    ref: RefArgument,
    out: Annotated[Path | None, typer.Option(help="A file to write it to; default: printed.")] = None,
    store: StoreOption = STORE,
) -> int:
    """Write a snapshot's history as W3C PROV-JSON.

    Data, model, training, explaining, judging and reviewing, and by whom.

    Example:  showcause prov credit/7 --out credit-7.prov.json
    """
    from showcause.cli.app import opened
    from showcause.verbs.prov import prov as export

    written = export(opened(ref, store)) + b"\n"
    if out is None:
        write(written)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(written)
        say(out)
    return 0


def _rules(policy: Path | None, without: bool) -> Path | None:
    from showcause.cli.app import policy_file

    return policy_file(policy, without)


def _judge(
    refs: Sequence[str],
    baseline: str | None,
    ship: Ship,
    rules: Path | None,
    on: str | None,
    trust: Path | None,
    store: Path,
    *,
    keep: bool = True,
) -> list[Any]:
    import showcause
    from showcause.cli.app import opened, place
    from showcause.cli.load import load_model
    from showcause.cli.signing import trusted
    from showcause.policy.policy import Policy

    loaded = None if ship.model is None else load_model(ship.model, allow_pickle=ship.allow_pickle)
    native = None if loaded is None else loaded.native
    policy, known = Policy.of(rules), trusted(trust)
    against = None if baseline is None else opened(baseline, store)
    file = None if loaded is None or not Path(loaded.source).is_file() else loaded.source
    found = []
    for ref in refs:
        target = place(ref, store)
        rows = None if ship.data is None else _rows(ship.data, ref, store, native)
        verdict = showcause.check(
            target, policy, baseline=against, model=native, data=rows, model_file=file, task=ship.task,
            version=ship.version, trust=known, store=store, on=on, keep=keep,
        )  # fmt: skip
        if isinstance(target, Path) and verdict.manifest is not None:
            complain(f"{ref} is an export and stays as it was written: this verdict is printed, not kept")
        found.append(verdict)
    return found


def _rows(path: Path, ref: str, store: Path, native: Any) -> Any:
    """(X, y) in the roles that the snapshot recorded; y None where the file has no labels."""
    from showcause.cli.app import opened
    from showcause.cli.load import Roles, read_table, recast, split
    from showcause.core.errors import ShowcauseError

    try:
        told = opened(ref, store).manifest.data
    except ShowcauseError:  # there is nothing to hold the rows to; the verdict says why
        return None
    roles = told.get("roles") or {}
    table = read_table(path, times=[roles["time"]] if "time" in roles else [])
    order = [name for name in told.get("order") or () if name in table.column_names]
    label = roles.get("label") if roles.get("label") in table.column_names else None
    rows = split(table.select([*order, *([label] if label else [])]), Roles(label=label))
    return (rows.X if native is None else recast(native, rows.X)), rows.y


def _refs(store: Path) -> list[str]:
    """The newest version of every name and what each alias names, once each."""
    from showcause.store.folder import FolderStore

    return [ref if "@" in ref else f"{ref}@latest" for ref in FolderStore(store, create=False).refs()]


def _registered() -> list[str]:
    """Of MLflow's registry what aliases name, and the newest version of what no alias names."""
    from showcause.integrations.mlflow.gate import everything

    return everything()


def _last(ref: str, store: Path) -> Any:
    from showcause.cli.app import opened
    from showcause.core.errors import NotFound
    from showcause.verbs.sign import newest_verdict

    verdict = newest_verdict(opened(ref, store))
    if verdict is None:
        raise NotFound(f"nobody has judged {ref} yet; showcause check {ref} does")
    return verdict


def _every_last(store: Path) -> list[Any]:
    from showcause.cli.app import opened
    from showcause.verbs.sign import newest_verdict

    found = [(ref, newest_verdict(opened(ref, store))) for ref in _refs(store)]
    for ref, verdict in found:
        if verdict is None:
            complain(f"nobody has judged {ref} yet")
    return [verdict for _, verdict in found if verdict is not None]


def _write(verdicts: Sequence[Any], format: Format, out: Path | None, *, many: bool) -> None:
    from showcause.views import verdict as views

    kept = list({verdict.digest: verdict for verdict in verdicts}.values())
    if format is Format.json:
        written = views.as_json(kept, many=many)
    elif format is Format.junit:
        written = views.junit(kept)
    elif format is Format.markdown:
        written = views.markdown(kept).encode()
    elif out is None:
        say(views.text(kept))
        return
    else:
        written = (views.text(kept) + "\n").encode()
    if out is None:
        write(written)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(written)
        say(out)
