"""What users typed cannot steer a terminal."""

from __future__ import annotations

import pytest

from showcause.cli.terminal import clean, columns


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 漢 🎈", "plain é 漢 🎈"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("over\rwritten\x08", "over\\rwritten\\x08"),
        ("\x9b2J", "\\x9b2J"),
        ("abc\u202egnp.exe", "abc\\u202egnp.exe"),
        ("lone \ud800", "lone \\ud800"),
        ("[bold]not markup[/bold] :smile:", "[bold]not markup[/bold] :smile:"),
    ],
)
def test_escapes_are_spelled_out(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_columns_align_numbers_to_the_right_and_keep_one_line_a_row() -> None:
    text = columns(("name", "value"), [("a\nb", 1.5), ("long name", None), ("c", -20.25)])
    assert text.splitlines() == ["name        value", "a\\nb          1.5", "long name       –", "c          -20.25"]
