"""The table of states: every pair of state and event, and the numbers on wire and in the database."""

import itertools

import pytest
from batonpass.queue.v1 import queue_service_pb2, task_pb2

from queue_service.domain.overlap import Overlap
from queue_service.domain.priority import Band
from queue_service.domain.states import (
    FINAL,
    LIVE,
    TRANSITIONS,
    Category,
    Event,
    Kind,
    LeaseState,
    Result,
    State,
    after,
    live_state,
)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_pair_leads_where_the_table_says_or_nowhere(state: State, event: Event) -> None:
    assert after(state, event) == TRANSITIONS.get((state, event))


@pytest.mark.parametrize(("state", "event"), list(itertools.product(sorted(FINAL), Event)))
def test_nothing_leaves_a_final_state(state: State, event: Event) -> None:
    assert after(state, event) is None


def test_every_final_state_but_skipped_is_reached_from_where_tasks_begin() -> None:
    """SKIPPED is never a state of a task in the queue: it says what became of a fire."""
    reached = {State.SCHEDULED, State.WAITING}
    while True:
        more = {to for (state, _), to in TRANSITIONS.items() if state in reached} - reached
        if not more:
            break
        reached |= more
    assert reached == set(State) - {State.SKIPPED}


@pytest.mark.parametrize("state", sorted(LIVE))
def test_every_live_state_can_be_cancelled(state: State) -> None:
    assert after(state, Event.CANCEL) is State.CANCELLED


def test_only_what_was_leased_can_succeed() -> None:
    assert {state for state, event in TRANSITIONS if event is Event.SUCCEED} == {
        State.OFFERED,
        State.RUNNING,
    }


@pytest.mark.parametrize(
    ("lease", "due", "state"),
    [
        (None, False, State.SCHEDULED),
        (None, True, State.WAITING),
        (LeaseState.OFFERED, True, State.OFFERED),
        (LeaseState.RUNNING, True, State.RUNNING),
        (LeaseState.RUNNING, False, State.RUNNING),
    ],
)
def test_a_lease_decides_before_time_does(lease: LeaseState | None, due: bool, state: State) -> None:
    assert live_state(lease, due=due) is state


@pytest.mark.parametrize(
    ("ours", "wire", "prefix"),
    [
        (State, task_pb2.TaskState, "TASK_STATE_"),
        (Result, task_pb2.AttemptResult, "ATTEMPT_RESULT_"),
        (Band, task_pb2.PriorityBand, "PRIORITY_BAND_"),
        (Kind, queue_service_pb2.ActivityKind, "ACTIVITY_KIND_"),
        (Overlap, task_pb2.OverlapPolicy, "OVERLAP_POLICY_"),
    ],
)
def test_numbers_are_those_of_the_wire(ours: type[State], wire: object, prefix: str) -> None:
    named = dict(wire.items())  # type: ignore[attr-defined]
    named.pop(f"{prefix}UNSPECIFIED")
    assert {f"{prefix}{each.name}": int(each) for each in ours} == named


def test_failure_categories_are_those_of_the_wire() -> None:
    named = dict(task_pb2.FailureCategory.items())
    assert named.pop("FAILURE_CATEGORY_UNSPECIFIED") == Category.NONE
    assert {f"FAILURE_CATEGORY_{each.name}": int(each) for each in Category if each} == named
