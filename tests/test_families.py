"""Every family × data type × task yields a complete snapshot, and the same one in another process, with another hash
seed, other threads (the model's own n_jobs too), another working directory, locale and time zone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.families import FAMILIES

ROOT = Path(__file__).parent.parent
SCRIPT = """
import json, sys, warnings
warnings.simplefilter("error")
import showcause as sc
from tests.families import FAMILIES, fitted
jobs, part = int(sys.argv[1]), int(sys.argv[2])
for name in list(FAMILIES)[part::2]:
    model, data, labels, options = fitted(name, jobs)
    store = f"{sys.argv[3]}/{abs(hash(name))}"
    snapshot = sc.explain(model, data, labels, train=(data, labels), name="family", store=store, **options)
    failed = {n: str(s) for n, s in snapshot.statuses.items() if s.state == "failed"}
    print(json.dumps([name, snapshot.id, snapshot.complete, failed, sorted(snapshot)]), flush=True)
"""


def run(jobs, part, folder, **environment):
    folder.mkdir(parents=True)
    words = [sys.executable, "-c", SCRIPT, str(jobs), str(part), str(folder)]
    paths = f"{ROOT}/src{os.pathsep}{ROOT}"
    settings = {**os.environ, "PYTHONPATH": paths, **environment}
    done = subprocess.run(words, cwd=folder, env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return {line[0]: line[1:] for line in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("part", [0, 1])
def test_every_family_is_complete_and_reproducible(part, tmp_path):
    one = run(1, part, tmp_path / "one", PYTHONHASHSEED="1", TZ="UTC", LC_ALL="C", NUMBA_NUM_THREADS="1")
    two = run(2, part, tmp_path / "two" / "deeper", PYTHONHASHSEED="2", TZ="Asia/Tokyo", LC_ALL="C.UTF-8")
    assert set(one) == set(list(FAMILIES)[part::2])
    assert {name: found[2] for name, found in one.items() if found[2]} == {}
    assert all(found[1] for found in one.values())
    assert {n: f[3] for n, f in one.items()} == {n: f[3] for n, f in two.items()}
    assert {name for name in one if one[name][0] != two[name][0]} == set()


def test_there_are_more_than_thirty():
    assert len(FAMILIES) >= 30
