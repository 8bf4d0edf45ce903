"""Schedules that come due."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.schedule import Schedule
from scheduler_service.store import tables
from scheduler_service.store.calendars import as_locked, with_calendars
from scheduler_service.store.rows import schedule_of
from scheduler_service.store.statements import SQL
from service_kit.postgres import raw

_SCHEDULES = tables.schedules


async def claim(connection: AsyncConnection, now: datetime, limit: int) -> list[Schedule]:
    """At most `limit` due schedules, earliest first, locked; what others have locked is passed over."""
    driver = await raw(connection)
    return await as_locked(connection, await driver.fetch(SQL["claim_due"], now, limit))


async def advance(
    connection: AsyncConnection, schedules: Sequence[Schedule], made: Mapping[UUID, int]
) -> None:
    """Writes watermark, next fire and due time, and counts the fires made. The caller has locked the rows."""
    driver = await raw(connection)
    await driver.execute(
        SQL["advance"],
        [schedule.incarnation for schedule in schedules],
        [schedule.watermark for schedule in schedules],
        [schedule.next_fire for schedule in schedules],
        [schedule.due_at for schedule in schedules],
        [made.get(schedule.incarnation, 0) for schedule in schedules],
    )


async def next_due(connection: AsyncConnection) -> datetime | None:
    """When the next schedule comes due; None when there is none."""
    found: datetime | None = await (await raw(connection)).fetchval(SQL["next_due"])
    return found


async def mark_invalid(connection: AsyncConnection, schedule: Schedule, reason: str) -> None:
    """Takes a schedule that cannot be read out of the due ones; it stands still. The caller has locked it."""
    statement = update(_SCHEDULES).where(_SCHEDULES.c.incarnation == schedule.incarnation)
    await connection.execute(statement.values(invalid_reason=reason))


async def lock_invalid(connection: AsyncConnection, limit: int) -> list[Schedule]:
    """Schedules that could not be read, locked, to be tried again."""
    query = select(_SCHEDULES).where(_SCHEDULES.c.invalid_reason != "").limit(limit)
    rows = await connection.execute(query.with_for_update(skip_locked=True, key_share=True))
    return await with_calendars(connection, [schedule_of(row) for row in rows.mappings()])
