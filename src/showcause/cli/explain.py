"""`showcause explain`: files in, roles apart, the library's `explain`, and its outcome as JSON."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from showcause.cli.load import Roles, load_model, read_table, recast, split
from showcause.cli.terminal import complain
from showcause.core import canonical
from showcause.core.errors import DataError
from showcause.core.snapshot import Snapshot
from showcause.policy.policy import Policy


@dataclass(frozen=True)
class Options:
    """The command's own options, as typed."""

    model: str
    data: Path
    label: str | None
    train: Path | None
    background: Path | None
    name: str | None
    segments: Sequence[str] | None
    protected: Sequence[str] | None
    context: Sequence[str] | None
    id: str | None
    threshold: float | None
    favourable: str | None
    task: Literal["classification", "regression"] | None
    version: str | None
    policy: Path | None
    seed: int
    refits: int | None
    refit: str | None
    panel: Sequence[str] | None
    baseline: str | None
    reference: Path | None
    allow_pickle: bool
    store: Path


def run(options: Options) -> Snapshot:
    """The published snapshot. Raises InputError for what cannot be used."""
    import showcause
    from showcause.cli.app import opened

    tell_costs()
    rules = Policy.of(options.policy)
    loaded = load_model(options.model, allow_pickle=options.allow_pickle)
    roles, times = roles_of(rules, label=options.label, id=options.id, context=options.context)
    given = {"label": roles.label, "id": roles.id, "context": list(options.context or [])}
    rules = replace(rules, data={**rules.data, **{role: name for role, name in given.items() if name}})
    rows = split(read_table(options.data, times=times), roles, need_label=True)
    train: Any = None
    if options.train is not None:
        trained = split(beside(options.train, roles, times), roles)
        X = recast(loaded.native, trained.X)
        train = X if trained.y is None else (X, trained.y)
    background = None
    if options.background is not None:
        background = recast(loaded.native, split(beside(options.background, roles, times), roles).X)
    reference = None
    if options.reference is not None:
        pinned = split(beside(options.reference, roles, times), roles)
        reference = {"X": recast(loaded.native, pinned.X), "y": pinned.y, "context": pinned.context}
    try:
        return showcause.explain(
            loaded.native,
            recast(loaded.native, rows.X),
            rows.y,
            train=train,
            name=options.name,
            store=options.store,
            segments=options.segments or None,
            protected=options.protected or None,
            context=rows.context,
            background=background,
            threshold=options.threshold,
            favourable=options.favourable,
            policy=rules,
            task=options.task,
            version=options.version,
            ids=rows.ids,
            seed=options.seed,
            refits=options.refits,
            refit=None if options.refit is None else load_model(options.refit).native,
            panel=[opened(ref, options.store) for ref in options.panel or ()] or None,
            baseline=None if options.baseline is None else opened(options.baseline, options.store),
            reference=reference,
            model_file=loaded.source if Path(loaded.source).is_file() else None,
            consents=loaded.consents,
        )
    except DataError as error:
        if "as context=" not in str(error):
            raise
        raise DataError(f"{error} (here: --context NAME, --label NAME or --id NAME)") from None


def tell_costs() -> None:
    """What retraining will cost goes to standard error, also where there is no progress bar."""

    class Told(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            complain(record.getMessage())

    costs = logging.getLogger("showcause.cost")
    costs.setLevel(logging.INFO)
    costs.handlers = [Told()]


def roles_of(
    rules: Policy, *, label: str | None = None, id: str | None = None, context: Sequence[str] | None = None
) -> tuple[Roles, list[str]]:
    """What the options say, else the policy. Weight and time stand apart too: the model never sees them."""
    said = rules.data
    context = list(context or said.get("context", []))
    apart = [said[role] for role in ("weight", "time") if role in said]
    roles = Roles(
        label or said.get("label"),
        id or said.get("id"),
        tuple(dict.fromkeys([*context, *apart])),
    )
    return roles, [said["time"]] if "time" in said else []


def beside(path: Path, roles: Roles, times: Sequence[str]) -> Any:
    """Training or background rows: columns with roles may be absent, and are filled with nulls where they are."""
    import pyarrow as pa

    table = read_table(path, times=times)
    for name in (roles.id, *roles.context):
        if name is not None and name not in table.column_names:
            table = table.append_column(name, pa.nulls(table.num_rows))
    return table


def outcome(snapshot: Snapshot) -> bytes:
    """One line of canonical JSON: ref, id, complete, statuses."""
    statuses = {name: {k: v for k, v in asdict(s).items() if v} for name, s in snapshot.statuses.items()}
    facts = {"ref": snapshot.ref, "id": snapshot.id, "complete": snapshot.complete, "statuses": statuses}
    return canonical.dumps(facts) + b"\n"
