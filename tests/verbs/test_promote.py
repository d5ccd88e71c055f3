"""The gate before an alias moves, and its log: what was edited, dropped, inserted, moved or replayed is found."""

from dataclasses import replace

import pytest

import showcause as sc
from showcause.core.errors import Corrupt, NotFound
from showcause.core.finding import Outcome
from showcause.core.verdict import Verdict, Waiver
from showcause.store.folder import FolderStore
from showcause.store.promotion import Promotion, log
from showcause.store.store import open_ref, point
from showcause.trust import keys
from tests.store.test_store import files
from tests.trust.test_sign_off import NOW, bless, make

LATER = "2026-06-20T12:00:00+00:00"


@pytest.fixture
def store(tmp_path):
    store = FolderStore(tmp_path / "store")
    for model in ("a", "b", "c"):
        bless(make(store, model=model * 64))
    return store


@pytest.fixture
def people(tmp_path):
    return {name: keys.create(tmp_path / f"{name}.key") for name in ("alice", "bob", "carol", "mallory")}


def trust(people, **aliases):
    roles = {"alice": ["reviewer"], "bob": ["release"], "carol": ["on-call", "reviewer"]}
    return {
        "keys": {name: {"public": people[name].public.hex(), "roles": given} for name, given in roles.items()},
        "aliases": {"champion": aliases},
    }


def refused(store, ref, **options):
    before = {path: path.read_bytes() for path in files(store.root / "refs")}
    with pytest.raises(sc.Refused) as caught:
        sc.promote(ref, store=store, at=options.pop("at", NOW), **options)
    assert {path: path.read_bytes() for path in files(store.root / "refs")} == before
    return str(caught.value)


def test_a_blessed_version_is_promoted_and_the_log_says_on_what_grounds(store, people):
    entry = sc.promote("credit/1", store=store, at=NOW, key=people["bob"], reason="first")
    assert (entry.alias, entry.number, entry.previous, entry.ref) == ("credit@champion", 1, None, "credit/1")
    second = sc.promote("credit/2", store=store, at=NOW)
    assert (second.number, second.previous) == (2, entry.digest)
    assert open_ref(store, "credit@champion").ref == "credit/2"
    assert entry.verdict in {v.digest for v in map(Verdict.read, open_ref(store, "credit/1").attached("verdict"))}
    assert list(log(store, "credit@champion")) == [entry, second]
    assert [f for f in sc.verify(store, at=NOW) if f.severity == "fail"] == []
    assert Promotion.read(entry.document) == entry
    assert store.gc(grace=0)[0] == []


def test_without_a_verdict_that_lets_it_through_nothing_moves(store):
    bare = make(store, model="e" * 64)
    assert "has no verdict" in refused(store, bare.ref)
    outcome = Outcome("SC003", "fail", "fail", "snapshot", "incomplete")
    blessed = bless(open_ref(store, "credit/1"))
    bad = replace(blessed, outcomes=(outcome,))
    store.attach(blessed.manifest, "verdict", bad.document)
    assert "incomplete" in refused(store, "credit/1")
    waived = Outcome("SC003", "waived", "fail", "snapshot", "incomplete")
    late = replace(blessed, outcomes=(waived,), waivers=(Waiver("SC003", None, "me", "soon", "2026-06-01"),))
    store.attach(blessed.manifest, "verdict", late.document)
    assert "ran out on 2026-06-01" in refused(store, "credit/1", at=LATER)
    assert sc.promote("credit/1", store=store, at=NOW).ref == "credit/1"


def test_a_policy_is_judged_on_the_spot(store):
    assert "is not blessed" in refused(store, "credit/1", policy={"require": {"artifacts": ["importance/other"]}})
    entry = sc.promote("credit/1", store=store, policy={"require": {"artifacts": ["importance/x"]}})
    assert entry.policy == Verdict.read(open_ref(store, "credit/1").attached("verdict")[-1]).policy
    assert "is not blessed" in refused(store, "credit/2", policy={})


def test_sign_offs_that_the_trust_file_asks_for_must_be_there(store, people):
    rules = trust(people, sign_off=["reviewer", "reviewer"])
    assert "lacks a sign-off by the roles reviewer, reviewer" in refused(store, "credit/1", trust=rules)
    for key in (people["alice"], people["alice"], people["mallory"]):
        sc.sign("credit/1", key=key, role="reviewer", store=store, time=NOW)
    assert "signed: alice as reviewer" in refused(store, "credit/1", trust=rules)
    sc.sign("credit/1", key=people["carol"], role="reviewer", store=store, time=NOW)
    assert sc.promote("credit/1", trust=rules, store=store, at=NOW).number == 1
    bless(open_ref(store, "credit/1"), policy="9" * 64)
    assert "under this policy" in refused(store, "credit/1", trust=rules)


def test_who_may_promote_must_sign_the_entry(store, people):
    rules = trust(people, promote=["release"])
    for key in (None, people["alice"], people["mallory"]):
        assert "cannot be set by this" in refused(store, "credit/1", trust=rules, key=key)
    sc.promote("credit/1", trust=rules, key=people["bob"], store=store, at=NOW)
    assert [f for f in sc.verify(store, trust=rules, at=NOW) if f.severity == "fail"] == []
    point(store, "credit/2", "champion")  # behind the gate's back
    failed = [(f.code, f.subject) for f in sc.verify(store, trust=rules) if f.severity == "fail"]
    assert failed == [("unsigned", "credit@champion entry 2")]


def test_breaking_the_glass_restores_what_was_served_and_owes_a_review(store, people):
    rules = trust(people, promote=["release"], break_glass=["on-call"])
    for ref in ("credit/1", "credit/2"):
        sc.promote(ref, trust=rules, key=people["bob"], store=store, at=NOW)
    why = {"break_glass": True, "reason": "it refuses everybody", "trust": rules}
    assert "role" in refused(store, "credit/1", key=people["bob"], **why)
    assert "never named credit/3" in refused(store, "credit/3", key=people["carol"], **why)
    for left in ("reason", "key"):
        with pytest.raises(sc.ParameterError, match=left):
            sc.promote("credit/1", store=store, **{"key": people["carol"], **why, left: None if left == "key" else " "})
    bad = replace(bless(open_ref(store, "credit/1")), outcomes=(Outcome("SC003", "fail", "fail", "x", "incomplete"),))
    store.attach(open_ref(store, "credit/1").id, "verdict", bad.document)  # the gate would refuse it now
    entry = sc.promote("credit/1", store=store, key=people["carol"], at=NOW, **why)
    assert (entry.review_by, open_ref(store, "credit@champion").ref) == ("2026-06-08", "credit/1")
    said = {f.code: f.severity for f in sc.verify(store, trust=rules, at=NOW)}
    assert said["review-due"] == "note"
    said = {f.code: f.severity for f in sc.verify(store, trust=rules, at=LATER)}
    assert said["review-overdue"] == "fail"
    sc.promote("credit/3", store=store, trust=rules, key=people["bob"], at=LATER)
    assert not {f.code for f in sc.verify(store, trust=rules, at=LATER)} & {"review-due", "review-overdue"}


def test_without_a_grant_nobody_breaks_the_glass(store, people):
    sc.promote("credit/1", store=store, at=NOW)
    why = {"break_glass": True, "reason": "fire", "key": people["carol"]}
    assert "lets nobody break the glass" in refused(store, "credit/1", trust=trust(people), **why)


@pytest.fixture
def logged(store, people):
    rules = trust(people, promote=["release"])
    for ref in ("credit/1", "credit/2", "credit/3"):
        sc.promote(ref, trust=rules, key=people["bob"], store=store, at=NOW)
    assert [f for f in sc.verify(store, trust=rules, at=NOW) if f.severity == "fail"] == []
    return store, rules


def failed(logged, at=NOW):
    store, rules = logged
    return {(f.code, f.subject) for f in sc.verify(store, trust=rules, at=at) if f.severity == "fail"}


def test_entries_that_were_dropped_moved_inserted_or_cut_off_are_found(logged):
    store, _ = logged
    paths = files(store.root / "refs" / "credit@champion")
    whole = {path: path.read_bytes() for path in paths}

    def restore():
        for path in files(store.root / "refs" / "credit@champion"):
            path.unlink()
        for path, data in whole.items():
            path.write_bytes(data)

    for path in paths:  # dropped, the last one too
        path.unlink()
        assert failed(logged), path
        restore()
    for one, two in [(0, 1), (0, 2), (1, 2)]:  # moved
        paths[one].write_bytes(whole[paths[two]]), paths[two].write_bytes(whole[paths[one]])
        assert ("bad-log", "credit@champion") in failed(logged)
        restore()
    (paths[0].parent / "000004").write_bytes(whole[paths[0]])  # an old one replayed
    assert ("bad-log", "credit@champion") in failed(logged)
    restore()
    paths[2].rename(paths[0].parent / "000004"), paths[1].rename(paths[2])  # one inserted
    paths[1].write_bytes(whole[paths[0]]), (paths[0].parent / "000004").exists()
    assert ("bad-log", "credit@champion") in failed(logged)
    restore()
    other = store.root / "refs" / "credit@other"  # replayed under another alias
    other.mkdir()
    (other / "000001").write_bytes(whole[paths[0]])
    assert ("bad-log", "credit@other") in failed(logged)
    (other / "000001").unlink(), other.rmdir()
    assert failed(logged) == set()


def rewritten(store, number, **changes):
    """The log from entry `number` on as an attacker with the whole store, and no key, writes it anew."""
    entries = list(log(store, "credit@champion"))
    folder = store.root / "refs" / "credit@champion"
    before = entries[number - 2].digest if number > 1 else None
    for entry in entries[number - 1 :]:
        made = replace(entry, previous=before, **(changes if entry.number == number else {}))
        store.put(made.document)
        store._object(entry.digest).unlink()
        (folder / f"{entry.number:06d}").write_text(f"{made.digest}\n")
        before = made.digest


@pytest.mark.parametrize("changes", [{"reason": "x"}, {"at": LATER}, {"by": "you"}, {"verdict": None}, {"nonce": ""}])
def test_an_edited_log_with_a_mended_chain_breaks_its_signatures(logged, changes):
    rewritten(logged[0], 2, **changes)
    assert failed(logged, LATER) == {("replayed", f"credit@champion entry {n}") for n in (2, 3)}


def test_an_unsigned_log_shows_an_edit_to_whoever_remembers_its_last_entry(store):
    for ref in ("credit/1", "credit/2"):
        last = sc.promote(ref, store=store, at=NOW)
    remembered = {"credit@champion": last.digest}
    assert [f for f in sc.verify(store, at=NOW, heads=remembered) if f.severity == "fail"] == []
    sc.promote("credit/3", store=store, at=NOW)  # going on is no damage
    assert [f for f in sc.verify(store, at=NOW, heads=remembered) if f.severity == "fail"] == []
    path = store.root / "refs" / "credit@champion"
    for number in (3, 2):  # cut off, with the objects
        store._object((path / f"{number:06d}").read_text().strip()).unlink()
        (path / f"{number:06d}").unlink()
    assert [f.code for f in sc.verify(store, at=NOW) if f.severity == "fail"] == []
    found = [f for f in sc.verify(store, at=NOW, heads=remembered) if f.severity == "fail"]
    assert [(f.code, f.subject) for f in found] == [("cut-off", "credit@champion")]


def test_an_entry_about_another_record_is_found(store):
    entry = sc.promote("credit/1", store=store, at=NOW)
    forged = replace(entry, number=2, previous=entry.digest, ref="credit/2")
    store.append("credit@champion", 2, forged.document)
    with pytest.raises(Corrupt, match="says credit/2"):
        list(log(store, "credit@champion"))


def test_entries_of_the_first_stores_still_open(store):
    record = open_ref(store, "credit/1").record
    store.append("credit@champion", 1, record.document)
    assert open_ref(store, "credit@champion").ref == "credit/1"
    entry = sc.promote("credit/2", store=store, at=NOW)
    assert entry.previous == record.digest
    assert [f for f in sc.verify(store) if f.severity == "fail"] == []
    store.append("credit@champion", 3, record.document)  # but not behind an entry of today
    assert ("bad-log", "credit@champion") in {(f.code, f.subject) for f in sc.verify(store)}


def test_what_is_not_there_or_damaged_is_not_promoted(store, tmp_path):
    with pytest.raises(NotFound):
        sc.promote("credit/9", store=store)
    archive = open_ref(store, "credit/1").export(tmp_path / "one.zip")
    with pytest.raises(sc.ParameterError, match="export"):
        sc.promote(sc.open(archive))
    store._object(open_ref(store, "credit/1").manifest.artifacts["importance/x"]).write_bytes(b"{}")
    with pytest.raises(Corrupt):
        sc.promote("credit/1", store=store, at=NOW)
