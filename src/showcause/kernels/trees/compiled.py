"""numba's decorators with types, so that the kernels stay under strict mypy, and our own threads.

Nothing here turns on ``fastmath``: sums keep the order in which they are written, so results are the same bytes
whatever the number of threads, the block size or the width of the vector units.

Threads are Python's, not numba's: its layers abort the process where two threads enter a parallel kernel at once
(workqueue) or where the process was forked after one (GNU OpenMP), as web servers and worker pools do, and none stops
at Ctrl-C. Here every call brings its own threads, a forked process makes new ones, and the caller waits in Python.
"""

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Concatenate, ParamSpec, TypeVar

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

Kernel = TypeVar("Kernel", bound=Callable[..., Any])
Given = ParamSpec("Given")
Turn = NDArray[np.int64]  # (1,) the first number that no thread has taken

OVER = 1 << 62
PIECES = 12  # a loop is taken in about 2^12 pieces: a stop is soon noticed, and no thread waits long for another
MOST_THREADS = 1024  # of all calls at once
NOTICE = 0.2  # seconds: a wait without an end may sleep through Ctrl-C, as after asyncio has handled signals


def compiled(kernel: Kernel) -> Kernel:
    """Compile for one thread; the machine code is cached on disk, if there is a place that may be written."""
    options = {"nogil": True, "error_model": "numpy"}
    try:
        result: Kernel = numba.njit(cache=True, **options)(kernel)
    except RuntimeError:  # neither beside the package nor in a home, as in a read-only container
        result = numba.njit(**options)(kernel)
    return result


def _claim(turn: Turn, size: int) -> int:
    first = int(turn[0])
    turn[0] += size
    return first


if not numba.config.DISABLE_JIT:

    @intrinsic  # type: ignore[untyped-decorator]
    def _claim(typing: Any, turn: Any, size: Any) -> Any:
        """Take the next ``size`` numbers, the first of which is returned: no other thread gets them."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = context.make_array(signature.args[0])(context, builder, value=arguments[0])
            return builder.atomic_rmw("add", array.data, arguments[1], "monotonic")

        return types.int64(turn, types.int64), generate


@numba.njit(nogil=True)  # type: ignore[untyped-decorator] # not cached: numba forgets a generator that is read back
def spread(turn: Turn, n: int) -> Iterator[int]:
    """The numbers below n that fall to this thread: what the one outer loop of a ``parallel`` kernel runs over."""
    size = 1 + (n >> PIECES)
    first = _claim(turn, size)
    while first < n:
        for at in range(first, min(n, first + size)):  # noqa: UP028 -- numba knows no yield from
            yield at
        first = _claim(turn, size)


def parallel(kernel: Callable[Concatenate[Turn, Given], None]) -> Callable[Given, None]:
    """Compile a kernel that all threads run at once, with a ``turn`` before the caller's arguments: they share out the
    loop over ``spread(turn, n)``. After an error, or Ctrl-C, threads stop at their next turn."""
    alone = compiled(kernel)

    @functools.wraps(kernel)
    def call(*arguments: Given.args, **named: Given.kwargs) -> None:
        turn, jobs = np.zeros(1, np.int64), list[Future[None]]()
        try:
            try:
                for _ in range(1 if numba.config.DISABLE_JIT else numba.get_num_threads()):
                    jobs.append(_threads(os.getpid()).submit(alone, turn, *arguments, **named))
            except RuntimeError:  # no more threads: the interpreter is about to end, or the system has none to give
                alone(turn, *arguments, **named)
            for job in jobs:
                while not job.done():
                    with contextlib.suppress(TimeoutError):
                        job.exception(NOTICE)
                job.result()
        finally:
            turn[0] = OVER

    return call


@functools.cache
def _threads(process: int) -> ThreadPoolExecutor:
    """Of a process: after a fork the parent's are gone. One is started only where all others are busy."""
    return ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="showcause")
