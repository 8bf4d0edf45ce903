"""Whether the database is there and fit for use, watched and told to health."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from service_kit.clock import DatabaseClock
from service_kit.errors import DatabaseUnavailable
from service_kit.health import Health
from service_kit.logs import logger
from service_kit.loops import Loop
from service_kit.migrate import schema_is_current
from service_kit.postgres import AsyncConnection, Database, durability, raw

Check = Callable[[AsyncConnection], Awaitable[str | None]]

RETRY: Final = timedelta(milliseconds=500)

log = logger(__name__)


def schema_check(migrations: Path, schema: str, advice: str) -> Check:
    """Asks for the newest migration; `advice` is the reason told while it is missing."""

    async def check(connection: AsyncConnection) -> str | None:
        return None if await schema_is_current(connection, migrations, schema) else advice

    return check


def durability_check() -> Check:
    """Logs once what the server's settings promise less than durable; never a reason not to serve."""
    told = False

    async def check(connection: AsyncConnection) -> str | None:
        nonlocal told
        if not told:
            for sentence in await durability(connection):
                log.warning("weaker promise", reason=sentence)
            told = True
        return None

    return check


class Readiness:
    """Runs `checks` now and then; each returns None, or the reason why the service cannot work.

    Health is told under the source `database`. `loop` is the watching; `wait` returns after the first good
    look.
    """

    def __init__(
        self,
        database: Database,
        health: Health,
        checks: Sequence[Check] = (),
        every: timedelta = timedelta(seconds=2),
    ) -> None:
        self._database = database
        self._health = health
        self._checks = checks
        self._ready = asyncio.Event()
        self.loop = Loop("readiness", self.step, every)

    async def wait(self) -> None:
        """Returns when the database was fit for use once."""
        await self._ready.wait()

    async def start(self, clock: DatabaseClock) -> None:
        """Returns when the database was fit for use and the clock runs on its time."""
        while True:
            await self.wait()
            try:
                return await clock.start()
            except DatabaseUnavailable:
                await asyncio.sleep(RETRY.total_seconds())

    async def step(self) -> None:
        """Looks once."""
        reason = await self._look()
        if reason is None:
            self._ready.set()
            await self._health.serving("database")
        else:
            await self._health.not_serving(reason, "database")

    async def _look(self) -> str | None:
        try:
            return await self._database.unit(self._first_reason, readonly=True)
        except DatabaseUnavailable as error:
            return error.message

    async def _first_reason(self, connection: AsyncConnection) -> str | None:
        await (await raw(connection)).fetchval("SELECT 1")
        for check in self._checks:
            reason = await check(connection)
            if reason is not None:
                return reason
        return None
