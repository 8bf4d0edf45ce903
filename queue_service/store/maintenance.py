"""Retention: partitions ahead of time, old rows out in small transactions."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from queue_service.store.statements import SQL
from service_kit.postgres import AsyncConnection, Database, raw

if TYPE_CHECKING:
    import asyncpg

T = TypeVar("T")

PAGE: Final = 1_000
DAYS_AHEAD: Final = 3

LATEST_ROW: Final = timedelta(hours=1)
"""How long after its end a day may still get rows: longer than any transaction or difference of clocks."""


class MaintenanceStore:
    """Each call is one transaction; one replica at a time does it, the others get None at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def make_partitions(self) -> int | None:
        """Makes what is missing of today's and the next three days' partitions; returns how many."""
        return await self._alone(lambda driver: driver.fetchval(SQL["make_partitions"], DAYS_AHEAD))

    async def drop_partitions(self, keep: timedelta) -> list[str] | None:
        """Drops the days that ended more than `keep` ago; returns their names."""
        return await self._alone(lambda driver: driver.fetchval(SQL["drop_partitions"], keep))

    async def count_a_day(self, now: datetime) -> date | None:
        """Counts the next day of history that is over; returns it, or None when there is none."""

        async def work(driver: "asyncpg.Connection[Any]") -> date | None:
            day: date | None = await driver.fetchval(SQL["next_day_to_count"])
            if day is None:
                return None
            begin = datetime.combine(day, time(), UTC)
            end = begin + timedelta(days=1)
            if now < end + LATEST_ROW:
                return None
            await driver.execute(SQL["count_day"], day, begin, end)
            return day

        return await self._alone(work)

    async def forget_counts(self, before: date) -> None:
        """Days before are not in history any more."""
        await self._alone(lambda driver: driver.execute(SQL["forget_counts"], before))

    async def prune_keys(self, now: datetime) -> int | None:
        """Forgets up to 1,000 expired keys whose task has ended; returns how many."""
        return await self._alone(lambda driver: driver.fetchval(SQL["prune_keys"], now, PAGE))

    async def prune_payloads(self, now: datetime) -> int | None:
        """Drops up to 1,000 payloads of dead tasks that were kept long enough; returns how many."""
        return await self._alone(lambda driver: driver.fetchval(SQL["prune_payloads"], now, PAGE))

    async def prune_sessions(self, ended_before: datetime) -> int | None:
        """Forgets up to 1,000 sessions that ended before, except each executor's latest; returns how many."""
        return await self._alone(lambda driver: driver.fetchval(SQL["prune_sessions"], ended_before, PAGE))

    async def prune_holds(self, now: datetime) -> int | None:
        """Forgets up to 1,000 holds that are over; the versions of their sources stay."""
        return await self._alone(lambda driver: driver.fetchval(SQL["prune_holds"], now, PAGE))

    async def prune_executors(self, seen_before: datetime) -> int | None:
        """Forgets up to 1,000 executors that were not seen since, hold nothing and are not configured."""
        return await self._alone(lambda driver: driver.fetchval(SQL["prune_executors"], seen_before, PAGE))

    async def _alone(self, work: "Callable[[asyncpg.Connection[Any]], Awaitable[T]]") -> T | None:
        async def unit(connection: AsyncConnection) -> T | None:
            driver = await raw(connection)
            if not await driver.fetchval(SQL["try_maintenance"]):
                return None
            return await work(driver)

        return await self._database.unit(unit)
