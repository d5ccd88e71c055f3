"""What the operator set, read anew for each guarded request."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from showcause.core.errors import PolicyError
from showcause.policy.policy import Policy
from showcause.trust.trust import Trust

POLICY, TRUST, APP = "SHOWCAUSE_POLICY", "SHOWCAUSE_TRUST", "SHOWCAUSE_MLFLOW_APP"
FREE_STAGES = ("None", "Archived")


@dataclass(frozen=True)
class Settings:
    """For one registered model."""

    policy: Policy
    trust: Trust | None

    def guards(self, alias: str) -> bool:
        named = [one.casefold() for one in self.policy.registry.get("aliases", ["*"])]
        return "*" in named or alias.casefold() in named  # some databases take upper and lower case for the same

    def disguised(self, alias: str) -> bool:
        """Whether it is an alias of the trust file in other letters."""
        rules = {} if self.trust is None else self.trust.rules
        return alias not in rules and alias.casefold() in {name.casefold() for name in rules}

    def guards_stage(self, stage: str) -> bool:
        named = self.policy.registry.get("stages", ["Production", "Staging"])
        return stage not in FREE_STAGES and ("*" in named or stage in named)

    @property
    def versions(self) -> str:
        return str(self.policy.registry.get("versions", "warn"))


def settings(name: str, environment: Mapping[str, str] | None = None) -> Settings:
    """Of a registered model. Raises PolicyError (no policy is one that blesses nothing: it is no error), TrustError."""
    said = os.environ if environment is None else environment
    return Settings(_policy(name, said.get(POLICY, "")), _trust(said.get(TRUST, "")))


def _policy(name: str, said: str) -> Policy:
    path = Path(said or "showcause.toml")
    if path.is_dir():  # the name is looked for among the files, never made into a path
        files = {file.name: file for file in path.iterdir()}
        found = files.get(f"{name}.toml") or files.get("default.toml")
        if found is None:
            raise PolicyError(f"{path} has no policy for {name}: neither {name}.toml nor default.toml")
        return Policy.of(found)
    return Policy.of(path if said or path.is_file() else None)


def _trust(said: str) -> Trust | None:
    path = Path(said or "showcause-trust.toml")
    return Trust.of(path) if said or path.is_file() else None
