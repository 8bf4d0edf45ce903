"""Which calendars the queue is to be told of, and when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.calendar import Calendar
from scheduler_service.store.calendars import SQL, calendar_of
from service_kit.postgres import raw


@dataclass(frozen=True, slots=True)
class Push:
    """A calendar as it is to be told."""

    calendar: Calendar
    number: int
    """Rises with every push of the calendar, whichever replica makes it and however often it was deleted."""
    is_deleted: bool
    retry_at: datetime
    """When it is tried again, should nobody say that it was done."""


async def claim(connection: AsyncConnection, now: datetime, limit: int, retry_at: datetime) -> Sequence[Push]:
    """At most `limit` that are to be told now, numbered; others leave them alone until `retry_at`."""
    rows = await (await raw(connection)).fetch(SQL["claim_pushes"], now, limit, retry_at)
    return [Push(calendar_of(row), row["pushes"], row["deleted_at"] is not None, retry_at) for row in rows]


async def done(connection: AsyncConnection, push: Push, again_at: datetime | None) -> None:
    """The queue has taken it; it is told again at `again_at`, or at once if the calendar has changed."""
    calendar = push.calendar
    driver = await raw(connection)
    await driver.execute(
        SQL["pushed"], calendar.namespace, calendar.calendar_id, push.number, push.retry_at, again_at
    )


async def next_push(connection: AsyncConnection) -> datetime | None:
    """When one is to be told next."""
    found: datetime | None = await (await raw(connection)).fetchval(SQL["next_push"])
    return found
