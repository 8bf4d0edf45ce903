"""Which types of events a trigger listens to."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_service.domain.type_pattern import hears_type


@pytest.mark.parametrize(
    ("pattern", "heard", "unheard"),
    [
        ("order.created", ["order.created"], ["order.create", "order.created.x", "xorder.created"]),
        ("order.*", ["order.created", "order.", "order.a.b"], ["order", "reorder.x"]),
        ("*.created", ["order.created", ".created"], ["order.created2"]),
        ("a*b*c", ["abc", "a-b-c", "abbcc"], ["acb", "ab"]),
        ("*", ["anything"], []),
        ("*a*a*", ["aa", "xayaz"], ["a"]),
    ],
)
def test_star_stands_for_any_characters(pattern: str, heard: list[str], unheard: list[str]) -> None:
    assert all(hears_type(pattern, type) for type in heard)
    assert not any(hears_type(pattern, type) for type in unheard)


@pytest.mark.parametrize("type", ["task.completed", "error.critical", "schedule.overdue"])
def test_events_of_the_system_are_heard_only_by_their_whole_name(type: str) -> None:
    assert hears_type(type, type)
    assert not hears_type("*", type)
    assert not hears_type(type[:-1] + "*", type)


@given(st.text("ab*", min_size=1, max_size=8), st.text("ab", max_size=10))
def test_star_means_what_it_means_in_a_regular_expression(pattern: str, type: str) -> None:
    expression = ".*".join(map(re.escape, pattern.split("*")))
    assert hears_type(pattern, type) == bool(re.fullmatch(expression, type))
