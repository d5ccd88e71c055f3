"""What must hold before a route changes something. Each guard reads the request as MLflow's own function will, with
MLflow's own parser, so that the two can't understand it differently; it returns None, or raises Refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from showcause.core.errors import Corrupt, Refused, ShowcauseError, StoreError, spoken
from showcause.core.finding import Finding
from showcause.integrations.mlflow import ledger, refs
from showcause.integrations.mlflow.carry import TAGS
from showcause.integrations.mlflow.gate import Judged, carried, judge
from showcause.integrations.mlflow.promote import FIELD, TRIES, before, entered
from showcause.integrations.mlflow.refs import Located
from showcause.integrations.mlflow.server import desk
from showcause.integrations.mlflow.server.artifacts import findable, untouched
from showcause.integrations.mlflow.server.queries import mutations
from showcause.integrations.mlflow.server.routes import MUTATIONS
from showcause.integrations.mlflow.server.settings import Settings, settings
from showcause.store.promotion import Promotion
from showcause.trust.logged import allowed
from showcause.verbs.gate import owed

HOUR = 3_600.0
PREFIX = "showcause."
EVALUATION = "showcause.evaluation"
PROMPT_TAG = "mlflow.prompt.is_prompt"


@dataclass(frozen=True)
class Asked:
    """A request that Flask has routed: `user` as MLflow's app knows it, `args` of its path, `body` its JSON."""

    user: str
    args: Mapping[str, Any]
    body: Callable[[], Any]


@dataclass(frozen=True)
class Follow:
    """What is to be done when MLflow has answered: hold the alias to its log; say something in a header."""

    alias: tuple[str, str] | None = None
    entry: str = ""
    warning: str = ""


def no(code: str, subject: str, message: str) -> Refused:
    return Refused.of(f"{subject} is refused", [Finding(code, "fail", subject, message)])


def parsed(name: str) -> Any:
    """The request as MLflow's message of this name, by MLflow's own parser."""
    from mlflow.protos import model_registry_pb2, service_pb2
    from mlflow.server.handlers import _get_request_message

    kind = getattr(model_registry_pb2, name, None) or getattr(service_pb2, name)
    return _get_request_message(kind())


# -- what is served


def set_alias(asked: Asked) -> Follow | None:
    said = parsed("SetRegisteredModelAlias")
    rules = settings(said.name)
    return move(said.name, said.version, said.alias, rules, asked) if rules.guards(said.alias) else None


def delete_alias(asked: Asked) -> None:
    said = parsed("DeleteRegisteredModelAlias")
    if settings(said.name).guards(said.alias):
        raise no("protected", f"{said.name}@{said.alias}", "the alias is moved by the gate, and never taken away")


def set_stage(asked: Asked) -> Follow | None:
    from mlflow.entities.model_registry.model_version_stages import get_canonical_stage

    said = parsed("TransitionModelVersionStage")
    stage, rules = get_canonical_stage(said.stage), settings(said.name)
    now = desk.registry().get_model_version(said.name, said.version).current_stage
    if now != stage and rules.guards_stage(now or "None"):
        message = f"it leaves {now} when the gate puts another version there, with archive_existing_versions"
        raise no("protected", f"models:/{said.name}/{said.version}", message)
    return move(said.name, said.version, f"{ledger.STAGE}{stage}", rules, asked) if rules.guards_stage(stage) else None


def move(name: str, version: str, alias: str, rules: Settings, asked: Asked) -> Follow | None:
    """The gate; what passes is entered in the alias's log before MLflow moves it."""
    client, moment = desk.client(), datetime.now(UTC).isoformat(timespec="seconds")
    found = desk.registry().get_model_version(name, version)
    if desk.is_prompt(found):
        return None
    name, version = found.name, str(found.version)  # in their one spelling
    if rules.disguised(alias):
        raise no("alias", f"{name}@{alias}", "the trust file knows this alias in other letters")
    located = desk.place(refs.registered(name, version, client))
    if not findable(name, located.artifact_uri):
        raise no("source", str(located), "its files are another run's than the version says; register it anew")
    given = _given(asked)
    for _ in range(TRIES):
        log = ledger.entries(client, name, alias)
        entry = given
        if entry is not None and entry.break_glass:
            _restored(entry, located, alias, log, rules, moment)
        else:
            judged = judge(
                located, rules.policy, alias=alias, trust=rules.trust, at=moment, client=client, place=desk.place,
                load=False,
            )  # fmt: skip
            if not judged.passes:
                raise judged.refusal
            if entry is None:
                entry = _unsigned(judged, alias, log, rules, asked.user, moment)
            _fits(entry, judged, alias, log, rules, moment)
        try:
            ledger.append(client, name, entry, location=desk.log_location())
        except ShowcauseError as error:
            if error.code == "conflict" and given is None:
                continue
            raise
        follows = None if alias.startswith(ledger.STAGE) else (name, alias)
        return Follow(follows, entry.digest)
    raise no("conflict", f"{name}@{alias}", "it is being changed by others all the time; try again")


def _given(asked: Asked) -> Promotion | None:
    """The entry that the client made, and may have signed."""
    body = asked.body()
    text = body.get(FIELD) if isinstance(body, dict) else None
    if text is None:
        return None
    try:
        if not isinstance(text, str) or len(text) > ledger.LONGEST:
            raise Corrupt(f"an entry is at most {ledger.LONGEST} characters of JSON")
        return Promotion.read(text.encode())
    except ShowcauseError as error:
        raise no("entry", "the entry for the log", spoken(error)) from None


def _unsigned(judged: Judged, alias: str, log: list[Promotion], rules: Settings, user: str, at: str) -> Promotion:
    """The entry of somebody who came without one: MLflow's own client, its UI."""
    grounds = judged.grounds
    said = {} if grounds is None else {"verdict": grounds.digest, "policy": grounds.policy}
    at = max([at, *(entry.at for entry in log[-1:])])
    return entered(judged, alias, log, by=user, at=at, reason="set without showcause", **said)


def _fits(entry: Promotion, judged: Judged, alias: str, log: list[Promotion], rules: Settings, at: str) -> None:
    """The entry is the next of this very log, about what was judged, made now, by somebody who may. Raises Refused."""
    subject = f"{judged.located.name}@{alias}"
    assert judged.snapshot is not None
    wanted = entered(judged, alias, log, by="", at="")
    if (entry.number, entry.previous) != (wanted.number, wanted.previous):
        raise no("conflict", subject, f"the log has {len(log)} entries; entry {entry.number} does not come next")
    for what in ("alias", "ref", "record", "manifest"):
        if getattr(entry, what) != getattr(wanted, what):
            raise no("entry", subject, f"the entry's {what} is {getattr(entry, what)!r}, not {getattr(wanted, what)!r}")
    if not entry.break_glass and entry.policy != rules.policy.digest:
        told = f"the entry rests on the policy {str(entry.policy)[:12]}, here {rules.policy.digest[:12]} holds"
        raise no("other-policy", subject, told)
    try:
        off = abs((datetime.fromisoformat(entry.at) - datetime.fromisoformat(at)).total_seconds())
    except (TypeError, ValueError):
        off = float("inf")
    if off > HOUR:
        raise no("bad-time", subject, f"the entry is of {entry.at}, and it is {at}")
    if rules.trust is not None:
        code, problem = allowed(entry, rules.trust, at=max(at, entry.at))
        if code:
            raise no(code, subject, f"{problem}; promote with showcause, and a key that may")


def _restored(entry: Promotion, located: Located, alias: str, log: list[Promotion], rules: Settings, at: str) -> None:
    """Breaking the glass: the policy is not asked. The bytes are, and who, why, and that it was served before."""
    subject = f"{located.name}@{alias}"
    if rules.trust is None:
        raise no("role-not-granted", subject, "the server has no trust file, so nobody may break the glass")
    if not entry.reason.strip():
        raise no("entry", subject, "breaking the glass needs a reason")
    judged = carried(located, at=at)
    if not judged.passes:
        raise judged.refusal
    _fits(entry, judged, alias, log, rules, at)
    if entry.review_by != owed(entry.at)["review_by"]:
        raise no("entry", subject, f"the gate must be passed by {owed(entry.at)['review_by']}, not {entry.review_by}")
    trusted = [one for one in log if rules.trust is None or not allowed(one, rules.trust, at=at)[0]]
    before(trusted, judged)


def create_version(asked: Asked) -> Follow | None:
    said = parsed("CreateModelVersion")
    rules = settings(said.name)
    client = desk.client()
    if any(tag.key == PROMPT_TAG for tag in said.tags):
        if not desk.registry().get_registered_model(said.name)._is_prompt():  # MLflow's search then finds none of them
            raise no("tag", said.name, "a model takes no prompt among its versions")
        return None  # MLflow lets a prompt have no source
    place = _source(said.source, client)
    _true({tag.key: tag.value for tag in said.tags}, [place], f"a version of {said.name}")
    if rules.versions == "allow":
        return None
    if rules.versions == "warn":
        warning = f"a new version of {said.name} carries no snapshot yet; no guarded alias will name it"
        return None if any(_told([place])) else Follow(warning=warning)
    found = carried(desk.place(place), trust=rules.trust)
    findings = list(found.findings)
    if found.snapshot is not None and not found.snapshot.complete:
        findings.append(Finding("SC003", "fail", found.located.ref, "its snapshot is incomplete"))
    bad = [finding for finding in findings if finding.severity == "fail"]
    if bad:
        raise Refused.of(f"a new version of {said.name} is refused", bad)
    return None


def _source(source: str, client: Any) -> Located:
    if refs.is_ref(source):
        return refs.resolve(source, client)
    return Located(source, source, client.tracking_uri)


def rename_model(asked: Asked) -> None:
    said = parsed("RenameRegisteredModel")
    served = next(desk.serving(said.name), None)
    if served is not None:
        raise no("served", said.name, f"{served}: renamed, it would be served without its log")
    for name in (said.name, said.new_name):
        if ledger.run_of(desk.client(), name) is not None:
            raise no("log", name, "the name has a log of its aliases, which says what was served under it")


def delete_model(asked: Asked) -> None:
    said = parsed("DeleteRegisteredModel")
    for served in desk.serving(said.name):
        raise no("served", said.name, f"it holds {served}")


def delete_version(asked: Asked) -> None:
    said = parsed("DeleteModelVersion")
    for served in desk.serving(said.name):
        if served.version == str(int(said.version)):
            raise no("served", f"models:/{said.name}/{said.version}", f"it is {served}")


# -- what lies under it


def delete_run(asked: Asked) -> None:
    run_id = parsed("DeleteRun").run_id
    _no_log(run_id)
    for served in desk.of_runs({_hex(run_id)}):
        if served.run_id == run_id:
            raise no("served", f"runs:/{run_id}", f"it made {served}")


def delete_logged_model(asked: Asked) -> None:
    model_id = str(asked.args["model_id"])
    untouched(desk.real(refs.logged(model_id, desk.client()).artifact_uri), removing=True)


def delete_experiment(asked: Asked) -> None:
    experiment = parsed("DeleteExperiment").experiment_id
    _no_log_experiment(experiment)
    client = desk.client()
    for served in desk.all_served():
        if served.run_id and client.get_run(served.run_id).info.experiment_id == experiment:
            raise no("served", f"the experiment {experiment}", f"it made {served}")
        source = refs.registered(served.name, served.version, client)
        if source.model_id and client.get_logged_model(source.model_id).experiment_id == experiment:
            raise no("served", f"the experiment {experiment}", f"it holds the model of {served}")


def _hex(run_id: str) -> str:
    """The id, if it can be one; it goes into a search."""
    if not run_id.isalnum() or not run_id.isascii():
        raise no("gate-failed", "the run", f"{run_id[:64]!r} is no id of a run")
    return run_id


# -- tags


def create_run(asked: Asked) -> None:
    _true({tag.key: tag.value for tag in parsed("CreateRun").tags}, [], "a new run")


def create_logged_model(asked: Asked) -> None:
    _true({tag.key: tag.value for tag in parsed("CreateLoggedModel").tags}, [], "a new logged model")


def create_model(asked: Asked) -> None:
    said = parsed("CreateRegisteredModel")
    _true({tag.key: tag.value for tag in said.tags}, [], said.name)


def set_run_tag(asked: Asked) -> None:
    said = parsed("SetTag")
    run_id = said.run_id or said.run_uuid
    _no_log(run_id)
    _true({said.key: said.value}, _of_run(run_id) if _ours(said.key) else [], f"runs:/{run_id}")


def delete_run_tag(asked: Asked) -> None:
    said = parsed("DeleteTag")
    _no_log(said.run_id)
    _kept(said.key, _of_run(said.run_id) if _ours(said.key) else [], f"runs:/{said.run_id}")


def log_batch(asked: Asked) -> None:
    said = parsed("LogBatch")
    _no_log(said.run_id)
    tags = {tag.key: tag.value for tag in said.tags if _ours(tag.key)}
    _true(tags, _of_run(said.run_id) if tags else [], f"runs:/{said.run_id}")


def log_param(asked: Asked) -> None:
    said = parsed("LogParam")
    _no_log(said.run_id or said.run_uuid)


def update_run(asked: Asked) -> None:
    said = parsed("UpdateRun")
    _no_log(said.run_id or said.run_uuid)


def set_logged_model_tags(asked: Asked) -> None:
    said, model_id = parsed("SetLoggedModelTags"), str(asked.args["model_id"])
    tags = {tag.key: tag.value for tag in said.tags if _ours(tag.key)}
    _true(tags, [refs.logged(model_id, desk.client())] if tags else [], f"models:/{model_id}")


def delete_logged_model_tag(asked: Asked) -> None:
    key, model_id = str(asked.args["tag_key"]), str(asked.args["model_id"])
    _kept(key, [refs.logged(model_id, desk.client())] if _ours(key) else [], f"models:/{model_id}")


def set_version_tag(asked: Asked) -> None:
    said = parsed("SetModelVersionTag")
    _no_prompt(said.key, f"models:/{said.name}/{said.version}")
    places = [refs.registered(said.name, said.version, desk.client())] if _ours(said.key) else []
    _true({said.key: said.value}, places, f"models:/{said.name}/{said.version}")


def delete_version_tag(asked: Asked) -> None:
    said = parsed("DeleteModelVersionTag")
    _no_prompt(said.key, f"models:/{said.name}/{said.version}")
    places = [refs.registered(said.name, said.version, desk.client())] if _ours(said.key) else []
    _kept(said.key, places, f"models:/{said.name}/{said.version}")


def set_model_tag(asked: Asked) -> None:
    said = parsed("SetRegisteredModelTag")
    _no_prompt(said.key, said.name)
    _true({said.key: said.value}, [], said.name)


def delete_model_tag(asked: Asked) -> None:
    said = parsed("DeleteRegisteredModelTag")
    _no_prompt(said.key, said.name)


def _ours(key: str) -> bool:
    return key.strip().lower().startswith(PREFIX)


def _no_prompt(key: str, subject: str) -> None:
    if key.strip().lower() == PROMPT_TAG:
        raise no("tag", subject, "what was made as a model does not become a prompt, nor a prompt a model")


def _of_run(run_id: str) -> list[Located]:
    """A run itself and what it logged."""
    client = desk.client()
    outputs = client.get_run(run_id).outputs
    models = [one.model_id for one in (outputs.model_outputs if outputs else [])]
    return [refs.run(run_id, client), *(refs.logged(one, client) for one in models)]


def _true(tags: Mapping[str, str], places: list[Located], subject: str) -> None:
    """Each tag of ours says what a snapshot there says; of a run, which may have failed, not more. Raises Refused."""
    ours = {key: value for key, value in tags.items() if _ours(key)}
    if not ours:
        return
    known = list(_told(places))
    for key, value in ours.items():
        if key not in (*TAGS, EVALUATION):
            raise no("tag", subject, f"{key} is no tag that showcause writes")
        modest = _modest(key, value) and (not known or subject.startswith("runs:/"))
        if not modest and not any(told.get(key) == value for told in known):
            there = ", ".join(str(told.get(key)) for told in known) or "no snapshot is there"
            raise no("tag", subject, f"{key} = {value[:80]!r} is not true: {there}")


def _modest(key: str, value: str) -> bool:
    """Whether a tag claims nothing."""
    return (key == EVALUATION and value != "complete") or (key == "showcause.complete" and value == "false")


def _kept(key: str, places: list[Located], subject: str) -> None:
    """A tag of ours stays while the snapshot is there. Raises Refused."""
    if _ours(key) and any(key in told for told in _told(places)):
        raise no("tag", subject, f"{key} says what the snapshot there is, and is not taken away")


def _told(places: list[Located]) -> Iterator[dict[str, str]]:
    """What tags would say of each snapshot there, from the bytes of its manifest, whose digest is its id."""
    for located in places:
        try:
            manifest = desk.manifest(desk.place(located))
        except (StoreError, OSError):
            continue
        complete = str(manifest.complete).lower()
        values = (manifest.digest, complete, str(manifest.model.get("digest", "")))
        evaluated = {EVALUATION: "complete" if manifest.complete else "incomplete"}
        yield {**dict(zip(TAGS, values, strict=True)), **evaluated}


# -- the log


_homes: dict[str, str] = {}  # run → experiment, and the name of an experiment of ours → its id; neither ever changes


def _experiment(name: str) -> str | None:
    if name not in _homes:
        found = desk.client().get_experiment_by_name(name)
        if found is None:
            return None
        _homes[name] = str(found.experiment_id)
    return _homes[name]


def _no_log(run_id: str) -> None:
    """It is no run that keeps the logs of aliases. Raises Refused."""
    log = _experiment(ledger.EXPERIMENT)
    if log is None or not run_id:
        return
    if run_id not in _homes:
        if len(_homes) > 100_000:
            _homes.clear()
        _homes[run_id] = str(desk.client().get_run(run_id).info.experiment_id)
    if _homes[run_id] == log:
        raise no("log", f"runs:/{run_id}", "it keeps the logs of aliases, which are added to by promoting alone")


def _no_log_experiment(experiment: str) -> None:
    for name in (ledger.EXPERIMENT, ledger.ROOT):
        if experiment and experiment == _experiment(name):
            raise no("log", name, "it keeps the logs of aliases")


def create_experiment(asked: Asked) -> None:
    said = parsed("CreateExperiment")
    if said.name.strip().lower() in (ledger.EXPERIMENT, ledger.ROOT):
        raise no("log", said.name, "the server makes it when something is promoted")


def update_experiment(asked: Asked) -> None:
    said = parsed("UpdateExperiment")
    _no_log_experiment(said.experiment_id)
    if said.new_name.strip().lower() in (ledger.EXPERIMENT, ledger.ROOT):
        raise no("log", said.new_name, "the name belongs to the logs of aliases")


def set_experiment_tag(asked: Asked) -> None:
    _no_log_experiment(parsed("SetExperimentTag").experiment_id)


def delete_experiment_tag(asked: Asked) -> None:
    _no_log_experiment(parsed("DeleteExperimentTag").experiment_id)


# -- GraphQL


def graphql(asked: Asked) -> None:
    """Only mutations that are known to read. What cannot be parsed is for MLflow to refuse, with the same parser."""
    from graphql import GraphQLError, parse

    body = asked.body()
    text = body.get("query") if isinstance(body, dict) else None
    if not isinstance(text, str):
        return
    try:
        document = parse(text)
    except (GraphQLError, RecursionError):
        raise no("unknown-route", "graphql", "the query cannot be parsed") from None
    for name in mutations(document):
        if name not in MUTATIONS:
            raise no("unknown-route", "graphql", f"the mutation {name[:64]} is not known here")


# -- files


def upload_flask(asked: Asked) -> None:
    untouched(desk.proxied(_safe(asked.args["artifact_path"])))


def delete_file(asked: Asked) -> None:
    untouched(desk.proxied(_safe(asked.args["artifact_path"])), removing=True)


def multipart(asked: Asked) -> None:
    """A large file in parts: named by the path and by the body."""
    folder, body = _safe(asked.args["artifact_path"]), asked.body()
    name = str(body.get("path", "")) if isinstance(body, dict) else ""
    for path in (folder, f"{folder}/{name}", f"{folder}/{name.rpartition('/')[2]}"):
        untouched(desk.proxied(_safe(path)))


def presigned(asked: Asked) -> None:
    said = parsed("CreatePresignedUploadUrl")
    client = desk.client()
    for place in (
        *([refs.run(said.run_id, client)] if said.run_id else []),
        *([refs.logged(said.model_id, client)] if said.model_id else []),
    ):
        untouched(f"{desk.real(place.artifact_uri).rstrip('/')}/{_safe(said.path)}")


def upload_ui(asked: Asked) -> None:
    from flask import request

    run_id, path = request.args.get("run_uuid"), request.args.get("path")
    if run_id and path:
        _no_log(run_id)
        untouched(f"{desk.real(refs.run(run_id, desk.client()).artifact_uri).rstrip('/')}/{_safe(path)}")


def _safe(path: str) -> str:
    """The path as MLflow will use it; it raises MLflow's own error for one that climbs out."""
    from mlflow.utils.uri import validate_path_is_safe

    return str(validate_path_is_safe(path))


GUARDS: dict[str, Callable[[Asked], Follow | None]] = {
    "_set_registered_model_alias": set_alias,
    "_delete_registered_model_alias": delete_alias,
    "_transition_stage": set_stage,
    "_create_model_version": create_version,
    "_rename_registered_model": rename_model,
    "_delete_registered_model": delete_model,
    "_delete_model_version": delete_version,
    "_delete_run": delete_run,
    "_delete_logged_model": delete_logged_model,
    "_delete_experiment": delete_experiment,
    "_create_run": create_run,
    "_create_logged_model": create_logged_model,
    "_create_registered_model": create_model,
    "_set_tag": set_run_tag,
    "_delete_tag": delete_run_tag,
    "_log_batch": log_batch,
    "_log_param": log_param,
    "_update_run": update_run,
    "_set_logged_model_tags": set_logged_model_tags,
    "_delete_logged_model_tag": delete_logged_model_tag,
    "_set_model_version_tag": set_version_tag,
    "_delete_model_version_tag": delete_version_tag,
    "_set_registered_model_tag": set_model_tag,
    "_delete_registered_model_tag": delete_model_tag,
    "_create_experiment": create_experiment,
    "_update_experiment": update_experiment,
    "_set_experiment_tag": set_experiment_tag,
    "_delete_experiment_tag": delete_experiment_tag,
    "_graphql": graphql,
    "_upload_artifact": upload_flask,
    "_delete_artifact_mlflow_artifacts": delete_file,
    "_create_multipart_upload_artifact": multipart,
    "_complete_multipart_upload_artifact": multipart,
    "_create_presigned_upload_url": presigned,
    "serve_upload_artifact": upload_ui,
}
