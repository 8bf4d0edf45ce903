"""Changes of single tasks by operators; each locks the task first, so that no claim slips by."""

from datetime import datetime, timedelta
from typing import Final, TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from queue_service.domain.change import AskedToStop, Cancelled, Done, Leased, Moved, NotLive
from queue_service.domain.states import Kind, live_state
from queue_service.store.cancels import Wish, cancel
from queue_service.store.locks import hold, schedule_lock
from queue_service.store.sequences import LinedUp, candidate, leaving, promote
from queue_service.store.statements import SQL
from queue_service.store.transitions import record
from service_kit.postgres import Database, raw

Key: TypeAlias = tuple[str, str, str]

_NO_LEASE: Final = {"token": None, "session": None, "state": None}


class ChangeStore:
    """Cancels and reprioritises; a key is (namespace, queue, task_id)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def cancel(self, key: Key, actor: str, reason: str, grace: timedelta, now: datetime) -> Cancelled:
        """Ends a task that no agent holds; notes the wish on the lease of one that an agent holds."""

        async def work(connection: AsyncConnection) -> Cancelled:
            driver = await raw(connection)
            sequence = await driver.fetchval(SQL["sequence_of"], *key)
            if sequence is not None:
                await hold(connection, [schedule_lock(key[0], sequence)])
            task = await driver.fetchrow(SQL["lock_task"], *key)
            if task is None:
                return NotLive()
            if task["sequence_key"] != sequence:
                raise LinedUp
            lease = await driver.fetchrow(SQL["lease_of"], task["id"]) or _NO_LEASE
            came = await cancel(connection, [Wish({**task, **lease}, key[0], actor, reason, grace)], now)
            if came.asked:
                return AskedToStop(task["id"])
            sequences = [] if sequence is None else [(key[0], sequence)]
            return Done(task["id"], (*came.ready, *await promote(driver, sequences, now)))

        return await leaving(self._database, work)

    async def reprioritize(self, key: Key, priority: int, actor: str, now: datetime) -> Moved:
        """Moves a task that nobody holds to another priority; boost and age stay."""

        async def work(connection: AsyncConnection) -> Moved:
            driver = await raw(connection)
            task = await driver.fetchrow(SQL["lock_task"], *key)
            if task is None:
                return NotLive()
            if await driver.fetchrow(SQL["lease_of"], task["id"]) is not None:
                return Leased(task["id"])
            if task["priority"] == priority:
                return Done(task["id"])
            rows = await driver.fetch(SQL["relevel"], [task["id"]], [priority], [task["boost"]], now, None)
            state = live_state(None, due=task["run_at"] <= now)
            detail = f"priority {task['priority']} -> {priority}"
            await record(
                connection,
                Kind.REPRIORITIZED,
                state,
                key[0],
                [task["id"]],
                at=now,
                actor=actor,
                detail=detail,
            )
            return Done(
                task["id"], tuple(candidate(row) for row in rows if row["ready"] and row["run_at"] <= now)
            )

        return await self._database.unit(work)
