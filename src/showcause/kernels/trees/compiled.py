"""numba's decorators with types, so that the kernels stay under strict mypy.

Nothing here turns on ``fastmath``: sums keep the order in which they are written, so results are the same bytes
whatever the number of threads, the block size or the width of the vector units.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

prange = numba.prange


def compiled(kernel: Kernel) -> Kernel:
    """Compile for one thread; the machine code is cached on disk."""
    result: Kernel = numba.njit(cache=True, nogil=True, error_model="numpy")(kernel)
    return result


def parallel(kernel: Kernel) -> Kernel:
    """Compile with ``prange`` loops spread over threads."""
    result: Kernel = numba.njit(cache=True, nogil=True, error_model="numpy", parallel=True)(kernel)
    return result
