"""Every sentence of a letter passes through one function, so that it can be said in another language.

A message is marked where it stands: `_("…")` where it is said, `N_("…")` in a table of them. `docs/generate.py` gathers
all of them into `locale/showcause.pot`. A translation is gettext's: `locale/LANGUAGE/LC_MESSAGES/showcause.mo`, here or
in the folder that the variable SHOWCAUSE_LOCALE names. Placeholders stand in braces and keep their names.
"""

from __future__ import annotations

import gettext
import os
import re
from collections.abc import Callable
from pathlib import Path

from showcause.core.errors import ParameterError

Translate = Callable[[str], str]
DOMAIN = "showcause"
HERE = Path(__file__).parents[1] / "locale"
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(_[A-Za-z]{2,4})?")


def N_(message: str) -> str:  # noqa: N802 - gettext's own name
    """Marks a message that is translated where it is said."""
    return message


def translator(language: str | None) -> Translate:
    """From messages to sentences of a language; English without one. Raises ParameterError where there is none."""
    if language in (None, "en"):
        return str
    assert language is not None
    folders = [folder for folder in (os.environ.get("SHOWCAUSE_LOCALE"), str(HERE)) if folder]
    for folder in folders if LANGUAGE.fullmatch(language) else ():
        try:
            return gettext.translation(DOMAIN, folder, languages=[language]).gettext
        except OSError:
            continue
    raise ParameterError(
        f"there is no translation into {language!r}; put LANGUAGE/LC_MESSAGES/{DOMAIN}.mo into a folder that the "
        "variable SHOWCAUSE_LOCALE names"
    )
