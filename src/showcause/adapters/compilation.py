"""Compiling shown as such: numba compiles a kernel at its first call on a machine, and keeps the result on disk."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def compilation(begins: Callable[[], None] = lambda: None) -> Iterator[Callable[[], float]]:
    """Gives a function: the seconds spent on compiling kernels since. `begins` is called as each kernel is begun; one
    that is read from the disk is not compiled, and neither counts nor calls."""
    from numba.core import event

    class Clock(event.Listener):  # type: ignore[misc]
        """Kernels compile the kernels that they call: the outermost counts."""

        depth, began, seconds = 0, 0.0, 0.0

        def on_start(self, event: object) -> None:
            if self.depth == 0:
                self.began = time.perf_counter()
                begins()
            self.depth += 1

        def on_end(self, event: object) -> None:
            self.depth -= 1
            if self.depth == 0:
                self.seconds += time.perf_counter() - self.began

    clock = Clock()
    with event.install_listener("numba:compile", clock):
        yield lambda: clock.seconds
