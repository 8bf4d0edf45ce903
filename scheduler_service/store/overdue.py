"""Schedules that should have fired and have not."""

from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.events import DEFAULT_SOURCE, SCHEDULE_OVERDUE
from service_kit.postgres import raw
from service_kit.queries import load_queries

SQL: Final = load_queries(Path(__file__).with_name("overdue.sql"))


class Overdue(NamedTuple):
    """One of them."""

    namespace: str
    schedule_id: str
    incarnation: UUID
    next_fire: datetime
    due_at: datetime


async def unannounced(connection: AsyncConnection, before: datetime, limit: int) -> list[Overdue]:
    """Due before that instant, in a namespace where somebody listens, and not told about it yet."""
    driver = await raw(connection)
    rows = await driver.fetch(SQL["unannounced"], before, DEFAULT_SOURCE, SCHEDULE_OVERDUE, limit)
    return [Overdue(*(row[name] for name in Overdue._fields)) for row in rows]


async def count(connection: AsyncConnection, before: datetime) -> int:
    """Over all namespaces, also those that cannot be read."""
    found: int = await (await raw(connection)).fetchval(SQL["count_overdue"], before)
    return found
