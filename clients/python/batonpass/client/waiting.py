"""Waiting for the end of one task: watch, look, and look again after every interruption."""

from datetime import timedelta
from typing import Final

from batonpass.client.call import Call, Stream
from batonpass.client.errors import BatonpassError, DeadlineExceeded
from batonpass.client.operations import watch_activity
from batonpass.client.retry import Retry, pause
from batonpass.client.tasks import get_task
from batonpass.queue.v1.queue_service_pb2 import ACTIVITY_KIND_ENDED, WatchActivityResponse
from batonpass.queue.v1.task_pb2 import Task, TaskState

FINAL: Final = frozenset(
    {
        TaskState.TASK_STATE_SUCCEEDED,
        TaskState.TASK_STATE_DEAD,
        TaskState.TASK_STATE_CANCELLED,
        TaskState.TASK_STATE_EXPIRED,
        TaskState.TASK_STATE_SKIPPED,
    }
)


class Wait:
    """The decisions of one wait; the clients only carry them out. Times are seconds of the caller's clock."""

    def __init__(self, task_id: str, queue: str, timeout: timedelta | None, retry: Retry, now: float) -> None:
        self._task_id = task_id
        self._queue = queue
        self._retry = retry
        self._until = now + timeout.total_seconds() if timeout is not None else float("inf")
        self._failures = 0
        self._was_answered = False

    def watch(self, now: float) -> Stream[WatchActivityResponse]:
        """The stream to follow. Raises DeadlineExceeded when the time is over."""
        left = self._until - now
        if left <= 0:
            raise DeadlineExceeded(f"task {self._task_id} has not ended in time")
        return watch_activity(
            queue=self._queue or "default", timeout=timedelta(seconds=left) if left != float("inf") else None
        )

    def look(self) -> Call[Task]:
        """How to read the task."""
        return get_task(self._task_id, queue=self._queue)

    def is_news(self, answer: WatchActivityResponse) -> bool:
        """True when the task may have ended: at the start of the watch, and when the watch says so."""
        self._failures = 0
        self._was_answered = True
        return not answer.activities or any(
            one.kind == ACTIVITY_KIND_ENDED and one.task_id == self._task_id for one in answer.activities
        )

    def pause(self, error: BatonpassError, now: float, jitter: float) -> float:
        """Seconds until the next try after the watch broke.

        A queue that has answered before, and one that there is a timeout for, is waited for. Raises `error`
        when the time is over, or when the queue was never there.
        """
        self._failures += 1
        patient = self._was_answered or self._until != float("inf")
        failures = min(self._failures, self._retry.tries - 1) if patient else self._failures
        wait = pause(self._retry, failures, error, self._until - now, jitter)
        if wait is None:
            raise error
        return wait


def has_ended(task: Task) -> bool:
    """True in a final state."""
    return task.state in FINAL
