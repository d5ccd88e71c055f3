"""Who vouched for what: only what the operator's trust file grants counts, and each refusal has its own code."""

from datetime import date
from itertools import permutations

import pytest

import showcause as sc
from showcause.core.errors import ParameterError, TrustError
from showcause.core.finding import Outcome
from showcause.core.snapshot import Manifest, Record, Status
from showcause.core.verdict import Verdict
from showcause.store.folder import FolderStore
from showcause.store.store import open_ref, publish
from showcause.trust import keys
from showcause.trust.dsse import Envelope, Statement
from showcause.trust.sign_off import vouched
from showcause.trust.trust import Trust, unmet
from tests.store.test_store import ARTIFACT, files

NOW = "2026-06-01T12:00:00+00:00"
POLICY = "c" * 64


def make(store, name="credit", model="d" * 64):
    """A version of `name` that explains the model with this digest."""
    for data in ARTIFACT.objects():
        store.put(data)
    status = {"importance/x": Status("ok")}
    manifest = Manifest({"digest": model}, {}, {}, ("importance/x",), status, {"importance/x": ARTIFACT.digest})
    return publish(store, manifest, name, lambda n, parent: Record(manifest.digest, name, n, parent, NOW, "me", None))


def bless(snapshot, policy=POLICY, day="2026-05-31"):
    outcome = Outcome("SC001", "pass", "fail", "snapshot", "complete")
    verdict = Verdict(snapshot.ref, snapshot.id, snapshot.record.digest, policy, day, None, "enforce", (outcome,))
    snapshot.objects.attach(snapshot.id, "verdict", verdict.document)
    return verdict


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "store")


@pytest.fixture
def alice(tmp_path):
    return keys.create(tmp_path / "alice.key")


def trust(key, **words):
    return Trust.of({"keys": {"alice": {"public": key.public.hex(), "roles": ["reviewer"], **words}}})


def codes(snapshot, trusted, at=NOW):
    return [vouch.code for vouch in vouched(snapshot, trusted, at=at)]


def test_a_sign_off_says_who_vouched_for_what_under_which_policy(store, alice, tmp_path):
    snapshot = make(store)
    verdict = bless(snapshot)
    sc.sign("credit/1", key=tmp_path / "alice.key", role="reviewer", comment="read", store=store, time=NOW)
    (vouch,) = vouched(snapshot, trust(alice), at=NOW)
    assert (vouch.counts, vouch.who, vouch.role) == (True, "alice", "reviewer")
    assert str(vouch) == (
        f'alice as reviewer, {NOW}, under policy {POLICY[:12]}, verdict {verdict.digest[:12]} (blessed): "read"'
    )
    said = Envelope.read(snapshot.attached("signature")[0]).statement
    assert said.subject == {"manifest": snapshot.id, "model": "d" * 64}
    assert said.predicate["verdict"] == verdict.digest
    (finding,) = sc.verify(store.root, trust=trust(alice), at=NOW)
    assert (finding.code, finding.severity, finding.subject) == ("vouched", "note", "credit/1 signature 1")


def test_without_a_trust_file_nobody_is_known(store, alice):
    snapshot = make(store)
    sc.sign(snapshot, key=alice, role="reviewer", time=NOW)
    assert [(f.code, f.severity) for f in sc.verify(snapshot)] == [("unknown-key", "note")]
    assert [(f.code, f.severity) for f in sc.verify(snapshot, trust={})] == [("unknown-key", "fail")]


def test_signatures_of_others_or_of_keys_out_of_time_do_not_count(store, alice, tmp_path):
    snapshot, mallory = make(store), keys.create(tmp_path / "mallory.key")
    sc.sign(snapshot, key=alice, role="reviewer", time=NOW)
    for trusted, code in [
        (trust(alice), ""),
        (trust(mallory), "unknown-key"),
        (trust(alice, roles=["officer"]), "role-not-granted"),
        (trust(alice, roles=[]), "role-not-granted"),
        (trust(alice, revoked=True), "revoked-key"),
        (trust(alice, until=date(2026, 5, 31)), "expired-key"),
        (trust(alice, until="2026-06-01"), ""),
        (trust(alice, **{"from": date(2026, 6, 2)}), "expired-key"),
        (trust(alice, **{"from": "2026-06-01"}), ""),
    ]:
        assert codes(snapshot, trusted) == [code]
    assert codes(snapshot, trust(alice), at="2026-06-01T11:59:59+00:00") == ["bad-time"]
    assert codes(snapshot, trust(alice, until="2026-06-01"), at="2036-01-01T00:00:00+00:00") == [""]


def test_a_wrong_key_under_a_known_id_is_a_bad_signature(store, alice, tmp_path):
    snapshot, mallory = make(store), keys.create(tmp_path / "mallory.key")
    sc.sign(snapshot, key=mallory, role="reviewer", time=NOW)
    forged = snapshot.attached("signature")[0].replace(mallory.id.encode(), alice.id.encode())
    store.attach(snapshot.id, "signature", forged)
    assert codes(snapshot, trust(alice)) == ["unknown-key", "bad-signature"]


def test_a_signature_cannot_be_replayed(store, alice):
    one, two, three = make(store), make(store, "loans"), make(store, model="e" * 64)
    sc.sign(one, key=alice, role="reviewer", time=NOW)
    assert two.id == one.id  # the same content under another name is the same snapshot
    assert codes(two, trust(alice)) == [""]
    store.attach(three.id, "signature", one.attached("signature")[0])
    assert codes(three, trust(alice)) == ["replayed"]
    assert [(f.code, f.severity) for f in sc.verify("credit/2", store=store)] == [("replayed", "fail")]


def test_a_sign_off_rests_on_a_verdict_that_is_there_and_says_the_same(store, alice):
    snapshot = make(store)
    for change in ({"verdict": "f" * 64}, {"policy": "a" * 64}, {"blessed": False}, {}):
        verdict = bless(snapshot)
        said = {
            "role": "reviewer", "comment": "", "time": NOW, "ref": snapshot.ref, "record": snapshot.record.digest,
            "verdict": verdict.digest, "policy": POLICY, "blessed": True, **change,
        }  # fmt: skip
        subject = {"manifest": snapshot.id, "model": "d" * 64}
        envelope = alice.sign(Statement(subject, "urn:showcause:sign-off:1", said))
        store.attach(snapshot.id, "signature", envelope.document)
    assert codes(snapshot, trust(alice)) == ["other-verdict"] * 3 + [""]


@pytest.mark.parametrize("document", [b"", b"{}", b"\xff", b'{"a":1}', b"[" * 999])
def test_what_is_no_signature_is_malformed(store, alice, document):
    snapshot = make(store)
    store.attach(snapshot.id, "signature", document)
    assert codes(snapshot, trust(alice)) == ["malformed-signature"]


def test_statements_of_other_types_are_no_sign_offs(store, alice):
    snapshot = make(store)
    subject = {"manifest": snapshot.id, "model": "d" * 64}
    for kind, said in [("urn:other", {}), ("urn:showcause:sign-off:1", {"role": "reviewer"})]:
        store.attach(snapshot.id, "signature", alice.sign(Statement(subject, kind, said)).document)
    assert codes(snapshot, trust(alice)) == ["malformed-signature"] * 2


def test_the_same_person_counts_once(store, alice, tmp_path):
    snapshot, bob = make(store), keys.create(tmp_path / "bob.key")
    for key, comment in [(alice, "a"), (alice, "b"), (bob, "")]:
        sc.sign(snapshot, key=key, role="reviewer", comment=comment, time=NOW)
    known = {n: {"public": k.public.hex(), "roles": ["reviewer"]} for n, k in [("alice", alice), ("bob", bob)]}
    assert codes(snapshot, Trust.of({"keys": known})) == ["", "duplicate", ""]
    with pytest.raises(TrustError, match="alice and bob have the same key"):
        Trust.of({"keys": {**known, "bob": known["alice"]}})


def test_every_flipped_byte_of_a_stored_signature_is_found(store, alice):
    snapshot = make(store)
    sc.sign(snapshot, key=alice, role="reviewer", time=NOW)
    digest = store.attached(snapshot.id, "signature")[0]
    paths = [*files(store.root / "attached"), store._object(digest)]
    for path in paths:
        data = path.read_bytes()
        for position in range(0, len(data), 7):
            path.write_bytes(data[:position] + bytes([data[position] ^ 2]) + data[position + 1 :])
            assert any(f.severity == "fail" for f in store.verify()), (path, position)
        path.write_bytes(data)
    assert codes(snapshot, trust(alice)) == [""]


def test_signatures_travel_and_an_export_cannot_be_signed(store, alice, tmp_path):
    snapshot = make(store)
    bless(snapshot)
    sc.sign(snapshot, key=alice, role="reviewer", time=NOW)
    archive = snapshot.export(tmp_path / "one.zip")
    assert [f.code for f in sc.verify(archive, trust=trust(alice), at=NOW)] == ["vouched"]
    assert [f.code for f in sc.verify(archive, trust={})] == ["unknown-key"]
    with pytest.raises(ParameterError, match="stays as it was written"):
        sc.sign(sc.open(archive), key=alice, role="reviewer")


def test_a_snapshot_without_a_model_and_words_that_are_no_roles_are_refused(store, alice):
    with pytest.raises(ParameterError, match="explains no model"):
        sc.sign(make(store, model=""), key=alice, role="reviewer")
    for role in ("", "Reviewer", "a b", "x" * 40):
        with pytest.raises(ParameterError, match="role"):
            sc.sign(open_ref(store, "credit/1"), key=alice, role=role)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"key": {}}, "unknown section"),
        ({"keys": []}, "holds sections"),
        ({"keys": {"a": {"roles": []}}}, "64 hexadecimal"),
        ({"keys": {"a": {"public": "00" * 32, "roles": []}}}, "64 hexadecimal"),
        ({"keys": {"a": {"public": "x", "role": []}}}, "unknown word"),
        ({"keys": {"<b>": {"public": "x"}}}, "a name has"),
        ({"aliases": {"champion": {"signoff": []}}}, "unknown word"),
        ({"aliases": {"champion": {"sign_off": "reviewer"}}}, "a list"),
    ],
)
def test_a_trust_file_is_checked(given, said):
    with pytest.raises(TrustError, match=said):
        Trust.of(given)


@pytest.mark.parametrize("words", [{"until": 3}, {"until": "soon"}, {"revoked": "yes"}, {"reason": 1}, {"roles": "x"}])
def test_the_words_of_a_key_are_checked(alice, words):
    with pytest.raises(TrustError):
        trust(alice, **words)


def test_the_trust_file_is_read_from_a_path(alice, tmp_path):
    path = tmp_path / "t.toml"
    path.write_text(f'[keys.alice]\npublic = "{alice.public.hex()}"\nroles = ["reviewer"]\nuntil = 2026-12-31\n')
    assert [h.until for h in Trust.of(path).holders.values()] == ["2026-12-31"]
    path.write_text("[keys")
    with pytest.raises(TrustError, match="not TOML"):
        Trust.of(path)
    with pytest.raises(TrustError, match="cannot read"):
        Trust.of(tmp_path / "none.toml")


def test_each_role_needs_another_person():
    assert unmet(["reviewer", "officer"], {"a": ["reviewer", "officer"]}) == ["officer"]
    for persons in permutations([("a", ["officer", "reviewer"]), ("b", ["reviewer"])]):
        assert unmet(["reviewer", "officer"], dict(persons)) == []
        assert unmet(["officer", "reviewer"], dict(persons)) == []
    assert unmet(["reviewer", "reviewer"], {"a": ["reviewer"]}) == ["reviewer"]
    assert unmet([], {}) == []
