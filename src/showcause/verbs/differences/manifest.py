"""What the manifests say: statuses, data, model and decision. Facts, which need no error to be told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from showcause.core.diff import Change
from showcause.core.snapshot import Status
from showcause.verbs.differences.sides import BASELINE, Sides, fact
from showcause.views.words import STATES

WORSE = ("ok", "not-applicable", "not-given", "failed")  # from good to bad
ROWS = {"explained": "the rows explained", "train": "the training rows", "context": "the context"}


def statuses(sides: Sides) -> Iterator[Change]:
    """What became missing, failed or complete."""
    one, other = sides.before.manifest, sides.after.manifest
    if one.complete != other.complete:
        words = {True: "complete", False: "incomplete"}
        template = "The snapshot was {before} and is {after}."
        flag = not other.complete
        yield fact("statuses", {"name": ""}, (words[one.complete], words[other.complete]), template, flag=flag)
    names = [n for n in sorted({*one.statuses, *other.statuses}) if not n.startswith(BASELINE)]
    same = 0
    for name in names:
        change = _status(name, one.statuses.get(name), other.statuses.get(name))
        same += change is None
        if change is not None:
            yield change
    if same:
        template = "Statuses that are as they were: {same} of {all}."
        counted = {"same": same, "all": len(names)}
        yield fact(
            "statuses", {}, (None, None), template, verdict="unchanged", facts=counted, same=same, all=len(names)
        )


def _status(name: str, before: Status | None, after: Status | None) -> Change | None:
    was, is_ = before.state if before else None, after.state if after else None
    key: dict[str, str | None] = {"name": name}
    if was == is_:
        if before == after or was == "ok":
            return None
        template = "{name} is still {after}, for another reason: {names}"
        return fact("statuses", key, (was, is_), template, name=name, names=_ended(after.reason if after else ""))
    if after is None:
        template = "{name} is no longer asked for; it was {before}."
        return fact("statuses", key, (was, None), template, artifact=name, name=name, flag=was == "ok")
    if before is None:
        template = "{name} is asked for now, and is {state}."
        return fact(
            "statuses", key, (None, is_), template, artifact=name, name=name, state=STATES[after.state],
            flag=after.state == "failed",
        )  # fmt: skip
    worse = WORSE.index(after.state) > WORSE.index(before.state)
    template = "{name} was {was} and is {state}" + (": {names}" if after.reason else ".")
    return fact(
        "statuses", key, (was, is_), template, artifact=name, name=name, was=STATES[before.state],
        state=STATES[after.state], names=_ended(after.reason), flag=worse,
    )  # fmt: skip


def _ended(reason: str) -> str:
    return reason if reason.endswith((".", "!", "?")) else f"{reason}."


def model(sides: Sides) -> Iterator[Change]:
    """Task, outputs and family; whether it is the same model."""
    one, other = sides.before.manifest.model, sides.after.manifest.model
    for name, called in (("task", "task"), ("space", "output space"), ("family", "family of the model")):
        if one.get(name) != other.get(name):
            template = "The {called} was {before} and is {after}."
            yield fact("model", {"fact": name}, (one.get(name), other.get(name)), template, called=called, flag=True)
    classes = [", ".join(map(str, side.get("classes") or ())) or None for side in (one, other)]
    if classes[0] != classes[1]:
        template = "The classes were {before} and are {after}."
        yield fact("model", {"fact": "classes"}, classes, template, flag=True)
    inside = [_inside(snapshot) for snapshot in (sides.before, sides.after)]
    if inside[0] != inside[1] and None not in inside:
        yield fact("model", {"fact": "estimator"}, inside, "The estimator was {before} and is {after}.", flag=True)
    card = [side.get("card") or {} for side in (one, other)]
    for word in sorted({*card[0], *card[1]}):
        values = card[0].get(word), card[1].get(word)
        if values[0] != values[1]:
            yield fact(
                "model", {"fact": f"card {word}"}, values, "Its {word} was “{before}” and is “{after}”.", word=word
            )
    digests = [str(side.get("digest", ""))[:12] for side in (one, other)]
    if sides.same_model:
        template = "The model is the same, by its digest."
        yield fact("model", {"fact": "digest"}, digests, template, verdict="unchanged")
    elif digests[0] == digests[1]:
        template = "The model behaves the same on the rows it was probed with."
        yield fact("model", {"fact": "digest"}, digests, template, verdict="inconclusive")
    else:
        yield fact("model", {"fact": "digest"}, digests, "The model is another one: retrained or changed.")


def _inside(snapshot: Any) -> str | None:
    """The estimator at the end of a pipeline, where the trees were seen through to."""
    if "attribution/tree_shap" not in snapshot:
        return None
    seen = snapshot.head("attribution/tree_shap")["spec"].get("seen_through")
    return str(seen[-1]) if isinstance(seen, list) and seen else None


def decision(sides: Sides) -> Iterator[Change]:
    one, other = sides.before.manifest.decision, sides.after.manifest.decision
    found = False
    for name, called in (("threshold", "threshold"), ("favourable", "favourable outcome")):
        if one.get(name) != other.get(name):
            found = True
            template = "The {called} was {before} and is {after}."
            yield fact("decision", {"fact": name}, (one.get(name), other.get(name)), template, called=called, flag=True)
    if not found:
        threshold = one.get("threshold")
        yield fact(
            "decision", {}, (threshold, threshold), "The decision is made by the same rule.", verdict="unchanged"
        )


def data(sides: Sides) -> Iterator[Change]:
    """Columns added, removed, of another kind or with other values; sizes, labels, roles, the dictionary."""
    yield from _features(sides)
    found, label = False, sides.words.label
    for where, called in ROWS.items():
        one, other = sides.columns(sides.before, where), sides.columns(sides.after, where)
        both = sorted(set(one) & set(other))
        changed = [name for name in both if one[name] != other[name]]
        # Fresh rows change every column; some columns of the same rows is something that somebody did.
        some = bool(changed) and len(changed) < len(both) and where == "explained"
        for name in changed:
            found = True
            template = "{name} holds other values in {called}."
            key: dict[str, str | None] = {"column": name, "rows": where}
            yield fact(
                "data", key, (one[name][:12], other[name][:12]), template, flag=some, name=label(name), called=called
            )
    for change in _rest(sides):
        found = True
        yield change
    if not found and sides.same_features:
        template = "Columns with the same values: all of {columns}."
        columns = len(sides.shared)
        yield fact("data", {}, (None, None), template, verdict="unchanged", facts={"columns": columns}, columns=columns)


def _features(sides: Sides) -> Iterator[Change]:
    one, other = (side.manifest.data.get("columns", {}) for side in (sides.before, sides.after))
    label = sides.words.label
    for name in sorted(set(other) - set(one)):
        template = "{name} is a new column of the model."
        yield fact("data", {"column": name}, (None, other[name].get("kind")), template, name=label(name), flag=True)
    for name in sorted(set(one) - set(other)):
        template = "{name} is no longer a column of the model."
        yield fact("data", {"column": name}, (one[name].get("kind"), None), template, name=label(name), flag=True)
    for name in sides.shared:
        kinds = one[name].get("kind"), other[name].get("kind")
        if kinds[0] != kinds[1]:
            template = "{name} was a {before} and is a {after}."
            yield fact("data", {"column": name, "fact": "kind"}, kinds, template, name=label(name), flag=True)
    entries = [side.dictionary["features"] for side in (sides.before, sides.after)]
    for name in sorted({*entries[0], *entries[1]}):
        words = entries[0].get(name, {}), entries[1].get(name, {})
        for word in sorted({*words[0], *words[1]}):
            said = _plain(words[0].get(word)), _plain(words[1].get(word))
            if said[0] != said[1]:
                key: dict[str, str | None] = {"column": name, "fact": word}
                template = "The dictionary's {word} of {name} was “{before}” and is “{after}”."
                yield fact("data", key, said, template, name=name, word=word)


def _plain(value: object) -> str | None:
    if isinstance(value, dict):
        return ", ".join(f"{key} = {item}" for key, item in sorted(value.items()))
    return None if value is None else str(value)


def _rest(sides: Sides) -> Iterator[Change]:
    one, other = sides.before.manifest.data, sides.after.manifest.data
    for name in ("explained", "given"):
        sizes = one.get("rows", {}).get(name), other.get("rows", {}).get(name)
        if sizes[0] != sizes[1]:
            yield fact("data", {"rows": name}, sizes, "Rows {name}: {before} before, {after} now.", name=name)
    trains = [(side.get("train") or {}).get("rows") for side in (one, other)]
    if trains[0] != trains[1]:
        yield fact("data", {"rows": "train"}, trains, "Training rows: {before} before, {after} now.")
    labels = [side.get("labels") for side in (one, other)]
    if labels[0] != labels[1]:
        short = [None if text is None else text[:12] for text in labels]
        flag = sides.same_rows and None not in labels  # the same rows came out otherwise
        yield fact("data", {"fact": "labels"}, short, "The labels of the rows explained are others.", flag=flag)
    for role in ("protected", "segments"):
        lists = [", ".join(side.get(role) or ()) for side in (one, other)]
        if lists[0] != lists[1]:
            template = "Declared as {role}: “{before}” before, “{after}” now."
            gone = set(one.get(role) or ()) - set(other.get(role) or ())
            yield fact("data", {"fact": role}, lists, template, role=role, flag=role == "protected" and bool(gone))
    rows = [(side.get("privacy") or {}).get("rows", "keep") for side in (one, other)]
    if rows[0] != rows[1]:
        yield fact("data", {"fact": "privacy"}, rows, "Single rows: “{before}” before, “{after}” now.")
