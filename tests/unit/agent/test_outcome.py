"""How an attempt's end is said."""

import pytest
from batonpass.agent.attempt import Attempt
from batonpass.agent.outcome import EXIT, Outcome, fitted, write_result
from batonpass.queue.v1 import dispatch_service_pb2 as pb
from batonpass.queue.v1.task_pb2 import AttemptResult, FailureCategory, TaskTemplate
from google.protobuf.duration_pb2 import Duration
from hypothesis import given
from hypothesis import strategies as st


def result_of(outcome, stopped=""):
    template = TaskTemplate(handler="true", timeout=Duration(seconds=90))
    attempt = Attempt(pb.Offer(task=3, lease_token=4, template=template), 0.0)
    attempt.stopped = stopped
    result = pb.Result()
    write_result(attempt, outcome, result)
    return result


def test_success_says_how_long_it_took():
    result = result_of(Outcome(duration=61.25))
    assert (result.lease.task, result.lease.lease_token) == (3, 4)
    assert result.result == AttemptResult.ATTEMPT_RESULT_SUCCEEDED
    assert result.report.duration == Duration(seconds=61, nanos=250_000_000)
    assert not result.report.HasField("cpu_percent")


def test_a_failure_never_has_exit_code_0():
    result = result_of(Outcome(EXIT))
    assert (result.result, result.report.exit_code) == (AttemptResult.ATTEMPT_RESULT_FAILED, 1)


@pytest.mark.parametrize("outcome", [Outcome(), Outcome(EXIT, exit_code=3, error="exit code 3")])
def test_whoever_was_stopped_did_not_succeed(outcome):
    timeout = result_of(outcome, "timeout")
    assert timeout.result == AttemptResult.ATTEMPT_RESULT_FAILED
    assert timeout.category == FailureCategory.FAILURE_CATEGORY_TIMEOUT
    assert timeout.report.error.startswith("ran longer than its timeout of 90 s")
    cancelled = result_of(outcome, "cancel")
    assert cancelled.result == AttemptResult.ATTEMPT_RESULT_CANCELLED
    assert cancelled.category == FailureCategory.FAILURE_CATEGORY_UNSPECIFIED
    assert cancelled.report.error.startswith("cancelled")


def test_percentages_keep_their_range():
    report = result_of(Outcome(cpu_percent=130.0, memory_percent=101.0)).report
    assert (report.cpu_percent, report.memory_percent) == (100, 100)


@given(st.text(st.characters(codec=None), max_size=60), st.integers(1, 50), st.booleans())
def test_any_text_is_made_to_fit(text, limit, keep_end):
    made = fitted(text, limit, keep_end=keep_end)
    assert len(made.encode()) <= limit
    assert "\0" not in made
