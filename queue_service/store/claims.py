"""Claims: who gets which task. What a claim returns is leased, counted and committed."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from queue_service.domain.lease import Lease
from queue_service.domain.limits import Need
from queue_service.domain.selection import Placement
from queue_service.store.dispatching import SQL
from service_kit.postgres import AsyncConnection, Database, raw

if TYPE_CHECKING:
    import asyncpg

LONGEST_INLINE_PAYLOAD: Final = 4096
"""Bytes up to which a payload comes with its claim; longer ones are read when the offer is sent, so that a
batch of claims stays small in memory."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """What was won, by task, and the executors that could not be given anything.

    A refused executor's use, limits or session are not what the caller believed; its tasks stay unclaimed.
    """

    leases: Mapping[int, Lease]
    refused: frozenset[int]

    def amounts(self) -> dict[int, tuple[int, int, int]]:
        """Tasks, CPU and memory together, by executor."""
        return per_executor((lease.executor, Need(lease.cpu, lease.memory)) for lease in self.leases.values())


class PullLease(NamedTuple):
    """A task won for a pull client; it counts as started."""

    task: int
    token: int
    executor: int
    attempt: int
    cpu: int
    memory: int


@dataclass(frozen=True, slots=True)
class Taken:
    """None of the tasks is there to lease: leased, changed, ended or not due."""


@dataclass(frozen=True, slots=True)
class OverLimit:
    """It does not fit into the limits in force."""


class _Refused(Exception):
    """Rolls the transaction back; holds the executors that had no room."""

    def __init__(self, executors: frozenset[int]) -> None:
        self.executors = executors


class ClaimStore:
    """Leases tasks to executors within the limits in force, whatever the caller believed before."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(
        self, placements: Sequence[Placement], sessions: Mapping[int, int], now: datetime, answer_by: datetime
    ) -> Claimed:
        """Leases what is still there, in one transaction; `sessions` are the executors' current ones.

        Tasks that another has taken or changed are left out. When an executor has no room for all that it was
        given, nothing is given to it, and the others are served without it.
        """
        refused: frozenset[int] = frozenset()
        wanted = list(placements)
        while wanted:
            try:
                leases = await self._claim_all(wanted, sessions, now, answer_by)
                return Claimed(leases, refused)
            except _Refused as refusal:
                refused |= refusal.executors
                wanted = [each for each in wanted if each.executor not in refused]
        return Claimed({}, refused)

    async def _claim_all(
        self, placements: Sequence[Placement], sessions: Mapping[int, int], now: datetime, answer_by: datetime
    ) -> dict[int, Lease]:
        return await self._database.unit(
            lambda connection: _claim(connection, placements, sessions, now, answer_by)
        )

    async def claim_pull(
        self,
        executor: int,
        tasks: Iterable[tuple[int, int | None]],
        now: datetime,
        expires_at: datetime,
        request_id: str | None = None,
    ) -> PullLease | Taken | OverLimit:
        """Leases the first of `tasks` (id, version or None for any) that is still there to lease."""
        wanted = list(tasks)

        async def work(connection: AsyncConnection) -> PullLease | Taken:
            driver = await raw(connection)
            for task, version in wanted:
                row = await driver.fetchrow(
                    SQL["claim_pull"], task, version, executor, expires_at, request_id, now
                )
                if row is not None:
                    await _charge(driver, {executor: None}, [PullLease(*row)], now)
                    return PullLease(*row)
            return Taken()

        try:
            return await self._database.unit(work)
        except _Refused:
            return OverLimit()

    async def payloads(self, tasks: Sequence[int]) -> dict[int, bytes]:
        """The payloads of tasks, by task."""
        rows = await self._database.statement(lambda driver: driver.fetch(SQL["payloads"], tasks))
        return {row["task"]: row["payload"] for row in rows}


async def _claim(
    connection: AsyncConnection,
    placements: Sequence[Placement],
    sessions: Mapping[int, int],
    now: datetime,
    answer_by: datetime,
) -> dict[int, Lease]:
    driver = await raw(connection)
    rows = await driver.fetch(
        SQL["claim"],
        [each.candidate.task for each in placements],
        [each.candidate.version for each in placements],
        [each.executor for each in placements],
        [sessions[each.executor] for each in placements],
        now,
        answer_by,
        LONGEST_INLINE_PAYLOAD,
    )
    leases = {row[0]: Lease(*row) for row in rows}
    await _charge(driver, sessions, leases.values(), now)
    return leases


async def _charge(
    driver: "asyncpg.Connection[Any]",
    sessions: Mapping[int, int | None],
    leases: Iterable[Lease | PullLease],
    now: datetime,
) -> None:
    """Counts the leases as use of their executors. Raises _Refused when that is more than one may have."""
    needs = per_executor((lease.executor, Need(lease.cpu, lease.memory)) for lease in leases)
    executors = sorted(needs)
    if not executors:
        return
    await driver.fetch(SQL["lock_executors"], executors)
    charged = await driver.fetch(
        SQL["charge"],
        executors,
        [sessions[executor] for executor in executors],
        *columns([needs[executor] for executor in executors], 3),
        now,
    )
    refused = frozenset(executors) - {row[0] for row in charged}
    if refused:
        raise _Refused(refused)


def per_executor(needs: Iterable[tuple[int, Need]]) -> dict[int, tuple[int, int, int]]:
    """Tasks, CPU and memory together, by executor."""
    tasks: Counter[int] = Counter()
    cpu: Counter[int] = Counter()
    memory: Counter[int] = Counter()
    for executor, need in needs:
        tasks[executor] += 1
        cpu[executor] += need.cpu
        memory[executor] += need.memory
    return {executor: (tasks[executor], cpu[executor], memory[executor]) for executor in tasks}


def columns(rows: Iterable[Sequence[Any]], width: int) -> list[list[Any]]:
    """Rows of `width` values as parallel arrays."""
    turned = [list(column) for column in zip(*rows, strict=True)]
    return turned or [[] for _ in range(width)]
