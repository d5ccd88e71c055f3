import numba

from showcause.adapters.compilation import compilation


def test_what_is_compiled_is_counted_once_and_announced():
    kernel = numba.njit(lambda x: x + 1)
    begun = []
    with compilation(lambda: begun.append(True)) as seconds:
        assert seconds() == 0.0
        kernel(1)
        first = seconds()
        kernel(2)
        assert seconds() == first > 0.0
    kernel(1.0)
    assert (seconds(), begun) == (first, [True])


def test_a_kernel_within_a_kernel_is_part_of_its_time():
    inner = numba.njit(lambda x: x + 1)
    outer = numba.njit(lambda x: inner(x) * 2)
    begun = []
    with compilation(lambda: begun.append(True)):
        outer(1)
    assert begun == [True]
