"""Opens for ever: a snapshot of each released format is kept, verifies, reads and is drawn by today's views."""

from pathlib import Path

import pytest

import showcause as sc

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.zip"))
IDS = {"0.1.0": "c86f74bcfe63870e71dc86d1002a079e6355d346194f7bac1a3ad444db5b8b8c"}


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_released_snapshot_verifies_reads_and_renders(path, tmp_path):
    assert sc.verify(path) == []
    snapshot = sc.open(path)
    assert snapshot.id == IDS[path.stem]
    assert all(snapshot[name].table.num_rows for name in snapshot)
    for audience in ("engineer", "officer"):
        page = snapshot.report(tmp_path / f"{audience}.html", audience=audience).read_text()
        assert "Yearly income" in page


def test_every_release_has_its_golden_snapshot():
    assert {path.stem for path in GOLDEN} == set(IDS) >= {sc.__version__}
