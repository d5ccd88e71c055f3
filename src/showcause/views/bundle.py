"""vega, vega-lite and vega-embed as one script: made by vl-convert, and kept on disk, as numba keeps compiled kernels.

Law: what is read from there is, byte for byte, what would be made: for one version of vl-convert and one snippet, whole
by its digest, and in a file that nobody but this user can write.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from functools import cache
from importlib.metadata import version
from pathlib import Path

from showcause.core import canonical

SNIPPET = "window.vegaEmbed = vegaEmbed;"  # the one name that report.js uses


@cache
def bundle() -> str:
    """A closing tag in a string of it could not end its element."""
    return _made().replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _made() -> str:
    place = _place()
    kept = _read(place) if place is not None else None
    if kept is not None:
        return kept
    import vl_convert

    made = str(vl_convert.javascript_bundle(SNIPPET))
    if place is not None:
        _write(place, made)
    return made


def _place() -> Path | None:
    """The file in the user's cache; None where there is no home."""
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "showcause"
    except RuntimeError:
        return None
    of = canonical.digest(f"{version('vl-convert-python')}\n{SNIPPET}".encode())
    return folder / f"bundle-{of[:16]}.js"


def _read(place: Path) -> str | None:
    """What is kept, after a line with its digest; None where it is not there, not whole or not surely our own."""
    try:
        with place.open("rb") as file:
            about = os.fstat(file.fileno())
            if hasattr(os, "getuid") and (about.st_uid != os.getuid() or about.st_mode & 0o022):
                return None
            head, _, text = file.read().partition(b"\n")
        return text.decode() if canonical.digest(text) == head.decode() else None
    except (OSError, UnicodeDecodeError):
        return None


def _write(place: Path, text: str) -> None:
    """At once or not at all; a cache that cannot be written is done without."""
    data = text.encode()
    with contextlib.suppress(OSError):
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as file:  # nobody else may read or write it
            try:
                file.write(canonical.digest(data).encode() + b"\n" + data)
                file.close()
                os.replace(file.name, place)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(file.name)
                raise
