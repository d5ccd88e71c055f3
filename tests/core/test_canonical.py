import math
import struct

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from showcause.core import canonical
from showcause.core.errors import Corrupt, InputError

text = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_agrees_with_an_independent_implementation_and_reads_back(value):
    data = canonical.dumps(value)
    assert data == rfc8785.dumps(value)
    assert canonical.loads(data) == value


@given(st.integers(0, 2**64 - 1))
def test_every_double_is_written_as_ecmascript_writes_it(bits):
    value = struct.unpack("d", struct.pack("Q", bits))[0]
    if math.isfinite(value):
        assert canonical.number(value).encode() == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 2**53, {1: 2}, b"bytes", "\ud800", object()])
def test_what_has_no_spelling_is_refused(value):
    with pytest.raises(InputError):
        canonical.dumps(value)


def test_minus_zero_and_whole_doubles_have_one_spelling():
    assert canonical.dumps([-0.0, 0.0, 1.0, 1]) == b"[0,0,1,1]"


@pytest.mark.parametrize(
    "data",
    [b' {"a":1}', b'{"b":1,"a":2}', b'{"a":1,"a":1}', b"1.0", b"NaN", b"[1,]", b"\xff", b"[" * 100_000, b"1e400"],
)
def test_other_spellings_are_corrupt(data):
    with pytest.raises(Corrupt):
        canonical.loads(data)
