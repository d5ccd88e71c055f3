"""A pytest plugin: the gate where the other tests are.

    pytest --showcause credit --showcause-baseline baseline.zip

    from showcause.integrations.pytest import assert_blessed, assert_complete, assert_unchanged

    def test_it_ships(snapshot, baseline):
        assert_complete(snapshot)
        assert_unchanged(snapshot, baseline)
        assert_blessed(snapshot, "showcause.toml", baseline=baseline)

The fixtures `snapshot` and `baseline` are there only where --showcause (or `showcause =` in pytest's configuration)
names one, so that they get in nobody's way. Nothing heavy is imported before a fixture is used.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from showcause.core.snapshot import Snapshot

OPTIONS = {
    "showcause": "The snapshot under test: a REF of the store, an exported folder or zip.",
    "showcause_baseline": "What it is compared with, in the same form.",
    "showcause_store": "The store's folder; default: .showcause",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("showcause", "explanation snapshots")
    for name, text in OPTIONS.items():
        group.addoption(f"--{name.replace('_', '-')}", default=None, metavar="REF", help=text)
        parser.addini(name, text, default="")


def pytest_configure(config: pytest.Config) -> None:
    if _option(config, "showcause"):
        config.pluginmanager.register(Fixtures(), "showcause-fixtures")


def _option(config: pytest.Config, name: str) -> str:
    return str(config.getoption(name) or config.getini(name) or "")


class Fixtures:
    """`snapshot` and `baseline`, where the command line or the configuration names them."""

    @pytest.fixture(scope="session")
    def snapshot(self, request: pytest.FixtureRequest) -> Snapshot:
        """The snapshot under test."""
        return _opened(request.config, "showcause")

    @pytest.fixture(scope="session")
    def baseline(self, request: pytest.FixtureRequest) -> Snapshot | None:
        """What it is compared with; None where none is named."""
        named = _option(request.config, "showcause_baseline")
        return _opened(request.config, "showcause_baseline") if named else None


def _opened(config: pytest.Config, name: str) -> Snapshot:
    import showcause

    ref, store = _option(config, name), _option(config, "showcause_store")
    exported = ref.endswith(".zip") or ref.startswith((".", "/"))
    return showcause.open(ref, store=None if exported else store or None)


def assert_complete(snapshot: Snapshot) -> None:
    """Every required artifact is ok or does not apply; else the test fails with what is missing."""
    __tracebackhide__ = True
    if snapshot.complete:
        return
    wanted = {n: snapshot.statuses.get(n, "absent") for n in snapshot.manifest.required}
    bad = [f"{n}: {s}" for n, s in wanted.items() if str(s).split(":")[0] not in ("ok", "not-applicable")]
    pytest.fail("\n".join([f"{snapshot.ref} is incomplete", *(bad or ["nothing is required"])]), pytrace=False)


def assert_unchanged(snapshot: Snapshot, baseline: Snapshot | str | None, *, allow: Collection[str] = ()) -> None:
    """Nothing that a reviewer must see has changed since the baseline, and all could be compared.

    allow   sections of the diff in which changes are expected, such as "data". Without a baseline the test fails: what
            cannot be compared is not unchanged.
    """
    __tracebackhide__ = True
    import showcause

    if baseline is None:
        pytest.fail("there is no baseline to compare with; give --showcause-baseline", pytrace=False)
    diff = showcause.diff(baseline, snapshot)
    wanted = [change for change in (*diff.flags, *diff.refused) if change.section not in allow]
    if lines := list(dict.fromkeys(f"  {change.section}: {change.message}" for change in wanted)):
        pytest.fail("\n".join([f"{snapshot.ref} is not as {diff.before['ref']} was", *lines]), pytrace=False)


def assert_blessed(snapshot: Snapshot, policy: Any, **options: Any) -> None:
    """`showcause.check` blesses it under the policy; `options` are those of check (baseline, model, trust, …)."""
    __tracebackhide__ = True
    import showcause

    verdict = showcause.check(snapshot, policy, **options)
    if not verdict.blessed:
        pytest.fail("\n".join([f"{snapshot.ref} is not blessed", *verdict.reasons]), pytrace=False)
