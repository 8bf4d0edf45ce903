"""Schedules, one at a time and by the page."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    Text,
    cast,
    delete,
    exists,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.events import OUTCOME_TYPES
from scheduler_service.domain.fire import Disposition
from scheduler_service.domain.schedule import Schedule
from scheduler_service.store import backfills, gatherings, tables
from scheduler_service.store.calendars import as_locked, with_calendars
from scheduler_service.store.rows import columns_of, labels_text, schedule_of
from scheduler_service.store.sources import source_is_there
from scheduler_service.store.statements import SQL
from service_kit.postgres import raw

_SCHEDULES, _STATS = tables.schedules, tables.stats


async def read(connection: AsyncConnection, namespace: str, schedule_id: str) -> Schedule | None:
    """With its statistics and calendars."""
    row = (await connection.execute(_with_stats().where(_is(namespace, schedule_id)))).mappings().first()
    if row is None:
        return None
    (found,) = await with_calendars(connection, [schedule_of(row)])
    return found


async def page(
    connection: AsyncConnection, namespace: str, after: str, limit: int, labels: Mapping[str, str]
) -> Sequence[Schedule]:
    """At most `limit` schedules with all of `labels` and ids beyond `after`, by id, with their statistics."""
    query = (
        _with_stats()
        .where(_SCHEDULES.c.namespace == namespace, _SCHEDULES.c.schedule_id > after)
        .order_by(_SCHEDULES.c.schedule_id)
        .limit(limit)
    )
    if labels:
        # The first condition lets the partial index on labels be used.
        marked = cast(labels_text(labels.items()), ARRAY(Text))
        query = query.where(_SCHEDULES.c.labels != text("'{}'"), _SCHEDULES.c.labels.op("@>")(marked))
    return [schedule_of(row) for row in (await connection.execute(query)).mappings()]


async def lock(connection: AsyncConnection, namespace: str, schedule_id: str) -> Schedule | None:
    """As it is now, locked until the transaction ends; without statistics, runs apart."""
    driver = await raw(connection)
    row = await driver.fetchrow(SQL["lock_schedule"], namespace, schedule_id)
    if row is None:
        return None
    (locked,) = await as_locked(connection, [row])
    return locked


async def save(connection: AsyncConnection, schedule: Schedule, made: int = 0) -> None:
    """Writes everything and adds `made` fires to the count. The row is locked by this transaction."""
    statement = update(_SCHEDULES).where(_SCHEDULES.c.incarnation == schedule.incarnation)
    count = {"fire_count": _SCHEDULES.c.fire_count + made}
    with source_is_there():
        await connection.execute(statement.values(columns_of(schedule) | count))


async def remove(connection: AsyncConnection, schedule: Schedule, now: datetime, detail: str) -> None:
    """Deletes it with what was never sent to the queue; those fires end REJECTED with `detail`.

    The row is locked by this transaction.
    """
    driver = await raw(connection)
    await driver.execute(
        SQL["drop_unsent"], schedule.namespace, schedule.schedule_id, detail, now, int(Disposition.REJECTED)
    )
    await gatherings.forget(connection, schedule.incarnation, now)
    await connection.execute(delete(_STATS).where(_STATS.c.incarnation == schedule.incarnation))
    await backfills.cancel_of(connection, schedule.incarnation, now)
    await connection.execute(delete(_SCHEDULES).where(_SCHEDULES.c.incarnation == schedule.incarnation))


async def listens_to_system(connection: AsyncConnection) -> bool:
    """Whether any enabled schedule is triggered by events that the scheduler emits."""
    listening = exists().where(_SCHEDULES.c.enabled, _SCHEDULES.c.event_type.in_(sorted(OUTCOME_TYPES)))
    return bool(await connection.scalar(select(listening)))


def _with_stats() -> Select[Any]:
    counters = [column for column in _STATS.c if column.name != "incarnation"]
    return select(_SCHEDULES, *counters).outerjoin_from(
        _SCHEDULES, _STATS, _STATS.c.incarnation == _SCHEDULES.c.incarnation
    )


def _is(namespace: str, schedule_id: str) -> ColumnElement[bool]:
    return (_SCHEDULES.c.namespace == namespace) & (_SCHEDULES.c.schedule_id == schedule_id)
