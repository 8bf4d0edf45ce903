"""Counts over schedules."""

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.schedule import Totals
from scheduler_service.store import overdue, tables
from scheduler_service.store.rows import stats_of_sums

_SCHEDULES, _STATS, _OUTBOX = tables.schedules, tables.stats, tables.outbox


async def totals(
    connection: AsyncConnection, namespace: str, schedule_id: str | None, overdue_before: datetime
) -> Totals:
    """Over all schedules of the namespace, or over one."""
    row = (await connection.execute(_sums(namespace, schedule_id, overdue_before))).mappings().one()
    pending = select(func.count()).select_from(_OUTBOX).where(_OUTBOX.c.namespace == namespace)
    if schedule_id is not None:
        pending = pending.where(_OUTBOX.c.schedule_id == schedule_id)
    return Totals(
        schedules=row["schedules"],
        enabled=row["enabled"],
        overdue=row["overdue"],
        next_fire=row["next_fire"],
        stats=stats_of_sums(row),
        pending_fires=await connection.scalar(pending) or 0,
    )


async def backlog(connection: AsyncConnection, overdue_before: datetime) -> tuple[int, int]:
    """Over all namespaces: overdue schedules, and fires without a verdict."""
    waiting = select(func.count()).select_from(_OUTBOX)
    return await overdue.count(connection, overdue_before), await connection.scalar(waiting) or 0


def _sums(namespace: str, schedule_id: str | None, overdue_before: datetime) -> Any:
    summed = (
        "execution_count",
        "failure_count",
        "success_count",
        "success_ms",
        "run_count",
        "failures_in_row",
    )
    query: Any = select(
        func.count().label("schedules"),
        func.count().filter(_SCHEDULES.c.enabled).label("enabled"),
        func.count()
        .filter(_SCHEDULES.c.due_at < overdue_before, _SCHEDULES.c.next_fire < overdue_before)
        .label("overdue"),
        func.min(_SCHEDULES.c.next_fire).label("next_fire"),
        func.sum(_SCHEDULES.c.fire_count).label("fire_count"),
        func.max(_STATS.c.last_execute_at).label("last_execute_at"),
        *(func.sum(_STATS.c[name]).label(name) for name in summed),
    ).outerjoin_from(_SCHEDULES, _STATS, _STATS.c.incarnation == _SCHEDULES.c.incarnation)
    query = query.where(_SCHEDULES.c.namespace == namespace)
    return query if schedule_id is None else query.where(_SCHEDULES.c.schedule_id == schedule_id)
