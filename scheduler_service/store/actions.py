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
    await record_about(
        connection, schedule.namespace, schedule.schedule_id, action, actor, now, schedule.generation, detail
    )


async def record_about(
    connection: AsyncConnection,
    namespace: str,
    subject: str,
    action: str,
    actor: str,
    now: datetime,
    generation: int = 0,
    detail: str = "",
) -> None:
    """The same for what is no schedule: `action` says what `subject` is the id of, as `put-template` does."""
    statement = insert(tables.actions).values(
        at=now,
        namespace=namespace,
        actor=actor,
        action=action,
        schedule_id=subject,
        generation=generation,
        detail=detail,
    )
    await connection.execute(statement)
