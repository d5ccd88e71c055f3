"""What the command line prints. Text that users typed (names, categories, messages) never reaches the terminal raw."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence

# Control characters, the escapes they begin, and characters that reorder text. Line ends and tabs may stay.
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: object) -> str:
    """Visible text alone: anything that could steer a terminal is spelled out (ESC becomes \\x1b)."""
    return UNSAFE.sub(lambda found: found.group().encode("unicode_escape").decode("ascii"), str(text))


def say(*lines: object) -> None:
    """Print to standard output."""
    for line in lines:
        print(clean(line))


def complain(*lines: object) -> None:
    """Print to standard error."""
    for line in lines:
        print(clean(line), file=sys.stderr)


def write(data: bytes) -> None:
    """Bytes to standard output as they are."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def columns(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as aligned text, numbers to the right, one line each."""
    shown = [[_cell(cell) for cell in row] for row in rows]
    right = [bool(shown) and all(_is_number(row[j]) for row in shown) for j in range(len(header))]
    lines = [list(header), *shown]
    widths = [max(len(line[j]) for line in lines) for j in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.6g}"
    return clean(value).replace("\n", "\\n").replace("\t", "\\t")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text == "–"
    return True
