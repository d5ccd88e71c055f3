"""From a fitted model and its data to a snapshot."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from showcause.adapters.compilation import compilation
from showcause.adapters.dataset import SAMPLE_ROWS, Dataset, dataset, frame_digest, values_digest
from showcause.adapters.frame import Frame
from showcause.adapters.model import PROBE_ROWS, Model, Task, one_thread
from showcause.adapters.refit import Refit
from showcause.adapters.replaced import forest_view
from showcause.core import canonical
from showcause.core.artifact import Artifact, read_head
from showcause.core.errors import NotApplicable, ParameterError, PolicyError, ShowcauseError, choices, spoken
from showcause.core.snapshot import Manifest, Record, Snapshot, Status
from showcause.environment import author, commit, packages
from showcause.methods import find
from showcause.methods.method import NO_PANEL, Job, Method, plain, run
from showcause.methods.panel import LEAST, Panel, of_folds, of_nights, of_refits
from showcause.policy.policy import Policy
from showcause.privacy import without_rows
from showcause.store.folder import FolderStore
from showcause.store.memory import MemoryStore
from showcause.store.store import Store, check_name, publish
from showcause.verbs.baseline import COMPARED, INPUT, PREFIX, Pinned, pinned
from showcause.verbs.compute import decide, read_background, read_model
from showcause.verbs.open import open as open_snapshot

# Where one method answers a question exactly, the other's answer is not needed.
INSTEAD = {"attribution/shapley": "attribution/tree_shap"}
LOST = {
    "y": "no labels: no performance, permutation importance, calibration or fairness",
    "train": "no training rows: background and surrogate come from X, the gap to training is unknown",
    "context": "no further columns for segments",
    "background": "reference rows are a sample of the training rows, or of X",
    "baseline": "explained on its own rows alone, which a baseline may not share",
    "refits": "what would be otherwise had the model been trained once more is unknown",
}
# Roles that the policy may declare and that no method heeds yet: said in the snapshot, not ignored in silence.
UNUSED_ROLES = {
    "weight": "every row counts the same; weights are not used",
    "time": "rows are shuffled one by one; no blocks in time are kept together",
}


def explain(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    train: Any = None,
    name: str | None = None,
    store: str | PathLike[str] | Store | None = None,
    segments: Sequence[str] | None = None,
    protected: Sequence[str] | None = None,
    context: Any = None,
    background: Any = None,
    threshold: float | None = None,
    favourable: Any = None,
    policy: Policy | str | PathLike[str] | Mapping[str, Any] | None = None,
    task: Task | None = None,
    version: str | None = None,
    ids: Sequence[Any] | None = None,
    seed: int = 0,
    refits: int | None = None,
    refit: Refit | None = None,
    panel: Sequence[Any] | Mapping[str, Any] | None = None,
    baseline: Snapshot | str | None = None,
    reference: Any = None,
    progress: bool | None = None,
    model_file: str | PathLike[str] | None = None,
    consents: Sequence[str] = (),
) -> Snapshot:
    """Explain a fitted model and publish the snapshot. `explain(model, X)` alone works.

    model, task, version   a fitted model; a callable needs `task`, and `version` to be more than opaque
    X, y                   held-out rows (n × p) and labels; above 20,000 rows a stratified sample is explained
    train                  (X_train, y_train)
    name, store            publish as version name/1, name/2, … into this folder; else the snapshot lives in memory
    segments, protected    columns of X or `context` whose levels are reported apart
    threshold, favourable  the decision (binary); policy: showcause.toml, which the arguments override
    ids                    your own ids of the rows; progress: a bar on a terminal (default) or never
    refits                 train so many times again, with another seed on bootstrapped training rows, to see what
                           training gives by chance (6 to 10 say enough); `refit`, a function (X, y, seed) that
                           returns a fitted model, for what cannot be cloned
    panel                  in place of refits: the outcome of cross_validate(return_estimator=True) or its estimators,
                           or earlier snapshots (or their refs) of the same rows
    baseline               a snapshot (or its ref in `store`) on whose rows and background the model is explained too,
                           as artifacts "baseline/…", so that a diff compares like with like; `reference`: those rows, X
                           or (X, y) or {"X": …, "y": …, "context": …, "background": …}, where it stores none or the
                           new model needs more columns; checked by digest
    model_file             the file that the model is stored in, if any: the digest of its bytes goes into the record
    consents               what was allowed on the way (such as reading a pickle), kept in the record

    Returns the Snapshot; `snapshot.complete` and `snapshot.statuses` say whether anything is missing. What a method
    cannot do is a status, not an exception; raises InputError where the model or data cannot be used at all.
    """
    rules = Policy.of(policy)
    stored = None if model_file is None else _stored(model_file)
    ids = _ids(rules, context) if ids is None else ids
    name = check_name(name) if name is not None else None
    where = _store(store)
    required = _required(rules)
    adapted, frame = read_model(model, X, task=task, y=y, version=version or rules.model.get("version"))
    data = dataset(
        adapted,
        frame,
        y,
        train=train,
        context=context,
        segments=rules.data.get("segments", []) if segments is None else segments,
        protected=rules.data.get("protected", []) if protected is None else protected,
        ids=ids,
        features=rules.features,
        limit=SAMPLE_ROWS,
        seed=seed,
        private=rules.omits_rows,
        recourse=rules.data,
    )
    _check_features(rules, data)
    decision = decide(
        adapted,
        rules.decision.get("threshold") if threshold is None else threshold,
        rules.decision.get("favourable") if favourable is None else favourable,
    )
    job = Job(adapted, data, decision, seed, read_background(adapted, background))
    with one_thread():
        job = replace(job, panel=_panel(job, rules, refits, refit, panel, train, where))
        if reference is not None and baseline is None:
            raise ParameterError("reference= holds the rows of a baseline; say which by baseline=")
        compared = open_snapshot(baseline, store=where) if isinstance(baseline, str) else baseline
        like = None if compared is None else pinned(job, compared, reference)
        outcome = _work(job, required, rules, where, progress)
        facts = model_facts(job, rules)
        also = _on_baseline(like, required, rules, where, progress) if like is not None else Outcome({}, {}, {}, {})
    statuses = {**outcome.statuses, **also.statuses, **_inputs(job, rules, outcome)}
    statuses[INPUT] = Status("not-given", LOST["baseline"]) if like is None else like.status
    manifest = Manifest(
        facts,
        {**data_facts(job, rules), **_texts(rules), **({} if like is None else {"baseline": plain(like.facts)})},
        decision.document,
        (*required, *also.statuses, *(f"input/{i}" for i in rules.require.get("inputs", []))),
        statuses,
        {**outcome.digests, **also.digests},
    )

    def record(number: int, parent: str | None) -> Record:
        named = name or ("" if store is None else DEFAULT_NAME)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        configuration = {
            "policy": rules.digest or None,
            "seed": seed,
            "consents": list(consents),
            "model_file": stored,
            **({} if compared is None else {"baseline": compared.ref}),
        }
        return Record(
            manifest=manifest.digest,
            name=named,
            version=0 if store is None else number,
            parent=parent,
            made_at=now,
            by=author(),
            commit=commit(),
            environment=packages(adapted.family),
            configuration=configuration,
            durations={**outcome.durations, **also.durations},
        )

    if store is None:
        where.put(manifest.document)
        return Snapshot(manifest, record(0, None), where, name or "in memory")
    return publish(where, manifest, name or DEFAULT_NAME, record)


DEFAULT_NAME = "model"
COMPILING = "compiling kernels"  # among a record's durations: paid once a machine, and part of the methods' own


def _stored(path: str | PathLike[str]) -> dict[str, str]:
    """Name and digest of the model's bytes. They identify the file, not the model: other bytes may predict the same."""
    try:
        return {"name": Path(path).name, "sha256": canonical.digest(Path(path).read_bytes())}
    except OSError as error:
        raise ParameterError(f"model_file {path} cannot be read: {error.strerror}") from None


def _store(given: str | PathLike[str] | Store | None) -> Store:
    if given is None:
        return MemoryStore()
    return FolderStore(given) if isinstance(given, str | PathLike) else given


def _required(rules: Policy) -> list[str]:
    known = find()
    wanted = rules.require.get("artifacts", list(known))
    for name in (*wanted, *rules.methods):
        if name not in known:
            raise PolicyError(f"the policy names a method that does not exist: {choices(name, known)}")
    return sorted(wanted)


def _ids(rules: Policy, context: Any) -> Sequence[Any] | None:
    """The column that the policy calls the rows' id, where the context has it."""
    wanted = rules.data.get("id")
    if wanted is None or context is None:
        return None
    beside = Frame.of(context, what="context")
    return beside.arrow(wanted).to_pylist() if wanted in beside.names else None


def _check_features(rules: Policy, data: Dataset) -> None:
    for name in rules.features:
        if name not in data.names and name != rules.data.get("label"):
            raise PolicyError(f"[features.{name}] is no column of the data: {choices(name, data.names)}")
    for name in rules.reasons:
        if name not in data.X.names:
            raise PolicyError(f"[reasons.{name}] is no column that the model sees: {choices(name, data.X.names)}")


def _texts(rules: Policy) -> dict[str, Any]:
    """What letters and reason codes say: of the manifest, since they are made from it; no artifact depends on them."""
    return {name: plain(given) for name, given in (("reasons", rules.reasons), ("letter", rules.letter)) if given}


def _panel(
    job: Job,
    rules: Policy,
    refits: int | None,
    refit: Refit | None,
    given: Sequence[Any] | Mapping[str, Any] | None,
    train: Any,
    store: Store,
) -> Panel | None:
    """The panel asked for; the members are trained later. Raises ParameterError, ModelError."""
    if given is not None and (refits or refit is not None):
        raise ParameterError("give refits= or panel=, not both: what varies within them is not the same thing")
    if given is None:
        count = rules.refits.get("count", 0) if refits is None else refits
        if not count:
            if refit is not None:
                raise ParameterError("refit= says how to train again; say how often by refits=8")
            return None
        labels = train[1] if isinstance(train, tuple) and len(train) == 2 else None
        return of_refits(count, refit, job, labels)
    members = list(given["estimator"] if isinstance(given, Mapping) and "estimator" in given else given)
    if len(members) < LEAST:
        raise ParameterError(f"panel= needs {LEAST} members or more, as one has no spread; got {len(members)}")
    members = [open_snapshot(member, store=store) if isinstance(member, str) else member for member in members]
    nights = [isinstance(member, Snapshot) for member in members]
    if all(nights):
        return of_nights(members, data_facts(job, rules))
    if any(nights):
        raise ParameterError("panel= holds snapshots and models; what varies within them is not the same thing")
    return of_folds(members, job.model, job.data)


@dataclass
class Outcome:
    statuses: dict[str, Status]
    digests: dict[str, str]
    durations: dict[str, float]
    panels: dict[str, dict[int, str]]  # artifact of a panel → member that failed → why


def _on_baseline(like: Pinned, required: Sequence[str], rules: Policy, store: Store, progress: bool | None) -> Outcome:
    """What a diff compares, of the baseline's rows. Artifacts of another background than the baseline's are dropped."""
    if like.job is None:
        return Outcome({}, {}, {}, {})
    found = _work(like.job, [n for n in required if n in COMPARED], rules, store, progress, PREFIX)
    for name, digest in list(found.digests.items()):
        used = read_head(store.get(digest))["spec"].get("background")
        if used is not None and used["digest"] != like.background:
            del found.digests[name]
            found.statuses[name] = Status("not-applicable", "the baseline's background could not be used")
    return found


def _work(
    job: Job, required: Sequence[str], rules: Policy, store: Store, progress: bool | None, prefix: str = ""
) -> Outcome:
    """Every required method in order of use; each artifact is stored when it is made, named behind `prefix`."""
    from showcause.progress import bar

    order = _ordered(required)
    outcome = Outcome({}, {}, {}, {})
    made: dict[str, Artifact] = {}
    inputs = _inputs_digest(job, rules)
    said = ("starting", 0.0)

    def compiling() -> None:
        shown(f"{said[0]}: compiling, once", said[1])

    with bar(progress) as shown, compilation(compiling) as compiled:

        def tell(what: str, share: float, line: str = "") -> None:
            nonlocal said
            said = what, share
            shown(what, share, line)

        if job.panel is not None:
            job = replace(job, panel=replace(job.panel, announce=lambda line: tell("refits", 0.0, line)))
        for step, method in enumerate(order):
            tell(method.name, step / len(order))
            began = time.perf_counter()
            given = {n: a for n, a in made.items() if n in handed(method)}
            tick = _ticker(tell, method.name, step, len(order))
            mine = replace(job, uses=given, tick=tick, panel=job.panel if method.panel else None)
            status, artifact = _one(method, mine, made, rules, store, inputs, prefix)
            if artifact is not None:
                made[method.name] = artifact
            if method.name in required:
                outcome.statuses[prefix + method.name] = status
                outcome.durations[prefix + method.name] = round(time.perf_counter() - began, 3)
                if method.panel is True or (method.panel and artifact is not None):
                    outcome.panels[prefix + method.name] = {} if artifact is None else _failed_members(artifact)
                if artifact is not None:
                    outcome.digests[prefix + method.name] = artifact.digest
        tell("done", 1.0)
        if compiled():
            outcome.durations[prefix + COMPILING] = round(compiled(), 3)
    return outcome


def _failed_members(artifact: Artifact) -> dict[int, str]:
    return {entry["refit"]: entry["reason"] for entry in artifact.spec.get("panel", {}).get("failed", ())}


def _ticker(tell: Callable[[str, float], None], name: str, step: int, steps: int) -> Callable[[float], None]:
    return lambda share: tell(name, (step + share) / steps)


def handed(method: Method) -> set[str]:
    return {name for entry in (*method.uses, *method.after) for name in entry.split("|")}


def _ordered(required: Sequence[str]) -> list[Method]:
    """Required methods and those they use, each after what it is handed. Raises ParameterError on a circle."""
    known, order, open_ = find(), dict[str, Method](), list[str]()

    def visit(name: str) -> None:
        if name in order or name not in known:
            return
        if name in open_:
            raise ParameterError(f"methods use each other in a circle: {' → '.join([*open_, name])}")
        open_.append(name)
        for other in sorted(handed(known[name])):
            if other in required or any(other in entry.split("|") for entry in known[name].uses):
                visit(other)
        open_.pop()
        order[name] = known[name]

    for other in INSTEAD.values():
        if other in required:
            visit(other)
    for name in required:
        visit(name)
    return list(order.values())


def _one(
    method: Method, job: Job, made: Mapping[str, Artifact], rules: Policy, store: Store, inputs: str, prefix: str
) -> tuple[Status, Artifact | None]:
    if INSTEAD.get(method.name) in made:
        return Status("not-applicable", f"{INSTEAD[method.name]} answers the same question exactly"), None
    if reason := method.applies(job.model, job.data):
        return Status("not-applicable", reason), None
    if method.panel is True and job.panel is None:  # whatever else it would have needed
        return Status("not-applicable", NO_PANEL), None
    for entry in method.uses:
        if not any(name in made for name in entry.split("|")):
            return Status("failed", f"it needs {entry.replace('|', ' or ')}, and there is none", "needs-other"), None
    try:
        params = method.resolve({**method.in_snapshot, **rules.methods.get(method.name, {})})
        key = _memo_key(prefix + method.name, method.version, job, params, inputs)
        known = store.remembered(key) if key else None
        if known is not None:
            return Status("ok"), Artifact.read(store.get(known), store)
        artifact = run(method, job, params)
        artifact = replace(artifact, name=prefix + artifact.name)
        if rules.omits_rows:
            artifact = without_rows(artifact, job.once("rare levels", job.data.rare_levels))
        for data in artifact.objects():
            store.put(data)
        if key:
            store.remember(key, artifact.digest)
        return Status("ok"), artifact
    except NotApplicable as error:
        return Status("not-applicable", str(error).removeprefix(f"{method.name} does not apply: ")), None
    except ShowcauseError as error:
        return Status("failed", str(error), error.code), None
    except Exception as error:  # whatever a model or library raises becomes a status that everyone sees
        import logging

        logging.getLogger("showcause").error("%s failed", method.name, exc_info=error)
        return Status("failed", spoken(error), "internal"), None


def _inputs_digest(job: Job, rules: Policy) -> str:
    """Digest of everything that an artifact depends on beside its method; '' where the model's identity is opaque."""
    if job.model.opaque:
        return ""
    facts = [
        job.model.digest,
        data_facts(job, rules),
        job.decision.document,
        job.seed,
        job.data.ids,
        packages(job.model.family),
    ]
    return canonical.digest(canonical.dumps(plain(facts)))


def _memo_key(name: str, version: int, job: Job, params: Mapping[str, Any], inputs: str) -> str | None:
    if not inputs or (job.panel is not None and not job.panel.identity):
        return None
    used = {name: artifact.digest for name, artifact in job.uses.items()}
    facts = [name, version, plain(params), inputs, used]
    return canonical.digest(canonical.dumps(facts if job.panel is None else [*facts, job.panel.identity]))


def model_facts(job: Job, rules: Policy) -> dict[str, Any]:
    """Identity, task and outputs; a behaviour probe (predictions of the first rows) to check another copy against."""
    model: Model = job.model
    rows = min(PROBE_ROWS, len(job.data))
    probe = {
        "rows": rows,
        "digest": frame_digest(job.data.X.take(np.arange(rows))),
        "outputs": plain(job.outputs[:rows]),
    }
    facts: dict[str, Any] = {
        "digest": model.digest,
        "opaque": model.opaque,
        "family": model.family,
        "task": model.task,
        "space": model.space,
        "classes": list(model.classes),
        "changed_rows_predicted_by": "the model" if forest_view(model, job.data.X) is None else "its trees",
        "probe": probe,
    }
    return {**facts, "card": dict(rules.model)}


def data_facts(job: Job, rules: Policy) -> dict[str, Any]:
    """What the data are: a digest for each column, sizes, what was sampled, roles and the features' dictionary."""

    def make() -> dict[str, Any]:
        data = job.data
        facts: dict[str, Any] = {
            "rows": {"given": data.given, "explained": len(data)},
            "columns": {n: {"digest": data.X.digest(n), "kind": data.X.column(n).kind} for n in data.X.names},
            "order": list(data.X.names),
            "labels": None if data.y is None else values_digest(data.y),
            "context": _columns(data.context),
            "train": None,
            "background": _columns(job.given_background),
            "segments": list(data.segments),
            "protected": list(data.protected),
            "roles": {k: v for k, v in rules.data.items() if k not in ("segments", "protected")},
            "features": {name: dict(entry) for name, entry in data.features.items()},
            "privacy": dict(rules.privacy) or {"rows": "keep"},
        }
        if len(data) < data.given:
            facts["rows"] |= {"sampled": "stratified by label", "positions": values_digest(data.positions)}
        if data.train is not None:
            labels = None if data.train_y is None else values_digest(data.train_y)
            facts["train"] = {"rows": len(data.train), "columns": _columns(data.train), "labels": labels}
        return facts

    return dict(job.once("data facts", make))


def _columns(frame: Frame | None) -> dict[str, str] | None:
    return None if frame is None else {name: frame.digest(name) for name in frame.names}


def _panel_failed(outcome: Outcome, count: int) -> str:
    """What became of the members that failed, "" where all are well: none goes in silence."""
    reasons: dict[int, str] = {}
    for name in outcome.panels:
        if outcome.statuses[name].state == "failed":
            return f"{name}: {outcome.statuses[name].reason}"
        reasons |= outcome.panels[name]
    which = "; ".join(f"{number}: {reason}" for number, reason in sorted(reasons.items()))
    return f"{len(reasons)} of {count} members of the panel failed ({which})"[:500] if reasons else ""


def _inputs(job: Job, rules: Policy, outcome: Outcome) -> dict[str, Status]:
    data = job.data
    given: dict[str, Any] = {"y": data.y, "train": data.train, "context": data.context}
    given |= {"background": job.given_background, "refits": job.panel}
    found = {}
    for name, value in given.items():
        lost = Status("not-given", LOST[name])
        needed = name in rules.require.get("inputs", [])
        missing = Status("failed", f"the policy requires it: {LOST[name]}", "missing-input") if needed else lost
        found[f"input/{name}"] = missing if value is None else Status("ok")
    if job.panel is not None and (failed := _panel_failed(outcome, job.panel.count)):
        found["input/refits"] = Status("failed", failed, "refit-failed")
    for role, meaning in UNUSED_ROLES.items():
        if role in rules.data:
            found[f"input/{role}"] = Status("not-applicable", f"{meaning} ({rules.data[role]!r} is declared)")
    return found
