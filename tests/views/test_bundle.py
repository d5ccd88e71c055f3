"""The scripts of the report, kept on disk: never another text than the one that would be made."""

import os

import pytest

from showcause.views import bundle as bundles


@pytest.fixture
def anew(monkeypatch, tmp_path):
    """Made in 'another process' each time, and counted."""
    vl_convert = pytest.importorskip("vl_convert")
    calls = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(
        vl_convert, "javascript_bundle", lambda snippet: calls.append(snippet) or "let a = '</script>';"
    )

    def made():
        bundles.bundle.cache_clear()
        return bundles.bundle(), len(calls)

    yield made
    bundles.bundle.cache_clear()


def test_it_is_made_once_and_read_after_that(anew):
    assert anew() == ("let a = '<\\/script>';", 1)
    assert anew() == ("let a = '<\\/script>';", 1)


@pytest.mark.parametrize("harm", ["changed", "cut", "binary", "writable"])
def test_what_is_harmed_or_not_surely_ours_is_made_again(anew, harm):
    text, _ = anew()
    place = bundles._place()
    data = place.read_bytes()
    place.write_bytes({"changed": data + b"evil()", "cut": data[:30], "binary": b"\xff\n\xff"}.get(harm, data))
    if harm == "writable":
        place.chmod(0o666)
    assert anew() == (text, 2)
    if hasattr(os, "getuid"):
        assert place.stat().st_mode & 0o077 == 0
    assert anew() == (text, 2)


def test_a_cache_that_cannot_be_written_is_done_without(anew, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert anew()[1] == 1
    assert anew()[1] == 2
