"""Runs of schedules with `max_runs`: how many are used, and which fires on their way take one."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.schedule import Schedule
from scheduler_service.store.rows import schedule_of
from scheduler_service.store.statements import SQL
from service_kit.postgres import raw


async def with_runs(connection: AsyncConnection, schedules: Sequence[Schedule]) -> list[Schedule]:
    """Schedules locked by this transaction, with `runs_taken` and `run_count` where `max_runs` is set.

    A statement of its own: one that locks as well would count as of before it waited.
    """
    limited = [schedule.incarnation for schedule in schedules if schedule.definition.max_runs]
    if not limited:
        return list(schedules)
    driver = await raw(connection)
    rows = {row["incarnation"]: row for row in await driver.fetch(SQL["runs_taken"], limited)}
    return [
        schedule
        if (row := rows.get(schedule.incarnation)) is None
        else replace(
            schedule,
            runs_taken=row["run_count"] + row["pending"],
            stats=replace(schedule.stats, run_count=row["run_count"]),
        )
        for schedule in schedules
    ]


async def lock_of_fires(connection: AsyncConnection, fires: Iterable[int]) -> list[Schedule]:
    """The schedules of whose `max_runs` those fires take one, locked, without their runs."""
    driver = await raw(connection)
    return [schedule_of(row) for row in await driver.fetch(SQL["lock_run_out"], list(fires))]


async def reserve(connection: AsyncConnection, schedule: Schedule) -> None:
    """Counts what is on its way for a schedule that has just got `max_runs`."""
    await (await raw(connection)).execute(SQL["reserve_runs"], schedule.incarnation)
