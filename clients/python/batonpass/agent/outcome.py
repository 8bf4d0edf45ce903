"""How an attempt ended, and the message that says so."""

from dataclasses import dataclass
from typing import Final

from batonpass.agent.attempt import Attempt
from batonpass.queue.v1.dispatch_service_pb2 import Result
from batonpass.queue.v1.task_pb2 import AttemptResult, FailureCategory

SUCCEEDED: Final = AttemptResult.ATTEMPT_RESULT_SUCCEEDED
FAILED: Final = AttemptResult.ATTEMPT_RESULT_FAILED
CANCELLED: Final = AttemptResult.ATTEMPT_RESULT_CANCELLED

NO_CATEGORY: Final = FailureCategory.FAILURE_CATEGORY_UNSPECIFIED
EXIT: Final = FailureCategory.FAILURE_CATEGORY_EXIT
SIGNAL: Final = FailureCategory.FAILURE_CATEGORY_SIGNAL
TIMEOUT: Final = FailureCategory.FAILURE_CATEGORY_TIMEOUT
REJECTED: Final = FailureCategory.FAILURE_CATEGORY_REJECTED
HANDLER: Final = FailureCategory.FAILURE_CATEGORY_HANDLER

ERROR_BYTES: Final = 4096
OUTPUT_BYTES: Final = 16384


@dataclass(slots=True)
class Outcome:
    """`duration` is in seconds, percentages are of the host; None is not measured."""

    category: FailureCategory.ValueType = NO_CATEGORY
    duration: float = 0.0
    exit_code: int = 0
    error: str = ""
    output: str = ""
    non_retryable: bool = False
    cpu_percent: float | None = None
    memory_percent: float | None = None
    peak_bytes: int = 0

    def size(self) -> int:
        """Bytes of the message, roughly and rather too many."""
        return 80 + 4 * (len(self.error) + len(self.output)) if self.error or self.output else 80


def rejected(error: str) -> Outcome:
    """For a task that this agent does not run, and no repeat would help."""
    return Outcome(category=REJECTED, exit_code=1, error=error)


def write_result(attempt: Attempt, outcome: Outcome, result: Result) -> None:
    """Fills in the message about an ended attempt.

    A cancelled attempt ended CANCELLED, whatever its handler made of that; one that ran into its timeout
    failed, even when it went on to its end.
    """
    result.lease.task, result.lease.lease_token = attempt.key
    category = outcome.category
    if attempt.stopped == "cancel":
        result.result = CANCELLED
    elif attempt.stopped == "timeout":
        result.result, result.category = FAILED, TIMEOUT
    elif category:
        result.result, result.category = FAILED, category
        result.non_retryable = outcome.non_retryable
    else:
        result.result = SUCCEEDED
    if result.result == FAILED and outcome.exit_code == 0:
        result.report.exit_code = 1
    _write_report(outcome, result)
    if attempt.stopped:
        result.report.error = fitted(_stopped(attempt, outcome), ERROR_BYTES)


def _stopped(attempt: Attempt, outcome: Outcome) -> str:
    why = (
        "cancelled"
        if attempt.stopped == "cancel"
        else f"ran longer than its timeout of {attempt.timeout:g} s"
    )
    return f"{why} ({outcome.error})" if outcome.error else why


def _write_report(outcome: Outcome, result: Result) -> None:
    report = result.report
    seconds = int(outcome.duration)
    report.duration.seconds = seconds
    report.duration.nanos = int((outcome.duration - seconds) * 1e9)
    if outcome.exit_code:
        report.exit_code = outcome.exit_code
    if outcome.error:
        report.error = fitted(outcome.error, ERROR_BYTES)
    if outcome.output:
        report.output_tail = fitted(outcome.output, OUTPUT_BYTES, keep_end=True)
    if outcome.peak_bytes:
        report.peak_memory_bytes = outcome.peak_bytes
    if outcome.cpu_percent is not None:
        report.cpu_percent = min(100.0, outcome.cpu_percent)
    if outcome.memory_percent is not None:
        report.memory_percent = min(100.0, outcome.memory_percent)


def fitted(text: str, limit: int, *, keep_end: bool = False) -> str:
    """Text that can be sent and stored: at most `limit` bytes of UTF-8, without NUL and lone surrogates."""
    data = text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace")
    if len(data) > limit:
        data = data[-limit:] if keep_end else data[:limit]
    return data.decode("utf-8", "ignore")
