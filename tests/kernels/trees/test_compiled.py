"""Kernels in threads of our own: many callers at once, forked processes, stops."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from showcause.kernels.trees import path_dependent
from showcause.kernels.trees.compiled import Turn, parallel, spread
from tests.kernels.trees.games import random_forest, random_rows

FORKED = """
import os
import numpy as np
from showcause.kernels.trees import path_dependent
from tests.kernels.trees.games import random_forest, random_rows
forest, rows = random_forest(0), random_rows(0, 3000)
values = path_dependent(forest, rows)[0]
child = os.fork()
if child == 0:
    os._exit(0 if np.array_equal(path_dependent(forest, rows)[0], values) else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@parallel
def _count(turn: Turn, seen, slow) -> None:
    for at in spread(turn, len(seen)):
        seen[at] += 1
        for k in range(slow):
            seen[at] = (seen[at] * 31 + k) % 1_000_003


@pytest.mark.parametrize("n", [0, 1, 7, 4095, 4096, 100_003])
def test_every_number_falls_to_one_thread(n):
    seen = np.zeros(n, np.int64)
    _count(seen, 0)
    assert (seen == 1).all()


def test_where_nothing_may_be_written_kernels_are_compiled_in_each_process(monkeypatch):
    def refuses(*_):
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr("numba.core.dispatcher.Dispatcher.enable_caching", refuses)
    seen = np.zeros(9, np.int64)
    parallel(_count.__wrapped__)(seen, 0)
    assert (seen == 1).all()


def test_callers_in_several_threads_get_the_same_bytes():
    forest, rows = random_forest(0), random_rows(0, 3000)
    values = path_dependent(forest, rows)[0]
    with ThreadPoolExecutor(4) as callers:
        found = list(callers.map(lambda _: path_dependent(forest, rows)[0].tobytes(), range(40)))
    assert set(found) == {values.tobytes()}


def test_a_forked_process_goes_on_after_its_parent_has_run_kernels():
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED], check=True, timeout=120, env=env)


@pytest.mark.parametrize("wakes", [True, False])  # whether a signal ends the system call that waits
def test_an_interrupt_ends_the_call_at_once_and_its_threads_soon(wakes):
    seen = np.zeros(1 << 16, np.int64)
    _count(seen[:1], 1)
    signal.siginterrupt(signal.SIGINT, wakes)
    threading.Timer(0.3, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
    start = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        _count(seen, 1_000_000)
    signal.siginterrupt(signal.SIGINT, True)
    assert time.perf_counter() - start < 5
    time.sleep(1)
    done = (seen > 0).sum()
    time.sleep(0.2)
    assert done == (seen > 0).sum() < len(seen)
