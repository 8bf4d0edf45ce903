"""How many offers the agent asks for."""

from batonpass.agent.credit import Credit
from hypothesis import given
from hypothesis import strategies as st


def test_without_a_number_the_limit_of_the_queue_is_asked_for_again_and_again():
    credit = Credit(None)
    credit.begin(max_tasks=8)
    assert credit.top_up(running=0, pending=0) == 9
    credit.used(9)
    assert credit.top_up(running=9, pending=0) == 9


def test_a_limit_of_zero_leaves_room_for_a_later_one():
    credit = Credit(None)
    credit.begin(max_tasks=0)
    assert credit.top_up(running=0, pending=0) >= 4


def test_with_a_number_only_free_slots_and_a_prefetch_are_asked_for():
    credit = Credit(16)
    credit.begin(max_tasks=100)
    assert credit.top_up(running=0, pending=0) == 16 + 2
    credit.used(18)
    assert credit.top_up(running=16, pending=2) == 0
    assert credit.top_up(running=10, pending=0) == 6 + 2


def test_small_steps_are_left_to_grow():
    credit = Credit(100)
    credit.begin(max_tasks=100)
    granted = credit.top_up(running=0, pending=0)
    credit.used(5)
    assert credit.top_up(running=0, pending=0) == 0
    credit.used(granted - 5)
    assert credit.top_up(running=0, pending=0) == granted


def test_a_new_session_begins_with_nothing():
    credit = Credit(4)
    credit.begin(max_tasks=4)
    first = credit.top_up(running=0, pending=0)
    credit.begin(max_tasks=4)
    assert credit.top_up(running=0, pending=0) == first


@given(st.integers(1, 300), st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50))))
def test_what_is_outstanding_never_exceeds_slots_and_prefetch(slots, steps):
    """Whatever comes and ends in between: unanswered offers and credit stay bounded."""
    credit, outstanding, running = Credit(slots), 0, 0
    credit.begin(max_tasks=1_000)
    for come, gone in steps:
        outstanding += credit.top_up(running, 0)
        assert running + outstanding <= slots + max(1, slots // 8)
        come = min(come, outstanding, slots - running)
        credit.used(come)
        outstanding -= come
        running += come
        running -= min(gone, running)
