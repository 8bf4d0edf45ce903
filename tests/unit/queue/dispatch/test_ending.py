"""What a task becomes when its lease ends."""

from datetime import timedelta

import pytest

from queue_service.domain.ending import Finished, How, Progress, Report, Turn, turn
from queue_service.domain.states import Category, Event, LeaseState, Result, after, live_state


def after_report(
    how: How,
    *,
    policy: str = "standard",
    failures: int = 0,
    losses: int = 0,
    cancel: bool = False,
    category: Category = Category.NONE,
    non_retryable: bool = False,
    report: Report | None = None,
    detail: str = "",
) -> Turn:
    finished = Finished(
        1, 1, how, category=category, non_retryable=non_retryable, report=report or Report(), detail=detail
    )
    return turn(Progress(policy, failures, losses, cancel), finished, 0.0)


def test_success() -> None:
    """Ends the task, also one that somebody wanted cancelled: it was done by then."""
    assert after_report(How.SUCCEEDED) == Turn(Event.SUCCEED, Result.SUCCEEDED, 0, 0)
    assert after_report(How.SUCCEEDED, cancel=True).event is Event.SUCCEED


def test_returned_burns_no_attempt() -> None:
    """Neither failures nor losses grow, and no attempt is written down."""
    assert after_report(How.RETURNED, failures=2, losses=1) == Turn(Event.RETURN, None, 2, 1)


def test_failure_waits_by_policy() -> None:
    """The first failure of `standard` waits up to 1 s, the fourth up to 8 s, the fifth is the last."""
    assert after_report(How.FAILED).delay == timedelta(seconds=1)
    assert after_report(How.FAILED, failures=3).delay == timedelta(seconds=8)
    assert after_report(How.FAILED, failures=4).event is Event.BURY


def test_aggressive_is_three_attempts_within_30_s() -> None:
    """Two waits, together at most 3 s."""
    first, second = (after_report(How.FAILED, policy="aggressive", failures=n) for n in (0, 1))
    assert (first.event, second.event) == (Event.RETRY, Event.RETRY)
    assert first.delay + second.delay <= timedelta(seconds=3)
    assert after_report(How.FAILED, policy="aggressive", failures=2).event is Event.BURY


def test_none_is_one_attempt() -> None:
    """The first failure is the last."""
    assert after_report(How.FAILED, policy="none").event is Event.BURY


@pytest.mark.parametrize("how", [{"category": Category.REJECTED}, {"non_retryable": True}])
def test_hopeless_failures_are_not_repeated(how: dict[str, object]) -> None:
    """A refusal of the executor and a handler that says so end the chain."""
    assert after_report(How.FAILED, **how).event is Event.BURY  # type: ignore[arg-type]


def test_losses_count_apart_and_are_capped() -> None:
    """Two losses cost no failure and no wait; the third one buries the task."""
    lost = after_report(How.LOST, failures=4, losses=1)
    assert (lost.event, lost.failures, lost.losses, lost.delay) == (Event.RETRY, 4, 2, timedelta(0))
    third = after_report(How.LOST, losses=2)
    assert (third.event, third.error) == (Event.BURY, "executor lost 3 times")


@pytest.mark.parametrize("how", [How.FAILED, How.LOST, How.RETURNED, How.CANCELLED])
def test_cancel_wins_over_everything_but_success(how: How) -> None:
    """A task that somebody wanted cancelled does not run again."""
    assert after_report(how, cancel=True).event is Event.CANCEL


def test_cancel_that_nobody_asked_for_is_a_failure() -> None:
    """A task does not vanish on its executor's word alone."""
    stopped = after_report(How.CANCELLED)
    assert (stopped.event, stopped.result, stopped.failures) == (Event.RETRY, Result.FAILED, 1)
    assert stopped.error == "stopped by its executor although nobody cancelled it"


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        ({"report": Report(error="no such file")}, "no such file"),
        ({"report": Report(exit_code=3)}, "exit code 3"),
        ({"report": Report(exit_code=-9)}, "ended by signal 9"),
        ({"category": Category.TIMEOUT}, "timeout"),
        ({"detail": "given up"}, "given up"),
        ({}, ""),
    ],
)
def test_error_is_said_in_words(facts: dict[str, object], error: str) -> None:
    """The executor's own words where it has some, else what is known."""
    assert after_report(How.FAILED, **facts).error == error  # type: ignore[arg-type]


@pytest.mark.parametrize("how", list(How))
@pytest.mark.parametrize("cancel", [False, True])
@pytest.mark.parametrize("state", list(LeaseState))
def test_every_turn_is_a_legal_transition(how: How, cancel: bool, state: LeaseState) -> None:
    """Whatever is said of a lease in whatever state, the table of states knows where it leads."""
    assert after(live_state(state, due=True), after_report(how, cancel=cancel).event) is not None
