"""The log of an alias of a registered model, kept by MLflow itself.

MLflow lets anybody move an alias and remembers nothing. What it does have is one thing that is written once and never
changed: a parameter of a run. So each registered model has a run, and entry 3 of `credit@champion` is its parameter
`champion/000003`, the entry's canonical bytes (store/promotion.py: numbered, chained, signed where there is a key). Of
two clients that write the same number one gets Conflict, over HTTP as on a database, with any number of workers. Which
run it is stands in a parameter of a root run, and which that is in a tag that an experiment was created with; the name
of an experiment is given once, too. So two clients that begin at once never begin two logs.

An alias and its log are two writes. The entry comes first; then the alias is set to what the last entry says, again and
again until nobody has added one meanwhile (`follow`), so that both agree whoever was faster.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from showcause.core import canonical
from showcause.core.errors import Conflict, Corrupt, NotFound, ParameterError
from showcause.integrations.mlflow.refs import clear
from showcause.store.promotion import Promotion

EXPERIMENT = "showcause-log"
ROOT = "showcause-log-root"  # an experiment that only says, by a tag, which run is the root
POINTER = "showcause.log"
LONGEST = 6_000  # characters of a parameter
MOST = 999_999
STAGE = "stage."  # before the name of a stage, whose log is kept as an alias's; no alias has a dot


def run_of(client: Any, name: str, *, create: bool = False, location: str | None = None) -> str | None:
    """The id of the run that keeps the logs of a registered model; None where there is none yet.

    location   where a new experiment keeps artifacts, of which it has none; default: as MLflow does
    """
    from mlflow.exceptions import MlflowException

    root = _root(client, create, location)
    if root is None:
        return None
    key = canonical.digest(name.encode())
    found = client.get_run(root).data.params.get(key)
    if found is not None or not create:
        return found
    made = _new_run(client, client.get_run(root).info.experiment_id, name)
    try:
        client.log_param(root, key, made)
        return made
    except MlflowException:  # another client was faster, unless it was something else
        found = client.get_run(root).data.params.get(key)
        if found is None:
            raise
        client.delete_run(made)
        return str(found)


def _root(client: Any, create: bool, location: str | None) -> str | None:
    from mlflow.exceptions import MlflowException

    known = client.get_experiment_by_name(ROOT)
    if known is None and not create:
        return None
    if known is None:
        options = {} if location is None else {"artifact_location": location}
        with contextlib.suppress(MlflowException):  # another client was faster
            client.create_experiment(EXPERIMENT, **options)
        home = client.get_experiment_by_name(EXPERIMENT)
        if home is None:
            raise NotFound(f"MLflow has no experiment {EXPERIMENT} and makes none")
        run = _new_run(client, home.experiment_id, "")
        with contextlib.suppress(MlflowException):
            client.create_experiment(ROOT, tags={POINTER: run}, **options)
        known = client.get_experiment_by_name(ROOT)
        if known is not None and known.tags.get(POINTER) != run:
            client.delete_run(run)
    if known is None or known.lifecycle_stage != "active" or not known.tags.get(POINTER):
        raise Corrupt(f"the experiment {ROOT}, which says where the logs of aliases are, was deleted or emptied")
    return str(known.tags[POINTER])


def _new_run(client: Any, experiment: str, name: str) -> str:
    said = {"mlflow.runName": f"log of {name}" if name else "root"}
    run = client.create_run(experiment, tags=said)
    return str(run.info.run_id)


def entries(client: Any, name: str, alias: str) -> list[Promotion]:
    """The log of an alias in order, each entry held to its place. Raises Corrupt, StoreError."""
    with clear(f"the log of {name}@{alias}"):
        run = run_of(client, name)
        params = {} if run is None else client.get_run(run).data.params
    return chain(params, name, alias)


def logged(client: Any, name: str) -> list[str]:
    """The aliases of a registered model that have a log."""
    with clear(f"the logs of {name}"):
        run = run_of(client, name)
        params = {} if run is None else client.get_run(run).data.params
    return sorted({key.partition("/")[0] for key in params})


def chain(params: Any, name: str, alias: str) -> list[Promotion]:
    """The entries among parameters of a run. Raises Corrupt where one is missing, moved or edited."""
    found: list[Promotion] = []
    keys = sorted(key for key in params if key.partition("/")[0] == alias)
    for number, key in enumerate(keys, 1):
        if key != _key(alias, number):
            raise Corrupt(f"the log of {name}@{alias}: {key} stands where {_key(alias, number)} must stand")
        entry = Promotion.read(params[key].encode())
        if (entry.alias, entry.number) != (f"{name}@{alias}", number):
            raise Corrupt(f"entry {number} of {name}@{alias} is entry {entry.number} of {entry.alias}")
        if entry.previous != (found[-1].digest if found else None):
            raise Corrupt(f"entry {number} of {name}@{alias} was written after another entry than the one before it")
        found.append(entry)
    return found


def _key(alias: str, number: int) -> str:
    return f"{alias}/{number:06d}"


def append(client: Any, name: str, entry: Promotion, *, location: str | None = None) -> None:
    """Write an entry. Raises Conflict where another has its number, ParameterError for one that is too long."""
    from mlflow.exceptions import MlflowException

    text, alias = entry.document.decode(), entry.alias.rpartition("@")[2]
    if len(text) > LONGEST or entry.number > MOST:
        raise ParameterError(
            f"the entry has {len(text)} characters, and MLflow keeps {LONGEST}: shorten the reason "
            f"({len(entry.reason)} characters)"
        )
    with clear(f"the log of {entry.alias}"):
        run = run_of(client, name, create=True, location=location)
        try:
            client.log_param(run, _key(alias, entry.number), text)
        except MlflowException:
            if _key(alias, entry.number) not in client.get_run(run).data.params:
                raise
        there = client.get_run(run).data.params.get(_key(alias, entry.number))
    if there != text:
        raise Conflict(f"another writer added entry {entry.number} of {entry.alias} first")


def version_of(entry: Promotion, name: str) -> str:
    """The version's number that an entry names. Raises Corrupt."""
    head, _, version = entry.ref.rpartition("/")
    if head != f"models:/{name}" or not version.isdigit():
        raise Corrupt(f"entry {entry.number} of {entry.alias} names {entry.ref!r}, no version of {name}")
    return version


def follow(client: Any, name: str, alias: str, set_to: Any) -> Promotion:
    """Make the alias what its log says: `set_to(version)` until no entry was added meanwhile. Returns the last."""
    for _ in range(100):
        last = entries(client, name, alias)[-1]
        set_to(version_of(last, name))
        if entries(client, name, alias)[-1].digest == last.digest:
            return last
    raise Conflict(f"{name}@{alias} is being changed by others all the time; try again")


def served(log: Sequence[Promotion], ref: str, manifest: str) -> bool:
    """Whether this snapshot of this version is in the log."""
    return any((entry.ref, entry.manifest) == (ref, manifest) for entry in log)
