"""Retry policies: waits and the end of a chain."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_service.domain.retry import (
    MOST_LOSSES,
    POLICIES,
    Bury,
    Retry,
    RetryPolicy,
    after_failure,
    after_loss,
    retry_delay,
)
from queue_service.domain.states import Category

policies = st.sampled_from(list(POLICIES.values()))
jitters = st.floats(0, 1, exclude_max=True)
STANDARD, AGGRESSIVE, NONE = (POLICIES[name] for name in ("standard", "aggressive", "none"))


@given(policies, st.integers(1, 200), jitters)
def test_a_wait_lies_within_its_ceiling(policy: RetryPolicy, failures: int, jitter: float) -> None:
    wait = retry_delay(policy, failures, jitter)
    assert timedelta(0) < wait <= policy.longest
    assert wait <= max(timedelta(milliseconds=1), policy.first * 2.0 ** min(failures - 1, 20))


@pytest.mark.parametrize(("failures", "seconds"), [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (99, 60)])
def test_standard_ceilings_double_from_one_second_to_sixty(failures: int, seconds: int) -> None:
    assert retry_delay(STANDARD, failures, 0.0) == timedelta(seconds=seconds)


def test_aggressive_attempts_all_come_within_thirty_seconds() -> None:
    waits = [retry_delay(AGGRESSIVE, failures, 0.0) for failures in (1, 2)]
    assert waits == [timedelta(seconds=1), timedelta(seconds=2)]


@pytest.mark.parametrize(("failures", "jitter"), [(0, 0.0), (1, 1.0), (1, -0.1)])
def test_values_out_of_range_are_refused(failures: int, jitter: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        retry_delay(STANDARD, failures, jitter)


@given(policies, jitters)
def test_a_chain_has_as_many_failures_as_its_policy_allows(policy: RetryPolicy, jitter: float) -> None:
    answers = [
        after_failure(policy, failures, Category.EXIT, non_retryable=False, jitter=jitter)
        for failures in range(1, policy.attempts + 1)
    ]
    assert all(isinstance(answer, Retry) for answer in answers[:-1])
    assert isinstance(answers[-1], Bury)


def test_attempts_are_five_three_and_one() -> None:
    assert (STANDARD.attempts, AGGRESSIVE.attempts, NONE.attempts) == (5, 3, 1)


@given(policies, st.integers(1, 5), jitters)
def test_what_would_fail_again_is_buried_at_once(policy: RetryPolicy, failures: int, jitter: float) -> None:
    said = after_failure(policy, failures, Category.HANDLER, non_retryable=True, jitter=jitter)
    rejected = after_failure(policy, failures, Category.REJECTED, non_retryable=False, jitter=jitter)
    assert isinstance(said, Bury)
    assert isinstance(rejected, Bury)


def test_lost_executors_are_replaced_at_once_until_the_task_is_taken_for_the_cause() -> None:
    assert [after_loss(losses) for losses in range(1, MOST_LOSSES)] == [Retry(timedelta(0))] * 2
    assert after_loss(MOST_LOSSES) == Bury("executor lost 3 times")
