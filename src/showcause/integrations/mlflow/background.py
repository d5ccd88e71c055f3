"""Work that goes on beside MLflow's own, and where it is waited for.

Law: nothing begun here is lost. Who asks for the result waits for it; so does who opens a REF in this process, and so
does the interpreter before it ends.
"""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, thread, wait
from typing import Any, TypeVar

Result = TypeVar("Result")
_under_way: set[Future[Any]] = set()
_helpers: set[threading.Thread] = set()


def settle() -> None:
    """Wait for all that was begun, unless it is this very work that asks; what went wrong is its owner's to hear."""
    if threading.current_thread() not in _helpers:
        wait(list(_under_way))


# Thread pools, which uploads use, close before the interpreter waits for ordinary threads. What is registered here,
# after them, comes before that; where an interpreter has this no more, nothing is left for later.
_before_the_end = getattr(threading, "_register_atexit", None) if thread else None
if _before_the_end is not None:
    _before_the_end(settle)
os.register_at_fork(after_in_child=_under_way.clear)  # a child has not the threads that would finish it


def begin(work: Callable[[], Result]) -> Future[Result]:
    """Start `work` in a thread of its own, in the caller's context."""
    done: Future[Result] = Future()
    _under_way.add(done)

    def run(inside: contextvars.Context) -> None:
        try:
            done.set_result(inside.run(work))
        except BaseException as error:  # the one who waits hears it
            done.set_exception(error)
        finally:
            _under_way.discard(done)
            _helpers.discard(threading.current_thread())

    helper = threading.Thread(target=run, args=(contextvars.copy_context(),), name="showcause-sending")
    _helpers.add(helper)
    helper.start()
    if _before_the_end is None:
        wait([done])
    return done
