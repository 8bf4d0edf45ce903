"""Tasks for operators: look at them, cancel them, move them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, assert_never

from queue_service.app.hold_book import HoldBook
from queue_service.app.paging import page
from queue_service.app.signals import Signals
from queue_service.domain.change import AskedToStop, Done, Leased, NotLive
from queue_service.domain.errors import TaskEnded, TaskNotFound, TaskNotWaiting
from queue_service.domain.executor import Executor
from queue_service.domain.states import LIVE, State
from queue_service.domain.task import Task
from queue_service.domain.waiting import waiting_reason
from queue_service.store.changes import ChangeStore
from queue_service.store.executors import ExecutorStore
from queue_service.store.reads import Counts, Filters, TaskReader
from service_kit.clock import Clock
from service_kit.errors import Aborted
from service_kit.pages import DEFAULT_SIZE, page_position

__all__ = ["Filters", "Tasks"]

Key = tuple[str, str, str]
"""Namespace, queue, task_id."""

_WAITS: Final = frozenset({State.SCHEDULED, State.WAITING})


class Tasks:
    """Reads and changes single tasks, and lists them."""

    def __init__(
        self,
        reader: TaskReader,
        executors: ExecutorStore,
        changes: ChangeStore,
        clock: Clock,
        signals: Signals,
        holds: HoldBook,
        cancel_grace: timedelta,
    ) -> None:
        self._reader = reader
        self._executors = executors
        self._changes = changes
        self._clock = clock
        self._signals = signals
        self._holds = holds
        self._cancel_grace = cancel_grace

    async def get(self, key: Key) -> Task:
        """One task with payload and attempts. Raises TaskNotFound."""
        task = await self._reader.get(*key, self._clock.now())
        if task is None:
            raise TaskNotFound(*key[1:])
        return await self.explained_one(task)

    async def page(self, filters: Filters, size: int, token: str) -> tuple[list[Task], str]:
        """One page, newest first, and the token of the next. Raises InvalidArgument."""
        size, before = size or DEFAULT_SIZE, page_position(filters, token)
        found = await self._reader.page(filters, before, size + 1, self._clock.now())
        tasks, following = page(found, size, filters, lambda task: task.id, _size)
        return await self.explained(filters.namespace, tasks), following

    async def status(self, namespace: str, queue: str) -> tuple[Counts, datetime]:
        """Counts and executors, and the instant they belong to."""
        now = self._clock.now()
        in_force = await self._holds.loaded()
        return await self._reader.status(namespace, queue, now, in_force), now

    async def cancel(self, key: Key, actor: str, reason: str) -> Task:
        """Ends a task, or asks its agent to. Raises TaskNotFound, TaskEnded."""
        now = self._clock.now()
        change = await self._changes.cancel(key, actor, reason, self._cancel_grace, now)
        match change:
            case Done(ready=ready):
                self._signals.ended()
                self._signals.ready(ready)
            case AskedToStop():
                self._signals.stop_wanted()
            case NotLive():
                pass
            case _:
                assert_never(change)
        found = await self.get(key)
        if found.state not in LIVE and found.state is not State.CANCELLED:
            raise TaskEnded(*key[1:], found.state)
        return found

    async def reprioritize(self, key: Key, priority: int, actor: str) -> Task:
        """Changes a waiting task's priority. Raises TaskNotFound, TaskNotWaiting."""
        now = self._clock.now()
        change = await self._changes.reprioritize(key, priority, actor, now)
        found = await self.get(key)
        match change:
            case Done(ready=ready):
                self._signals.ready(ready)
                return found
            case Leased():
                raise TaskNotWaiting(*key[1:], found.state)
            case NotLive():
                if found.state in LIVE:
                    raise Aborted("the task was enqueued a moment ago; repeat the request")
                raise TaskNotWaiting(*key[1:], found.state)
            case _:
                assert_never(change)

    async def explained(self, namespace: str, tasks: Sequence[Task]) -> list[Task]:
        """The tasks, those that wait with the reason."""
        now = self._clock.now()
        executors: list[Executor] = []
        if any(task.state in _WAITS for task in tasks):
            executors = await self._executors.of(namespace, now)
        holds = [await self._holds.holding(task) for task in tasks]
        return [
            replace(task, waiting_reason=waiting_reason(task, executors, now, hold=hold))
            for task, hold in zip(tasks, holds, strict=True)
        ]

    async def explained_one(self, task: Task) -> Task:
        """As `explained`, for one."""
        (found,) = await self.explained(task.namespace, [task])
        return found


def _size(task: Task) -> int:
    """About how many bytes it takes in a message."""
    texts = [task.template.handler, task.template.name, task.error]
    texts += [each.report.error for each in task.attempts]
    return 1_000 + sum(len(text.encode()) for text in texts)
