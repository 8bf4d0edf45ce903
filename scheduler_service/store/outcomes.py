"""Outcomes of tasks: what they add to the statistics, and how far they have been applied."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.schedule import Schedule
from scheduler_service.store.rows import schedule_of
from scheduler_service.store.runs import with_runs
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
    schedule_id: str
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


async def count(connection: AsyncConnection, ended: Sequence[Ended]) -> dict[UUID, int]:
    """Adds to the statistics of the schedules whose tasks they are, each (task, chain) once for ever.

    Returns, for each incarnation that had any, how many failures in a row it had at most.
    """
    once = {(end.namespace, end.task_id, end.chain): end for end in ended}.values()
    if not once:
        return {}
    driver = await raw(connection)
    rows = await driver.fetch(
        SQL["count_outcomes"],
        [end.namespace for end in once],
        [end.task_id for end in once],
        [end.chain for end in once],
        [end.failed for end in once],
        [end.succeeded for end in once],
        [end.duration // _MS for end in once],
        [end.started_at for end in once],
    )
    return {row["incarnation"]: row["longest"] for row in rows}


async def lock_concerned(
    connection: AsyncConnection, types: Iterable[tuple[str, str]], schedules: Iterable[tuple[str, str]]
) -> list[Schedule]:
    """Enabled schedules that listen to any of the (namespace, type) pairs, and those of the (namespace, id)
    pairs that failures can disable, locked in order of their ids.
    """
    pairs, names = sorted(set(types)), sorted(set(schedules))
    rows = await (await raw(connection)).fetch(
        SQL["lock_concerned"],
        [pair[0] for pair in pairs],
        [pair[1] for pair in pairs],
        [name[0] for name in names],
        [name[1] for name in names],
    )
    return await with_runs(connection, [schedule_of(row) for row in rows])


async def forget_failures(connection: AsyncConnection, incarnation: UUID) -> None:
    """Starts to count failures in a row anew. The schedule is locked by this transaction."""
    await (await raw(connection)).execute(SQL["forget_failures"], incarnation)
