"""The two snapshots of a diff, what of them may be compared, and how a change is said."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from showcause.core.artifact import Artifact
from showcause.core.diff import Change, Scalar, Verdict
from showcause.core.snapshot import Snapshot
from showcause.views.sentence import say
from showcause.views.words import Words

BASELINE = "baseline/"  # what one side says of the other side's rows stands behind this name
PANEL = "refits/"
NO_PANEL = "It cannot be told from retraining noise."
OTHER_ROWS = "other rows stand behind it"
Number = float | None

# What must agree for two numbers to be of one thing, and how it is called.
TERMS = {
    "task": "the task",
    "targets": "the classes explained",
    "space": "the output space",
    "unit": "the unit",
    "game": "the game",
    "link": "the link",
    "players": "the players",
    "loss": "the loss",
    "measure": "the measure",
    "favourable": "the favourable outcome",
    "copy_of": "the column copied",
}


@dataclass(frozen=True)
class Pair:
    """One artifact on both sides; `reason` why it cannot be compared, or ""."""

    name: str
    before: Artifact
    after: Artifact
    reason: str

    @property
    def kind(self) -> str:
        return self.before.kind

    @property
    def several(self) -> bool:
        """Whether it speaks of more than one class, so that each must be named."""
        return len(self.after.spec.get("targets") or ()) > 1


@dataclass(frozen=True)
class Sides:
    before: Snapshot
    after: Snapshot

    @cached_property
    def dictionary(self) -> dict[str, Any]:
        """The features' words of both, the after side's first."""
        one, other = self.before.dictionary, self.after.dictionary
        features = {**one["features"], **other["features"]}
        return {"features": features, "label": other["label"] or one["label"]}

    @cached_property
    def words(self) -> Words:
        return Words.of(self.dictionary)

    @cached_property
    def same_model(self) -> bool:
        """The very same model by its digest; the identity of an opaque one is only its behaviour on a few rows."""
        one, other = self.before.manifest.model, self.after.manifest.model
        known = one.get("digest") and not one.get("opaque") and not other.get("opaque")
        return bool(known) and one["digest"] == other.get("digest")

    def columns(self, snapshot: Snapshot, where: str) -> dict[str, str]:
        """Column → digest of the rows explained ("explained"), the training rows, the context or the background."""
        data = snapshot.manifest.data
        if where == "explained":
            return {name: str(entry["digest"]) for name, entry in data.get("columns", {}).items()}
        found = (data.get("train") or {}).get("columns") if where == "train" else data.get(where)
        return dict(found or {})

    @cached_property
    def shared(self) -> list[str]:
        """Features of both models, in the after side's order."""
        known = self.columns(self.before, "explained")
        order = self.after.manifest.data.get("order") or list(self.columns(self.after, "explained"))
        return [name for name in order if name in known]

    def agree(self, where: str) -> bool:
        """Whether the columns that both have hold the same values, and there are any."""
        one, other = self.columns(self.before, where), self.columns(self.after, where)
        both = set(one) & set(other)
        return bool(both) and all(one[name] == other[name] for name in both)

    @cached_property
    def same_features(self) -> bool:
        return set(self.columns(self.before, "explained")) == set(self.columns(self.after, "explained"))

    @cached_property
    def same_rows(self) -> bool:
        """The rows explained are the same people, as far as the columns of both say."""
        one, other = self.before.manifest.data.get("rows", {}), self.after.manifest.data.get("rows", {})
        return self.agree("explained") and one == other

    def pairs(self, *kinds: str) -> Iterator[Pair]:
        """Artifacts on both sides, of these kinds. Where a side also explained the other's rows (`baseline/NAME`),
        these are compared if the snapshots' own artifacts cannot be."""
        for name in self.before:
            if name.startswith(BASELINE) or (kinds and self.before.head(name)["kind"] not in kinds):
                continue
            ways = [(name, name), (name, f"{BASELINE}{name}"), (f"{BASELINE}{name}", name)]
            there = [(one, other) for one, other in ways if one in self.before and other in self.after]
            reasons = [self.refusal(self.before.head(one), self.after.head(other)) for one, other in there]
            if not there:
                continue
            best = reasons.index("") if "" in reasons else 0
            one, other = there[best]
            yield Pair(name, self.before[one], self.after[other], reasons[best])

    def refusal(self, one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
        """Why the two artifacts speak of different things; "" where they do not."""
        if one["kind"] != other["kind"]:
            return f"its kind was {one['kind']} and is {other['kind']}"
        before, after = one["spec"], other["spec"]
        if before.get("version") != after.get("version"):
            return "its method has another version"
        for term, called in TERMS.items():
            if before.get(term) != after.get(term):
                return f"{called} was {_text(before.get(term))} and is {_text(after.get(term))}"
        sources = [(spec.get("panel") or {}).get("source") for spec in (before, after)]
        if sources[0] != sources[1]:
            return f"its panel was of {_text(sources[0])} and is of {_text(sources[1])}"
        return self._other_rows(before, after) or self._other_background(before, after)

    def _other_rows(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
        one, other = before.get("rows") or {}, after.get("rows") or {}
        if one.get("digest") == other.get("digest"):
            return ""
        drawn = "sampled_from" in one or "sampled_from" in other
        sizes = one.get("count") == other.get("count") and one.get("sampled_from") == other.get("sampled_from")
        if not self.same_features and self.same_rows and sizes and (not drawn or before["seed"] == after["seed"]):
            return ""  # the digest is of whole rows, and those have another column now
        return OTHER_ROWS

    def _other_background(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
        one, other = before.get("background") or {}, after.get("background") or {}
        if one.get("digest") == other.get("digest"):
            return ""
        source = one.get("source")
        if source == other.get("source") and one.get("count") == other.get("count") and not self.same_features:
            where = {"train": "train", "given": "background", "X": "explained"}.get(str(source), "")
            if where and self.agree(where) and (source == "given" or before["seed"] == after["seed"]):
                return ""
        return "it was measured against another background"


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "not stated" if value is None else str(value)


def refused(section: str, pair: Pair) -> Change:
    """A comparison that was not made, and why."""
    said = say("{name} cannot be compared: {names}.", name=pair.name, names=pair.reason)
    return Change(
        section, pair.name, {}, None, None, None, None, None, None, None, "not-comparable", said.text, flag=True
    )


def fact(
    section: str,
    key: Mapping[str, str | None],
    values: Sequence[Scalar],
    template: str,
    *,
    artifact: str = "",
    verdict: Verdict = "changed",
    flag: bool = False,
    facts: Mapping[str, Scalar] | None = None,
    **parts: Any,
) -> Change:
    """A change that is exact: it needs no error to be told. `values`: before and after."""
    before, after = values
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (before, after))
    delta = float(after) - float(before) if numbers else None  # type: ignore[arg-type]
    text = say(template, before=_said(before), after=_said(after), **parts).text
    return Change(
        section, artifact, key, before, after, delta, None, None, None, None, verdict, text, flag, facts or {}
    )


def _said(value: Scalar) -> Any:
    return "none" if value is None else str(value) if isinstance(value, bool) else value


def standard_error(row: Mapping[str, Any]) -> Number:
    """Of a table's row: the one stored, else what its 95 % interval implies; None where neither is there."""
    if row.get("error") is not None:
        return float(row["error"])
    if row.get("low") is not None and row.get("high") is not None:
        return float(row["high"] - row["low"]) / (2 * 1.959963984540054)
    return None


def difference_error(before: Mapping[str, Any], after: Mapping[str, Any]) -> Number:
    """Of after - before, as if the two were independent: on shared rows, which agree, it is less, so this is safe."""
    one, other = standard_error(before), standard_error(after)
    return None if one is None or other is None else math.hypot(one, other)


def keys(columns: Sequence[str], row: Mapping[str, Any]) -> dict[str, str | None]:
    """The row's key as text, without what is not said."""
    return {name: _key(row[name]) for name in columns if row.get(name) is not None}


def _key(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)
