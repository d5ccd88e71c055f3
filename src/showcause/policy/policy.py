"""`showcause.toml`: one file that every door reads. All of it is optional; a word it does not know is an error.

mode, until, cant_tell, baseline   whether it refuses yet, from which day, what doubt does, what to compare with
[model]          purpose, owner, limits, version
[data]           label, id, weight, time, protected, segments, context; for recourse: actionable, immutable,
                 constraints ("debt + 2 * rent <= 0.5 * income"), one_hot (groups of columns)
[decision]       threshold, favourable
[features.NAME]  label, unit, format, values, description, source; for recourse: monotone ("increase" or "decrease":
                 the only way it can go), range ([least, most])
[require]        artifacts (default: all), inputs ("y", "train", …), check ("model", "data", "baseline")
[methods."dependence/ale"]  parameters of a method
[refits]         count: how often the model is trained again, to see what training gives by chance
[privacy]        rows = "keep" | "omit"
[reasons.NAME]   a column's reason codes and their texts
[letter]         what the letter to the person decided about must say
[mlflow]         what `mlflow.models.evaluate` makes of all this
[limits.NAME]    what a number or curve in the snapshot must hold
[review.NAME]    when who must sign off
[registry]       aliases, stages, versions: what a registry's server guards (docs/mlflow.md)
[[waiver]]       what somebody accepts, until when
[[requirement]]  who asks what, by which law, and which artifacts answer

`TOP` and `SECTIONS` are the one definition of it; the parser and the JSON Schema are both made from them.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from showcause.core import canonical
from showcause.core.errors import InputError, PolicyError, choices
from showcause.core.finding import SEVERITIES
from showcause.core.verdict import MODES, Mode, Waiver
from showcause.policy import grammar
from showcause.policy.grammar import Section, Word

INPUTS = ("y", "train", "background", "context", "refits")  # what [require] inputs may name
AT_CHECK = ("model", "data", "baseline")  # what [require] check may name
SIDES = ("value", "low", "high", "worst")
ASKERS = ("engineer", "officer", "subject", "auditor")
OCCASIONS = ("always", "first-version", "changed", "warn", "cant-tell", "waived")

TOP: dict[str, Word] = {
    "mode": Word("text", 'enforce (default), or "advise": everything is reported, nothing refused or blessed.', MODES),
    "until": Word("date", 'The last day of mode = "advise"; from the next day on the policy is enforced.'),
    "cant_tell": Word("text", "What it means that a check cannot tell: fail (default) or warn.", SEVERITIES),
    "baseline": Word("text", 'The alias to compare with where check is given none, such as "champion".'),
}

_severity = Word("text", "What it means that this is not met: fail (default) or warn.", SEVERITIES)
_doubt = Word("text", "What it means that this check cannot tell; default: the policy's cant_tell.", SEVERITIES)
_law = Word("text", "The law, regulation or rule that asks for it.")

SECTIONS: dict[str, Section] = {
    "model": Section(
        "The model, for its reports.",
        {
            "purpose": Word("text", "What it decides or predicts, and for whom."),
            "owner": Word("text", "Who answers for it."),
            "limits": Word("text", "Where it must not be used."),
            "version": Word("text", "The identity of a callable, which is opaque without."),
        },
    ),
    "data": Section(
        "Roles of columns.",
        {
            "label": Word("text", "The column of true outcomes."),
            "id": Word("text", "Your own row ids."),
            "weight": Word("text", "The column of weights; the model never sees it."),
            "time": Word("text", "When a row happened; the model never sees it."),
            "protected": Word("texts", "Attributes whose groups must be treated fairly."),
            "segments": Word("texts", "Columns whose levels are reported apart."),
            "context": Word("texts", "Columns that the model never sees, but segments may name."),
            "actionable": Word("texts", "For recourse: columns that a person can change."),
            "immutable": Word("texts", "For recourse: columns that nobody can change."),
            "constraints": Word("texts", 'For recourse: what holds, such as "debt + 2 * rent <= 0.5 * income".'),
            "one_hot": Word("groups", "For recourse: groups of columns of which exactly one is 1."),
        },
    ),
    "decision": Section(
        "The decision that is made with the model's output.",
        {
            "threshold": Word("number", "On the probability of the second class.", above=0, below=1),
            "favourable": Word("scalar", "The class that a person hopes for."),
        },
    ),
    "features": Section(
        "What a column is called, and means.",
        {
            "label": Word("text", "Its name in figures and sentences."),
            "unit": Word("text", "Its unit."),
            "format": Word("text", 'How its numbers are written, such as ",.0f".'),
            "values": Word("pairs", "What its levels are called."),
            "description": Word("text", "What it means."),
            "source": Word("text", "Where it comes from."),
            "monotone": Word("text", "For recourse: the only way it can go.", ("increase", "decrease")),
            "range": Word("range", "For recourse: the least and the most that it can be."),
        },
        "named",
    ),
    "require": Section(
        "What must be there.",
        {
            "artifacts": Word("texts", "Artifacts that a snapshot must hold; default: every method there is."),
            "inputs": Word("texts", "Inputs without which a snapshot is incomplete.", INPUTS),
            "check": Word("texts", "What check must be given beside the snapshot.", AT_CHECK),
        },
    ),
    "methods": Section("Parameters of methods, by name.", None, "named"),
    "refits": Section(
        "Training the model again, to tell a change from what training gives by chance.",
        {"count": Word("whole", "How often; 6 to 10 say enough.", least=2)},
    ),
    "privacy": Section(
        "What may be stored.",
        {"rows": Word("text", "omit: no raw value of any row in the snapshot; keep (default).", ("keep", "omit"))},
    ),
    "reasons": Section(
        "A column's reason codes and their texts, in place of its name and its label.",
        {
            "code": Word("text", "The code of every reason that this column gives."),
            "code_low": Word("text", "The code where the person's value is lower than what is usual."),
            "code_high": Word("text", "The code where it is higher."),
            "text": Word("text", "The reason in words."),
            "text_low": Word("text", "The reason in words where the person's value is lower than what is usual."),
            "text_high": Word("text", "The reason in words where it is higher."),
        },
        "named",
    ),
    "letter": Section(
        "What the letter to the person decided about says. All but `about` must be there before one is written.",
        {
            "about": Word("text", 'What was decided, such as "your application for a mortgage".'),
            "decided_by": Word("text", "Who decided."),
            "date": Word("date", "The day of the decision; may be given with the letter instead."),
            "contact": Word("text", "How to reach whoever decided."),
            "sources": Word("text", "Where the data about the person came from."),
            "correct": Word("text", "How the person can have wrong data put right."),
            "contest": Word("text", "How the person can contest the decision, and reach a human."),
        },
    ),
    "mlflow": Section(
        "What the evaluator in MLflow does; evaluator_config wins over it.",
        {
            "enabled": Word("flag", "Whether mlflow.models.evaluate makes a snapshot; default: true."),
            "content": Word(
                "text",
                "essential: what an evaluation can afford; full: every method there is. Default: what [require] "
                "artifacts names, else essential.",
                ("essential", "full"),
            ),
            "on_failure": Word(
                "text", "record: the evaluation goes on, and says so (default); raise: it ends.", ("record", "raise")
            ),
            "report": Word(
                "flag", "Whether reports are written; default: where content or [require] artifacts is given."
            ),
            "name": Word("text", "What the snapshot is called, such as credit."),
        },
    ),
    "limits": Section(
        "What a number or a curve in the snapshot must hold; every row that `where` selects must.",
        {
            "artifact": Word("text", 'Its artifact, such as "segments/fairness".', required=True),
            "where": Word("pairs", 'Which of its rows: column = value, such as { metric = "disparate_impact" }.'),
            "column": Word("text", "The column of the number; default: value."),
            "as": Word(
                "text",
                "value (default); share: of the total over features; rank: 1 is the most important; gap: the distance "
                "of a calibration curve from its diagonal.",
                ("value", "share", "rank", "gap"),
            ),
            "min": Word("number", "The least that it may be."),
            "max": Word("number", "The most that it may be."),
            "side": Word(
                "text",
                "Which side of its error is held to the limit: value (the error is left aside), low, high, or worst: "
                "the limit must hold for all that the error leaves possible.",
                SIDES,
            ),
            "monotone": Word(
                "text", "The curve must never turn round along its feature.", ("increasing", "decreasing")
            ),
            "tolerance": Word("number", "How far a monotone curve may turn round, in its own units.", least=0),
            "max_change": Word("number", "The most that it may differ from the baseline, up or down.", least=0),
            "severity": _severity,
            "cant_tell": _doubt,
            "law": _law,
            "reason": Word("text", "Why this limit is set."),
        },
        "named",
        any_of=("min", "max", "monotone", "max_change"),
        needs={"min": ("side",), "max": ("side",), "tolerance": ("monotone",)},
    ),
    "review": Section(
        "When who must have signed off before it ships.",
        {
            "when": Word(
                "texts",
                "On which of these occasions: always, first-version (no baseline yet), changed (from the baseline), "
                "warn, cant-tell, waived.",
                OCCASIONS,
                required=True,
            ),
            "role": Word("text", "Whose signature; the operator's trust file maps roles to keys.", required=True),
            "count": Word("whole", "How many different people of that role; default: 1.", least=1),
            "severity": _severity,
            "cant_tell": _doubt,
            "law": _law,
        },
        "named",
    ),
    "registry": Section(
        "What the plugin of a registry's server guards.",
        {
            "aliases": Word("texts", 'Aliases that only the gate moves; default: ["*"], every alias.'),
            "stages": Word("texts", 'Stages that only the gate fills; default: ["Production", "Staging"].'),
            "versions": Word(
                "text",
                "A new version without a whole snapshot bound to its model: warn (default), refuse, or allow.",
                ("warn", "refuse", "allow"),
            ),
        },
    ),
    "waiver": Section(
        "What somebody accepts although a check does not hold; expired ones fail.",
        {
            "code": Word("text", "The check's code, such as SC011.", required=True),
            "subject": Word("text", "About what, as the check names it; default: anything."),
            "by": Word("text", "Who accepts it.", required=True),
            "reason": Word("text", "Why.", required=True),
            "until": Word("date", "The last day on which it holds.", required=True),
        },
        "list",
    ),
    "requirement": Section(
        "A question that somebody may ask, and what must answer it (after Huynh et al., Explainability-by-Design).",
        {
            "asked_by": Word("text", "Who asks.", ASKERS, required=True),
            "when": Word("text", 'On which occasion, such as "before release" or "after a refusal".'),
            "question": Word("text", "In the words of who asks.", required=True),
            "law": _law,
            "artifacts": Word(
                "texts", 'All of these must answer; "a|b": either will do. Inputs too: "input/y".', required=True
            ),
            "rows": Word("whole", "Rows that each artifact's table has at least.", least=1),
            "explained": Word("whole", "Rows of the data that each artifact rests on at least.", least=1),
            "errors": Word("flag", "Whether each number must come with its error or bounds."),
            "features": Word("flag", "Whether each feature of the model must be answered for."),
            "by": Word("texts", "Columns whose levels must each be answered for."),
            "severity": _severity,
            "cant_tell": _doubt,
        },
        "list",
    ),
}


@dataclass(frozen=True)
class Policy:
    """What a policy says; `digest` identifies it, "" where nothing was given."""

    model: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    decision: Mapping[str, Any] = field(default_factory=dict)
    features: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    require: Mapping[str, list[str]] = field(default_factory=dict)
    methods: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    refits: Mapping[str, int] = field(default_factory=dict)
    privacy: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    letter: Mapping[str, str] = field(default_factory=dict)
    mlflow: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    review: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    registry: Mapping[str, Any] = field(default_factory=dict)
    waiver: tuple[Mapping[str, str], ...] = ()
    requirement: tuple[Mapping[str, Any], ...] = ()
    mode: Mode = "enforce"
    until: str = ""
    cant_tell: str = "fail"
    baseline: str = ""
    digest: str = ""

    @property
    def omits_rows(self) -> bool:
        return self.privacy.get("rows", "keep") == "omit"

    def _repr_html_(self) -> str:
        from showcause.views.notebook import facts_html  # lazy delegation upwards, listed in the layer test

        return facts_html(self)

    @property
    def asks(self) -> bool:
        """It holds something to a snapshot; a policy that asks nothing never blesses."""
        return bool(any(self.require.values()) or self.limits or self.review or self.requirement)

    @property
    def waivers(self) -> tuple[Waiver, ...]:
        return tuple(Waiver(w["code"], w.get("subject"), w["by"], w["reason"], w["until"]) for w in self.waiver)

    def mode_on(self, day: str) -> Mode:
        """Advise until the end of the day `until`, then enforce."""
        return "advise" if self.mode == "advise" and day <= self.until else "enforce"

    @classmethod
    def of(cls, given: Policy | str | os.PathLike[str] | Mapping[str, Any] | None) -> Policy:
        """A Policy, a path, a mapping of the same form, or nothing. Raises PolicyError."""
        if given is None:
            return cls()
        if isinstance(given, Policy):
            return given
        if isinstance(given, Mapping):
            return _checked(given, "policy")
        if not isinstance(given, str | os.PathLike):
            raise PolicyError(f"a policy is a path or a mapping of sections, not a {type(given).__name__}")
        path = Path(given)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise PolicyError(f"cannot read the policy {path}: {error.strerror}") from None
        try:
            return _checked(tomllib.loads(data.decode()), str(path))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise PolicyError(f"{path} is not TOML: {error}") from None


def schema() -> dict[str, Any]:
    """The JSON Schema of showcause.toml, published as docs/showcause.schema.json and written by `showcause init`."""
    advise = {"properties": {"mode": {"const": "advise"}}, "required": ["mode"]}
    return grammar.schema(TOP, SECTIONS, [{"if": advise, "then": {"required": ["until"]}}])


def schema_text() -> str:
    """The schema as a file's text."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def problems(value: Mapping[str, Any]) -> Iterator[str]:
    """Everything that is wrong with a policy, in words."""
    for name, given in value.items():
        if name in TOP:
            yield from grammar.word_problems(TOP[name], given, f"{name} = {given!r}")
        elif name in SECTIONS:
            wrapped = f"[[{name}]]" if SECTIONS[name].shape == "list" else f"[{name}]"
            yield from grammar.problems(SECTIONS[name], given, wrapped)
        else:
            yield f"unknown section: {choices(name, (*TOP, *SECTIONS))}"
    if value.get("mode") == "advise" and "until" not in value:
        yield 'mode = "advise" asks for until beside it: from which day on it refuses'


def _checked(value: Mapping[str, Any], where: str) -> Policy:
    for problem in problems(value):
        raise PolicyError(f"{where}: {problem}")
    plain = grammar.plain(value)
    if "features" in plain:  # an entry without a word, as `showcause init` writes them, says nothing
        plain["features"] = {name: entry for name, entry in plain["features"].items() if entry}
    try:
        digest = canonical.digest(canonical.dumps(plain))
    except InputError as error:
        raise PolicyError(f"{where}: {error}") from None
    lists = {name: tuple(plain.get(name, ())) for name, section in SECTIONS.items() if section.shape == "list"}
    return Policy(**{**plain, **lists}, digest=digest)
