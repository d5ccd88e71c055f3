"""Do the stored explanations still hold for this model and these data?

Digests say that bytes were not changed; whoever can rewrite a store can rewrite its digests too. Only asking the model
again tells whether the numbers are true. So the inputs are held to the manifest, and a sample of the artifacts is made
again by the same methods with the stored parameters, seed, rows and background, and compared cell by cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import pyarrow as pa

from showcause.adapters.dataset import SAMPLE_ROWS, Dataset, dataset
from showcause.adapters.frame import Frame
from showcause.adapters.model import one_thread
from showcause.core.artifact import Artifact
from showcause.core.errors import DataError, NotApplicable, ShowcauseError
from showcause.core.finding import Finding
from showcause.core.kinds import COMMON_KEY, kind
from showcause.core.snapshot import Snapshot, Status
from showcause.environment import packages
from showcause.methods import find
from showcause.methods.method import Job, Method, plain, run
from showcause.policy.policy import Policy
from showcause.privacy import without_rows
from showcause.verbs.compute import decide, read_background, read_model
from showcause.verbs.explain import INSTEAD, data_facts, handed, model_facts

CLOSE, TINY = 1e-6, 1e-9  # relative to the number, to the largest of its column: what other libraries' rounding does
SPREAD = 2.8  # standard errors that two independent estimates of one number may lie apart, 95 %: 1.96 · √2
BY_FEATURE, BY_EXAMPLE = "curve", "attribution/tree_shap"  # these can be made again in part
BESIDE = ("segments", "protected", "immutable")  # roles that may name context columns
SHOWN = 5
OF_RETRAININGS, RETRAINED = {"agree", "refits"}, ("panel", "refits")  # columns and members of a spec


@dataclass(frozen=True)
class Given:
    """What the snapshot is held to, as `explain` takes it; `data` is X, (X, y), or one frame that has all columns."""

    model: Any
    data: Any
    train: Any = None
    background: Any = None
    context: Any = None
    ids: Sequence[Any] | None = None
    version: str | None = None


@dataclass
class Tally:
    """Of one artifact: cells compared, those that differ within their error, and what does not hold."""

    cells: int = 0
    within: int = 0
    near: str = ""  # the first of those
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Watched(Dataset):
    """A dataset that remembers which of its parts were asked for: what a method never looked at excuses nothing."""

    seen: set[str] = field(default_factory=set, compare=False)

    def __getattribute__(self, name: str) -> Any:
        if name in ("y", "train", "train_y", "context", "segments", "protected"):
            object.__getattribute__(self, "seen").add(name)
        return object.__getattribute__(self, name)

    @classmethod
    def of(cls, data: Dataset) -> Watched:
        return cls(**{entry.name: getattr(data, entry.name) for entry in fields(Dataset)})


def recheck(snapshot: Snapshot, given: Given, *, rerun: int = 50, seed: int | None = None) -> list[Finding]:
    """Hold the inputs to the manifest, then make `rerun` pieces again and compare.

    A piece is one example of attribution/tree_shap, one feature of a curve, any other artifact as a whole, or a method
    that was said not to apply; each artifact comes before any gets a second piece. `seed` of the choice is drawn where
    it is not given, so that nobody who forges knows what is looked at, and the last finding states it.

    Findings: other-model, other-data, other-decision, not-reproduced (fail); same-behaviour (another digest, but the
    probe rows are predicted alike), within-error (numbers that only their error excuses, though the libraries are the
    same) (warn); holds, not-rechecked with the reason (note). Raises InputError where the model or the data cannot be
    used at all.
    """
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
    job, rules = _job(snapshot, given)
    with one_thread():
        found = list(_inputs(snapshot, job, rules))
        if any(finding.code == "other-data" for finding in found):
            message = "nothing was made again: the numbers are of other rows"
            return [*found, Finding("not-rechecked", "note", snapshot.ref, message)]
        pieces = _pieces(snapshot, rerun, np.random.default_rng(seed))
        names = sorted({*snapshot.manifest.artifacts, *pieces})
        found += [_one(snapshot, name, pieces.get(name), job, rules) for name in names]
    held = sum(finding.code == "holds" for finding in found)
    rest = sum(finding.code == "not-rechecked" for finding in found)
    message = f"{held} parts made again and hold, {rest} not looked at or not possible; the choice's seed is {seed}"
    return [*found, *_elsewhere(snapshot, job), Finding("rechecked", "note", snapshot.ref, message)]


def _job(snapshot: Snapshot, given: Given) -> tuple[Job, Policy]:
    """The job that made the snapshot, from what is given and what the manifest says. Raises InputError."""
    manifest, facts = snapshot.manifest, snapshot.manifest.data
    if not manifest.model or not facts:
        raise DataError(f"{snapshot.ref} explains nothing: its run ended before it had a model and data")
    roles = {**facts["roles"], "segments": facts["segments"], "protected": facts["protected"]}
    rules = Policy.of(
        {"data": roles, "features": facts["features"], "privacy": facts["privacy"], "model": manifest.model["card"]}
    )
    X, y, context = _apart(given, facts)
    if context is None and facts["context"]:  # roles of columns that are not here are set aside; see `_lost`
        kept = {role: [n for n in roles.get(role, []) if n in facts["order"]] for role in BESIDE}
        rules = replace(rules, data={**roles, **{role: names for role, names in kept.items() if role in roles}})
    adapted, frame = read_model(
        given.model, X, task=manifest.model["task"], y=y, version=given.version or rules.model.get("version")
    )
    seed = snapshot.record.configuration.get("seed", 0)
    data = dataset(
        adapted, frame, y, train=given.train, context=context, segments=rules.data["segments"],
        protected=rules.data["protected"], ids=given.ids, features=rules.features, limit=SAMPLE_ROWS, seed=seed,
        private=rules.omits_rows, recourse=rules.data,
    )  # fmt: skip
    stated = manifest.decision
    threshold = stated["threshold"] if stated["source"] == "given" else None
    named = stated["favourable"] in adapted.classes
    decision = decide(adapted, threshold, stated["favourable"] if named else None)
    return Job(adapted, data, decision, seed, read_background(adapted, given.background)), rules


def _apart(given: Given, facts: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """X, y and context. One frame that holds the label or context columns too is taken apart by the manifest."""
    if isinstance(given.data, tuple):
        return (*given.data, given.context) if len(given.data) == 2 else (given.data[0], None, given.context)
    whole = Frame.of(given.data, what="data")
    label, beside = facts["roles"].get("label"), facts["context"] or {}
    order = facts["order"]
    if whole.is_array or set(whole.names) <= set(order):
        return given.data, None, given.context
    if missing := [name for name in order if name not in whole.names]:
        raise DataError(f"the data lack the columns {missing[:12]} that were explained")
    y = None
    if label in whole.names and label not in order and facts["labels"] is not None:
        y = whole.arrow(label).to_numpy(zero_copy_only=False)
    context = given.context
    if context is None and beside and set(beside) <= set(whole.names):
        context = whole.select(list(beside)).native
    return whole.select(order).native, y, context


# -- the inputs


def _inputs(snapshot: Snapshot, job: Job, rules: Policy) -> Iterator[Finding]:
    manifest, model = snapshot.manifest, model_facts(job, rules)
    stated, here = dict(manifest.model), dict(model)
    then, now = stated.pop("probe"), here.pop("probe")
    same_rows = then["digest"] == now["digest"]
    alike = same_rows and _same(plain(then["outputs"]), plain(now["outputs"]))
    if here["digest"] != stated["digest"]:
        text = f"this model has the digest {here['digest'][:12]}, the one explained {stated['digest'][:12]}"
        if alike:
            yield Finding("same-behaviour", "warn", "model", f"{text}; it predicts the probe rows alike")
        else:
            yield Finding("other-model", "fail", "model", f"{text}, and it predicts otherwise")
    elif wrong := _differences(stated, here) or ("" if alike or not same_rows else "probe"):
        yield Finding("other-model", "fail", "model", f"the manifest says of the model what it is not: {wrong}")
    yield from _data(manifest.data, plain(data_facts(job, rules)))
    if manifest.decision != job.decision.document:
        said = f"the manifest says {dict(manifest.decision)}, the model and its data give {job.decision.document}"
        yield Finding("other-decision", "fail", "decision", said)


def _data(stated: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[Finding]:
    """Columns whose digests differ, and every other fact. Training and background rows may be missing here."""
    for what in ("columns", "context", "background"):
        one, two = stated[what] or {}, here[what] or {}
        changed = sorted(name for name in {*one, *two} if one.get(name) != two.get(name))
        if changed and not (what != "columns" and not two):
            yield Finding("other-data", "fail", what, f"other values or kinds than explained in {changed[:12]}")
    one, two = stated["train"] or {}, here["train"] or {}
    if two and one != two:
        yield Finding("other-data", "fail", "train", "these are not the training rows that were given")
    if here["labels"] not in (None, stated["labels"]):
        yield Finding("other-data", "fail", "labels", "these are other labels than those explained")
    apart = {"columns", "context", "background", "train", "labels"}
    apart |= {*BESIDE, "roles"} if stated["context"] and not here["context"] else set()
    rest = here.keys() - apart
    if wrong := _differences({k: stated.get(k) for k in rest}, {k: here[k] for k in rest}):
        yield Finding("other-data", "fail", "data", f"the manifest says of the data what they are not: {wrong}")


def _elsewhere(snapshot: Snapshot, job: Job) -> Iterator[Finding]:
    here, there = packages(job.model.family), snapshot.record.environment
    other = [name for name in there if here.get(name) != there[name]]
    if other:
        message = "; ".join(f"{name} {there[name]} then, {here.get(name, 'none')} now" for name in other)
        yield Finding("environment", "note", snapshot.ref, message)


# -- the artifacts


def _pieces(snapshot: Snapshot, count: int, rng: np.random.Generator) -> dict[str, list[Any]]:
    """Artifact → what of it is made again: features or examples; an empty list is all of it."""
    first: list[tuple[str, Any]] = []
    more: list[tuple[str, Any]] = []
    for name in sorted(snapshot.manifest.artifacts):
        parts: list[Any] = [None]
        if name == BY_EXAMPLE:
            parts = sorted(set(snapshot[name].table["example"].to_pylist())) or [None]
        elif snapshot.head(name)["kind"] == BY_FEATURE and "features" in snapshot.head(name)["spec"]["params"]:
            parts = sorted(set(snapshot[name].table["feature"].to_pylist())) or [None]
        order = rng.permutation(len(parts))
        first.append((name, parts[order[0]]))
        more += [(name, parts[place]) for place in order[1:]]
    skipped = [n for n, s in snapshot.manifest.statuses.items() if s.state == "not-applicable" and n in find()]
    first += [(name, None) for name in sorted(skipped) if name not in INSTEAD]
    chosen = [first[place] for place in rng.permutation(len(first))][:count]
    chosen += [more[place] for place in rng.permutation(len(more))][: max(0, count - len(chosen))]
    pieces: dict[str, list[Any]] = {}
    for name, part in chosen:
        pieces.setdefault(name, [])
        pieces[name] += [] if part is None else [part]
    return pieces


def _one(snapshot: Snapshot, name: str, parts: list[Any] | None, job: Job, rules: Policy) -> Finding:
    method = find().get(name)
    if parts is None:
        return Finding("not-rechecked", "note", name, "not among the pieces chosen; a larger number reaches it")
    if method is None:
        return Finding("not-rechecked", "note", name, "its method is not installed here")
    if method.panel is True:
        return Finding("not-rechecked", "note", name, "it rests on retrainings, which are not made again")
    if name not in snapshot:
        return _still_not_applicable(snapshot.manifest.statuses[name], method, _handing(job, method, snapshot))
    stored = snapshot[name]
    if stored.spec.get("version") != method.version:
        message = f"made by version {stored.spec.get('version')} of the method, here is {method.version}"
        return Finding("not-rechecked", "note", name, message)
    watched = Watched.of(job.data)
    if lost := _lost(snapshot, job):
        job = replace(job, data=watched, memory={})  # what was remembered would be asked for no more
    try:
        tally, part = _compared(snapshot, stored, method, parts, job, rules)
    except NotApplicable as error:
        tally, part = Tally(wrong=[f"it is stored, and cannot be made: {error}"]), []
    except Exception as error:  # whatever a model or library raises
        return Finding("not-rechecked", "note", name, f"it could not be made again: {type(error).__name__}: {error}")
    if tally.within and not tally.wrong and not list(_elsewhere(snapshot, job)):
        message = f"{tally.near}: near enough for its error, yet with the same libraries it should be equal"
        return Finding("within-error", "warn", name, message)
    missed = sorted(what for what, seen in lost.items() if watched.seen & seen)
    if tally.wrong and missed:
        message = f"it rests on what is not given here: {', '.join(missed)} ({tally.wrong[0]})"
        return Finding("not-rechecked", "note", name, message)
    return _told(name, tally, part)


def _told(name: str, tally: Tally, part: list[Any]) -> Finding:
    if tally.wrong:
        more = f" and {len(tally.wrong) - SHOWN} more" if len(tally.wrong) > SHOWN else ""
        return Finding("not-reproduced", "fail", name, "; ".join(tally.wrong[:SHOWN]) + more)
    of = f"{len(part)} {'examples' if name == BY_EXAMPLE else 'features'}: " if part else ""
    equal = f"{of}{tally.cells} cells made again, {tally.cells - tally.within} equal"
    return Finding("holds", "note", name, equal + (f", {tally.within} within error" if tally.within else ""))


def _lost(snapshot: Snapshot, job: Job) -> dict[str, set[str]]:
    """Inputs that the snapshot had and this check has not → the parts of the data that then lack or stand in."""
    facts, data = snapshot.manifest.data, job.data
    had = {
        "labels": (facts["labels"], data.y, {"y"}),
        "train": (facts["train"], data.train, {"train", "train_y"}),
        "context": (facts["context"], data.context, {"context", "segments", "protected"}),
        "background": (facts["background"], job.given_background, {"train"}),
    }
    return {what: seen for what, (then, now, seen) in had.items() if then is not None and now is None}


def _handing(job: Job, method: Method, snapshot: Snapshot) -> Job:
    """The job with the stored artifacts that the method was handed."""
    return replace(job, uses={name: snapshot[name] for name in sorted(handed(method)) if name in snapshot})


def _still_not_applicable(status: Status, method: Method, job: Job) -> Finding:
    try:
        run(method, job, method.in_snapshot)
    except NotApplicable:
        return Finding("holds", "note", method.name, f"still does not apply: {status.reason}")
    except Exception as error:  # whatever a model or library raises
        message = f"it could not be tried: {type(error).__name__}: {error}"
        return Finding("not-rechecked", "note", method.name, message)
    if any(name not in job.uses for name in handed(method) if "|" not in name) and method.uses:
        return Finding("not-rechecked", "note", method.name, "it was handed other artifacts")
    return Finding("not-reproduced", "fail", method.name, f"said not to apply ({status.reason}), and it does")


def _compared(
    snapshot: Snapshot, stored: Artifact, method: Method, parts: list[Any], job: Job, rules: Policy
) -> tuple[Tally, list[Any]]:
    """What came of comparing, and the part that was made again: `parts`, or all (empty) where a part can't be."""
    ready = _handing(job, method, snapshot)
    made, part = _made(stored, method, parts, ready), parts
    if part and stored.name != BY_EXAMPLE and stored.spec.get("rows") != made.spec.get("rows"):
        made, part = _made(stored, method, [], ready), []  # in part it looks at other rows
    if rules.omits_rows and "privacy" in stored.spec:
        made = without_rows(made, job.once("rare levels", job.data.rare_levels))
    return _tally(stored, made, part), part


def _made(stored: Artifact, method: Method, parts: list[Any], job: Job) -> Artifact:
    params = {**stored.spec["params"]}
    seeded = replace(job, seed=stored.spec["seed"])
    if parts and stored.kind == BY_FEATURE:
        try:
            return run(method, seeded, {**params, "features": parts})
        except ShowcauseError:
            return run(method, seeded, params)
    if parts:
        rows = job.row_of(np.asarray(parts, dtype=np.int64))
        return run(method, replace(_only(seeded, rows), given_background=job.background()), params)
    return run(method, seeded, params)


def _only(job: Job, rows: Any) -> Job:
    """The job of these rows alone; nothing remembered of the others."""
    data = job.data
    asked = set(data.seen) if isinstance(data, Watched) else set()
    few = replace(
        data, X=data.X.take(rows), positions=data.positions[rows], y=None if data.y is None else data.y[rows],
        context=None if data.context is None else data.context.take(rows),
        ids=None if data.ids is None else tuple(data.ids[i] for i in rows),
    )  # fmt: skip
    if isinstance(few, Watched):  # taking rows is no asking
        few.seen.clear()
        few.seen.update(asked)
    return replace(job, data=few, memory={})


# -- cell by cell


def _tally(stored: Artifact, made: Artifact, part: list[Any]) -> Tally:
    tally = Tally()
    here = set(made.table.column_names)
    unknown = {"id", *OF_RETRAININGS} - here  # ids are optional, and retrainings are not made again
    names = [name for name in stored.table.column_names if name not in unknown]
    if set(names) != here - ({"id"} - set(stored.table.column_names)):
        tally.wrong.append(f"its columns are {names}, made again {made.table.column_names}")
        return tally
    keys = [name for name in (*kind(stored.kind).key, *COMMON_KEY) if name in names]
    scope = "example" if stored.name == BY_EXAMPLE else "feature"
    one, two = (_by_key(table, keys, scope, part) for table in (stored.table, made.table))
    for key in sorted({*one} ^ {*two}, key=repr):
        tally.wrong.append(f"{_shown(keys, key)} is {'stored, not made' if key in one else 'made, not stored'} again")
    scale = {name: _largest(made.table[name]) for name in names if pa.types.is_floating(made.table[name].type)}
    for key in one.keys() & two.keys():
        _row(tally, _shown(keys, key), one[key], two[key], scale, [name for name in names if name not in keys])
    if not part:
        spec = {**plain(made.spec), **{name: stored.spec[name] for name in RETRAINED if name in stored.spec}}
        if wrong := _differences(stored.spec, spec):
            tally.wrong.append(f"its spec says otherwise: {wrong}")
        tally.wrong += [f"its {name} differs" for name in stored.blobs if not _same_blob(name, stored, made)]
    return tally


def _by_key(table: pa.Table, keys: list[str], scope: str, part: list[Any]) -> dict[Any, dict[str, Any]]:
    if part:
        table = table.filter(pa.compute.is_in(table[scope], pa.array(part, table.schema.field(scope).type)))
    return {tuple(_rounded(row[name]) for name in keys): row for row in table.to_pylist()}


def _rounded(value: Any) -> Any:
    """Places on an axis are keys; their last bits may be another library's."""
    return float(f"{value:.9g}") if isinstance(value, float) else value


def _shown(keys: list[str], key: tuple[Any, ...]) -> str:
    return ", ".join(f"{name} {value}" for name, value in zip(keys, key, strict=True) if value is not None)


def _largest(column: pa.ChunkedArray) -> float:
    return max((abs(value) for value in column.to_pylist() if value is not None), default=0.0)


def _row(
    tally: Tally, where: str, one: dict[str, Any], two: dict[str, Any], scale: Mapping[str, float], names: list[str]
) -> None:
    """One row. The allowance comes from the smaller of the two errors, so that a forged error excuses nothing."""
    allowance = SPREAD * min(one.get("error") or 0.0, two.get("error") or 0.0)
    for name in names:
        a, b = one[name], two[name]
        tally.cells += 1
        if _same(a, b, scale.get(name, 0.0)):
            continue
        numbers = isinstance(a, float) and isinstance(b, float)
        near = numbers and name in ("value", "low", "high") and abs(a - b) <= allowance
        like = numbers and name == "error" and 0.5 <= (a / b if b else 0.0) <= 2
        message = f"{where}: {name} is stored as {_text(a)}, made again {_text(b)}"
        if near or like:
            tally.within += 1
            tally.near = tally.near or message
        else:
            tally.wrong.append(message)


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _same(a: Any, b: Any, scale: float = 0.0) -> bool:
    """Equal, or numbers as near as another library's rounding leaves them; lists and mappings member by member."""
    number = (int, float)
    if isinstance(a, number) and isinstance(b, number) and not isinstance(a, bool) and not isinstance(b, bool):
        return bool(abs(a - b) <= CLOSE * max(abs(a), abs(b)) + TINY * max(scale, 1e-3))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def _differences(stated: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """The members that differ, by name."""
    wrong = [key for key in sorted({*stated, *here}) if not _same(stated.get(key), here.get(key))]
    return ", ".join(wrong)


def _same_blob(name: str, stored: Artifact, made: Artifact) -> bool:
    if stored.blobs[name] == made.blobs.get(name):
        return True
    try:
        one, two = (
            pa.ipc.open_file(pa.BufferReader(blob)).read_all() for blob in (stored.blobs[name], made.blobs[name])
        )
    except (KeyError, pa.ArrowException):
        return False
    return bool(one.schema == two.schema and _same(one.to_pydict(), two.to_pydict()))
