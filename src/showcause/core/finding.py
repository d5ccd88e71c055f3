"""What a check says: a stable code, how bad it is, about what, and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """severity: "fail" refuses, "warn" wants a look, "note" is said for completeness."""

    code: str
    severity: Literal["fail", "warn", "note"]
    subject: str
    message: str

    def __str__(self) -> str:
        return f"{self.severity} [{self.code}] {self.subject}: {self.message}"
