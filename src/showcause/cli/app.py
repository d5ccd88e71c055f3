"""The commands. Each reads its options, calls the verb, prints what came of it and returns an exit code."""

from __future__ import annotations

import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from showcause.cli import INCOMPLETE, backfill, check, differences, signing
from showcause.cli.options import POLICY, STORE, RefArgument, StoreOption, TrustOption
from showcause.cli.terminal import complain, say, write

app = typer.Typer(
    name="showcause",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 complete; 1 incomplete, or findings; 2 usage or bad input; 3 internal error. "
    "A REF is credit/7, credit@champion, credit@latest or credit; the path of an exported folder or .zip; of MLflow "
    "models:/credit/7, models:/credit@champion or runs:/RUN.",
)


class Audience(StrEnum):
    """Who a report is for."""

    engineer = "engineer"
    officer = "officer"
    subject = "subject"


class Task(StrEnum):
    """What a bare callable does."""

    classification = "classification"
    regression = "regression"


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """No model ships until it shows cause: explanation snapshots of trained models, verified and reported.

    A first look:

      showcause demo

    Your own model, where train.py holds it as `model`:

    \b
      showcause init --data train.csv
      showcause explain train:model --data test.csv --train train.csv --label paid --name credit
      showcause report credit
    """


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where the reports go.")] = Path("demo"),
    store: StoreOption = STORE,
    seed: Annotated[int, typer.Option(help="Of the split, the models and the explanations.")] = 0,
) -> int:
    """Explain and report real models on real data.

    Three models of real mortgage decisions, in under three minutes.

    Needs: pip install 'showcause[demo]'

    Example:  showcause demo
    """
    from showcause.cli.demo import run

    return run(out, store, seed)


@app.command()
def init(
    data: Annotated[Path | None, typer.Option(help="Parquet or CSV to read columns from.")] = None,
    out: Annotated[Path, typer.Option(help="The file to write; never overwritten.")] = POLICY,
    store: StoreOption = STORE,
) -> int:
    """Write a commented showcause.toml.

    Its columns, kinds and suggested roles are read from the data. Makes the store too.

    Example:  showcause init --data train.parquet
    """
    from showcause.cli.init import write_policy
    from showcause.store.folder import FolderStore

    FolderStore(store)
    path = write_policy(out, data)
    say(f"wrote {path}: it advises and refuses nothing yet; take away the # of what you want to say")
    say(f"the store is {store}")
    return 0


@app.command()
def explain(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="module:attribute, or .json .ubj .txt .cbm")],
    data: Annotated[Path, typer.Option(help="Held-out rows, parquet or CSV.")],
    label: Annotated[str | None, typer.Option(help="The column of true outcomes.")] = None,
    train: Annotated[Path | None, typer.Option(help="Training rows, with the same columns.")] = None,
    background: Annotated[Path | None, typer.Option(help="Reference rows; default: from the training rows.")] = None,
    name: Annotated[str | None, typer.Option(help="Publish as NAME/1, NAME/2, …; default: model.")] = None,
    segments: Annotated[list[str] | None, typer.Option(help="Column whose levels are reported apart; repeat.")] = None,
    protected: Annotated[list[str] | None, typer.Option(help="Protected attribute; repeat.")] = None,
    context: Annotated[list[str] | None, typer.Option(help="Column that the model never sees; repeat.")] = None,
    id: Annotated[str | None, typer.Option("--id", help="Column of your own row ids.")] = None,
    threshold: Annotated[float | None, typer.Option(help="On the probability of the second class.")] = None,
    favourable: Annotated[str | None, typer.Option(help="The class that a person hopes for.")] = None,
    task: Annotated[Task | None, typer.Option(help="Needed for a bare callable.")] = None,
    version: Annotated[str | None, typer.Option(help="Identity of a callable, which is opaque without.")] = None,
    policy: Annotated[Path | None, typer.Option(help="Default: showcause.toml in this folder.")] = None,
    no_policy: Annotated[bool, typer.Option("--no-policy", help="Do not read showcause.toml.")] = False,
    seed: Annotated[int, typer.Option(help="Of everything drawn by chance.")] = 0,
    refits: Annotated[int | None, typer.Option(help="Train so many times again: what would chance give?")] = None,
    refit: Annotated[str | None, typer.Option(help="module:function (X, y, seed) for what cannot be cloned.")] = None,
    baseline: Annotated[str | None, typer.Option(help="REF on whose rows the model is explained too.")] = None,
    reference: Annotated[Path | None, typer.Option(help="The baseline's rows, where it stores none.")] = None,
    panel: Annotated[list[str] | None, typer.Option(help="REF of an earlier night, instead; repeat.")] = None,
    allow_pickle: Annotated[bool, typer.Option("--allow-pickle", help="Load a pickle; the record says so.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
    store: StoreOption = STORE,
) -> int:
    """Explain a model, publish the snapshot.

    Columns of the data that are neither the label, the id nor context are the model's. Roles may stand in
    showcause.toml ([data] label, id, weight, time, context …), which options override.

    Examples:

    \b
      showcause explain train:model --data test.csv --train train.csv --label paid --name credit
      showcause explain model.ubj --data test.parquet --label paid --context sex --protected sex --name credit
    """
    from showcause.cli.explain import Options, run

    given = Options(
        model, data, label, train, background, name, segments, protected, context, id, threshold, favourable,
        None if task is None else task.value, version, policy_file(policy, no_policy), seed,
        refits, refit, panel, baseline, reference, allow_pickle, store,
    )  # fmt: skip
    snapshot = run(given)
    if as_json:
        from showcause.cli.explain import outcome

        write(outcome(snapshot))
        return 0 if snapshot.complete else INCOMPLETE
    from showcause.cli import show as text

    say(text.summary(snapshot))
    if missing := text.trouble(snapshot):
        say(missing)
    say(f"next: showcause report {snapshot.ref}" + ("" if store == STORE else f" --store {store}"))
    return 0 if snapshot.complete else INCOMPLETE


def policy_file(given: Path | None, without: bool) -> Path | None:
    if without and given is not None:
        raise typer.BadParameter("give --policy or --no-policy, not both")
    if given is not None or without:
        return given
    if not POLICY.is_file():
        return None
    complain(f"reading {POLICY} from this folder (--no-policy: don't)")
    return POLICY


@app.command()
def show(
    ref: RefArgument,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="An artifact, such as dependence/ale.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Spec and table as canonical JSON.")] = False,
    as_table: Annotated[bool, typer.Option("--table", help="The whole table as text.")] = False,
    as_svg: Annotated[bool, typer.Option("--svg", help="Its figure.")] = False,
    store: StoreOption = STORE,
) -> int:
    """Show a snapshot or one artifact.

    Examples:

    \b
      showcause show credit
      showcause show credit/7 importance/shap --table
      showcause show credit@champion dependence/ale --json | jq .records
    """
    if as_json + as_table + as_svg > 1:
        raise typer.BadParameter("give one of --json, --table and --svg")
    from showcause.cli import show as text
    from showcause.store.export import artifact_json

    snapshot = opened(ref, store)
    if name is None:
        if as_svg:
            raise typer.BadParameter("--svg needs the name of an artifact")
        if as_json:
            write(snapshot.manifest.document + b"\n")
        else:
            say(text.summary(snapshot), "", text.statuses(snapshot))
        return 0 if snapshot.complete else INCOMPLETE
    artifact = snapshot[name]
    if as_json:
        write(artifact_json(artifact))
    elif as_svg:
        from showcause.views.notebook import svg

        write(svg(artifact).encode())
    else:
        say(text.spec(artifact), "", text.table(artifact, None if as_table else text.LINES))
    return 0


@app.command()
def report(
    ref: RefArgument,
    audience: Annotated[Audience, typer.Option(help="Who reads it.")] = Audience.engineer,
    share: Annotated[bool, typer.Option("--share", help="Aggregates only: nothing about any single row.")] = False,
    example: Annotated[int | None, typer.Option(help="For the subject: the position of the person's row.")] = None,
    id: Annotated[str | None, typer.Option("--id", help="For the subject: the person's own id instead.")] = None,
    date: Annotated[str | None, typer.Option(help="For the subject: the day of the decision.")] = None,
    policy: Annotated[Path | None, typer.Option(help="For the subject: its [letter] over the snapshot's own.")] = None,
    language: Annotated[str | None, typer.Option(help="For the subject: a translation, such as de.")] = None,
    out: Annotated[Path | None, typer.Option(help="Default: NAME-VERSION-AUDIENCE.html")] = None,
    store: StoreOption = STORE,
) -> int:
    """Write a report as one HTML file.

    It is self-contained and works offline. The subject's is a letter to one person decided about.

    Examples:

    \b
      showcause report credit@champion --audience officer --share --out credit.html
      showcause report credit --audience subject --example 12 --date 2026-03-03
    """
    from showcause.policy.policy import Policy

    snapshot = opened(ref, store)
    slots = {**(Policy.of(policy).letter if policy else {}), **({"date": date} if date else {})}
    about = {"example": example, "id": id, "slots": slots or None, "language": language}
    whose = "" if example is None and id is None else f"-{id if example is None else example}"
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{snapshot.ref}-{audience.value}{whose}")
    say(snapshot.report(out or Path(f"{stem}.html"), audience=audience.value, share=share, **about))
    return 0 if snapshot.complete else INCOMPLETE


@app.command()
def reasons(
    ref: RefArgument,
    model: Annotated[str, typer.Option(help="module:attribute, or .json .ubj .txt .cbm; the snapshot's own model.")],
    data: Annotated[Path, typer.Option(help="Rows to give reasons for: parquet (streamed) or CSV.")],
    out: Annotated[Path, typer.Option(help="The parquet file to write.")],
    id: Annotated[str | None, typer.Option("--id", help="Column of your own row ids, carried over.")] = None,
    reference: Annotated[
        Path | None, typer.Option(help="Training rows, where the snapshot keeps none; checked by digest.")
    ] = None,
    task: Annotated[Task | None, typer.Option(help="Of a bare callable; default: the snapshot's.")] = None,
    version: Annotated[str | None, typer.Option(help="Of a callable explained with one.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Rows at a time; results do not depend on it.")] = 8192,
    allow_pickle: Annotated[bool, typer.Option("--allow-pickle", help="Load a pickle.")] = False,
    store: StoreOption = STORE,
) -> int:
    """Write reason codes for every row.

    Codes, text and the snapshot's id, row by row, against the population that the snapshot names. Memory stays flat; a
    run that ends early leaves no file.

    Example:  showcause reasons credit --model train:model --data scored.parquet --out reasons.parquet
    """
    from showcause.cli.reasons import run

    rows, seconds = run(
        opened(ref, store), model, data, out, id=id, reference=reference, task=None if task is None else task.value,
        version=version, batch=batch, allow_pickle=allow_pickle,
    )  # fmt: skip
    say(f"{rows:,} rows in {seconds:.1f} s: {out}")
    return 0


@app.command()
def log(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A model's name, or NAME@ALIAS; without: every name.")
    ] = None,
    trust: TrustOption = None,
    store: StoreOption = STORE,
) -> int:
    """List the versions of a model, or all that an alias ever named.

    The newest first: versions with the aliases that name them; of an alias when, by whom, on what grounds, and (with
    the trust file) who signed.

    Examples:

    \b
      showcause log credit
      showcause log credit@champion
      showcause log models:/credit@champion
    """
    if name is not None and name.startswith("models:/"):
        return registered_log(name, trust)
    from showcause.cli.log import history
    from showcause.cli.signing import entries, trusted
    from showcause.store.folder import FolderStore

    found = FolderStore(store, create=False)
    say(entries(found, name, trusted(trust)) if name is not None and "@" in name else history(found, name))
    return 0


def registered_log(ref: str, trust: Path | None) -> int:
    """The log of an alias that MLflow keeps, or of every alias of a registered model."""
    from showcause.cli.signing import listed, trusted
    from showcause.core.errors import NotFound
    from showcause.integrations.mlflow import ledger
    from showcause.integrations.mlflow.refs import connect, parsed

    name, alias = parsed(ref).name, parsed(ref).alias
    client, known = connect(), trusted(trust)
    aliases = [alias] if alias else ledger.logged(client, name)
    found = {one: ledger.entries(client, name, one) for one in aliases}
    if not any(found.values()):
        raise NotFound(f"{ref} has no log: nothing was promoted with showcause")
    for one, entries in found.items():
        say(f"models:/{name}@{one}", listed(entries, known))
    return 0


@app.command()
def verify(
    what: Annotated[
        str | None, typer.Argument(metavar="REF", help="A version, folder or zip; without: the store.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Make explanations again from this model; needs --data.")] = None,
    data: Annotated[Path | None, typer.Option(help="The rows that were explained.")] = None,
    train: Annotated[Path | None, typer.Option(help="The training rows, where they were given.")] = None,
    background: Annotated[Path | None, typer.Option(help="The reference rows, where they were given.")] = None,
    label: Annotated[str | None, typer.Option(help="The column of true outcomes; default: as then.")] = None,
    version: Annotated[str | None, typer.Option(help="Identity of a callable, as it was given.")] = None,
    rerun: Annotated[int, typer.Option(min=1, help="How many pieces are made again.")] = 50,
    seed: Annotated[int | None, typer.Option(help="Of the choice of pieces; drawn without.")] = None,
    allow_pickle: Annotated[bool, typer.Option("--allow-pickle", help="Load a pickle.")] = False,
    trust: TrustOption = None,
    store: StoreOption = STORE,
) -> int:
    """Check that nothing was changed, and who vouches for it.

    Reads every byte again and names each file or record that is not as it was stored, and each signature that does
    not count. With a trust file it says who vouched for what under which policy. With a model and its data it makes a
    sample of the explanations again, which finds a forger who has rewritten the digests too.

    Examples:

    \b
      showcause verify
      showcause verify credit-7.zip --trust showcause-trust.toml
      showcause verify credit@champion --model train:model --data test.csv --train train.csv --rerun 50
    """
    from showcause.cli.log import findings
    from showcause.cli.signing import trusted

    if (model is None) != (data is None) or (model is not None and what is None):
        raise typer.BadParameter("to make explanations again give a REF, --model and --data")
    options: dict[str, Any] = {"trust": trusted(trust)}
    if model is not None and data is not None and what is not None:
        from showcause.cli.recheck import given

        options |= {"rerun": rerun, "seed": seed} | given(
            opened(what, store), model, data, train=train, background=background, label=label, version=version,
            allow_pickle=allow_pickle,
        )  # fmt: skip
    found = findings(what, store, **options)
    for finding in found:
        say(finding)
    bad = sum(finding.severity != "note" for finding in found)
    if bad:
        say(f"{bad} finding{'s' if bad > 1 else ''}: {what or store} is not as it was stored")
        return INCOMPLETE
    held = " and what was made again holds" if model is not None else ""
    say(f"{what or store} is whole and unchanged{held}")
    return 0


@app.command()
def methods(
    ref: Annotated[
        str | None, typer.Argument(metavar="REF", help="Also say what became of each in this snapshot.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with parameters and defaults.")] = False,
    store: StoreOption = STORE,
) -> int:
    """List the explanation methods.

    With the question that each answers, and its parameters.

    Example:  showcause methods --json
    """
    from showcause.cli.log import listing

    known = opened(ref, store).statuses if ref else None
    text: Any = listing(known, as_json)
    write(text) if as_json else say(text)
    return 0


@app.command()
def export(
    ref: RefArgument,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A new folder, or a file ending in .zip.")],
    store: StoreOption = STORE,
) -> int:
    """Write a snapshot as a folder or zip.

    Plain files that carry their own digests.

    Example:  showcause export credit/7 credit-7.zip
    """
    snapshot = opened(ref, store)
    say(snapshot.export(path))
    return 0


@app.command()
def gc(
    grace: Annotated[float, typer.Option(min=0, help="Seconds that a file is left alone: a run may need it.")] = 3600.0,
    store: StoreOption = STORE,
) -> int:
    """Remove what no version reaches.

    What no version and no alias reaches, and nothing else.

    Example:  showcause gc
    """
    from showcause.store.folder import FolderStore

    removed, kept = FolderStore(store, create=False).gc(grace=grace)
    for path in removed:
        say(f"removed {path}")
    say(f"{len(removed)} removed, {len(kept)} too young to remove")
    return 0


check.register(app)
backfill.register(app)
differences.register(app)
signing.register(app)


def opened(ref: str, store: Path) -> Any:
    """The snapshot that a REF names."""
    import showcause

    target = place(ref, store)
    return showcause.open(target) if isinstance(target, Path) else showcause.open(target, store=store)


def place(ref: str, store: Path) -> str | Path:
    """A REF of the store as text, an export as a path. Those of the same spelling are told apart by `./`."""
    from showcause.core.errors import ParameterError
    from showcause.store.export import INDEX
    from showcause.verbs.open import SCHEMES

    if ref.startswith(SCHEMES):
        return ref
    path = Path(ref)
    exported = path.suffix == ".zip" or (path / INDEX).is_file()
    pathlike = ref.startswith((".", os.sep, "~")) or path.is_absolute() or path.suffix == ".zip"
    if pathlike:
        return path.expanduser()
    if exported and (store / "refs" / path.parts[0]).exists():
        raise ParameterError(
            f"{ref!r} is a snapshot in {store} and an exported folder here; write ./{ref} for the folder"
        )
    return path if exported else ref
