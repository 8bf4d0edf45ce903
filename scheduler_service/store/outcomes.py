"""Outcomes of tasks: what they add to the statistics, and how far they have been applied."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.store.statements import SQL
from service_kit.postgres import raw

CURSOR: Final = "outcomes"
_MS = timedelta(milliseconds=1)


class Cursor(NamedTuple):
    """How far outcomes have been applied, and whether those of tasks without a schedule are wanted."""

    cursor: str
    all_tasks: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """A chain of attempts that ended."""

    namespace: str
    task_id: str
    chain: int
    failed: bool
    succeeded: bool
    duration: timedelta
    started_at: datetime | None


async def read_cursor(connection: AsyncConnection) -> Cursor:
    """As it is now."""
    row = await (await raw(connection)).fetchrow(
        "SELECT cursor, all_tasks FROM scheduler.cursors WHERE name = $1", CURSOR
    )
    return Cursor(row["cursor"], row["all_tasks"])


async def lock_cursor(connection: AsyncConnection) -> Cursor:
    """As it is now; nobody else applies outcomes until the transaction ends."""
    row = await (await raw(connection)).fetchrow(SQL["lock_cursor"], CURSOR)
    return Cursor(row["cursor"], row["all_tasks"])


async def move_cursor(connection: AsyncConnection, cursor: str, now: datetime) -> None:
    """The cursor is locked by this transaction."""
    await (await raw(connection)).execute(SQL["move_cursor"], CURSOR, cursor, now)


async def want_all_tasks(connection: AsyncConnection, wanted: bool) -> None:
    """Says whether outcomes of tasks without a schedule are wanted from the cursor on."""
    await (await raw(connection)).execute(SQL["want_all_tasks"], CURSOR, wanted)


async def count(connection: AsyncConnection, ended: Sequence[Ended]) -> None:
    """Adds to the statistics of the schedules whose tasks they are, each (task, chain) once for ever."""
    once = {(end.namespace, end.task_id, end.chain): end for end in ended}.values()
    if not once:
        return
    driver = await raw(connection)
    await driver.execute(
        SQL["count_outcomes"],
        [end.namespace for end in once],
        [end.task_id for end in once],
        [end.chain for end in once],
        [end.failed for end in once],
        [end.succeeded for end in once],
        [end.duration // _MS for end in once],
        [end.started_at for end in once],
    )
