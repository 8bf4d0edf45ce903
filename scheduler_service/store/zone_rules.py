"""Rules of time zones as stored next fires follow them, and the schedules that other rules have moved."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.schedule import Schedule
from scheduler_service.domain.zone_rules import Moved, MovedSchedule
from scheduler_service.store import tables
from scheduler_service.store.calendars import with_calendars
from scheduler_service.store.rows import schedule_of
from service_kit.postgres import raw
from service_kit.queries import load_queries

_SQL: Final = load_queries(Path(__file__).with_name("zone_rules.sql"))
_RULES, _MOVED = tables.zone_rules, tables.moved_schedules


async def lock(connection: AsyncConnection) -> None:
    """Nobody else brings the rules up to date until the transaction ends."""
    await (await raw(connection)).execute(_SQL["lock_zone_rules"])


async def last_release(connection: AsyncConnection) -> str | None:
    """The release that stored next fires follow; None before the first start."""
    found: str | None = await (await raw(connection)).fetchval(_SQL["last_release"])
    return found


async def read(connection: AsyncConnection) -> dict[str, bytes]:
    """The rules that stored next fires follow, by name."""
    rows = await connection.execute(select(_RULES.c.name, _RULES.c.rules))
    return {row.name: row.rules for row in rows}


async def save(
    connection: AsyncConnection, rules: Mapping[str, bytes], release: str, now: datetime, moved: int
) -> None:
    """Stores the rules that are in force from now on."""
    driver = await raw(connection)
    await driver.execute(_SQL["save_rules"], list(rules), list(rules.values()))
    await driver.execute(_SQL["record_release"], release, now, moved)


async def lock_in_zones(
    connection: AsyncConnection, zones: Iterable[str], after: tuple[str, str], limit: int
) -> list[Schedule]:
    """Enabled schedules by time in those zones, beyond (namespace, id), locked."""
    rows = await (await raw(connection)).fetch(_SQL["lock_in_zones"], list(zones), *after, limit)
    return await with_calendars(connection, [schedule_of(row) for row in rows])


async def record_moved(
    connection: AsyncConnection, moved: Sequence[tuple[Schedule, Moved]], release: str, now: datetime
) -> None:
    """Writes down what has moved."""
    await (await raw(connection)).execute(
        _SQL["record_moved"],
        [schedule.namespace for schedule, _ in moved],
        [schedule.schedule_id for schedule, _ in moved],
        [schedule.definition.timing.time_zone for schedule, _ in moved],
        release,
        now,
        [_array(times.old) for _, times in moved],
        [_array(times.new) for _, times in moved],
    )


async def page(
    connection: AsyncConnection, namespace: str, before: int | None, limit: int
) -> list[MovedSchedule]:
    """At most `limit`, latest first."""
    query = select(_MOVED).where(_MOVED.c.namespace == namespace)
    if before is not None:
        query = query.where(_MOVED.c.id < before)
    rows = await connection.execute(query.order_by(_MOVED.c.id.desc()).limit(limit))
    return [
        MovedSchedule(
            row.id,
            row.schedule_id,
            row.time_zone,
            row.release,
            row.moved_at,
            Moved(row.old_times, row.new_times),
        )
        for row in rows
    ]


def _array(instants: Iterable[datetime]) -> str:
    """As PostgreSQL reads it: the driver has no arrays of arrays of different lengths."""
    return "{" + ",".join(instant.isoformat() for instant in instants) + "}"
