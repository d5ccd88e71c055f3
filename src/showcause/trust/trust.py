"""`showcause-trust.toml`: whose signature counts, and as what. It is the operator's, and never comes with a snapshot.

[keys.NAME]      public (64 hexadecimal letters), roles; from, until (days, UTC), revoked (true), reason
[aliases.NAME]   sign_off: roles that must vouch for a version before this alias may name it, one person for each;
                 promote: roles, one of which must sign the entry; break_glass: roles that may restore at once;
                 bind: in a registry, roles one of which must have signed that these files are the model explained

Whoever stands in no [keys] entry is nobody, and a role that is not granted is not had: what the file does not say is
refused. A revoked key's signatures count for nothing, whatever day they claim, for a thief can claim any.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from showcause.core.errors import TrustError, choices
from showcause.trust import ed25519
from showcause.trust.keys import keyid

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@+-]{0,63}")
ROLE = re.compile(r"[a-z][a-z0-9-]{0,31}")
KEY_WORDS = {"public", "roles", "from", "until", "revoked", "reason"}
ALIAS_WORDS = {"sign_off", "promote", "break_glass", "bind"}
BREAK_GLASS_DAYS = 7


@dataclass(frozen=True)
class Holder:
    """Somebody whose signature may count; `begins` and `until` are days in ISO 8601, both included."""

    name: str
    public: bytes
    roles: tuple[str, ...]
    begins: str = ""
    until: str = ""
    revoked: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Rule:
    """What an alias demands."""

    sign_off: tuple[str, ...] = ()
    promote: tuple[str, ...] = ()
    break_glass: tuple[str, ...] = ()
    bind: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trust:
    """`holders`: key id → Holder; `rules`: alias → Rule."""

    holders: Mapping[str, Holder] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        from showcause.views.notebook import facts_html  # lazy delegation upwards, listed in the layer test

        return facts_html(self)

    @classmethod
    def of(cls, given: Trust | str | os.PathLike[str] | Mapping[str, Any] | None) -> Trust:
        """A Trust, a path, a mapping of the same form; None trusts nobody. Raises TrustError."""
        if given is None:
            return cls()
        if isinstance(given, Trust):
            return given
        if isinstance(given, Mapping):
            return _checked(given, "trust")
        path = Path(given)
        try:
            return _checked(tomllib.loads(path.read_bytes().decode()), str(path))
        except OSError as error:
            raise TrustError(f"cannot read the trust file {path}: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise TrustError(f"{path} is not TOML: {error}") from None

    def rule(self, alias: str) -> Rule:
        return self.rules.get(alias, Rule())


def _checked(value: Mapping[str, Any], where: str) -> Trust:
    for section in value:
        if section not in ("keys", "aliases"):
            raise TrustError(f"{where}: unknown section: {choices(section, ('keys', 'aliases'))}")
    holders: dict[str, Holder] = {}
    for name, entry in _sections(value, "keys", where):
        holder = _holder(name, entry, f"{where}: [keys.{name}]")
        key = keyid(holder.public)
        if key in holders:
            raise TrustError(f"{where}: {holders[key].name} and {name} have the same key; one person, one entry")
        holders[key] = holder
    rules = {name: _rule(entry, f"{where}: [aliases.{name}]") for name, entry in _sections(value, "aliases", where)}
    return Trust(holders, rules)


def _sections(value: Mapping[str, Any], section: str, where: str) -> list[tuple[str, Mapping[str, Any]]]:
    found = value.get(section, {})
    if not isinstance(found, Mapping) or not all(isinstance(entry, Mapping) for entry in found.values()):
        raise TrustError(f"{where}: [{section}] holds sections such as [{section}.NAME]")
    return list(found.items())


def _holder(name: str, entry: Mapping[str, Any], where: str) -> Holder:
    _words(entry, KEY_WORDS, where)
    if not NAME.fullmatch(name):
        raise TrustError(f"{where}: a name has 1 to 64 letters, digits, spaces and . _ @ + -")
    text = entry.get("public")
    public = bytes.fromhex(text) if isinstance(text, str) and re.fullmatch("[0-9a-f]{64}", text) else b""
    if not ed25519.usable(public):
        raise TrustError(f"{where}: public must be an Ed25519 key in 64 hexadecimal letters; got {text!r}")
    revoked = entry.get("revoked", False)
    if not isinstance(revoked, bool):
        raise TrustError(f"{where}: revoked is true or false; none of a revoked key's signatures counts, of any day")
    if not isinstance(entry.get("reason", ""), str):
        raise TrustError(f"{where}: reason must be text")
    days = {word: _day(entry.get(word), f"{where}: {word}") for word in ("from", "until")}
    return Holder(
        name, public, _roles(entry.get("roles"), where), days["from"], days["until"], revoked, entry.get("reason", "")
    )


def _rule(entry: Mapping[str, Any], where: str) -> Rule:
    _words(entry, ALIAS_WORDS, where)
    return Rule(**{word: _roles(roles, f"{where}: {word}") for word, roles in entry.items()})


def _words(entry: Mapping[str, Any], known: set[str], where: str) -> None:
    for word in entry:
        if word not in known:
            raise TrustError(f"{where}: unknown word: {choices(word, sorted(known))}")


def _roles(given: Any, where: str) -> tuple[str, ...]:
    good = isinstance(given, list) and all(isinstance(role, str) and ROLE.fullmatch(role) for role in given)
    if not good:
        raise TrustError(f'{where}: roles are a list of lower-case words, such as ["reviewer"]; got {given!r}')
    return tuple(given)


def _day(given: Any, where: str) -> str:
    if given is None:
        return ""
    try:
        if isinstance(given, datetime):
            raise ValueError
        return (given if isinstance(given, date) else date.fromisoformat(given)).isoformat()
    except (TypeError, ValueError):
        raise TrustError(f"{where} must be a day such as 2026-12-31; got {given!r}") from None


def unmet(roles: Sequence[str], persons: Mapping[str, Sequence[str]]) -> list[str]:
    """The roles that cannot be filled, each by another person; `persons`: name → the roles they acted in.

    A maximum matching by augmenting paths, so the answer does not depend on the order of the names.
    """
    taken: dict[str, int] = {}

    def fill(place: int, seen: set[str]) -> bool:
        for name in sorted(persons):
            if roles[place] in persons[name] and name not in seen:
                seen.add(name)
                if name not in taken or fill(taken[name], seen):
                    taken[name] = place
                    return True
        return False

    return [roles[place] for place in range(len(roles)) if not fill(place, set())]
