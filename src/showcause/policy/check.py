"""A check is one file in `checks/`: a code, a title, its documentation and a function from facts to what it says.

    @check("SC003", "Everything required is there")
    def incomplete(facts: Facts) -> Iterator[Said]:
        \"\"\"What it looks at, and what to do where it does not hold.\"\"\"

Codes never change their meaning. Checks of other packages use letters of their own before the three digits, and come by
the entry-point group `showcause.checks`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from showcause.core.errors import ParameterError
from showcause.core.finding import SEVERITIES, Evidence, Outcome, Severity
from showcause.policy.facts import Facts

CODE = re.compile(r"[A-Z]{2,8}[0-9]{3}")


@dataclass(frozen=True)
class Said:
    """What a check says about one subject. `severity` and `doubt` override what the check and the policy say."""

    result: Literal["met", "not-met", "cant-tell", "not-applicable"]
    subject: str
    message: str
    evidence: tuple[Evidence, ...] = ()
    severity: Severity | None = None
    doubt: Severity | None = None


@dataclass(frozen=True)
class Check:
    """`waivable`: whether somebody may accept that it does not hold; `last`: it looks at what the others said."""

    code: str
    title: str
    function: Callable[[Facts], Iterable[Said]]
    severity: Severity = "fail"
    waivable: bool = True
    last: bool = False

    @property
    def documentation(self) -> str:
        return inspect.cleandoc(self.function.__doc__ or "")

    def __call__(self, facts: Facts) -> list[Outcome]:
        """One outcome at least: a check that says nothing, or breaks, has not said that all is well."""
        subject = facts.snapshot.ref if facts.snapshot is not None else facts.ref
        try:
            said = list(self.function(facts))
        except Exception as error:  # whatever a check raises refuses: nothing passes because its check broke
            message = f"the check broke: {type(error).__name__}: {error}"
            return [Outcome(self.code, "cant-tell", "fail", subject, message)]
        if not said:
            return [Outcome(self.code, "not-applicable", self.severity, subject, "there is nothing to check")]
        return [self._outcome(item, facts) for item in said]

    def _outcome(self, said: Said, facts: Facts) -> Outcome:
        severity = said.severity or self.severity
        rest = (said.subject, said.message, said.evidence)
        if said.result == "not-met":
            return Outcome(self.code, severity, severity, *rest)
        if said.result == "cant-tell":
            doubt: Severity = said.doubt or ("warn" if facts.policy.cant_tell == "warn" else "fail")
            return Outcome(self.code, "cant-tell", doubt, *rest)
        return Outcome(self.code, "pass" if said.result == "met" else "not-applicable", severity, *rest)


def check(
    code: str, title: str, *, severity: Severity = "fail", waivable: bool = True, last: bool = False
) -> Callable[[Callable[[Facts], Iterable[Said]]], Check]:
    """Make a function a check. Raises ParameterError for a code of another form or without documentation."""
    if not CODE.fullmatch(code):
        raise ParameterError(f"the code {code!r} of a check must be letters A-Z and three digits, such as SC001")
    if severity not in SEVERITIES:
        raise ParameterError(f"the severity {severity!r} of {code} must be one of {SEVERITIES}")

    def decorate(function: Callable[[Facts], Iterable[Said]]) -> Check:
        if not function.__doc__:
            raise ParameterError(f"the check {code} says nowhere what it looks at; give its function a docstring")
        return Check(code, title, function, severity, waivable, last)

    return decorate
