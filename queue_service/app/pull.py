"""Pull clients: unary calls that lease, extend and complete."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, assert_never

from queue_service.app.completion import Completion
from queue_service.app.hold_book import HoldBook
from queue_service.domain.admission import Refuse, fits
from queue_service.domain.ending import Duplicate, Finished, How, Report, Stale, Stored
from queue_service.domain.errors import NoTask, OverLimit, StaleLease, TaskNotFound, TaskNotWaiting
from queue_service.domain.executor import Executor
from queue_service.domain.handler import PREFIX, HandlerKind
from queue_service.domain.order import Candidate, merge
from queue_service.domain.selection import Room, choose, handler_key
from queue_service.domain.states import Category, State
from queue_service.domain.task import Task
from queue_service.domain.waiting import refused, waiting_reason
from queue_service.store import claims
from queue_service.store.executors import ExecutorStore
from queue_service.store.pulls import HeldLease, PullStore, RequestTaken
from queue_service.store.reads import TaskReader
from service_kit.clock import Clock
from service_kit.errors import Aborted

Key = tuple[str, str, str]
"""Namespace, queue, task_id."""

DEFAULT_LEASE: Final = timedelta(minutes=10)
DEPTH: Final = 100
MOST_TRIES: Final = 10
"""Times that others may be faster, before the caller is asked to come again."""


@dataclass(frozen=True, slots=True)
class Leased:
    """A task won by a pull client."""

    task: Task
    token: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Wish:
    """What a pull client wants: the task named, or (empty) the first that it can run."""

    namespace: str
    queue: str
    task_id: str
    executor: str
    duration: timedelta
    handlers: Sequence[str] = ()
    request_id: str = ""


class Pull:
    """The pull API."""

    def __init__(
        self,
        reader: TaskReader,
        pulls: PullStore,
        executors: ExecutorStore,
        completion: Completion,
        holds: HoldBook,
        clock: Clock,
    ) -> None:
        self._reader = reader
        self._pulls = pulls
        self._executors = executors
        self._completion = completion
        self._holds = holds
        self._clock = clock

    async def lease(self, wish: Wish) -> Leased:
        """Leases one task. Raises NoTask, TaskNotFound, TaskNotWaiting, OverLimit, Aborted."""
        executor = await self._pulls.register(wish.namespace, wish.executor, self._clock.now())
        held = await self._by_request(executor, wish)
        if held is None:
            try:
                held = await (self._named(executor, wish) if wish.task_id else self._first(executor, wish))
            except RequestTaken:
                held = await self._by_request(executor, wish)
        task = held and await self._reader.by_id(wish.namespace, held.task, self._clock.now())
        if held is None or task is None:
            raise Aborted("the lease ended at this very moment; repeat the request")
        return Leased(task, held.token, held.expires_at)

    async def extend(self, key: Key, token: int, by: timedelta) -> datetime:
        """Moves the end of a lease to `by` from now and returns it. Raises TaskNotFound, StaleLease."""
        expires_at = self._clock.now() + by
        if await self._pulls.extend(key, token, expires_at):
            return expires_at
        await self._handle(key)
        raise StaleLease(*key[1:], token)

    async def complete(self, key: Key, token: int, report: Report, actor: str) -> Task:
        """Ends the attempt; the task as it is then. Raises TaskNotFound, StaleLease."""
        task = await self._handle(key)
        if await self._pulls.is_of_a_session(task, token):
            raise StaleLease(*key[1:], token)
        (answer,) = await self._completion.finish([_finished(task, token, report, actor)])
        match answer:
            case Stale():
                raise StaleLease(*key[1:], token)
            case Stored(state=state) | Duplicate(state=state):
                found = await self._reader.by_id(key[0], task, self._clock.now())
                if found is None:
                    raise TaskNotFound(*key[1:])
                return replace(found, state=state)
            case _:
                assert_never(answer)

    async def _by_request(self, executor: int, wish: Wish) -> HeldLease | None:
        if not wish.request_id:
            return None
        held = await self._pulls.by_request(executor, wish.request_id)
        if held is not None and held.expires_at <= self._clock.now():
            raise Aborted("the lease of this request has run out; use a new request_id")
        return held

    async def _named(self, executor: int, wish: Wish) -> HeldLease:
        task = await self._reader.get(wish.namespace, wish.queue, wish.task_id, self._clock.now())
        if task is None:
            raise TaskNotFound(wish.queue, wish.task_id)
        hold = await self._holds.holding(task)
        if task.state is State.WAITING and hold is not None:
            raise TaskNotWaiting(wish.queue, wish.task_id, task.state, str(hold))
        match await self._claim(executor, wish, task.id, None):
            case HeldLease() as lease:
                return lease
            case claims.OverLimit():
                raise OverLimit(wish.queue, wish.task_id, await self._why(wish, task))
            case claims.Taken():
                raise await self._not_waiting(wish)

    async def _first(self, executor: int, wish: Wish) -> HeldLease:
        keys = {HandlerKind.PULL.value} | {PREFIX + name for name in wish.handlers}
        passed: set[int] = set()
        for _ in range(MOST_TRIES):
            candidate = await self._choose(wish, keys, passed)
            match await self._claim(executor, wish, candidate.task, candidate.version):
                case HeldLease() as lease:
                    return lease
                case claims.OverLimit() | claims.Taken():
                    # Others were faster: look again, without what they took.
                    passed.add(candidate.task)
        raise Aborted("others lease faster than this call could; repeat the request")

    async def _choose(self, wish: Wish, keys: set[str], passed: set[int]) -> Candidate:
        """The first in order that fits. Raises NoTask, OverLimit."""
        now = self._clock.now()
        defaults = await self._executors.defaults(wish.namespace)
        executor = await self._executor(wish)
        in_force = await self._holds.loaded()
        lists = [
            [candidate for candidate in each if candidate.task not in passed]
            for each in await self._pulls.heads(wish.namespace, wish.queue, DEPTH, now)
            if handler_key(each[0].lane) in keys and in_force.holding(each[0].lane, each[0].level) is None
        ]
        room = Room(executor.id, keys, executor.limits, executor.use, credit=1)
        placements = choose(lists, [room], defaults.threshold, 1)
        if placements:
            return placements[0].candidate
        first = next(merge(lists, defaults.threshold), None)
        tasks = [] if first is None else await self._reader.by_ids([first.task], now)
        if not tasks:
            raise NoTask(wish.executor)
        raise OverLimit(wish.queue, tasks[0].task_id, _refusal(tasks[0], executor))

    async def _claim(
        self, executor: int, wish: Wish, task: int, version: int | None
    ) -> HeldLease | claims.Taken | claims.OverLimit:
        now = self._clock.now()
        return await self._pulls.claim(executor, task, version, now, now + wish.duration, wish.request_id)

    async def _not_waiting(self, wish: Wish) -> Exception:
        """Why the task named cannot be leased, as it is now."""
        now = self._clock.now()
        task = await self._reader.get(wish.namespace, wish.queue, wish.task_id, now)
        if task is None:
            return TaskNotFound(wish.queue, wish.task_id)
        if task.state is State.WAITING and task.ready:
            return Aborted("the task was given back at this very moment; repeat the request")
        why = waiting_reason(task, [], now) if task.state in (State.SCHEDULED, State.WAITING) else ""
        return TaskNotWaiting(wish.queue, wish.task_id, task.state, why)

    async def _why(self, wish: Wish, task: Task) -> str:
        return _refusal(task, await self._executor(wish))

    async def _executor(self, wish: Wish) -> Executor:
        found = await self._executors.named(wish.namespace, wish.executor, self._clock.now())
        if found is None:
            raise Aborted("the executor was removed at this very moment; repeat the request")
        return found

    async def _handle(self, key: Key) -> int:
        task = await self._pulls.handle_of(*key)
        if task is None:
            raise TaskNotFound(*key[1:])
        return task


def _refusal(task: Task, executor: Executor) -> str:
    match fits(executor.use, executor.limits, task.template.need):
        case Refuse() as refusal:
            return refused(executor, refusal)
        case _:
            return "its limits are in use at this very moment"


def _finished(task: int, token: int, report: Report, actor: str) -> Finished:
    """Exit code 0 is success; a negative one names the signal that ended the process."""
    code = report.exit_code or 0
    if code == 0:
        return Finished(task, token, How.SUCCEEDED, report=report, actor=actor)
    category = Category.SIGNAL if code < 0 else Category.EXIT
    return Finished(task, token, How.FAILED, category=category, report=report, actor=actor)
