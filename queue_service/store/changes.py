"""Changes of single tasks by operators; each locks the task first, so that no claim slips by."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from queue_service.domain.change import AskedToStop, Cancelled, Done, HeldByPull, Leased, Moved, NotLive
from queue_service.domain.states import Kind, LeaseState, State, live_state
from queue_service.store.dispatching import SQL as DISPATCH
from queue_service.store.locks import hold, sequence_lock
from queue_service.store.sequences import candidate, promote
from queue_service.store.statements import SQL
from queue_service.store.transitions import record
from service_kit.postgres import Database, raw

if TYPE_CHECKING:
    import asyncpg

Key: TypeAlias = tuple[str, str, str]


class ChangeStore:
    """Cancels and reprioritises; a key is (namespace, queue, task_id)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def cancel(self, key: Key, actor: str, reason: str, now: datetime) -> Cancelled:
        """Ends a task that nobody holds; notes the wish on the lease of one that is held."""

        async def work(connection: AsyncConnection) -> Cancelled:
            driver = await raw(connection)
            sequence = await driver.fetchval(SQL["sequence_of"], *key)
            if sequence is not None:
                await hold(connection, [sequence_lock(key[0], key[1], sequence)])
            task = await driver.fetchrow(SQL["lock_task"], *key)
            if task is None:
                return NotLive()
            lease = await driver.fetchrow(SQL["lease_of"], task["id"])
            if lease is None:
                return await _end(connection, key, task, actor, reason, now)
            return await _ask(connection, key, task["id"], lease, actor, reason, now)

        return await self._database.unit(work)

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


async def _end(
    connection: AsyncConnection, key: Key, task: Mapping[str, Any], actor: str, reason: str, now: datetime
) -> Done:
    driver = await raw(connection)
    await _to_history(driver, task, now)
    await record(
        connection, Kind.ENDED, State.CANCELLED, key[0], [task["id"]], at=now, actor=actor, detail=reason
    )
    sequences = [] if task["sequence_key"] is None else [(key[0], key[1], task["sequence_key"])]
    return Done(task["id"], tuple(await promote(driver, sequences, now)))


async def _to_history(driver: "asyncpg.Connection[Any]", task: Mapping[str, Any], now: datetime) -> None:
    """Its last attempt, if it had any, stays what it was: this ends none."""
    no_attempt: tuple[list[None], ...] = ([None],) * 4
    await driver.execute(
        DISPATCH["end_tasks"],
        *([task["id"]], [State.CANCELLED], [task["attempts"]], [task["failures"]], [task["losses"]]),
        *no_attempt,
        *(now, [task["id"]], [], now),
    )


async def _ask(
    connection: AsyncConnection,
    key: Key,
    task: int,
    lease: Mapping[str, Any],
    actor: str,
    reason: str,
    now: datetime,
) -> Cancelled:
    if lease["cancel_at"] is None:
        await (await raw(connection)).execute(SQL["ask_to_stop"], task, now, actor)
        state = live_state(LeaseState(lease["state"]), due=True)
        await record(
            connection, Kind.CANCEL_REQUESTED, state, key[0], [task], at=now, actor=actor, detail=reason
        )
    return HeldByPull(task, lease["token"]) if lease["session"] is None else AskedToStop(task)
