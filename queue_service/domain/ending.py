"""How a lease ends, and what the task becomes by it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final, NamedTuple

from queue_service.domain.retry import POLICIES, Bury, Retry, after_failure, after_loss
from queue_service.domain.states import Category, Event, Result, State


class How(Enum):
    """What is said about the end of a lease."""

    SUCCEEDED = auto()
    FAILED = auto()
    CANCELLED = auto()
    """The executor stopped it because a cancel was asked for."""
    RETURNED = auto()
    """Given back unharmed: declined, revoked before it started, left over at a goodbye. Burns no attempt."""
    LOST = auto()
    """Its executor vanished, before or after it answered the offer."""


@dataclass(frozen=True, slots=True)
class Report:
    """What an executor knows of an ended attempt; None = not measured.

    `cpu` and `memory` in hundredths of a percent of the host, `peak_bytes` in bytes.
    """

    exit_code: int | None = None
    cpu: int | None = None
    memory: int | None = None
    peak_bytes: int | None = None
    duration: timedelta | None = None
    output_tail: str = ""
    error: str = ""


NO_REPORT: Final = Report()


class Finished(NamedTuple):
    """What somebody says about the end of one lease.

    `task` and `token` name the lease. With `executor` it must be that executor's lease. `started_at` is when
    the executor accepted it, where that is not stored yet. `actor` and `detail` go into the audit trail;
    `detail` is also the error of an attempt that reports none.
    """

    task: int
    token: int
    how: How
    category: Category = Category.NONE
    non_retryable: bool = False
    report: Report = NO_REPORT
    executor: int | None = None
    started_at: datetime | None = None
    actor: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """The lease has ended by this; the task is in `state` now."""

    state: State


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An earlier report of this lease is stored, by which the task came into `state`; nothing was changed."""

    state: State


@dataclass(frozen=True, slots=True)
class Stale:
    """The token is not the current one, or the lease is another executor's; nothing was changed."""


FinishAnswer = Stored | Duplicate | Stale


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the task's chain had come when the lease ended."""

    retry_policy: str
    failures: int
    losses: int
    cancel_asked: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """What the task becomes.

    `result` is that of the attempt, None when none is burnt. `delay` says how long it waits before it may run
    again (zero: not at all). `failures` and `losses` are the new counts. `error` is empty when nothing went
    wrong.
    """

    event: Event
    result: Result | None
    failures: int
    losses: int
    delay: timedelta = timedelta(0)
    error: str = ""


def turn(progress: Progress, finished: Finished, jitter: float) -> Turn:
    """Decides what follows; `jitter` in [0, 1) picks the point of a retry wait.

    A cancel that was asked for wins over everything but success: the task would not run again anyway. One
    that nobody asked for is a failure, since a task must not vanish on its executor's word alone.
    """
    match finished.how:
        case How.SUCCEEDED:
            return Turn(Event.SUCCEED, Result.SUCCEEDED, progress.failures, progress.losses)
        case How.RETURNED:
            event = Event.CANCEL if progress.cancel_asked else Event.RETURN
            return Turn(event, None, progress.failures, progress.losses)
        case How.LOST:
            return _lost(progress, finished)
        case How.FAILED | How.CANCELLED:
            return _failed(progress, finished, jitter)


def _lost(progress: Progress, finished: Finished) -> Turn:
    losses = progress.losses + 1
    error = finished.detail or "executor lost"
    if progress.cancel_asked:
        return Turn(Event.CANCEL, Result.LOST, progress.failures, losses, error=error)
    match after_loss(losses):
        case Retry(delay):
            return Turn(Event.RETRY, Result.LOST, progress.failures, losses, delay, error)
        case Bury(reason):
            return Turn(Event.BURY, Result.LOST, progress.failures, losses, error=reason)


def _failed(progress: Progress, finished: Finished, jitter: float) -> Turn:
    if progress.cancel_asked:
        return Turn(
            Event.CANCEL, Result.CANCELLED, progress.failures, progress.losses, error=_error(finished)
        )
    failures = progress.failures + 1
    what = after_failure(
        POLICIES[progress.retry_policy],
        failures,
        finished.category,
        non_retryable=finished.non_retryable,
        jitter=jitter,
    )
    match what:
        case Retry(delay):
            return Turn(Event.RETRY, Result.FAILED, failures, progress.losses, delay, _error(finished))
        case Bury(reason):
            error = _error(finished) or reason
            return Turn(Event.BURY, Result.FAILED, failures, progress.losses, error=error)


def _error(finished: Finished) -> str:
    """What went wrong, in words; the executor's own where it says something."""
    report = finished.report
    if report.error or finished.detail:
        return report.error or finished.detail
    if finished.how is How.CANCELLED:
        return "stopped by its executor although nobody cancelled it"
    if report.exit_code is not None and report.exit_code < 0:
        return f"ended by signal {-report.exit_code}"
    if report.exit_code:
        return f"exit code {report.exit_code}"
    return "" if finished.category is Category.NONE else finished.category.name.lower().replace("_", " ")
