"""The audit trail of operator calls."""

from datetime import datetime

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.schedule import Schedule
from scheduler_service.store import tables


async def record(
    connection: AsyncConnection, schedule: Schedule, action: str, actor: str, now: datetime, detail: str = ""
) -> None:
    """Writes down who did what to which generation, in the transaction that does it."""
    statement = insert(tables.actions).values(
        at=now,
        namespace=schedule.namespace,
        actor=actor,
        action=action,
        schedule_id=schedule.schedule_id,
        generation=schedule.generation,
        detail=detail,
    )
    await connection.execute(statement)
