"""Retention: partitions ahead of time, old rows out in small transactions."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from queue_service.store.statements import SQL
from service_kit.postgres import AsyncConnection, Database, raw

if TYPE_CHECKING:
    import asyncpg

T = TypeVar("T")

PAGE: Final = 1_000
DAYS_AHEAD: Final = 3


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

    async def prune_keys(self, now: datetime) -> int | None:
        """Forgets up to 1,000 expired keys whose task has ended; returns how many."""
        return await self._alone(lambda driver: driver.fetchval(SQL["prune_keys"], now, PAGE))

    async def prune_payloads(self, now: datetime) -> int | None:
        """Drops up to 1,000 payloads of dead tasks that were kept long enough; returns how many."""
        return await self._alone(lambda driver: driver.fetchval(SQL["prune_payloads"], now, PAGE))

    async def prune_sessions(self, ended_before: datetime) -> int | None:
        """Forgets up to 1,000 sessions that ended before, except each executor's latest; returns how many."""
        return await self._alone(lambda driver: driver.fetchval(SQL["prune_sessions"], ended_before, PAGE))

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
