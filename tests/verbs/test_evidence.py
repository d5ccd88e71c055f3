"""One zip for one day, checked by Python alone in a process of its own, whole and damaged."""

import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.linear_model import LogisticRegression

import showcause as sc
from showcause.core import canonical
from showcause.store.export import zipped
from showcause.store.folder import FolderStore
from showcause.trust import keys
from showcause.trust.dsse import Statement

POLICY = """
[model]
purpose = "to <b>decide</b> on loans"
[require]
artifacts = ["importance/permutation", "model/performance"]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A store with two versions: the first served from 1 March, the second from 5 March 2026."""
    work = tmp_path_factory.mktemp("evidence")
    (work / "showcause.toml").write_text(POLICY)
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(80, 2)), columns=["income", "debt"])
    y = (X["income"] > X["debt"]).map({True: "yes", False: "no"})
    store, alice, bob = FolderStore(work / "store"), keys.create(work / "a.key"), keys.create(work / "b.key")
    rules = {
        "keys": {
            "alice": {"public": alice.public.hex(), "roles": ["reviewer"]},
            "bob": {"public": bob.public.hex(), "roles": ["release"]},
        },
        "aliases": {"champion": {"sign_off": ["reviewer"], "promote": ["release"]}},
    }
    for number, day in ((1, "2026-03-01"), (2, "2026-03-05")):
        model = LogisticRegression(C=number).fit(X, y)
        snapshot = sc.explain(model, X, y, policy=work / "showcause.toml", name="credit", store=store)
        at = f"{day}T09:00:00+00:00"
        sc.check(snapshot, work / "showcause.toml", on=day)
        sc.sign(snapshot, key=alice, role="reviewer", comment="read", time=at)
        sc.promote(snapshot, policy=work / "showcause.toml", trust=rules, key=bob, at=at)
    (work / "trust.toml").write_text(
        "".join(
            f'[keys.{n}]\npublic = "{k["public"]}"\nroles = {json.dumps(k["roles"])}\n'
            for n, k in rules["keys"].items()
        )
    )
    path = sc.evidence(
        "credit",
        work / "one.zip",
        on="2026-03-03",
        policy=work / "showcause.toml",
        trust=work / "trust.toml",
        store=store,
    )
    return work, store, path


def files(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def isolated(work, path, *words):
    script = work / "verify.py"
    script.write_bytes(files(work / "one.zip")["verify.py"])
    done = subprocess.run(
        [sys.executable, "-I", "-S", script, path, *words], capture_output=True, text=True, check=False, cwd=work
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


def test_the_zip_holds_that_days_version_and_all_it_rests_on(made):
    work, _, path = made
    inside = files(path)
    index = json.loads(inside["evidence.json"])
    assert (index["ref"], index["on"], index["alias"]) == ("credit/1", "2026-03-03", "credit@champion")
    wanted = {"policy.toml", "policy.json", "keys.json", "mapping.json", "model-card.md", "README.txt", "verify.py"}
    assert wanted | {"reports/engineer.html", "reports/officer.html", "log/000001.json"} <= set(inside)
    assert "log/000002.json" not in inside
    assert (
        canonical.digest(inside["policy.json"]) == json.loads(inside["snapshot/attached/verdict/000001.json"])["policy"]
    )
    assert {one["state"] for one in json.loads(inside["mapping.json"])} == {"evidence present", "evidence absent"}
    (work / "snapshot").mkdir(exist_ok=True)
    for name, data in inside.items():
        if name.startswith("snapshot/"):
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).write_bytes(data)
    assert sc.verify(work / "snapshot", trust=work / "trust.toml")[0].code == "vouched"


def test_the_same_day_gives_the_same_bytes(made):
    work, store, path = made
    again = sc.evidence(
        "credit",
        work / "two.zip",
        on="2026-03-03",
        policy=work / "showcause.toml",
        trust=work / "trust.toml",
        store=store,
    )
    assert again.read_bytes() == path.read_bytes()
    later = sc.evidence("credit", work / "later.zip", on="2026-03-05", trust=work / "trust.toml", store=store)
    assert json.loads(files(later)["evidence.json"])["ref"] == "credit/2"
    assert isolated(work, later)[0] == 0


def test_python_alone_finds_it_whole(made):
    work, _, path = made
    code, out = isolated(work, path, "--trust", work / "trust.toml")
    assert code == 0, out
    assert "credit@champion on 2026-03-03: credit/1" in out
    assert "log 1: credit/1 from 2026-03-01T09:00:00+00:00, signed by bob" in out
    assert "signed by alice as reviewer, 2026-03-01T09:00:00+00:00: read" in out
    assert out.endswith("whole: every digest and every signature holds\n")
    code, out = isolated(work, path)
    assert (code, "keys: as packed" in out) == (0, True)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(work / "unpacked")
    assert isolated(work, work / "unpacked")[0] == 0


def test_keys_that_are_not_the_operators_are_refused(made, tmp_path):
    work, _, path = made
    other = keys.create(tmp_path / "m.key")
    trust = (work / "trust.toml").read_text()
    alice = next(line for line in trust.splitlines() if line.startswith("public"))
    for text in (
        trust.replace(alice, f'public = "{other.public.hex()}"'),
        trust.replace('["reviewer"]', '["intern"]'),
        trust.replace('["reviewer"]', '["reviewer"]\nrevoked = true'),
        trust.replace('["reviewer"]', '["reviewer"]\nuntil = 2026-02-01'),
    ):
        (tmp_path / "t.toml").write_text(text)
        assert isolated(work, path, "--trust", tmp_path / "t.toml")[0] == 1


def test_damaged_zips_are_refused(made, tmp_path):
    work, _, path = made
    data = path.read_bytes()
    for position in [*range(0, len(data), len(data) // 15), len(data) - 3]:
        (tmp_path / "bad.zip").write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        assert isolated(work, tmp_path / "bad.zip")[0] == 1, position
    (tmp_path / "bad.zip").write_bytes(data[:-100])
    assert isolated(work, tmp_path / "bad.zip")[0] == 1


def mended(inside):
    """The zip with its indexes written anew, as an attacker does it."""
    nested = json.loads(inside["snapshot/snapshot.json"])
    nested["files"] = {
        n.removeprefix("snapshot/"): canonical.digest(d)
        for n, d in inside.items()
        if n.startswith("snapshot/") and n != "snapshot/snapshot.json"
    }
    inside["snapshot/snapshot.json"] = canonical.dumps(nested)
    index = json.loads(inside["evidence.json"])
    index["files"] = {n: canonical.digest(d) for n, d in inside.items() if n != "evidence.json"}
    inside["evidence.json"] = canonical.dumps(index)
    return zipped(inside)


def swap(name, old, new):
    return lambda inside: {**inside, name: inside[name].replace(old, new)}


@pytest.mark.parametrize(
    "change",
    [
        swap("snapshot/tables/model/performance.json", b'"value":', b'"value":1'),
        swap("snapshot/manifest.json", b'"threshold":0.5', b'"threshold":0.6'),
        swap("snapshot/attached/verdict/000001.json", b'"date":"2026-03-01"', b'"date":"2026-03-02"'),
        swap("snapshot/attached/signature/000001.json", b'"sig":"', b'"sig":"A'),
        swap("log/000001.json", b"2026-03-01", b"2026-03-02"),
        swap("log/000001.json", b'"reason":""', b'"reason":"x"'),
        lambda inside: {n: d for n, d in inside.items() if n != "log/000001.json"},
        lambda inside: {n: d for n, d in inside.items() if n != "snapshot/tables/model/performance.json"},
        lambda inside: {**inside, "log/000002.json": inside["log/000001.json"]},
    ],
)
def test_a_forger_who_mends_the_indexes_is_found(made, tmp_path, change):
    work, _, path = made
    (tmp_path / "bad.zip").write_bytes(mended(change(files(path))))
    code, out = isolated(work, tmp_path / "bad.zip")
    assert (code, out.startswith("NOT WHOLE")) == (1, True)


def test_a_sign_off_for_another_snapshot_is_found(made, tmp_path):
    work, _, path = made
    inside = files(path)
    mallory = keys.create(tmp_path / "m.key")
    said = {"role": "reviewer", "comment": "", "time": "2026-03-01T09:00:00+00:00", "verdict": None}
    envelope = mallory.sign(Statement({"manifest": "0" * 64, "model": "1" * 64}, "urn:showcause:sign-off:1", said))
    inside["snapshot/attached/signature/000002.json"] = envelope.document
    known = json.loads(inside["keys.json"])
    known[mallory.id] = {
        "name": "m",
        "public": mallory.public.hex(),
        "roles": ["reviewer"],
        "revoked": False,
        "until": "",
    }
    inside["keys.json"] = canonical.dumps(known)
    (tmp_path / "bad.zip").write_bytes(mended(inside))
    code, out = isolated(work, tmp_path / "bad.zip")
    assert (code, "given to another snapshot" in out) == (1, True)


def test_what_cannot_be_packed_says_why(made, tmp_path):
    _, store, path = made
    with pytest.raises(sc.NotFound, match="named nothing on 2026-02-01"):
        sc.evidence("credit", tmp_path / "x.zip", on="2026-02-01", store=store)
    with pytest.raises(sc.ParameterError, match="there already"):
        sc.evidence("credit", path, on="2026-03-03", store=store)
    (tmp_path / "other.toml").write_text(POLICY + 'inputs = ["train"]\n')
    with pytest.raises(sc.ParameterError, match="under others"):
        sc.evidence("credit", tmp_path / "x.zip", on="2026-03-03", policy=tmp_path / "other.toml", store=store)
    with pytest.raises(sc.ParameterError, match="a day such as"):
        sc.evidence("credit", tmp_path / "x.zip", on="soon", store=store)


# The keys that the Hub documents for a model card's metadata (huggingface.co/docs/hub/model-cards).
DOCUMENTED = {
    *("language", "license", "license_name", "license_link", "library_name", "tags", "datasets", "metrics"),
    *("base_model", "new_version", "pipeline_tag", "thumbnail", "model-index", "model_name", "inference"),
}


def test_the_model_card_has_the_hubs_metadata_and_no_markup_of_users(made):
    _, _, path = made
    text = files(path)["model-card.md"].decode()
    _, head, body = text.split("---\n", 2)
    metadata = yaml.safe_load(io.StringIO(head))
    assert set(metadata) <= DOCUMENTED
    assert metadata["library_name"] == "sklearn"
    assert metadata["pipeline_tag"] == "tabular-classification"
    (entry,) = metadata["model-index"]
    (result,) = entry["results"]
    assert set(result) == {"task", "dataset", "metrics"}
    assert {"type", "name"} <= set(result["dataset"])
    assert {"accuracy"} <= {one["type"] for one in result["metrics"]} == set(metadata["metrics"])
    assert "<b>" not in body
    assert "to &lt;b&gt;decide" in body
