"""`showcause.toml`: one file that every door reads. All of it is optional; a word it does not know is an error.

[model]          purpose, owner, limits, version
[data]           label, id, weight, time, protected, segments, context; for recourse: actionable, immutable,
                 constraints ("debt + 2 * rent <= 0.5 * income"), one_hot (groups of columns)
[decision]       threshold, favourable
[features.NAME]  label, unit, format, values, description, source; for recourse: monotone ("increase" or "decrease":
                 the only way it can go), range ([least, most])
[require]        artifacts (default: all), inputs ("y", "train", …)
[methods."dependence/ale"]  parameters of a method
[privacy]        rows = "keep" | "omit"
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from showcause.core import canonical
from showcause.core.errors import PolicyError, choices

Text = (str,)
Texts = (list,)
Number = (int, float)

SECTIONS: dict[str, dict[str, tuple[type, ...]]] = {
    "model": {"purpose": Text, "owner": Text, "limits": Text, "version": Text},
    "data": {
        "label": Text,
        "id": Text,
        "weight": Text,
        "time": Text,
        "protected": Texts,
        "segments": Texts,
        "context": Texts,
        "actionable": Texts,
        "immutable": Texts,
        "constraints": Texts,
        "one_hot": Texts,
    },
    "decision": {"threshold": Number, "favourable": (str, int, float, bool)},
    "require": {"artifacts": Texts, "inputs": Texts},
    "privacy": {"rows": Text},
}
FEATURE: dict[str, tuple[type, ...]] = {
    "label": Text,
    "unit": Text,
    "format": Text,
    "values": (dict,),
    "description": Text,
    "source": Text,
    "monotone": Text,
    "range": Texts,
}
INPUTS = ("y", "train", "background", "context")  # what [require] inputs may name


@dataclass(frozen=True)
class Policy:
    model: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    decision: Mapping[str, Any] = field(default_factory=dict)
    features: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    require: Mapping[str, list[str]] = field(default_factory=dict)
    methods: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    privacy: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""

    @property
    def omits_rows(self) -> bool:
        return self.privacy.get("rows", "keep") == "omit"

    def _repr_html_(self) -> str:
        from showcause.views.notebook import facts_html  # lazy delegation upwards, listed in the layer test

        return facts_html(self)

    @classmethod
    def of(cls, given: Policy | str | os.PathLike[str] | Mapping[str, Any] | None) -> Policy:
        """A Policy, a path, a mapping of the same form, or nothing. Raises PolicyError."""
        if given is None:
            return cls()
        if isinstance(given, Policy):
            return given
        if isinstance(given, Mapping):
            return _checked(given, "policy")
        path = Path(given)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise PolicyError(f"cannot read the policy {path}: {error.strerror}") from None
        try:
            return _checked(tomllib.loads(data.decode()), str(path))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise PolicyError(f"{path} is not TOML: {error}") from None


def _checked(value: Mapping[str, Any], where: str) -> Policy:
    known = (*SECTIONS, "features", "methods")
    for section, content in value.items():
        if section not in known:
            raise PolicyError(f"{where}: unknown section: {choices(section, known)}")
        if not isinstance(content, Mapping):
            raise PolicyError(f"{where}: [{section}] must be a section, got {content!r}")
        if section in SECTIONS:
            _check_words(content, SECTIONS[section], f"{where}: [{section}]")
        for name, entry in content.items() if section in ("features", "methods") else ():
            if not isinstance(entry, Mapping):
                raise PolicyError(f"{where}: [{section}.{name}] must be a section, got {entry!r}")
            if section == "features":
                _check_words(entry, FEATURE, f"{where}: [features.{name}]")
    if (rows := value.get("privacy", {}).get("rows", "keep")) not in ("keep", "omit"):
        raise PolicyError(f"{where}: [privacy] rows must be 'keep' or 'omit', got {rows!r}")
    threshold = value.get("decision", {}).get("threshold")
    if threshold is not None and not 0 < threshold < 1:
        raise PolicyError(f"{where}: [decision] threshold must lie between 0 and 1, got {threshold}")
    for name in value.get("require", {}).get("inputs", []):
        if name not in INPUTS:
            raise PolicyError(f"{where}: [require] inputs: {choices(name, INPUTS)}")
    plain = {section: dict(content) for section, content in value.items()}
    if "features" in plain:  # an entry without a word, as `showcause init` writes them, says nothing
        plain["features"] = {name: entry for name, entry in plain["features"].items() if entry}
    return Policy(**plain, digest=canonical.digest(canonical.dumps(plain)))


def _check_words(content: Mapping[str, Any], known: Mapping[str, tuple[type, ...]], where: str) -> None:
    for word, given in content.items():
        if word not in known:
            raise PolicyError(f"{where}: unknown word: {choices(word, known)}")
        wrong_bool = isinstance(given, bool) and bool not in known[word]
        if not isinstance(given, known[word]) or wrong_bool:
            raise PolicyError(f"{where}: {word} = {given!r} must be {' or '.join(t.__name__ for t in known[word])}")
        if isinstance(given, list) and not LISTS.get(word, _texts)(given):
            form = {"range": "two numbers, the least and the most", "one_hot": "a list of lists of text"}
            raise PolicyError(f"{where}: {word} = {given!r} must be {form.get(word, 'a list of text')}")
        if word == "monotone" and given not in MONOTONE:
            raise PolicyError(f"{where}: monotone: {choices(given, MONOTONE)}")


def _texts(given: list[Any]) -> bool:
    return all(isinstance(item, str) for item in given)


def _numbers(given: list[Any]) -> bool:
    real = all(isinstance(item, int | float) and not isinstance(item, bool) for item in given)
    return real and len(given) == 2 and given[0] <= given[1]


def _groups(given: list[Any]) -> bool:
    return all(isinstance(group, list) and len(group) > 1 and _texts(group) for group in given)


MONOTONE = ("increase", "decrease")
LISTS = {"range": _numbers, "one_hot": _groups}  # words whose lists hold something else than text
