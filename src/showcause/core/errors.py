"""Every error that showcause raises on purpose. A message says what was given, what was possible and what to do next.

    ShowcauseError
    ├── InputError            (also ValueError)   something the caller gave cannot be used
    │   ├── DataError                             rows, columns, labels
    │   ├── ModelError                            the model or callable
    │   ├── ParameterError                        a method's parameter, an option, a name
    │   ├── PolicyError                           showcause.toml
    │   ├── TrustError                            showcause-trust.toml
    │   └── NotApplicable                         this method has nothing to say about this model or data
    ├── MissingExtra          (also ImportError)  an optional part is not installed
    ├── StoreError
    │   ├── NotFound          (also KeyError)     no such snapshot, artifact or object
    │   ├── Corrupt                               bytes are not what their digest or format says
    │   └── Conflict                              somebody else moved the ref first
    ├── IncompleteRun                             a guarded run ended without a complete snapshot
    └── Refused                                   the gate said no

``code`` is stable and machine-readable: statuses and findings carry it, never the class name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class ShowcauseError(Exception):
    """Every error that showcause raises on purpose."""

    code = "error"


class InputError(ShowcauseError, ValueError):
    """Something the caller gave cannot be used."""

    code = "bad-input"


class DataError(InputError):
    """Rows, columns or labels cannot be used."""

    code = "bad-data"


class ModelError(InputError):
    """The model or callable cannot be used."""

    code = "bad-model"


class ParameterError(InputError):
    """A method's parameter, an option or a name cannot be used."""

    code = "bad-parameter"


class PolicyError(InputError):
    """showcause.toml says something that it cannot."""

    code = "bad-policy"


class TrustError(InputError):
    """showcause-trust.toml says something that it cannot."""

    code = "bad-trust"


class NotApplicable(InputError):
    """This method has nothing to say about this model or data."""

    code = "not-applicable"


class MissingExtra(ShowcauseError, ImportError):
    """An optional part is not installed; the message says how to."""

    code = "missing-extra"

    @classmethod
    def of(cls, package: str, extra: str) -> MissingExtra:
        return cls(f"{package} is not installed; run: pip install 'showcause[{extra}]'")


class StoreError(ShowcauseError):
    """The store cannot do what was asked."""

    code = "store"


class NotFound(StoreError, KeyError):
    """No such snapshot, artifact or object."""

    code = "not-found"

    def __str__(self) -> str:  # KeyError would show the repr of the message
        return str(self.args[0]) if self.args else ""


class Corrupt(StoreError):
    """Bytes are not what their digest or format says."""

    code = "corrupt"


class Conflict(StoreError):
    """Somebody else moved the ref first."""

    code = "conflict"


class IncompleteRun(ShowcauseError):
    """A guarded run ended without a complete snapshot."""

    code = "incomplete-run"


class Refused(ShowcauseError):
    """The gate said no: no verdict that blesses it, or somebody's sign-off is missing. `findings` say why, where they
    are known one by one."""

    code = "refused"
    findings: tuple[Any, ...] = ()

    @classmethod
    def of(cls, head: str, findings: Iterable[Any]) -> Refused:
        """With findings; the message lists those that refuse."""
        found = tuple(findings)
        made = cls("\n".join([head, *(f"  {finding}" for finding in found if finding.severity == "fail")]))
        made.findings = found
        return made


def choices(given: object, possible: Iterable[object]) -> str:
    """'got X; possible: A, B (did you mean A?)', shortened to twelve possibilities."""
    names = [str(name) for name in possible]
    near = get_close_matches(str(given), names, n=1)
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return f"got {str(given)!r}; possible: {shown or 'none'}" + (f" (did you mean {near[0]!r}?)" if near else "")


def spoken(error: Exception) -> str:
    """Anybody's error in one line that is the same in every run: no addresses, at most 500 characters."""
    text = str(error) if isinstance(error, ShowcauseError) else f"{type(error).__name__}: {error}"
    return re.sub(r"0x[0-9a-f]+", "0x…", " ".join(text.split()))[:500]
