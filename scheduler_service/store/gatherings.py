"""Events that wait for others before they fire, and when triggers that are throttled fired last."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.gathering import Ending, Portion
from scheduler_service.domain.schedule import Schedule
from scheduler_service.store.events import EventKey
from scheduler_service.store.fires import shard
from scheduler_service.store.rows import schedule_of
from scheduler_service.store.runs import with_runs
from service_kit.postgres import raw
from service_kit.queries import load_queries

_SQL: Final = load_queries(Path(__file__).with_name("gatherings.sql"))


class Open(NamedTuple):
    """A gathering that takes events, and how many it has."""

    number: int
    size: int


class Due(NamedTuple):
    """A gathering whose time has come; locked by this transaction."""

    number: int
    namespace: str
    schedule_id: str
    schedule: Schedule | None
    """Locked as well; None when it was deleted."""


class Gathered(NamedTuple):
    """An event that was gathered, and its fire."""

    fire: int
    key: EventKey
    fire_id: str
    nominal: datetime


async def open_of(
    connection: AsyncConnection, incarnations: Iterable[UUID], now: datetime
) -> dict[UUID, Open]:
    """The gatherings that take events of those schedules, which are locked by this transaction."""
    rows = await (await raw(connection)).fetch(_SQL["open_gatherings"], list(incarnations), now)
    return {row["incarnation"]: Open(row["id"], row["count"]) for row in rows}


async def add(
    connection: AsyncConnection,
    schedule: Schedule,
    to: Open | None,
    portion: Portion,
    fires: Sequence[tuple[EventKey, int]],
) -> None:
    """Puts events with their fires into a gathering: `to`, or a new one."""
    driver = await raw(connection)
    due_at, takes, count = portion.due_at, not portion.is_full, portion.count
    if to is None or portion.is_new:
        owner = (schedule.namespace, schedule.schedule_id, schedule.incarnation)
        number = await driver.fetchval(_SQL["begin_gathering"], *owner, due_at, takes, count)
    else:
        number = to.number
        await driver.execute(_SQL["grow_gathering"], number, due_at, takes, count)
    await driver.execute(
        _SQL["add_gathered"],
        number,
        [fire for _, fire in fires],
        [key.source for key, _ in fires],
        [key.event_id for key, _ in fires],
    )


async def claim_due(connection: AsyncConnection, now: datetime, limit: int) -> list[Due]:
    """At most `limit` gatherings whose time has come, in the order in which they were begun."""
    driver = await raw(connection)
    found = await driver.fetch(_SQL["due_gatherings"], now, limit)
    if not found:
        return []
    rows = await driver.fetch(_SQL["lock_schedules_of"], list({row["incarnation"] for row in found}))
    locked = await with_runs(connection, [schedule_of(row) for row in rows])
    schedules = {schedule.incarnation: schedule for schedule in locked}
    claimed = await driver.fetch(_SQL["lock_gatherings"], [row["id"] for row in found], now)
    return [
        Due(row["id"], row["namespace"], row["schedule_id"], schedules.get(row["incarnation"]))
        for row in claimed
    ]


async def last(connection: AsyncConnection, due: Due, limit: int) -> list[Gathered]:
    """The last events of a gathering, at most `limit`, in the order of their arrival."""
    rows = await (await raw(connection)).fetch(_SQL["gathered_last"], due.number, limit)
    return [
        Gathered(
            row["fire"],
            EventKey(due.namespace, row["source"], row["event_id"]),
            row["fire_id"],
            row["nominal_at"],
        )
        for row in reversed(rows)
    ]


async def carry(connection: AsyncConnection, due: Due, fire: int, task: bytes, run_of: UUID | None) -> None:
    """Sends the gathering's fire to the queue; `run_of` is its schedule when that counts its runs."""
    part = shard(due.namespace, due.schedule_id)
    await (await raw(connection)).execute(_SQL["carry_gathered"], due.number, fire, part, task, run_of)


async def reject(connection: AsyncConnection, due: Due, fire: int, detail: str, now: datetime) -> None:
    """Settles the gathering's fire as REJECTED."""
    await (await raw(connection)).execute(_SQL["reject_gathered"], due.number, fire, detail, now)


async def close(connection: AsyncConnection, due: Due, ending: Ending) -> None:
    """Nothing joins it any more; what is left in it ends so, see `settle`."""
    await (await raw(connection)).execute(
        _SQL["close_gathering"], due.number, int(ending.disposition), ending.detail
    )


async def settle(connection: AsyncConnection, limit: int, now: datetime) -> int:
    """Settles at most `limit` events of closed gatherings; returns how many."""
    driver = await raw(connection)
    tag = await driver.execute(_SQL["settle_gathered"], limit, now)
    await driver.execute(_SQL["drop_settled_gatherings"])
    return int(tag.rpartition(" ")[2])


async def next_due(connection: AsyncConnection) -> datetime | None:
    """When the next gathering comes due."""
    found: datetime | None = await (await raw(connection)).fetchval(_SQL["next_gathering"])
    return found


async def overdue(connection: AsyncConnection, since: datetime) -> int:
    """How many should have fired before that."""
    return int(await (await raw(connection)).fetchval(_SQL["overdue_gatherings"], since))


async def forget(connection: AsyncConnection, incarnation: UUID, now: datetime) -> None:
    """What was gathered for a schedule that this transaction deletes comes due at once."""
    driver = await raw(connection)
    await driver.execute(_SQL["hurry_gatherings"], incarnation, now)
    await driver.execute(_SQL["drop_throttle"], incarnation)


async def fired_last(connection: AsyncConnection, incarnations: Iterable[UUID]) -> dict[UUID, datetime]:
    """When the triggers of those schedules, which are locked, fired last."""
    rows = await (await raw(connection)).fetch(_SQL["throttles"], list(incarnations))
    return {row["incarnation"]: row["fired_at"] for row in rows}


async def save_fired(connection: AsyncConnection, incarnations: Iterable[UUID], now: datetime) -> None:
    """They fired now."""
    await (await raw(connection)).execute(_SQL["save_throttles"], list(incarnations), now)
