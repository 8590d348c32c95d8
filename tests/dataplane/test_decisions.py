"""Every way through the choices is followed once, and what may be said of success is exactly what they allow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podpath.dataplane.decisions import Decider, explore, probability, success_bounds


def bounds(run) -> tuple[float, float]:
    leaves, complete = explore(run)
    assert complete
    return success_bounds(leaves)


def test_without_a_choice_there_is_one_way():
    assert explore(lambda _: "end") == ([((), "end")], True)


def test_a_random_choice_has_a_way_for_each_option_that_may_come():
    leaves, _ = explore(lambda decider: decider.random((0.5, 0.0, 0.5)))
    assert sorted(leaf for _, leaf in leaves) == [0, 2]


def test_an_option_that_is_sure_is_no_choice():
    leaves, _ = explore(lambda decider: decider.random((0.0, 1.0)))
    assert [(choices, leaf) for choices, leaf in leaves] == [((), 1)]


def test_chances_multiply():
    leaves, _ = explore(lambda decider: (decider.random((1, 2)), decider.random((1, 3))))
    assert {leaf: round(probability(choices), 4) for choices, leaf in leaves} == {
        (0, 0): 0.0833,
        (0, 1): 0.25,
        (1, 0): 0.1667,
        (1, 1): 0.5,
    }


def test_one_backend_of_three_that_fails_leaves_two_thirds():
    low, high = bounds(lambda decider: decider.random((1, 1, 1)) != 1)
    assert (round(low, 4), round(high, 4)) == (0.6667, 0.6667)


def test_what_nobody_knows_may_go_either_way():
    assert bounds(lambda decider: decider.suppose("?")) == (0.0, 1.0)


def test_what_nobody_knows_does_not_matter_when_both_ways_end_alike():
    assert bounds(lambda decider: decider.suppose("?") or True) == (1.0, 1.0)


def test_the_same_question_has_one_answer():
    assert bounds(lambda decider: decider.suppose("?") == decider.suppose("?")) == (1.0, 1.0)


def test_an_end_that_is_not_known_is_between_all_and_nothing():
    assert bounds(lambda decider: None if decider.random((1, 1)) else True) == (0.5, 1.0)


def test_too_many_ways_are_said_to_be_incomplete():
    leaves, complete = explore(lambda decider: [decider.random((1, 1)) for _ in range(12)], most=50)
    assert (len(leaves), complete) == (50, False)


@given(st.recursive(st.booleans(), lambda inner: st.lists(inner, min_size=2, max_size=3), max_leaves=12))
def test_the_chance_of_success_is_that_of_the_tree(tree):
    def run(decider: Decider) -> bool | None:
        node = tree
        while isinstance(node, list):
            node = node[decider.random((1,) * len(node))]
        return bool(node)

    def chance(node) -> float:
        return float(node) if isinstance(node, bool) else sum(map(chance, node)) / len(node)

    assert bounds(run) == pytest.approx((chance(tree), chance(tree)))
