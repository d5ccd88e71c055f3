"""`showcause backfill`: snapshots for what MLflow's registry holds already."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from showcause.cli import INCOMPLETE, Interrupted
from showcause.cli.options import STORE, StoreOption
from showcause.cli.terminal import columns, say


def register(app: typer.Typer) -> None:
    app.command()(backfill)


def backfill(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="models:/NAME; models:/NAME/7 for one version.")],
    data: Annotated[Path, typer.Option(help="Held-out rows, parquet or CSV; the same for every version.")],
    label: Annotated[str | None, typer.Option(help="The column of true outcomes.")] = None,
    train: Annotated[Path | None, typer.Option(help="Training rows, with the same columns.")] = None,
    context: Annotated[list[str] | None, typer.Option(help="Column that the model never sees; repeat.")] = None,
    protected: Annotated[list[str] | None, typer.Option(help="Protected attribute; repeat.")] = None,
    policy: Annotated[Path | None, typer.Option(help="Default: showcause.toml in this folder.")] = None,
    no_policy: Annotated[bool, typer.Option("--no-policy", help="Do not read showcause.toml.")] = False,
    seed: Annotated[int, typer.Option(help="Of everything drawn by chance.")] = 0,
    key: Annotated[Path | None, typer.Option("--key", envvar="SHOWCAUSE_KEY", help="Signs each binding.")] = None,
    allow_pickle: Annotated[bool, typer.Option("--allow-pickle", help="Load pickles; the records say so.")] = False,
    store: StoreOption = STORE,
) -> int:
    """Explain the versions that MLflow's registry holds already.

    Each version without a snapshot is read in its native format, explained on the rows given, and carries the snapshot
    from then on. What is there is never overwritten. Interrupted (Ctrl-C, or killed), the same command goes on where it
    stopped. Ends with a table of what could not be explained, and why; exit code 1 if there is any.

    Needs: pip install 'showcause[mlflow]'

    Example:  showcause backfill models:/credit --data test.csv --label paid --train train.csv
    """
    from showcause.cli.app import policy_file
    from showcause.cli.explain import tell_costs
    from showcause.cli.signing import loaded
    from showcause.integrations.mlflow.filling import filling

    tell_costs()
    rules, rows, rest = _given(data, label, train, context, policy_file(policy, no_policy))
    done: list[Any] = []
    try:
        lines = filling(
            name, rows.X, rows.y, store=store, policy=rules, protected=protected or None, seed=seed,
            key=None if key is None else loaded(key), allow_pickle=allow_pickle, **rest,
        )  # fmt: skip
        for line in lines:
            done.append(line)  # noqa: PERF402 - what was done counts when the rest is interrupted
    except KeyboardInterrupt:
        raise Interrupted(f"{_summary(done)}. The same command goes on with the rest") from None
    say(_summary(done))
    if bad := [line for line in done if not line.good]:
        say("", columns(("version", "what", "code", "why"), [(b.ref, b.state, b.code, b.reason) for b in bad]))
    return INCOMPLETE if bad else 0


def _given(data: Path, label: str | None, train: Path | None, context: Any, policy: Path | None) -> Any:
    """(policy, held-out rows, further options of explain): roles by option, else by the policy."""
    from dataclasses import replace

    from showcause.cli.explain import beside, roles_of
    from showcause.cli.load import read_table, split
    from showcause.policy.policy import Policy

    rules = Policy.of(policy)
    roles, times = roles_of(rules, label=label, context=context)
    said = {"label": roles.label, "id": roles.id, "context": list(context or [])}
    rules = replace(rules, data={**rules.data, **{role: name for role, name in said.items() if name}})
    rows = split(read_table(data, times=times), roles, need_label=True)
    rest: dict[str, Any] = {"context": rows.context, "ids": rows.ids}
    if train is not None:
        trained = split(beside(train, roles, times), roles)
        rest["train"] = trained.X if trained.y is None else (trained.X, trained.y)
    return rules, rows, rest


def _summary(done: list[Any]) -> str:
    made, there = (sum(line.state == state for line in done) for state in ("explained", "there already"))
    return f"{made} explained, {there} there already, {len(done) - made - there} not or not wholly explained"
