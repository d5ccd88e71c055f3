"""What a check says: a stable code, how bad it is, about what, in words, and (outcomes) resting on which numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from showcause.core.errors import Corrupt

Result = Literal["fail", "warn", "pass", "not-applicable", "waived", "cant-tell"]
RESULTS: tuple[Result, ...] = ("fail", "cant-tell", "warn", "waived", "not-applicable", "pass")  # the worst first
Severity = Literal["fail", "warn"]
SEVERITIES: tuple[Severity, ...] = ("fail", "warn")


@dataclass(frozen=True)
class Finding:
    """severity: "fail" refuses, "warn" wants a look, "note" is said for completeness."""

    code: str
    severity: Literal["fail", "warn", "note"]
    subject: str
    message: str

    def _repr_html_(self) -> str:
        from showcause.views.notebook import facts_html  # lazy delegation upwards, listed in the layer test

        return facts_html(self)

    def __str__(self) -> str:
        return f"{self.severity} [{self.code}] {self.subject}: {self.message}"


@dataclass(frozen=True)
class Evidence:
    """What an outcome rests on: an artifact by name and digest and, where it is one number, its row's key and column.

    `low` and `high` are the 95 % bounds stored beside the number, None where there are none.
    """

    artifact: str
    digest: str
    key: Mapping[str, str | int | float | None] = field(default_factory=dict)
    column: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What one check came to about one subject.

    fail, warn       not met; `severity` says which of the two
    cant-tell        the evidence does not decide; it refuses where `severity` is "fail"
    waived           not met, and a waiver that still runs says that this is accepted
    pass, not-applicable
    """

    code: str
    outcome: Result
    severity: Severity
    subject: str
    message: str
    evidence: tuple[Evidence, ...] = ()

    def _repr_html_(self) -> str:
        from showcause.views.notebook import facts_html  # lazy delegation upwards, listed in the layer test

        return facts_html(self)

    @property
    def refuses(self) -> bool:
        return self.outcome == "fail" or (self.outcome == "cant-tell" and self.severity == "fail")

    @property
    def fields(self) -> dict[str, Any]:
        return {**asdict(self), "evidence": [asdict(item) for item in self.evidence]}

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Outcome:
        """From `fields`. Raises Corrupt."""
        try:
            evidence = tuple(Evidence(**item) for item in value["evidence"])
            made = cls(**{**value, "evidence": evidence})
            texts = (made.code, made.subject, made.message)
            good = all(isinstance(text, str) for text in texts) and made.severity in SEVERITIES
            agrees = made.outcome in RESULTS and (made.outcome not in SEVERITIES or made.outcome == made.severity)
        except (KeyError, TypeError) as error:
            raise Corrupt(f"not an outcome: {error!r}") from None
        if not good or not agrees:
            raise Corrupt("not an outcome: a field is of the wrong type, or outcome and severity disagree")
        return made

    def __str__(self) -> str:
        return f"{self.outcome} [{self.code}] {self.subject}: {self.message}"
