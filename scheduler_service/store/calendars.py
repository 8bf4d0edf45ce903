"""Calendars, and the schedules that name them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.calendar import Calendar, CalendarDefinition, NamedRules
from scheduler_service.domain.schedule import Schedule
from scheduler_service.store import tables
from scheduler_service.store.calendar_bodies import body_text, definition_of
from scheduler_service.store.rows import Row, schedule_of
from scheduler_service.store.runs import with_runs
from service_kit.postgres import raw
from service_kit.queries import load_queries

SQL: Final = load_queries(Path(__file__).with_name("calendars.sql"))
_CALENDARS = tables.calendars


def calendar_of(row: Row) -> Calendar:
    """A row of `calendars`."""
    return Calendar(
        namespace=row["namespace"],
        calendar_id=row["calendar_id"],
        definition=definition_of(row["body"]),
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


async def with_calendars(connection: AsyncConnection, schedules: Iterable[Schedule]) -> list[Schedule]:
    """The schedules with the calendars that they name, as they are now; nothing is asked when none does.

    Of a locked schedule they stay so until the transaction ends: whoever changes one locks its users.
    """
    found = list(schedules)
    named = {(each.namespace, name) for each in found for name in each.definition.timing.calendars}
    if not named:
        return found
    driver = await raw(connection)
    namespaces, names = zip(*sorted(named), strict=True)
    rows = await driver.fetch(SQL["named_calendars"], list(namespaces), list(names))
    rules = {(row["namespace"], row["calendar_id"]): definition_of(row["body"]).rules for row in rows}
    return [
        replace(
            each,
            calendars=tuple(
                (name, rules[each.namespace, name])
                for name in sorted(each.definition.timing.calendars)
                if (each.namespace, name) in rules
            ),
        )
        for each in found
    ]


async def as_locked(connection: AsyncConnection, rows: Iterable[Row]) -> list[Schedule]:
    """Rows of schedules that this transaction has locked, with the runs and calendars that decide on them."""
    return await with_calendars(connection, await with_runs(connection, [schedule_of(row) for row in rows]))


async def name(
    connection: AsyncConnection, namespace: str, calendar_ids: Iterable[str]
) -> tuple[NamedRules, ...]:
    """The rules of those that exist, for schedules that name them from now on: they stay until the end."""
    ids = sorted(calendar_ids)
    if not ids:
        return ()
    rows = await (await raw(connection)).fetch(SQL["name_calendars"], namespace, ids)
    return tuple((row["calendar_id"], definition_of(row["body"]).rules) for row in rows)


async def read_rules(
    connection: AsyncConnection, namespace: str, calendar_ids: Iterable[str]
) -> tuple[NamedRules, ...]:
    """The rules of those that exist."""
    ids = sorted(calendar_ids)
    rows = await (await raw(connection)).fetch(SQL["named_calendars"], [namespace] * len(ids), ids)
    return tuple((row["calendar_id"], definition_of(row["body"]).rules) for row in rows)


async def create(
    connection: AsyncConnection, namespace: str, calendar_id: str, made: CalendarDefinition, now: datetime
) -> bool:
    """False when the id is taken."""
    is_blackout = made.blackout is not None
    driver = await raw(connection)
    version = await driver.fetchval(
        SQL["create_calendar"], namespace, calendar_id, body_text(made), now, is_blackout
    )
    return version is not None


async def read(connection: AsyncConnection, namespace: str, calendar_id: str) -> Calendar | None:
    """As it is now."""
    query = select(_CALENDARS).where(
        _CALENDARS.c.namespace == namespace,
        _CALENDARS.c.calendar_id == calendar_id,
        _CALENDARS.c.deleted_at.is_(None),
    )
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else calendar_of(row)


async def page(connection: AsyncConnection, namespace: str, after: str, limit: int) -> list[Calendar]:
    """At most `limit` with ids beyond `after`, by id."""
    query = (
        select(_CALENDARS)
        .where(_CALENDARS.c.namespace == namespace, _CALENDARS.c.deleted_at.is_(None))
        .where(_CALENDARS.c.calendar_id > after)
        .order_by(_CALENDARS.c.calendar_id)
        .limit(limit)
    )
    return [calendar_of(row) for row in (await connection.execute(query)).mappings()]


async def blackouts(connection: AsyncConnection, namespace: str) -> list[Calendar]:
    """Those that hold work."""
    query = select(_CALENDARS).where(
        _CALENDARS.c.namespace == namespace,
        _CALENDARS.c.deleted_at.is_(None),
        _CALENDARS.c.push_at.is_not(None),
    )
    found = [calendar_of(row) for row in (await connection.execute(query)).mappings()]
    return [each for each in found if each.definition.blackout is not None]


async def lock(connection: AsyncConnection, namespace: str, calendar_id: str) -> Calendar | None:
    """As it is now, locked until the transaction ends."""
    row = await (await raw(connection)).fetchrow(SQL["lock_calendar"], namespace, calendar_id)
    return None if row is None else calendar_of(row)


async def update(
    connection: AsyncConnection, calendar: Calendar, made: CalendarDefinition, now: datetime
) -> Calendar:
    """Puts another definition in its place. The row is locked by this transaction."""
    is_told = made.blackout is not None or calendar.definition.blackout is not None
    driver = await raw(connection)
    version = await driver.fetchval(
        SQL["update_calendar"], calendar.namespace, calendar.calendar_id, body_text(made), now, is_told
    )
    return replace(calendar, definition=made, version=version, updated_at=now)


async def delete(connection: AsyncConnection, calendar: Calendar, now: datetime) -> None:
    """The row is locked by this transaction, and no schedule names it."""
    driver = await raw(connection)
    await driver.execute(SQL["delete_calendar"], calendar.namespace, calendar.calendar_id, now)


async def users(connection: AsyncConnection, calendar: Calendar, limit: int) -> list[str]:
    """Ids of schedules that name it, at most `limit`."""
    driver = await raw(connection)
    rows = await driver.fetch(SQL["calendar_users"], calendar.namespace, calendar.calendar_id, limit)
    return [row["schedule_id"] for row in rows]


async def lock_users(
    connection: AsyncConnection, calendar: Calendar, after: str, limit: int
) -> Sequence[Schedule]:
    """At most `limit` schedules that name it, with ids beyond `after`, locked, with all their calendars."""
    driver = await raw(connection)
    rows: list[Any] = await driver.fetch(
        SQL["lock_calendar_users"], calendar.namespace, calendar.calendar_id, after, limit
    )
    return await as_locked(connection, rows)
