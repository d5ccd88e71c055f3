"""A progress bar on long work: on a terminal or in a notebook, on standard error, never in a pipe."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Protocol


class Tell(Protocol):
    def __call__(self, what: str, share: float, line: str = "") -> None: ...


@contextlib.contextmanager
def bar(show: bool | None) -> Iterator[Tell]:
    """Gives `tell(what, share)` with share from 0 to 1. `show` None: where standard error is a terminal. A `line` is
    said once, above the bar; without a bar the logger "showcause.cost" is told."""
    if not (sys.stderr.isatty() if show is None else show):
        yield _logged
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("starting", total=1.0)

        def tell(what: str, share: float, line: str = "") -> None:
            if line:
                progress.console.print(line, markup=False, highlight=False)
            progress.update(task, description=what, completed=share)

        yield tell


def _logged(what: str, share: float, line: str = "") -> None:
    if line:
        import logging

        logging.getLogger("showcause.cost").info(line)
