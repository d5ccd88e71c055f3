"""Plain text for terminals and CSV: what users typed reaches neither as a command nor as a formula."""

from __future__ import annotations

import re
import unicodedata

import pyarrow as pa

from showcause.core.artifact import Artifact
from showcause.views.words import number, short

# Escape sequences (CSI, OSC and the like), whole, before what is left of control characters.
ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-Z\\-_]|\x9b[0-?]*[ -/]*[@-~]")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def harmless(text: object) -> str:
    """One line without escape sequences, control characters or marks that reorder text."""
    plain = ESCAPE.sub("", str(text))
    return "".join(" " if c in "\n\r\t" else c for c in plain if c in "\n\r\t" or not _hidden(c))


def _hidden(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Co") or character in "‪‫‬‭‮⁦⁧⁨⁩‎‏"


def csv_cell(value: object) -> object:
    """Numbers as they are; text that a spreadsheet would read as a formula begins with an apostrophe."""
    if value is None or isinstance(value, int | float):
        return value
    text = str(value)
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) or text.startswith(FORMULA) else text


def cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, int | float) else harmless(value)


def table(source: Artifact | pa.Table, *, rows: int | None = 20, width: int = 32) -> str:
    """The first `rows` rows in aligned columns, and how many there are; all of them where `rows` is None."""
    whole = source.table if isinstance(source, Artifact) else source
    part = whole if rows is None else whole.slice(0, rows)
    names = [short(harmless(name), width) for name in part.column_names]
    numeric = [pa.types.is_integer(f.type) or pa.types.is_floating(f.type) for f in part.schema]
    cells = [[short(cell(value), width) for value in part[name].to_pylist()] for name in part.column_names]
    sizes = [max(map(len, [name, *column])) for name, column in zip(names, cells, strict=True)]
    lines = [names, ["─" * size for size in sizes], *(list(row) for row in zip(*cells, strict=True))]
    text = "\n".join(
        "  ".join(
            c.rjust(n) if right else c.ljust(n) for c, n, right in zip(line, sizes, numeric, strict=True)
        ).rstrip()
        for line in lines
    )
    hidden = whole.num_rows - part.num_rows
    return text + (f"\n… {hidden:,} more of {whole.num_rows:,} rows" if hidden else "")
