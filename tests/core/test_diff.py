"""The diff document: one spelling, read back as it was, and nothing else is accepted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from showcause.core import canonical
from showcause.core.diff import Change, Diff
from showcause.core.errors import Corrupt


def change(**given: Any) -> Change:
    plain = Change("importance", "importance/shap", {"feature": "income"}, 0.5, 1.0, 0.5, 0.1, "refits", 0.01, 0.05,
                   "changed", "income matters more: 0.5 became 1.", True, {"rank_before": 3})  # fmt: skip
    return replace(plain, **given)


def diff(*changes: Change, **given: Any) -> Diff:
    sides = {"ref": "credit/1", "id": "a" * 64}, {"ref": "credit/2", "id": "b" * 64}
    tables = {"curves": ({"feature": "income", "at": 1.5, "value": 0.25},)}
    return replace(Diff(*sides, "One change.", changes, {"compared": True, "count": 6}, tables), **given)


def test_a_diff_is_read_as_it_was_written() -> None:
    for made in (diff(), diff(change(), change(verdict="unchanged", before=None, after="x", flag=False))):
        assert Diff.read(made.document) == made
        assert Diff.read(made.document).document == made.document


def test_equal_diffs_have_equal_bytes_and_other_ones_do_not() -> None:
    assert diff(change()).digest == diff(change()).digest
    assert diff(change()).digest != diff(change(before=0.25)).digest


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d | {"format": "showcause-diff/2"},
        lambda d: d | {"extra": 1},
        lambda d: {k: v for k, v in d.items() if k != "headline"},
        lambda d: d | {"headline": 1},
        lambda d: d | {"changes": [{**d["changes"][0], "verdict": "perhaps"}]},
        lambda d: d | {"changes": [{**d["changes"][0], "section": "gossip"}]},
        lambda d: d | {"changes": [{**d["changes"][0], "flag": 1}]},
        lambda d: d | {"changes": [{"section": "model"}]},
        lambda d: d | {"tables": {"curves": ["row"]}},
        lambda d: d | {"before": "credit/1"},
        lambda d: [d],
    ],
)
def test_anything_else_is_corrupt(spoil: Any) -> None:
    document = canonical.loads(diff(change()).document)
    with pytest.raises(Corrupt):
        Diff.read(canonical.dumps(spoil(document)))


def test_bytes_that_are_not_canonical_are_corrupt() -> None:
    with pytest.raises(Corrupt):
        Diff.read(diff().document + b"\n")


def test_flags_refusals_and_counts() -> None:
    made = diff(change(), change(verdict="not-comparable", flag=False), change(verdict="changed", flag=False))
    assert (len(made.flags), len(made.refused)) == (1, 1)
    assert made.counts == {"changed": 2, "not-comparable": 1, "inconclusive": 0, "unchanged": 0, "flagged": 1}
    assert not made.same
    assert replace(made, after=made.before).same


def test_the_numbers_of_a_change_are_those_that_its_message_may_say() -> None:
    assert change().numbers == [0.5, 1.0, 0.5, 0.1, 0.01, 0.05, 3.0]
    assert {1.0, 6.0, 3.0} <= set(diff(change()).numbers)
