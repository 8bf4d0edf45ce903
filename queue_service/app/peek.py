"""A look ahead: what would start next, and why what comes before it would not."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice, takewhile
from typing import Final

from queue_service.app.hold_book import HoldBook
from queue_service.domain.admission import Use
from queue_service.domain.executor import Executor
from queue_service.domain.handler import HandlerKind
from queue_service.domain.limits import Limits
from queue_service.domain.order import Candidate, merge
from queue_service.domain.selection import Placement, Room, choose
from queue_service.domain.task import Task
from queue_service.domain.waiting import waiting_reason
from queue_service.store.executors import ExecutorStore
from queue_service.store.pulls import PullStore
from queue_service.store.reads import TaskReader
from service_kit.clock import Clock

DEPTH: Final = 500
"""Tasks of each list that are looked at."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """`next` would start on `executor`; `blocked` come before it and would not."""

    next: Task | None
    executor: str
    blocked: list[Task]


class Peek:
    """Decides as the dispatcher does, and leases nothing."""

    def __init__(
        self,
        reader: TaskReader,
        pulls: PullStore,
        executors: ExecutorStore,
        holds: HoldBook,
        clock: Clock,
    ) -> None:
        self._reader = reader
        self._pulls = pulls
        self._executors = executors
        self._holds = holds
        self._clock = clock

    async def look(self, namespace: str, queue: str, client: str, most_blocked: int) -> Ahead:
        """What would start next on a connected executor, or on the pull client of that name."""
        now = self._clock.now()
        defaults = await self._executors.defaults(namespace)
        executors = await self._executors.of(namespace, now)
        lists = await self._pulls.heads(namespace, queue, DEPTH, now)
        pull = _pull_client(client, executors, defaults.limits, now)
        in_force = await self._holds.loaded()
        free = [each for each in lists if in_force.holding(each[0].lane, each[0].level) is None]
        chosen = choose(free, _rooms(executors, pull), defaults.threshold, 1)
        placement = chosen[0] if chosen else None
        before = takewhile(
            lambda candidate: placement is None or candidate.task != placement.candidate.task,
            merge(lists, defaults.threshold),
        )
        blocked = await self._tasks(list(islice(before, most_blocked)), executors, pull, now)
        if placement is None:
            return Ahead(None, "", blocked)
        found = await self._reader.by_ids([placement.candidate.task], now)
        return Ahead(found[0] if found else None, _name(placement, executors, pull), blocked)

    async def _tasks(
        self, candidates: Sequence[Candidate], executors: Sequence[Executor], pull: Executor, now: datetime
    ) -> list[Task]:
        tasks = await self._reader.by_ids([candidate.task for candidate in candidates], now)
        return [
            replace(
                task,
                waiting_reason=waiting_reason(
                    task, executors, now, hold=await self._holds.holding(task), pull=pull
                ),
            )
            for task in tasks
        ]


def _pull_client(name: str, executors: Sequence[Executor], defaults: Limits, now: datetime) -> Executor:
    """The executor that a pull client counts as; as it would be after its first lease, when it is new."""
    known = next((executor for executor in executors if executor.name == name), None)
    return known or Executor(
        id=0,
        name=name,
        pull=True,
        online=False,
        session=0,
        handlers=(),
        allows_shell=False,
        allows_http=False,
        labels={},
        cpu_count=0,
        memory_bytes=0,
        version="",
        limits=defaults,
        own_limits=False,
        use=Use(),
        load=None,
        seen_at=now,
    )


def _rooms(executors: Sequence[Executor], pull: Executor) -> list[Room]:
    rooms = [
        Room(executor.id, executor.handler_keys, executor.limits, executor.use, 1)
        for executor in executors
        if executor.online and executor.id != pull.id
    ]
    keys = {HandlerKind.PULL.value} | (pull.handler_keys if pull.online else frozenset())
    return [*rooms, Room(pull.id, keys, pull.limits, pull.use, 1)]


def _name(placement: Placement, executors: Sequence[Executor], pull: Executor) -> str:
    names = {executor.id: executor.name for executor in (*executors, pull)}
    return names[placement.executor]
