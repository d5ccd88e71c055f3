"""The circumstances of a run, for its record: who, which code, which packages."""

from __future__ import annotations

import getpass
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version

ALWAYS = ("showcause", "numpy", "scipy", "pyarrow", "numba", "scikit-learn")


def author() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container without a user database
        return "unknown"


@cache
def commit() -> str | None:
    """The git commit of the working directory, "+" behind it where tracked files are changed; None outside git."""
    try:
        head = _git("rev-parse", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], capture_output=True, text=True, timeout=5, check=True)
    return done.stdout.strip()


def packages(family: str) -> dict[str, str]:
    """name → version of Python and of the packages that the numbers depend on."""
    found = {"python": platform.python_version(), "platform": f"{platform.system()} {platform.machine()}"}
    for name in (*ALWAYS, family.split(".")[0]):
        if (number := _version(name)) is not None:
            found[name] = number
    return found


@cache
def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:  # a model of the user's own module has no distribution
        return None
