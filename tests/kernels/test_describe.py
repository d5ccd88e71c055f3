"""Rules that describe a subset: planted ones are found, chance is not described."""

import numpy as np
import pytest

from showcause.kernels.describe import Described, describe

RNG = np.random.default_rng(0)
HOLDS = RNG.random((2_000, 12)) < 0.4


def test_a_planted_condition_is_found_with_its_counts() -> None:
    member = HOLDS[:, 3].copy()
    assert describe(HOLDS, member) == [Described((3,), int(member.sum()), int(member.sum()))]


def test_a_planted_pair_is_found_rather_than_either_half() -> None:
    inside = HOLDS[:, 2] & HOLDS[:, 7]
    member = inside & (RNG.random(2_000) < 0.9)
    first = describe(HOLDS, member)[0]
    assert first == Described((2, 7), int(inside.sum()), int(member.sum()))


def test_two_planted_rules_are_both_found_the_larger_first() -> None:
    member = (HOLDS[:, 1] & HOLDS[:, 5]) | (HOLDS[:, 8] & HOLDS[:, 9] & (RNG.random(2_000) < 0.8))
    assert [rule.conditions for rule in describe(HOLDS, member)][:2] == [(1, 5), (8, 9)]


def test_chance_is_not_described() -> None:
    described = [bool(describe(HOLDS, RNG.random(2_000) < 0.1)) for _ in range(60)]
    assert sum(described) <= 6  # 5 % by Bonferroni, which is on the safe side


@pytest.mark.parametrize("member", [np.zeros(2_000, bool), np.ones(2_000, bool), np.arange(2_000) < 4])
def test_nobody_everybody_and_too_few_have_no_rule(member: np.ndarray) -> None:
    assert describe(HOLDS, member) == []


def test_no_conditions_no_rules() -> None:
    assert describe(np.empty((10, 0), bool), np.arange(10) < 5) == []


def test_of_many_conditions_the_best_alone_are_paired_and_keep_their_numbers() -> None:
    holds = np.random.default_rng(1).random((1_000, 900)) < 0.5
    member = holds[:, 700] & holds[:, 850]
    assert describe(holds, member)[0].conditions == (700, 850)
