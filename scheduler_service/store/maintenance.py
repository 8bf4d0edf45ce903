"""Forgets what is older than its retention, in small batches."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from scheduler_service.store.statements import SQL
from service_kit.postgres import Database

BATCH: Final = 1000


class Retention(NamedTuple):
    """How long a kind of row is kept."""

    statement: str
    keep: timedelta


RETENTIONS: Final = (
    Retention("prune_fires", timedelta(days=90)),
    Retention("prune_events", timedelta(days=30)),
    Retention("prune_creations", timedelta(days=30)),
    Retention("prune_backfills", timedelta(days=90)),
    Retention("prune_moved_schedules", timedelta(days=90)),
)


async def prune(database: Database, retention: Retention, now: datetime) -> bool:
    """Deletes one batch of rows that are too old; True when there may be more."""
    statement: Callable[..., Awaitable[str]] = lambda driver: driver.execute(  # noqa: E731
        SQL[retention.statement], now - retention.keep, BATCH
    )
    tag = await database.statement(statement)
    return int(tag.rpartition(" ")[2]) == BATCH
