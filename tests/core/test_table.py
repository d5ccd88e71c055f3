import numpy as np
import pyarrow as pa
import pytest

from showcause.core import kinds, table
from showcause.core.artifact import Artifact
from showcause.core.errors import Corrupt, InputError


def importance(rows=3):
    names = [f"f{j}" for j in range(rows)]
    return kinds.build("importance", {"feature": names, "value": np.arange(rows) / 7, "noise": "rows"})


def test_a_small_table_is_one_json_object_a_line():
    data, media = table.encode(importance(2))
    assert media == table.JSON
    assert data == (
        b'[\n{"feature":"f0","noise":"rows","value":0},\n{"feature":"f1","noise":"rows","value":0.14285714285714285}\n]\n'
    )


@pytest.mark.parametrize("rows", [0, 1, 5_000, 5_001])
def test_tables_read_back(rows):
    original = importance(rows)
    data, media = table.encode(original)
    assert media == (table.JSON if rows <= 5_000 else table.ARROW)
    assert table.decode(data, media, table.columns(original)).equals(original)


def test_chunks_slices_and_garbage_under_nulls_leave_no_trace_in_the_bytes():
    values = np.random.default_rng(0).normal(size=6_000)
    plain = pa.table({"row": np.arange(6_000), "x": pa.array(values, mask=values < 0), "s": ["é"] * 6_000})
    chunked = pa.concat_tables([plain.slice(0, 17), plain.slice(17)])
    zeroed = pa.table({"row": np.arange(6_000), "x": pa.array(np.where(values < 0, 0, values), mask=values < 0)})
    assert table.to_arrow(plain) == table.to_arrow(chunked)
    assert table.to_arrow(plain.drop_columns("s")) == table.to_arrow(zeroed)


@pytest.mark.parametrize("rows", [40, 5_001])
def test_every_changed_byte_is_noticed(rows):
    original = importance(rows)
    data, media = table.encode(original)
    for position in range(0, len(data), max(1, len(data) // 500)):
        changed = bytearray(data)
        changed[position] ^= 1
        try:
            read = table.decode(bytes(changed), media, table.columns(original))
        except Corrupt:
            continue
        assert not read.equals(original)  # the digest notices a changed number; the parser must not crash


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"feature": ["a"]}, "needs the columns"),
        ({"feature": ["a"], "value": [1.0], "colour": ["red"]}, "knows no column"),
        ({"feature": ["a", "a"], "value": [1.0, 2.0]}, "not identified by their key"),
        ({"feature": ["a"], "value": [np.inf]}, "infinity"),
        ({"feature": ["a"], "value": [np.nan]}, "needs a note"),
        ({"feature": ["a"], "value": [1.0], "noise": "luck"}, "noise"),
        ({"feature": ["a", "b"], "value": [1.0]}, "different lengths"),
    ],
)
def test_what_is_not_of_the_kind_is_refused(columns, complaint):
    with pytest.raises(InputError, match=complaint):
        kinds.build("importance", columns)


def test_an_artifact_reads_back_and_equal_artifacts_have_equal_digests():
    def make():
        return Artifact("importance/x", "importance", {"seed": 0}, importance(), {"blob": b"bytes"})

    class Objects(dict):
        def get(self, digest):
            return self[digest]

    from showcause.core.canonical import digest

    artifact = make()
    objects = Objects({digest(data): data for data in artifact.objects()})
    assert Artifact.read(artifact.document, objects) == artifact
    assert make().digest == artifact.digest
